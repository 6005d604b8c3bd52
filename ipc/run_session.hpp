// What only `tenure run` needs of a space: a session that holds names for the processes of a tree (core/leases.hpp), and a look at the
// trees that others have left behind. Of the program alone: not installed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

#include <tenure/space.hpp>

#include "ipc/run_tag.hpp"

namespace tenure::ipc {

// The space, opened with sessions that hold names for a tree. REQUIRES: this process has not opened it before, and the calling thread lives
// as long as it does: its end is the end of the sessions. Only this thread acquires.
struct RunSpace {
  Space space;
  // To be inherited by the tree and by the supervisor: as long as one process has it, the name stays held. -1: the system gave none.
  int leash;
};
[[nodiscard]] Result<RunSpace, OpenError> open_run_space(const Space::Options& options, const RunTag& tag);

// Releases, and has the next holder told that this one died.
void release_as_dead(Space& space, Lease& lease);

struct TreeWait {
  std::chrono::nanoseconds patience = std::chrono::nanoseconds::max();
  std::stop_token stop;
  std::function<void(std::uint32_t place)> queued;    // see Space::acquire_for
  std::function<void(std::uint32_t slot)> blocked{};  // see core::Patience; the place to kill what is left of the run in that slot
};
[[nodiscard]] Result<Lease, AcquireError> acquire(Space& space, std::string_view name, Terms terms, const TreeWait& wait);

// What is left of a run that is dead, broken or past its deadline.
struct LeftTree {
  std::uint32_t slot = 0;
  bool is_dead = false;             // its guard; else it was broken or is past its deadline
  bool is_overdue = false;          // past its deadline
  std::vector<std::uint64_t> tags;  // its own, and those of runs inside it
  std::vector<pid_t> carriers;      // of these tags
  std::vector<pid_t> with_byte;     // who only has the slot's byte open: its supervisor, a guard that lives, who has shed the tag
  std::string command;
  std::uint32_t uid = 0;
};

// The one in a slot, as far as it can be seen: reads /proc. Who has the byte open takes longer to find.
[[nodiscard]] LeftTree left_tree(Space& space, std::uint32_t slot, bool find_byte);
// All that hold names back.
[[nodiscard]] std::vector<LeftTree> left_trees(Space& space);

// Whether a process belongs to the tree; to be asked right before it is killed.
[[nodiscard]] bool belongs_to(Space& space, const LeftTree& tree, pid_t process);

}  // namespace tenure::ipc
