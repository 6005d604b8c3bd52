// The lost wake-up of lost_wake.hpp in the simulator: found from a seed, and by its schedule.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <span>

#include "sim/catalogue/catalogue.hpp"
#include "sim/catalogue/robust_mutex.hpp"
#include "tests/sim/conformance.hpp"
#include "tests/sim/lost_wake.hpp"

namespace tenure::sim::conformance::lost_wake {
namespace {

class Simulated {
 public:
  Outcome play(Variant variant, protocols::Flaw flaw) {
    const Verdict verdict = host_.in_turns([&](World& world) { conduct(world, variant, flaw); });
    EXPECT_FALSE(verdict.failed) << verdict.property << ": " << verdict.detail;
    return outcome_;
  }

 private:
  void conduct(World& world, Variant variant, protocols::Flaw flaw) {
    outcome_ = {};
    mutex_.reset(flaw);
    mutex_.lock();
    const ProcessId b = world.spawn_process();
    world.spawn(b, [this] { pass(outcome_.b_passed); });
    settle();
    world.spawn(world.spawn_process(), [this] { pass(outcome_.d_passed); });
    settle();
    mutex_.unlock();
    if (variant.barges) mutex_.lock();
    if (variant.kills) world.send_kill(b);
    settle();
    if (variant.barges) mutex_.unlock();
    settle();
    outcome_.word = mutex_.word().ghost() & ~futex_waiters;  // the sound one leaves the bit
    const Outcome at_end = outcome_;
    world.futex_wake(mutex_.word().address(), 1);
    settle();
    outcome_ = at_end;
  }
  void pass(bool& passed) {
    mutex_.lock();
    mutex_.unlock();
    passed = true;
  }

  Conducted host_;
  protocols::RobustMutex mutex_;
  Outcome outcome_;
};

bool is_the_schedule(std::span<const TraceLine> trace) {
  const auto is_wake = [](const TraceLine& line) { return line.op == Op::wake && line.second == 1; };
  const auto kill = std::ranges::find(trace, Op::kill, &TraceLine::op);
  if (kill == trace.end()) return false;
  const auto wake = std::find_if(std::make_reverse_iterator(kill), std::make_reverse_iterator(trace.begin()), is_wake).base();  // behind it
  if (wake == trace.begin()) return false;
  const void* const mutex = std::prev(wake)->word;
  const auto of_victim = [&](const TraceLine& line) { return line.process == kill->first; };
  const auto last_own = std::find_if(std::make_reverse_iterator(wake), std::make_reverse_iterator(trace.begin()), of_victim);
  const bool victim_slept = last_own.base() != trace.begin() && last_own->op == Op::sleep && last_own->word == mutex;
  const auto barges = [&](const TraceLine& line) {
    return line.op == Op::cas && line.word == mutex && line.first == 0 && (line.second & futex_waiters) == 0;
  };
  const auto helps = [](const TraceLine& line) {
    return line.op == Op::resume || line.op == Op::kernel_wake || line.op == Op::kernel_mark;
  };
  return victim_slept && std::any_of(wake, kill, barges) && std::none_of(wake, trace.end(), helps);
}

TEST(LostWake, IsFoundBySeed) {
  const auto scenario = protocols::find_bug("woken-waiter-killed")->scenario(protocols::Variant::broken);
  Runner runner(*scenario);
  constexpr std::uint64_t seeds_max = 30'000;
  std::uint64_t failures = 0;
  for (std::uint64_t index = 0; index < seeds_max;) {
    const Report report = runner.explore({.runs_max = seeds_max, .first_index = index});
    ASSERT_TRUE(report.failed()) << "not found";
    const Failure& failure = report.failures.front();
    EXPECT_EQ(failure.property, "lost_wake");
    ++failures;
    index += failure.run;
    runner.replay(failure, true);
    if (!is_the_schedule(runner.world().trace())) continue;
    EXPECT_EQ(runner.run(*failure.id).hash, failure.hash);
    std::printf("lost wake-up: %s, failing run number %llu\n", to_text(*failure.id).c_str(), static_cast<unsigned long long>(failures));
    return;
  }
  ADD_FAILURE() << "no failing run was the schedule";
}

TEST(LostWake, TakesBothTheBargerAndTheKillInTheModel) {
  Simulated simulated;
  EXPECT_EQ(simulated.play(schedule, protocols::Flaw::forgets_waiters_on_unlock), lost);
  for (const Variant variant : controls) {
    EXPECT_EQ(simulated.play(variant, protocols::Flaw::forgets_waiters_on_unlock), well_after(variant));
  }
  EXPECT_EQ(simulated.play(schedule, protocols::Flaw::none), well_after(schedule));
}

}  // namespace
}  // namespace tenure::sim::conformance::lost_wake
