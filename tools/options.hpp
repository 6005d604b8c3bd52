// The options of a command: one table says what is accepted, what is read, and what --help prints.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenure::tools {

struct OptionSpec {
  int key = 0;             // what Option::key is
  std::string_view names;  // "-w --wait --timeout"
  std::string_view value;  // what --help calls the value; empty: the option is a flag
  std::string_view help;   // one line; empty: not listed
};

// Both tables, one behind the other.
template <std::size_t m, std::size_t n>
constexpr std::array<OptionSpec, m + n> joined(const std::array<OptionSpec, m>& first, const std::array<OptionSpec, n>& second) {
  std::array<OptionSpec, m + n> both{};
  for (std::size_t i = 0; i < m; ++i) both[i] = first[i];
  for (std::size_t i = 0; i < n; ++i) both[m + i] = second[i];
  return both;
}

struct Option {
  int key;
  std::string_view name;   // as the user wrote it
  std::string_view value;  // empty for a flag
};

struct ParsedOptions {
  std::vector<Option> options;  // in order
  std::span<char*> operands;
  std::string error;  // not empty: what is wrong, for people
};

// Whether options may come after the first operand, or everything from there on belongs to somebody else.
enum class Operands { mixed, end_options };

// `arguments` without the command's own name. Accepts "-w 5", "-w5", "-nw 5", "--wait 5", "--wait=5"; "--" ends the options and is
// dropped. With Operands::mixed the operands are moved behind the options within `arguments`.
[[nodiscard]] ParsedOptions parse_options(std::span<const OptionSpec> specs, std::span<char*> arguments, Operands operands);

// The lines of --help that list the options.
[[nodiscard]] std::string options_help(std::span<const OptionSpec> specs);

}  // namespace tenure::tools
