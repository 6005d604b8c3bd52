// The same search with two operations each.
#include <gtest/gtest.h>

#include <iostream>

#include <tenure/sim/runner.hpp>

#include "sim/table/scenarios.hpp"

namespace tenure::sim {
namespace {

TEST(StatesSoak, OfTwoProcessesTwice) {
  for (const std::uint32_t kills : {0u, 1u, 2u}) {
    const std::unique_ptr<Scenario> scenario = make_table_scenario("two-plain-twice");
    Runner runner(*scenario);
    runner.tell(&std::cout);
    const Report report = runner.search_states(kills, {.runs_max = ~std::uint64_t{0}, .seconds_max = 1500});
    std::cout << kills << " kills: " << report.states << " distinct states, " << (report.complete ? "complete" : "NOT COMPLETE") << '\n';
    EXPECT_TRUE(report.complete);
    EXPECT_FALSE(report.failed());
  }
}

}  // namespace
}  // namespace tenure::sim
