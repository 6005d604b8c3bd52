#include "tools/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "tools/process_state.hpp"
#include "tools/status_page.hpp"
#include "tools/text.hpp"
#include "tools/tree.hpp"

namespace tenure::tools {
namespace {

constexpr int kill_pause_max_ms = 100;

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
  Caller caller{getpid(), getpgrp(), {}, {}, has_controlling_terminal(), getsid(0) == getpid()};
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &caller.mask);
  sigemptyset(&caller.ignored);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action{};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) sigaddset(&caller.ignored, signal);
  }
  // Ignored, it would keep wait(2) from saying anything.
  signal(SIGCHLD, SIG_DFL);
  return caller;
}

class Supervisor {
 public:
  Supervisor(const RunPlan& plan, ArgumentArea area) : plan_(plan), area_(area), caller_(describe_caller()) {}

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
      if (!answer(bell_)) bell_ = -1;
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

  const RunPlan& plan_;
  ArgumentArea area_;
  Caller caller_;
  StatusPage* page_ = nullptr;
  int bell_ = -1;
  int signals_ = -1;
  pid_t guard_ = 0;
  std::vector<pid_t> older_children_;  // of whoever turned into this program by exec; none of our business
  std::uint64_t followed_ns_ = 0;      // the stop of the command that was last followed
  std::uint32_t told_ = 0;             // bytes of the page's text
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
    run_guard(plan_, caller_, *page_, bells.guard, area_);
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
  if (is_stopped && has_job_control()) pause();
}

void Supervisor::pause() {
  page_->is_paused.store(true, std::memory_order_release);
  kill(getpid(), SIGSTOP);
  forget_taken(SIGTSTP);
  page_->is_paused.store(false, std::memory_order_release);
  ring(bell_);
}

void Supervisor::tell() {
  const std::uint32_t end = std::min<std::uint32_t>(page_->text_end.load(std::memory_order_acquire), StatusPage::text_bytes);
  if (end <= told_) return;
  complain(std::string_view(page_->text.data() + told_, end - told_));
  told_ = end;
}

int Supervisor::status() {
  const std::int32_t detail = page_->detail.load(std::memory_order_relaxed);
  switch (page_->outcome.load(std::memory_order_relaxed)) {
    case Outcome::ended: return WIFSIGNALED(detail) ? end_by_signal(WTERMSIG(detail)) : WEXITSTATUS(detail);
    case Outcome::not_started: return exit_not_started;
    case Outcome::terminated:
    case Outcome::cancelled: return detail == 0 ? exit_system : end_by_signal(detail);
    case Outcome::conflict: return plan_.conflict_status;
    case Outcome::lost: return plan_.lost_status;
    case Outcome::refused: return detail;
    case Outcome::none: break;
  }
  return exit_system;
}

// A shell ends its script when a command dies of Ctrl-C, and goes on after one that exits with 130.
int Supervisor::end_by_signal(int number) {
  if (caller_.has_terminal) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(number, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &only, nullptr);
  }
  return exit_signal_base + number;
}

// The guard was killed. Its descendants have become this process's children.
int Supervisor::end_tree() {
  const bool sees_all = older_children_.empty();
  complain("the guard of " + quoted(plan_.name) + " was killed; killing the command" +
           (sees_all ? " and all it has started" : "; what it has started may still run, as this process had children of its own before"));
  for (int pause_ms = 1;; pause_ms = std::min(2 * pause_ms, kill_pause_max_ms)) {
    for (int result = 0; result == 0;) {
      siginfo_t change{};
      result = waitid(P_ALL, 0, &change, WEXITED | WNOHANG);
      if (result == 0 && change.si_pid == 0) break;
      if (result != 0 && errno == ECHILD) return exit_system;
    }
    const std::vector<pid_t> left = direct_children();
    if (std::ranges::all_of(left, [this](pid_t child) { return std::ranges::find(older_children_, child) != older_children_.end(); })) {
      return exit_system;
    }
    signal_tree(SIGKILL, older_children_);
    poll(nullptr, 0, pause_ms);
  }
}

}  // namespace

int supervise(const RunPlan& plan, ArgumentArea area) { return Supervisor(plan, area).run(); }

}  // namespace tenure::tools
