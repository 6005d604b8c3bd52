#include "sim/commands/options.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "sim/commands/exit_status.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

constexpr std::array specs{
    OptionSpec{Key::budget, "-b --budget", "D", "how long it may take: 30, 500ms, 2m, 1h"},
    OptionSpec{Key::runs, "-n --runs", "N", "at most so many runs of each target"},
    OptionSpec{Key::run_id, "-r --run", "ID", "this run: uniform:7, sticky:4, pct3:99, sweep:12@40"},
    OptionSpec{Key::engine, "-e --engine", "E", "one way to draw: uniform, sticky, pct2 to pct5, sweep"},
    OptionSpec{Key::tape, "--tape", "TEXT", "the run that this tape describes"},
    OptionSpec{Key::tape_file, "--tape-file", "FILE", "the same, from a file; - is standard input"},
    OptionSpec{Key::jobs, "-j --jobs", "N", "so many processes at once; by default one a processor"},
    OptionSpec{Key::keep_going, "-k --keep-going", "", "go on after a failure, until the budget is spent"},
    OptionSpec{Key::engines, "--engines", "", "for each engine, how many runs it needs"},
    OptionSpec{Key::trace, "-t --trace", "", "every step of the run, a line each"},
    OptionSpec{Key::output, "-o --output", "FILE", "write the tape to a file"},
    OptionSpec{Key::html, "--html", "FILE", "write the timeline as one page for a browser"},
    OptionSpec{Key::junit, "--junit", "FILE", "write the results as JUnit XML, for CI"},
    OptionSpec{Key::json, "--json", "", "write the results as JSON"},
    OptionSpec{Key::quiet, "-q --quiet", "", "no progress"},
    OptionSpec{Key::help, "-h --help", "", "this text"},
};

bool has_name(const OptionSpec& spec, std::string_view name) {
  for (std::string_view rest = spec.names; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == name) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

const OptionSpec* find_option(std::string_view name) {
  const auto* const found = std::ranges::find_if(specs, [name](const OptionSpec& spec) { return has_name(spec, name); });
  return found == specs.end() ? nullptr : &*found;
}

class Parser {
 public:
  explicit Parser(std::span<char* const> arguments) : arguments_(arguments) {}

  ParsedArguments parse() {
    bool dashes = false;
    while (next_ < arguments_.size() && parsed_.error.empty()) {
      const std::string_view argument = arguments_[next_++];
      if (dashes || argument.size() < 2 || argument[0] != '-') {
        parsed_.operands.emplace_back(argument);
      } else if (argument == "--") {
        dashes = true;
      } else {
        argument[1] == '-' ? read_long(argument) : read_letters(argument);
      }
    }
    return std::move(parsed_);
  }

 private:
  void read_long(std::string_view argument) {
    const std::size_t equals = argument.find('=');
    const std::string name(argument.substr(0, equals));
    const OptionSpec* spec = find_option(name);
    if (spec == nullptr) {
      parsed_.error = "there is no option " + clean(name);
    } else if (equals == std::string_view::npos) {
      take(*spec, name);
    } else if (spec->value.empty()) {
      parsed_.error = "option " + name + " takes no value";
    } else {
      parsed_.options.push_back({spec->key, name, std::string(argument.substr(equals + 1))});
    }
  }

  void read_letters(std::string_view argument) {
    for (std::size_t i = 1; i < argument.size() && parsed_.error.empty(); ++i) {
      const std::string name{'-', argument[i]};
      const OptionSpec* spec = find_option(name);
      if (spec == nullptr) {
        parsed_.error = "there is no option " + clean(name);
      } else if (!spec->value.empty() && i + 1 < argument.size()) {
        parsed_.options.push_back({spec->key, name, std::string(argument.substr(i + 1))});
        return;
      } else {
        take(*spec, name);
      }
    }
  }

  // An option whose value, if it has one, is the next argument.
  void take(const OptionSpec& spec, const std::string& name) {
    if (spec.value.empty()) {
      parsed_.options.push_back({spec.key, name, {}});
    } else if (next_ < arguments_.size()) {
      parsed_.options.push_back({spec.key, name, arguments_[next_++]});
    } else {
      parsed_.error = "option " + name + " needs a value: " + name + " " + std::string(spec.value);
    }
  }

  std::span<char* const> arguments_;
  std::size_t next_ = 0;
  ParsedArguments parsed_;
};

// Reads the values of options.
class Reader {
 public:
  WishesOrError read(const ParsedArguments& arguments) {
    result_.wishes.operands = arguments.operands;
    for (const GivenOption& option : arguments.options) {
      take(option);
      if (!result_.error.empty()) break;
    }
    return std::move(result_);
  }

 private:
  void refuse(const GivenOption& option, std::string_view what) {
    result_.error = option.name + " " + quoted(option.value) + ": " + std::string(what);
    result_.status = exit_usage;
  }

  std::optional<std::uint64_t> number(const GivenOption& option, std::uint64_t largest) {
    const std::optional<std::uint64_t> number = parse_number(option.value);
    if (number && *number >= 1 && *number <= largest) return number;
    refuse(option, "a number from 1 to " + std::to_string(largest) + " is wanted");
    return {};
  }

  void take_tape(const GivenOption& option, std::string text) {
    std::erase_if(text, [](char c) { return c == '\n' || c == '\r'; });
    result_.wishes.tape = tape_from(text);
    if (!result_.wishes.tape) refuse(option, "that is no tape; `shrink` prints one, and every failure of `hunt` names its run");
  }

  void read_tape_file(const GivenOption& option) {
    const bool is_file = option.value != "-";
    const int file = is_file ? open(option.value.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    std::string text;
    std::array<char, 4096> bytes{};
    ssize_t got = file < 0 ? -1 : 1;
    while (got > 0) {
      got = ::read(file, bytes.data(), bytes.size());
      if (got > 0) text.append(bytes.data(), static_cast<std::size_t>(got));
    }
    const int error = errno;
    if (is_file && file >= 0) close(file);
    if (got < 0) {
      refuse(option, std::string("cannot be read: ") + std::strerror(error));
      result_.status = exit_no_input;
      return;
    }
    take_tape(option, std::move(text));
    if (!result_.error.empty()) result_.status = exit_data;
  }

  void take(const GivenOption& option) {
    Wishes& wishes = result_.wishes;
    constexpr std::uint32_t jobs_max = 1024;
    switch (option.key) {
      case Key::runs: wishes.runs = number(option, ~std::uint64_t{0} >> 1); break;
      case Key::jobs: wishes.jobs = static_cast<std::uint32_t>(number(option, jobs_max).value_or(0)); break;
      case Key::budget:
        wishes.budget_seconds = parse_duration(option.value);
        if (!wishes.budget_seconds || *wishes.budget_seconds <= 0) refuse(option, "no duration; write 30, 500ms, 1.5s, 2m or 1h");
        break;
      case Key::run_id:
        wishes.run_id = run_id_from(option.value);
        if (!wishes.run_id) refuse(option, "no run; write uniform:7, sticky:4, pct3:99 or sweep:12@40");
        break;
      case Key::engine:
        wishes.engine = engine_from(option.value);
        if (!wishes.engine) refuse(option, "no engine; there are uniform, sticky, pct2 to pct5, and sweep");
        break;
      case Key::tape: take_tape(option, option.value); break;
      case Key::tape_file: read_tape_file(option); break;
      case Key::output: wishes.output_path = option.value; break;
      case Key::html: wishes.html_path = option.value; break;
      case Key::junit: wishes.junit_path = option.value; break;
      case Key::keep_going: wishes.keep_going = true; break;
      case Key::trace: wishes.trace = true; break;
      case Key::json: wishes.json = true; break;
      case Key::engines: wishes.engines = true; break;
      case Key::quiet: wishes.quiet = true; break;
      case Key::help: break;
    }
    const bool is_file = option.key == Key::output || option.key == Key::html || option.key == Key::junit;
    if (is_file && option.value.empty()) refuse(option, "a file is wanted");
  }

  WishesOrError result_;
};

}  // namespace

std::span<const OptionSpec> option_specs() { return specs; }

const OptionSpec& spec_of(Key key) { return *std::ranges::find(specs, key, &OptionSpec::key); }

bool ParsedArguments::has(Key key) const { return std::ranges::find(options, key, &GivenOption::key) != options.end(); }

ParsedArguments parse_arguments(std::span<char* const> arguments) { return Parser(arguments).parse(); }

WishesOrError wishes_from(const ParsedArguments& arguments) { return Reader().read(arguments); }

std::vector<RunId> all_engines() {
  std::vector<RunId> engines{{.engine = Engine::uniform}, {.engine = Engine::sticky}};
  for (std::uint8_t depth = 2; depth <= 5; ++depth) engines.push_back({.engine = Engine::pct, .depth = depth});
  engines.push_back({.engine = Engine::sweep});
  return engines;
}

std::string engine_name(const RunId& id) {
  switch (id.engine) {
    case Engine::uniform: return "uniform";
    case Engine::sticky: return "sticky";
    case Engine::pct: return "pct" + std::to_string(id.depth);
    case Engine::sweep: return "sweep";
  }
  return "?";
}

std::optional<RunId> engine_from(std::string_view text) {
  for (const RunId& engine : all_engines()) {
    if (engine_name(engine) == text) return engine;
  }
  return {};
}

std::string options_help(std::span<const Key> keys) {
  constexpr std::size_t help_column = 30;
  std::string text;
  for (const OptionSpec& spec : specs) {
    if (spec.key != Key::help && std::ranges::find(keys, spec.key) == keys.end()) continue;
    std::string line = "  " + std::string(spec.names);
    if (!spec.value.empty()) (line += ' ') += spec.value;
    line.append(line.size() < help_column ? help_column - line.size() : 1, ' ');
    text += line + std::string(spec.help) + '\n';
  }
  return text;
}

}  // namespace tenure::sim::commands
