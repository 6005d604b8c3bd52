// A simulated store of the kind of etcd, ZooKeeper and Consul, as its clients see it: one copy that never forgets. Every write has a
// revision; a key may belong to a session and goes with it; a session lives by its own time to live on the server's clock.
#pragma once

#include <cstdint>
#include <vector>

#include <tenure/sim/hosted_server.hpp>

namespace tenure::sim {

// Keys are numbers; the upper half is the directory.
constexpr std::uint64_t consensus_key(std::uint32_t directory, std::uint32_t name) { return std::uint64_t{directory} << 32 | name; }
constexpr std::uint32_t directory_of(std::uint64_t key) { return static_cast<std::uint32_t>(key >> 32); }

struct ConsensusRequest {
  enum class Op : std::uint8_t {
    open_session,   // for ttl_ns; reply.record.session is its number
    keep_alive,     // done: the session lives, and has its whole time again
    close_session,  // its keys go with it
    put,            // whatever is there
    put_if,         // if the key's newest revision is `revision`; 0: if there is no key
    get,
    last_before,  // the youngest key of the directory that is older than `revision`
    name_before,  // the key of the directory with the greatest name below this one
    find,         // a key of the directory with this value
    remove,       // whatever is there
    remove_if,    // if it was created by `revision`
    watch,        // the key that was created by `revision`: a ConsensusEvent will tell when it is gone. Not done: it is gone already
  };
  Op op;
  std::uint32_t session = 0;  // that a key put belongs to; 0: none. A put in the name of a dead session is not done
  std::uint64_t key = 0;
  std::uint64_t value = 0;
  std::uint64_t revision = 0;
  std::uint64_t ttl_ns = 0;
};

struct ConsensusRecord {
  std::uint64_t key = 0;
  std::uint64_t value = 0;
  std::uint64_t create_revision = 0;
  std::uint64_t revision = 0;  // the newest
  std::uint32_t session = 0;
};

struct ConsensusReply {
  bool done = false;       // a look has found a key, a change was made
  ConsensusRecord record;  // that it found, or that is there after the change, made or not
};

struct ConsensusEvent {
  std::uint64_t key;
  std::uint64_t create_revision;
};

class ConsensusStore : public HostedServer<ConsensusRequest, ConsensusReply> {
 public:
  ConsensusReply answer(World& world, ThreadId client, const ConsensusRequest& request) override;
  void timer(World& world, std::uint64_t cookie) override;
  // All is durable but the time that sessions have used up.
  void restarted(World& world) override;

  // A ghost: what is there now.
  const ConsensusRecord* record(std::uint64_t key) const;

 protected:
  void clear() override;

 private:
  using Op = ConsensusRequest::Op;
  struct Session {
    std::uint32_t number;
    std::uint64_t ttl_ns;
    std::uint64_t deadline_ns;
  };
  struct Watch {
    ThreadId client;
    std::uint64_t create_revision;
  };

  ConsensusReply answer_session(World& world, const ConsensusRequest& request);
  ConsensusReply put(const ConsensusRequest& request);
  ConsensusReply look(const ConsensusRequest& request) const;
  Session* session(std::uint32_t number);
  void end_session(World& world, std::uint32_t number);
  void expire(World& world);
  void erase(World& world, std::uint64_t key);

  std::vector<ConsensusRecord> records_;
  std::vector<Session> sessions_;
  std::vector<Watch> watches_;
  std::uint64_t revision_ = 0;
  std::uint32_t sessions_opened_ = 0;
};

}  // namespace tenure::sim
