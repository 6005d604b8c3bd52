#include "tools/guard.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include <tenure/tenure.hpp>

#include "ipc/descriptor.hpp"
#include "ipc/run_session.hpp"
#include "tools/acquisition.hpp"
#include "tools/boot_time.hpp"
#include "tools/command_start.hpp"
#include "tools/process_state.hpp"
#include "tools/space_access.hpp"
#include "tools/text.hpp"
#include "tools/tree.hpp"

namespace tenure::tools {
namespace {

constexpr std::uint64_t millisecond = 1'000'000;
constexpr std::uint64_t kill_pause_min_ns = millisecond;
constexpr std::uint64_t kill_pause_max_ns = 100 * millisecond;
constexpr std::uint64_t loss_look_ns = 10 * millisecond;
constexpr std::uint64_t survivors_told_after_ns = 1000 * millisecond;
constexpr std::chrono::milliseconds last_events_patience(1000);

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

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

// Listens to the bell while the guard's thread waits for the name, and asks it to stop when there is a reason.
class CancelWatch {
 public:
  // Throws std::system_error where the system has no descriptor or no thread left.
  CancelWatch(const StatusPage& page, const Caller& caller, int bell) : page_(page), caller_(caller), bell_(bell) {
    if (done_.get() < 0) throw std::system_error(errno, std::generic_category());
    thread_ = std::thread([this] { listen(); });
  }
  ~CancelWatch() {
    eventfd_write(done_.get(), 1);
    thread_.join();
  }
  CancelWatch(const CancelWatch&) = delete;
  CancelWatch& operator=(const CancelWatch&) = delete;

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

 private:
  void listen() {
    for (;;) {
      if (!answer(bell_) || ending_signal(page_, caller_) != 0) {
        stop_.request_stop();
        return;
      }
      std::array<pollfd, 2> events{pollfd{bell_, POLLIN, 0}, pollfd{done_.get(), POLLIN, 0}};
      poll(events.data(), events.size(), -1);
      if (events[1].revents != 0) return;
    }
  }

  const StatusPage& page_;
  const Caller& caller_;
  int bell_;
  ipc::Descriptor done_{eventfd(0, EFD_CLOEXEC)};
  std::stop_source stop_;
  std::thread thread_;
};

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
  Guard(const RunPlan& plan, const Caller& caller, StatusPage& page, EventStream& events, int bell, ArgumentArea area)
      : plan_(plan), caller_(caller), page_(page), events_(events), bell_(bell), area_(area) {}

  void run() {
    if (!open() || !acquire()) return;
    if (is_wanted() && start()) watch_over_tree();
    // Of a supervisor that was killed nobody hears how far the command came: the next holder is told that this one died.
    if (!supervisor_lives_) return ipc::release_as_dead(*space_, lease_);
    const Token token = lease_.token();
    if (lease_.release()) events_.emit("released", [token](JsonWriter& json) { json.key("token").token(token); });
  }

 private:
  bool open();
  bool acquire();
  Result<Lease, AcquireError> wait_for_name(Acquisition& acquisition);
  bool is_wanted();
  bool start();
  void watch_over_tree();

  bool reap();
  void note_end(const siginfo_t& change);
  [[nodiscard]] bool is_to_be_continued() const;
  void take_signals();
  void watch_for_loss(std::uint64_t now_ns);
  void look_at_lease(std::uint64_t now_ns);
  void lose(std::string_view why, const std::string& text, std::uint64_t grace_ns);
  void look_at_max(std::uint64_t now_ns);
  void note_stop(std::uint64_t not_before_ns);
  void begin_end(Outcome why, int detail, std::uint64_t grace_ns);
  void kill_when_due(std::uint64_t now_ns);
  void tell_survivors(const std::vector<pid_t>& refused);
  void sleep();

  void end(Outcome outcome, int detail);
  void tell(const std::string& text) {
    if (!plan_.quiet) say(page_, bell_, text);
  }
  void cancel(int signal);
  void explain_bonds();
  void explain_failed_start(int error);
  void rename();
  [[nodiscard]] std::string quoted_name() const { return quoted(plan_.name); }

  const RunPlan& plan_;
  const Caller& caller_;
  StatusPage& page_;
  EventStream& events_;
  int bell_;
  ArgumentArea area_;
  std::optional<Space> space_;
  int leash_ = -1;
  Lease lease_;
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
  std::uint64_t kill_pause_ns_ = kill_pause_min_ns;
  std::uint64_t killing_since_ns_ = never;
  std::uint64_t wake_at_ns_ = never;
  bool survivors_told_ = false;
};

void Guard::end(Outcome outcome, int detail) {
  // Relaxed: the supervisor reads them when this process has ended, or after is_settled.
  page_.detail.store(detail, std::memory_order_relaxed);
  page_.outcome.store(outcome, std::memory_order_relaxed);
}

void Guard::rename() {
  const std::string text = std::string(guard_name) + ": " + plan_.name;
  std::memset(area_.begin, 0, area_.bytes);
  // The last byte stays zero: without it ps(1) would read on into the environment.
  text.copy(area_.begin, std::min(text.size(), area_.bytes - 1));
}

bool Guard::open() {
  const auto refuse = [this](int status, const std::string& message) {
    emit_refusal(events_, status, message);
    tell(message);
    end(Outcome::refused, status);
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
  if (leash_ >= 0 && !give(bell_, leash_)) leash_ = -1;
  if (plan_.verbose) explain_bonds();
  return true;
}

// What watches over the command's tree when supervisor and guard are both killed, where it is less than it could be.
void Guard::explain_bonds() {
  const bool inherits = leash_ >= 0 && !plan_.close;
  if (caller_.tag.tag == 0) {
    tell("the limit of file locks (ulimit -x) is set: only an inherited descriptor tells what belongs to the command's tree");
    if (!inherits) tell("... and the command inherits none: kill -9 of tenure and of its guard at once would leave it alone");
  } else if (leash_ < 0) {
    tell(std::string("no descriptor for the command to inherit: ") + std::strerror(errno));
  }
}

bool Guard::acquire() {
  Acquisition acquisition(plan_, *space_, events_, [this](const std::string& text) { tell(text); });
  Result<Lease, AcquireError> result = acquisition.try_at_once();
  if (acquisition.is_to_wait(result)) result = wait_for_name(acquisition);
  if (result) {
    granted_ns_ = boottime_ns();
    lease_ = std::move(*result);
    acquisition.tell_grant(lease_);
    return true;
  }
  if (result.error() == AcquireError::cancelled) {
    cancel(ending_signal(page_, caller_));
    return false;
  }
  const int status = acquisition.tell_refusal(result.error());
  const bool is_conflict = result.error() == AcquireError::busy || result.error() == AcquireError::timed_out;
  end(is_conflict ? Outcome::conflict : Outcome::refused, status);
  return false;
}

Result<Lease, AcquireError> Guard::wait_for_name(Acquisition& acquisition) {
  rename();
  std::optional<CancelWatch> watch;
  try {
    watch.emplace(page_, caller_, bell_);
  } catch (const std::system_error&) {
    return AcquireError::system;
  }
  return acquisition.wait(watch->token());
}

// Before the command was started; without a signal: the supervisor died.
void Guard::cancel(int signal) {
  end(Outcome::cancelled, signal);
  events_.emit("cancelled", [signal](JsonWriter& json) {
    json.key("why").value(signal == 0 ? "supervisor_killed" : "signal");
    if (signal != 0) json.key("signal").value(static_cast<std::uint32_t>(signal));
  });
}

// Whether the command should still be started. While the terminal has the job stopped, it is not.
bool Guard::is_wanted() {
  for (;;) {
    const bool supervisor_lives = answer(bell_);
    const int signal = ending_signal(page_, caller_);
    if (!supervisor_lives || signal != 0) {
      cancel(supervisor_lives ? signal : 0);
      return false;
    }
    if (!page_.is_paused.load(std::memory_order_acquire)) return true;
    pollfd event{bell_, POLLIN, 0};
    poll(&event, 1, -1);
  }
}

bool Guard::start() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  child_events_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  const bool ready = child_events_ >= 0 && timer_.open();
  StartedCommand started{-1, errno};
  const Bonds bonds{plan_.close ? -1 : leash_, caller_.tag.limits};
  if (ready) started = start_command(plan_.command, environment_for(plan_, lease_), caller_, bonds, page_.start);
  if (started.error != 0) {
    explain_failed_start(started.error);
    return false;
  }
  rename();
  command_ = started.process;
  events_.emit("started", [this](JsonWriter& json) { json.key("pid").value(static_cast<std::uint32_t>(command_)); });
  if (plan_.ttl.count() > 0) {
    lease_.on_jeopardy([this](std::chrono::nanoseconds left) {
      events_.emit("jeopardy", [left](JsonWriter& json) { json.key("remaining_s").value(seconds_of(left)); });
      tell("JEOPARDY: " + quoted_name() + " was not renewed in time and ends in " + duration_text(left));
    });
  }
  return true;
}

void Guard::explain_failed_start(int error) {
  tell("cannot start " + shell_word(clipped(plan_.command[0])) + ": " + std::strerror(error));
  events_.emit("not_started", [error](JsonWriter& json) { json.key("error").value(std::strerror(error)); });
  end(Outcome::not_started, error);
}

void Guard::watch_over_tree() {
  while (reap()) {
    wake_at_ns_ = never;
    if (!answer(bell_) && supervisor_lives_) {
      supervisor_lives_ = false;
      begin_end(Outcome::cancelled, 0, 0);
    }
    // What the command has left behind has to go, too.
    if (command_ == 0 && kill_at_ns_ == never) begin_end(Outcome::ended, 0, count_of(plan_.kill_after));
    take_signals();
    watch_for_loss(boottime_ns());
    look_at_lease(boottime_ns());
    look_at_max(boottime_ns());
    kill_when_due(boottime_ns());
    sleep();
  }
}

// Takes what the children have to say. False: there are none left, nor any descendant.
bool Guard::reap() {
  for (;;) {
    // Read before the look: a stop that it finds is not older.
    const std::uint64_t not_before_ns = monotonic_ns();
    siginfo_t change{};
    if (waitid(P_ALL, 0, &change, WEXITED | WSTOPPED | WCONTINUED | WNOHANG) != 0) return errno == EINTR;
    if (change.si_pid == 0) return true;
    if (change.si_pid != command_) continue;
    if (change.si_code == CLD_STOPPED) {
      note_stop(not_before_ns);
    } else if (change.si_code == CLD_CONTINUED) {
      page_.stopped_ns.store(0, std::memory_order_release);
    } else {
      note_end(change);
    }
  }
}

void Guard::note_stop(std::uint64_t not_before_ns) {
  // Before the stop itself is known: at a terminal the supervisor then stops, too.
  if (plan_.verbose) {
    tell("the command was stopped; " + quoted_name() + " stays held" +
         (plan_.ttl.count() == 0 ? ""
          : plan_.renew          ? ", and is renewed"
                                 : " for " + duration_text(lease_.remaining())));
  }
  page_.stopped_ns.store(not_before_ns, std::memory_order_release);
  ring(bell_);
}

void Guard::note_end(const siginfo_t& change) {
  command_ = 0;
  const int core = change.si_code == CLD_DUMPED ? 0x80 : 0;
  const int status = change.si_code == CLD_EXITED ? change.si_status << 8 : change.si_status | core;
  // Where vfork(2) is played by fork(2) (emulators, sanitizers), a failed start shows as late as this.
  const int start_error = page_.start.error;
  if (start_error != 0) return explain_failed_start(start_error);
  events_.emit("ended", [&change](JsonWriter& json) {
    json.key(change.si_code == CLD_EXITED ? "exit" : "signal").value(static_cast<std::uint32_t>(change.si_status));
  });
  if (kill_at_ns_ == never) end(Outcome::ended, status);
}

// At a terminal the command is continued with its whole group, and may have stopped again since then: only the stop that was meant ends.
bool Guard::is_to_be_continued() const {
  const std::uint64_t stopped_ns = page_.stopped_ns.load(std::memory_order_relaxed);
  return stopped_ns != 0 && (!caller_.has_terminal || stopped_ns == page_.continued_ns.load(std::memory_order_relaxed));
}

void Guard::take_signals() {
  const std::uint64_t posted = page_.signals.exchange(0, std::memory_order_acq_rel);
  if (command_ == 0) return;
  for (int signal = 1; signal < NSIG; ++signal) {
    if ((posted & bit_of(signal)) == 0) continue;
    if (signal == SIGTERM && sigismember(&caller_.ignored, SIGTERM) == 0) {
      begin_end(Outcome::terminated, SIGTERM, count_of(plan_.kill_after));
    } else if (signal != SIGCONT || is_to_be_continued()) {
      kill(command_, signal);
    }
  }
}

// The event costs a thread of the library, which a command that is over within a moment is spared. Until there is one, and where the
// system has no descriptor left for it, the lease is looked at.
void Guard::watch_for_loss(std::uint64_t now_ns) {
  if (loss_event_ >= 0) return;
  if (watch_from_ns_ == never) {
    watch_from_ns_ = now_ns + loss_look_ns;
  } else if (now_ns >= watch_from_ns_) {
    loss_event_ = lease_.loss_descriptor();
    watch_from_ns_ = now_ns + loss_look_ns;
  }
  if (loss_event_ < 0) wake_at_ns_ = std::min(wake_at_ns_, watch_from_ns_);
}

// The rule of the deadline T: SIGTERM at T - margin - kill_after, SIGKILL at T - margin, so that nothing runs at T.
void Guard::look_at_lease(std::uint64_t now_ns) {
  if (loss_told_) return;
  const LeaseState state = lease_.state();
  const std::uint64_t left_ns = count_of(lease_.remaining());
  const std::uint64_t margin_ns = count_of(plan_.ttl_margin);
  const std::uint64_t warning_ns = margin_ns + count_of(plan_.kill_after);
  if (state == LeaseState::held && (plan_.ttl.count() == 0 || left_ns > warning_ns)) {
    if (plan_.ttl.count() > 0) wake_at_ns_ = std::min(wake_at_ns_, now_ns + left_ns - warning_ns);
    return;
  }
  if (state == LeaseState::held) {
    lose("deadline", " ends in " + duration_text(nanoseconds_of(left_ns)) + "; ending the command and all it has started",
         left_ns > margin_ns ? left_ns - margin_ns : 0);
  } else {
    const bool expired = state == LeaseState::expired;
    lose(expired ? "expired" : "taken",
         ", token " + std::to_string(lease_.token()) + (expired ? ", its time is up" : ", was taken away (`tenure break`)") +
             "; killing the command and all it has started",
         0);
  }
}

void Guard::lose(std::string_view why, const std::string& text, std::uint64_t grace_ns) {
  loss_told_ = true;
  events_.emit("lost", [&](JsonWriter& json) {
    json.key("why").value(why);
    json.key("token").token(lease_.token());
    json.key("remaining_s").value(seconds_of(lease_.remaining()));
  });
  tell("LOST: " + quoted_name() + text);
  begin_end(Outcome::lost, 0, grace_ns);
}

// The same rule for the end of what --max allows; but then the hold itself is sound, and is let go in order.
void Guard::look_at_max(std::uint64_t now_ns) {
  if (plan_.hold_max.count() == 0 || max_told_) return;
  const std::uint64_t kill_at_ns = granted_ns_ + count_of(plan_.hold_max - plan_.max_margin);
  const std::uint64_t warn_at_ns = kill_at_ns - count_of(plan_.kill_after);
  if (now_ns < warn_at_ns) {
    wake_at_ns_ = std::min(wake_at_ns_, warn_at_ns);
    return;
  }
  max_told_ = true;
  if (kill_at_ns_ == never) {
    tell("its time (--max) is up: " + quoted_name() + " was to be held for " + duration_text(plan_.hold_max) +
         " at most; ending the command and all it has started");
  }
  begin_end(Outcome::overdue, 0, kill_at_ns > now_ns ? kill_at_ns - now_ns : 0);
}

// Of status-fd's "ending".
std::string_view reason_of(Outcome why) {
  switch (why) {
    case Outcome::lost: return "lost";
    case Outcome::overdue: return "max";
    case Outcome::terminated: return "signal";
    case Outcome::cancelled: return "supervisor_killed";
    default: return "command_ended";
  }
}

// The first reason gives the exit status, but for a loss, which outranks all; the shortest grace counts.
void Guard::begin_end(Outcome why, int detail, std::uint64_t grace_ns) {
  const bool first = kill_at_ns_ == never;
  if (first) events_.emit("ending", [why](JsonWriter& json) { json.key("why").value(reason_of(why)); });
  kill_at_ns_ = std::min(kill_at_ns_, boottime_ns() + grace_ns);
  if ((first && why != Outcome::ended) || why == Outcome::lost) end(why, detail);
  if (!first || grace_ns == 0) return;
  signal_tree(SIGTERM);
  signal_tree(SIGCONT);
}

void Guard::kill_when_due(std::uint64_t now_ns) {
  if (now_ns < kill_at_ns_) {
    wake_at_ns_ = std::min(wake_at_ns_, kill_at_ns_);
    return;
  }
  killing_since_ns_ = std::min(killing_since_ns_, now_ns);
  const std::vector<pid_t> refused = signal_tree(SIGKILL);
  if (now_ns - killing_since_ns_ >= survivors_told_after_ns) tell_survivors(refused);
  wake_at_ns_ = std::min(wake_at_ns_, now_ns + kill_pause_ns_);
  kill_pause_ns_ = std::min(kill_pause_ns_ * 2, kill_pause_max_ns);
}

void Guard::tell_survivors(const std::vector<pid_t>& refused) {
  if (std::exchange(survivors_told_, true)) return;
  for (const pid_t process : refused.empty() ? tree_members() : refused) {
    tell("still holding " + quoted_name() + ": " + process_text(process) +
         (refused.empty() ? " has not died yet" : " cannot be killed by this user"));
  }
}

void Guard::sleep() {
  std::array<pollfd, 5> events{pollfd{supervisor_lives_ ? bell_ : -1, POLLIN, 0}, pollfd{child_events_, POLLIN, 0},
                               pollfd{timer_.descriptor_for(wake_at_ns_), POLLIN, 0}, pollfd{loss_told_ ? -1 : loss_event_, POLLIN, 0},
                               pollfd{events_.backlog_descriptor(), POLLOUT, 0}};
  poll(events.data(), events.size(), -1);
  if (events[4].revents != 0) events_.flush();
  std::array<signalfd_siginfo, 8> seen{};
  while (read(child_events_, seen.data(), sizeof seen) > 0) {
  }
}

}  // namespace

void run_guard(const RunPlan& plan, const Caller& caller, StatusPage& page, EventStream& events, int bell, ArgumentArea area) {
  setpgid(0, 0);
  prctl(PR_SET_NAME, guard_name, 0, 0, 0);
  adopt_orphans();
  // Never destroyed: the library may still be telling it something.
  Guard guard(plan, caller, page, events, bell, area);
  guard.run();
  page.is_settled.store(true, std::memory_order_release);
  events.flush(last_events_patience);
  _exit(exit_ok);
}

}  // namespace tenure::tools
