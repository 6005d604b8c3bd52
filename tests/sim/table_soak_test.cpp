// The long hunt: millions of runs of every scenario of the table, from seeds that the daily share does not use.
#include <gtest/gtest.h>

#include <iostream>

#include <tenure/sim/runner.hpp>
#include "sim/table/scenarios.hpp"

namespace tenure::sim {
namespace {

class Soak : public testing::TestWithParam<std::string_view> {};

TEST_P(Soak, TablePasses) {
  const std::unique_ptr<Scenario> scenario = make_table_scenario(GetParam());
  ASSERT_NE(scenario, nullptr);
  Runner runner(*scenario);
  runner.tell(&std::cout);
  const Report report = runner.explore({.runs_max = 3'000'000, .seconds_max = 240, .first_index = 1'000'000'000});
  EXPECT_FALSE(report.failed());
  std::cout << to_text(report) << '\n';
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Soak, testing::ValuesIn(table_scenario_names().begin(), table_scenario_names().end()),
                         [](const auto& test) {
                           std::string name(test.param);
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// Three processes, one operation each: every schedule within the bounds.
TEST(ExhaustiveSoak, ThreeProcesses) {
  for (const Bounds bounds : {Bounds{.preemptions = 2, .kills = 0}, Bounds{.preemptions = 1, .kills = 1}}) {
    const std::unique_ptr<Scenario> scenario = make_table_scenario("three-plain");
    const Report report = Runner(*scenario).exhaustive(bounds);
    EXPECT_TRUE(report.complete);
    EXPECT_FALSE(report.failed());
    std::cout << to_text(report) << '\n';
  }
}

}  // namespace
}  // namespace tenure::sim
