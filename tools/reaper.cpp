#include "tools/reaper.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "tools/boot_time.hpp"
#include "tools/process_state.hpp"
#include "tools/tree.hpp"

namespace tenure::tools {
namespace {

using std::chrono::milliseconds;

// For a supervisor that ends its tree, or a guard that was told of a break; and for one that is past its deadline, which nothing may
// outlive by more than two seconds.
constexpr milliseconds time_to_end(2000);
constexpr milliseconds time_to_end_when_overdue(1000);
constexpr int round_pause_ms = 5;
// Whoever only has the byte open takes long to find.
constexpr std::uint32_t rounds_per_search = 10;
constexpr std::uint64_t round_ns_max = 100'000'000;  // what a stop or a suspended host makes longer does not count

}  // namespace

void Reaper::note_round(const ipc::LeftTree& tree) {
  const std::uint64_t tag = tree.tags.empty() ? 0 : tree.tags.front();
  const std::uint64_t now_ns = boottime_ns();
  const bool is_same = round_ns_ != 0 && tree.slot == slot_ && tag == tag_;
  waited_ns_ = is_same ? waited_ns_ + static_cast<std::int64_t>(std::min(now_ns - round_ns_, round_ns_max)) : 0;
  slot_ = tree.slot;
  tag_ = tag;
  round_ns_ = now_ns;
}

void Reaper::work_on(std::uint32_t slot) {
  ipc::LeftTree tree = ipc::left_tree(space_, slot, false);
  note_round(tree);
  const bool is_broken = !tree.is_dead && !tree.is_overdue;
  const bool had_time = waited() >= (tree.is_overdue ? time_to_end_when_overdue : time_to_end);
  if (!is_broken || had_time) kill_all(tree, tree.carriers);
  if (had_time && rounds_++ % rounds_per_search == 0) {
    tree = ipc::left_tree(space_, slot, true);
    kill_all(tree, tree.with_byte);
    with_byte_ = tree.with_byte;
  }
  left_ = tree.carriers;
  left_.insert(left_.end(), with_byte_.begin(), with_byte_.end());
}

bool Reaper::end(std::uint32_t slot, milliseconds patience) {
  const std::uint64_t until_ns = boottime_ns() + count_of(patience);
  for (;;) {
    const ipc::LeftTree tree = ipc::left_tree(space_, slot, true);
    left_ = tree.carriers;
    left_.insert(left_.end(), tree.with_byte.begin(), tree.with_byte.end());
    if (left_.empty()) return true;
    kill_all(tree, left_);
    if (boottime_ns() >= until_ns) return false;
    poll(nullptr, 0, round_pause_ms);
  }
}

void Reaper::kill_all(const ipc::LeftTree& tree, const std::vector<pid_t>& processes) {
  for (const pid_t process : processes) {
    if (process == getpid()) continue;
    signal_if(process, SIGKILL, [&](pid_t candidate) { return ipc::belongs_to(space_, tree, candidate); });
  }
}

std::string survivors_text(const std::vector<pid_t>& processes) {
  std::string text;
  for (const pid_t process : processes) {
    struct stat owner{};
    const std::string path = "/proc/" + std::to_string(process);
    if (stat(path.c_str(), &owner) != 0) continue;
    if (!text.empty()) text += '\n';
    text += process_text(process);
    if (geteuid() != 0 && owner.st_uid != geteuid()) text += ", which this user cannot kill";
  }
  return text;
}

}  // namespace tenure::tools
