// Futexes: small scripts of sleepers, stores, wakes, deaths and time-outs, on the simulated kernel and on the real one.
//
// A script goes in bursts. Within a burst no sleeper runs: it may be woken, dead or out of time without knowing it yet, which is where
// wake-ups get lost. On the simulated host the conductor just goes on; on the real one it is a thread of real-time priority on the only
// processor, and the number of times that each sleeper was put on it shows that none was. A burst that was disturbed, or in which a
// time-out came at another place than the script's, is no case: it is played again. Where real-time priority is forbidden, each burst is of
// one action.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tenure/sim/atomic.hpp>
#include "tests/sim/conformance.hpp"
#include "tests/sim/futex_case.hpp"
#include "tests/sim/real_kernel.hpp"

namespace tenure::sim::conformance::futexes {
namespace {

// --- On the simulated kernel
// --------------------------------------------------------------------------------------------------------------

class Simulated {
 public:
  Outcome play_in_turns(const Case& c) {
    judge(host_.in_turns([&](World& world) { conduct(world, c); }));
    return outcome_;
  }
  Outcome play_by_seed(const Case& c, std::uint64_t of_run) {
    judge(host_.by_seed(of_run, [&](World& world) { conduct(world, c); }));
    return outcome_;
  }

 private:
  static constexpr std::uint64_t time_out_ns = 1'000'000'000;

  static void judge(const Verdict& verdict) { EXPECT_FALSE(verdict.failed) << verdict.property << ": " << verdict.detail; }

  void conduct(World& world, const Case& c) {
    outcome_ = {};
    began_ns_ = world.true_now();
    for (std::size_t i = 0; i < words_max; ++i) words_[i].store(c.initial[i]);
    for (std::uint32_t i = 0; i < c.actions.size(); ++i) {
      act(world, c, c.actions[i]);
      if (!c.actions[i].settles) continue;
      settle();
      for (std::size_t s = 0; s < sleepers_max; ++s) {
        if (is_over(outcome_.ends[s]) && outcome_.seen_after[s] == 0) outcome_.seen_after[s] = i + 1;
      }
    }
    const Outcome at_end = outcome_;
    for (Atomic<std::uint32_t>& word : words_) world.futex_wake(word.address(), all);
    settle();
    outcome_ = at_end;
  }

  void act(World& world, const Case& c, const Action& action) {
    switch (action.what) {
      case Action::What::start: start(world, c, action); break;
      case Action::What::store: words_[action.target].store(action.number); break;
      case Action::What::wake: outcome_.wakes.push_back(world.futex_wake(words_[action.target].address(), action.number)); break;
      case Action::What::kill:
        world.send_kill(processes_[action.target]);
        if (outcome_.ends[action.target] == End::asleep) outcome_.ends[action.target] = End::killed;
        break;
      case Action::What::time_out:
        if (outcome_.ends[action.target] != End::asleep) break;
        while (world.read_boottime_ns() <= deadlines_ns_[action.target]) {
        }
    }
  }

  void start(World& world, const Case& c, const Action& action) {
    const std::uint32_t id = action.target;
    std::size_t count = 0;
    for (const Watched& watched : c.sleepers[id]) watches_[id][count++] = {words_[watched.word].address(), watched.expected};
    deadlines_ns_[id] = began_ns_ + action.deadline * time_out_ns;
    const std::uint64_t timeout_ns = action.deadline == 0 ? never_ns : deadlines_ns_[id] - world.true_now();
    processes_[id] = world.spawn_process();
    outcome_.ends[id] = End::asleep;
    world.spawn(processes_[id], [this, id, count, timeout_ns] {
      const Wakeup wakeup = World::active()->futex_wait({watches_[id].data(), count}, timeout_ns);
      constexpr std::array<End, 3> ends{End::woken, End::changed, End::timed_out};
      outcome_.ends[id] = ends[static_cast<std::size_t>(wakeup)];
    });
  }

  Conducted host_;
  std::array<Atomic<std::uint32_t>, words_max> words_;
  std::array<std::array<FutexWatch, words_max>, sleepers_max> watches_{};
  std::array<ProcessId, sleepers_max> processes_{};
  std::array<std::uint64_t, sleepers_max> deadlines_ns_{};
  std::uint64_t began_ns_ = 0;
  Outcome outcome_;
};

// --- On the real kernel
// -------------------------------------------------------------------------------------------------------------------

constexpr std::uint32_t order_to_sleep = 1;

std::uint32_t sleep_as_told(const real::Order& order) {
  const std::uint64_t now_ns = real::monotonic_ns();
  const std::uint64_t timeout_ns = order.deadline_ns == never_ns ? never_ns : order.deadline_ns - std::min(now_ns, order.deadline_ns);
  const std::span<const ipc::FutexWaiter> waiters{order.waiters.data(), order.waiter_count};
  const auto* const first = reinterpret_cast<const real::Word*>(waiters[0].address);  // NOLINT(performance-no-int-to-ptr)
  const core::WaitResult result = waiters.size() == 1 ? ipc::sleep_on(*first, static_cast<std::uint32_t>(waiters[0].value), timeout_ns)
                                                      : ipc::sleep_on_any(waiters, timeout_ns).value();
  constexpr std::array<End, 3> ends{End::woken, End::changed, End::timed_out};
  return static_cast<std::uint32_t>(ends[static_cast<std::size_t>(result)]);
}

class Real {
 public:
  // The outcome, once the case could be played as it is written.
  std::optional<Outcome> play(const Case& c) {
    constexpr int attempts_max = 20;
    time_out_ns_ = 2'000'000;
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
      fault_ = Fault::none;
      attempt_at(c);
      clean_up();
      if (fault_ == Fault::none) return outcome_;
      if (fault_ == Fault::late) time_out_ns_ *= 2;
      ++repeats_;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::uint32_t repeats() const { return repeats_; }

 private:
  struct Memory {
    std::array<real::Word, words_max> words;
    std::array<real::Line, sleepers_max> lines;
  };
  using Counts = std::array<std::optional<std::uint64_t>, sleepers_max>;

  // Why an attempt says nothing: somebody ran in a burst, or a time-out came before its place in the script.
  enum class Fault : std::uint8_t { none, disturbed, late };

  void attempt_at(const Case& c) {
    outcome_ = {};
    began_ns_ = real::monotonic_ns();
    time_outs_done_ = 0;
    for (std::size_t i = 0; i < words_max; ++i) memory_->words[i].store(c.initial[i]);
    for (std::uint32_t i = 0; i < c.actions.size() && fault_ == Fault::none;) {
      std::uint32_t last = i;
      while (!c.actions[last].settles) ++last;
      play_burst(c, {c.actions.data() + i, last - i + 1});
      settle_after(c, last + 1);
      i = last + 1;
    }
  }

  void play_burst(const Case& c, std::span<const Action> burst) {
    if (burst.size() == 1) return act(c, burst[0]);
    const Counts before = counts();
    const real::FirstInLine first;
    for (const Action& action : burst) act(c, action);
    if (counts() != before) fault_ = Fault::disturbed;
  }

  Counts counts() const {
    Counts counts;
    for (std::size_t i = 0; i < sleepers_max; ++i) {
      if (outcome_.ends[i] == End::asleep || (outcome_.ends[i] == End::killed && outcome_.seen_after[i] == 0)) {
        counts[i] = real::times_run(puppets_[i].pid());
      }
    }
    return counts;
  }

  void act(const Case& c, const Action& action) {
    const std::uint32_t target = action.target;
    switch (action.what) {
      case Action::What::start: start(c, action); break;
      case Action::What::store: memory_->words[target].store(action.number); break;
      case Action::What::wake: outcome_.wakes.push_back(real::wake(memory_->words[target], action.number)); break;
      case Action::What::kill:
        if (outcome_.ends[target] != End::asleep) break;
        puppets_[target].kill();
        outcome_.ends[target] = End::killed;
        break;
      case Action::What::time_out: pass_time_out(target);
    }
  }

  void start(const Case& c, const Action& action) {
    const std::uint32_t id = action.target;
    real::Puppet& puppet = puppets_[id];
    if (!puppet.is_started()) {
      puppet.start(memory_->lines[id], sleep_as_told);
    }
    real::Order order;
    order.what = order_to_sleep;
    deadlines_ns_[id] = action.deadline == 0 ? never_ns : began_ns_ + action.deadline * time_out_ns_;
    order.deadline_ns = deadlines_ns_[id];
    for (const Watched& watched : c.sleepers[id]) {
      const auto address = reinterpret_cast<std::uintptr_t>(&memory_->words[watched.word]);
      order.waiters[order.waiter_count++] = {watched.expected, address, ipc::futex_word_is_32_bits, 0};
    }
    outcome_.ends[id] = End::asleep;
    give(puppet.line(), order);
  }

  // Until its timer has fired; whether it runs then is not up to this thread.
  void pass_time_out(std::uint32_t id) {
    ++time_outs_done_;
    if (outcome_.ends[id] != End::asleep) return;
    constexpr std::uint64_t patience_ns = 10'000'000'000;
    const real::Puppet& puppet = puppets_[id];
    while (real::monotonic_ns() <= deadlines_ns_[id] || (real::state_of(puppet.pid()) == 'S' && !has_answered(puppet.line()))) {
      ASSERT_LT(real::monotonic_ns(), deadlines_ns_[id] + patience_ns) << "no time-out";
    }
  }

  // Until each sleeper is asleep in its call, or back from it, or wholly dead.
  void settle_after(const Case& c, std::uint32_t actions) {
    for (std::size_t i = 0; i < sleepers_max; ++i) {
      if (outcome_.ends[i] == End::killed && outcome_.seen_after[i] == 0) {
        puppets_[i].reap();
        outcome_.seen_after[i] = actions;
      }
      if (outcome_.ends[i] != End::asleep) continue;
      const real::Line& line = puppets_[i].line();
      EXPECT_TRUE(real::await([&] { return has_answered(line) || is_asleep(i); })) << "sleeper " << i << " neither sleeps nor answers";
      if (!has_answered(line)) continue;
      outcome_.ends[i] = static_cast<End>(line.answer.load());
      outcome_.seen_after[i] = actions;
    }
    const auto is_ahead = [this](const Action& action) { return action.deadline > time_outs_done_; };
    const bool more = std::ranges::any_of(c.actions, is_ahead);
    if (more && real::monotonic_ns() >= began_ns_ + (time_outs_done_ + 1) * time_out_ns_) fault_ = Fault::late;
  }

  bool is_asleep(std::size_t id) const {
    const real::Order& order = memory_->lines[id].order;
    const auto own = reinterpret_cast<std::uintptr_t>(order.waiters.data());
    return real::asleep_in_futex(puppets_[id].pid()) == (order.waiter_count == 1 ? order.waiters[0].address : own);
  }

  void clean_up() {
    for (std::size_t i = 0; i < sleepers_max; ++i) {
      real::Puppet& puppet = puppets_[i];
      if (outcome_.ends[i] == End::killed) puppet.reap();
      if (!puppet.is_started()) continue;
      EXPECT_TRUE(real::await([&] {
        for (const real::Word& word : memory_->words) real::wake(word, all);
        return has_answered(puppet.line());
      })) << "sleeper "
          << i << " does not come back";
    }
  }

  real::OneProcessor one_processor_;
  real::Shared<Memory> memory_;
  std::array<real::Puppet, sleepers_max> puppets_;
  std::array<std::uint64_t, sleepers_max> deadlines_ns_{};
  std::uint64_t began_ns_ = 0;
  std::uint64_t time_out_ns_ = 0;
  std::uint32_t time_outs_done_ = 0;
  std::uint32_t repeats_ = 0;
  Fault fault_ = Fault::none;
  Outcome outcome_;
};

TEST(Conformance, FutexScriptsEndOnTheSimulatedKernelAsOnTheRealOne) {
  if (const std::string reason = real::what_forbids_to_look(); !reason.empty()) GTEST_SKIP() << reason;
  Random random(seed);
  Simulated simulated;
  Real kernel;
  std::uint32_t played = 0;
  std::array<std::uint32_t, 6> ends{};
  std::uint32_t bursts = 0;
  for (; played < futex_cases && !testing::Test::HasFailure(); ++played) {
    const Case c = make_case(random, real::may_go_first());
    const Outcome model = simulated.play_in_turns(c);
    const std::optional<Outcome> world = kernel.play(c);
    ASSERT_TRUE(world.has_value()) << "case " << played << " could not be played undisturbed: " << text_of(c);
    EXPECT_EQ(model, *world) << "case " << played << ": " << text_of(c) << "\nmodel: " << text_of(model) << "\nLinux: " << text_of(*world);
    for (const End end : world->ends) ++ends[static_cast<std::size_t>(end)];
    const bool settled = std::ranges::all_of(c.actions, &Action::settles);
    bursts += settled ? 0 : 1;
    // Without bursts no order of the threads is another outcome.
    for (std::uint64_t i = 1; settled && i <= 4; ++i) EXPECT_EQ(simulated.play_by_seed(c, i), *world) << "case " << played << " seed " << i;
  }
  EXPECT_EQ(played, futex_cases);
  std::printf("futex: %u cases, %u with bursts; %u asleep, %u woken, %u changed, %u timed out, %u killed; %u played again\n", played,
              bursts, ends[1], ends[2], ends[3], ends[4], ends[5], kernel.repeats());
}

}  // namespace
}  // namespace tenure::sim::conformance::futexes
