#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <tenure/version.hpp>

#include "tools/command.hpp"
#include "tools/run_plan.hpp"
#include "tools/space_access.hpp"
#include "tools/supervisor.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr nanoseconds ttl_min = seconds(1);
constexpr nanoseconds margin_min = milliseconds(250);
constexpr nanoseconds kill_after_default = seconds(10);

enum Key : int {
  key_nonblock,
  key_wait,
  key_conflict_status,
  key_exclusive,
  key_ttl,
  key_no_renew,
  key_kill_after,
  key_lost_status,
  key_label,
  key_verbose,
  key_quiet,
  key_version,
  key_later,
  key_shell,
  key_descriptor,
  key_no_fork,
  key_unlock,
};

constexpr std::array specs{
    OptionSpec{key_nonblock, "-n --nb --nonblock", "", "fail at once if the name is not free"},
    OptionSpec{key_wait, "-w --wait --timeout", "D", "wait at most so long; 0: as -n"},
    OptionSpec{key_conflict_status, "-E --conflict-exit-code", "N", "exit status if the name did not become free; 1"},
    OptionSpec{key_exclusive, "-x -e --exclusive", "", "one holder at a time; so it is anyway"},
    OptionSpec{key_ttl, "-t --ttl", "D", "leased: ends after so long without renewal; at least 1 s"},
    OptionSpec{key_no_renew, "--no-renew", "", "with --ttl: do not renew"},
    OptionSpec{key_kill_after, "--kill-after", "D", "from SIGTERM to SIGKILL; 10 s, with --ttl at most a third of it"},
    OptionSpec{key_lost_status, "--lost-exit-code", "N", "exit status if the lease was lost while the command ran; 79"},
    OptionSpec{key_label, "--label", "TEXT", "a note for whoever asks who holds the name"},
    space_option,
    OptionSpec{key_verbose, "-v --verbose", "", "say what it waits for, and how long it took"},
    OptionSpec{key_quiet, "-q --quiet", "", "say nothing"},
    help_option,
    OptionSpec{key_version, "--version", "", "the version"},
    OptionSpec{key_later, "-s --shared", "", ""},
    OptionSpec{key_later, "--permits", "N/M", ""},
    OptionSpec{key_later, "--with", "NAME", ""},
    OptionSpec{key_later, "--priority", "N", ""},
    OptionSpec{key_later, "--via", "URL", ""},
    OptionSpec{key_later, "-o --close", "", ""},
    OptionSpec{key_later, "--status-fd", "N", ""},
    OptionSpec{key_later, "--max", "D", ""},
    OptionSpec{key_later, "--min", "D", ""},
    OptionSpec{key_shell, "-c --command", "STRING", ""},
    OptionSpec{key_descriptor, "--fd", "N", ""},
    OptionSpec{key_no_fork, "-F --no-fork", "", ""},
    OptionSpec{key_unlock, "-u --unlock", "", ""},
};

// What the options say, before it is known whether they go together.
struct Wishes {
  RunPlan plan;
  std::optional<nanoseconds> kill_after;
  std::string_view space;
  bool help = false;
  bool version = false;
};

std::string no_duration(const Option& option) {
  return std::string(option.name) + " " + clean(option.value) + ": not a time. Seconds, as 2 or 0.5, or with a unit: 500ms, 1.5s, 2m, 1h";
}

std::string read_status(const Option& option, int& status) {
  const std::optional<std::uint64_t> number = parse_number(option.value);
  if (!number || *number > 255) return std::string(option.name) + " " + clean(option.value) + ": an exit status is a number from 0 to 255";
  status = static_cast<int>(*number);
  return {};
}

// What takes the place of an option that this version refuses.
std::string refusal_of(const Option& option) {
  const std::string name(option.name);
  switch (option.key) {
    case key_shell: return name + " is not available in this version; write: tenure run NAME sh -c 'STRING'";
    case key_descriptor: return name + ": tenure holds names, not descriptors; write: tenure run NAME COMMAND";
    case key_no_fork: return name + ": somebody must outlive the command to see that nothing of it is left; leave the option out";
    case key_unlock: return name + ": a name is let go when its command ends; to end one, see: tenure show NAME";
    default: return name + " is not available in this version";
  }
}

// Empty, or what is wrong.
std::string take_option(const Option& option, Wishes& wishes) {
  RunPlan& plan = wishes.plan;
  const auto read_duration = [&option](auto& duration) {
    const std::optional<nanoseconds> value = parse_duration(option.value);
    if (value) duration = *value;
    return value ? std::string() : no_duration(option);
  };
  switch (option.key) {
    case key_nonblock: plan.wait = nanoseconds(0); return {};
    case key_wait: return read_duration(plan.wait);
    case key_conflict_status: return read_status(option, plan.conflict_status);
    case key_exclusive: return {};
    case key_ttl: {
      std::string error = read_duration(plan.ttl);
      if (error.empty() && plan.ttl < ttl_min) error = std::string(option.name) + " " + clean(option.value) + ": at least 1 s";
      return error;
    }
    case key_no_renew: plan.renew = false; return {};
    case key_kill_after: return read_duration(wishes.kill_after);
    case key_lost_status: return read_status(option, plan.lost_status);
    case key_label: plan.label = option.value; return {};
    case space_key: wishes.space = option.value; return {};
    case key_verbose: plan.verbose = true; return {};
    case key_quiet: plan.quiet = true; return {};
    case help_key: wishes.help = true; return {};
    case key_version: wishes.version = true; return {};
    default: return refusal_of(option);
  }
}

// The leased rule: TERM at T - margin - kill_after must come after the renewal that is due at a third of the time to live.
std::string settle_times(Wishes& wishes) {
  RunPlan& plan = wishes.plan;
  const bool leased = plan.ttl.count() > 0;
  if (!leased && !plan.renew) return "--no-renew goes with --ttl";
  plan.kill_after = wishes.kill_after.value_or(leased ? std::min(kill_after_default, plan.ttl / 3) : kill_after_default);
  if (!leased) return {};
  plan.margin = std::max(margin_min, plan.ttl / 20);
  const nanoseconds kill_after_max = (plan.renew ? plan.ttl / 3 * 2 : plan.ttl) - plan.margin;
  if (plan.kill_after < kill_after_max) return {};
  return "--kill-after " + duration_text(plan.kill_after) + " is too long for --ttl " + duration_text(plan.ttl) +
         ": it must be less than " + duration_text(kill_after_max);
}

std::string read_arguments(std::span<char*> arguments, Wishes& wishes) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::end_options);
  for (const Option& option : parsed.options) {
    if (std::string error = take_option(option, wishes); !error.empty()) return error;
    if (wishes.help || wishes.version) return {};
  }
  if (!parsed.error.empty()) return parsed.error;
  std::span<char*> rest = parsed.operands;
  if (rest.empty()) return "which NAME, and which COMMAND?";
  wishes.plan.name = rest[0];
  rest = rest.subspan(1);
  if (!rest.empty() && std::strcmp(rest[0], "--") == 0) rest = rest.subspan(1);
  if (rest.empty()) return "which COMMAND is to run while " + quoted(wishes.plan.name) + " is held?";
  wishes.plan.command.assign(rest.begin(), rest.end());
  wishes.plan.space = chosen_space(wishes.space);
  return settle_times(wishes);
}

// The arguments lie one behind the other, as the kernel has put them, from the program's own name on.
ArgumentArea area_of(std::span<char*> arguments) {
  char* const first = program_invocation_name;
  char* const last = arguments.back();
  return {first, static_cast<std::size_t>(last + std::strlen(last) + 1 - first)};
}

int run(std::span<char*> arguments) {
  Wishes wishes;
  if (const std::string error = read_arguments(arguments, wishes); !error.empty()) return usage_error(run_command, error);
  if (wishes.help) return print_help(run_command);
  if (wishes.version) return print(std::string("tenure ") + version() + "\n") ? exit_ok : exit_system;
  return supervise(wishes.plan, area_of(arguments));
}

}  // namespace

const Command run_command{
    "run",
    "[options] NAME [--] COMMAND [ARG...]",
    "runs COMMAND while it holds NAME",
    "Waits until NAME is free, holds it, and runs COMMAND. Whatever ends the command or this program, kill -9 included, nothing that the\n"
    "command has started outlives the hold: it gets SIGTERM, and later SIGKILL, before the next holder is let in.\n"
    "The command finds TENURE_NAME, TENURE_TOKEN and TENURE_SPACE in its environment, and TENURE_ABANDONED=1 if the holder before it "
    "died.\n"
    "The exit status is the command's own; 1 (-E) if the name was not free; 79 (--lost-exit-code) if the lease was lost; others: tenure "
    "help.\n",
    specs,
    run,
};

}  // namespace tenure::tools
