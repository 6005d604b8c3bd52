// Condition variables: whose wake-up it was.
#include <array>

#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

namespace {

// Producers put items, consumers wait for one: the frame of the first two conditions. A sleeper beside an item was forgotten.
template <class Condition>
class Items : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    mutex_.reset();
    condition_.reset(broken());
    items_.store(0);
    for (int i = 0; i < 3; ++i) start_process(in, [this] { consume(); }, false);
    for (int i = 0; i < 2; ++i) start_process(in, [this] { produce(); }, false);
  }
  void on_idle(World& in) override {
    if (items_.ghost() != 0) in.fail("lost_wake", "a consumer sleeps beside an item");
  }

 private:
  void consume() {
    for (int i = 0; i < 2; ++i) {
      mutex_.lock();
      while (items_.load() == 0) condition_.wait(mutex_);
      items_.store(items_.load() - 1);
      mutex_.unlock();
    }
  }
  void produce() {
    for (int i = 0; i < 3; ++i) {
      mutex_.lock();
      items_.store(items_.load() + 1);
      mutex_.unlock();
      condition_.signal();
    }
  }

  Mutex mutex_;
  Condition condition_;
  Atomic<std::uint32_t> items_;
};

// Row 53, after glibc's two groups. Who arrives joins the newer group; signals go to the older one, and when all its members have been
// signalled, the newer one becomes the older and its slot is opened anew. A member that is slow to take its signal finds the slot in its
// second life, and takes a signal, or sleeps, among strangers. The remedy: the word of the slot carries the number of the group.
class GroupCondition {
 public:
  void reset(bool broken) {
    broken_ = broken;
    internal_.reset();
    newer_.store(1);
    for (auto& size : unsignalled_) size.store(0);
    for (std::uint32_t group = 0; group < 2; ++group) signals_[group].store(opened(group));
  }

  void wait(Mutex& mutex) {
    internal_.lock();
    const std::uint32_t group = newer_.load();
    unsignalled_[group % 2].store(unsignalled_[group % 2].load() + 1);
    internal_.unlock();
    mutex.unlock();
    auto& signals = signals_[group % 2];
    while (!closed(group, signals)) {
      std::uint32_t seen = signals.load();
      if (seen == opened(group)) {
        sleep_on(signals, seen);
      } else if (in_group(seen, group) && signals.compare_exchange_strong(seen, seen - 1)) {
        break;
      }
    }
    mutex.lock();
  }

  void signal() {
    internal_.lock();
    std::uint32_t older = newer_.load() - 1;
    if (unsignalled_[older % 2].load() == 0) {
      if (unsignalled_[(older + 1) % 2].load() == 0) return internal_.unlock();
      reopen(older);
      ++older;
    }
    auto& unsignalled = unsignalled_[older % 2];
    unsignalled.store(unsignalled.load() - 1);
    signals_[older % 2].fetch_add(1);
    internal_.unlock();
    wake(signals_[older % 2]);
  }

 private:
  static constexpr std::uint32_t group_shift = 16;

  std::uint32_t opened(std::uint32_t group) const { return broken_ ? 0 : group << group_shift; }
  bool in_group(std::uint32_t signals, std::uint32_t group) const { return broken_ || signals >> group_shift == group; }
  bool closed(std::uint32_t group, const Atomic<std::uint32_t>& signals) const {
    return broken_ ? newer_.load() >= group + 2 : !in_group(signals.load(), group);
  }
  // All of the group `older` have been signalled; those that haven't noticed find it closed.
  void reopen(std::uint32_t older) {
    newer_.store(older + 2);
    signals_[older % 2].store(opened(older + 2));
    wake(signals_[older % 2], everybody);
  }

  bool broken_ = false;
  Mutex internal_;
  Atomic<std::uint32_t> newer_;  // the group that arrivals join
  std::array<Atomic<std::uint32_t>, 2> unsignalled_;
  std::array<Atomic<std::uint32_t>, 2> signals_;
};

// Row 57. A waiter remembers a token and sleeps while it stays; a signal changes it. With few tokens two signals bring the old one back
// before the waiter sleeps. The remedy: a token that doesn't recur.
class TokenCondition {
 public:
  void reset(bool broken) {
    tokens_ = broken ? 2 : 1u << 31;
    token_.store(0);
  }
  void wait(Mutex& mutex) {
    const std::uint32_t seen = token_.load();
    mutex.unlock();
    sleep_on(token_, seen);
    mutex.lock();
  }
  void signal() {
    std::uint32_t seen = token_.load();
    while (!token_.compare_exchange_strong(seen, (seen + 1) % tokens_)) {
    }
    wake(token_);
  }

 private:
  std::uint32_t tokens_ = 2;
  Atomic<std::uint32_t> token_;
};

// Row 72. A notifier hands its notice over and waits until it was taken. It keeps the internal mutex meanwhile, and a waiter whose time
// is up needs that mutex before it can say that nobody will take the notice.
class NotifyHoldsMutex : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    internal_.reset();
    waiters_.store(0);
    notice_.store(0);
    start_process(in, [this] { wait(); }, false);
    start_process(in, [this] { notify(); }, false);
  }

 private:
  void wait() {
    internal_.lock();
    waiters_.store(1);
    internal_.unlock();
    const std::uint64_t deadline_ns = world().read_boottime_ns() + 2 * ms;
    for (;;) {
      const std::uint64_t now_ns = world().read_boottime_ns();
      if (now_ns >= deadline_ns) break;
      if (take_notice()) return;
      sleep_on(notice_, 0, deadline_ns - now_ns);
    }
    world().sometimes("timed out");
    internal_.lock();
    waiters_.store(0);
    take_notice();
    internal_.unlock();
  }
  bool take_notice() {
    std::uint32_t seen = 1;
    if (!notice_.compare_exchange_strong(seen, 0)) return false;
    wake(notice_);
    return true;
  }
  void notify() {
    nap(ms);
    internal_.lock();
    if (waiters_.load() == 0) return internal_.unlock();
    notice_.store(1);
    wake(notice_);
    if (!broken()) internal_.unlock();
    while (notice_.load() == 1) sleep_on(notice_, 1);
    if (broken()) internal_.unlock();
  }

  Mutex internal_;
  Atomic<std::uint32_t> waiters_;
  Atomic<std::uint32_t> notice_;
};

}  // namespace

std::vector<Bug> condition_bugs() {
  return {
      {.id = "condvar-group-reused",
       .rows = "53",
       .property = "lost_wake",
       .source = "glibc 1db84775f8 (BZ 25847)",
       .summary = "a slow waiter takes the signal of strangers that use its group's slot after it",
       .config = {},
       .make = make<Items<GroupCondition>>},
      {.id = "wait-token-reused",
       .rows = "57",
       .property = "lost_wake",
       .source = "musl 97c5b5a8, SBCL 1.0.37.34",
       .summary = "two signals bring back the token that a waiter is about to sleep on",
       .config = {},
       .make = make<Items<TokenCondition>>},
      {.id = "notify-holds-mutex",
       .rows = "72",
       .property = "hang",
       .source = "Boost.Interprocess 296d038",
       .summary = "a notifier waits for its waiter with the mutex that the waiter needs to leave",
       .config = {},
       .make = make<NotifyHoldsMutex>},
  };
}

}  // namespace tenure::sim::protocols
