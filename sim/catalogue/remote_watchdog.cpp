// Locks elsewhere that a thread of the holder renews as long as it holds.
#include "sim/catalogue/remote.hpp"

namespace tenure::sim::protocols {

namespace {

// Row 8. Every entry of a read lock is an id of its own, with its own time to live. The last exit takes away one of them, and the watchdog
// renews the others for ever.
class EntriesLeftBehind : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    entries_.store(0);
    over_ = false;
    start_process(in, [this] { read(); });
    start_process(in, [this] { write(); }, false);
  }

 private:
  static constexpr std::uint64_t ttl_ns = 50 * ms;
  static constexpr std::uint64_t entry_key = 10;

  void read() {
    for (std::uint32_t entry = 0; entry < 2; ++entry) {
      store().set(entry_key + entry, 1, ttl_ns);
      entries_.fetch_or(1u << entry);
      if (entry == 0) world().spawn(world().this_process(), [this] { renew(); });
    }
    nap(ms);
    for (std::uint32_t entry = broken() ? 1 : 0; entry < 2; ++entry) {
      entries_.fetch_and(~(1u << entry));
      store().del(entry_key + entry);
    }
  }
  void renew() {
    for (std::uint32_t entries = 0; !over_ && (entries = entries_.load()) != 0;) {
      for (std::uint32_t entry = 0; entry < 2; ++entry) {
        if ((entries >> entry & 1) != 0) store().expire(entry_key + entry, ttl_ns);
      }
      nap(ttl_ns / 2);
    }
  }
  void write() {
    const auto free = [this](std::uint32_t entry) { return store().get(entry_key + entry).outcome == Outcome::refused; };
    await([&] { return free(0) && free(1); }, ttl_ns / 2, 5 * ttl_ns);
    over_ = true;
  }

  Atomic<std::uint32_t> entries_;
  bool over_ = false;  // nobody is left who could wait
};

// Row 9. The watchdog ends with the connection it has, and tells nobody. Users then hold until they are told that they don't. The remedy:
// they look when it renewed last.
class WatchdogEndsSilently : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    timeout_ns_ = 5 * ms;
    lost_.store(0);
    deadline_ns_.store(0);
    start_process(in, [this] { use(); });
    start_process(in, [this] { contend(); });
  }

 private:
  static constexpr std::uint64_t ttl_ns = 30 * ms;

  void use() {
    const std::uint64_t token = new_token();
    const std::uint64_t deadline_ns = boottime_ns() + ttl_ns;
    if (store().set_nx(lock_key, token, ttl_ns) != Outcome::done) return;
    deadline_ns_.store(deadline_ns);
    beliefs_.granted(world(), broken() ? never_ns : deadline_ns);
    const ThreadId user = world().this_thread();
    world().spawn(world().this_process(), [this, token, user] { renew(token, user); });
    for (int i = 0; i < 6 && holds(); ++i) nap(ttl_ns / 3);
    beliefs_.ended(world());
    lost_.store(1);
    store().delete_if(lock_key, token);
  }
  bool holds() const { return broken() ? lost_.load() == 0 : boottime_ns() < deadline_ns_.load(); }
  void renew(std::uint64_t token, ThreadId user) {
    while (lost_.load() == 0) {
      nap(ttl_ns / 3);
      const std::uint64_t deadline_ns = boottime_ns() + ttl_ns;
      const Outcome outcome = store().expire_if(lock_key, token, ttl_ns);
      if (outcome == Outcome::unknown) return;
      if (outcome == Outcome::refused) return lost_.store(1);
      deadline_ns_.store(deadline_ns);
      if (!broken()) beliefs_.renewed(world(), user, deadline_ns);
    }
  }
  void contend() {
    for (std::uint32_t left = world().size(8); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (try_lock(token, ttl_ns) != 0) {
        nap(ms);
        beliefs_.ended(world());
        store().delete_if(lock_key, token);
      }
      nap(ttl_ns / 3);
    }
  }

  Atomic<std::uint32_t> lost_;
  Atomic<std::uint64_t> deadline_ns_;
};

// Row 9. Leaving the inner one of two nested holds stops the watchdog of the outer one.
class InnerUnlockStopsWatchdog : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    renewing_.store(0);
    start_process(in, [this] { use(); });
    start_process(in, [this] { contend(); });
  }

 private:
  static constexpr std::uint64_t ttl_ns = 1000 * ms;

  void use() {
    const std::uint64_t token = new_token();
    if (store().set_nx(lock_key, token, ttl_ns) != Outcome::done) return;
    beliefs_.granted(world());
    renewing_.store(1);
    world().spawn(world().this_process(), [this, token] { renew(token); });
    nest();
    nap(2 * ttl_ns);
    beliefs_.ended(world());
    renewing_.store(0);
    store().delete_if(lock_key, token);
  }
  void nest() {
    nap(ms);
    if (broken()) renewing_.store(0);
  }
  void renew(std::uint64_t token) {
    while (renewing_.load() != 0) {
      store().expire_if(lock_key, token, ttl_ns);
      nap(ttl_ns / 3);
    }
  }
  void contend() {
    for (std::uint32_t left = world().size(4); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (try_lock(token, ttl_ns) != 0) {
        nap(ms);
        beliefs_.ended(world());
        store().delete_if(lock_key, token);
      }
      nap(ttl_ns / 2);
    }
  }

  Atomic<std::uint32_t> renewing_;
};

}  // namespace

std::vector<Bug> remote_watchdog_bugs() {
  return {
      {.id = "reentrant-read-left-behind",
       .rows = "8",
       .property = "liveness",
       .source = "redisson 8e1cd9b3a",
       .summary = "of a read lock's entries one is removed, and the watchdog renews the others for ever",
       .config = {},
       .make = make<EntriesLeftBehind>},
      {.id = "watchdog-ends-silently",
       .rows = "9",
       .property = "exclusion",
       .source = "redisson#3194, #1604, #5698",
       .summary = "the watchdog ends with its connection, and nobody is told",
       .config = {.message_faults_max = 1},
       // A late double of the SET NX revives an expired lock, and a watchdog that was paused meanwhile renews it: only fencing helps there.
       .harsh = false,
       .make = make<WatchdogEndsSilently>},
      {.id = "inner-unlock-stops-watchdog",
       .rows = "9",
       .property = "exclusion",
       .source = "redisson#6144",
       .summary = "leaving the inner of two nested holds stops the watchdog of the outer one",
       .config = {},
       .make = make<InnerUnlockStopsWatchdog>},
  };
}

}  // namespace tenure::sim::protocols
