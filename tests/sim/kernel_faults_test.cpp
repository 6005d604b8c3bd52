// What the simulated kernel does to the survivors: lingering bytes, a bell before the last stores, clocks that jump, and robust lists.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "sim/table/sim_platform.hpp"
#include "tests/sim/script.hpp"

namespace tenure::sim {
namespace {

constexpr std::uint64_t ms = 1'000'000;

void nap(std::uint64_t ns) { SimPlatform{}.wait({}, ns); }

// --- Bytes and bells ------------------------------------------------------------------------------------------------------------------

// How long after its owner's death a byte is still refused, in each run in which the owner was killed.
std::vector<std::uint64_t> refusals_ns(std::uint64_t linger_ns, std::uint64_t patience_ns) {
  Script script;
  std::vector<std::uint64_t> refusals;
  script.settings.kills_max = 1;
  script.settings.byte_linger_ns = linger_ns;
  script.build = [&](World& world) {
    const ProcessId owner = world.spawn_process();
    world.preset_byte(owner, 5);
    world.spawn(owner, [] { nap(10 * ms); });
  };
  script.at_death = [&](World& world, ProcessId) {
    const std::uint64_t died_ns = world.true_now();
    world.spawn(world.spawn_process(false), [&refusals, died_ns, patience_ns] {
      SimPlatform platform;
      while (platform.byte_is_held(5) && World::active()->true_now() < died_ns + patience_ns) nap(ms);
      const std::uint64_t refused_ns = World::active()->true_now() - died_ns;
      const bool free = platform.claim_byte(5) == core::ByteClaim::claimed;
      refusals.push_back(free ? refused_ns : never_ns);
    });
  };
  EXPECT_FALSE(Runner(script).explore({.runs_max = 500}).failed());
  EXPECT_FALSE(refusals.empty());
  return refusals;
}

TEST(KernelFaults, AByteMayLingerWithAChildOfTheDeadForItsTimeOnly) {
  constexpr std::uint64_t linger_ns = 50 * ms;
  bool at_once = false;
  bool lingered = false;
  for (const std::uint64_t refused_ns : refusals_ns(linger_ns, never_ns / 2)) {
    at_once |= refused_ns < 5 * ms;
    lingered |= refused_ns >= linger_ns;
    EXPECT_TRUE(refused_ns < 5 * ms || refused_ns >= linger_ns);
    EXPECT_LT(refused_ns, linger_ns + 5 * ms);
  }
  EXPECT_TRUE(at_once);
  EXPECT_TRUE(lingered);
}

TEST(KernelFaults, AByteMayLingerForEver) {
  const std::vector<std::uint64_t> refusals = refusals_ns(never_ns, 1000 * ms);
  EXPECT_NE(std::count(refusals.begin(), refusals.end(), never_ns), 0);
  EXPECT_NE(std::count(refusals.begin(), refusals.end(), never_ns), static_cast<std::ptrdiff_t>(refusals.size()));
}

TEST(KernelFaults, WithoutLingerNoByteOutlivesItsOwner) {
  for (const std::uint64_t refused_ns : refusals_ns(0, never_ns / 2)) EXPECT_LT(refused_ns, 5 * ms);
}

// Whether a store of the dead can show up after a survivor has seen its bell.
bool store_after_bell(bool bell_before_drain) {
  Script script;
  Atomic<std::uint32_t> bell;
  Atomic<std::uint32_t> word;
  bool seen = false;
  script.settings.memory = Memory::total_store_order;
  script.settings.bell_before_drain = bell_before_drain;
  script.settings.kills_max = 1;
  script.build = [&](World& world) {
    bell.store(0);
    word.store(0);
    const ProcessId victim = world.spawn_process();
    world.preset_bell(victim, bell.address());
    world.spawn(victim, [&] {
      word.store(1, std::memory_order_release);
      nap(2 * ms);
    });
    world.spawn(world.spawn_process(false), [&] {
      for (int i = 0; i < 8 && (bell.load() & futex_owner_died) == 0; ++i) nap(ms / 10);
      if ((bell.load() & futex_owner_died) == 0) return;
      const std::uint32_t first = word.load();
      nap(ms);
      seen |= word.load() != first;
    });
  };
  EXPECT_FALSE(Runner(script).explore({.runs_max = 40'000}).failed());
  return seen;
}

TEST(KernelFaults, TheBellRingsBeforeTheLastStoresOnlyWhereTheConfigurationSaysSo) {
  EXPECT_FALSE(store_after_bell(false));
  EXPECT_TRUE(store_after_bell(true));
}

// --- Clocks ---------------------------------------------------------------------------------------------------------------------------

TEST(KernelFaults, RealtimeJumpsBothWaysAndBoottimeNever) {
  Script script;
  script.settings.realtime_jumps_max = 1;
  std::uint64_t forward_ms = 0;
  std::uint64_t back_ms = 0;
  script.build = [&](World& world) {
    world.spawn(world.spawn_process(), [&] {
      SimPlatform platform;
      for (int i = 0; i < 4; ++i) {
        const std::uint64_t boot_ns = platform.boottime_ns();
        const std::uint64_t real_ms = platform.realtime_ms();
        nap(10 * ms);
        const std::uint64_t passed_ms = (platform.boottime_ns() - boot_ns) / ms;
        EXPECT_LE(passed_ms, 11u);
        const std::uint64_t later_ms = platform.realtime_ms();
        if (later_ms > real_ms + passed_ms + 1) forward_ms = std::max(forward_ms, later_ms - real_ms - passed_ms);
        if (later_ms < real_ms) back_ms = std::max(back_ms, real_ms - later_ms);
      }
    });
  };
  EXPECT_FALSE(Runner(script).explore({.runs_max = 2000}).failed());
  EXPECT_GT(forward_ms, script.settings.realtime_jump_ms_max / 2);
  EXPECT_GT(back_ms, script.settings.realtime_jump_ms_max / 2);
  EXPECT_LE(forward_ms, script.settings.realtime_jump_ms_max + 1);
  EXPECT_LE(back_ms, script.settings.realtime_jump_ms_max);
}

TEST(KernelFaults, RealtimeBeforeItsEpochReadsAsZero) {
  Script script;
  script.settings.realtime_jumps_max = 1;
  script.settings.realtime_start_ms = 1000;
  script.settings.realtime_jump_ms_max = 1'000'000;
  std::set<bool> zero;
  script.build = [&](World& world) {
    world.spawn(world.spawn_process(), [&] {
      nap(ms);
      const std::uint64_t real_ms = SimPlatform{}.realtime_ms();
      EXPECT_LT(real_ms, 2'000'000u);
      zero.insert(real_ms == 0);
    });
  };
  EXPECT_FALSE(Runner(script).explore({.runs_max = 500}).failed());
  EXPECT_EQ(zero, (std::set<bool>{false, true}));
}

// --- Robust lists ---------------------------------------------------------------------------------------------------------------------

struct Sleeper {
  std::uint32_t value;  // of the word, when the owner dies; `own` stands for the owner's number
  bool listed;
  bool pending;
  std::uint32_t after;  // of the word, after the walk
  std::uint32_t woken;  // of two sleepers
};
constexpr std::uint32_t own = 1;  // the first process has the first number
constexpr std::uint32_t other = 9;

// One process dies with each of the words in the given state, and two threads sleep on each.
void expect_walk(const std::vector<Sleeper>& cases) {
  Script script;
  Atomic<std::uint32_t> words[4];
  std::uint32_t woken[4] = {};
  ASSERT_LE(cases.size(), 4u);
  script.settings.kills_max = 1;
  std::uint64_t judged = 0;
  bool all_asleep = false;  // judged are the runs in which the owner died in its long nap, while everybody slept
  bool died_asleep = false;
  script.build = [&](World& world) {
    std::fill_n(woken, 4, 0u);
    all_asleep = died_asleep = false;
    world.spawn(world.spawn_process(), [&] {
      for (std::size_t i = 0; i < cases.size(); ++i) {
        if (cases[i].listed) World::active()->robust_add(words[i].address());
        if (cases[i].pending) World::active()->robust_pending(words[i].address());
      }
      nap(ms * 500);
    });
    ASSERT_EQ(world.pid(0), own);
    world.spawn(world.spawn_process(false), [&] {
      nap(20 * ms);
      all_asleep = true;
      for (int i = 0; i < 20; ++i) nap(ms);
    });
    for (std::size_t i = 0; i < cases.size(); ++i) {
      words[i].store(cases[i].value);
      for (int copy = 0; copy < 2; ++copy) {
        world.spawn(world.spawn_process(false), [&, i] {
          const core::Watch<SimPlatform> watch{&words[i], cases[i].value};
          if (SimPlatform{}.wait({&watch, 1}, 1000 * ms) == core::WaitResult::woken) ++woken[i];
        });
      }
    }
  };
  script.at_death = [&](World&, ProcessId) { died_asleep = all_asleep; };
  script.at_end = [&](World&) {
    if (!died_asleep) return;
    ++judged;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      EXPECT_EQ(words[i].ghost(), cases[i].after) << i;
      EXPECT_EQ(woken[i], cases[i].woken) << i;
    }
  };
  Runner runner(script);
  EXPECT_FALSE(runner.explore({.runs_max = 500}).failed());
  EXPECT_GT(judged, 50u);
}

TEST(KernelFaults, TheWalkMarksTheWordsOfTheDeadAndWakesOneWhereSomebodyMayWait) {
  expect_walk({
      {own | futex_waiters, true, false, futex_owner_died | futex_waiters, 1},
      {own, true, false, futex_owner_died, 0},
      {other | futex_waiters, true, false, other | futex_waiters, 0},
      {own | futex_waiters, false, false, own | futex_waiters, 0},
  });
}

TEST(KernelFaults, APendingWordOfTheDeadIsMarked) {
  expect_walk({{own | futex_waiters, false, true, futex_owner_died | futex_waiters, 1}});
  expect_walk({{own | futex_waiters, true, true, futex_owner_died | futex_waiters, 1}});
}

// Linux's rule, as lock-bugs 51 turns on it: the kernel wakes in the place of a dead unlocker only while the word has no owner.
TEST(KernelFaults, APendingWordWithoutAnOwnerWakesOneAndAnothersNobody) {
  expect_walk({{0, false, true, 0, 1}});
  expect_walk({{futex_waiters, false, true, futex_waiters, 1}});
  expect_walk({{other, false, true, other, 0}});
  expect_walk({{other | futex_waiters, false, true, other | futex_waiters, 0}});
}

}  // namespace
}  // namespace tenure::sim
