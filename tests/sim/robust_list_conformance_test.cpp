// Robust lists: what the kernel does to the words of a dead thread, and whom it wakes, on the simulated kernel and on the real one.
//
// The owner is a process whose first or second thread has a list of its own making, in memory that the sleepers share. It is killed, ends,
// or executes another program, which Linux treats alike.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <sstream>
#include <string>

#include <tenure/sim/atomic.hpp>
#include "tests/sim/conformance.hpp"
#include "tests/sim/real_kernel.hpp"

namespace tenure::sim::conformance {
namespace {

constexpr std::uint32_t words_max = 4;
constexpr std::uint32_t sleepers_max = 4;
constexpr std::uint32_t flags_mask = futex_waiters | futex_owner_died;

enum class Owner : std::uint8_t { nobody, dying, other };
enum class Ending : std::uint8_t { killed, exits, executes };

// One futex word, numbers of threads as who they are.
struct Symbol {
  Owner owner = Owner::nobody;
  std::uint32_t flags = 0;
  bool operator==(const Symbol&) const = default;
};

struct Case {
  Ending ending = Ending::killed;
  bool second_thread = false;
  std::uint32_t words = 0;
  std::array<Symbol, words_max> values{};
  std::array<bool, words_max> listed{};
  std::array<std::uint32_t, words_max> order{};  // of the words in the list
  std::uint32_t pending = words_max;             // a word, or none
  std::uint32_t sleepers = 0;
  std::array<std::uint32_t, sleepers_max> sleeps_on{};  // a word
};

struct Outcome {
  std::array<Symbol, words_max> values{};
  std::array<bool, sleepers_max> woken{};
  bool operator==(const Outcome&) const = default;
};

// The numbers that stand for owners; they differ on the two kernels.
struct Numbers {
  std::uint32_t dying;
  std::uint32_t other;

  [[nodiscard]] std::uint32_t word_of(Symbol symbol) const {
    return symbol.flags | (symbol.owner == Owner::dying ? dying : symbol.owner == Owner::other ? other : 0);
  }
  [[nodiscard]] Symbol symbol_of(std::uint32_t word) const {
    const std::uint32_t owner = word & futex_tid_mask;
    EXPECT_TRUE(owner == 0 || owner == dying || owner == other) << "a word of neither: " << word;
    return {owner == dying ? Owner::dying : owner == other ? Owner::other : Owner::nobody, word & flags_mask};
  }
};

Case make(Random& random) {
  const auto one_in = [&random](std::uint32_t n) { return random.below(n) == 0; };
  Case c;
  c.ending = static_cast<Ending>(random.below(8) < 6 ? random.below(2) : 2);
  c.second_thread = one_in(2);
  c.words = 1 + random.below(words_max);
  for (std::uint32_t i = 0; i < c.words; ++i) {
    c.values[i].owner = one_in(2) ? Owner::dying : static_cast<Owner>(random.below(3));
    c.values[i].flags = (one_in(2) ? futex_waiters : 0) | (one_in(6) ? futex_owner_died : 0);
    c.listed[i] = !one_in(3);
    c.order[i] = i;
    std::swap(c.order[i], c.order[random.below(i + 1)]);
  }
  if (!one_in(3)) c.pending = random.below(c.words);
  c.sleepers = random.below(sleepers_max + 1);
  for (std::uint32_t i = 0; i < c.sleepers; ++i) c.sleeps_on[i] = random.below(c.words);
  return c;
}

std::string text_of(Symbol symbol) {
  constexpr std::array<const char*, 3> owners{"nobody's", "the dying one's", "another's"};
  return std::string(owners[static_cast<std::size_t>(symbol.owner)]) + ((symbol.flags & futex_waiters) != 0 ? " WAITERS" : "") +
         ((symbol.flags & futex_owner_died) != 0 ? " OWNER_DIED" : "");
}

std::string text_of(const Case& c) {
  constexpr std::array<const char*, 3> endings{"killed", "exits", "executes"};
  std::ostringstream text;
  text << "the " << (c.second_thread ? "second" : "first") << " thread's process " << endings[static_cast<std::size_t>(c.ending)];
  for (std::uint32_t i = 0; i < c.words; ++i) {
    text << "\n  word " << i << ": " << text_of(c.values[i]) << (c.listed[i] ? ", listed" : "") << (c.pending == i ? ", pending" : "");
    for (std::uint32_t s = 0; s < c.sleepers; ++s) {
      if (c.sleeps_on[s] == i) text << ", sleeper " << s;
    }
  }
  return text.str();
}

std::string text_of(const Case& c, const Outcome& outcome) {
  std::ostringstream text;
  for (std::uint32_t i = 0; i < c.words; ++i) text << "\n  word " << i << ": " << text_of(outcome.values[i]);
  for (std::uint32_t s = 0; s < c.sleepers; ++s) text << "\n  sleeper " << s << (outcome.woken[s] ? " woken" : " asleep");
  return text.str();
}

// --- On the simulated kernel
// --------------------------------------------------------------------------------------------------------------

class Simulated {
 public:
  Outcome play(const Case& c, std::uint64_t of_run) {
    const Verdict verdict = host_.by_seed(of_run, [&](World& world) { conduct(world, c); });
    EXPECT_FALSE(verdict.failed) << verdict.property << ": " << verdict.detail;
    return outcome_;
  }

 private:
  void conduct(World& world, const Case& c) {
    outcome_ = {};
    leave_.store(0);
    const auto rest = [this] {
      const FutexWatch watch{leave_.address(), 0};
      World::active()->futex_wait({&watch, 1}, never_ns);
    };
    const ProcessId process = world.spawn_process();
    if (c.second_thread) world.spawn(process, rest);
    const ThreadId owner = world.spawn(process, [this, &c, rest] {
      link(*World::active(), c);
      rest();
    });
    const Numbers numbers{world.tid(owner), futex_tid_mask};
    for (std::uint32_t i = 0; i < c.words; ++i) words_[i].store(numbers.word_of(c.values[i]));
    settle();
    for (std::uint32_t s = 0; s < c.sleepers; ++s) {
      world.spawn(world.spawn_process(), [this, &c, s] {
        Atomic<std::uint32_t>& word = words_[c.sleeps_on[s]];
        const FutexWatch watch{word.address(), word.ghost()};
        outcome_.woken[s] = World::active()->futex_wait({&watch, 1}, never_ns) == Wakeup::woken;
      });
      settle();
    }
    if (c.ending == Ending::killed) {
      world.send_kill(process);
    } else {
      leave_.store(1);
      world.futex_wake(leave_.address(), 2);
    }
    settle();
    EXPECT_TRUE(world.gone(process));
    for (std::uint32_t i = 0; i < c.words; ++i) outcome_.values[i] = numbers.symbol_of(words_[i].ghost());
    const Outcome at_end = outcome_;
    for (Atomic<std::uint32_t>& word : words_) world.futex_wake(word.address(), sleepers_max);
    settle();
    outcome_ = at_end;
  }

  void link(World& world, const Case& c) {
    for (std::uint32_t i = 0; i < c.words; ++i) {
      if (c.listed[c.order[i]]) world.robust_add(words_[c.order[i]].address());
    }
    if (c.pending != words_max) world.robust_pending(words_[c.pending].address());
  }

  Conducted host_;
  std::array<Atomic<std::uint32_t>, words_max> words_;
  Atomic<std::uint32_t> leave_;
  Outcome outcome_;
};

// --- On the real kernel
// -------------------------------------------------------------------------------------------------------------------

// As the kernel reads it: the link, and the word at the head's offset from it.
struct Node {
  std::uint64_t next;
  real::Word word;
};

struct Memory {
  std::array<Node, words_max> nodes;
  ipc::RobustListHead head;
  real::Line owner;
  real::Word owner_number;
  std::array<real::Line, sleepers_max> sleepers;
};

std::uint64_t address_of(const void* object) { return reinterpret_cast<std::uintptr_t>(object); }

class Real {
 public:
  Outcome play(const Case& c) {
    outcome_ = {};
    start_owner(c);
    const Numbers numbers{memory_->owner_number.load(), static_cast<std::uint32_t>(getpid())};
    for (std::uint32_t i = 0; i < c.words; ++i) memory_->nodes[i].word.store(numbers.word_of(c.values[i]));
    for (std::uint32_t s = 0; s < c.sleepers; ++s) put_to_sleep(s, memory_->nodes[c.sleeps_on[s]].word);
    if (c.ending == Ending::killed) {
      owner_.kill();
    } else {
      give(memory_->owner, {.what = static_cast<std::uint32_t>(c.ending)});
    }
    EXPECT_EQ(owner_.reap(), c.ending == Ending::killed ? SIGKILL : 0);
    for (std::uint32_t s = 0; s < c.sleepers; ++s) {
      EXPECT_TRUE(real::await([&] { return has_answered(memory_->sleepers[s]) || is_asleep(s); })) << "sleeper " << s;
      outcome_.woken[s] = has_answered(memory_->sleepers[s]);
    }
    for (std::uint32_t i = 0; i < c.words; ++i) outcome_.values[i] = numbers.symbol_of(memory_->nodes[i].word.load());
    clean_up(c);
    return outcome_;
  }

 private:
  void start_owner(const Case& c) {
    memory_->owner_number.store(0);
    owner_.start(memory_->owner, [this, &c](const real::Order& order) -> std::uint32_t {
      switch (static_cast<Ending>(order.what)) {
        case Ending::killed: own(c); return 0;
        case Ending::exits: _exit(0);
        case Ending::executes: execl("/bin/true", "true", nullptr);
      }
      _exit(1);
    });
    owner_.ask({.what = 0});
    EXPECT_TRUE(real::await([&] { return memory_->owner_number.load() != 0; }));
  }

  // In the owner: by one of its threads.
  void own(const Case& c) {
    case_ = &c;
    if (!c.second_thread) return link();
    pthread_t thread{};
    const auto body = [](void* self) -> void* {
      static_cast<Real*>(self)->link();
      for (;;) pause();
    };
    if (pthread_create(&thread, nullptr, body, this) != 0) _exit(1);
  }

  void link() {
    const Case& c = *case_;
    Memory& memory = *memory_;
    std::uint64_t* link = &memory.head.first;
    for (std::uint32_t i = 0; i < c.words; ++i) {
      if (!c.listed[c.order[i]]) continue;
      *link = address_of(&memory.nodes[c.order[i]]);
      link = &memory.nodes[c.order[i]].next;
    }
    *link = address_of(&memory.head);
    memory.head.futex_offset = offsetof(Node, word);
    memory.head.pending = c.pending == words_max ? 0 : address_of(&memory.nodes[c.pending]);
    if (!ipc::register_robust_list(&memory.head)) _exit(1);
    memory.owner_number.store(static_cast<std::uint32_t>(syscall(SYS_gettid)));
  }

  void put_to_sleep(std::uint32_t s, real::Word& word) {
    if (!sleepers_[s].is_started()) {
      sleepers_[s].start(memory_->sleepers[s], [](const real::Order& order) {
        const auto* const to_watch = reinterpret_cast<const real::Word*>(order.waiters[0].address);  // NOLINT(performance-no-int-to-ptr)
        const bool woken =
            ipc::sleep_on(*to_watch, static_cast<std::uint32_t>(order.waiters[0].value), never_ns) == core::WaitResult::woken;
        return woken ? 1U : 0U;
      });
    }
    real::Order order;
    order.waiters[0] = {word.load(), address_of(&word), ipc::futex_word_is_32_bits, 0};
    give(memory_->sleepers[s], order);
    EXPECT_TRUE(real::await([&] { return is_asleep(s); })) << "sleeper " << s << " does not fall asleep";
  }

  bool is_asleep(std::uint32_t s) const {
    return real::asleep_in_futex(sleepers_[s].pid()) == memory_->sleepers[s].order.waiters[0].address;
  }

  void clean_up(const Case& c) {
    for (std::uint32_t s = 0; s < c.sleepers; ++s) {
      EXPECT_TRUE(real::await([&] {
        for (const Node& node : memory_->nodes) real::wake(node.word, sleepers_max);
        return has_answered(memory_->sleepers[s]);
      })) << "sleeper "
          << s << " does not come back";
    }
  }

  real::OneProcessor one_processor_;
  real::Shared<Memory> memory_;
  real::Puppet owner_;
  std::array<real::Puppet, sleepers_max> sleepers_;
  const Case* case_ = nullptr;  // in the owner
  Outcome outcome_;
};

TEST(Conformance, RobustListsOfTheDeadAreWalkedOnTheSimulatedKernelAsOnTheRealOne) {
  if (const std::string reason = real::what_forbids_to_look(); !reason.empty()) GTEST_SKIP() << reason;
  Random random(seed);
  Simulated simulated;
  Real kernel;
  std::uint32_t played = 0;
  std::uint32_t marked = 0;
  std::uint32_t woken = 0;
  std::uint32_t asleep = 0;
  for (; played < robust_list_cases && !testing::Test::HasFailure(); ++played) {
    const Case c = make(random);
    const Outcome world = kernel.play(c);
    for (std::uint64_t i = 1; i <= 3; ++i) {
      const Outcome model = simulated.play(c, i);
      EXPECT_TRUE(model == world) << "case " << played << ": " << text_of(c) << "\nmodel:" << text_of(c, model)
                                  << "\nLinux:" << text_of(c, world);
    }
    for (std::uint32_t i = 0; i < c.words; ++i) marked += world.values[i] != c.values[i] ? 1 : 0;
    for (std::uint32_t s = 0; s < c.sleepers; ++s) ++(world.woken[s] ? woken : asleep);
  }
  EXPECT_EQ(played, robust_list_cases);
  std::printf("robust lists: %u cases; %u words marked; %u sleepers woken, %u left asleep\n", played, marked, woken, asleep);
}

}  // namespace
}  // namespace tenure::sim::conformance
