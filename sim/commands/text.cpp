#include "sim/commands/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "sim/timeline_events.hpp"

namespace tenure::sim::commands {

std::string clean(std::string_view text) {
  std::string result = timeline::clean(text);
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  for (std::size_t i = result.find(replacement); i != std::string::npos; i = result.find(replacement, i)) {
    result.replace(i, replacement.size(), "?");
  }
  return result;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t bytes_max = 200;
  const bool is_long = text.size() > bytes_max;
  return '"' + clean(text.substr(0, bytes_max)) + (is_long ? "...\"" : "\"");
}

std::string shell_word(std::string_view text) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("_/.,:=@%+-", c) != nullptr; };
  if (!text.empty() && std::ranges::all_of(text, plain)) return std::string(text);
  std::string word = "'";
  for (const char c : text) c == '\'' ? word += "'\\''" : word += c;
  return word + '\'';
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::optional<double> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr std::array<Unit, 5> units{{{"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}}};
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) == 0) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc()) return {};
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto found = std::ranges::find(units, unit, &Unit::name);
  constexpr double ten_years = 315'360'000;
  if (found == units.end() || value * found->seconds > ten_years) return {};
  return value * found->seconds;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string seconds_text(double seconds) {
  std::array<char, 64> text{};
  if (seconds < 1) {
    std::snprintf(text.data(), text.size(), "%.0f ms", seconds * 1e3);
  } else if (seconds < 60) {
    std::snprintf(text.data(), text.size(), "%.1f s", seconds);
  } else {
    const auto whole = static_cast<std::uint64_t>(seconds);
    std::snprintf(text.data(), text.size(), "%llu min %llu s", static_cast<unsigned long long>(whole / 60),
                  static_cast<unsigned long long>(whole % 60));
  }
  return text.data();
}

std::string counted(std::uint64_t count, std::string_view what) {
  const std::string_view plural = count == 1 ? "" : what.ends_with('s') || what.ends_with("ch") ? "es" : "s";
  return grouped(count) + ' ' + std::string(what) + std::string(plural);
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], timeline::width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - timeline::width(row[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string wrapped(std::string_view text, std::size_t columns) {
  std::string result;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (column != 0 && column + 1 + word.size() > columns) {
      result += '\n';
      column = 0;
    } else if (column != 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result + '\n';
}

namespace {

// Letters to be put in, taken out or changed.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<std::string> near_matches(std::string_view typed, std::span<const std::string> names) {
  constexpr std::size_t matches_max = 5;
  constexpr std::size_t typed_max = 100;
  typed = typed.substr(0, typed_max);
  std::vector<std::pair<std::size_t, std::size_t>> near;  // how far, and which
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool contains = typed.size() >= 3 && names[i].find(typed) != std::string::npos;
    const std::size_t away = contains ? 1 : distance(typed, names[i]);
    if (away <= std::max<std::size_t>(2, typed.size() / 3)) near.emplace_back(away, i);
  }
  std::ranges::sort(near);
  std::vector<std::string> matches;
  for (std::size_t i = 0; i < std::min(near.size(), matches_max); ++i) matches.push_back(names[near[i].second]);
  return matches;
}

bool print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (std::fflush(stdout) == 0 && written) return true;
  std::fprintf(stderr, "standard output: %s\n", std::strerror(errno));
  return false;
}

void complain(std::string_view program, std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines += std::string(program) + ": " + std::string(text.substr(0, end)) + '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::fwrite(lines.data(), 1, lines.size(), stderr);
}

}  // namespace tenure::sim::commands
