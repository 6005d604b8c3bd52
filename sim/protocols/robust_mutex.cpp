// What goes wrong inside a robust mutex.
#include "sim/oracle.hpp"
#include "sim/protocols/robust_mutex.hpp"

namespace tenure::sim::protocols {

namespace {

// Processes take turns at two words that must be equal whenever the mutex is free and no death has been announced.
template <Flaw flaw>
class RobustContenders : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    mutex_.reset(broken() ? flaw : Flaw::none);
    left_.store(0);
    right_.store(0);
    lease_.reset();
    told_ = false;
    in.name_word(&mutex_.word(), "mutex");
    for (int i = 0; i < 4; ++i) start_process(in, [this] { work(); });
  }
  void on_death(World&, ProcessId process) override { lease_.process_died(process); }

  // A word that names a dead owner after the kernel's walk is lost for ever; else the mutex is free.
  void on_idle(World& in) override {
    if (lease_.held(in)) return;
    if ((mutex_.word().ghost() & futex_tid_mask) != 0) in.fail("recovery", "the kernel wasn't told of the word of a dead owner");
    in.fail("lost_wake", "all asleep, and the mutex is free");
  }

 private:
  void work() {
    for (std::uint32_t round = 1; round <= 2; ++round) {
      const LockResult result = mutex_.lock();
      if (result == LockResult::not_recoverable) {
        if (!told_) world().fail("recovery", "given up before anybody was asked to recover");
        return;
      }
      lease_.granted(world());
      bool consistent = true;
      if (result == LockResult::owner_died) consistent = recover();
      if (consistent && left_.load() != right_.load()) world().fail("recovery", "nobody was told that the owner died half-way");
      if (consistent) left_.store(world().this_thread() * 16 + round);
      if (consistent) right_.store(world().this_thread() * 16 + round);
      lease_.released(world());
      mutex_.unlock(consistent);
    }
  }
  bool recover() {
    told_ = true;
    world().sometimes("owner died");
    if (world().choose(8) == 0) return false;
    right_.store(left_.load());
    return true;
  }

  RobustMutex mutex_;
  Atomic<std::uint32_t> left_;
  Atomic<std::uint32_t> right_;
  LeaseOracle lease_;
  bool told_ = false;
};

// Row 48. The owner keeps the mutex until the one that tries for a while has given up.
class TimedLock : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    mutex_.reset(broken() ? Flaw::timeout_ignored : Flaw::none);
    given_up_.store(0);
    start_process(in, [this] { owner(); }, false);
    start_process(in, [this] { trier(); }, false);
  }

 private:
  void owner() {
    mutex_.lock();
    while (given_up_.load() == 0) sleep_on(given_up_, 0);
    mutex_.unlock();
  }
  void trier() {
    if (mutex_.lock(10 * ms) == LockResult::timed_out) {
      world().sometimes("timed out");
    } else {
      mutex_.unlock();
    }
    given_up_.store(1);
    wake(given_up_);
  }

  RobustMutex mutex_;
  Atomic<std::uint32_t> given_up_;
};

}  // namespace

std::vector<Bug> robust_mutex_bugs() {
  return {
      {"recovery-drops-waiters", "46", "lost_wake", "glibc BZ 20973",
       "who takes the mutex of a dead owner forgets that others sleep", {.kills_max = 1},
       make<RobustContenders<Flaw::forgets_waiters_on_recovery>>},
      {"cas-expected-not-refreshed", "47", "livelock", "glibc BZ 21778",
       "a failed CAS is repeated with the value that has just failed", {.kills_max = 1}, make<RobustContenders<Flaw::stale_expected>>},
      {"timeout-ignored", "48", "livelock", "glibc BZ 20263",
       "the end of a timed wait is taken for a wake-up", {}, make<TimedLock>},
      {"owner-death-untold", "49", "recovery", "musl 384d103d, coreclr#6015",
       "the mutex of a dead owner is taken as if it had been released", {.kills_max = 1}, make<RobustContenders<Flaw::death_untold>>},
      {"unrecoverable-at-once", "49", "recovery", "musl 384d103d, coreclr#6015",
       "ENOTRECOVERABLE before anybody got EOWNERDEAD", {.kills_max = 1}, make<RobustContenders<Flaw::dead_is_unrecoverable>>},
      {"woken-waiter-killed", "51", "lost_wake", "found here, on Linux 6.18 with glibc 2.36; no public report known",
       "the one woken dies, a barger holds the mutex without WAITERS: the others sleep on a free mutex for ever", {.kills_max = 1},
       make<RobustContenders<Flaw::forgets_waiters_on_unlock>>},
      {"pending-cleared-early", "58", "recovery", "glibc BZ 24180",
       "list_op_pending is cleared before the list has the word: a death in between is told to nobody", {.kills_max = 1},
       make<RobustContenders<Flaw::pending_cleared_early>>},
  };
}

}  // namespace tenure::sim::protocols
