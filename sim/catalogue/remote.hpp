// What the protocols over a store elsewhere share. Internal to sim/catalogue.
//
// A time to live cannot keep two from holding under pauses, unless each looks at its clock when it uses the lock. So "holds" means here
// that the client has the lock by all it knows: its own clock has not passed the deadline that it knows, if it knows one. Where a watchdog
// alone is to keep the lock, times to live are long enough for every pause that the configuration allows.
#pragma once

#include <array>
#include <cstdint>

#include <tenure/sim/process.hpp>
#include <tenure/sim/properties.hpp>
#include <tenure/sim/store.hpp>
#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

// Who holds by all it knows. Judges every grant.
class Beliefs {
 public:
  enum class Mode : std::uint8_t { none, shared, exclusive };

  void reset() {
    holds_ = {};
    grants_ = 0;
  }
  // The running thread holds until its host's clock shows the deadline. One that has passed already gives it nothing.
  void granted(World& in, std::uint64_t deadline_ns = never_ns, Mode mode = Mode::exclusive) {
    const ThreadId mine = in.this_thread();
    holds_[mine] = {mode, in.this_process(), deadline_ns, grants_};
    if (!holds(in, mine)) return;
    holds_[mine].grant = ++grants_;
    for (ThreadId other = 0; other < World::threads_max; ++other) {
      const bool both_share = mode == Mode::shared && holds_[other].mode == Mode::shared;
      if (other != mine && !both_share && holds(in, other)) in.fail("exclusion", "two hold by all they know");
    }
  }
  // The lock tells `thread` that it has held without a gap, and does until the new deadline.
  void renewed(World& in, ThreadId thread, std::uint64_t deadline_ns) {
    Hold& hold = holds_[thread];
    if (hold.mode == Mode::none) return;
    if (in.boottime_ns(in.host(hold.process)) >= deadline_ns) {
      hold = {};
      return;
    }
    if (hold.grant != grants_) in.fail("exclusion", "a hold is renewed, and somebody else has held in between");
    hold.deadline_ns = deadline_ns;
  }
  void ended(const World& in) { holds_[in.this_thread()] = {}; }
  void process_died(ProcessId process) {
    for (Hold& hold : holds_) {
      if (hold.process == process) hold = {};
    }
  }

 private:
  struct Hold {
    Mode mode = Mode::none;
    ProcessId process = 0;
    std::uint64_t deadline_ns = 0;
    std::uint32_t grant = 0;
  };
  bool holds(const World& in, ThreadId thread) const {
    const Hold& hold = holds_[thread];
    return hold.mode != Mode::none && in.boottime_ns(in.host(hold.process)) < hold.deadline_ns;
  }

  std::array<Hold, World::threads_max> holds_;
  std::uint32_t grants_ = 0;
};

// A lock at a store: a key whose value says whose it is.
class RemoteLock : public Protocol {
 public:
  using Protocol::Protocol;
  void on_death(World&, ProcessId process) override { beliefs_.process_died(process); }

 protected:
  static constexpr std::uint64_t lock_key = 1;

  void open(World& in, const StoreOptions& options = {}) {
    beliefs_.reset();
    tokens_ = 0;
    server_ = store_.open(in, options);
  }
  StoreClient store() const { return StoreClient(server_, timeout_ns_); }
  std::uint64_t new_token() { return ++tokens_; }

  // SET NX PX. On success the caller holds until the deadline, which counts from before the request. 0: refused, or nobody knows.
  std::uint64_t try_lock(std::uint64_t token, std::uint64_t ttl_ns) {
    const std::uint64_t deadline_ns = boottime_ns() + ttl_ns;
    if (store().set_nx(lock_key, token, ttl_ns) != Outcome::done) return 0;
    beliefs_.granted(world(), deadline_ns);
    return deadline_ns;
  }
  // Tries until `attempt()`; somebody who waits longer than the bound has been forgotten.
  template <class Attempt>
  static void await(Attempt attempt, std::uint64_t poll_ns, std::uint64_t bound_ns) {
    world().begin_wait();
    while (!attempt()) {
      world().end_wait(bound_ns);
      nap(poll_ns);
    }
  }

  KeyValueStore store_;
  ServerId server_ = 0;
  std::uint64_t timeout_ns_ = never_ns;  // of requests
  Beliefs beliefs_;
  std::uint64_t tokens_ = 0;
};

// What a lock guards, elsewhere too. Judges that it takes no write of a stale holder, whatever the numbers say.
struct GuardedWrite {
  std::uint64_t number;
  Fencing::GrantNumber grant;  // a ghost
};
struct WriteTaken {
  bool taken;
};
class GuardedResource : public ServerOf<GuardedWrite, WriteTaken> {
 public:
  void open(World& in, bool checks_numbers) {
    checks_numbers_ = checks_numbers;
    guard_.reset();
    fencing_.reset();
    id_ = in.add_server(*this);
    in.name_server(id_, "resource");
  }
  // The running thread has just seen that it holds: the grant takes effect.
  Fencing::GrantNumber granted() { return fencing_.granted(); }
  // Two writes, the second only before the deadline.
  void write(std::uint64_t number, Fencing::GrantNumber grant, std::uint64_t deadline_ns, std::uint64_t timeout_ns) const {
    WriteTaken taken{};
    world().call(id_, GuardedWrite{number, grant}, taken, timeout_ns);
    if (boottime_ns() < deadline_ns) world().call(id_, GuardedWrite{number, grant}, taken, timeout_ns);
  }
  WriteTaken answer(World& in, ThreadId, const GuardedWrite& write) override {
    const bool accepted = guard_.accepts(write.number);
    if (!accepted) in.sometimes("stale write");
    if (!accepted && checks_numbers_) return {false};
    fencing_.wrote(in, write.grant);
    return {true};
  }

 private:
  bool checks_numbers_ = false;
  FencedResource guard_;
  Fencing fencing_;
  ServerId id_ = 0;
};

}  // namespace tenure::sim::protocols
