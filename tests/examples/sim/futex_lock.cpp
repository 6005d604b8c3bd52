// A lock in shared memory that survives kill -9: a futex word with its owner's number, and the kernel's robust list. The broken variant
// loses a wake-up when the process that was woken is killed before it has the lock.
#include <tenure/sim/sim.hpp>
using namespace tenure::sim;

template <bool broken>
class FutexLock : public Protocol {
 public:
  FutexLock() : Protocol(broken ? "futex-lock-broken" : "futex-lock", {.kills_max = 1}) {}
  void setup(World& world) override {
    word_.store(0);
    lease_.reset();
    world.name_word(&word_, "lock");
    for (int i = 0; i < 4; ++i) start_process(world, [this] { work(); });
  }
  void on_death(World&, ProcessId process) override { lease_.process_died(process); }

 private:
  void work() {
    lock();
    lease_.granted(here());  // fails the run if somebody else holds it
    lease_.released(here());
    unlock();
  }
  void lock() {
    here().robust_pending(word_.address());  // should we die in here, the kernel looks at the word
    std::uint32_t others = 0;
    for (std::uint32_t seen = word_.load();;) {
      if ((seen & futex_tid_mask) == 0) {  // free, or its owner is dead
        if (word_.compare_exchange_strong(seen, my_tid() | (seen & futex_waiters) | others)) break;
      } else if ((seen & futex_waiters) != 0 || word_.compare_exchange_strong(seen, seen | futex_waiters)) {
        sleep_on(word_, seen | futex_waiters);
        others = futex_waiters;  // there may be more sleepers
        seen = word_.load();
      }
    }
    here().robust_add(word_.address());
    here().robust_pending(nullptr);
  }
  void unlock() {
    here().robust_pending(word_.address());
    here().robust_remove(word_.address());
    const std::uint32_t seen = broken ? word_.exchange(0) : word_.fetch_and(futex_waiters);
    if ((seen & futex_waiters) != 0) wake(word_);
    here().robust_pending(nullptr);
  }
  Atomic<std::uint32_t> word_;
  LeaseOracle lease_;
};
TENURE_SIM_MAIN(FutexLock<true>, FutexLock<false>)
