// A simulated PostgreSQL, as locks use it: session advisory locks, and a table of leases that one statement changes at a time. What it gets
// wrong, or what stands in front of it, is a switch.
#pragma once

#include <cstdint>
#include <vector>

#include <tenure/sim/hosted_server.hpp>

namespace tenure::sim {

struct SqlRequest {
  enum class Op : std::uint8_t {
    try_advisory_lock,  // SELECT pg_try_advisory_lock(key)
    advisory_unlock,    // SELECT pg_advisory_unlock(key)
    take_row,           // UPDATE lease SET owner = .., until = now + span WHERE name = key AND (owner = 0 OR until <= now)
    free_row,           // UPDATE lease SET owner = 0 WHERE name = key AND owner = ..; owner 0: without the last condition
  };
  Op op;
  std::uint32_t owner = 0;
  std::uint64_t key = 0;
  std::uint64_t span_ns = never_ns;
  std::uint64_t now_ns = 0;  // of the client; 0: the server's clock
};

struct SqlReply {
  bool done = false;
};

class Postgres : public HostedServer<SqlRequest, SqlReply> {
 public:
  struct Deviations {
    // A transaction pooler with so many connections of its own stands in front, and gives every statement to any of them. 0: none.
    std::uint32_t pooled_backends = 0;
  };
  Deviations deviations;  // set before start()

  // A client's session ends with its process; those of a pooler go on.
  SqlReply answer(World& world, ThreadId client, const SqlRequest& request) override;

 protected:
  void clear() override;

 private:
  using Op = SqlRequest::Op;
  struct AdvisoryLock {
    std::uint64_t key;
    std::uint32_t session;
    std::uint32_t depth;
  };
  struct Row {
    std::uint64_t key;
    std::uint32_t owner;
    std::uint64_t until_ns;
  };

  bool lock(std::uint64_t key, std::uint32_t session);
  bool unlock(std::uint64_t key, std::uint32_t session);
  bool take(const SqlRequest& request, std::uint64_t now_ns);
  bool free(const SqlRequest& request);

  std::vector<AdvisoryLock> locks_;
  std::vector<Row> rows_;
};

}  // namespace tenure::sim
