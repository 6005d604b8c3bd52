// Handles of a lock elsewhere, which know something else than the store does.
#include "sim/catalogue/remote.hpp"

namespace tenure::sim::protocols {

namespace {

// Row 5. The handle forgets its token before it asks for the release. When that fails there is nothing left to release with; and by default
// such locks have no time to live.
class TokenForgotten : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    failed_ = false;
    for (int client = 0; client < 2; ++client) {
      start_process(in, [this] { use(); }, false);
    }
  }

 private:
  void use() {
    std::uint64_t token = new_token();
    await([&] { return store().set_nx(lock_key, token) == Outcome::done; }, 20 * ms, 300 * ms);
    nap(ms);
    for (int tries = 0; tries < 3 && token != 0; ++tries) {
      const std::uint64_t mine = token;
      if (broken()) token = 0;
      if (connection_fails()) continue;
      store().delete_if(lock_key, mine);
      token = 0;
    }
  }
  // Before anything was sent. Twice in a row it never does.
  bool connection_fails() {
    failed_ = !failed_ && world().choose(3) == 0;
    return failed_;
  }

  bool failed_ = false;
};

// Row 5. Two threads use one handle, and the token of the second overwrites that of the first, which then releases what the second has.
class SharedHandle : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    handle_token_.store(0);
    const ProcessId process = in.spawn_process();
    for (int thread = 0; thread < 2; ++thread) {
      in.spawn(process, [this] { use(true); });
    }
    start_process(in, [this] { use(false); });
  }

 private:
  static constexpr std::uint64_t ttl_ns = 10 * ms;

  void use(bool by_handle) {
    for (std::uint32_t left = world().size(4); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (try_lock(token, ttl_ns) == 0) {
        nap(2 * ms);
        continue;
      }
      if (by_handle) handle_token_.store(token);
      nap(world().choose(3) == 0 ? ttl_ns + 2 * ms : ms);
      beliefs_.ended(world());
      store().delete_if(lock_key, by_handle && broken() ? handle_token_.load() : token);
    }
  }

  Atomic<std::uint64_t> handle_token_;
};

// Row 11. Extending returns a new handle. Who keeps the old one finds it expired, and does not release.
class StaleHandle : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    start_process(in, [this] { use(); }, false);
    start_process(in, [this] { wait(); }, false);
  }

 private:
  struct Handle {
    std::uint64_t token;
    std::uint64_t deadline_ns;
  };
  static constexpr std::uint64_t ttl_ns = 20 * ms;
  static constexpr std::uint64_t long_ns = 10 * seconds;

  void use() {
    Handle handle{new_token(), 0};
    handle.deadline_ns = try_lock(handle.token, ttl_ns);
    if (handle.deadline_ns == 0) return;
    nap(ms);
    const Handle extended = extend(handle);
    if (!broken()) handle = extended;
    nap(ttl_ns);
    beliefs_.ended(world());
    if (boottime_ns() < handle.deadline_ns) store().delete_if(lock_key, handle.token);
  }
  Handle extend(const Handle& handle) {
    const std::uint64_t deadline_ns = boottime_ns() + long_ns;
    if (store().expire_if(lock_key, handle.token, long_ns) != Outcome::done) return handle;
    beliefs_.renewed(world(), world().this_thread(), deadline_ns);
    return {handle.token, deadline_ns};
  }
  void wait() {
    await([this] { return try_lock(new_token(), ttl_ns) != 0; }, 50 * ms, 500 * ms);
    beliefs_.ended(world());
  }
};

// Row 23. The handle keeps the lease time of one acquisition, and the next one, which names none, gets it instead of the default.
class LeaseTimeLeaks : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    for (std::uint64_t& lease_ns : handle_lease_ns_) lease_ns = default_ns;
    for (std::uint32_t client = 0; client < 2; ++client) {
      start_process(in, [this, client] { use(client); });
    }
  }

 private:
  static constexpr std::uint64_t default_ns = 200 * ms;
  static constexpr std::uint64_t short_ns = 20 * ms;

  void use(std::uint32_t client) {
    hold_for(client, short_ns, 5 * ms);
    for (std::uint32_t left = world().size(2); left != 0; --left) hold_for(client, 0, 50 * ms);
  }
  // 0: the default.
  void hold_for(std::uint32_t client, std::uint64_t lease_ns, std::uint64_t hold_ns) {
    if (lease_ns != 0 && broken()) handle_lease_ns_[client] = lease_ns;
    const std::uint64_t wanted_ns = lease_ns != 0 ? lease_ns : default_ns;
    const std::uint64_t token = new_token();
    const std::uint64_t deadline_ns = boottime_ns() + wanted_ns;
    if (store().set_nx(lock_key, token, broken() ? handle_lease_ns_[client] : wanted_ns) != Outcome::done) return nap(hold_ns);
    beliefs_.granted(world(), deadline_ns);
    nap(hold_ns);
    beliefs_.ended(world());
    store().delete_if(lock_key, token);
  }

  std::uint64_t handle_lease_ns_[2] = {};
};

}  // namespace

std::vector<Bug> remote_handle_bugs() {
  return {
      {.id = "token-forgotten-at-release",
       .rows = "5",
       .property = "liveness",
       .source = "redis-py#4258",
       .summary = "the handle forgets its token before the release has succeeded, and cannot try again",
       .config = {},
       .make = make<TokenForgotten>},
      {.id = "handle-shared-by-threads",
       .rows = "5",
       .property = "exclusion",
       .source = "redis-py#489",
       .summary = "two threads share a handle, and one releases with the token of the other",
       .config = {},
       .make = make<SharedHandle>},
      {.id = "extend-returns-new-handle",
       .rows = "11",
       .property = "liveness",
       .source = "node-redlock#103",
       .summary = "the caller keeps the handle from before the extension, finds it expired, and does not release",
       .config = {},
       .make = make<StaleHandle>},
      {.id = "lease-time-leaks",
       .rows = "23",
       .property = "exclusion",
       .source = "redisson#4818, #5623",
       .summary = "the lease time of one acquisition stays in the handle, and the next one gets it",
       .config = {},
       .make = make<LeaseTimeLeaks>},
  };
}

}  // namespace tenure::sim::protocols
