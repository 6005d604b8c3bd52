// While it lives, what the code under test does to its process ends the run, not the simulator: a null pointer, a division by zero,
// abort(), a stack that overflows fail the run with "crash", a loop without a step fails it with "stuck".
//
// The run's stack is dropped where it stood, with all locks that it held; after such a finding a process should do little more than tell of
// it. hunt() and run_isolated() use workers for that. One guard at a time in a process; it uses SIGPROF and the signals of crashes.
#pragma once

namespace tenure::sim {

class CrashGuard {
 public:
  // Of processor time, without a step.
  explicit CrashGuard(double silent_seconds_max = 2);
  ~CrashGuard();
  CrashGuard(const CrashGuard&) = delete;
  CrashGuard& operator=(const CrashGuard&) = delete;
};

}  // namespace tenure::sim
