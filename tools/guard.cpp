#include "tools/guard.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <tenure/tenure.hpp>

#include "ipc/run_session.hpp"
#include "tools/acquisition.hpp"
#include "tools/command_start.hpp"
#include "tools/process_state.hpp"
#include "tools/space_access.hpp"
#include "tools/stop_watch.hpp"
#include "tools/text.hpp"
#include "tools/tree.hpp"
#include "tools/tree_watch.hpp"

namespace tenure::tools {
namespace {

constexpr std::chrono::milliseconds last_events_patience(1000);

// What a signal does to a process that has not asked otherwise.
bool ends_by_default(int signal) {
  constexpr std::array harmless{SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
  return std::ranges::find(harmless, signal) == harmless.end();
}

// The first of the posted signals that would have ended the caller's process.
int ending_signal(const StatusPage& page, const Caller& caller) {
  // Acquire: whoever posts a signal has done all else before.
  const std::uint64_t posted = page.signals.load(std::memory_order_acquire) | page.terminal_signals.load(std::memory_order_acquire);
  for (int signal = 1; signal < NSIG; ++signal) {
    if ((posted & bit_of(signal)) != 0 && ends_by_default(signal) && sigismember(&caller.ignored, signal) == 0) return signal;
  }
  return 0;
}

std::vector<std::string> environment_for(const RunPlan& plan, const Lease& lease) {
  constexpr std::array ours{"TENURE_NAME=", "TENURE_TOKEN=", "TENURE_SPACE=", "TENURE_ABANDONED="};
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (std::ranges::none_of(ours, [text](const char* name) { return text.starts_with(name); })) environment.emplace_back(text);
  }
  environment.push_back("TENURE_NAME=" + plan.name);
  environment.push_back("TENURE_TOKEN=" + std::to_string(lease.token()));
  environment.push_back("TENURE_SPACE=" + plan.space);
  if (lease.previous_holder_died()) environment.emplace_back("TENURE_ABANDONED=1");
  return environment;
}

class Guard {
 public:
  Guard(const GuardContext& context, ArgumentArea area) : context_(context), area_(area) {}

  void hold() {
    if (!open() || !acquire()) return;
    bool supervisor_lives = true;
    if (is_wanted()) {
      if (const pid_t command = start(); command > 0) supervisor_lives = watch_.run(command, *lease_);
    }
    // Of a supervisor that was killed nobody hears how far the command came: the next holder is told that this one died.
    if (!supervisor_lives) return ipc::release_as_dead(*space_, *lease_);
    const Token token = lease_->token();
    if (lease_->release()) context_.events.emit("released", [token](JsonWriter& json) { json.key("token").token(token); });
  }

 private:
  bool open();
  void explain_bonds();
  bool acquire();
  Result<Lease, AcquireError> wait_for_name(Acquisition& acquisition);
  bool is_wanted();
  bool is_lost();
  pid_t start();
  void cancel(int signal);
  void rename();

  const GuardContext& context_;
  const RunPlan& plan_ = context_.plan;
  const Caller& caller_ = context_.caller;
  ArgumentArea area_;
  TreeWatch watch_{context_};
  std::optional<Space> space_;
  std::optional<Lease> lease_;
  int leash_ = -1;
};

void Guard::rename() {
  const std::string text = std::string(guard_name) + ": " + plan_.name;
  std::memset(area_.begin, 0, area_.bytes);
  // The last byte stays zero: without it ps(1) would read on into the environment.
  text.copy(area_.begin, std::min(text.size(), area_.bytes - 1));
}

bool Guard::open() {
  const auto refuse = [this](int status, const std::string& message) {
    emit_refusal(context_.events, status, message);
    context_.tell(message);
    context_.end(Outcome::refused, status);
    return false;
  };
  if (const char* reason = why_no_tree()) return refuse(exit_configuration, reason);
  Space::Options options;
  options.name = plan_.space;
  options.label = plan_.label;
  Result<ipc::RunSpace, OpenError> opened = ipc::open_run_space(options, caller_.tag);
  if (!opened) return refuse(exit_status_of(opened.error().code), refusal_text(opened.error()));
  space_.emplace(std::move(opened->space));
  leash_ = opened->leash;
  // From now on the supervisor keeps the name from others, should this process be killed.
  if (leash_ >= 0 && !give(context_.bell, leash_)) leash_ = -1;
  if (plan_.verbose) explain_bonds();
  return true;
}

// What watches over the command's tree when supervisor and guard are both killed, where it is less than it could be.
void Guard::explain_bonds() {
  const bool inherits = leash_ >= 0 && !plan_.close;
  if (caller_.tag.tag == 0) {
    context_.tell("the limit of file locks (ulimit -x) is in use: only an inherited descriptor tells what belongs to the command's tree");
    if (!inherits) context_.tell("... and the command inherits none: kill -9 of tenure and of its guard at once would leave it alone");
  } else if (leash_ < 0) {
    context_.tell(std::string("no descriptor for the command to inherit: ") + std::strerror(errno));
  }
}

bool Guard::acquire() {
  Acquisition acquisition(plan_, *space_, context_.events, [this](const std::string& text) { context_.tell(text); });
  Result<Lease, AcquireError> result = acquisition.try_at_once();
  if (acquisition.is_to_wait(result)) result = wait_for_name(acquisition);
  if (result) {
    lease_ = std::move(*result);
    watch_.note_grant();
    acquisition.tell_grant(*lease_);
    return true;
  }
  if (result.error() == AcquireError::cancelled) {
    cancel(ending_signal(context_.page, caller_));
    return false;
  }
  const int status = acquisition.tell_refusal(result.error());
  const bool is_conflict = result.error() == AcquireError::busy || result.error() == AcquireError::timed_out;
  context_.end(is_conflict ? Outcome::conflict : Outcome::refused, status);
  return false;
}

Result<Lease, AcquireError> Guard::wait_for_name(Acquisition& acquisition) {
  rename();
  const auto goes_on = [this](StopWatch::Events& events) {
    events.push_back({context_.bell, POLLIN, 0});
    return answer(context_.bell) && ending_signal(context_.page, caller_) == 0;
  };
  std::optional<StopWatch> watch;
  try {
    watch.emplace(goes_on);
  } catch (const std::system_error&) {
    return AcquireError::system;
  }
  return acquisition.wait(watch->token());
}

// Before the command was started; without a signal: the supervisor died.
void Guard::cancel(int signal) {
  context_.end(Outcome::cancelled, signal);
  emit_cancelled(context_.events, signal, "supervisor_killed");
}

// Whether the command should still be started. While the terminal has the job stopped, it is not.
bool Guard::is_wanted() {
  for (;;) {
    const bool supervisor_lives = answer(context_.bell);
    const int signal = ending_signal(context_.page, caller_);
    if (!supervisor_lives || signal != 0) {
      cancel(supervisor_lives ? signal : 0);
      return false;
    }
    if (!context_.page.is_paused.load(std::memory_order_acquire)) return !is_lost();
    pollfd event{context_.bell, POLLIN, 0};
    poll(&event, 1, -1);
  }
}

// Stopped since the grant, this process may come too late: a command that is not started needs no end.
bool Guard::is_lost() {
  if (lease_->still_held()) return false;
  emit_lost(context_.events, reason_of_loss(lease_->state()), lease_->token(), {});
  context_.tell("LOST: " + quoted(plan_.name) + ", before the command was started");
  context_.end(Outcome::lost, 0);
  return true;
}

// The command's process, or 0, and why has been said.
pid_t Guard::start() {
  const Bonds bonds{plan_.close ? -1 : leash_, caller_.tag.tag != 0, caller_.tag.limits};
  StartedCommand started{-1, errno};
  if (watch_.open()) started = start_command(plan_.command, environment_for(plan_, *lease_), caller_, bonds, context_.page.start);
  if (started.error != 0) {
    context_.explain_failed_start(started.error);
    return 0;
  }
  rename();
  const auto command = static_cast<std::uint32_t>(started.process);
  context_.events.emit("started", [command](JsonWriter& json) { json.key("pid").value(command); });
  return started.process;
}

}  // namespace

void run_guard(const RunPlan& plan, const Caller& caller, StatusPage& page, EventStream& events, int bell, ArgumentArea area) {
  setpgid(0, 0);
  prctl(PR_SET_NAME, guard_name, 0, 0, 0);
  adopt_orphans();
  const GuardContext context{plan, caller, page, events, bell};
  // Never destroyed: the library may still be telling it something.
  Guard guard(context, area);
  guard.hold();
  page.is_settled.store(true, std::memory_order_release);
  events.flush(last_events_patience);
  _exit(exit_ok);
}

}  // namespace tenure::tools
