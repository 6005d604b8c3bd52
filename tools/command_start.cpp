#include "tools/command_start.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace tenure::tools {
namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Runs in the memory of the guard, whose thread sleeps until the exec or the exit; so it calls nothing but the kernel. (posix_spawn does
// the same, but knows nothing of parents' deaths.)
[[noreturn]] void become_command(char** command, char** environment, const Caller& caller, const Bonds& bonds, pid_t guard,
                                 StartReport& report) {
  report.process = getpid();
  if (setrlimit(RLIMIT_LOCKS, &bonds.tag_limits) != 0) report.error = errno;
  if (bonds.leash >= 0 && fcntl(bonds.leash, F_SETFD, 0) != 0) report.error = errno;
  if (setpgid(0, caller.has_terminal ? caller.group : 0) != 0) report.error = errno;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // The guard may have died before the line above.
  if (getppid() != guard) report.error = ESRCH;
  if (report.error == 0) {
    for (int signal = 1; signal < NSIG; ++signal) {
      if (sigismember(&caller.ignored, signal) == 1) std::signal(signal, SIG_IGN);
    }
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
  // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): it never returns, and writes to no variable of this thread
  if (process == 0) {
    become_command(const_cast<char**>(arguments.data()), const_cast<char**>(variables.data()), caller, bonds, guard, report);
  }
  if (process < 0) return {-1, errno};
  if (report.error == 0) return {process, 0};
  waitpid(process, nullptr, 0);
  return {-1, report.error};
}

}  // namespace tenure::tools
