// A robust process-shared mutex, told after glibc's and musl's: the word holds the owner's thread number, a WAITERS bit, and OWNER_DIED,
// which the kernel writes for whoever dies with the word on its list. Internal to sim/protocols.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

enum class Flaw : std::uint8_t {
  none,
  forgets_waiters_on_unlock,    // row 51: what glibc does. The word becomes 0, and only the one that is woken knows of the others
  forgets_waiters_on_recovery,  // row 46
  stale_expected,               // row 47: a CAS that failed is repeated with the value that has just failed
  timeout_ignored,              // row 48
  death_untold,                 // row 49: the word of a dead owner is taken like a free one
  dead_is_unrecoverable,        // row 49: "not recoverable" before anybody was asked to recover
  pending_cleared_early,        // row 58: the pending entry is cleared before the list has the word
};

enum class LockResult : std::uint8_t { locked, owner_died, not_recoverable, timed_out };

// The sound one, Flaw::none, leaves WAITERS in the word when it unlocks, and never clears it. So whoever takes the mutex, a barger too,
// wakes somebody when it leaves: a wake-up that died with its receiver, or was never sent, is sent again. The price is one vain system
// call for each unlock of a mutex that was contended once. Clearing the bit when a wake-up finds nobody isn't sound: between the two,
// others may have slept, been woken, and left the word as it was.
class RobustMutex {
 public:
  void reset(Flaw flaw) {
    flaw_ = flaw;
    word_.store(0);
    lost_.store(0);
  }

  LockResult lock(std::uint64_t timeout_ns = never_ns) {
    const std::uint64_t start_ns = timeout_ns == never_ns ? 0 : world().read_boottime_ns();
    world().robust_pending(word_.address());
    const LockResult result = take(timeout_ns == never_ns ? never_ns : start_ns + timeout_ns);
    const bool taken = result == LockResult::locked || result == LockResult::owner_died;
    const bool listed_late = taken && flaw_ == Flaw::pending_cleared_early;
    if (taken && !listed_late) world().robust_add(word_.address());
    world().robust_pending(nullptr);
    if (listed_late) world().robust_add(word_.address());
    if (result == LockResult::owner_died && flaw_ == Flaw::dead_is_unrecoverable) lost_.store(1);
    if (!taken || lost_.load() == 0) return result;
    unlock();
    return LockResult::not_recoverable;
  }

  // Without `consistent` nobody gets it again. That is said by a word of its own and an ordinary unlock, which each one that it wakes
  // repeats: a lock word that names no owner and still isn't free would be one for which the kernel sends no wake-up again.
  void unlock(bool consistent = true) {
    if (!consistent) lost_.store(1);
    world().robust_pending(word_.address());
    world().robust_remove(word_.address());
    if (flaw_ == Flaw::forgets_waiters_on_unlock) {
      if ((word_.exchange(0) & futex_waiters) != 0) wake(word_);
    } else {
      std::uint32_t seen = word_.load();
      while (!word_.compare_exchange_strong(seen, seen & futex_waiters)) {
      }
      if ((seen & futex_waiters) != 0) wake(word_);
    }
    world().robust_pending(nullptr);
  }

  Atomic<std::uint32_t>& word() { return word_; }
  const Atomic<std::uint32_t>& word() const { return word_; }

 private:
  LockResult take(std::uint64_t deadline_ns) {
    std::uint32_t seen = 0;
    std::uint32_t others = 0;  // once we have slept, others may sleep as well: we take their bit along
    if (word_.compare_exchange_strong(seen, my_tid())) return LockResult::locked;
    for (;;) {
      if ((seen & futex_tid_mask) == 0) {
        if (const LockResult result = take_free(seen, others); result != LockResult::timed_out) return result;
        continue;
      }
      if ((seen & futex_waiters) == 0) {
        std::uint32_t expected = seen;
        if (!word_.compare_exchange_strong(expected, seen | futex_waiters)) {
          if (flaw_ != Flaw::stale_expected) seen = expected;
          continue;
        }
        seen |= futex_waiters;
      }
      if (sleep(seen, deadline_ns) == Wakeup::timed_out && flaw_ != Flaw::timeout_ignored) return LockResult::timed_out;
      others = futex_waiters;
      seen = word_.load();
    }
  }

  Wakeup sleep(std::uint32_t seen, std::uint64_t deadline_ns) const {
    if (deadline_ns == never_ns) return sleep_on(word_, seen);
    const std::uint64_t now_ns = world().read_boottime_ns();
    return sleep_on(word_, seen, deadline_ns - std::min(now_ns, deadline_ns));
  }

  // A word without an owner: timed_out means that it has changed meanwhile.
  LockResult take_free(std::uint32_t& seen, std::uint32_t others) {
    const bool died = (seen & futex_owner_died) != 0;
    const std::uint32_t kept = died && flaw_ == Flaw::forgets_waiters_on_recovery ? 0 : (seen & futex_waiters) | others;
    if (!word_.compare_exchange_strong(seen, my_tid() | kept)) return LockResult::timed_out;
    return died && flaw_ != Flaw::death_untold ? LockResult::owner_died : LockResult::locked;
  }

  Flaw flaw_ = Flaw::none;
  Atomic<std::uint32_t> word_;
  Atomic<std::uint32_t> lost_;
};

}  // namespace tenure::sim::protocols
