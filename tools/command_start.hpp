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

// What the caller's process and that of the command tell each other while the command starts. Signals are bits, as the kernel's own
// pending ones: signal n is bit n - 1.
struct StartReport {
  // Written by the command's process before it is the command, so whoever hears from the command finds it here.
  std::atomic<std::int32_t> process{0};
  std::atomic<std::int32_t> error{0};         // errno of what failed; then the process ends
  std::atomic<bool> is_asked_to_stop{false};  // by the terminal, before it was the command
  // Written by the caller's process: a signal that it has taken is here, and was before it was taken.
  std::atomic<std::uint64_t> taken{0};
};
[[nodiscard]] constexpr std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }

// What every process of the command's tree has, whatever becomes of its parents.
struct Bonds {
  int leash = -1;  // an open descriptor of this process; -1: the command inherits none
  bool is_tagged = false;
  rlimit tag_limits{};  // of RLIMIT_LOCKS, where it is tagged
};

// REQUIRES: the calling thread lives as long as the command, which the kernel kills when that thread ends; every signal is blocked.
// At a terminal the command joins the caller's process group, so that the terminal's signals and job control find it; without one it gets
// a group of its own, so that nobody's kill(0) hits both it and the caller. What the terminal sent when the caller was still alone in the
// group, the command gets too. Mask and ignored signals are the caller's. `report` lies in memory that a child shares.
[[nodiscard]] StartedCommand start_command(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                                           const Caller& caller, const Bonds& bonds, StartReport& report);

}  // namespace tenure::tools
