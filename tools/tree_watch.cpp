#include "tools/tree_watch.hpp"

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <utility>

#include "tools/acquisition.hpp"
#include "tools/process_state.hpp"
#include "tools/text.hpp"
#include "tools/tree.hpp"

namespace tenure::tools {
namespace {

constexpr std::uint64_t millisecond = 1'000'000;
constexpr std::uint64_t kill_pause_min_ns = millisecond;
constexpr std::uint64_t kill_pause_max_ns = 100 * millisecond;
constexpr std::uint64_t loss_look_ns = 10 * millisecond;
constexpr std::uint64_t survivors_told_after_ns = 1000 * millisecond;

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

void GuardContext::tell(const std::string& text) const {
  if (!plan.quiet) say(page, bell, text);
}

void GuardContext::end(Outcome outcome, int detail) const {
  // Relaxed: the supervisor reads them when this process has ended, or after is_settled.
  page.detail.store(detail, std::memory_order_relaxed);
  page.outcome.store(outcome, std::memory_order_relaxed);
}

void GuardContext::explain_failed_start(int error) const {
  tell("cannot start " + shell_word(clipped(plan.command[0])) + ": " + std::strerror(error));
  events.emit("not_started", [error](JsonWriter& json) { json.key("error").value(std::strerror(error)); });
  end(Outcome::not_started, error);
}

TreeWatch::TreeWatch(const GuardContext& context) : context_(context), kill_pause_ns_(kill_pause_min_ns) {}

bool TreeWatch::open() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  child_events_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  return child_events_ >= 0 && timer_.open();
}

bool TreeWatch::run(pid_t command, Lease& lease) {
  command_ = command;
  lease_ = &lease;
  if (plan_.ttl.count() > 0) {
    lease_->on_jeopardy([this](std::chrono::nanoseconds left) {
      context_.events.emit("jeopardy", [left](JsonWriter& json) { json.key("remaining_s").value(seconds_of(left)); });
      context_.tell("JEOPARDY: " + quoted(plan_.name) + " was not renewed in time and ends in " + duration_text(left));
    });
  }
  while (reap()) {
    wake_at_ns_ = never;
    if (!answer(context_.bell) && supervisor_lives_) {
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
  return supervisor_lives_;
}

// Takes what the children have to say. False: there are none left, nor any descendant.
bool TreeWatch::reap() {
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
      context_.page.stopped_ns.store(0, std::memory_order_release);
    } else {
      note_end(change);
    }
  }
}

void TreeWatch::note_stop(std::uint64_t not_before_ns) {
  // Before the stop itself is known: at a terminal the supervisor then stops, too.
  if (plan_.verbose) {
    context_.tell("the command was stopped; " + quoted(plan_.name) + " stays held" +
                  (plan_.ttl.count() == 0 ? ""
                   : plan_.renew          ? ", and is renewed"
                                          : " for " + duration_text(lease_->remaining())));
  }
  context_.page.stopped_ns.store(not_before_ns, std::memory_order_release);
  ring(context_.bell);
}

void TreeWatch::note_end(const siginfo_t& change) {
  command_ = 0;
  const int core = change.si_code == CLD_DUMPED ? 0x80 : 0;
  const int status = change.si_code == CLD_EXITED ? change.si_status << 8 : change.si_status | core;
  // Where vfork(2) is played by fork(2) (emulators, sanitizers), a failed start shows as late as this.
  const int start_error = context_.page.start.error;
  if (start_error != 0) return context_.explain_failed_start(start_error);
  context_.events.emit("ended", [&change](JsonWriter& json) {
    json.key(change.si_code == CLD_EXITED ? "exit" : "signal").value(static_cast<std::uint32_t>(change.si_status));
  });
  if (kill_at_ns_ == never) context_.end(Outcome::ended, status);
}

// At a terminal the command is continued with its whole group, and may have stopped again since then: only the stop that was meant ends.
bool TreeWatch::is_to_be_continued() const {
  const std::uint64_t stopped_ns = context_.page.stopped_ns.load(std::memory_order_relaxed);
  return stopped_ns != 0 && (!caller_.has_terminal || stopped_ns == context_.page.continued_ns.load(std::memory_order_relaxed));
}

void TreeWatch::take_signals() {
  const std::uint64_t posted = context_.page.signals.exchange(0, std::memory_order_acq_rel);
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
void TreeWatch::watch_for_loss(std::uint64_t now_ns) {
  if (loss_event_ >= 0) return;
  if (watch_from_ns_ == never) {
    watch_from_ns_ = now_ns + loss_look_ns;
  } else if (now_ns >= watch_from_ns_) {
    loss_event_ = lease_->loss_descriptor();
    watch_from_ns_ = now_ns + loss_look_ns;
  }
  if (loss_event_ < 0) wake_at_ns_ = std::min(wake_at_ns_, watch_from_ns_);
}

// The rule of the deadline T: SIGTERM at T - margin - kill_after, SIGKILL at T - margin, so that nothing runs at T.
void TreeWatch::look_at_lease(std::uint64_t now_ns) {
  if (loss_told_) return;
  const LeaseState state = lease_->state();
  const std::uint64_t left_ns = count_of(lease_->remaining());
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
    lose(reason_of_loss(state),
         ", token " + std::to_string(lease_->token()) + (expired ? ", its time is up" : ", was taken away (`tenure break`)") +
             "; killing the command and all it has started",
         0);
  }
}

void TreeWatch::lose(std::string_view why, const std::string& text, std::uint64_t grace_ns) {
  loss_told_ = true;
  emit_lost(context_.events, why, lease_->token(), lease_->remaining());
  context_.tell("LOST: " + quoted(plan_.name) + text);
  begin_end(Outcome::lost, 0, grace_ns);
}

// The same rule for the end of what --max allows; but then the hold itself is sound, and is let go in order.
void TreeWatch::look_at_max(std::uint64_t now_ns) {
  if (plan_.hold_max.count() == 0 || max_told_) return;
  const std::uint64_t kill_at_ns = granted_ns_ + count_of(plan_.hold_max - plan_.max_margin);
  const std::uint64_t warn_at_ns = kill_at_ns - count_of(plan_.kill_after);
  if (now_ns < warn_at_ns) {
    wake_at_ns_ = std::min(wake_at_ns_, warn_at_ns);
    return;
  }
  max_told_ = true;
  if (kill_at_ns_ == never) {
    context_.tell("its time (--max) is up: " + quoted(plan_.name) + " was to be held for " + duration_text(plan_.hold_max) +
                  " at most; ending the command and all it has started");
  }
  begin_end(Outcome::overdue, 0, kill_at_ns > now_ns ? kill_at_ns - now_ns : 0);
}

// Of status-fd's "ending".
static std::string_view reason_of(Outcome why) {
  switch (why) {
    case Outcome::lost: return "lost";
    case Outcome::overdue: return "max";
    case Outcome::terminated: return "signal";
    case Outcome::cancelled: return "supervisor_killed";
    default: return "command_ended";
  }
}

// The first reason gives the exit status, but for a loss, which outranks all; the shortest grace counts.
void TreeWatch::begin_end(Outcome why, int detail, std::uint64_t grace_ns) {
  const bool first = kill_at_ns_ == never;
  if (first) context_.events.emit("ending", [why](JsonWriter& json) { json.key("why").value(reason_of(why)); });
  kill_at_ns_ = std::min(kill_at_ns_, boottime_ns() + grace_ns);
  if ((first && why != Outcome::ended) || why == Outcome::lost) context_.end(why, detail);
  if (!first || grace_ns == 0) return;
  signal_tree(SIGTERM);
  signal_tree(SIGCONT);
}

void TreeWatch::kill_when_due(std::uint64_t now_ns) {
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

void TreeWatch::tell_survivors(const std::vector<pid_t>& refused) {
  if (std::exchange(survivors_told_, true)) return;
  for (const pid_t process : refused.empty() ? tree_members() : refused) {
    context_.tell("still holding " + quoted(plan_.name) + ": " + process_text(process) +
                  (refused.empty() ? " has not died yet" : " cannot be killed by this user"));
  }
}

void TreeWatch::sleep() {
  std::array<pollfd, 5> events{pollfd{supervisor_lives_ ? context_.bell : -1, POLLIN, 0}, pollfd{child_events_, POLLIN, 0},
                               pollfd{timer_.descriptor_for(wake_at_ns_), POLLIN, 0}, pollfd{loss_told_ ? -1 : loss_event_, POLLIN, 0},
                               pollfd{context_.events.backlog_descriptor(), POLLOUT, 0}};
  poll(events.data(), events.size(), -1);
  if (events[4].revents != 0) context_.events.flush();
  std::array<signalfd_siginfo, 8> seen{};
  while (read(child_events_, seen.data(), sizeof seen) > 0) {
  }
}

}  // namespace tenure::tools
