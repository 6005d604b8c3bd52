#include "tools/command_start.hpp"

#include <sched.h>
#include <sys/mman.h>
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

struct Start {
  char** command;
  char** environment;
  const Caller* caller;
  pid_t guard;
  int error;
};

// Runs in the guard's memory while the guard's thread sleeps, on a stack of its own: as posix_spawn does it, which knows nothing of
// parents' deaths. It may call only what touches nothing but its own kernel state.
int become_command(void* argument) {
  Start& start = *static_cast<Start*>(argument);
  const Caller& caller = *start.caller;
  start.error = 0;
  if (setpgid(0, caller.has_terminal ? caller.group : 0) != 0) start.error = errno;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // The guard may have died before the line above.
  if (getppid() != start.guard) start.error = ESRCH;
  if (start.error == 0) {
    for (int signal = 1; signal < NSIG; ++signal) {
      if (sigismember(&caller.ignored, signal) == 1) std::signal(signal, SIG_IGN);
    }
    sigprocmask(SIG_SETMASK, &caller.mask, nullptr);
    execvpe(start.command[0], start.command, start.environment);
    start.error = errno;
  }
  _exit(exit_not_started);
}

}  // namespace

StartedCommand start_command(const std::vector<std::string>& command, const std::vector<std::string>& environment, const Caller& caller) {
  std::vector<char*> arguments = pointers_to(command);
  std::vector<char*> variables = pointers_to(environment);
  // execvpe copies the arguments onto the stack when it meets a script without an interpreter.
  constexpr std::size_t page_bytes = 4096;
  const std::size_t stack_bytes = (arguments.size() * sizeof(char*) + 16 * page_bytes) / page_bytes * page_bytes;
  void* stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return {-1, errno};
  Start start{arguments.data(), variables.data(), &caller, getpid(), 0};
  const pid_t process = clone(become_command, static_cast<char*>(stack) + stack_bytes, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
  const int clone_error = errno;
  munmap(stack, stack_bytes);
  if (process < 0) return {-1, clone_error};
  if (start.error == 0) return {process, 0};
  waitpid(process, nullptr, 0);
  return {-1, start.error};
}

}  // namespace tenure::tools
