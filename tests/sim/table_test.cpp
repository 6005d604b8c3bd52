// The sound table in every scenario: no property fails, and what the scenario is about did happen.
#include <gtest/gtest.h>

#include <iostream>
#include <sstream>
#include <vector>

#include <tenure/sim/runner.hpp>
#include "sim/table/scenarios.hpp"
#include "sim/table/sim_platform.hpp"

// Sanitizer builds are slower: they run this fraction of the seeds.
#ifndef TENURE_SIM_SCALE
#define TENURE_SIM_SCALE 1
#endif

namespace tenure::sim {
namespace {

struct Share {
  const char* scenario;
  std::uint64_t runs;
  std::vector<const char*> sometimes;  // must all have happened
};

void PrintTo(const Share& share, std::ostream* out) { *out << share.scenario; }

const Share shares[] = {
    {"strict", 60'000, {"served after a sleep", "timed out", "busy", "told that the last holder died", "a slot has a second owner"}},
    {"strict-tso", 60'000, {"served after a sleep", "told that the last holder died", "a session was closed", "no session is free"}},
    {"cancelled", 40'000, {"cancelled"}},
    {"queue", 60'000, {"served after a sleep", "timed out"}},
    {"queue-tso", 60'000, {"served after a sleep", "timed out"}},
    {"calm", 30'000, {"served after a sleep"}},
    {"threads", 20'000, {"served after a sleep", "told that the last holder died"}},
    {"one-bell", 30'000, {"told that the last holder died"}},
    {"stopped-head", 20'000, {"a stopped waiter was passed over"}},
    {"four", 60'000, {"served after a sleep", "timed out", "busy", "told that the last holder died", "a slot has a second owner"}},
    {"four-leased", 60'000, {"stolen after its deadline", "renewal refused", "release found it lost", "a stale write was refused"}},
    {"leased", 60'000, {"stolen after its deadline", "renewed", "renewal refused", "release found it lost"}},
    {"leased-tso", 60'000, {"stolen after its deadline", "renewed", "renewal refused", "told that the last holder died"}},
    {"one-record", 60'000, {"stolen after its deadline", "renewed", "renewal refused"}},
    {"siblings", 30'000, {"stolen after its deadline"}},
    {"broken", 40'000, {"broken", "release found it lost"}},
    {"sessions", 40'000, {"a sweep cleaned", "a slot has a second owner", "no session is free"}},
    {"descriptors", 40'000, {"a sweep cleaned", "a slot has a second owner"}},
    {"without-bells", 40'000, {"a sweep cleaned", "told that the last holder died"}},
    {"names", 20'000, {"a handle was stale", "granted"}},
    {"names-tso", 20'000, {"removed", "nothing to remove", "in use, not removed", "a handle was stale", "timed out"}},
    {"removed", 40'000, {"removed", "in use, not removed", "told that the last holder died"}},
    {"long-names", 15'000, {"removed", "a handle was stale"}},
    {"retired", 20'000, {"an entry was retired", "a handle was stale"}},
    {"wrapping", 10'000, {"a handle was stale"}},
    {"recreated", 15'000, {"removed", "granted"}},
    {"weak", 5'000, {"tokens are weak"}},
    {"trees", 60'000, {"told that the last holder died", "a stray ended by itself", "killed what was left of a run"}},
    {"trees-untagged", 40'000, {"told that the last holder died", "a stray ended by itself"}},
    {"trees-leased", 60'000, {"entered beside an overdue tree", "killed what was left of a run"}},
    {"trees-broken", 40'000, {"broken", "killed what was left of a run"}},
    {"trees-left", 40'000, {"told that the last holder died", "a sweep cleaned"}},
    {"strict-stale", 40'000, {"served after a sleep", "told that the last holder died", "a session was closed"}},
    {"one-bell-stale", 20'000, {"told that the last holder died"}},
    {"leased-stale", 40'000, {"stolen after its deadline", "renewed", "renewal refused", "release found it lost"}},
    {"sessions-stale", 40'000, {"a sweep cleaned", "a slot has a second owner", "no session is free"}},
    {"names-stale", 15'000, {"removed", "a handle was stale"}},
    {"trees-stale", 40'000, {"told that the last holder died", "killed what was left of a run"}},
    {"story-head-dies", 100, {"released"}},
    {"story-store-buffer", 100, {"timed out"}},
    {"story-dead-queue", 100, {"timed out"}},
    {"story-stranger", 100, {"a slot has a second owner"}},
    {"story-breaker", 100, {"release found it lost"}},
    {"story-flag", 100, {"told that the last holder died"}},
};

class Sound : public testing::TestWithParam<Share> {};

TEST_P(Sound, TablePasses) {
  const Share& share = GetParam();
  const std::unique_ptr<Scenario> scenario = make_table_scenario(share.scenario);
  ASSERT_NE(scenario, nullptr);
  Runner runner(*scenario);
  runner.tell(&std::cout);
  const Report report = runner.explore({.runs_max = share.runs / TENURE_SIM_SCALE + 1});
  EXPECT_FALSE(report.failed());
  std::cout << to_text(report) << '\n';
  const std::string_view name = share.scenario;
  const bool has_history = !name.starts_with("trees") && !name.ends_with("-stale");
  EXPECT_EQ(report.sometimes_count("history judged") != 0, has_history);
  EXPECT_LT(report.sometimes_count("history undecided"), report.runs / 100 + 1);
  if (TENURE_SIM_SCALE != 1) return;  // too few runs for the rare
  for (const char* what : share.sometimes) EXPECT_NE(report.sometimes_count(what), 0u) << what;
}

std::string test_name(std::string_view scenario) {
  std::string name(scenario);
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Sound, testing::ValuesIn(shares), [](const auto& test) { return test_name(test.param.scenario); });

struct Sight {
  const char* property;
  const char* scenario;
  core::Rule without;
  std::uint64_t runs_max;
};

void PrintTo(const Sight& sight, std::ostream* out) { *out << sight.property << " in " << sight.scenario; }

// What each of the named properties sees of a broken table by itself, where the oracle does not look.
const Sight sights[] = {
    {"linearizability", "leased", core::Rule::renew_fences, 20'000},
    {"linearizability", "leased", core::Rule::release_checks_owner, 5'000},
    {"linearizability", "strict", core::Rule::grant_raises_counter, 100},
    {"belief", "names", core::Rule::insert_under_group_lease, 10'000},
    {"fencing", "leased", core::Rule::grant_raises_counter, 5'000},
    {"fencing", "siblings", core::Rule::owner_is_record, 10'000},
    {"fencing", "removed", core::Rule::check_header_after_grant, 10'000},
    {"fairness", "calm", core::Rule::clear_then_rescan, 40'000},
    {"bounded_wake", "queue", core::Rule::clear_then_rescan, 40'000},
    {"bounded_wake", "queue-tso", core::Rule::poke_successor_on_leave, 40'000},
    {"belief", "leased", core::Rule::renew_by_cas, 40'000},
    {"recovery", "strict", core::Rule::head_takes_for_itself, 20'000},
};

class Sees : public testing::TestWithParam<Sight> {};

TEST_P(Sees, WhatIsBroken) {
  const Sight& sight = GetParam();
  const std::unique_ptr<Scenario> scenario = make_table_scenario(sight.scenario, {.oracle = false});
  ASSERT_NE(scenario, nullptr);
  Config config = scenario->config();
  config.planted = rule_bit(sight.without);
  const Report report = Runner(*scenario, config).explore({.runs_max = sight.runs_max, .wanted = sight.property});
  EXPECT_NE(report.failure(sight.property), nullptr) << to_text(report);
}

INSTANTIATE_TEST_SUITE_P(Properties, Sees, testing::ValuesIn(sights));

// A release wakes one; and without faults whoever sleeps wakes for little else.
TEST(Wakes, AreFew) {
  const std::unique_ptr<Scenario> scenario = make_table_scenario("calm");
  const Report report = Runner(*scenario).explore({.runs_max = 5'000});
  EXPECT_FALSE(report.failed());
  EXPECT_LT(report.sometimes_count("slept"), 2 * report.sometimes_count("served after a sleep"));
}

struct Space {
  const char* scenario;
  Bounds bounds;
  std::uint64_t runs_min;
};

void PrintTo(const Space& space, std::ostream* out) { *out << space.scenario; }

const Space spaces[] = {
    {"two-plain", {.preemptions = 3, .kills = 0}, 100'000},
    {"two-plain", {.preemptions = 2, .kills = 1}, 100'000},
    {"two-plain-tso", {.preemptions = 2, .kills = 0}, 10'000},
    {"two-plain-succeeded", {.preemptions = 1, .kills = 1}, 100'000},
};

class Exhaustive : public testing::TestWithParam<Space> {};

TEST_P(Exhaustive, TablePassesEveryScheduleWithinTheBounds) {
  Space space = GetParam();
  if (TENURE_SIM_SCALE != 1) space.bounds = {.preemptions = 1, .kills = 0};
  const std::unique_ptr<Scenario> scenario = make_table_scenario(space.scenario);
  Runner runner(*scenario);
  runner.tell(&std::cout);
  const Report report = runner.exhaustive(space.bounds);
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(report.failed());
  EXPECT_GT(report.runs, TENURE_SIM_SCALE == 1 ? space.runs_min : 10);
  std::cout << to_text(report) << '\n';
}

INSTANTIATE_TEST_SUITE_P(Spaces, Exhaustive, testing::ValuesIn(spaces), [](const auto& test) {
  return test_name(test.param.scenario) + "_" + std::to_string(test.param.bounds.preemptions) + "x" +
         std::to_string(test.param.bounds.kills);
});

// A failure prints its first line with all that is needed to see it again, and happens again byte for byte.
TEST(Replay, OfAFailingSeedIsTheSameRun) {
  const std::unique_ptr<Scenario> scenario = make_table_scenario("strict-tso");
  Config config = scenario->config();
  config.planted = rule_bit(core::Rule::clear_key_after_release);
  std::string told[2];
  for (std::string& text : told) {
    std::ostringstream out;
    Runner runner(*scenario, config);
    runner.tell(&out);
    const Report report = runner.explore({.runs_max = 5'000});
    ASSERT_TRUE(report.failed());
    const Failure& failure = report.failures.front();
    EXPECT_EQ(runner.run(*failure.id).hash, failure.hash);
    EXPECT_EQ(runner.replay(failure).hash, failure.hash);
    text = out.str();
  }
  EXPECT_EQ(told[0].rfind("FAILED property=", 0), 0u) << told[0].substr(0, 200);
  EXPECT_EQ(told[0].find("REPLAY DIFFERS"), std::string::npos);
  EXPECT_EQ(told[0], told[1]);
}

}  // namespace
}  // namespace tenure::sim
