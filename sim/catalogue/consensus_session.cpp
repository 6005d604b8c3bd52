// One key in a consensus store that lives with its owner's session: requests whose outcome nobody knows, and sessions that ended unnoticed.
#include "sim/catalogue/lease_protocol.hpp"

namespace tenure::sim::protocols {

namespace {

// A client that waits for the lock, and another that must not keep it away for ever.
class WaiterProtocol : public ConsensusProtocol {
 public:
  using ConsensusProtocol::ConsensusProtocol;

 protected:
  void begin(World& in) override {
    served_ = false;
    start_client(in, [this] { first(); });
    waiter_ = start_client(in, [this] { wait(); });
  }
  virtual void first() = 0;
  // The client works on, and its session lives, until the waiter has gone.
  void work_on(std::uint32_t session) {
    while (!served_ && world().alive(waiter_) && keep_alive(session)) nap(ttl_ns / 4);
  }

 private:
  static constexpr std::uint64_t bound_ns = 3 * ttl_ns;

  void wait() {
    nap(ms);
    const std::uint32_t session = open_session();
    world().begin_wait();
    while (session != 0) {
      const std::optional<ConsensusReply> reply = ask({.op = Op::put_if, .session = session, .key = lock_key});
      if (reply && reply->record.session == session) break;
      world().end_wait(bound_ns);
      if (!keep_alive(session)) break;
      nap(ttl_ns / 4);
    }
    served_ = true;
  }

  bool served_ = false;
  ProcessId waiter_ = 0;
};

// Row 27. The client gives up waiting for the answer, and goes on with its session; the request arrives all the same, and nobody knows of
// the key that it made. The remedy: to give up the session, for a request in the name of a dead one does nothing whenever it comes.
class OrphanOwner : public WaiterProtocol {
 public:
  using WaiterProtocol::WaiterProtocol;

 protected:
  void first() override {
    std::uint32_t session = open_session();
    if (session == 0) return;
    const std::optional<ConsensusReply> reply = ask({.op = Op::put_if, .session = session, .key = lock_key});
    if (reply && reply->record.session == session) {
      nap(2 * ms);
      close(session);
      return;
    }
    if (!reply && !broken()) {
      for (std::optional<ConsensusReply> closed; !closed;) closed = ask({.op = Op::close_session, .session = session});
      session = open_session();
    }
    work_on(session);
  }
};

// Row 31. The part of the client that watches the lock gets no answer and tells the application that the lock is lost; the part that renews
// the session hears nothing of that, and the key stays. The remedy: the loss stops the renewals.
class RenewerOutlives : public WaiterProtocol {
 public:
  using WaiterProtocol::WaiterProtocol;

 protected:
  void first() override {
    const std::uint32_t session = open_session();
    if (session == 0 || !done({.op = Op::put_if, .session = session, .key = lock_key})) return;
    for (int looks = 0; looks < 4; ++looks) {
      if (!ask({.op = Op::get, .key = lock_key})) {
        if (broken()) work_on(session);
        return;
      }
      if (!keep_alive(session)) return;
      nap(2 * ms);
    }
    for (std::optional<ConsensusReply> closed; !closed;) closed = ask({.op = Op::close_session, .session = session});
  }
};

// Row 28. A library sends the release again when the connection broke, not knowing that it was applied; the second removes the next owner's
// key. The remedy: the request names the revision that made the key.
class ReleaseRetried : public ConsensusProtocol {
 public:
  using ConsensusProtocol::ConsensusProtocol;

 protected:
  void begin(World& in) override {
    for (int i = 0; i < 3; ++i) start_client(in, [this] { work(); });
  }

 private:
  void work() {
    for (int looks = 0; looks < 5; ++looks) {
      const Reading opened = look();
      const std::uint32_t session = open_session();
      const std::optional<ConsensusReply> mine = ask({.op = Op::put_if, .session = session, .key = lock_key});
      if (session == 0 || !mine || !mine->done) {
        nap(2 * ms);
        continue;
      }
      if (begin_hold(opened, ttl_ns)) nap(3 * ms);
      end_hold();
      const ConsensusRequest release{
          .op = broken() ? Op::remove : Op::remove_if, .key = lock_key, .revision = mine->record.create_revision};
      for (int tries = 0; tries < 3 && !ask(release); ++tries) world().sometimes("release sent again");
      return;
    }
  }
};

// Row 31. A holder that can't reach the store goes on until the store tells it that its session has ended. The remedy: a holder ends by its
// own clock, counted from before its last request that was answered.
class HolderNotTold : public ConsensusProtocol {
 public:
  using ConsensusProtocol::ConsensusProtocol;

 protected:
  void begin(World& in) override {
    for (int i = 0; i < 2; ++i) start_client(in, [this] { work(); });
  }

 private:
  void work() {
    for (int looks = 0; looks < 6; ++looks) {
      const Reading opened = look();
      const std::uint32_t session = open_session();
      if (session != 0 && done({.op = Op::put_if, .session = session, .key = lock_key}) && begin_hold(opened, span_ns())) {
        hold(session, opened);
        end_hold();
        close(session);
      }
      nap(8 * ms);
    }
  }
  std::uint64_t span_ns() const { return broken() ? never_ns : ttl_ns; }
  void hold(std::uint32_t session, Reading answered) {
    for (int renewals = 0; renewals < 3; ++renewals) {
      nap(ttl_ns / 4);
      const Reading now = look();
      if (now.shown_ns >= end_of(answered.shown_ns, span_ns())) return;
      const std::optional<ConsensusReply> reply = ask({.op = Op::keep_alive, .session = session});
      if (!reply) continue;
      if (!reply->done) return world().sometimes("told of the loss");
      answered = now;
      prolong_hold(now, span_ns());
    }
  }
};

}  // namespace

std::vector<Bug> consensus_session_bugs() {
  return {
      {.id = "orphan-owner-after-timeout",
       .rows = "27",
       .property = "liveness",
       .source = "jepsen-io/etcd lock.clj, go-zookeeper#237, kazoo#760, CURATOR-79, -335, -462, -205",
       .summary = "an acquisition times out at the client and is applied later: a key that nobody knows of",
       .config = {.message_faults_max = 1, .pause_steps_max = 100},
       .make = make<OrphanOwner>},
      {.id = "release-retried-after-applied",
       .rows = "28",
       .property = "exclusion",
       .source = "jetcd 0.8.2 (Jepsen 2024)",
       .summary = "a release that was applied is sent again, and removes the next owner's key",
       .config = {.message_faults_max = 3, .pause_steps_max = 100},
       .make = make<ReleaseRetried>},
      {.id = "renewer-outlives-loss",
       .rows = "31",
       .property = "liveness",
       .source = "consul#2371, consul#4935",
       .summary = "the application is told that the lock is lost, and the renewals go on: nobody gets it",
       .config = {.message_faults_max = 3, .pause_steps_max = 100},
       .make = make<RenewerOutlives>},
      {.id = "holder-not-told",
       .rows = "31",
       .property = "exclusion",
       .source = "consul#18271, consul#1843, libkv#156",
       .summary = "a holder that is cut off goes on until it is told that its session has ended",
       .config = {.partitions_max = 2},
       .make = make<HolderNotTold>},
  };
}

}  // namespace tenure::sim::protocols
