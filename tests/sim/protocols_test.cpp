// The catalogue of lock bugs: each broken protocol is found, by its own property, and replays to the byte; its sound twin stays clean.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <sstream>
#include <string>

#include <tenure/sim/runner.hpp>
#include "sim/catalogue/catalogue.hpp"

// Sanitizer builds are slower: they run this fraction of the sound twins' seeds.
#ifndef TENURE_SIM_SCALE
#define TENURE_SIM_SCALE 1
#endif

namespace tenure::sim::protocols {
namespace {

constexpr std::uint64_t seeds_max = 200'000;
constexpr std::uint64_t sound_factor = 100;
constexpr std::uint64_t sound_runs_min = 50'000;
constexpr std::uint64_t harsh_runs = 20'000;

std::string printed(Runner& runner, const Failure& failure) {
  std::ostringstream out;
  runner.print(out, failure);
  return out.str();
}

bool is_table_rule(const Bug& bug) { return bug.rows == "T"; }

class Protocols : public testing::TestWithParam<const Bug*> {};

TEST_P(Protocols, TheBrokenOneIsFoundAndReplaysAndTheSoundOneIsClean) {
  const Bug& bug = *GetParam();
  const auto broken = bug.scenario(Variant::broken);
  Runner runner(*broken);
  const Report found = runner.explore({.runs_max = seeds_max, .wanted = bug.property});
  ASSERT_NE(found.failure(bug.property), nullptr) << to_text(found);
  const Failure& failure = *found.failure(bug.property);
  // What breaks in the lease table may show as damage first.
  if (!is_table_rule(bug)) {
    EXPECT_EQ(found.failures.front().property, bug.property) << found.failures.front().detail;
  }

  const Verdict again = runner.run(*failure.id);
  EXPECT_EQ(again.hash, failure.hash);
  EXPECT_EQ(again.property, failure.property);
  EXPECT_EQ(runner.tape().decisions().size(), failure.tape.size());
  EXPECT_EQ(runner.replay(failure).hash, failure.hash);
  EXPECT_FALSE(runner.tape().diverged());
  EXPECT_EQ(runner.replay(*tape_from(to_text(failure.tape))).hash, failure.hash);
  const std::string trace = printed(runner, failure);
  EXPECT_EQ(trace.find("REPLAY DIFFERS"), std::string::npos) << trace;
  EXPECT_EQ(trace, printed(runner, failure));

  const auto sound = bug.scenario(Variant::sound);
  // The sound table is judged elsewhere, at length: table_test.cpp.
  const std::uint64_t all_runs = is_table_rule(bug) ? failure.run : std::max(sound_factor * failure.run, sound_runs_min);
  const std::uint64_t sound_runs = all_runs / TENURE_SIM_SCALE + 1;
  const Report clean = Runner(*sound).explore({.runs_max = sound_runs});
  EXPECT_FALSE(clean.failed()) << to_text(clean);
  std::printf("%-36s %-10s found in run %-6llu sound twin: %llu runs\n", std::string(bug.id).c_str(), failure.property.c_str(),
              static_cast<unsigned long long>(failure.run), static_cast<unsigned long long>(clean.runs));
}

class SoundProtocols : public Protocols {};

// More faults than the bug needs, under both memory models.
TEST_P(SoundProtocols, StandHarsherFaults) {
  const auto sound = GetParam()->scenario(Variant::sound);
  for (const Memory memory : {Memory::sequential, Memory::total_store_order}) {
    Config config = sound->config();
    config.memory = memory;
    config.kills_max = 2;
    config.pauses_max = 1;
    config.spurious_wakes_max = 2;
    const Report report = Runner(*sound, config).explore({.runs_max = harsh_runs / TENURE_SIM_SCALE});
    EXPECT_FALSE(report.failed()) << to_text(report);
  }
}

std::vector<const Bug*> all_bugs() {
  std::vector<const Bug*> bugs;
  for (const Bug& bug : catalogue()) bugs.push_back(&bug);
  return bugs;
}

std::string test_name(const testing::TestParamInfo<const Bug*>& info) {
  std::string name(info.param->id);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Of the others the remedy is for no more faults than their rows have.
std::vector<const Bug*> harsh_bugs() {
  std::vector<const Bug*> bugs = all_bugs();
  std::erase_if(bugs, [](const Bug* bug) { return !bug->harsh; });
  return bugs;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Protocols, testing::ValuesIn(all_bugs()), test_name);
INSTANTIATE_TEST_SUITE_P(Catalogue, SoundProtocols, testing::ValuesIn(harsh_bugs()), test_name);

TEST(Catalogue, CoversItsRowsUnderUniqueNames) {
  std::set<std::string_view> ids;
  std::set<std::string_view> rows;
  for (const Bug& bug : catalogue()) {
    EXPECT_TRUE(ids.insert(bug.id).second) << bug.id;
    rows.insert(bug.rows);
    EXPECT_FALSE(bug.source.empty() || bug.summary.empty()) << bug.id;
    EXPECT_EQ(find_bug(bug.id), &bug);
  }
  const std::set<std::string_view> wanted{"1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11", "12", "13", "14",
                                          "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28",
                                          "29", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39", "40", "41", "42",
                                          "43", "44", "45", "46", "47", "48", "49", "50", "51", "52", "53", "54", "55", "56",
                                          "57", "58", "59", "72", "P",  "S1", "S2", "S3", "S4", "T",  "U",  "F1", "F2"};
  EXPECT_EQ(rows, wanted);
  EXPECT_EQ(find_bug("no-such-bug"), nullptr);
}

// Row 51 by its schedule: an unlock wakes one of the sleepers, a barger takes the mutex without WAITERS, the one that was woken is killed
// before it has run, the kernel wakes nobody in its place, and the barger's unlock wakes nobody either.
bool is_schedule_of_51(std::span<const TraceLine> trace) {
  const auto last = [](auto from, auto to, auto matches) {
    return std::find_if(std::make_reverse_iterator(to), std::make_reverse_iterator(from), matches).base();
  };
  const auto wake = last(trace.begin(), trace.end(), [](const TraceLine& l) { return l.op == Op::wake && l.second == 1; });
  if (wake == trace.begin()) return false;
  const auto kill = std::find_if(wake, trace.end(), [](const TraceLine& l) { return l.op == Op::kill; });
  if (kill == trace.end()) return false;
  const auto own = last(trace.begin(), kill, [&](const TraceLine& l) { return l.process == kill->first && l.op != Op::kill; });
  const bool never_ran = own != trace.begin() && own < wake && std::prev(own)->op == Op::sleep;
  const bool barged = std::any_of(wake, trace.end(), [&](const TraceLine& l) {
    return l.op == Op::cas && l.word == std::prev(wake)->word && l.first == 0 && (l.second & futex_waiters) == 0;
  });
  const bool helped = std::any_of(
      wake, trace.end(), [](const TraceLine& l) { return l.op == Op::resume || l.op == Op::kernel_wake || l.op == Op::kernel_mark; });
  return never_ran && barged && !helped;
}

TEST(Catalogue, FindsTheLostWakeUpOfRobustMutexesByItsSchedule) {
  const auto scenario = find_bug("woken-waiter-killed")->scenario(Variant::broken);
  Runner runner(*scenario);
  std::uint64_t found = 0;
  for (std::uint64_t index = 0; index < seeds_max && found == 0;) {
    const Report report = runner.explore({.runs_max = seeds_max, .first_index = index});
    ASSERT_TRUE(report.failed());
    index += report.failures.front().run;
    runner.replay(report.failures.front(), true);
    if (is_schedule_of_51(runner.world().trace())) found = index;
  }
  EXPECT_NE(found, 0u);
  std::printf("schedule of row 51: run %llu\n", static_cast<unsigned long long>(found));
}

}  // namespace
}  // namespace tenure::sim::protocols
