// The processes that descend from this one, through /proc.
//
// This process is a subreaper (PR_SET_CHILD_SUBREAPER), so whoever's parent dies becomes its child before it could be missed: wait(2)
// saying ECHILD is proof that no descendant is left. Only one thread may wait for children, so the number of a direct child stays its own
// until it is waited for. That of a grandchild does not: it is killed through a pidfd, after another look at its descent.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

namespace tenure::tools {

// Has the orphans among the descendants become children of this process.
void adopt_orphans();

// Null, or why the tree cannot be seen here: no /proc, or one that shows another PID namespace, whose numbers mean other processes.
[[nodiscard]] const char* why_no_tree();

// The direct children of this process.
[[nodiscard]] std::vector<pid_t> direct_children();

// Sends the signal to every descendant that exists at some moment of the walk, but for those in `spared` and theirs. Those that this
// process may not signal are returned.
std::vector<pid_t> signal_tree(int signal, const std::vector<pid_t>& spared = {});

// Sends a signal through a pidfd, which keeps the number from coming to mean another process between the look and the signal.
// `belongs`: whether the process is still one of those meant. 0, or errno of what failed; 0 too where it is gone or no longer meant.
int signal_if(pid_t process, int signal, const std::function<bool(pid_t)>& belongs);

// The descendants, parents before their children, but for those in `spared` and theirs.
[[nodiscard]] std::vector<pid_t> tree_members(const std::vector<pid_t>& spared = {});

}  // namespace tenure::tools
