// What `tenure run` was asked to do, and by whom. Made once, before the first fork, and only read from then on.
#pragma once

#include <sys/types.h>

#include <csignal>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tools/exit_status.hpp"

namespace tenure::tools {

struct RunPlan {
  std::string name;
  std::vector<std::string> command;  // not empty
  std::string space;                 // as Space::Options::name; a path is absolute
  std::string label;
  std::optional<std::chrono::nanoseconds> wait;  // none: for as long as it takes; zero: not at all
  std::chrono::nanoseconds ttl{0};               // zero: the strict contract
  bool renew = true;
  std::chrono::nanoseconds kill_after{0};  // from SIGTERM to SIGKILL
  std::chrono::nanoseconds margin{0};      // leased: SIGKILL comes this long before the deadline
  int conflict_status = exit_no;
  int lost_status = exit_lost;
  bool verbose = false;
  bool quiet = false;
};

// The process that the caller started, as it was.
struct Caller {
  pid_t process;
  pid_t group;
  sigset_t mask;
  sigset_t ignored;
  bool has_terminal;   // a controlling one, with job control
  bool leads_session;  // the kernel tells only this process that the terminal has hung up
};

}  // namespace tenure::tools
