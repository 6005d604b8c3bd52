// The options of the commands: one table for all of them, of which each command takes some.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/sim/tape.hpp>

namespace tenure::sim::commands {

enum class Key : std::uint8_t {
  runs,
  run_id,
  engine,
  budget,
  jobs,
  keep_going,
  trace,
  tape,
  tape_file,
  output,
  html,
  junit,
  json,
  engines,
  quiet,
  help
};

struct OptionSpec {
  Key key;
  std::string_view names;  // "-j --jobs"
  std::string_view value;  // what --help calls the value; empty: the option is a flag
  std::string_view help;   // one line
};
std::span<const OptionSpec> option_specs();
const OptionSpec& spec_of(Key key);

// What was asked for.
struct Wishes {
  std::vector<std::string> operands;
  std::optional<std::uint64_t> runs = {};
  std::optional<RunId> run_id = {};
  std::optional<RunId> engine = {};
  std::optional<double> budget_seconds = {};
  std::uint32_t jobs = 0;
  bool keep_going = false;
  bool trace = false;
  std::optional<std::vector<Decision>> tape = {};
  std::string output_path = {};
  std::string html_path = {};
  std::string junit_path = {};
  bool json = false;
  bool engines = false;
  bool quiet = false;
};

struct GivenOption {
  Key key;
  std::string name;  // as the user wrote it
  std::string value;
};

struct ParsedArguments {
  std::vector<GivenOption> options;
  std::vector<std::string> operands;
  std::string error;  // not empty: what is wrong

  bool has(Key key) const;
};

// Options may stand anywhere before "--". Accepts "-j 2", "-j2", "--jobs 2", "--jobs=2".
[[nodiscard]] ParsedArguments parse_arguments(std::span<char* const> arguments);

struct WishesOrError {
  Wishes wishes;
  std::string error = {};
  int status = 0;  // with which the program exits, if there is an error
};
// Reads the values.
[[nodiscard]] WishesOrError wishes_from(const ParsedArguments& arguments);

// "uniform", "sticky", "pct2" to "pct5", "sweep".
[[nodiscard]] std::optional<RunId> engine_from(std::string_view text);
[[nodiscard]] std::string engine_name(const RunId& id);
[[nodiscard]] std::vector<RunId> all_engines();

// The lines of --help that list these options.
[[nodiscard]] std::string options_help(std::span<const Key> keys);

}  // namespace tenure::sim::commands
