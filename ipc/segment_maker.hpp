// Making a segment, or replacing one that nobody uses: the only place where a table file comes or goes. segment_file.hpp says which locks.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/layout.hpp"
#include "ipc/open_fault.hpp"
#include "ipc/site.hpp"
#include "ipc/token_mark.hpp"

namespace tenure::ipc {

// One byte of the lock files of all places, locked in their order, so that two who do so can't wait for each other in a circle.
class ByteEverywhere {
 public:
  ByteEverywhere(const Sites& sites, std::uint64_t byte) : sites_(sites), byte_(byte) {}
  ByteEverywhere(const ByteEverywhere&) = delete;
  ByteEverywhere& operator=(const ByteEverywhere&) = delete;
  ~ByteEverywhere() { release(); }

  // Tries until the deadline (CLOCK_MONOTONIC). A conflict or failure leaves what it has so far; errno says why it failed.
  [[nodiscard]] LockOutcome lock(LockKind kind, std::uint64_t deadline_ns);
  [[nodiscard]] const Site& blocked_by() const { return *sites_[held_]; }  // REQUIRES: lock() was not done
  void release();
  void keep() { held_ = 0; }  // past the life of this object

 private:
  const Sites& sites_;
  std::uint64_t byte_;
  std::size_t held_ = 0;  // the first so many
};

[[nodiscard]] OpenFault cannot_lock(const Site& site, int error);
// Somebody else has been making the segment for too long.
[[nodiscard]] OpenFault maker_is_busy(const Site& site, const std::string& space);

struct MakeRequest {
  const Sites& sites;
  const std::string& space;
  core::Capacity capacity;
  const Moment& moment;
  TokenMark& token_mark;
  std::vector<std::string> mapped_paths;  // under which a process may still have a segment of this space mapped
  std::uint64_t deadline_ns = 0;          // CLOCK_MONOTONIC
};

struct Made {
  bool here = false;        // false: somebody else was first; nothing is locked
  std::string weak_reason;  // why tokens are weak; empty: they are not
};

// When it is made here, the presence byte of every place is locked for reading, without a gap since nobody else had it.
[[nodiscard]] Opened<Made> make_segment(const MakeRequest& request);

}  // namespace tenure::ipc
