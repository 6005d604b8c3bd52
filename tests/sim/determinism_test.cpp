// One run, one trace: the same to the last byte twice over, and by whatever compiler, optimisation and sanitizer this file is built with.
// The check builds it with gcc and clang, with -O0 and -O3, and under the sanitizers; all of them compare with the one number below.
//
// A change of a scenario, of the table's code, or of the simulator changes the number. Then the test prints the new one: see it equal from
// two compilers before you write it here.
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include <tenure/sim/runner.hpp>
#include <tenure/sim/state_set.hpp>

#include "sim/catalogue/catalogue.hpp"
#include "sim/table/scenarios.hpp"

namespace tenure::sim {
namespace {

constexpr std::uint64_t recorded = 0xe6a743d66b0dd764;
constexpr std::uint64_t runs_of_scenario = 400;
constexpr std::uint64_t runs_of_bug = 40;

class Determinism : public testing::Test {
 protected:
  void run(Scenario& scenario, std::uint64_t runs) {
    Runner runner(scenario);
    for (std::uint64_t index = 0; index < runs; ++index, ++runs_) {
      const Verdict first = runner.run_at(index);
      const std::vector<Decision> tape = runner.tape().decisions();
      const Verdict again = runner.run_at(index);
      ASSERT_EQ(again.hash, first.hash) << scenario.name() << ' ' << index;
      ASSERT_EQ(runner.tape().decisions(), tape) << scenario.name() << ' ' << index;
      all_.add(first.hash);
      all_.add(first.steps);
      for (const Decision& decision : tape) all_.add(decision.choice);
    }
  }

  StateHash all_;
  std::uint64_t runs_ = 0;
};

TEST_F(Determinism, OfTenThousandRuns) {
  for (const std::string_view name : table_scenario_names()) {
    const std::unique_ptr<Scenario> scenario = make_table_scenario(name);
    run(*scenario, runs_of_scenario);
  }
  for (const protocols::Bug& bug : protocols::catalogue()) {
    const std::unique_ptr<Scenario> scenario = bug.scenario(protocols::Variant::broken);
    run(*scenario, runs_of_bug);
  }
  std::printf("%" PRIu64 " runs, twice each: %#" PRIx64 "\n", runs_, all_.value());
  EXPECT_GE(runs_, 10'000u);
  EXPECT_EQ(all_.value(), recorded);
}

}  // namespace
}  // namespace tenure::sim
