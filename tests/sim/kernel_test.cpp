// The simulated kernel: what a death does, in which order, and that every moment for it is reachable.
#include <gtest/gtest.h>

#include <set>
#include <utility>

#include <tenure/sim/runner.hpp>
#include "sim/table/sim_platform.hpp"
#include "tests/sim/script.hpp"

namespace tenure::sim {
namespace {

TEST(Kernel, ABellIsMarkedOneSleeperWakesAndTheByteComesFreeLater) {
  Script script;
  Atomic<std::uint32_t> bell;
  SimPlatform platform;
  bool byte_held_after_bell = false;
  bool byte_free_after_bell = false;
  script.build = [&](World& world) {
    bell.store(0);
    world.spawn(world.spawn_process(), [&] {
      ASSERT_EQ(platform.claim_byte(3), core::ByteClaim::claimed);
      ASSERT_TRUE(platform.arm_bell(bell));
      platform.wait({}, 50'000'000);
    });
    world.spawn(world.spawn_process(false), [&] {
      for (;;) {
        const std::uint32_t seen = bell.load();
        const bool never_armed = seen == 0 && !World::active()->alive(0);
        if ((seen & futex_owner_died) != 0 || never_armed) break;
        const core::Watch<SimPlatform> watch{&bell, seen};
        platform.wait({&watch, 1}, seen == 0 ? 1'000'000 : ~std::uint64_t{0});
      }
      (platform.byte_is_held(3) ? byte_held_after_bell : byte_free_after_bell) = true;
      while (platform.claim_byte(3) != core::ByteClaim::claimed) platform.wait({}, 1'000'000);
      World::active()->sometimes("claimed at last");
    });
  };
  script.settings.kills_max = 1;
  script.settings.memory = Memory::total_store_order;
  const Report report = Runner(script).explore({.runs_max = 5000});
  EXPECT_FALSE(report.failed()) << to_text(report);
  EXPECT_EQ(report.sometimes_count("claimed at last"), report.runs);
  EXPECT_TRUE(byte_held_after_bell);
  EXPECT_TRUE(byte_free_after_bell);
}

TEST(Kernel, EveryKillPointIsReachedBeforeAndAfterEachEffect) {
  Script script;
  Atomic<std::uint64_t> words[2];
  std::set<std::pair<std::uint64_t, std::uint64_t>> states;
  script.build = [&](World& world) {
    words[0].store(0);
    words[1].store(0);
    world.spawn(world.spawn_process(), [&] {
      words[0].store(1, std::memory_order_release);
      words[1].store(1, std::memory_order_release);
    });
  };
  script.at_end = [&](World&) { states.insert({words[0].ghost(), words[1].ghost()}); };
  const Report report = Runner(script).exhaustive({.preemptions = 0, .kills = 1});
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(states, (std::set<std::pair<std::uint64_t, std::uint64_t>>{{0, 0}, {1, 0}, {1, 1}}));
}

// Dekker's question: both threads store, then load the other's word. Only store buffers let both read 0, and a fence forbids it.
TEST(Kernel, StoreBuffersReorderAStoreWithALaterLoad) {
  const auto both_zero = [](Memory memory, bool fenced) {
    Script script;
    script.settings.memory = memory;
    Atomic<std::uint32_t> words[2];
    std::uint32_t read[2];
    bool seen = false;
    script.build = [&](World& world) {
      words[0].store(0);
      words[1].store(0);
      for (std::uint32_t i = 0; i < 2; ++i) {
        world.spawn(world.spawn_process(), [&words, &read, i, fenced] {
          words[i].store(1, std::memory_order_release);
          if (fenced) SimPlatform::fence();
          read[i] = words[1 - i].load(std::memory_order_acquire);
        });
      }
    };
    script.at_end = [&](World&) { seen |= read[0] == 0 && read[1] == 0; };
    EXPECT_TRUE(Runner(script).exhaustive({.preemptions = 3}).complete);
    return seen;
  };
  EXPECT_FALSE(both_zero(Memory::sequential, false));
  EXPECT_TRUE(both_zero(Memory::total_store_order, false));
  EXPECT_FALSE(both_zero(Memory::total_store_order, true));
}

TEST(Kernel, ASuccessorGetsTheNumberOfTheDead) {
  Script script;
  script.settings.kills_max = 1;
  std::uint32_t first_pid = 0;
  bool recurred = false;
  const auto work = [] { SimPlatform{}.wait({}, 1'000'000); };
  script.build = [&](World& world) {
    const ProcessId process = world.spawn_process();
    first_pid = world.pid(process);
    world.spawn(process, work);
    world.spawn(world.spawn_process(false), [&, process] {
      while (World::active()->alive(process)) SimPlatform{}.wait({}, 1'000'000);
      SimPlatform{}.wait({}, 1'000'000);
      const ProcessId next = World::active()->spawn_process();
      recurred |= World::active()->pid(next) == first_pid;
      World::active()->spawn(next, work);
    });
  };
  EXPECT_FALSE(Runner(script).explore({.runs_max = 200}).failed());
  EXPECT_TRUE(recurred);
}

TEST(Kernel, ATimerThatWasNeededIsCountedAndAnEndlessSleepIsAHang) {
  Script script;
  script.build = [](World& world) {
    world.spawn(world.spawn_process(), [] { EXPECT_EQ(SimPlatform{}.wait({}, 5'000'000'000), core::WaitResult::timed_out); });
  };
  EXPECT_EQ(Runner(script).explore({.runs_max = 1}).ticks, 1u);
  script.build = [](World& world) { world.spawn(world.spawn_process(), [] { SimPlatform{}.wait({}, ~std::uint64_t{0}); }); };
  EXPECT_NE(Runner(script).explore({.runs_max = 1}).failure("hang"), nullptr);
}

TEST(Kernel, ALoopWithoutProgressIsALivelock) {
  Script script;
  Atomic<std::uint32_t> word;
  script.build = [&](World& world) {
    world.spawn(world.spawn_process(), [&] {
      while (word.load() == 0) {
      }
    });
  };
  EXPECT_NE(Runner(script).explore({.runs_max = 1}).failure("livelock"), nullptr);
}

TEST(Kernel, PlantedRulesAreSeenByTheCodeUnderTest) {
  Script script;
  script.settings.horizon_steps = 1;  // else the runner measures first, without planted rules
  script.settings.planted = rule_bit(core::Rule::renew_by_cas);
  script.build = [](World& world) {
    world.spawn(world.spawn_process(), [] {
      EXPECT_TRUE(SimPlatform::breaks(core::Rule::renew_by_cas));
      EXPECT_FALSE(SimPlatform::breaks(core::Rule::owner_is_record));
    });
  };
  EXPECT_FALSE(Runner(script).explore({.runs_max = 1}).failed());
}

}  // namespace
}  // namespace tenure::sim
