// The same search with two operations each. Some five minutes and 2 GiB.
#include <gtest/gtest.h>

#include <iostream>

#include <tenure/sim/runner.hpp>

#include "sim/table/scenarios.hpp"

namespace tenure::sim {
namespace {

TEST(StatesSoak, OfTwoProcessesTwiceWithAKillAndAnotherOneInTheRecovery) {
  const std::unique_ptr<Scenario> scenario = make_table_scenario("two-plain-twice");
  Runner runner(*scenario);
  runner.tell(&std::cout);
  const Report report = runner.search_states(2);
  std::cout << report.states << " distinct states, " << (report.complete ? "complete" : "NOT COMPLETE") << '\n' << to_text(report) << '\n';
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(report.failed());
  EXPECT_GT(report.states, 1'000'000u);
}

}  // namespace
}  // namespace tenure::sim
