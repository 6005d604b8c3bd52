#include "tools/run_options.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "tools/text.hpp"

namespace tenure::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr nanoseconds margin_min = milliseconds(250);
constexpr nanoseconds max_margin_max = seconds(5);  // a day's run need not end an hour early
constexpr nanoseconds kill_after_default = seconds(10);

// What the options say, before it is known whether they go together.
struct Wishes {
  RunPlan& plan;
  std::optional<std::string> script;  // of -c
  std::optional<nanoseconds> kill_after;
};

// What takes the place of an option that is refused.
std::string refusal_of(const Option& option) {
  const std::string name(option.name);
  switch (option.key) {
    case descriptor_key:
      return name +
             ": tenure holds names, not descriptors. To hold one from a place in a script on: tenure hold -h; in a program: the library";
    case no_fork_key:
      return name +
             ": somebody must outlive the command to see that nothing of it is left; leave the option out, or hold the name by itself: "
             "tenure hold -h";
    default:
      return name +
             ": a name is let go when its command ends, or when the standard input of `tenure hold` does; to take one away, see: tenure "
             "show NAME";
  }
}

// Empty, or what is wrong.
std::string take_option(const Option& option, Wishes& wishes) {
  if (std::optional<std::string> error = take_hold_option(option, wishes.plan)) return *error;
  switch (option.key) {
    case shell_key: wishes.script = option.value; return {};
    case close_key: wishes.plan.close = true; return {};
    case kill_after_key: return read_duration(option, wishes.kill_after.emplace());
    default: return refusal_of(option);
  }
}

nanoseconds margin_of(nanoseconds time) { return std::max(margin_min, time / 20); }

std::string too_long(nanoseconds kill_after, const char* option, nanoseconds time, nanoseconds limit) {
  if (kill_after < limit) return {};
  return "--kill-after " + duration_text(kill_after) + " is too long for " + option + " " + duration_text(time) +
         ": it must be less than " + duration_text(limit);
}

// SIGTERM at the end - margin - kill_after must come after the grant, and after the renewal that is due at a third of the time to live.
std::string settle_times(Wishes& wishes) {
  RunPlan& plan = wishes.plan;
  nanoseconds kill_after = kill_after_default;
  for (const nanoseconds time : {plan.ttl, plan.hold_max}) {
    if (time.count() > 0) kill_after = std::min(kill_after, time / 3);
  }
  plan.kill_after = wishes.kill_after.value_or(kill_after);
  if (plan.ttl.count() > 0) {
    plan.ttl_margin = margin_of(plan.ttl);
    const nanoseconds limit = (plan.renew ? plan.ttl / 3 * 2 : plan.ttl) - plan.ttl_margin;
    if (std::string error = too_long(plan.kill_after, "--ttl", plan.ttl, limit); !error.empty()) return error;
  }
  if (plan.hold_max.count() == 0) return {};
  plan.max_margin = std::min(margin_of(plan.hold_max), max_margin_max);
  return too_long(plan.kill_after, "--max", plan.hold_max, plan.hold_max - plan.max_margin);
}

bool is_shell_option(std::string_view argument) { return argument == "-c" || argument == "--command"; }

// Behind NAME: COMMAND, or as in flock(1) -c STRING.
std::string take_command(std::span<char*> rest, Wishes& wishes) {
  if (!wishes.script && !rest.empty() && is_shell_option(rest[0])) {
    if (rest.size() < 2) return "option " + std::string(rest[0]) + " needs a value: " + std::string(rest[0]) + " STRING";
    wishes.script = rest[1];
    rest = rest.subspan(2);
  } else if (!rest.empty() && std::string_view(rest[0]) == "--") {
    rest = rest.subspan(1);
  }
  if (wishes.script) {
    if (!rest.empty()) return "-c STRING takes the place of a COMMAND, but there is also " + shell_word(clipped(rest[0]));
    const char* shell = std::getenv("SHELL");
    wishes.plan.command = {shell == nullptr || *shell == '\0' ? "/bin/sh" : shell, "-c", *wishes.script};
    return {};
  }
  if (rest.empty()) return "which COMMAND is to run while " + quoted(wishes.plan.name) + " is held?";
  wishes.plan.command.assign(rest.begin(), rest.end());
  return {};
}

std::string take_operands(std::span<char*> operands, Wishes& wishes) {
  if (operands.empty()) return wishes.script ? "which NAME?" : "which NAME, and which COMMAND?";
  wishes.plan.name = operands[0];
  return take_command(operands.subspan(1), wishes);
}

}  // namespace

RunArguments read_run_arguments(std::span<char*> arguments) {
  RunArguments read;
  Wishes wishes{read.plan, {}, {}};
  const ParsedOptions parsed = parse_options(run_specs, arguments, Operands::end_options);
  for (const Option& option : parsed.options) {
    if (option.key == help_key) read.help = true;
    if (option.key == version_key) read.version = true;
    if (read.help || read.version) return read;
    read.error = take_option(option, wishes);
    if (!read.error.empty()) return read;
  }
  read.error = parsed.error;
  if (read.error.empty()) read.error = take_operands(parsed.operands, wishes);
  if (read.error.empty()) read.error = settle_hold(read.plan);
  if (read.error.empty()) read.error = settle_times(wishes);
  return read;
}

}  // namespace tenure::tools
