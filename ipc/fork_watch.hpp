// Tells a process from the child that it forks.
//
// A page that the kernel wipes on fork (MADV_WIPEONFORK) holds the process's generation, a number that is never 0: a child reads 0, also
// one that was made by a bare clone(2), which runs no handler. Where the kernel refuses that, a handler of pthread_atfork clears the word.
//
// Thread safety: every function may be called by any thread; none may be called in a signal handler, process_generation() excepted.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace tenure::ipc {

namespace detail {
extern constinit std::atomic<const std::atomic<std::uint64_t>*> generation_word;
}

// The generation of this process; 0 before watch_forks(), and in a forked child until renew_after_fork(). Costs two loads.
// Relaxed: the only values that a process sees are 0 and its own, and no other memory hangs on them.
[[nodiscard]] inline std::uint64_t process_generation() {
  return detail::generation_word.load(std::memory_order_relaxed)->load(std::memory_order_relaxed);
}

// Sets the watch up; cheap when it stands. Call it before the first process_generation() that matters.
void watch_forks();

// Gives a forked child its own generation, larger than that of every process it descends from. Does nothing where there is one.
// Returns the generation.
std::uint64_t renew_after_fork();  // REQUIRES: watch_forks()

// Whether the kernel wipes the page; false: the word relies on the handler alone, and a bare clone(2) goes unseen.
[[nodiscard]] bool kernel_wipes_on_fork();

// A descriptor that a forked child must not keep, because locks hang on its open file description: the child closes it before fork()
// returns there. Opening and closing exclude a fork at the same time, so the child never closes a number that means another file by then.
// After a bare clone(2) the number stays open in the child until it destroys or resets this object.
class ForkClosedDescriptor {
 public:
  ForkClosedDescriptor() = default;
  ForkClosedDescriptor(const ForkClosedDescriptor&) = delete;
  ForkClosedDescriptor& operator=(const ForkClosedDescriptor&) = delete;
  ~ForkClosedDescriptor() { reset(); }

  // openat(2) with O_CLOEXEC. REQUIRES: not open. False: errno says why.
  [[nodiscard]] bool open_at(int directory, const char* name, int flags, mode_t mode = 0);
  void reset();
  // -1 when not open, and in a child.
  [[nodiscard]] int get() const { return number_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_open() const { return get() >= 0; }

 private:
  friend struct ForkClosedList;
  std::atomic<int> number_{-1};
  ForkClosedDescriptor* next_ = nullptr;
  ForkClosedDescriptor* previous_ = nullptr;
};

}  // namespace tenure::ipc
