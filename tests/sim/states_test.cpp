// All states that two processes on one name can come to, whatever the schedule, with a kill at every step and a second one in the recovery.
//
// A state is all that the future depends on: the segment, what every thread knows (its stack and registers), the kernel's part, the judges.
// Its number is a hash of 64 bits. Time stands still but for ticks. The stacks are the compiler's, so another one may count other states.
#include <gtest/gtest.h>

#include <iostream>

#include <tenure/sim/runner.hpp>

#include "sim/table/scenarios.hpp"
#include "sim/table/sim_platform.hpp"

// Sanitizers fill stacks with what makes equal states differ.
#ifndef TENURE_SIM_SCALE
#define TENURE_SIM_SCALE 1
#endif

namespace tenure::sim {
namespace {

Report search(std::string_view name, std::uint32_t kills) {
  const std::unique_ptr<Scenario> scenario = make_table_scenario(name);
  Runner runner(*scenario);
  runner.tell(&std::cout);
  Report report = runner.search_states(TENURE_SIM_SCALE == 1 ? kills : 0);
  std::cout << name << ", " << kills << " kills: " << report.states << " distinct states, "
            << (report.complete ? "complete" : "NOT COMPLETE") << '\n'
            << to_text(report) << '\n';
  return report;
}

TEST(States, OfTwoProcessesWithAKillAndAnotherOneInTheRecovery) {
  const Report report = search("two-plain", 2);
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(report.failed());
  EXPECT_GT(report.states, 100'000u);
}

// A mistake is found among them.
TEST(States, ShowAMistake) {
  const std::unique_ptr<Scenario> scenario = make_table_scenario("two-plain");
  Config config = scenario->config();
  config.planted = rule_bit(core::Rule::clear_key_after_release);
  Runner runner(*scenario, config);
  const Report report = runner.search_states(0);
  EXPECT_TRUE(report.failed()) << to_text(report);
}

}  // namespace
}  // namespace tenure::sim
