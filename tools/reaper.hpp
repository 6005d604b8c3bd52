// Ends what runs have left behind: the trees whose guard was killed, or that are past their deadline and not gone. Only this program kills;
// the library waits.
//
// Each process is killed through a pidfd, after another look at what shows that it belongs to the tree: its tag, or the slot's byte that it
// has open.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/space.hpp>

#include "ipc/run_session.hpp"

namespace tenure::tools {

class Reaper {
 public:
  explicit Reaper(Space& space) : space_(space) {}

  // One round for the tree in a slot, from whoever is next in line for what it holds back. Who carries the tag is killed at once, where the
  // guard is dead or the deadline past; who only has the byte open, the supervisor and the guard among them, when they have had time to
  // end by themselves.
  void work_on(std::uint32_t slot);

  // Kills everything of a tree, and waits for its end. False: something is left.
  [[nodiscard]] bool end(std::uint32_t slot, std::chrono::milliseconds patience);

  // Since the first round for the same tree, while this process ran.
  [[nodiscard]] std::chrono::nanoseconds waited() const { return std::chrono::nanoseconds(waited_ns_); }
  [[nodiscard]] const std::vector<pid_t>& left() const { return left_; }

 private:
  void note_round(const ipc::LeftTree& tree);
  void kill_all(const ipc::LeftTree& tree, const std::vector<pid_t>& processes);

  Space& space_;
  std::uint32_t slot_ = 0;
  std::uint64_t tag_ = 0;
  std::uint64_t round_ns_ = 0;  // when the last round was; 0: there was none
  std::int64_t waited_ns_ = 0;
  std::uint32_t rounds_ = 0;
  std::vector<pid_t> with_byte_;  // when it was last looked for them
  std::vector<pid_t> left_;
};

// "PID 4711 (sleep), user alice, in uninterruptible sleep": one line each, with why it is still there.
[[nodiscard]] std::string survivors_text(const std::vector<pid_t>& processes);

}  // namespace tenure::tools
