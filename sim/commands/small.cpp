#include "sim/commands/small.hpp"

#include "sim/commands/exit_status.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

// Without a run that is named, the first one that fails.
std::optional<Failure> first_failure(Stage& stage, double seconds_max) {
  Budget budget;
  budget.runs_max = ~std::uint64_t{0};
  budget.seconds_max = seconds_max;
  const Report report = stage.runner.explore(budget);
  if (!report.failed()) return {};
  return report.failures[0];
}

}  // namespace

std::optional<Small> small_run(const Program& program, const Command& command, const Wishes& wishes, int& status) {
  constexpr double search_seconds = 10;
  status = exit_usage;
  std::optional<Subject> subject = one_subject(program, command, wishes);
  if (!subject) return {};
  if (wishes.run_id && wishes.tape) {
    usage_error(program, command, "one run: --run or a tape");
    return {};
  }
  Small small{std::make_unique<Subject>(std::move(*subject)), {}, {}};
  small.stage = std::make_unique<Stage>(*small.subject);
  std::optional<Failure> failure;
  if (wishes.run_id) failure = failure_of(*small.stage, *wishes.run_id);
  if (wishes.tape) failure = failure_of(*small.stage, *wishes.tape);
  if (!failure) failure = first_failure(*small.stage, search_seconds);
  if (!failure || failure->property.empty()) {
    const std::string where = failure ? "this run of " : "no run within " + seconds_text(search_seconds) + " of ";
    complain(program.name, where + small.subject->name + (failure ? " does not fail" : " fails") +
                               "; look for one that does: " + program.name + " hunt " + shell_word(small.subject->name));
    status = exit_ok;
    return {};
  }
  ShrinkBudget budget;
  if (wishes.budget_seconds) budget = {~std::uint64_t{0}, *wishes.budget_seconds};
  small.finding = finding_of(program, *small.stage, *failure, budget);
  status = exit_failed;
  return small;
}

}  // namespace tenure::sim::commands
