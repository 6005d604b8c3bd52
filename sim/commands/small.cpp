#include "sim/commands/small.hpp"

#include <tenure/sim/crash_guard.hpp>
#include <tenure/sim/hunt.hpp>

#include "sim/commands/exit_status.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

// Without a run that is named, the first one that fails.
std::optional<Failure> first_failure(const Subject& subject, double seconds_max) {
  HuntOptions options;
  options.seconds_max = seconds_max;
  options.jobs = 1;  // so that it is always the same one
  const Report report = hunt(subject.target, options);
  if (!report.failed()) return {};
  return report.failures[0];
}

}  // namespace

std::optional<Small> small_run(const Program& program, const Command& command, const Wishes& wishes, int& status) {
  constexpr double search_seconds = 10;
  status = exit_usage;
  const std::optional<Subject> subject = one_subject(program, command, wishes);
  if (!subject) return {};
  if (wishes.run_id && wishes.tape) {
    usage_error(program, command, "one run: --run or a tape");
    return {};
  }
  Small small;
  std::optional<Failure> failure;
  if (!wishes.run_id && !wishes.tape) failure = first_failure(*subject, search_seconds);
  small.stage = std::make_unique<Stage>(*subject);
  const CrashGuard guard;
  if (wishes.run_id) failure = failure_of(*small.stage, *wishes.run_id);
  if (wishes.tape) failure = failure_of(*small.stage, *wishes.tape);
  if (!failure || failure->property.empty()) {
    const std::string where = failure ? "this run of " : "no run within " + seconds_text(search_seconds) + " of ";
    complain(program.name, where + subject->name + (failure ? " does not fail" : " fails") + "; look for one that does: " + program.name +
                               " hunt " + shell_word(subject->name));
    status = exit_ok;
    return {};
  }
  status = exit_failed;
  ShrinkBudget budget;
  if (wishes.budget_seconds) budget = {~std::uint64_t{0}, *wishes.budget_seconds};
  small.finding = finding_of(program, *small.stage, *failure, budget);
  if (!small.finding.shrunk) {
    complain(program.name, "a run that fails with " + quoted(failure->property) + " cannot be made small; see: " + small.finding.repro);
    return {};
  }
  return small;
}

}  // namespace tenure::sim::commands
