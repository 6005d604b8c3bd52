// Futexes: small scripts of sleepers, stores, wakes, deaths and time-outs, on the simulated kernel and on the real one.
//
// A script goes in bursts. Within a burst no sleeper runs: it may be woken, dead or out of time without knowing it yet, which is where
// wake-ups get lost. On the simulated host the conductor just goes on; on the real one it is a thread of real-time priority on the only
// processor, and the number of times that each sleeper was put on it shows that none was. A burst that was disturbed, or in which a
// time-out came at another place than the script's, is no case: it is played again. Where real-time priority is forbidden, each burst is of
// one action.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "sim/atomic.hpp"
#include "tests/sim/conformance.hpp"
#include "tests/sim/real_kernel.hpp"

namespace tenure::sim::conformance {
namespace {

constexpr std::uint32_t words_max = 3;
constexpr std::uint32_t sleepers_max = 4;
constexpr std::uint32_t all = ~std::uint32_t{0};

struct Watched {
  std::uint32_t word;
  std::uint32_t expected;
};

struct Action {
  enum class What : std::uint8_t { start, store, wake, kill, time_out };
  What what;
  std::uint32_t target;        // a sleeper, or a word
  std::uint32_t number = 0;    // the value, or how many to wake
  bool settles = true;         // ends the burst
  std::uint32_t deadline = 0;  // start: which time-out ends this sleep, from 1; 0: none
};

struct Case {
  std::array<std::uint32_t, words_max> initial{};
  std::array<std::vector<Watched>, sleepers_max> sleepers;
  std::vector<Action> actions;
};

enum class End : std::uint8_t { not_started, asleep, woken, changed, timed_out, killed };

struct Outcome {
  std::array<End, sleepers_max> ends{};
  std::array<std::uint32_t, sleepers_max> seen_after{};  // so many actions it was first seen to be over
  std::vector<std::uint32_t> wakes;                      // what each wake returned
  bool operator==(const Outcome&) const = default;
};

bool is_over(End end) { return end != End::not_started && end != End::asleep; }

// --- Cases -----------------------------------------------------------------------------------------------------------------------------

class Maker {
 public:
  Maker(Random& random, bool bursts) : random_(random), bursts_(bursts) {}

  Case make() {
    count_ = 1 + below(sleepers_max);
    time_outs_left_ = below(4) == 0 ? 2 : 0;
    for (std::uint32_t& value : values_) value = below(3);
    made_.initial = values_;
    const std::uint32_t length = count_ + 2 + below(8);
    for (std::uint32_t i = 0; i < length; ++i) add();
    made_.actions.back().settles = true;
    return made_;
  }

 private:
  std::uint32_t below(std::uint32_t n) { return random_.below(n); }

  void add() {
    const bool can_start = started_ < count_;
    if (can_start && (started_ == 0 || below(2) == 0)) return add_start();
    const bool settles = below(5) < 3 || !bursts_;
    const std::uint32_t sleeper = below(started_);
    switch (below(10)) {
      case 0: {
        const std::uint32_t word = below(words_max);
        values_[word] = below(3);
        made_.actions.push_back({Action::What::store, word, values_[word], settles});
        break;
      }
      case 1: made_.actions.push_back({Action::What::kill, sleeper, 0, settles}); break;
      case 2:
      case 3:
        if (Action& start = made_.actions[starts_[sleeper]]; time_outs_left_ != 0 && start.deadline == 0) {
          start.deadline = ++time_outs_;
          --time_outs_left_;
          made_.actions.push_back({Action::What::time_out, sleeper, 0, settles});
          break;
        }
        [[fallthrough]];
      default: {
        constexpr std::array<std::uint32_t, 8> counts{1, 1, 1, 2, 2, 3, all, 0};
        made_.actions.push_back({Action::What::wake, below(words_max), counts[below(counts.size())], settles});
      }
    }
  }

  // A sleeper must run to fall asleep, so a start is a burst of its own.
  void add_start() {
    if (!made_.actions.empty()) made_.actions.back().settles = true;
    const std::uint32_t watches = below(2) == 0 ? 1 : 1 + below(words_max);
    for (std::uint32_t i = 0; i < watches; ++i) {
      const std::uint32_t word = below(words_max);
      made_.sleepers[started_].push_back({word, values_[word] + (below(12) == 0 ? 1 : 0)});
    }
    starts_[started_] = made_.actions.size();
    made_.actions.push_back({Action::What::start, started_++});
  }

  Random& random_;
  bool bursts_;
  Case made_;
  std::array<std::uint32_t, words_max> values_{};
  std::array<std::size_t, sleepers_max> starts_{};
  std::uint32_t count_ = 0;
  std::uint32_t started_ = 0;
  std::uint32_t time_outs_ = 0;
  std::uint32_t time_outs_left_ = 0;
};

std::string text_of(const Case& c) {
  std::ostringstream text;
  text << "words";
  for (const std::uint32_t value : c.initial) text << ' ' << value;
  for (const Action& action : c.actions) {
    constexpr std::array<const char*, 5> names{"start", "store", "wake", "kill", "time_out"};
    text << "\n  " << names[static_cast<std::size_t>(action.what)] << ' ' << action.target << ' '
         << static_cast<std::int32_t>(action.number);
    if (action.what == Action::What::start) {
      for (const Watched& watched : c.sleepers[action.target]) text << " word " << watched.word << " == " << watched.expected;
    }
    if (action.deadline != 0) text << " until time-out " << action.deadline;
    if (!action.settles) text << " ...";
  }
  return text.str();
}

std::string text_of(const Outcome& outcome) {
  std::ostringstream text;
  constexpr std::array<const char*, 6> names{"not started", "asleep", "woken", "changed", "timed out", "killed"};
  for (std::size_t i = 0; i < outcome.ends.size(); ++i) {
    text << names[static_cast<std::size_t>(outcome.ends[i])] << " after " << outcome.seen_after[i] << ", ";
  }
  text << "wakes returned";
  for (const std::uint32_t woken : outcome.wakes) text << ' ' << woken;
  return text.str();
}

// --- On the simulated kernel
// ---------------------------------------------------------------------------------------------------------------

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
// --------------------------------------------------------------------------------------------------------------------

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
    const Case c = Maker(random, real::may_go_first()).make();
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
}  // namespace tenure::sim::conformance
