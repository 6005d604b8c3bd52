// A thread whose end the kernel tells to everybody: the bells of a process's sessions in one space.
//
// The kernel walks the robust list of a thread that ends, for whatever reason (exit, SIGKILL, execve), sets FUTEX_OWNER_DIED in each
// word on it that names the thread, and wakes one sleeper of each. The words are in the segment; the list is not: its nodes lie in a
// private shadow of the slots, each at the same distance from its word (the kernel knows one distance for the whole list). So nobody who
// can write to the segment can send the kernel, or us, to an address of theirs.
//
// The thread is one a space and a process, starts with the first bell, blocks all signals, is never cancelled, and does nothing at all; or
// it is the caller's own, see adopt_this_thread().
// Any thread may call any member. In a forked child, where there is no such thread, arm() starts anew and disarm() does nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tenure::ipc {

class BellThread {
 public:
  // The kernel stops after 2048 nodes without a word.
  static constexpr std::uint32_t bells_max = 1024;

  // Bells lie in [base, base + bytes). Starts nothing. `able` is false where the kernel has no robust lists.
  BellThread(void* base, std::size_t bytes, bool able);
  BellThread(const BellThread&) = delete;
  BellThread& operator=(const BellThread&) = delete;
  // Takes every bell off the list without ringing it, and ends the thread.
  ~BellThread();

  // Makes the calling thread the one whose end rings the bells, so that none is started and none waited for. REQUIRES: it lives as long as
  // the process, and has no robust mutexes, since its list is replaced. False: there is a thread already, or the system forbids it. Other
  // threads can't arm any bell then.
  [[nodiscard]] bool adopt_this_thread();

  // Stores the thread's id | FUTEX_WAITERS into the bell and puts it on the list. False when the system forbids it, when bells_max are
  // armed, when another bell within 8 bytes is armed (their nodes would overlap: a slot has one bell at a time), or when the word is out
  // of range. Killed in between: the word names the thread, and does not ring; its session isn't live yet.
  [[nodiscard]] bool arm(std::atomic<std::uint32_t>& bell);
  // Takes the bell off the list; the word keeps its value. Nothing if it isn't on it.
  void disarm(std::atomic<std::uint32_t>& bell);

  [[nodiscard]] std::uint32_t armed() const;

 private:
  struct Chain;  // the list, its shadow and its thread, of one process; left behind, not freed, in a forked child
  Chain* chain_of_this_process();

  char* base_;
  std::size_t bytes_;
  bool able_;
  std::atomic<Chain*> chain_{nullptr};
};

}  // namespace tenure::ipc
