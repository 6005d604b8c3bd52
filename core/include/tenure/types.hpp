// The vocabulary of Tenure as values.
//
// space: one shared table and its lock files. name: a resource, 1 to 200 bytes of UTF-8 without control characters, by habit a path.
// session: one process's registration in a space. lease: a session's right to a name. contract: strict (ends when released, or when the
// holder is proven dead) or leased (also ends at its deadline). token: the fencing token of a grant; per name it only ever grows.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include <tenure/export.hpp>

namespace tenure {

// Fencing tokens lie below 2^63, so that they fit a signed 64-bit column.
using Token = std::uint64_t;

// What a lease is asked for with.
struct Terms {
  std::chrono::nanoseconds ttl{0};  // 0: the strict contract. Else the leased one, with this time to live.
  bool renew = true;                // leased: renewed by the library at a third of the time to live, until released or lost
};

// Why a lease was not acquired, extended or resolved.
enum class AcquireError : std::uint8_t {
  bad_name,      // empty, longer than 200 bytes, not UTF-8, or with a control character
  busy,          // somebody holds it or comes first (only where nothing waits)
  timed_out,     // the time to wait has passed
  cancelled,     // the stop_token asked to stop
  space_full,    // no room for a name, a session or a hold: see `tenure doctor`
  tokens_ended,  // no token below 2^63 is left for this name
  session_lost,  // this process was declared dead while it lives (its bell thread was ended); the next acquisition registers anew
  damaged,       // the table contradicts itself: see `tenure doctor`
  system,        // the operating system refused what a session needs (a descriptor, a thread)
};

// What has become of a lease.
enum class LeaseState : std::uint8_t {
  held,
  expired,   // its deadline is past; somebody else may hold the name
  lost,      // taken over, broken by an operator, or the session was declared dead
  released,  // by this object, or moved from
  forked,    // acquired before a fork by the parent: not this process's
};

[[nodiscard]] TENURE_API std::string_view to_string(AcquireError error);
[[nodiscard]] TENURE_API std::string_view to_string(LeaseState state);

}  // namespace tenure
