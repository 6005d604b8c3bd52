// A wake-up that the kernel sends for a dead thread can be spent on another thread of the same process: killed as well, but still queued.
//
// Each thread of a killed process dies by itself. On the real kernel the first to die is the one of real-time priority, on a processor that
// all share; on the simulated one the tape decides.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <set>

#include <tenure/sim/atomic.hpp>
#include "tests/sim/conformance.hpp"
#include "tests/sim/real_kernel.hpp"

namespace tenure::sim::conformance {
namespace {

enum class First : std::uint32_t { owner, sibling };

// --- On the simulated kernel
// --------------------------------------------------------------------------------------------------------------

// Whether the one outside was woken, in each order of the deaths that the model has.
std::set<bool> outcomes_in_model(bool bell_before_unqueue) {
  Conducted host(bell_before_unqueue);
  Atomic<std::uint32_t> word;
  std::set<bool> outcomes;
  const auto conduct = [&](World& world) {
    bool woken = false;
    const auto sleep = [&word] {
      const FutexWatch watch{word.address(), word.ghost()};
      return World::active()->futex_wait({&watch, 1}, never_ns) == Wakeup::woken;
    };
    const ProcessId process = world.spawn_process();
    const ThreadId owner = world.spawn(process, [&word] {
      World::active()->robust_add(word.address());
      World::active()->futex_wait({}, never_ns);
    });
    word.store(world.tid(owner) | futex_waiters);
    world.spawn(process, [sleep] { sleep(); });
    settle();
    world.spawn(world.spawn_process(), [&woken, sleep] { woken = sleep(); });
    settle();
    world.send_kill(process);
    settle();
    EXPECT_EQ(word.ghost(), futex_waiters | futex_owner_died);
    outcomes.insert(woken);
    world.futex_wake(word.address(), 1);
    settle();
  };
  for (std::uint64_t run = 1; run <= 100; ++run) {
    const Verdict verdict = host.by_seed(run, conduct);
    EXPECT_FALSE(verdict.failed) << verdict.property << ": " << verdict.detail;
  }
  return outcomes;
}

// --- On the real kernel
// -------------------------------------------------------------------------------------------------------------------

struct Memory {
  std::uint64_t node;  // the link; the word lies behind it
  real::Word word;
  ipc::RobustListHead head;
  real::Word sibling;  // its number
  real::Line dying;
  real::Line outside;
};

void go_first() {
  const sched_param first{1};
  if (sched_setscheduler(0, SCHED_FIFO, &first) != 0) _exit(1);
}

std::uint32_t own_number() { return static_cast<std::uint32_t>(syscall(SYS_gettid)); }

// In the process that will die.
std::uint32_t prepare_to_die(Memory& memory, First first) {
  memory.node = reinterpret_cast<std::uintptr_t>(&memory.head);
  memory.head.first = reinterpret_cast<std::uintptr_t>(&memory.node);
  memory.head.futex_offset = offsetof(Memory, word) - offsetof(Memory, node);
  memory.word.store(own_number() | futex_waiters);
  if (!ipc::register_robust_list(&memory.head)) _exit(1);
  struct Start {
    Memory& memory;
    First first;
  };
  static Start start{memory, first};
  pthread_t thread{};
  const auto body = [](void*) -> void* {
    if (start.first == First::sibling) go_first();
    start.memory.sibling.store(own_number());
    (void)ipc::sleep_on(start.memory.word, start.memory.word.load(), never_ns);
    _exit(1);
  };
  if (pthread_create(&thread, nullptr, body, nullptr) != 0) _exit(1);
  const auto asleep = [&memory] { return real::asleep_in_futex(static_cast<pid_t>(memory.sibling.load())).has_value(); };
  if (!real::await([&] { return memory.sibling.load() != 0 && asleep(); })) _exit(1);
  if (first == First::owner) go_first();
  return 0;
}

// Whether the one outside was woken.
bool outcome_on_linux(First first) {
  const real::OneProcessor one_processor;
  const real::Shared<Memory> memory;
  real::Puppet dying;
  real::Puppet outside;
  dying.start(memory->dying, [&](const real::Order&) { return prepare_to_die(*memory, first); });
  outside.start(memory->outside, [&](const real::Order&) {
    return ipc::sleep_on(memory->word, memory->word.load(), never_ns) == core::WaitResult::woken ? 1U : 0U;
  });
  EXPECT_EQ(dying.ask({}), 0U);
  give(memory->outside, {});
  const auto address = reinterpret_cast<std::uintptr_t>(&memory->word);
  EXPECT_TRUE(real::await([&] { return real::asleep_in_futex(outside.pid()) == address; }));
  EXPECT_EQ(real::asleep_in_futex(static_cast<pid_t>(memory->sibling.load())), address);
  dying.end();
  EXPECT_EQ(memory->word.load(), futex_waiters | futex_owner_died);
  EXPECT_TRUE(real::await([&] { return has_answered(memory->outside) || real::asleep_in_futex(outside.pid()) == address; }));
  return has_answered(memory->outside);
}

TEST(DyingSibling, TakesTheWakeUpOfTheWalkInTheModelAsOnLinux) {
  EXPECT_EQ(outcomes_in_model(false), (std::set<bool>{true}));
  EXPECT_EQ(outcomes_in_model(true), (std::set<bool>{false, true}));
  if (const std::string reason = real::what_forbids_to_look(); !reason.empty()) GTEST_SKIP() << reason;
  if (!real::may_go_first()) GTEST_SKIP() << "real-time priority is forbidden, so nobody can say which thread dies first";
  EXPECT_FALSE(outcome_on_linux(First::owner));
  EXPECT_TRUE(outcome_on_linux(First::sibling));
}

}  // namespace
}  // namespace tenure::sim::conformance
