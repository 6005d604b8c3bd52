// Watches over the command's tree until nothing is left of it: passes signals on, and ends it when the command has ended, the supervisor is
// dead, the lease is lost or will be, or the time is up.
//
// REQUIRES: one thread uses it, the only one that waits for children; the process is a subreaper.
#pragma once

#include <sys/wait.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/lease.hpp>

#include "tools/boot_time.hpp"
#include "tools/event_stream.hpp"
#include "tools/run_plan.hpp"
#include "tools/status_page.hpp"

namespace tenure::tools {

// What the parts of the guard work with. All of it outlives them.
struct GuardContext {
  const RunPlan& plan;
  const Caller& caller;
  StatusPage& page;
  EventStream& events;
  int bell;

  // Has the supervisor say it, unless the plan wants quiet.
  void tell(const std::string& text) const;
  // How the run has ended.
  void end(Outcome outcome, int detail) const;
  void explain_failed_start(int error) const;
};

class TreeWatch {
 public:
  explicit TreeWatch(const GuardContext& context);

  // From now on --max counts.
  void note_grant() { granted_ns_ = boottime_ns(); }
  // Before the command is started. False: errno says why.
  [[nodiscard]] bool open();
  // Returns when no descendant is left. False: the supervisor was killed.
  bool run(pid_t command, Lease& lease);

 private:
  bool reap();
  void note_stop(std::uint64_t not_before_ns);
  void note_end(const siginfo_t& change);
  [[nodiscard]] bool is_to_be_continued() const;
  void take_signals();
  void watch_for_loss(std::uint64_t now_ns);
  void look_at_lease(std::uint64_t now_ns);
  void lose(std::string_view why, const std::string& text, std::uint64_t grace_ns);
  void look_at_max(std::uint64_t now_ns);
  void begin_end(Outcome why, int detail, std::uint64_t grace_ns);
  void kill_when_due(std::uint64_t now_ns);
  void tell_survivors(const std::vector<pid_t>& refused);
  void sleep();

  const GuardContext& context_;
  const RunPlan& plan_ = context_.plan;
  const Caller& caller_ = context_.caller;
  Lease* lease_ = nullptr;
  std::uint64_t granted_ns_ = 0;
  int child_events_ = -1;  // signalfd of SIGCHLD
  int loss_event_ = -1;    // of the lease
  std::uint64_t watch_from_ns_ = never;
  BootTimer timer_;
  pid_t command_ = 0;  // 0 once it has been waited for
  bool supervisor_lives_ = true;
  bool loss_told_ = false;
  bool max_told_ = false;
  std::uint64_t kill_at_ns_ = never;  // from then on whatever is left is killed; `never`: the end has not begun
  std::uint64_t kill_pause_ns_;
  std::uint64_t killing_since_ns_ = never;
  std::uint64_t wake_at_ns_ = never;
  bool survivors_told_ = false;
};

}  // namespace tenure::tools
