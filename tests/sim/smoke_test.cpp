// The simulator on a lock of three states (free, locked, locked with sleepers): the sound one passes, the planted bugs are found by the
// property that names them, and every run is its seed and its tape.
#include <gtest/gtest.h>

#include <sstream>

#include <tenure/sim/oracle.hpp>
#include <tenure/sim/runner.hpp>
#include "sim/table/sim_platform.hpp"

namespace tenure::sim {
namespace {

enum class Bug { none, lock_by_store, sleep_without_mark, unlock_before_drain };

class ThreeStateLock : public Scenario {
 public:
  ThreeStateLock(std::uint32_t processes, Bug bug, Memory memory = Memory::sequential)
      : processes_(processes), bug_(bug), memory_(memory) {}

  std::string_view name() const override { return "three-state-lock"; }

  Config config() const override {
    Config config;
    config.memory = memory_;
    return config;
  }

  void setup(World& world) override {
    word_.store(0);
    data_.store(0);
    lease_.reset();
    world.name_word(&word_, "lock.word");
    world.name_word(&data_, "data");
    for (std::uint32_t i = 0; i < processes_; ++i) world.spawn(world.spawn_process(), [this] { work(*World::active()); });
  }

  void on_idle(World& world) override {
    if (!lease_.held(world)) world.fail("lost_wake", "all asleep, and the lock is free");
  }

  void check(World& world) override {
    if (data_.load() != 3 * processes_) world.fail("whole", "an update was lost");
  }

 private:
  void work(World& world) {
    for (int i = 0; i < 3; ++i) {
      world.begin_wait();
      lock();
      lease_.granted(world);
      world.sometimes("granted");
      data_.store(data_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      lease_.released(world);
      unlock();
    }
  }

  void lock() {
    std::uint32_t seen = 0;
    if (bug_ == Bug::lock_by_store) {
      if (word_.load(std::memory_order_acquire) == 0) return word_.store(1, std::memory_order_relaxed);
    } else if (word_.compare_exchange_strong(seen, 1)) {
      return;
    }
    const std::uint32_t taken = bug_ == Bug::sleep_without_mark ? 1 : 2;
    while (word_.exchange(taken) != 0) {
      const core::Watch<SimPlatform> watch{&word_, taken};
      platform_.wait({&watch, 1}, ~std::uint64_t{0});
    }
  }

  void unlock() {
    if (bug_ == Bug::unlock_before_drain) {
      if (word_.load(std::memory_order_relaxed) == 2) {
        word_.store(0, std::memory_order_release);
        platform_.wake(word_, 1);
      } else {
        word_.store(0, std::memory_order_release);
      }
      return;
    }
    if (word_.exchange(0) == 2) platform_.wake(word_, 1);
  }

  std::uint32_t processes_;
  Bug bug_;
  Memory memory_;
  SimPlatform platform_;
  Atomic<std::uint32_t> word_;
  Atomic<std::uint32_t> data_;
  LeaseOracle lease_;
};

Report explore(std::uint32_t processes, Bug bug, Memory memory = Memory::sequential) {
  ThreeStateLock scenario(processes, bug, memory);
  return Runner(scenario).explore({.runs_max = 20'000});
}

TEST(Smoke, SoundLockPassesUnderBothMemoryModels) {
  for (const Memory memory : {Memory::sequential, Memory::total_store_order}) {
    const Report report = explore(2, Bug::none, memory);
    EXPECT_FALSE(report.failed()) << to_text(report);
    EXPECT_EQ(report.sometimes_count("granted"), 6u * report.runs);
  }
}

TEST(Smoke, PlantedBugsAreFoundByTheirProperty) {
  EXPECT_NE(explore(2, Bug::lock_by_store).failure("exclusion"), nullptr);
  EXPECT_NE(explore(2, Bug::sleep_without_mark).failure("lost_wake"), nullptr);
  EXPECT_NE(explore(2, Bug::unlock_before_drain).failure("lost_wake"), nullptr);
}

TEST(Smoke, ExhaustiveSearchIsCompleteAndAgrees) {
  ThreeStateLock sound(2, Bug::none);
  const Report passed = Runner(sound).exhaustive({.preemptions = 2});
  EXPECT_TRUE(passed.complete);
  EXPECT_FALSE(passed.failed()) << to_text(passed);
  EXPECT_GT(passed.runs, 100u);

  ThreeStateLock broken(2, Bug::lock_by_store);
  const Report failed = Runner(broken).exhaustive({.preemptions = 2});
  ASSERT_NE(failed.failure("exclusion"), nullptr) << to_text(failed);
}

TEST(Smoke, ARunIsItsSeedAndItsTape) {
  ThreeStateLock scenario(4, Bug::none, Memory::total_store_order);
  Config config = scenario.config();
  config.kills_max = 2;
  config.pauses_max = 2;
  config.spurious_wakes_max = 2;
  Runner runner(scenario, config);
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const Verdict first = runner.run_at(seed);
    const std::vector<Decision> tape = runner.tape().decisions();
    EXPECT_EQ(runner.run_at(seed).hash, first.hash);
    EXPECT_EQ(runner.replay(tape).hash, first.hash);
    EXPECT_FALSE(runner.tape().diverged());
    EXPECT_EQ(runner.replay(*tape_from(to_text(tape))).hash, first.hash);
  }
}

TEST(Smoke, AFailureIsToldWithItsTrace) {
  ThreeStateLock scenario(2, Bug::lock_by_store);
  std::ostringstream told;
  Runner runner(scenario);
  runner.tell(&told);
  const Report report = runner.explore({.runs_max = 1000});
  ASSERT_TRUE(report.failed());
  EXPECT_EQ(told.str().rfind("FAILED property=exclusion scenario=three-state-lock horizon=", 0), 0u);
  EXPECT_NE(told.str().find("lock.word"), std::string::npos);
  EXPECT_EQ(told.str().find("REPLAY DIFFERS"), std::string::npos) << told.str();
}

}  // namespace
}  // namespace tenure::sim
