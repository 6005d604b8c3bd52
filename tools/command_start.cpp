#include "tools/command_start.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tenure::tools {
namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Of the process that becomes the command.
StartReport* own_report = nullptr;

// The kernel's order holds: of a stop and a continuation the later one counts.
void note_stop(int signal) { own_report->is_asked_to_stop = signal == SIGTSTP; }

// A stop would keep the guard waiting for the exec, deaf to everybody. What is caught here is again as by default after the exec.
void put_off_stops(StartReport& report) {
  own_report = &report;
  std::signal(SIGTSTP, note_stop);
  std::signal(SIGCONT, note_stop);
}

// The value of a line of /proc/PID/status that is a mask of signals; 0 if there is none.
std::uint64_t mask_in(const char* text, const char* title) {
  const char* at = std::strstr(text, title);
  return at == nullptr ? 0 : std::strtoull(at + std::strlen(title), nullptr, 16);
}

std::uint64_t pending_signals(pid_t process) {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/status", process);
  const int file = open(path.data(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::array<char, 4096> text{};
  const ssize_t count = read(file, text.data(), text.size() - 1);
  close(file);
  return count <= 0 ? 0 : mask_in(text.data(), "\nSigPnd:\t") | mask_in(text.data(), "\nShdPnd:\t");
}

// What the terminal sent before this process was in the caller's group the caller alone has had. If this process has had it, too, it is
// still pending here, and stays one signal.
void catch_up(const Caller& caller, const StartReport& report) {
  // In this order: what is no longer pending has been noted as taken.
  const std::uint64_t pending = pending_signals(caller.process);
  const std::uint64_t sent = pending | report.taken.load(std::memory_order_acquire);
  for (const int signal : {SIGINT, SIGQUIT, SIGHUP, SIGTSTP}) {
    if ((sent & bit_of(signal)) != 0) kill(getpid(), signal);
  }
}

// Runs in the memory of the guard, whose thread sleeps until the exec or the exit; so it calls nothing but the kernel. (posix_spawn does
// the same, but knows nothing of parents' deaths.)
[[noreturn]] void become_command(char** command, char** environment, const Caller& caller, const Bonds& bonds, pid_t guard,
                                 StartReport& report) {
  report.process = getpid();
  if (bonds.is_tagged && setrlimit(RLIMIT_LOCKS, &bonds.tag_limits) != 0) report.error = errno;
  if (bonds.leash >= 0 && fcntl(bonds.leash, F_SETFD, 0) != 0) report.error = errno;
  if (setpgid(0, caller.has_terminal ? caller.group : 0) != 0) report.error = errno;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // The guard may have died before the line above.
  if (getppid() != guard) report.error = ESRCH;
  if (report.error == 0) {
    put_off_stops(report);
    for (int signal = 1; signal < NSIG; ++signal) {
      if (sigismember(&caller.ignored, signal) == 1) std::signal(signal, SIG_IGN);
    }
    if (caller.has_terminal) catch_up(caller, report);
    sigprocmask(SIG_SETMASK, &caller.mask, nullptr);
    execvpe(command[0], command, environment);
    report.error = errno;
  }
  _exit(exit_not_started);
}

}  // namespace

StartedCommand start_command(const std::vector<std::string>& command, const std::vector<std::string>& environment, const Caller& caller,
                             const Bonds& bonds, StartReport& report) {
  const std::vector<char*> arguments = pointers_to(command);
  const std::vector<char*> variables = pointers_to(environment);
  const pid_t guard = getpid();
  const pid_t process = vfork();  // NOLINT(bugprone-unsafe-functions): posix_spawn cannot do it
  if (process == 0) {
    // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): it never returns, and writes to no variable of this thread
    become_command(const_cast<char**>(arguments.data()), const_cast<char**>(variables.data()), caller, bonds, guard, report);
  }
  if (process < 0) return {-1, errno};
  if (report.error == 0) {
    if (report.is_asked_to_stop) kill(process, SIGTSTP);
    return {process, 0};
  }
  waitpid(process, nullptr, 0);
  return {-1, report.error};
}

}  // namespace tenure::tools
