#include <tenure/sim/crash_guard.hpp>
#include <tenure/sim/hunt.hpp>

#include "sim/commands/exit_status.hpp"
#include "sim/commands/outcome.hpp"
#include "sim/commands/text.hpp"
#include "sim/commands/trace.hpp"

namespace tenure::sim::commands {

namespace {

constexpr std::uint64_t runs_by_default = 1000;

int tell(const Wishes& wishes, const Outcome& outcome) {
  const int status = outcome.report.failed() ? exit_failed : exit_ok;
  if (wishes.json) {
    JsonWriter json;
    write_json(json, outcome);
    return print(json.text() + "\n") ? status : exit_system;
  }
  std::string text = report_text(outcome);
  for (const Finding& finding : outcome.findings) text += finding_text(outcome, finding);
  return print(text) ? status : exit_system;
}

int run_one(const Program& program, const Wishes& wishes, const Subject& subject) {
  Stage stage(subject);
  const CrashGuard guard;
  const Failure failure = failure_of(stage, *wishes.run_id);
  return tell_run(program, stage, failure, {.trace = wishes.trace, .json = wishes.json});
}

int run(const Program& program, const Wishes& wishes) {
  const std::optional<Subject> subject = one_subject(program, run_command, wishes);
  if (!subject) return exit_usage;
  if (wishes.run_id) {
    if (wishes.runs || wishes.engine) return usage_error(program, run_command, "--run names one run; leave --runs and --engine out");
    return run_one(program, wishes, *subject);
  }
  if (wishes.trace) return usage_error(program, run_command, "--trace shows one run: name it with --run");
  HuntOptions options;
  options.runs_max = wishes.runs.value_or(runs_by_default);
  options.seconds_max = 1e9;
  options.jobs = 1;  // so that the first failure is always the same one
  options.engine = wishes.engine;
  return tell(wishes, outcome_of(program, *subject, hunt(subject->target, options)));
}

constexpr Key options[]{Key::runs, Key::run_id, Key::engine, Key::trace, Key::json};

}  // namespace

const Command run_command{
    "run",
    "TARGET [options]",
    "makes some runs of one target, or a certain one",
    "Makes the first N runs (1000) of the list that `hunt` goes through, always the same ones, or the one run that --run\n"
    "names. Ends at the first failure.\n",
    options,
    "run strict --runs 10000\nrun strict --run pct3:99 --trace\n",
    run,
};

}  // namespace tenure::sim::commands
