// Leases that a store knows nothing of: a record names the holder, and a contender waits until it has not changed for the lease's time.
#include "sim/catalogue/lease_protocol.hpp"

namespace tenure::sim::protocols {

namespace {

// Sound as it stands: each row overrides one thing.
class RecordProtocol : public ConsensusProtocol {
 public:
  using ConsensusProtocol::ConsensusProtocol;

 protected:
  // The record as a contender has seen it, and since when.
  struct Seen {
    std::uint64_t revision = 0;
    std::uint64_t since_ns = 0;
  };

  void begin(World& in) override {
    for (std::uint32_t client = 1; client <= 2; ++client) start_client(in, [this, client] { contend(client); });
  }
  virtual std::uint64_t duration_ns(std::uint32_t /*client*/) const { return 10 * ms; }
  // How long a contender has to see no change.
  virtual std::uint64_t patience_ns(std::uint32_t /*client*/, std::uint64_t stored_ns) const { return stored_ns; }
  // Whether it counts from before it asked.
  virtual bool waits_from_request() const { return false; }
  // From when the holder counts its time, given the moment before the request.
  virtual Reading counts_from(const Reading& asked) { return asked; }
  virtual bool begins_early() const { return false; }
  // What the holder does with its lease.
  virtual void act(std::uint32_t /*client*/, std::uint64_t /*revision*/) {}

 private:
  static constexpr std::uint64_t nobody_holds = 0;
  static constexpr std::uint64_t timeout_ns = 12 * ms;

  void contend(std::uint32_t client) {
    Seen seen;
    for (int looks = 0; looks < 7; ++looks) {
      const std::uint64_t asked_ns = waits_from_request() ? clock_ns() : 0;
      const std::optional<ConsensusReply> reply = store_.ask({.op = Op::get, .key = lock_key}, timeout_ns);
      if (reply && may_take(client, seen, reply->record, asked_ns)) take(client, reply->record.revision);
      nap(3 * ms);
    }
  }
  bool may_take(std::uint32_t client, Seen& seen, const ConsensusRecord& record, std::uint64_t asked_ns) {
    if (record.value == nobody_holds) return true;
    const std::uint64_t now_ns = clock_ns();
    if (seen.revision != record.revision) seen = {record.revision, waits_from_request() ? asked_ns : now_ns};
    return now_ns >= seen.since_ns + patience_ns(client, record.value);
  }
  void take(std::uint32_t client, std::uint64_t revision) {
    const std::uint64_t span_ns = duration_ns(client);
    const Reading asked = look();
    if (begins_early()) begin_hold(asked, span_ns);
    const std::optional<ConsensusReply> reply = write(revision, span_ns);
    const Reading from = counts_from(asked);
    if (reply && reply->done && (begins_early() || begin_hold(from, span_ns))) lead(client, from, reply->record.revision);
    end_hold();
  }
  void lead(std::uint32_t client, Reading from, std::uint64_t revision) {
    const std::uint64_t span_ns = duration_ns(client);
    act(client, revision);
    nap(span_ns / 2);
    const Reading asked = look();
    if (asked.shown_ns >= from.shown_ns + span_ns) return;
    const std::optional<ConsensusReply> reply = write(revision, span_ns);
    if (reply && !reply->done) return;
    if (reply) {
      from = counts_from(asked);
      revision = reply->record.revision;
      prolong_hold(from, span_ns);
    }
    act(client, revision);
    // To the last, as far as the holder knows.
    const std::uint64_t now_ns = look().shown_ns;
    if (now_ns < from.shown_ns + span_ns) nap(from.shown_ns + span_ns - now_ns);
    end_hold();
    write(revision, nobody_holds);
  }
  // The record: for how long it is held, which is all that a contender has to know.
  std::optional<ConsensusReply> write(std::uint64_t revision, std::uint64_t span_ns) const {
    return store_.ask({.op = Op::put_if, .key = lock_key, .value = span_ns, .revision = revision}, timeout_ns);
  }
};

// Row 32. Lease times are counted on the clock of day. When a contender's jumps ahead, the lease is over for it. The remedy: the clock that
// nobody sets.
class WallClockLease : public RecordProtocol {
 public:
  using RecordProtocol::RecordProtocol;

 protected:
  std::uint64_t clock_ns() override { return broken() ? realtime_ms() * ms : boottime_ns(); }
};

// Row 33. Durations differ between two versions of a configuration, and a contender waits for its own. The remedy: for that of the record.
class OwnDuration : public RecordProtocol {
 public:
  using RecordProtocol::RecordProtocol;

 protected:
  std::uint64_t duration_ns(std::uint32_t client) const override { return client == 1 ? 16 * ms : 4 * ms; }
  std::uint64_t patience_ns(std::uint32_t client, std::uint64_t stored_ns) const override {
    return broken() ? duration_ns(client) : stored_ns;
  }
};

// Row 34. The callback that starts the leader's work runs before the write is known to have been made. The remedy: after.
class EarlyCallback : public RecordProtocol {
 public:
  using RecordProtocol::RecordProtocol;

 protected:
  bool begins_early() const override { return broken(); }
};

// Row 35. The holder counts its lease from the answer, the others from the write. The remedy: from before the request.
class TimerFromReply : public RecordProtocol {
 public:
  using RecordProtocol::RecordProtocol;

 protected:
  Reading counts_from(const Reading& asked) override { return broken() ? look() : asked; }
};

// Row 35. A contender counts its wait from before it asked for the record, which is older than what it then sees. The remedy: from the
// answer.
class WaitFromRequest : public RecordProtocol {
 public:
  using RecordProtocol::RecordProtocol;

 protected:
  bool waits_from_request() const override { return broken(); }
};

// Row 35. A contender waits as long as a lease lasts, which is enough when the holder is dead. When it sees the record change it knows that
// it is not, and yet gives up in the end at the same time. The remedy: every change starts the wait anew.
class WaitNotExtended : public ConsensusProtocol {
 public:
  using ConsensusProtocol::ConsensusProtocol;

 protected:
  void begin(World& in) override {
    holder_ = start_client(in, [this] { hold(); });
    start_client(in, [this] { wait(); });
  }

 private:
  static constexpr std::uint64_t lease_ns = 10 * ms;
  static constexpr std::uint64_t margin_ns = 6 * ms;

  void hold() {
    std::uint64_t revision = 0;
    for (int renewals = 0; renewals < 5; ++renewals) {
      const std::optional<ConsensusReply> reply = ask({.op = Op::put_if, .key = lock_key, .value = 1, .revision = revision});
      if (!reply || !reply->done) return;
      revision = reply->record.revision;
      nap(lease_ns / 2);
    }
    ask({.op = Op::put_if, .key = lock_key, .value = 0, .revision = revision});
  }
  void wait() {
    nap(2 * ms);
    std::uint64_t seen = 0;
    std::uint64_t since_ns = 0;
    std::uint64_t give_up_ns = boottime_ns() + lease_ns + margin_ns;
    for (;;) {
      const std::optional<ConsensusReply> reply = ask({.op = Op::get, .key = lock_key});
      const std::uint64_t now_ns = boottime_ns();
      if (!reply || reply->record.value == 0) return;
      if (reply->record.revision != seen) {
        since_ns = now_ns;
        if (!broken()) give_up_ns = now_ns + lease_ns + margin_ns;
        seen = reply->record.revision;
      } else if (now_ns >= since_ns + lease_ns) {
        return world().sometimes("expired lease found");
      }
      if (now_ns >= give_up_ns) break;
      nap(2 * ms);
    }
    if (!world().alive(holder_)) world().fail("liveness", "a waiter gave up, and the holder is dead");
  }

  ProcessId holder_ = 0;
};

struct Write {
  std::uint64_t token = 0;
  // Ghosts: whose write it is, and by which version of the record it held the lease.
  std::uint64_t revision = 0;
  std::uint32_t holder = 0;
};
struct Written {
  bool done;
};

// Takes no write whose token is smaller than one it has seen.
class FencedResource : public HostedServer<Write, Written> {
 public:
  Written answer(World& in, ThreadId, const Write& request) override {
    if (request.token < token_) in.sometimes("write refused");
    if (request.token < token_) return {false};
    if (request.revision < newest_.revision && request.holder != newest_.holder) {
      in.fail("fencing", "a write of an earlier holder, after one of a later");
    }
    token_ = request.token;
    if (request.revision > newest_.revision) newest_ = request;
    return {true};
  }

 protected:
  void clear() override {
    token_ = 0;
    newest_ = {};
  }

 private:
  std::uint64_t token_ = 0;
  Write newest_ = {};
};

// Row 35. A write is late, and its lease another's. No clock helps against that, but the resource does, if tokens grow. The version of the
// record is drawn at random. The remedy: it counts.
class RandomToken : public RecordProtocol {
 public:
  using RecordProtocol::RecordProtocol;

 protected:
  void begin(World& in) override {
    resource_.start(in, "resource");
    RecordProtocol::begin(in);
  }
  void act(std::uint32_t client, std::uint64_t revision) override {
    const std::uint64_t token = broken() ? 1 + world().choose(0x10000) : revision;
    resource_.ask({token, revision, client}, 2 * ms);
  }

 private:
  FencedResource resource_;
};

}  // namespace

std::vector<Bug> consensus_record_bugs() {
  return {
      {.id = "wall-clock-lease",
       .rows = "32",
       .property = "exclusion",
       .source = "kubernetes#125761, kubernetes#23731, kubernetes#67651",
       .summary = "lease times are counted on the clock of day, which is set ahead: two leaders",
       .config = {.realtime_jumps_max = 2},
       .make = make<WallClockLease>},
      {.id = "own-lease-duration",
       .rows = "33",
       .property = "exclusion",
       .source = "fabric8#7258, kubernetes#47671",
       .summary = "a contender waits for its own lease duration, not for the holder's",
       .config = {},
       .make = make<OwnDuration>},
      {.id = "callback-before-write",
       .rows = "34",
       .property = "exclusion",
       .source = "fabric8#7350",
       .summary = "the leader's work starts before its write is confirmed",
       .config = {},
       .make = make<EarlyCallback>},
      {.id = "lease-counted-from-reply",
       .rows = "35",
       .property = "exclusion",
       .source = "delta-rs#153",
       .summary = "the holder counts its lease from the answer, the others from the write",
       .config = {.message_faults_max = 5, .pause_steps_max = 100},
       .make = make<TimerFromReply>},
      {.id = "wait-counted-from-request",
       .rows = "35",
       .property = "exclusion",
       .source = "delta-rs#153",
       .summary = "a contender counts its wait from before it asked, and takes a lease that is younger",
       .config = {.pauses_max = 2, .message_faults_max = 3, .pause_steps_max = 100},
       .make = make<WaitFromRequest>},
      {.id = "wait-not-extended",
       .rows = "35",
       .property = "liveness",
       .source = "amazon-dynamodb-lock-client#94",
       .summary = "a waiter that sees the lease renewed doesn't wait longer, and gives up a dead holder's lock",
       .config = {.kills_max = 1},
       .make = make<WaitNotExtended>},
      {.id = "random-version-no-fence",
       .rows = "35",
       .property = "fencing",
       .source = "amazon-dynamodb-lock-client#1, #62",
       .summary = "the record's version is random, so that no resource can tell an old token from a new one",
       .config = {.message_faults_max = 4, .pause_steps_max = 400},
       .make = make<RandomToken>},
  };
}

}  // namespace tenure::sim::protocols
