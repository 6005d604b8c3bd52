// Mutexes whose processes all live: unlocking, and the last moments of a lock's memory.
#include <array>
#include <bit>

#include <tenure/sim/oracle.hpp>
#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

namespace {

// Row 55. The mutex guards the count of its own users, and the last one frees it. An unlock that looks at the mutex after it has let go,
// here at the kind that says how to wake, reads freed memory. The remedy: look first. (The wake-up itself may hit a freed address; that
// can only wake somebody in vain.)
class UnlockTouchesFreed : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    word_.store(0);
    kind_.store(1);
    users_.store(2);
    freed_ = false;
    for (int i = 0; i < 2; ++i) start_process(in, [this] { leave(); }, false);
  }

 private:
  void leave() {
    std::uint32_t seen = 0;
    if (!word_.compare_exchange_strong(seen, 1)) {
      while (word_.exchange(2) != 0) sleep_on(word_, 2);
    }
    const std::uint32_t left = users_.load() - 1;
    users_.store(left);
    unlock();
    freed_ = left == 0;
  }
  void unlock() {
    std::uint32_t kind = broken() ? 0 : kind_.load();
    const bool contended = word_.exchange(0) == 2;
    if (broken()) {
      kind = kind_.load();
      if (freed_) world().fail("lifetime", "an unlock reads the mutex that another has freed");
    }
    if (contended && kind != 0) wake(word_);
  }

  Atomic<std::uint32_t> word_;
  Atomic<std::uint32_t> kind_;
  Atomic<std::uint32_t> users_;
  bool freed_ = false;
};

// Row 56. Unlocking drops the owner, then looks whether anybody may wait. A barger gets in between, takes the word without the bit, and
// both it and the one that unlocked believe that nobody waits. The remedy: drop the owner and learn of the bit in one exchange, and who
// has slept takes the word with the bit.
class BargerClearsWaiters : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    word_.store(0);
    lease_.reset();
    for (int i = 0; i < 3; ++i) start_process(in, [this] { work(); }, false);
  }
  void on_idle(World& in) override {
    if (!lease_.held(in)) in.fail("lost_wake", "all asleep, and the lock is free");
  }

 private:
  static constexpr std::uint32_t maybe_waiters = futex_waiters;

  void work() {
    for (int i = 0; i < 2; ++i) {
      lock();
      lease_.granted(world());
      lease_.released(world());
      unlock();
    }
  }
  void lock() {
    std::uint32_t others = 0;
    for (std::uint32_t seen = 0;;) {
      if ((seen & futex_tid_mask) == 0) {
        if (word_.compare_exchange_strong(seen, my_tid() | others)) return;
        continue;
      }
      if ((seen & maybe_waiters) == 0 && !word_.compare_exchange_strong(seen, seen | maybe_waiters)) continue;
      sleep_on(word_, seen | maybe_waiters);
      others = maybe_waiters;
      seen = word_.load();
    }
  }
  void unlock() {
    std::uint32_t seen = word_.load();
    if (!broken()) {
      seen = word_.exchange(0);
    } else {
      while (!word_.compare_exchange_strong(seen, seen & maybe_waiters)) {
      }
      seen = word_.load();
    }
    if ((seen & maybe_waiters) != 0) wake(word_);
  }

  Atomic<std::uint32_t> word_;
  LeaseOracle lease_;
};

// Row 54. Waiting writers hold back new readers. One that gives up opens the door, and must say so to those who stand before it.
class TimedOutWriter : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    word_.store(0);
    readers_ = writers_ = 0;
    for (int i = 0; i < 3; ++i) start_process(in, [this] { read(); }, false);
    start_process(in, [this] { write(); }, false);
  }
  void on_idle(World& in) override {
    if ((word_.ghost() & (writer | writer_waits)) == 0 && readers_asleep_ != 0) in.fail("lost_wake", "a reader sleeps before an open door");
  }

 private:
  static constexpr std::uint32_t writer = 0x100;
  static constexpr std::uint32_t writer_waits = 0x200;
  static constexpr std::uint32_t readers = 0xff;

  void read() {
    for (std::uint32_t seen = word_.load();;) {
      if ((seen & (writer | writer_waits)) == 0) {
        if (word_.compare_exchange_strong(seen, seen + 1)) break;
        continue;
      }
      ++readers_asleep_;
      sleep_on(word_, seen);
      --readers_asleep_;
      seen = word_.load();
    }
    if (++readers_ != 0 && writers_ != 0) world().fail("exclusion", "a reader beside a writer");
    nap(world().choose(2) == 0 ? ms : 20 * ms);
    --readers_;
    const std::uint32_t seen = word_.fetch_add(everybody);  // less one
    if ((seen & readers) == 1 && (seen & writer_waits) != 0) wake(word_, everybody);
  }
  void write() {
    const std::uint64_t deadline_ns = world().read_boottime_ns() + 5 * ms;
    for (std::uint32_t seen = word_.load();;) {
      if ((seen & readers) == 0) {
        if (word_.compare_exchange_strong(seen, writer)) break;
        continue;
      }
      if ((seen & writer_waits) == 0 && !word_.compare_exchange_strong(seen, seen | writer_waits)) continue;
      const std::uint64_t now_ns = world().read_boottime_ns();
      if (now_ns >= deadline_ns) return give_up();
      sleep_on(word_, seen | writer_waits, deadline_ns - now_ns);
      seen = word_.load();
    }
    if (++writers_ != 1 || readers_ != 0) world().fail("exclusion", "a writer beside somebody");
    --writers_;
    word_.exchange(0);
    wake(word_, everybody);
  }
  void give_up() {
    world().sometimes("writer timed out");
    std::uint32_t seen = word_.load();
    while (!word_.compare_exchange_strong(seen, seen & ~writer_waits)) {
    }
    if (!broken()) wake(word_, everybody);
  }

  Atomic<std::uint32_t> word_;
  std::uint32_t readers_ = 0;
  std::uint32_t readers_asleep_ = 0;
  std::uint32_t writers_ = 0;
};

// Row 58, of the designated waker. Sleepers stand in a queue under a bit of the word. The store that takes one out of it isn't ordered
// before the CAS that gives the bit back, so another thread queues up on the old queue, and the late store removes it.
class MissingReleaseBarrier : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    word_.store(0);
    queue_.store(0);
    lease_.reset();
    for (std::uint32_t i = 0; i < threads; ++i) {
      called_[i].store(0);
      start_process(in, [this, i] { work(i); }, false);
    }
  }
  void on_idle(World& in) override {
    if (!lease_.held(in)) in.fail("lost_wake", "all asleep, and the lock is free");
  }

 private:
  static constexpr std::uint32_t threads = 4;
  static constexpr std::uint32_t locked = 1;
  static constexpr std::uint32_t queue_taken = 2;
  static constexpr std::uint32_t some_wait = 4;

  void work(std::uint32_t self) {
    for (int i = 0; i < 2; ++i) {
      while (!try_lock()) {
        if (queue_up(self)) {
          while (called_[self].load() == 0) sleep_on(called_[self], 0);
        }
      }
      lease_.granted(world());
      lease_.released(world());
      unlock();
    }
  }
  bool try_lock() {
    std::uint32_t seen = word_.load();
    while ((seen & locked) == 0) {
      if (word_.compare_exchange_strong(seen, seen | locked)) return true;
    }
    return false;
  }
  // False when the word has changed so that another try is due.
  bool queue_up(std::uint32_t self) {
    std::uint32_t seen = word_.load();
    if ((seen & locked) == 0 || (seen & queue_taken) != 0) return false;
    if (!word_.compare_exchange_strong(seen, seen | queue_taken | some_wait)) return false;
    called_[self].store(0);
    queue_.store(queue_.load() | std::uint32_t{1} << self);
    change_word(queue_taken, 0);
    return true;
  }
  void unlock() {
    std::uint32_t seen = word_.load();
    for (;;) {
      if ((seen & queue_taken) != 0) {
        seen = word_.load();
      } else if ((seen & some_wait) == 0) {
        if (word_.compare_exchange_strong(seen, 0)) return;
      } else if (word_.compare_exchange_strong(seen, seen | queue_taken)) {
        break;
      }
    }
    const std::uint32_t queue = queue_.load();
    const std::uint32_t rest = queue & (queue - 1);
    if (!broken()) queue_.store(rest);
    change_word(locked | queue_taken | (rest == 0 ? some_wait : 0), 0);
    if (broken()) queue_.store(rest);
    const auto first = static_cast<std::uint32_t>(std::countr_zero(queue));
    if (first >= threads) return;
    called_[first].store(1);
    wake(called_[first]);
  }
  void change_word(std::uint32_t off, std::uint32_t on) {
    std::uint32_t seen = word_.load();
    while (!word_.compare_exchange_strong(seen, (seen & ~off) | on)) {
    }
  }

  Atomic<std::uint32_t> word_;
  Atomic<std::uint32_t> queue_;
  std::array<Atomic<std::uint32_t>, threads> called_;
  LeaseOracle lease_;
};

}  // namespace

std::vector<Bug> plain_mutex_bugs() {
  return {
      {.id = "unlock-touches-freed",
       .rows = "55",
       .property = "lifetime",
       .source = "glibc 389fdf78b2 (BZ 13690)",
       .summary = "unlocking reads the mutex after it has let go, when its next owner may have freed it",
       .config = {},
       .make = make<UnlockTouchesFreed>},
      {.id = "barger-clears-waiters",
       .rows = "56",
       .property = "lost_wake",
       .source = "musl 0db393d3",
       .summary = "a barger takes the word without the bit before the one that unlocks has looked at it",
       .config = {},
       .make = make<BargerClearsWaiters>},
      {.id = "timed-out-writer-silent",
       .rows = "54",
       .property = "lost_wake",
       .source = "glibc 3c9c61febe",
       .summary = "a writer that gives up doesn't wake the readers that it held back",
       .config = {},
       .make = make<TimedOutWriter>},
      {.id = "missing-release-barrier",
       .rows = "58",
       .property = "lost_wake",
       .source = "nsync 88fa032",
       .summary = "the queue is written after its bit was given back: a sleeper falls out of it",
       .config = {},
       .make = make<MissingReleaseBarrier>},
  };
}

}  // namespace tenure::sim::protocols
