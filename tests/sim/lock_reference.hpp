// What the linearizability checker is compared with: the same question answered by trying everything, on plain maps; and a maker of random
// short histories, most of them of a lock that works, some with an answer changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include <tenure/sim/linearizability.hpp>

namespace tenure::sim::reference {

using Random = std::mt19937_64;

struct Hold {
  bool exclusive = false;
  std::uint32_t count = 1;  // of acquisitions by its session, or of permits
  std::uint64_t token = 0;
  bool token_known = true;
  std::uint64_t deadline_ns = no_deadline_ns;
};

struct Lock {
  std::map<SessionId, Hold> holds;
  std::uint64_t last_token = 0;
};

struct Event {
  enum class What : std::uint8_t { call, answer, crash };
  What what;
  std::size_t operation;  // of a call or an answer
  SessionId session;
  std::uint64_t now_ns;
};

struct Op {
  SessionId session;
  Call call;
  Request request;
  Response answer = Response::pending;
  Grant grant;
  std::size_t called_at = 0;  // place among the events
  std::size_t answered_at = ~std::size_t{0};
  std::uint64_t answered_ns = ~std::uint64_t{0};
};

struct Story {
  std::vector<Op> operations;
  std::vector<Event> events;
  std::map<SessionId, std::size_t> crashed_at;

  History history() const;
};

// Every lock that there can be after `op` was answered as it was; none: it can't be answered so.
std::vector<Lock> outcomes(const LockModel& model, const Lock& lock, const Op& op);

bool is_linearizable(const LockModel& model, const Story& story);

struct Shape {
  std::size_t operations = 6;
  std::uint32_t sessions = 3;
  bool spoilt = true;  // some answers are changed; else the story is a true one
};
Story random_story(const LockModel& model, const Shape& shape, Random& random);

}  // namespace tenure::sim::reference
