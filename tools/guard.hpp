// The guard of `tenure run`: owns the session and the lease, starts the command as its child, and lets the name go when the last process
// of the command's tree is dead, and not before.
//
// Every signal is blocked in it and it has a process group of its own, so that only SIGKILL and SIGSTOP concern it. Whatever ends the
// supervisor, SIGKILL included, closes the bell; the guard then kills the tree. It has the one thread that starts and waits for children;
// the others are the library's and, while it waits for the name, one that listens to the bell.
#pragma once

#include "tools/event_stream.hpp"
#include "tools/run_plan.hpp"
#include "tools/status_page.hpp"

namespace tenure::tools {

// The memory of this process's arguments as ps(1) shows them.
struct ArgumentArea {
  char* begin;
  std::size_t bytes;
};

// Runs in the child that the supervisor forked, and ends it. `bell` is the guard's end.
[[noreturn]] void run_guard(const RunPlan& plan, const Caller& caller, StatusPage& page, EventStream& events, int bell, ArgumentArea area);

}  // namespace tenure::tools
