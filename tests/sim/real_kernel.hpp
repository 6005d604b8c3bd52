// Real processes that do what a test orders, and what the real kernel shows of them: the other half of the tests that hold the simulated
// kernel against it.
//
// Nothing here sleeps in the hope that something has happened by then: await() looks until it has.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ipc/kernel.hpp"

namespace tenure::sim::real {

using Word = std::atomic<std::uint32_t>;

void* map_shared(std::size_t bytes);
void unmap_shared(void* memory, std::size_t bytes);

// Zeroed memory that this process and all that it forks later have at the same address.
template <class T>
class Shared {
 public:
  Shared() : memory_(new(map_shared(sizeof(T))) T{}) {}
  ~Shared() { unmap_shared(memory_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return memory_; }
  T& operator*() const { return *memory_; }

 private:
  T* memory_;
};

// Looks until the condition holds. False when it still doesn't after a time in which anything that can happen has happened.
bool await(const std::function<bool()>& condition);

std::uint64_t monotonic_ns();
// FUTEX_WAKE: the number that the kernel says.
std::uint32_t wake(const Word& word, std::uint32_t count);

// The first argument of the futex call that a thread is asleep in; nothing while it runs, sleeps elsewhere or is dead. The kernel answers
// only when the thread is off its processor, so what it waits for was queued before.
std::optional<std::uint64_t> asleep_in_futex(pid_t thread);
// The state letter of a process, 0 when it is gone.
char state_of(pid_t process);
// How often the thread has been put on a processor.
std::optional<std::uint64_t> times_run(pid_t thread);
// Why these tests can't be had on this system, or nothing.
std::string what_forbids_to_look();

// What a test asks of a process, and the answer. Lies in shared memory.
struct Order {
  static constexpr std::uint32_t words_max = 4;
  std::uint32_t what = 0;
  std::array<std::uint32_t, 3> arguments{};
  std::uint64_t deadline_ns = 0;
  std::uint32_t waiter_count = 0;
  std::array<ipc::FutexWaiter, words_max> waiters{};
};
struct Line {
  Word asked;
  Word answered;
  Word answer;
  Word pid;
  Order order;
};
using Work = std::function<std::uint32_t(const Order&)>;

// What a process does that obeys: it answers each order by work(), until the test is gone.
[[noreturn]] void serve(Line& line, const Work& work, pid_t test);
void give(Line& line, const Order& order);
bool has_answered(const Line& line);

// A child of this process, killed and reaped at the end.
class Puppet {
 public:
  Puppet() = default;
  ~Puppet() { end(); }
  Puppet(const Puppet&) = delete;
  Puppet& operator=(const Puppet&) = delete;

  void start(Line& line, const Work& work);
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool is_started() const { return pid_ != 0; }
  [[nodiscard]] Line& line() const { return *line_; }
  // Gives the order and waits for the answer; nothing when none comes.
  std::optional<std::uint32_t> ask(const Order& order) const;
  // SIGKILL; returns at once.
  void kill() const;
  // Until it is dead and the kernel has done all its work on it; how it ended, as wait(2) says it.
  int reap();
  void end() {
    kill();
    reap();
  }

 private:
  pid_t pid_ = 0;
  Line* line_ = nullptr;
};

// While it lives, this process and those that it forks share one processor.
class OneProcessor {
 public:
  OneProcessor();
  ~OneProcessor();
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;

 private:
  std::array<std::uint64_t, 128> before_{};
};

// While it lives, nobody of lower rank runs on this processor: this thread is SCHED_FIFO. Where that is forbidden, puppets are
// SCHED_IDLE, which does for some microseconds, and times_run() tells whether one has run all the same.
bool may_go_first();
class FirstInLine {
 public:
  FirstInLine();
  ~FirstInLine();
  FirstInLine(const FirstInLine&) = delete;
  FirstInLine& operator=(const FirstInLine&) = delete;

 private:
  bool raised_;
};

}  // namespace tenure::sim::real
