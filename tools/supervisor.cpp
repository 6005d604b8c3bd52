#include "tools/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "ipc/tree_scan.hpp"
#include "tools/boot_time.hpp"
#include "tools/process_state.hpp"
#include "tools/reaper.hpp"
#include "tools/signals.hpp"
#include "tools/status_page.hpp"
#include "tools/text.hpp"
#include "tools/tree.hpp"

namespace tenure::tools {
namespace {

constexpr int kill_pause_max_ms = 100;
constexpr std::uint64_t survivors_told_after_ns = 1'000'000'000;

bool has_controlling_terminal() {
  const int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0) close(terminal);
  return terminal >= 0;
}

sigset_t pending_signals() {
  sigset_t pending;
  sigpending(&pending);
  return pending;
}

std::uint64_t bits_of(const sigset_t& signals) {
  std::uint64_t bits = 0;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&signals, signal) == 1) bits |= bit_of(signal);
  }
  return bits;
}

// Whether somebody can continue this process's group when it stops: a parent of the group that is in another one, of the same session.
bool has_job_control() {
  for (pid_t process = getpid();;) {
    process = process_state(process).parent;
    if (process <= 0 || getsid(process) != getsid(0)) return false;
    if (getpgid(process) != getpgrp()) return true;
  }
}

// Notes the caller's signals, and blocks all of them.
Caller describe_caller() {
  Caller caller{getpid(), getpgrp(), {}, ignored_signals(), has_controlling_terminal(), getsid(0) == getpid(), ipc::new_run_tag()};
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &caller.mask);
  // Ignored, it would keep wait(2) from saying anything.
  signal(SIGCHLD, SIG_DFL);
  return caller;
}

class Supervisor {
 public:
  Supervisor(const RunPlan& plan, EventStream& events, ArgumentArea area)
      : plan_(plan), events_(events), area_(area), caller_(describe_caller()) {}

  int run() {
    if (!start_guard()) {
      complain(std::string("cannot start: ") + std::strerror(errno));
      return exit_system;
    }
    while (!guard_has_ended()) {
      std::array<pollfd, 2> events{pollfd{signals_, POLLIN, 0}, pollfd{bell_, POLLIN, 0}};
      poll(events.data(), events.size(), -1);
      take_signals();
      // A dead guard is noticed by its end as a child; then the bell has nothing more to say.
      if (!answer(bell_, &leash_)) bell_ = -1;
      tell();
      follow_stop();
    }
    tell();
    return page_->is_settled.load(std::memory_order_acquire) ? status() : end_tree();
  }

 private:
  bool start_guard();
  bool guard_has_ended();
  void take_signals();
  void take_signal(const siginfo_t& signal);
  [[nodiscard]] bool is_of_group(const siginfo_t& signal) const;
  void undo_stop();
  void forget_taken(int signal);
  void post(std::atomic<std::uint64_t>& signals, int signal);
  void follow_stop();
  void pause();
  void tell();
  int status();
  int end_by_signal(int signal);
  int end_tree();
  [[nodiscard]] std::vector<pid_t> carriers() const;
  [[nodiscard]] bool is_left() const;

  const RunPlan& plan_;
  EventStream& events_;  // for the guard, and for this process when there is none any more
  ArgumentArea area_;
  Caller caller_;
  StatusPage* page_ = nullptr;
  int bell_ = -1;
  ipc::Descriptor leash_;  // from the guard: open here, the name stays held when the guard is killed, until the tree is gone
  int signals_ = -1;
  pid_t guard_ = 0;
  std::vector<pid_t> older_children_;  // of whoever turned into this program by exec; none of our business
  std::uint64_t followed_ns_ = 0;      // the stop of the command that was last followed
};

bool Supervisor::start_guard() {
  sigset_t all;
  sigfillset(&all);
  page_ = map_status_page();
  BellPair bells;
  if (page_ == nullptr || !make_bells(bells)) return false;
  signals_ = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) return false;
  bell_ = bells.supervisor;
  if (waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT) == 0) older_children_ = direct_children();
  // Their orphans could not be told from ours.
  if (older_children_.empty()) adopt_orphans();
  guard_ = fork();
  if (guard_ == 0) {
    // Open here, the supervisor's end would hide its death.
    close(bells.supervisor);
    close(signals_);
    run_guard(plan_, caller_, *page_, events_, bells.guard, area_);
  }
  close(bells.guard);
  return guard_ > 0;
}

bool Supervisor::guard_has_ended() {
  for (;;) {
    siginfo_t change{};
    if (waitid(P_PID, static_cast<id_t>(guard_), &change, WEXITED | WSTOPPED | WNOHANG) != 0) return errno != EINTR;
    if (change.si_pid == 0) return false;
    if (change.si_code != CLD_STOPPED) return true;
    // A stopped guard could not keep its deadlines.
    kill(guard_, SIGCONT);
  }
}

// Each is noted before it is taken: see catch_up() in command_start.cpp.
void Supervisor::take_signals() {
  for (sigset_t pending = pending_signals(); bits_of(pending) != 0; pending = pending_signals()) {
    page_->start.taken.fetch_or(bits_of(pending), std::memory_order_release);
    siginfo_t signal{};
    for (const timespec at_once{}; sigtimedwait(&pending, &signal, &at_once) > 0;) take_signal(signal);
  }
}

void Supervisor::take_signal(const siginfo_t& signal) {
  const int number = signal.si_signo;
  const std::int32_t command = page_->start.process.load(std::memory_order_acquire);
  // What the terminal sends it sends to its whole foreground group, the command included; a hang-up, to the leader of the session.
  const bool from_terminal = signal.si_code == SI_KERNEL && caller_.has_terminal && !(number == SIGHUP && caller_.leads_session);
  const bool from_command = command != 0 && signal.si_code == SI_USER && signal.si_pid == command;
  if (number == SIGCHLD || number == SIGPIPE || number == SIGTTIN || number == SIGTTOU) return;
  if (number == SIGTSTP && (command == 0 || from_terminal || is_of_group(signal)) && !has_job_control()) return undo_stop();
  if (from_command) return;
  if (number == SIGCONT) {
    forget_taken(SIGTSTP);
    page_->continued_ns.store(followed_ns_, std::memory_order_relaxed);
  }
  if (number == SIGTSTP && command == 0) {
    if (sigismember(&caller_.ignored, SIGTSTP) == 0) pause();
    return;
  }
  post(from_terminal ? page_->terminal_signals : page_->signals, number);
}

bool Supervisor::is_of_group(const siginfo_t& signal) const {
  return signal.si_code == SI_USER && caller_.has_terminal && getpgid(signal.si_pid) == caller_.group;
}

// The kernel lets the terminal stop no group that nobody would continue. The guard makes this one look as if there were somebody.
void Supervisor::undo_stop() {
  forget_taken(SIGTSTP);
  if (caller_.has_terminal) kill(0, SIGCONT);
}

void Supervisor::forget_taken(int signal) { page_->start.taken.fetch_and(~bit_of(signal), std::memory_order_relaxed); }

void Supervisor::post(std::atomic<std::uint64_t>& signals, int signal) {
  signals.fetch_or(bit_of(signal), std::memory_order_release);
  ring(bell_);
}

// At a terminal, a job whose command has stopped is a job that has stopped: the shell sees this process only. Elsewhere nobody would
// continue it.
void Supervisor::follow_stop() {
  const std::uint64_t stopped_ns = page_->stopped_ns.load(std::memory_order_acquire);
  if (!caller_.has_terminal || stopped_ns == 0 || stopped_ns == followed_ns_) return;
  followed_ns_ = stopped_ns;
  // Whoever has continued it since then has continued this process, too: to stop now would be to stop again.
  const bool is_stopped = process_state(page_->start.process.load(std::memory_order_relaxed)).state == 'T';
  if (!is_stopped || !has_job_control()) return;
  tell();
  pause();
}

void Supervisor::pause() {
  page_->is_paused.store(true, std::memory_order_release);
  kill(getpid(), SIGSTOP);
  forget_taken(SIGTSTP);
  page_->is_paused.store(false, std::memory_order_release);
  ring(bell_);
}

void Supervisor::tell() {
  if (const std::string text = take_text(*page_); !text.empty()) complain(text);
}

int Supervisor::status() {
  const std::int32_t detail = page_->detail.load(std::memory_order_relaxed);
  switch (page_->outcome.load(std::memory_order_relaxed)) {
    case Outcome::ended: return WIFSIGNALED(detail) ? end_by_signal(WTERMSIG(detail)) : WEXITSTATUS(detail);
    case Outcome::not_started: return exit_not_started;
    case Outcome::terminated:
    case Outcome::cancelled: return detail == 0 ? exit_system : end_by_signal(detail);
    case Outcome::conflict: return plan_.conflict_status;
    case Outcome::lost:
    case Outcome::overdue: return plan_.lost_status;
    case Outcome::refused: return detail;
    case Outcome::none: break;
  }
  return exit_system;
}

int Supervisor::end_by_signal(int number) {
  if (caller_.has_terminal) die_of(number);
  return exit_signal_base + number;
}

// The guard was killed. Its descendants have become this process's children, unless it had children of its own before and is no subreaper;
// then their tag tells which they are.
int Supervisor::end_tree() {
  events_.emit("ending", [](JsonWriter& json) { json.key("why").value("guard_killed"); });
  if (!plan_.quiet) complain("the guard of " + quoted(plan_.name) + " was killed; killing the command and all it has started");
  const std::uint64_t survivors_told_at_ns = boottime_ns() + survivors_told_after_ns;
  bool told = plan_.quiet;
  for (int pause_ms = 1; is_left(); pause_ms = std::min(2 * pause_ms, kill_pause_max_ms)) {
    signal_tree(SIGKILL, older_children_);
    const auto belongs = [this](pid_t process) { return ipc::carries_any(process, {&caller_.tag.tag, 1}); };
    for (const pid_t process : carriers()) signal_if(process, SIGKILL, belongs);
    if (!told && boottime_ns() >= survivors_told_at_ns) {
      told = true;
      complain(quoted(plan_.name) + " stays held until these have died:\n" + survivors_text(tree_members(older_children_)));
    }
    poll(nullptr, 0, pause_ms);
  }
  return exit_system;
}

std::vector<pid_t> Supervisor::carriers() const {
  return caller_.tag.tag == 0 ? std::vector<pid_t>() : ipc::carriers_of({&caller_.tag.tag, 1});
}

// Whether anything of the tree is left. Takes the dead.
bool Supervisor::is_left() const {
  for (;;) {
    siginfo_t change{};
    if (waitid(P_ALL, 0, &change, WEXITED | WNOHANG) != 0 || change.si_pid == 0) break;
  }
  const auto is_older = [this](pid_t child) { return std::ranges::find(older_children_, child) != older_children_.end(); };
  return !std::ranges::all_of(direct_children(), is_older) || !carriers().empty();
}

}  // namespace

int supervise(const RunPlan& plan, EventStream& events, ArgumentArea area) { return Supervisor(plan, events, area).run(); }

}  // namespace tenure::tools
