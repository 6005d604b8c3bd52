#include "tools/tree.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_set>
#include <utility>

#include "ipc/descriptor.hpp"
#include "ipc/proc_walk.hpp"
#include "tools/process_state.hpp"

namespace tenure::tools {
namespace {

using ipc::each_number_in;
using ipc::proc_path;

void append_children(pid_t process, std::vector<pid_t>& children) {
  each_number_in(proc_path("/proc/%d/task", process).data(), [&](int thread) {
    const std::string list = read_proc_file(proc_path("/proc/%d/task/%d/children", process, thread).data());
    const char* at = list.c_str();
    for (char* end = nullptr;; at = end) {
      const long child = std::strtol(at, &end, 10);
      if (end == at) break;
      children.push_back(static_cast<pid_t>(child));
    }
    return true;
  });
}

// Kernels without CONFIG_PROC_CHILDREN: every process and its parent.
bool kernel_lists_children() {
  static const bool listed = access("/proc/thread-self/children", R_OK) == 0;
  return listed;
}

std::vector<std::pair<pid_t, pid_t>> all_processes_by_parent() {
  std::vector<std::pair<pid_t, pid_t>> processes;
  each_number_in("/proc", [&](int process) {
    processes.emplace_back(process_state(process).parent, process);
    return true;
  });
  std::ranges::sort(processes);
  return processes;
}

class TreeWalk {
 public:
  explicit TreeWalk(const std::vector<pid_t>& spared) : seen_(spared.begin(), spared.end()) {
    seen_.insert(getpid());
    if (!kernel_lists_children()) by_parent_ = all_processes_by_parent();
  }

  // All descendants, parents before their children. `direct` is how many of the first are this process's own children.
  std::vector<pid_t> members(std::size_t& direct) {
    std::vector<pid_t> found;
    add_children_of(getpid(), found);
    direct = found.size();
    for (std::size_t i = 0; i < found.size(); ++i) add_children_of(found[i], found);
    return found;
  }

 private:
  void add_children_of(pid_t process, std::vector<pid_t>& found) {
    std::vector<pid_t> children;
    if (kernel_lists_children()) {
      append_children(process, children);
    } else {
      const auto [first, last] = std::ranges::equal_range(by_parent_, process, {}, &std::pair<pid_t, pid_t>::first);
      for (auto it = first; it != last; ++it) children.push_back(it->second);
    }
    for (const pid_t child : children) {
      if (seen_.insert(child).second) found.push_back(child);
    }
  }

  std::unordered_set<pid_t> seen_;
  std::vector<std::pair<pid_t, pid_t>> by_parent_;
};

bool descends_from_us(pid_t process) {
  const pid_t self = getpid();
  constexpr int depth_max = 100'000;
  for (int depth = 0; process > 1 && depth < depth_max; ++depth) {
    process = process_state(process).parent;
    if (process == self) return true;
  }
  return false;
}

}  // namespace

int signal_if(pid_t process, int signal, const std::function<bool(pid_t)>& belongs) {
  const ipc::Descriptor descriptor(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  if (!descriptor.is_open() && errno == ESRCH) return 0;
  if (!belongs(process)) return 0;
  const long sent = descriptor.is_open() ? syscall(SYS_pidfd_send_signal, descriptor.get(), signal, nullptr, 0) : kill(process, signal);
  return sent == 0 || errno == ESRCH ? 0 : errno;
}

void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

const char* why_no_tree() {
  std::array<char, 32> self{};
  if (readlink("/proc/self", self.data(), self.size() - 1) <= 0)
    return "/proc is not mounted here, and without it no tree of processes can be ended";
  if (std::atoi(self.data()) != getpid())
    return "/proc shows another PID namespace than this process's own: mount one of its own (unshare --mount-proc)";
  return nullptr;
}

std::vector<pid_t> direct_children() {
  std::size_t direct = 0;
  std::vector<pid_t> found = TreeWalk({}).members(direct);
  found.resize(direct);
  return found;
}

std::vector<pid_t> tree_members(const std::vector<pid_t>& spared) {
  std::size_t direct = 0;
  return TreeWalk(spared).members(direct);
}

std::vector<pid_t> signal_tree(int signal, const std::vector<pid_t>& spared) {
  std::size_t direct = 0;
  const std::vector<pid_t> members = TreeWalk(spared).members(direct);
  std::vector<pid_t> refused;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const int error = i >= direct ? signal_if(members[i], signal, descends_from_us) : kill(members[i], signal) != 0 ? errno : 0;
    if (error == EPERM) refused.push_back(members[i]);
  }
  return refused;
}

}  // namespace tenure::tools
