// What goes wrong inside a robust mutex.
#include "sim/catalogue/robust_mutex.hpp"
#include <tenure/sim/oracle.hpp>

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
      {.id = "recovery-drops-waiters",
       .rows = "46",
       .property = "lost_wake",
       .source = "glibc BZ 20973",
       .summary = "who takes the mutex of a dead owner forgets that others sleep",
       .config = {.kills_max = 1},
       .make = make<RobustContenders<Flaw::forgets_waiters_on_recovery>>},
      {.id = "cas-expected-not-refreshed",
       .rows = "47",
       .property = "livelock",
       .source = "glibc BZ 21778",
       .summary = "a failed CAS is repeated with the value that has just failed",
       .config = {.kills_max = 1},
       .make = make<RobustContenders<Flaw::stale_expected>>},
      {.id = "timeout-ignored",
       .rows = "48",
       .property = "livelock",
       .source = "glibc BZ 20263",
       .summary = "the end of a timed wait is taken for a wake-up",
       .config = {},
       .make = make<TimedLock>},
      {.id = "owner-death-untold",
       .rows = "49",
       .property = "recovery",
       .source = "musl 384d103d, coreclr#6015",
       .summary = "the mutex of a dead owner is taken as if it had been released",
       .config = {.kills_max = 1},
       .make = make<RobustContenders<Flaw::death_untold>>},
      {.id = "unrecoverable-at-once",
       .rows = "49",
       .property = "recovery",
       .source = "musl 384d103d, coreclr#6015",
       .summary = "ENOTRECOVERABLE before anybody got EOWNERDEAD",
       .config = {.kills_max = 1},
       .make = make<RobustContenders<Flaw::dead_is_unrecoverable>>},
      {.id = "woken-waiter-killed",
       .rows = "51",
       .property = "lost_wake",
       .source = "found here, on Linux 6.18 with glibc 2.36; no public report known",
       .summary = "the one woken dies, a barger holds the mutex without WAITERS: the others sleep on a free mutex for ever",
       .config = {.kills_max = 1},
       .make = make<RobustContenders<Flaw::forgets_waiters_on_unlock>>},
      {.id = "pending-cleared-early",
       .rows = "58",
       .property = "recovery",
       .source = "glibc BZ 24180",
       .summary = "list_op_pending is cleared before the list has the word: a death in between is told to nobody",
       .config = {.kills_max = 1},
       .make = make<RobustContenders<Flaw::pending_cleared_early>>},
  };
}

}  // namespace tenure::sim::protocols
