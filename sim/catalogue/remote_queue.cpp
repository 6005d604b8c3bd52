// Waiting for a lock elsewhere: queues, notifications, several locks at once.
#include "sim/catalogue/remote.hpp"

namespace tenure::sim::protocols {

namespace {

// Row 15. Waiters queue by number. A place lasts for a time that was fixed when its waiter came, longer for each one, so a dead one at the
// head holds up all behind it. The remedy: a place lasts only as long as its waiter is heard of.
class DeadHeadBlocks : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    start_process(in, [this] { use(); });
    for (int client = 0; client < 2; ++client) {
      start_process(in, [this] { use(); }, client == 0);
    }
  }

 private:
  static constexpr std::uint64_t last_key = 2;    // the number of the last one in the queue
  static constexpr std::uint64_t served_key = 3;  // the number of the last one who is through
  static constexpr std::uint64_t place_key = 10;  // + number
  static constexpr std::uint64_t heard_ns = 50 * ms;
  static constexpr std::uint64_t patience_ns = 5 * seconds;

  struct Place {
    std::uint64_t number = 0;
    std::uint64_t deadline_ns = 0;
  };

  void use() {
    Place mine;
    await([&] { return at_head(mine); }, 20 * ms, 300 * ms);
    beliefs_.granted(world(), mine.deadline_ns);
    nap(ms);
    beliefs_.ended(world());
    store().compare_and_set(served_key, mine.number - 1, mine.number);
  }
  bool at_head(Place& mine) {
    const bool comes = mine.number == 0;
    if (comes) mine.number = store().incr(last_key).value;
    if (comes || !broken()) {
      const std::uint64_t lasts_ns = broken() ? patience_ns * mine.number : heard_ns;
      mine.deadline_ns = boottime_ns() + lasts_ns;
      store().set(place_key + mine.number, 1, lasts_ns);
    }
    const std::uint64_t head = store().get(served_key).value + 1;
    if (head == mine.number) return true;
    if (head > mine.number) {
      mine = {};
    } else if (store().get(place_key + head).outcome == Outcome::refused) {
      store().compare_and_set(served_key, head - 1, head);
    }
    return false;
  }
};

// Row 16. Who is refused subscribes to releases, and the one that matters has been told before. The remedy: subscribe first, then try.
class SubscribesTooLate : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    waiting_ = 0;
    for (int client = 0; client < 2; ++client) {
      start_process(in, [this] { use(); }, false);
    }
  }
  void on_idle(World& in) override {
    if (waiting_ != 0 && !store_.has(in, lock_key)) in.fail("lost_wake", "somebody waits for a lock that is free");
  }

 private:
  void use() {
    if (!broken()) store().subscribe(lock_key);
    for (std::uint32_t left = world().size(2); left != 0; --left) hold();
  }
  void hold() {
    const std::uint64_t token = new_token();
    while (store().set_nx(lock_key, token) != Outcome::done) {
      if (broken()) store().subscribe(lock_key);
      StoreNotice notice{};
      ++waiting_;
      world().receive(notice);
      --waiting_;
    }
    beliefs_.granted(world());
    nap(world().choose(4) * ms / 4);
    beliefs_.ended(world());
    store().delete_if(lock_key, token);
    nap(world().choose(4) * ms / 4);
  }

  int waiting_ = 0;
};

// Row 16. A notification is sent once, and may be lost. The remedy: no wait without an end.
class NotificationLost : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    timeout_ns_ = 5 * ms;
    for (int client = 0; client < 2; ++client) {
      start_process(in, [this] { use(); });
    }
  }

 private:
  static constexpr std::uint64_t ttl_ns = 50 * ms;

  void use() {
    const std::uint64_t token = new_token();
    store().subscribe(lock_key);
    while (try_lock(token, ttl_ns) == 0) {
      StoreNotice notice{};
      world().receive(notice, broken() ? never_ns : ttl_ns);
    }
    nap(ms);
    beliefs_.ended(world());
    store().delete_if(lock_key, token);
  }
};

// Row 20. Several locks, each client with its own order. What is left to wait is computed without a sign: the wait never ends, and what has
// been taken is kept meanwhile.
class MultiLockUnderflow : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    for (std::uint64_t client = 0; client < 2; ++client) {
      start_process(in, [this, client] { use(client); }, false);
    }
  }

 private:
  static constexpr std::uint64_t poll_ns = 40 * ms;
  static constexpr std::uint64_t bound_ns = 400 * ms;

  void use(std::uint64_t client) {
    const std::uint64_t token = new_token();
    nap(world().choose(8) * ms / 2);
    const std::uint64_t keys[] = {lock_key + client, lock_key + 1 - client};
    // The one that gives up stays away for longer than the other one's patience.
    await([&] { return take_both(keys, token, (1 + client) * poll_ns); }, 4 * poll_ns * client, bound_ns);
    beliefs_.granted(world());
    nap(ms);
    beliefs_.ended(world());
    for (const std::uint64_t key : keys) store().delete_if(key, token);
  }
  bool take_both(const std::uint64_t (&keys)[2], std::uint64_t token, std::uint64_t patience_ns) {
    const std::uint64_t until_ns = boottime_ns() + patience_ns;
    for (const std::uint64_t key : keys) {
      while (store().set_nx(key, token) != Outcome::done) {
        if (broken()) world().end_wait(bound_ns);
        const std::uint64_t left_ns = until_ns - boottime_ns();
        const bool none_left = broken() ? left_ns == 0 : static_cast<std::int64_t>(left_ns) <= 0;
        if (none_left) {
          for (const std::uint64_t taken : keys) store().delete_if(taken, token);
          return false;
        }
        nap(poll_ns);
      }
    }
    return true;
  }
};

}  // namespace

std::vector<Bug> remote_queue_bugs() {
  return {
      {.id = "dead-head-blocks-queue",
       .rows = "15",
       .property = "liveness",
       .source = "redisson#1104, #2099, #3730, #4595",
       .summary = "a dead waiter keeps its place at the head for a time that grows with the queue",
       .config = {.kills_max = 1},
       .make = make<DeadHeadBlocks>},
      {.id = "subscribes-too-late",
       .rows = "16",
       .property = "lost_wake",
       .source = "redisson#5762",
       .summary = "the release is told between a refused try and the subscription",
       .config = {},
       .make = make<SubscribesTooLate>},
      {.id = "release-notification-lost",
       .rows = "16",
       .property = "hang",
       .source = "redisson#5762, #1763",
       .summary = "the only notification of a release is lost, and the waiter sleeps for ever",
       .config = {.message_faults_max = 1},
       .make = make<NotificationLost>},
      {.id = "multi-lock-keeps-part",
       .rows = "20",
       .property = "liveness",
       .source = "redisson#4050, 52843b106",
       .summary = "the rest of a wait underflows, and what was taken of several locks is kept for ever",
       .config = {},
       .make = make<MultiLockUnderflow>},
  };
}

}  // namespace tenure::sim::protocols
