// Queues of keys in a consensus store, each bound to its client's session: whoever's key is the oldest holds the lock.
#include "sim/catalogue/lease_protocol.hpp"

namespace tenure::sim::protocols {

namespace {

class QueueProtocol : public ConsensusProtocol {
 public:
  using ConsensusProtocol::ConsensusProtocol;

 protected:
  std::optional<ConsensusRecord> enqueue(std::uint64_t key, std::uint32_t session, std::uint64_t value = 0) const {
    if (session == 0) return std::nullopt;
    const std::optional<ConsensusReply> reply = ask({.op = Op::put_if, .session = session, .key = key, .value = value});
    return reply && reply->done ? std::optional(reply->record) : std::nullopt;
  }
  // Waits until no key of that directory is older. `session`, if any, is kept alive meanwhile.
  void await_turn(std::uint32_t in_directory, std::uint64_t revision, std::uint32_t session = 0) const {
    for (;;) {
      if (session != 0) keep_alive(session);
      const std::optional<ConsensusReply> older = ask({.op = Op::last_before, .key = consensus_key(in_directory, 0), .revision = revision});
      if (older && !older->done) return;
      if (older) await_removal(older->record);
    }
  }
};

// Row 24. The session runs out while its client waits: its key is gone, the next in the queue doesn't wait for it, and yet Lock() returns
// success when the keys before it are gone. The remedy: another look at one's own key before Lock() returns.
class LeaseNotRechecked : public QueueProtocol {
 public:
  using QueueProtocol::QueueProtocol;

 protected:
  void begin(World& in) override {
    for (int i = 0; i < 3; ++i) start_client(in, [this] { work(); });
  }

 private:
  void work() {
    const std::uint32_t session = open_session();
    const std::optional<ConsensusRecord> mine = enqueue(consensus_key(directory, session), session);
    if (!mine) return;
    await_turn(directory, mine->create_revision);
    // The keep-alive of the session is another's work, and the broken one counts on it.
    const Reading now = look();
    if (!broken() && !keep_alive(session)) return world().sometimes("session lost in the queue");
    if (begin_hold(now, ttl_ns)) nap(9 * ms);
    end_hold();
    close(session);
  }
};

// Row 25. The same in a lock with readers: a writer waits for the youngest key before its own, a reader for the youngest writer's.
class ReadersNotRechecked : public QueueProtocol {
 public:
  using QueueProtocol::QueueProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint64_t& until_ns : reading_until_ns_) until_ns = 0;
    writer_.reset();
    for (std::uint32_t i = 0; i < 3; ++i) start_client(in, [this, i] { i < 2 ? write() : read(i); });
  }
  void on_death(World&, ProcessId process) override { writer_.process_died(process); }

 private:
  static constexpr std::uint32_t writers = 1;
  static constexpr std::uint32_t readers = 2;

  void write() {
    const std::uint32_t session = open_session();
    const std::optional<ConsensusRecord> mine = enqueue(consensus_key(writers, session), session);
    if (!mine) return;
    await_turn(readers, mine->create_revision);
    await_turn(writers, mine->create_revision);
    const Reading now = look();
    if (!broken() && !keep_alive(session)) return world().sometimes("session lost in the queue");
    if (look().shown_ns >= now.shown_ns + ttl_ns) return;
    for (const std::uint64_t until_ns : reading_until_ns_) {
      if (world().true_now() < until_ns) world().fail("exclusion", "a writer beside a reader");
    }
    writer_.granted(world(), 0, now.true_ns + ttl_ns);
    nap(14 * ms);
    writer_.released(world());
    close(session);
  }
  void read(std::uint32_t client) {
    nap(ms);
    const std::uint32_t session = open_session();
    const std::optional<ConsensusRecord> mine = enqueue(consensus_key(readers, session), session);
    if (!mine) return;
    await_turn(writers, mine->create_revision, session);
    const Reading now = look();
    if (!keep_alive(session)) return;
    if (look().shown_ns >= now.shown_ns + ttl_ns) return;
    if (writer_.held(world())) world().fail("exclusion", "a reader beside a writer");
    reading_until_ns_[client] = now.true_ns + ttl_ns;
    nap(9 * ms);
    reading_until_ns_[client] = 0;
    close(session);
  }

  LeaseOracle writer_;
  std::uint64_t reading_until_ns_[3] = {};
};

// Row 26. Each attempt puts a key of another name. When the connection breaks after the first was put, the second queues behind it, and
// the client keeps the session of both alive. The remedy: the key is named after the session.
class RandomWaitKey : public QueueProtocol {
 public:
  using QueueProtocol::QueueProtocol;

 protected:
  void begin(World& in) override {
    for (int i = 0; i < 2; ++i) start_client(in, [this] { work(); });
  }

 private:
  static constexpr std::uint64_t bound_ns = 3 * ttl_ns;

  void work() {
    const std::uint32_t session = open_session();
    if (session == 0) return;
    const std::uint64_t revision = put_own_key(session);
    world().begin_wait();
    for (;;) {
      const std::optional<ConsensusReply> older = ask({.op = Op::last_before, .key = lock_key, .revision = revision});
      world().end_wait(bound_ns);
      if (older && !older->done) break;
      if (!keep_alive(session)) return;
      if (older) await_removal(older->record);
    }
    nap(ms);
    close(session);
  }
  std::uint64_t put_own_key(std::uint32_t session) const {
    for (std::uint32_t attempt = 0;; ++attempt) {
      const std::uint32_t name = session << 16 | (broken() ? attempt & 0xffff : 0);
      const std::optional<ConsensusReply> reply = ask({.op = Op::put_if, .session = session, .key = consensus_key(directory, name)});
      if (reply && (reply->done || reply->record.session == session)) return reply->record.create_revision;
      if (!keep_alive(session)) return 0;
    }
  }
};

// Row 29. A client that lost its connection looks for the key it may have put, by a mark in it. The key that it finds is of its previous
// session, which the server has yet to end. The remedy: the key counts only if it belongs to the session of now.
class PreviousSession : public QueueProtocol {
 public:
  using QueueProtocol::QueueProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint64_t mark = 1; mark <= 2; ++mark) start_client(in, [this, mark] { work(mark); });
  }

 private:
  void work(std::uint64_t mark) {
    std::uint32_t session = open_session();
    std::optional<ConsensusRecord> mine = enqueue(consensus_key(directory, session), session, mark);
    for (int attempt = 0; !mine; ++attempt) {
      if (attempt == 4) return;
      session = open_session();
      mine = find(mark);
      if (mine && (broken() || mine->session == session)) {
        world().sometimes("own key found");
      } else {
        mine = enqueue(consensus_key(directory, session), session, mark);
      }
    }
    await_turn(directory, mine->create_revision, session);
    const Reading now = look();
    if (!keep_alive(session)) return;
    if (begin_hold(now, ttl_ns)) nap(18 * ms);
    end_hold();
    close(session);
  }
  std::optional<ConsensusRecord> find(std::uint64_t mark) const {
    const std::optional<ConsensusReply> reply = ask({.op = Op::find, .key = lock_key, .value = mark});
    return reply && reply->done ? std::optional(reply->record) : std::nullopt;
  }
};

// Row 30. The predecessor is looked for by the whole name, which begins with the session; who came first is not what decides. The remedy:
// by the number that the store gave.
class WrongPredecessor : public QueueProtocol {
 public:
  using QueueProtocol::QueueProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint32_t i = 0; i < 3; ++i) start_client(in, [this, i] { work(i); });
  }

 private:
  void work(std::uint32_t client) {
    nap(world().choose(4) * ms);
    const std::uint32_t session = open_session();
    const std::uint32_t name = world().choose(256) << 8 | client;  // a session's number says nothing of its age
    const std::optional<ConsensusRecord> mine = enqueue(consensus_key(directory, name), session);
    if (!mine) return;
    const Op before = broken() ? Op::name_before : Op::last_before;
    for (;;) {
      const std::optional<ConsensusReply> older = ask({.op = before, .key = mine->key, .revision = mine->create_revision});
      if (older && !older->done) break;
      if (older) await_removal(older->record);
    }
    const Reading now = look();
    if (!keep_alive(session)) return;
    if (begin_hold(now, ttl_ns)) nap(3 * ms);
    end_hold();
    close(session);
  }
};

}  // namespace

std::vector<Bug> consensus_queue_bugs() {
  return {
      {.id = "lease-not-rechecked",
       .rows = "24",
       .property = "exclusion",
       .source = "etcd#11456, etcd#9921, etcd b14c7cd44",
       .summary = "Lock() returns without another look at its own lease, which ran out in the queue",
       .config = {},
       .make = make<LeaseNotRechecked>},
      {.id = "rw-lease-not-rechecked",
       .rows = "25",
       .property = "exclusion",
       .source = "etcd#16221",
       .summary = "a writer whose session ran out in the queue is granted beside those behind it",
       .config = {},
       .make = make<ReadersNotRechecked>},
      {.id = "queues-behind-itself",
       .rows = "26",
       .property = "liveness",
       .source = "etcd#5199, etcd 120020fa9",
       .summary = "a retry puts another key, and waits for the first, which its own session keeps",
       .config = {.message_faults_max = 1, .pause_steps_max = 100},
       .make = make<RandomWaitKey>},
      {.id = "key-of-previous-session",
       .rows = "29",
       .property = "exclusion",
       .source = "CURATOR-604, CURATOR-498",
       .summary = "after a reconnect the key of the session before is taken for one's own, and dies with that session",
       .config = {.message_faults_max = 1, .pause_steps_max = 100},
       .make = make<PreviousSession>},
      {.id = "wrong-predecessor",
       .rows = "30",
       .property = "exclusion",
       .source = "ZOOKEEPER-3162",
       .summary = "the predecessor in the queue is chosen by the key's name, not by its age",
       .config = {},
       .make = make<WrongPredecessor>},
  };
}

}  // namespace tenure::sim::protocols
