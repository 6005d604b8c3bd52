#include "tests/rules/rules.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

namespace tenure::rules {
namespace {

constexpr std::size_t width_max = 140;
constexpr std::size_t platform_headers_max = 6;

struct Include {
  std::string name;
  bool quoted = false;
  std::size_t line = 0;
};

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string extension(const File& file) { return std::filesystem::path(file.path).extension().string(); }
std::string file_name(const File& file) { return std::filesystem::path(file.path).filename().string(); }
std::string folder_of(std::string_view path) { return std::string(path.substr(0, path.find('/'))); }
bool in_folder(const File& file, std::string_view folder) { return file.path.starts_with(std::string(folder) + "/"); }
bool is_header(const File& file) { return extension(file) == ".hpp" || extension(file) == ".h"; }
bool is_source(const File& file) { return extension(file) == ".cpp" || extension(file) == ".c"; }
bool is_cpp(const File& file) { return is_header(file) || is_source(file); }
bool is_public_header(const File& file) { return is_header(file) && file.path.find("/include/tenure/") != std::string::npos; }

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string at(const File& file, std::size_t line, std::string_view what) {
  return file.path + ":" + std::to_string(line) + ": " + std::string(what);
}

std::vector<Include> includes_of(const File& file) {
  std::vector<Include> found;
  const std::vector<std::string> lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string_view line = lines[i];
    const auto skip_blanks = [&line] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
    skip_blanks();
    if (!line.starts_with('#')) continue;
    line.remove_prefix(1);
    skip_blanks();
    if (!line.starts_with("include")) continue;
    const std::size_t open = line.find_first_of("<\"");
    if (open == std::string_view::npos) continue;
    const bool quoted = line[open] == '"';
    const std::size_t close = line.find(quoted ? '"' : '>', open + 1);
    found.push_back({std::string(line.substr(open + 1, close - open - 1)), quoted, i + 1});
  }
  return found;
}

// Whether `word` stands in `text` with no letter, digit or underscore beside it.
bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t i = text.find(word); i != std::string_view::npos; i = text.find(word, i + 1)) {
    const bool starts = i == 0 || !is_word_char(text[i - 1]);
    const std::size_t end = i + word.size();
    if (starts && (end == text.size() || !is_word_char(text[end]))) return true;
  }
  return false;
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// What a folder may include besides itself. sim/ may also read the protocol parts of backends/, once there are any.
const std::map<std::string, std::set<std::string>, std::less<>>& arrows() {
  static const std::set<std::string> everything{"core", "ipc", "backends", "sim", "tools"};
  static const std::map<std::string, std::set<std::string>, std::less<>> allowed{
      {"core", {}},          {"ipc", {"core"}},     {"backends", {"core"}}, {"sim", {"core", "backends"}},
      {"tools", everything}, {"tests", everything}, {"fuzz", everything},   {"bench", everything},
  };
  return allowed;
}

// The folder whose public header <tenure/...> this is, or nothing.
std::string home_of_public(const Tree& tree, std::string_view name) {
  const auto file = std::ranges::find_if(tree, [&](const File& f) { return f.path.ends_with("/include/" + std::string(name)); });
  return file == tree.end() ? std::string() : folder_of(file->path);
}

const std::set<std::string, std::less<>>& standard_headers_of_core() {
  static const std::set<std::string, std::less<>> names{
      "algorithm", "array",   "atomic",      "bit",      "cassert",     "charconv",         "chrono",  "climits",  "compare", "concepts",
      "cstddef",   "cstdint", "cstring",     "iterator", "limits",      "initializer_list", "numeric", "optional", "memory",  "ranges",
      "ratio",     "span",    "string_view", "tuple",    "type_traits", "utility",          "variant", "version",
  };
  return names;
}

std::string command_arguments(std::string_view text, std::size_t open) {
  const std::size_t close = text.find(')', open);
  return std::string(text.substr(open + 1, close == std::string_view::npos ? close : close - open - 1));
}

std::string without_hash_comments(std::string_view cmake) {
  std::string code;
  for (const std::string& line : lines_of(cmake)) code += line.substr(0, line.find('#')) + "\n";
  return code;
}

std::size_t count_targets(std::string_view cmake) {
  std::size_t count = 0;
  for (const std::string_view command : {"add_library(", "add_executable("}) {
    for (std::size_t i = cmake.find(command); i != std::string_view::npos; i = cmake.find(command, i + 1)) {
      count += has_word(command_arguments(cmake, i + command.size() - 1), "ALIAS") ? 0 : 1;
    }
  }
  return count;
}

bool named_by_cmake(const Tree& tree, const File& file) {
  return std::ranges::any_of(tree, [&](const File& list) {
    if (file_name(list) != "CMakeLists.txt") return false;
    const std::string folder = list.path.substr(0, list.path.size() - file_name(list).size());
    return file.path.starts_with(folder) && has_word(without_hash_comments(list.text), file.path.substr(folder.size()));
  });
}

bool included_by_another(const Tree& tree, const File& header) {
  return std::ranges::any_of(tree, [&](const File& file) {
    if (!is_cpp(file) || file.path == header.path) return false;
    return std::ranges::any_of(includes_of(file), [&](const Include& include) { return include.name == header.path; });
  });
}

// Where the comment or literal that begins at `i` ends (one past its last character), or `i` where none begins.
std::size_t end_of_non_code(std::string_view text, std::size_t i) {
  const auto past = [&](std::string_view mark, std::size_t from) {
    const std::size_t found = text.find(mark, from);
    return found == std::string_view::npos ? text.size() : found + mark.size();
  };
  const std::string_view rest = text.substr(i);
  if (rest.starts_with("//")) return std::min(text.find('\n', i), text.size());
  if (rest.starts_with("/*")) return past("*/", i + 2);
  if (rest.starts_with("R\"") && (i == 0 || !is_word_char(text[i - 1]))) {
    const std::size_t open = text.find('(', i);
    return open == std::string_view::npos ? text.size() : past(")" + std::string(text.substr(i + 2, open - i - 2)) + "\"", open);
  }
  const bool separator = rest.starts_with('\'') && i > 0 && std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0;  // 1'000
  if (!rest.starts_with('"') && (!rest.starts_with('\'') || separator)) return i;
  std::size_t j = i + 1;
  while (j < text.size() && text[j] != '\n' && text[j] != text[i]) j += text[j] == '\\' ? 2 : 1;
  if (j >= text.size()) return text.size();
  return text[j] == '\n' ? j : j + 1;
}

}  // namespace

Tree read_tree(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  static const std::set<std::string> skipped{".git", "build", ".cache", ".vscode", ".idea"};
  static const std::set<std::string> text{".hpp", ".h",  ".cpp",  ".c",  ".txt", ".cmake", ".sh",   ".py",
                                          ".scd", ".md", ".json", ".in", ".csv", ".bash",  ".fish", ""};
  Tree tree;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator(); ++it) {
    if (it->is_directory() && skipped.contains(it->path().filename().string())) it.disable_recursion_pending();
    if (!it->is_regular_file() || !text.contains(it->path().extension().string())) continue;
    std::ifstream stream(it->path(), std::ios::binary);
    tree.push_back({it->path().lexically_relative(root).generic_string(), {std::istreambuf_iterator<char>(stream), {}}});
  }
  std::ranges::sort(tree, {}, &File::path);
  return tree;
}

std::string code_only(std::string_view text) {
  std::string code(text);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = end_of_non_code(text, i);
    for (std::size_t j = i; j < end; ++j) {
      if (code[j] != '\n') code[j] = ' ';
    }
    i = std::max(end, i + 1);
  }
  return code;
}

Findings folder_arrows(const Tree& tree) {
  Findings findings;
  for (const File& file : tree) {
    const auto allowed = arrows().find(folder_of(file.path));
    if (!is_cpp(file) || allowed == arrows().end()) continue;
    for (const Include& include : includes_of(file)) {
      const bool ours = include.quoted || include.name.starts_with("tenure/");
      if (!ours) continue;
      const std::string target = include.quoted ? folder_of(include.name) : home_of_public(tree, include.name);
      if (include.quoted && !arrows().contains(target)) {
        findings.push_back(at(file, include.line, "\"" + include.name + "\" does not start at the root of the repository"));
      } else if (target != allowed->first && !allowed->second.contains(target)) {
        findings.push_back(at(file, include.line, allowed->first + "/ may not include " + include.name + " of " + target + "/"));
      }
    }
  }
  return findings;
}

Findings core_includes(const Tree& tree) {
  Findings findings;
  for (const File& file : tree) {
    if (!is_cpp(file) || !in_folder(file, "core")) continue;
    for (const Include& include : includes_of(file)) {
      if (include.quoted || include.name.starts_with("tenure/") || standard_headers_of_core().contains(include.name)) continue;
      findings.push_back(
          at(file, include.line, "<" + include.name + "> is not one of the headers that core/ may include (tests/rules/rules.cpp)"));
    }
  }
  return findings;
}

Findings core_words(const Tree& tree) {
  static const std::map<std::string, std::string> banned{
      {"new", "heap"},         {"malloc", "heap"},    {"calloc", "heap"},      {"realloc", "heap"},
      {"throw", "exceptions"}, {"try", "exceptions"}, {"catch", "exceptions"},
  };
  Findings findings;
  for (const File& file : tree) {
    if (!is_cpp(file) || !in_folder(file, "core")) continue;
    const std::vector<std::string> lines = lines_of(code_only(file.text));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      for (const auto& [word, what] : banned) {
        if (has_word(lines[i], word)) findings.push_back(at(file, i + 1, word + ": core/ has no " + what));
      }
    }
  }
  return findings;
}

Findings public_includes(const Tree& tree) {
  Findings findings;
  for (const File& file : tree) {
    if (!is_public_header(file)) continue;
    for (const Include& include : includes_of(file)) {
      const bool standard = !include.quoted && include.name.find_first_of("/.") == std::string::npos;
      const bool standard_c =
          extension(file) == ".h" && (include.name == "stdint.h" || include.name == "stddef.h" || include.name == "stdbool.h");
      if (standard || standard_c || (!include.quoted && include.name.starts_with("tenure/"))) continue;
      findings.push_back(at(file, include.line, include.name + ": a public header includes only the standard library and <tenure/...>"));
    }
  }
  return findings;
}

Findings pragma_once(const Tree& tree) {
  Findings findings;
  for (const File& file : tree) {
    if (extension(file) != ".hpp" || file.text.find("\n#pragma once\n") != std::string::npos) continue;
    if (file.text.starts_with("#pragma once\n")) continue;
    findings.push_back(at(file, 1, "no #pragma once"));
  }
  return findings;
}

Findings line_width(const Tree& tree) {
  Findings findings;
  for (const File& file : tree) {
    if (extension(file) == ".md" || file_name(file) == "LICENSE") continue;
    const std::vector<std::string> lines = lines_of(file.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (characters(lines[i]) > width_max) findings.push_back(at(file, i + 1, "wider than " + std::to_string(width_max)));
    }
  }
  return findings;
}

Findings unfinished(const Tree& tree) {
  Findings findings;
  for (const File& file : tree) {
    const std::vector<std::string> lines = lines_of(file.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      for (const std::string_view word : {"TO"
                                          "DO",
                                          "FIX"
                                          "ME",
                                          "XX"
                                          "X"}) {
        if (has_word(lines[i], word)) findings.push_back(at(file, i + 1, std::string(word) + ": finish it, or say it in an issue"));
      }
    }
  }
  return findings;
}

Findings dead_files(const Tree& tree) {
  Findings findings;
  for (const File& file : tree) {
    const bool ours = arrows().contains(folder_of(file.path));
    const bool in_tests = in_folder(file, "tests");
    const bool exempt = file_name(file) == "CMakeLists.txt" || file_name(file) == "README.md" || is_public_header(file);
    if (!ours || exempt || !(is_cpp(file) || in_tests)) continue;
    if (named_by_cmake(tree, file) || (is_header(file) && included_by_another(tree, file))) continue;
    findings.push_back(at(file, 1, is_header(file) ? "no file includes it" : "no CMakeLists.txt names it"));
  }
  return findings;
}

Findings platform_templates(const Tree& tree) {
  Findings headers;
  for (const File& file : tree) {
    if (!in_folder(file, "core") || !is_header(file) || file.path.ends_with(".inl.hpp")) continue;
    const std::string code = code_only(file.text);
    const bool on_platform = code.find("template <class P>") != std::string::npos || code.find("template <class P,") != std::string::npos ||
                             code.find("template <typename P") != std::string::npos ||
                             code.find("template <Platform ") != std::string::npos;
    if (on_platform) headers.push_back(at(file, 1, "a template on the platform"));
  }
  if (headers.size() > platform_headers_max) return headers;
  return {};
}

Findings one_target_a_folder(const Tree& tree) {
  Findings findings;
  for (const std::string folder : {"core", "ipc", "sim", "tools", "tools/sim"}) {
    std::size_t targets = 0;
    for (const File& file : tree) {
      const bool is_nested = folder == "tools" && in_folder(file, "tools/sim");
      if (in_folder(file, folder) && !is_nested && file_name(file) == "CMakeLists.txt")
        targets += count_targets(without_hash_comments(file.text));
    }
    if (targets != 1) findings.push_back(folder + "/: " + std::to_string(targets) + " targets, not one");
  }
  return findings;
}

std::vector<std::string> public_headers(const Tree& tree) {
  std::vector<std::string> names;
  for (const File& file : tree) {
    if (is_public_header(file)) names.push_back(file.path.substr(file.path.find("/include/") + std::string_view("/include/").size()));
  }
  return names;
}

}  // namespace tenure::rules
