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

// A run that is dead, broken or past its deadline, and of whose tree something may be left.
struct LeftTree {
  std::uint32_t slot = 0;
  std::uint32_t shown_pid = 0;
  std::uint32_t uid = 0;
  bool is_dead = false;             // the guard; else it is past its deadline, or broken
  std::vector<std::uint64_t> tags;  // its own, and those of runs inside it
  std::string command;

  // Those that are left, as far as they can be seen. `with_byte`: also those that carry no tag, but have the slot's byte open; the
  // supervisor and a guard that lives are among them.
  std::vector<pid_t> carriers;
  std::vector<pid_t> with_byte;
};

class RunSession {
 public:
  // REQUIRES: this process has not opened the space before.
  static Result<RunSession, OpenError> open(const Space::Options& options, const RunTag& tag);

  [[nodiscard]] Space& space() { return space_; }

  // To be inherited by the tree and by the supervisor: as long as one process has it, the name stays held. -1: the system gave none.
  [[nodiscard]] int leash() const { return leash_; }

  struct Wait {
    std::chrono::nanoseconds patience = std::chrono::nanoseconds::max();
    std::stop_token stop;
    std::function<void(std::uint32_t place)> queued;
    std::function<void(std::uint32_t slot)> blocked;  // see core::Patience
  };
  [[nodiscard]] Result<Lease, AcquireError> acquire(std::string_view name, Terms terms, const Wait& wait);

  // Releases, and has the next holder told that this one died.
  void release_as_dead(Lease& lease);

 private:
  RunSession(std::shared_ptr<SpaceCore> core, Space space, int leash) : core_(std::move(core)), space_(std::move(space)), leash_(leash) {}
  std::shared_ptr<SpaceCore> core_;
  Space space_;
  int leash_;
};

// The trees that hold names back in a space; or the one of a slot. Reads /proc.
[[nodiscard]] std::vector<LeftTree> left_trees(Space& space);
[[nodiscard]] LeftTree left_tree(Space& space, std::uint32_t slot);

// Whether the process still belongs to the tree: to be asked right before it is killed.
[[nodiscard]] bool belongs_to(Space& space, const LeftTree& tree, pid_t process);

}  // namespace tenure::ipc
