// The project's rules as pure functions: a tree of files goes in, what is wrong with it comes out, one sentence for each finding.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tenure::rules {

struct File {
  std::string path;  // from the root of the repository, with '/'
  std::string text;
};
using Tree = std::vector<File>;
using Findings = std::vector<std::string>;

// Every text file of the project; neither what is built nor what git keeps.
Tree read_tree(const std::filesystem::path& root);

// The text with comments, and the insides of strings and character literals, turned into blanks. Lines stay where they are.
std::string code_only(std::string_view text);

// core <- {ipc, backends, sim} <- {tools, tests, fuzz, bench}: by the includes, quoted ones and <tenure/...>.
Findings folder_arrows(const Tree& tree);
// core/ includes headers of the standard library only, of those that need neither the system nor the heap.
Findings core_includes(const Tree& tree);
// core/ neither allocates nor throws.
Findings core_words(const Tree& tree);
// A public header asks nothing of its user but the standard library.
Findings public_includes(const Tree& tree);
Findings pragma_once(const Tree& tree);
Findings line_width(const Tree& tree);
Findings unfinished(const Tree& tree);
// What is not named in a CMakeLists.txt is not built, and a header that nobody includes is not read.
Findings dead_files(const Tree& tree);
// At most six headers of core/ are templates on the platform.
Findings platform_templates(const Tree& tree);
Findings one_target_a_folder(const Tree& tree);

// The public headers, as their users name them: "tenure/result.hpp".
std::vector<std::string> public_headers(const Tree& tree);

}  // namespace tenure::rules
