#include <tenure/sim/crash_guard.hpp>

#include "sim/commands/exit_status.hpp"
#include "sim/commands/trace.hpp"

namespace tenure::sim::commands {

namespace {

int run(const Program& program, const Wishes& wishes) {
  const std::optional<Subject> subject = one_subject(program, replay_command, wishes);
  if (!subject) return exit_usage;
  if (wishes.run_id.has_value() == wishes.tape.has_value()) {
    return usage_error(program, replay_command, "which run? --run ID, or --tape TEXT, or --tape-file FILE");
  }
  Stage stage(*subject);
  const CrashGuard guard;
  const Failure failure = wishes.run_id ? failure_of(stage, *wishes.run_id) : failure_of(stage, *wishes.tape);
  return tell_run(program, stage, failure, {wishes.trace, wishes.json, wishes.html_path});
}

constexpr Key options[]{Key::run_id, Key::tape, Key::tape_file, Key::trace, Key::html, Key::json};

}  // namespace

const Command replay_command{
    "replay",
    "TARGET --run ID | --tape TEXT | --tape-file FILE",
    "shows a run again, exactly as it was",
    "Makes the run again and shows it: of a failing one the timeline, with --trace every step.\n",
    options,
    "replay stale-takeover-unlink --run pct3:99\nreplay stale-takeover-unlink --run pct3:99 --html failure.html\n",
    run,
};

}  // namespace tenure::sim::commands
