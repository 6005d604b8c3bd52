// Locks that are a key with a time to live: what it is set to, and what becomes of it.
#include "sim/catalogue/remote.hpp"

namespace tenure::sim::protocols {

namespace {

// Somebody may die with the lock, and somebody else waits for it. The time to live frees it.
class DiesHolding : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    start_process(in, [this] { use(); });
    start_process(in, [this] { wait(); }, false);
  }

 protected:
  static constexpr std::uint64_t ttl_ms = 50;
  virtual bool acquire(std::uint64_t token) = 0;

 private:
  void use() {
    const std::uint64_t token = new_token();
    if (!acquire(token)) return;
    nap(ms);
    store().delete_if(lock_key, token);
  }
  void wait() {
    constexpr std::uint64_t poll_ns = 20 * ms;
    constexpr std::uint64_t bound_ns = 200 * ms;
    nap(ms);
    const std::uint64_t token = new_token();
    await([&] { return acquire(token); }, poll_ns, bound_ns);
    store().delete_if(lock_key, token);
  }
};

// Row 1.
class SetThenExpire : public DiesHolding {
 public:
  using DiesHolding::DiesHolding;

 private:
  bool acquire(std::uint64_t token) override {
    if (!broken()) return store().set_nx(lock_key, token, ttl_ms * ms) == Outcome::done;
    return store().set_nx(lock_key, token) == Outcome::done && store().expire(lock_key, ttl_ms * ms) == Outcome::done;
  }
};

// Row 2: a number of milliseconds goes where seconds are meant.
class MillisecondsAsSeconds : public DiesHolding {
 public:
  using DiesHolding::DiesHolding;

 private:
  bool acquire(std::uint64_t token) override {
    return store().set_nx(lock_key, token, broken() ? ttl_ms * seconds : ttl_ms * ms) == Outcome::done;
  }
};

// Clients that take the lock a few times, and may overrun its time to live. Each knows its deadline and keeps to it.
class Overrun : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    for (std::uint32_t client = 0; client < 2; ++client) {
      start_process(in, [this, client] { use(client); });
    }
  }

 protected:
  static constexpr std::uint64_t ttl_ns = 10 * ms;
  // Takes the lock with what time to live it likes. The caller believes in ttl_ns.
  virtual bool acquire(std::uint64_t token) { return try_lock(token, ttl_ns) != 0; }
  virtual void hold(std::uint64_t) { nap(world().choose(3) == 0 ? ttl_ns + 5 * ms : ms); }
  virtual void release(std::uint64_t token) { store().delete_if(lock_key, token); }
  virtual std::uint64_t poll_ns() const { return 2 * ms; }

 private:
  void use(std::uint32_t client) {
    for (std::uint32_t left = world().size(4); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (acquire(token)) {
        hold(token);
        beliefs_.ended(world());
        release(token);
      } else {
        nap(poll_ns() + client * ms);
      }
    }
  }
};

// Row 2: the store's command takes seconds.
class TruncatedTtl : public Overrun {
 public:
  using Overrun::Overrun;

 private:
  static constexpr std::uint64_t long_ns = 1500 * ms;

  bool acquire(std::uint64_t token) override {
    const std::uint64_t deadline_ns = boottime_ns() + long_ns;
    if (store().set_nx(lock_key, token, broken() ? long_ns / seconds * seconds : long_ns) != Outcome::done) return false;
    beliefs_.granted(world(), deadline_ns);
    return true;
  }
  void hold(std::uint64_t) override { nap(1200 * ms); }
  std::uint64_t poll_ns() const override { return 350 * ms; }
};

// Row 3.
class ReleaseWithoutOwnerCheck : public Overrun {
 public:
  using Overrun::Overrun;

 private:
  void release(std::uint64_t token) override {
    if (broken()) {
      store().del(lock_key);
    } else {
      store().delete_if(lock_key, token);
    }
  }
};

// Row 4.
class GetCompareDelete : public Overrun {
 public:
  using Overrun::Overrun;

 private:
  void hold(std::uint64_t) override { nap(ttl_ns - ms - world().choose(4) * ms / 4); }
  void release(std::uint64_t token) override {
    if (!broken()) {
      store().delete_if(lock_key, token);
    } else if (store().get(lock_key).value == token) {
      store().del(lock_key);
    }
  }
};

// Row 6. The script of the extension sets the key also where there is none, so that an extension after the end is told as if there were no
// gap.
class ExtendRecreatesKey : public Overrun {
 public:
  using Overrun::Overrun;

 private:
  void hold(std::uint64_t token) override {
    Overrun::hold(token);
    const std::uint64_t deadline_ns = boottime_ns() + ttl_ns;
    bool extended = store().expire_if(lock_key, token, ttl_ns) == Outcome::done;
    if (!extended && broken()) extended = store().set_nx(lock_key, token, ttl_ns) == Outcome::done;
    if (extended) beliefs_.renewed(world(), world().this_thread(), deadline_ns);
  }
};

// Row 7.
class RenewalIgnoresRefusal : public Overrun {
 public:
  using Overrun::Overrun;

 private:
  void hold(std::uint64_t token) override {
    for (int i = 0; i < 2; ++i) {
      Overrun::hold(token);
      const std::uint64_t deadline_ns = boottime_ns() + ttl_ns;
      const Outcome outcome = store().expire_if(lock_key, token, ttl_ns);
      if (outcome != Outcome::done && !broken()) return;
      beliefs_.renewed(world(), world().this_thread(), deadline_ns);
    }
  }
};

// Row 10. What the clocks may differ by has to shorten what a client believes in, and lengthens it.
class DriftAdded : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    for (int client = 0; client < 2; ++client) {
      in.spawn(in.spawn_process(true, in.add_host()), [this] { use(); });
    }
  }

 private:
  static constexpr std::uint64_t ttl_ns = 20 * ms;

  void use() {
    // Each clock may be wrong by so much, in opposite directions, and clocks are read in steps.
    const std::uint64_t drift_ns = 2 * ttl_ns * world().config().drift_ppm_max / 1'000'000 + 2 * ms;
    for (std::uint32_t left = world().size(6); left != 0; --left) {
      const std::uint64_t token = new_token();
      const std::uint64_t deadline_ns = boottime_ns() + (broken() ? ttl_ns + drift_ns : ttl_ns - drift_ns);
      if (store().set_nx(lock_key, token, ttl_ns) != Outcome::done) {
        nap(3 * ms);
        continue;
      }
      beliefs_.granted(world(), deadline_ns);
      nap(ttl_ns);
      beliefs_.ended(world());
      store().delete_if(lock_key, token);
    }
  }
};

}  // namespace

std::vector<Bug> remote_ttl_bugs() {
  return {
      {.id = "setnx-then-expire",
       .rows = "1",
       .property = "liveness",
       .source = "laravel/horizon#1738, redis-py#902, ShedLock#65, sentry#1509",
       .summary = "the time to live is set in a second command, and the client dies before it",
       .config = {.kills_max = 1},
       .make = make<SetThenExpire>},
      {.id = "ttl-truncated-to-seconds",
       .rows = "2",
       .property = "exclusion",
       .source = "reinhardt-web#736, beaker#164",
       .summary = "a time to live of milliseconds is cut to whole seconds",
       .config = {},
       .make = make<TruncatedTtl>},
      {.id = "ttl-milliseconds-as-seconds",
       .rows = "2",
       .property = "liveness",
       .source = "redisson#5484",
       .summary = "milliseconds go where seconds are meant: the lock of a dead client lasts for hours",
       .config = {.kills_max = 1},
       .make = make<MillisecondsAsSeconds>},
      {.id = "set-nx-without-owner-check",
       .rows = "3",
       .property = "exclusion",
       .source = "laravel/framework#26213, nexspence#223, twenty#25661",
       .summary = "release deletes the key, whosever it has become",
       .config = {},
       .make = make<ReleaseWithoutOwnerCheck>},
      {.id = "get-compare-delete",
       .rows = "4",
       .property = "exclusion",
       .source = "leshan#837",
       .summary = "release looks whose the key is, and deletes it in a second command",
       .config = {.pauses_max = 1},
       .make = make<GetCompareDelete>},
      {.id = "extend-recreates-key",
       .rows = "6",
       .property = "exclusion",
       .source = "redlock-rb#36, RedLock.net#49",
       .summary = "an extension after the end sets the key anew, as if nobody had held in between",
       .config = {},
       .make = make<ExtendRecreatesKey>},
      {.id = "renewal-ignores-refusal",
       .rows = "7",
       .property = "exclusion",
       .source = "redisson#597, #2037",
       .summary = "the answer 'not the owner' to a renewal changes nothing",
       .config = {},
       .make = make<RenewalIgnoresRefusal>},
      {.id = "validity-drift-added",
       .rows = "10",
       .property = "exclusion",
       .source = "redlock-py#3, redsync#37",
       .summary = "the allowance for drift lengthens the validity, and has to shorten it",
       .config = {.drift_ppm_max = 50'000},
       .make = make<DriftAdded>},
  };
}

}  // namespace tenure::sim::protocols
