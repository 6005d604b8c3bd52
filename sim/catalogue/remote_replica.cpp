// Locks of one or several stores that fail over, restart, or keep wrong time; and what a pause does to any of them.
#include "sim/catalogue/remote.hpp"

namespace tenure::sim::protocols {

namespace {

// Row 12. The replica serves before it has the key. The remedy: the lock is taken when the replica has it, too.
class FailOverLosesKey : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in, {.replica_lag_ns = lag_ns});
    for (int client = 0; client < 2; ++client) {
      start_process(in, [this] { use(); });
    }
  }

 private:
  static constexpr std::uint64_t lag_ns = 5 * ms;
  static constexpr std::uint64_t ttl_ns = 20 * ms;

  void use() {
    for (std::uint32_t left = world().size(3); left != 0; --left) {
      const std::uint64_t token = new_token();
      const std::uint64_t deadline_ns = boottime_ns() + ttl_ns;
      if (store().set_nx(lock_key, token, ttl_ns) == Outcome::done && (broken() || replicated(token))) {
        beliefs_.granted(world(), deadline_ns);
        nap(5 * ms);
        beliefs_.ended(world());
        store().delete_if(lock_key, token);
      } else {
        nap(2 * ms);
      }
    }
  }
  bool replicated(std::uint64_t token) const {
    nap(lag_ns);
    return store().wait(lock_key, token) == Outcome::done;
  }
};

// Three stores; who has the key at two of them has the lock, from then until the time to live has passed since before the first request.
class Redlock : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;

 protected:
  static constexpr std::uint32_t nodes = 3;
  static constexpr std::uint64_t ttl_ns = 20 * ms;

  void open_nodes(World& in, const StoreOptions& options = {}) {
    open(in, options);
    timeout_ns_ = 5 * ms;
    servers_[0] = server_;
    for (std::uint32_t node = 1; node < nodes; ++node) servers_[node] = others_[node - 1].open(in, options);
  }
  StoreClient store_of(std::uint32_t node) const { return StoreClient(servers_[node], timeout_ns_); }
  // Starts with its own node, and asks no more than it needs: as if another one were not reached.
  std::uint64_t try_majority(std::uint32_t first, std::uint64_t token) {
    const std::uint64_t deadline_ns = boottime_ns() + ttl_ns;
    std::uint32_t granted = 0;
    for (std::uint32_t i = 0; i < nodes && granted < 2; ++i) {
      granted += store_of((first + i) % nodes).set_nx(lock_key, token, ttl_ns) == Outcome::done ? 1 : 0;
    }
    if (granted >= 2 && boottime_ns() < deadline_ns) return deadline_ns;
    release(token);
    return 0;
  }
  void release(std::uint64_t token) {
    for (std::uint32_t node = 0; node < nodes; ++node) store_of(node).delete_if(lock_key, token);
  }

 private:
  std::array<KeyValueStore, nodes - 1> others_;
  std::array<ServerId, nodes> servers_{};
};

// Row 13. The stores' clocks are clocks of day, and one of them jumps.
// Row 14. A store restarts, and has forgotten its keys.
class RedlockForgets : public Redlock {
 public:
  using Redlock::Redlock;
  void setup(World& in) override {
    open_nodes(in, options());
    for (std::uint32_t client = 0; client < 2; ++client) {
      start_process(in, [this, client] { use(client); });
    }
  }

 private:
  virtual StoreOptions options() const = 0;
  void use(std::uint32_t client) {
    for (std::uint32_t left = world().size(2); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (const std::uint64_t deadline_ns = try_majority(client, token)) {
        beliefs_.granted(world(), deadline_ns);
        nap(ttl_ns / 2);
        beliefs_.ended(world());
        release(token);
      }
      nap((1 + client) * ms);
    }
  }
};

class RedlockClockJump : public RedlockForgets {
 public:
  using RedlockForgets::RedlockForgets;

 private:
  StoreOptions options() const override { return {.expires_by_realtime = broken()}; }
};

class RedlockRestart : public RedlockForgets {
 public:
  using RedlockForgets::RedlockForgets;

 private:
  StoreOptions options() const override { return {.disk_lag_ns = broken() ? never_ns : 0}; }
};

// Row 13. A holder that has looked at the clock stops, and writes when another one holds. No lock prevents that: the resource has to.
class RedlockPause : public Redlock {
 public:
  using Redlock::Redlock;
  void setup(World& in) override {
    open_nodes(in);
    resource_.open(in, !broken());
    for (std::uint32_t client = 0; client < 2; ++client) {
      start_process(in, [this, client] { use(client); });
    }
  }

 private:
  static constexpr std::uint64_t number_key = 2;

  void use(std::uint32_t client) {
    for (std::uint32_t left = world().size(4); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (const std::uint64_t deadline_ns = try_majority(client, token)) {
        const std::uint64_t number = store_of(0).incr(number_key).value;
        if (number != 0 && boottime_ns() < deadline_ns) resource_.write(number, resource_.granted(), deadline_ns, timeout_ns_);
        release(token);
      }
      nap(ttl_ns / 4);
    }
  }

  GuardedResource resource_;
};

// Row 32. The record says until when it holds, by the clock of day of its writer, and others compare that with their own. The remedy: they
// wait, by a clock that never jumps, until they have seen the same record for the whole length.
class WallClockLease : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    for (int client = 0; client < 2; ++client) {
      in.spawn(in.spawn_process(true, in.add_host()), [this] { use(); });
    }
  }

 private:
  static constexpr std::uint64_t length_ms = 20;
  static constexpr std::uint32_t token_bits = 8;  // no record is like another one
  struct Seen {
    std::uint64_t record = 0;
    std::uint64_t at_ns = 0;
  };

  void use() {
    Seen seen;
    for (std::uint32_t left = world().size(12); left != 0; --left) {
      const std::uint64_t deadline_ns = boottime_ns() + length_ms * ms;
      const std::uint64_t until_ms = realtime_ms() + length_ms;
      const std::uint64_t record = store().get(lock_key).value;
      const std::uint64_t mine = until_ms << token_bits | new_token();
      const bool over = record == 0 || (broken() ? record >> token_bits < until_ms - length_ms : unchanged(seen, record));
      if (over && store().compare_and_set(lock_key, record, mine) == Outcome::done) {
        beliefs_.granted(world(), deadline_ns);
        nap(10 * ms);
        beliefs_.ended(world());
        store().delete_if(lock_key, mine);
      }
      nap(6 * ms);
    }
  }
  static bool unchanged(Seen& seen, std::uint64_t record) {
    const std::uint64_t now_ns = boottime_ns();
    if (seen.record != record) seen = {record, now_ns};
    return now_ns >= seen.at_ns + length_ms * ms;
  }
};

}  // namespace

std::vector<Bug> remote_replica_bugs() {
  return {
      {.id = "fail-over-loses-key",
       .rows = "12",
       .property = "exclusion",
       .source = "redisson#2669, e2b3973c3, redbeat#163, infrahub#9450",
       .summary = "a replica takes over before the key has reached it",
       .config = {.fail_overs_max = 1},
       .make = make<FailOverLosesKey>},
      {.id = "redlock-clock-jump",
       .rows = "13",
       .property = "exclusion",
       .source = "Kleppmann 2016",
       .summary = "three stores expire keys by the clock of day, and it jumps at one of them",
       .config = {.realtime_jumps_max = 2, .partitions_max = 1, .message_faults_max = 1, .realtime_jump_ms_max = 100},
       .make = make<RedlockClockJump>},
      {.id = "redlock-pause",
       .rows = "13",
       .property = "fencing",
       .source = "Kleppmann 2016",
       .summary = "a holder stops between its look at the clock and its write",
       .config = {.pauses_max = 1, .partitions_max = 1, .message_faults_max = 1},
       .make = make<RedlockPause>},
      {.id = "redlock-restart-without-persistence",
       .rows = "14",
       .property = "exclusion",
       .source = "Kleppmann 2016",
       .summary = "one of three stores restarts without its keys within their time to live",
       .config = {.partitions_max = 1, .restarts_max = 2, .message_faults_max = 1},
       .make = make<RedlockRestart>},
      {.id = "lease-by-wall-clock",
       .rows = "32",
       .property = "exclusion",
       .source = "kubernetes#125761, #23731, ShedLock#132",
       .summary = "a lease ends by the clock of day of whoever looks",
       .config = {.realtime_jumps_max = 1, .realtime_jump_ms_max = 100},
       .make = make<WallClockLease>},
  };
}

}  // namespace tenure::sim::protocols
