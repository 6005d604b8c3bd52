// All states that two processes on one name can come to, whatever the schedule, with a kill at every step and a second one in the recovery.
//
// A state is all that the future depends on: the segment, what every thread knows (its stack and registers), the kernel's part, the judges.
// Its number is a hash of 64 bits. Time stands still but for ticks. The stacks are the compiler's, so another one may count other states.
#include <gtest/gtest.h>

#include <iostream>

#include <tenure/sim/runner.hpp>

#include "sim/table/scenarios.hpp"
#include "sim/table/sim_platform.hpp"

#ifndef TENURE_SIM_SCALE
#define TENURE_SIM_SCALE 1
#endif

namespace tenure::sim {
namespace {

// Sanitizers fill stacks with what makes equal states differ, and keep the search from going back: with them it is a walk of some states.
constexpr bool searches_all = TENURE_SIM_SCALE == 1;
constexpr std::uint64_t runs_max = searches_all ? ~std::uint64_t{0} : 2'000;

TEST(States, OfTwoProcessesWithAKillAndAnotherOneInTheRecovery) {
  const std::unique_ptr<Scenario> scenario = make_table_scenario("two-plain");
  Runner runner(*scenario);
  runner.tell(&std::cout);
  const Report report = runner.search_states(2, {.runs_max = runs_max});
  std::cout << report.states << " distinct states, " << (report.complete ? "complete" : "NOT COMPLETE") << '\n' << to_text(report) << '\n';
  EXPECT_EQ(report.complete, searches_all);
  EXPECT_FALSE(report.failed());
  EXPECT_GT(report.states, searches_all ? 100'000u : 1'000u);
}

// A mistake is found among them.
TEST(States, ShowAMistake) {
  const std::unique_ptr<Scenario> scenario = make_table_scenario("two-plain");
  Config config = scenario->config();
  config.planted = rule_bit(core::Rule::clear_key_after_release);
  Runner runner(*scenario, config);
  const Report report = runner.search_states(0, {.runs_max = 100'000});
  EXPECT_TRUE(report.failed()) << to_text(report);
}

}  // namespace
}  // namespace tenure::sim
