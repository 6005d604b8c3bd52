// What numbers of grants are for, and how they fail.
#include "sim/catalogue/remote.hpp"

namespace tenure::sim::protocols {

namespace {

// Row 13. A single store that does nothing wrong, and a client that does nothing wrong either.
class OwnerCheckPause : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    timeout_ns_ = 5 * ms;
    resource_.open(in, !broken());
    for (int client = 0; client < 2; ++client) {
      start_process(in, [this] { use(); });
    }
  }

 private:
  static constexpr std::uint64_t number_key = 2;
  static constexpr std::uint64_t ttl_ns = 10 * ms;

  void use() {
    for (std::uint32_t left = world().size(6); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (const std::uint64_t deadline_ns = try_lock(token, ttl_ns)) {
        const std::uint64_t number = store().incr(number_key).value;
        if (number != 0 && boottime_ns() < deadline_ns) resource_.write(number, resource_.granted(), deadline_ns, timeout_ns_);
        beliefs_.ended(world());
        store().delete_if(lock_key, token);
      }
      nap(ttl_ns / 4);
    }
  }

  GuardedResource resource_;
};

// F2. The number is drawn after the last look at the clock: a stale holder draws one that is newer than its successor's, and the resource
// can do nothing. The remedy: first the number, then the clock.
class NumberDrawnLate : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    timeout_ns_ = 5 * ms;
    resource_.open(in, true);
    for (int client = 0; client < 2; ++client) {
      start_process(in, [this] { use(); });
    }
  }

 private:
  static constexpr std::uint64_t number_key = 2;
  static constexpr std::uint64_t ttl_ns = 10 * ms;

  void use() {
    for (std::uint32_t left = world().size(6); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (const std::uint64_t deadline_ns = try_lock(token, ttl_ns)) {
        std::uint64_t number = broken() ? 0 : store().incr(number_key).value;
        if (boottime_ns() < deadline_ns) {
          const Fencing::GrantNumber grant = resource_.granted();
          if (broken()) number = store().incr(number_key).value;
          if (number != 0) resource_.write(number, grant, deadline_ns, timeout_ns_);
        }
        beliefs_.ended(world());
        store().delete_if(lock_key, token);
      }
      nap(ttl_ns / 4);
    }
  }

  GuardedResource resource_;
};

// F1. The number of the grant is kept where the lock is, and a release deletes it.
class TokenRestarts : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    last_number_ = 0;
    for (int client = 0; client < 2; ++client) {
      start_process(in, [this] { use(); });
    }
  }

 private:
  static constexpr std::uint64_t number_key = 2;
  static constexpr std::uint64_t ttl_ns = 10 * ms;

  void use() {
    for (std::uint32_t left = world().size(3); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (const std::uint64_t deadline_ns = try_lock(token, ttl_ns)) {
        const std::uint64_t number = store().incr(number_key).value;
        if (boottime_ns() < deadline_ns) judge(number);
        beliefs_.ended(world());
        if (broken()) store().del(number_key);
        store().delete_if(lock_key, token);
      }
      nap(2 * ms);
    }
  }
  void judge(std::uint64_t number) {
    if (number <= last_number_) world().fail("token", "the number of a grant is not larger than that of the one before");
    last_number_ = number;
  }

  std::uint64_t last_number_ = 0;
};

}  // namespace

std::vector<Bug> remote_fencing_bugs() {
  return {
      {.id = "set-nx-with-owner-check",
       .rows = "13",
       .property = "fencing",
       .source = "Kleppmann 2016, redisson#4684",
       .summary = "SET NX PX and a checked release: a holder stops before its write, and writes late",
       .config = {.pauses_max = 1, .message_faults_max = 1},
       .make = make<OwnerCheckPause>},
      {.id = "fencing-token-drawn-late",
       .rows = "F2",
       .property = "fencing",
       .source = "no public report: a counter beside the lock, as Kleppmann 2016 asks for",
       .summary = "a stale holder draws a number that is newer than its successor's",
       .config = {.pauses_max = 1, .message_faults_max = 1},
       .make = make<NumberDrawnLate>},
      {.id = "fencing-token-restarts",
       .rows = "F1",
       .property = "token",
       .source = "madelson/DistributedLock MongoDistributedLock.cs",
       .summary = "the number of a grant is kept in the lock's record, and a release deletes that",
       .config = {},
       .make = make<TokenRestarts>},
  };
}

}  // namespace tenure::sim::protocols
