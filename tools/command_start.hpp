// Starts the command of `tenure run` as a child of the guard.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/run_plan.hpp"

namespace tenure::tools {

struct StartedCommand {
  pid_t process = -1;
  int error = 0;  // errno of what failed; then there is no process
};

// Written by the command's process before it is the command, so whoever hears from the command finds it here.
struct StartReport {
  std::atomic<std::int32_t> process{0};
  std::atomic<std::int32_t> error{0};  // errno of what failed; then the process ends
};

// What every process of the command's tree has, whatever becomes of its parents.
struct Bonds {
  int leash = -1;     // an open descriptor of this process; -1: the command inherits none
  rlimit tag_limits;  // of RLIMIT_LOCKS
};

// REQUIRES: the calling thread lives as long as the command, which the kernel kills when that thread ends; every signal is blocked.
// At a terminal the command joins the caller's process group, so that the terminal's signals and job control find it; without one it gets
// a group of its own, so that nobody's kill(0) hits both it and the caller. Mask and ignored signals are the caller's. `report` lies
// in memory that a child shares.
[[nodiscard]] StartedCommand start_command(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                                           const Caller& caller, const Bonds& bonds, StartReport& report);

}  // namespace tenure::tools
