// The one place where the simulator changes stacks.
//
// A fiber is dropped, never unwound: a simulated kill leaves no destructor to run, and the stack serves the next run as it is. So nothing
// that lives on a fiber's stack may own memory.
#pragma once

#include <cstddef>
#include <span>

namespace tenure::sim {

class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // The next switch to this fiber calls entry(argument) on its own stack; what ran there before is forgotten. `entry` must not return.
  // REQUIRES: the caller does not stand on this fiber's stack.
  void restart(void (*entry)(void*), void* argument);

  // What lies on the stack of a fiber that does not run, its registers included: all that it knows. The places of things are the same in
  // every run of one process.
  std::span<const std::byte> saved() const;
  // Brings back what saved() returned, once or many times. Only where it is all there is: a sanitizer keeps more.
  static const bool can_go_back;
  void go_back(std::span<const std::byte> saved);
  // Zeroes what calls that have ended left below, lest later ones take it into their frames and make equal states look different.
  // REQUIRES: the fiber does not run.
  void forget();

  // Stops `from`, which must be the running fiber, and continues `to`. Returns when somebody switches back to `from`.
  static void switch_over(Fiber& from, Fiber& to);

 private:
  struct Switch;
  friend struct Arrival;
  friend struct Sanitizer;

  // What a sanitizer wants to know of a stack, or keeps for it. Unused in builds without one.
  struct Watched {
    void* state = nullptr;  // AddressSanitizer: the fake stack, while another fiber runs; ThreadSanitizer: its own fiber
    const void* bottom = nullptr;
    std::size_t bytes = 0;
    unsigned restarts = 0;
  };

  void* context_ = nullptr;
  std::byte* top_ = nullptr;
  std::byte* stack_ = nullptr;  // mapped on first use, kept for the fiber's lifetime; the thread that runs the world needs none
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  Watched watched_;
};

}  // namespace tenure::sim
