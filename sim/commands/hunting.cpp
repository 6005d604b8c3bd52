#include "sim/commands/hunting.hpp"

#include <algorithm>

namespace tenure::sim::commands {

namespace {

void add(Report& all, const Report& part) {
  for (const Failure& failure : part.failures) {
    const auto known = std::ranges::find(all.failures, failure.property, &Failure::property);
    if (known != all.failures.end()) {
      known->count += failure.count;
    } else {
      all.failures.push_back(failure);
      all.failures.back().run += all.runs;
    }
  }
  all.runs += part.runs;
  all.steps += part.steps;
  all.ticks += part.ticks;
  all.kills += part.kills;
  all.pauses += part.pauses;
  all.faults += part.faults;
  all.seconds += part.seconds;
  for (const auto& [what, count] : part.sometimes) {
    const auto known = std::ranges::find(all.sometimes, what, &std::pair<std::string, std::uint64_t>::first);
    known == all.sometimes.end() ? void(all.sometimes.emplace_back(what, count)) : void(known->second += count);
  }
}

}  // namespace

Report hunt_subject(const Subject& subject, const HuntOptions& options, const std::function<void(const HuntProgress&)>& progress) {
  constexpr double slice_seconds = 0.25;
  Stage stage(subject);
  Report all;
  while (all.runs < options.runs_max && all.seconds < options.seconds_max && !(options.stop_at_first && all.failed())) {
    Budget budget;
    budget.runs_max = options.runs_max - all.runs;
    budget.seconds_max = std::min(slice_seconds, options.seconds_max - all.seconds);
    budget.first_index = options.first_index + all.runs;
    budget.failures_max = options.stop_at_first ? 1 : ~std::uint64_t{0};
    budget.engine = options.engine;
    add(all, stage.runner.explore(budget));
    if (progress) progress({all.seconds, all.runs, all.steps, all.failures.size()});
  }
  return all;
}

Report hunt_property(Runner& runner, std::string_view property, const Budget& budget) {
  Report all;
  while (all.runs < budget.runs_max && all.seconds < budget.seconds_max && all.failure(property) == nullptr) {
    Budget left = budget;
    left.runs_max -= all.runs;
    left.seconds_max -= all.seconds;
    left.first_index += all.runs;
    left.failures_max = 1;
    add(all, runner.explore(left));
  }
  return all;
}

}  // namespace tenure::sim::commands
