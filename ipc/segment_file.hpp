// The files of a space: finding, making, checking and mapping its segment.
//
// In each place (places.hpp) lie, for a space S:
//   S.table  the segment; in one place only
//   S.lock   its bytes are locks of open file descriptions; never deleted, never renamed
//     byte 0       the maker: locked for writing, in all places, by whoever makes or replaces the segment
//     byte 1       presence: locked for reading, in all places, by every process that has the segment open
//     byte 16 + i  session slot i: locked for writing, in the segment's place only
//
// TWO SEGMENTS OF ONE SPACE must never be live at once. A maker therefore first gets byte 1 for writing in every place, which it can't
// while anybody has a segment of this space open, even one whose directory was deleted, as long as one place is left; and looks through
// /proc/*/maps for a process that has one open whose every file was deleted. Either is refused with the processes' ids.
//
// A segment is complete before it has a name (O_TMPFILE, then linkat); so whoever finds one finds all of it. One of an earlier boot, of
// another layout or with a damaged header is replaced when nobody has it open, and refused otherwise.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/layout.hpp"
#include "ipc/bus_guard.hpp"
#include "ipc/fork_watch.hpp"
#include "ipc/open_fault.hpp"
#include "ipc/places.hpp"
#include "ipc/token_mark.hpp"

namespace tenure::ipc {

inline constexpr std::uint64_t maker_byte = 0;
inline constexpr std::uint64_t presence_byte = 1;
inline constexpr std::uint64_t slot_byte_first = 16;

struct SpaceOptions {
  std::string space = "default";
  std::string directory;                      // empty: the default places of the effective user
  std::string state_directory;                // of the token mark; empty: see token_mark.hpp
  core::Capacity capacity;                    // of a segment that has to be made; an existing one keeps its own
  bool create = true;                         // false: only open what is there
  gid_t group = no_group;                     // makes `directory`, if it is missing, for this group; needs `directory`
  bool guard_bus_errors = true;               // install the handler of bus_guard.hpp
  std::uint64_t patience_ns = 5'000'000'000;  // for somebody else who is making the segment
};

class SegmentFile {
 public:
  // Opens the space, making its segment first where there is none. Takes a tenth of a millisecond where there is one.
  [[nodiscard]] static Opened<std::unique_ptr<SegmentFile>> open(const SpaceOptions& options);
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;
  // Unmaps. Nobody may use the mapping, or have bells in it, by then.
  ~SegmentFile();

  [[nodiscard]] std::byte* base() const;
  // This process's own copy, checked once.
  [[nodiscard]] const core::SegmentIdentity& identity() const;
  [[nodiscard]] core::Geometry geometry() const { return core::geometry_of({identity().names, identity().sessions}); }
  [[nodiscard]] const std::string& space() const;
  [[nodiscard]] const std::string& directory() const;
  [[nodiscard]] const std::string& path() const;  // of the segment
  [[nodiscard]] bool made_here() const;           // this call made the segment
  [[nodiscard]] std::int64_t boottime_offset_ns() const;
  [[nodiscard]] TokenMark& token_mark();
  // Why tokens are weak, when this process made the segment and they are; else empty.
  [[nodiscard]] const std::string& weak_reason() const;

  // Of the lock file that the slots' bytes are in; -1 in a forked child until renew_after_fork().
  [[nodiscard]] int lock_descriptor() const;
  // The file behind the mapping has shrunk; the mapping is zeros.
  [[nodiscard]] bool is_lost() const;
  // Whether the segment still has its name and size: false once somebody deleted, replaced or truncated it. A few system calls.
  [[nodiscard]] bool is_in_place() const;

  // In a forked child: opens descriptors of its own and takes presence. The mapping is inherited and stays where it is. Fails with
  // `unusable` when the files are no longer those that the parent opened. One thread at a time.
  [[nodiscard]] std::optional<OpenFault> renew_after_fork();

 private:
  struct State;
  explicit SegmentFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tenure::ipc
