// What outsiders build on: a protocol in one class, its scaffolding, and the bridge to fuzzers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <vector>

#include <tenure/sim/fuzz.hpp>
#include <tenure/sim/sim.hpp>

namespace tenure::sim {
namespace {

// Two processes add to a counter, guarded or not.
class Adders : public Protocol {
 public:
  explicit Adders(bool guarded, const Config& config = {}) : Protocol(guarded ? "adders" : "adders-unguarded", config), guarded_(guarded) {}
  void setup(World& world) override {
    mutex_.reset();
    sum_.store(0);
    for (int i = 0; i < 2; ++i) start_process(world, [this] { add(); });
  }
  void check(World& world) override {
    if (world.threads_alive() == 0 && sum_.load() != 2) world.fail("sum", "an addition was lost");
  }

 private:
  void add() {
    if (guarded_) mutex_.lock();
    sum_.store(sum_.load() + 1);
    if (guarded_) mutex_.unlock();
  }
  bool guarded_;
  Mutex mutex_;
  Atomic<std::uint32_t> sum_;
};

// One waits until the other has said so.
class Notice : public Protocol {
 public:
  explicit Notice(bool notifies) : Protocol("notice"), notifies_(notifies) {}
  void setup(World& world) override {
    mutex_.reset();
    condition_.reset();
    said_.store(0);
    start_process(world, [this] { hear(); });
    start_process(world, [this] { say(); });
  }

 private:
  void hear() {
    mutex_.lock();
    while (said_.load() == 0) condition_.wait(mutex_);
    mutex_.unlock();
  }
  void say() {
    mutex_.lock();
    said_.store(1);
    if (notifies_) condition_.notify_all();
    mutex_.unlock();
  }
  bool notifies_;
  Mutex mutex_;
  Condition condition_;
  Atomic<std::uint32_t> said_;
};

TEST(Outsider, NameAndConfigAreThoseOfTheConstructor) {
  const Adders adders(true, {.kills_max = 3});
  EXPECT_EQ(adders.name(), "adders");
  EXPECT_EQ(adders.config().kills_max, 3u);
}

TEST(Outsider, TheMutexExcludesInEverySchedule) {
  Adders guarded(true);
  const Report report = Runner(guarded).exhaustive({.preemptions = 3});
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(report.failed()) << to_text(report);
  Adders bare(false);
  EXPECT_NE(Runner(bare).exhaustive({.preemptions = 3}).failure("sum"), nullptr);
}

TEST(Outsider, TheConditionWakesInEverySchedule) {
  Notice sound(true);
  const Report report = Runner(sound).exhaustive({.preemptions = 3});
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(report.failed()) << to_text(report);
  Notice silent(false);
  EXPECT_NE(Runner(silent).exhaustive({.preemptions = 3}).failure("hang"), nullptr);
}

using Counters = std::array<std::uint8_t, 4096>;

Verdict run(FuzzTarget& target, Counters& counters, const std::vector<std::uint8_t>& bytes) {
  counters.fill(0);
  return target.run(bytes);
}

TEST(Fuzz, TheBytesAreTheRunAndItsFeatures) {
  Counters counters{};
  FuzzTarget target(std::make_unique<Adders>(true, Config{.kills_max = 1}), counters);
  Random random(1);
  std::set<std::uint64_t> runs;
  std::set<Counters> features;
  for (int i = 0; i < 200; ++i) {
    std::vector<std::uint8_t> bytes(12);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    const std::uint64_t hash = run(target, counters, bytes).hash;
    const Counters seen = counters;
    EXPECT_EQ(run(target, counters, bytes).hash, hash);
    EXPECT_EQ(counters, seen);
    runs.insert(hash);
    features.insert(seen);
  }
  EXPECT_GT(runs.size(), 10u);
  EXPECT_GT(features.size(), 5u);
}

// A schedule without any meeting has no features; one in which two met on a word has.
TEST(Fuzz, MeetingsOnAWordAreFeatures) {
  const auto count = [](std::span<const TraceLine> trace) {
    Counters counters{};
    RunFeatures::count(trace, counters);
    return std::count_if(counters.begin(), counters.end(), [](std::uint8_t counter) { return counter != 0; });
  };
  const int word = 0;
  const int other_word = 0;
  TraceLine first{};
  first.op = Op::store;
  first.word = &word;
  TraceLine second = first;
  EXPECT_EQ(count(std::array{first, second}), 0);  // one thread alone
  second.thread = 1;
  EXPECT_EQ(count(std::array{first, second}), 1);
  second.word = &other_word;
  EXPECT_EQ(count(std::array{first, second}), 0);
}

TEST(FuzzDeathTest, AFailureIsToldWithItsTapeAndAborts) {
  FuzzTarget target(std::make_unique<Adders>(false), {});
  const std::vector<std::uint8_t> quiet;
  target.run_or_abort(quiet);
  Random random(1);
  std::vector<std::uint8_t> bytes(12);
  do {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  } while (!target.run(bytes).failed);
  EXPECT_DEATH(target.run_or_abort(bytes), "FAILED property=sum scenario=adders-unguarded repro: replay adders-unguarded --tape=");
}

}  // namespace
}  // namespace tenure::sim
