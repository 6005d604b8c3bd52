// What `tenure run` was asked to do, and by whom. Made once, before the first fork, and only read from then on.
#pragma once

#include <sys/types.h>

#include <csignal>

#include <chrono>
#include <string>
#include <vector>

#include "ipc/run_tag.hpp"
#include "tools/hold_plan.hpp"

namespace tenure::tools {

struct RunPlan : HoldPlan {
  std::vector<std::string> command;        // not empty
  bool close = false;                      // the command inherits no descriptor of ours
  std::chrono::nanoseconds kill_after{0};  // from SIGTERM to SIGKILL
  // SIGKILL comes this long before the end: of a lease, and of what --max allows.
  std::chrono::nanoseconds ttl_margin{0};
  std::chrono::nanoseconds max_margin{0};
};

// The process that the caller started, as it was.
struct Caller {
  pid_t process;
  pid_t group;
  sigset_t mask;
  sigset_t ignored;
  bool has_terminal;   // a controlling one, with job control
  bool leads_session;  // the kernel tells only this process that the terminal has hung up
  ipc::RunTag tag;     // for the tree of this run
};

}  // namespace tenure::tools
