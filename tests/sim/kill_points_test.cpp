// Every step of the lease table's code that a process takes is one before which, and after which, some process was killed.
//
// Most places are met by chance. Where one is reached and nobody happens to die, the run is repeated with a kill right there.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include <tenure/sim/runner.hpp>
#include <tenure/sim/site_coverage.hpp>

#include "sim/table/scenarios.hpp"

namespace tenure::sim {
namespace {

constexpr std::string_view table_source = ".inl.hpp";

std::vector<SiteCoverage::Entry> missing(const SiteCoverage& coverage) {
  std::vector<SiteCoverage::Entry> entries = coverage.entries(table_source);
  std::erase_if(entries, [](const SiteCoverage::Entry& entry) { return entry.covered(); });
  return entries;
}

class Sites {
 public:
  // The run at `index`, and again with a kill at each place that it reached for the first time, or that is not covered yet.
  void run(Runner& runner, std::uint64_t index) {
    runner.world().cover(&coverage_);
    runner.tape().note_deviations(true);
    EXPECT_FALSE(runner.run_at(index).failed);
    const Plan plan{runner.tape().deviations(), 0};
    for (const SiteCoverage::Entry& entry : missing(coverage_)) {
      for (const std::uint32_t after : {0u, 1u}) {
        if ((after == 0 ? entry.killed_before : entry.killed_after) != 0) continue;
        Plan deadly = plan;
        deadly.deviations.push_back(
            {{entry.place.actor, entry.place.step + after}, Kind::fault, 0, static_cast<std::uint32_t>(Fault::kill)});
        EXPECT_FALSE(runner.run_plan(deadly).failed);
      }
    }
    runner.tape().note_deviations(false);
  }
  const SiteCoverage& coverage() const { return coverage_; }

 private:
  SiteCoverage coverage_;
};

// Scenarios whose properties hold under one more kill than they have.
bool stands_kills(std::string_view name) {
  return !name.starts_with("story") && name != "calm" && name != "siblings" && !name.starts_with("two-plain") && name != "three-plain";
}

TEST(KillPoints, AreAllReachedBeforeAndAfter) {
  Sites sites;
  std::size_t left = 1;
  constexpr std::uint64_t turns_max = 60;
  constexpr std::uint64_t runs_a_turn = 400;
  std::uint64_t runs = 0;
  for (std::uint64_t turn = 0; turn < turns_max && left != 0; ++turn) {
    for (const std::string_view name : table_scenario_names()) {
      if (!stands_kills(name)) continue;
      const std::unique_ptr<Scenario> scenario = make_table_scenario(name);
      Runner runner(*scenario);
      for (std::uint64_t i = 0; i < runs_a_turn; ++i, ++runs) sites.run(runner, turn * runs_a_turn + i);
    }
    left = missing(sites.coverage()).size();
  }
  const std::vector<SiteCoverage::Entry> entries = sites.coverage().entries(table_source);
  for (const SiteCoverage::Entry& entry : entries) {
    std::printf("%-48s reached %9llu  killed before %7llu  after %7llu\n", to_text(entry.site).c_str(),
                static_cast<unsigned long long>(entry.reached), static_cast<unsigned long long>(entry.killed_before),
                static_cast<unsigned long long>(entry.killed_after));
  }
  std::printf("%zu places, %zu of them not covered, %llu runs\n", entries.size(), left, static_cast<unsigned long long>(runs));
  EXPECT_EQ(left, 0u);
  EXPECT_GT(entries.size(), 100u);
}

}  // namespace
}  // namespace tenure::sim
