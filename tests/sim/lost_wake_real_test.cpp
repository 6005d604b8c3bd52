// The lost wake-up of lost_wake.hpp on the real kernel, from glibc's robust process-shared mutex.
//
// B is kept from running in two ways: by a tracer, which stops it on its way out of the system call, before its next instruction; and by a
// thread of real-time priority on its only processor, which is A and C in one.
#include <gnu/libc-version.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include <tenure/sim/world.hpp>
#include "tests/sim/lost_wake.hpp"
#include "tests/sim/real_kernel.hpp"

namespace tenure::sim::conformance::lost_wake {
namespace {

enum class Task : std::uint32_t { lock, unlock, pass };

class RobustMutex {
 public:
  RobustMutex() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&memory_->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
  }
  std::uint32_t perform(Task task) {
    int error = 0;
    if (task != Task::unlock) error = pthread_mutex_lock(&memory_->mutex);
    if (task != Task::lock && error == 0) error = pthread_mutex_unlock(&memory_->mutex);
    return static_cast<std::uint32_t>(error);
  }
  [[nodiscard]] const real::Word& word() const { return *reinterpret_cast<const real::Word*>(&memory_->mutex.__data.__lock); }
  [[nodiscard]] std::uint64_t address() const { return reinterpret_cast<std::uintptr_t>(&word()); }

 private:
  struct Memory {
    pthread_mutex_t mutex;
  };
  real::Shared<Memory> memory_;
};

constexpr real::Order order_of(Task task) { return {.what = static_cast<std::uint32_t>(task)}; }

// Four processes around one mutex of glibc.
class Stage {
 public:
  Stage() {
    for (std::size_t i = 0; i < puppets_.size(); ++i) {
      puppets_[i].start(lines_->at(i), [this](const real::Order& order) { return mutex_.perform(static_cast<Task>(order.what)); });
    }
  }

  real::Puppet& a() { return puppets_[0]; }
  real::Puppet& b() { return puppets_[1]; }
  real::Puppet& c() { return puppets_[2]; }
  real::Puppet& d() { return puppets_[3]; }
  RobustMutex& mutex() { return mutex_; }

  bool sleeps(const real::Puppet& puppet) const { return real::asleep_in_futex(puppet.pid()) == mutex_.address(); }
  void put_to_sleep(const real::Puppet& puppet) {
    give(puppet.line(), order_of(Task::pass));
    EXPECT_TRUE(real::await([&] { return sleeps(puppet); })) << "does not fall asleep on the mutex";
  }
  static bool idles(const real::Puppet& puppet) {
    return real::asleep_in_futex(puppet.pid()) == reinterpret_cast<std::uintptr_t>(&puppet.line().asked);
  }

  // Once nobody runs, and so nobody is left to wake whoever sleeps: the dead are reaped, the others idle or sleep on the mutex.
  Outcome settled() {
    for (const real::Puppet& puppet : puppets_) {
      if (!puppet.is_started()) continue;
      EXPECT_TRUE(real::await([&] { return has_answered(puppet.line()) ? idles(puppet) : sleeps(puppet); }));
    }
    const auto passed = [](const real::Puppet& puppet) {
      return puppet.is_started() && has_answered(puppet.line()) && puppet.line().answer.load() == 0;
    };
    return {.word = mutex_.word().load(), .b_passed = passed(b()), .d_passed = passed(d())};
  }

  // D sleeps on the free mutex whoever comes and goes. One wake-up, which nobody owed it any more, and it is well.
  void expect_left_asleep_until_woken() {
    EXPECT_EQ(settled(), lost);
    EXPECT_TRUE(sleeps(d()));
    EXPECT_EQ(a().ask(order_of(Task::pass)), 0U);
    EXPECT_EQ(settled(), lost);
    EXPECT_TRUE(sleeps(d()));
    EXPECT_EQ(real::wake(mutex_.word(), 1), 1U);
    EXPECT_TRUE(real::await([this] { return has_answered(d().line()); }));
    EXPECT_TRUE(settled().d_passed);
  }

 private:
  RobustMutex mutex_;
  real::Shared<std::array<real::Line, 4>> lines_;
  std::array<real::Puppet, 4> puppets_;
};

// Stops a process on its way out of the futex call in which it sleeps.
class Tracer {
 public:
  explicit Tracer(pid_t pid) : pid_(pid) {
    attached_ = ptrace(PTRACE_SEIZE, pid_, nullptr, PTRACE_O_TRACESYSGOOD) == 0;
    if (attached_) ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr);
  }
  [[nodiscard]] bool attached() const { return attached_; }

  // Lets it go on until it enters the call.
  void until_it_enters(std::uint64_t futex) const {
    while (!testing::Test::HasFailure()) {
      const auto stop = next_stop();
      ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr);
      if (stop && stop->op == PTRACE_SYSCALL_INFO_ENTRY && stop->entry.nr == SYS_futex && stop->entry.args[0] == futex) return;
    }
  }
  // Waits until it is on its way out. What the call returns; it has executed nothing after it.
  [[nodiscard]] std::optional<std::int64_t> result_of_call() const {
    const auto stop = next_stop();
    if (!stop || stop->op != PTRACE_SYSCALL_INFO_EXIT) return std::nullopt;
    return stop->exit.rval;
  }
  void let_go() const { ptrace(PTRACE_DETACH, pid_, nullptr, nullptr); }

 private:
  using Info = __ptrace_syscall_info;
  [[nodiscard]] std::optional<Info> next_stop() const {
    int status = 0;
    const bool stopped = real::await([&] { return waitpid(pid_, &status, __WALL | WNOHANG) == pid_; }) && WIFSTOPPED(status);
    EXPECT_TRUE(stopped) << "B does not stop";
    if (!stopped) return std::nullopt;
    Info info{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof info, &info) <= 0) return std::nullopt;
    return info;
  }

  pid_t pid_;
  bool attached_;
};

// False when this system lets nobody trace.
bool play_with_tracer(Variant variant) {
  Stage stage;
  const Tracer tracer(stage.b().pid());
  if (!tracer.attached()) return false;
  EXPECT_EQ(stage.a().ask(order_of(Task::lock)), 0U);
  give(stage.b().line(), order_of(Task::pass));
  tracer.until_it_enters(stage.mutex().address());
  EXPECT_TRUE(real::await([&] { return stage.sleeps(stage.b()); }));
  stage.put_to_sleep(stage.d());
  EXPECT_EQ(stage.mutex().word().load(), static_cast<std::uint32_t>(stage.a().pid()) | futex_waiters);

  EXPECT_EQ(stage.a().ask(order_of(Task::unlock)), 0U);
  EXPECT_EQ(tracer.result_of_call(), 0) << "B was not the one that was woken";
  EXPECT_TRUE(stage.sleeps(stage.d()));
  if (variant.barges) {
    EXPECT_EQ(stage.c().ask(order_of(Task::lock)), 0U);
  }
  EXPECT_EQ(stage.mutex().word().load(), variant.barges ? static_cast<std::uint32_t>(stage.c().pid()) : 0U);
  if (variant.kills) {
    stage.b().end();
  } else {
    tracer.let_go();
    if (variant.barges) {
      EXPECT_TRUE(real::await([&] { return stage.sleeps(stage.b()); }));
    }
  }
  if (variant.barges) {
    EXPECT_EQ(stage.c().ask(order_of(Task::unlock)), 0U);
  }

  if (variant.barges && variant.kills) {
    stage.expect_left_asleep_until_woken();
  } else {
    EXPECT_TRUE(real::await([&] { return has_answered(stage.d().line()); })) << "D was not woken";
    EXPECT_EQ(stage.settled(), well_after(variant));
  }
  return true;
}

// One try; false when B has run in spite of all.
bool play_on_one_processor(Variant variant) {
  const real::OneProcessor one_processor;
  Stage stage;
  RobustMutex& mutex = stage.mutex();
  const auto own = static_cast<std::uint32_t>(getpid());
  EXPECT_EQ(mutex.perform(Task::lock), 0U);
  stage.put_to_sleep(stage.b());
  stage.put_to_sleep(stage.d());
  EXPECT_EQ(mutex.word().load(), own | futex_waiters);

  const std::optional<std::uint64_t> before = real::times_run(stage.b().pid());
  std::optional<std::uint64_t> after;
  {
    const real::FirstInLine first;
    mutex.perform(Task::unlock);
    if (variant.barges) mutex.perform(Task::lock);
    if (variant.kills) stage.b().kill();
    after = real::times_run(stage.b().pid());
  }
  if (variant.kills) {
    stage.b().reap();
  } else if (variant.barges) {
    EXPECT_TRUE(real::await([&] { return stage.sleeps(stage.b()); }));
  }
  const bool undisturbed = before && before == after;
  if (undisturbed && variant.barges) {
    EXPECT_EQ(mutex.word().load(), variant.kills ? own : own | futex_waiters);
  }
  if (variant.barges) mutex.perform(Task::unlock);
  if (!undisturbed) return false;

  if (variant.barges && variant.kills) {
    stage.expect_left_asleep_until_woken();
  } else {
    EXPECT_TRUE(real::await([&] { return has_answered(stage.d().line()); })) << "D was not woken";
    EXPECT_EQ(stage.settled(), well_after(variant));
  }
  return true;
}

TEST(LostWake, HappensToGlibcsMutexUnderATracer) {
  if (const std::string reason = real::what_forbids_to_look(); !reason.empty()) GTEST_SKIP() << reason;
  if (!play_with_tracer(schedule)) GTEST_SKIP() << "ptrace(2) is forbidden: " << std::strerror(errno);
  for (const Variant variant : controls) EXPECT_TRUE(play_with_tracer(variant));
  std::printf("glibc %s loses the wake-up\n", gnu_get_libc_version());
}

TEST(LostWake, HappensToGlibcsMutexOnABusyProcessor) {
  if (const std::string reason = real::what_forbids_to_look(); !reason.empty()) GTEST_SKIP() << reason;
  constexpr int tries_max = 100;
  const auto play = [](Variant variant) {
    for (int i = 0; i < tries_max; ++i) {
      if (play_on_one_processor(variant)) return;
    }
    ADD_FAILURE() << "B could not be kept from running";
  };
  play(schedule);
  for (const Variant variant : controls) play(variant);
}

}  // namespace
}  // namespace tenure::sim::conformance::lost_wake
