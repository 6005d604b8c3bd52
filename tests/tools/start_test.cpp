// Keys that are pressed in the moment in which the command starts. A tracer makes the moment last.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "tests/tools/terminal.hpp"

namespace tenure::tests {
namespace {

// The process that a guard is about to make the command of.
class Birth {
 public:
  explicit Birth(pid_t guard) : guard_(guard) {
    constexpr long options = PTRACE_O_TRACEVFORK | PTRACE_O_TRACEFORK | PTRACE_O_TRACESYSGOOD;
    EXPECT_EQ(ptrace(PTRACE_SEIZE, guard, nullptr, options), 0) << std::strerror(errno);
  }
  ~Birth() { let_go(); }
  Birth(const Birth&) = delete;
  Birth& operator=(const Birth&) = delete;

  // Waits until it is there: in the guard's group, before its first instruction.
  bool has_come() {
    unsigned long command = 0;
    if (!stops(guard_) || ptrace(PTRACE_GETEVENTMSG, guard_, nullptr, &command) != 0) return false;
    command_ = static_cast<pid_t>(command);
    return stops(command_);
  }
  // Waits until it is in the caller's group.
  bool has_joined() {
    for (bool joins = false; ptrace(PTRACE_SYSCALL, command_, nullptr, nullptr) == 0 && stops(command_);) {
      __ptrace_syscall_info call{};
      if (ptrace(PTRACE_GET_SYSCALL_INFO, command_, sizeof call, &call) < 0) return false;
      if (call.op == PTRACE_SYSCALL_INFO_EXIT && joins) return true;
      joins = call.op == PTRACE_SYSCALL_INFO_ENTRY && call.entry.nr == SYS_setpgid;
    }
    return false;
  }
  void let_go() {
    for (pid_t* process : {&command_, &guard_}) {
      if (*process > 0) ptrace(PTRACE_DETACH, *process, nullptr, nullptr);
      *process = 0;
    }
  }

 private:
  static bool stops(pid_t process) {
    int status = 0;
    return eventually([&] { return waitpid(process, &status, __WALL | WNOHANG) == process; }) && WIFSTOPPED(status);
  }
  pid_t guard_;
  pid_t command_ = 0;
};

// Where fork(2) plays vfork(2), the guard does not wait for the exec, and misses a stop that comes before it.
constexpr bool waits_for_exec = !is_sanitized;

class AtTheStart : public testing::Test {
 protected:
  std::string line() { return TENURE_PROGRAM " run --space " + scratch_.space() + " n sleep " + mark_; }
  Arguments command() { return scratch_.run({"n", "sleep", mark_}); }
  // For one that waits for the name: it gets it.
  bool starts(pid_t supervisor) {
    const auto shown = [this] { return run_to_end(scratch_.tenure("show", {"--json", "n"})).out; };
    if (!eventually([&] { return shown().find("\"place\":0") != std::string::npos; })) return false;
    birth_.emplace(child_of(supervisor));
    holder_.send(SIGTERM);
    return birth_->has_come();
  }
  // The echo comes behind the signal.
  static bool interrupts(Terminal& terminal) {
    terminal.type(ctrl_c);
    return terminal.shows("^C");
  }
  static bool stops(Shell& shell) {
    shell.type(ctrl_z);
    return shell.shows("^Z");
  }
  // Stopped, continued, and interrupted.
  void expect_job_control(Shell& shell) {
    ASSERT_TRUE(shell.shows("Stopped") && shell.prompts()) << shell.text();
    const auto is_stopped = [this] {
      const std::vector<pid_t> command = processes_with(mark_);
      return command.size() == 1 && state_of(command[0]) == 'T';
    };
    EXPECT_TRUE(eventually(is_stopped)) << "the command runs in a job that is stopped";
    shell.enter("fg");
    ASSERT_GT(shell.foreground_job(), 0);
    EXPECT_TRUE(eventually([&] { return !is_stopped(); }));
    shell.type(ctrl_c);
    EXPECT_TRUE(shell.prompts() && shell.tells_status(130)) << shell.text();
  }
  Scratch scratch_;
  std::string mark_ = unique_sleep();
  std::optional<Birth> birth_;

 private:
  bool holds() {
    return eventually([this] { return run_to_end(scratch_.run({"-n", "n", "true"})).exit == 1; });
  }
  Process holder_{scratch_.run({"n", "sleep", unique_sleep()})};
  bool held_ = holds();
};

TEST_F(AtTheStart, AnInterruptThatTheSupervisorHasTakenIsTheCommandsToo) {
  Terminal terminal(command());
  ASSERT_TRUE(starts(terminal.pid()));
  ASSERT_TRUE(interrupts(terminal));
  ASSERT_TRUE(eventually([&] { return !has_pending(terminal.pid(), SIGINT); }));
  birth_->let_go();
  EXPECT_EQ(terminal.wait(), SIGINT);
}

TEST_F(AtTheStart, AnInterruptThatTheSupervisorHasNotTakenIsTheCommandsToo) {
  Terminal terminal(command());
  ASSERT_TRUE(starts(terminal.pid()));
  EXPECT_EQ(kill(terminal.pid(), SIGSTOP), 0);
  ASSERT_TRUE(eventually([&] { return state_of(terminal.pid()) == 'T'; }));
  ASSERT_TRUE(interrupts(terminal));
  EXPECT_TRUE(has_pending(terminal.pid(), SIGINT));
  const pid_t guard = child_of(terminal.pid());
  birth_->let_go();
  // It ends when the command has; the kernel may continue the supervisor then.
  EXPECT_TRUE(eventually([guard] { return state_of(guard) == 'Z' || state_of(guard) == '?'; }));
  EXPECT_EQ(kill(terminal.pid(), SIGCONT), 0);
  EXPECT_EQ(terminal.wait(), SIGINT);
}

TEST_F(AtTheStart, AnInterruptOfTheWholeGroupIsOne) {
  Terminal terminal(command());
  ASSERT_TRUE(starts(terminal.pid()) && birth_->has_joined());
  ASSERT_TRUE(interrupts(terminal));
  birth_->let_go();
  EXPECT_EQ(terminal.wait(), SIGINT);
}

TEST_F(AtTheStart, AStopOfTheSupervisorStopsTheCommand) {
  if (!waits_for_exec) return;
  Shell shell;
  shell.enter(line());
  ASSERT_TRUE(starts(shell.foreground_job()));
  ASSERT_TRUE(stops(shell));
  birth_->let_go();
  expect_job_control(shell);
}

// Before the exec it would keep the guard from telling anybody.
TEST_F(AtTheStart, AStopBeforeTheExecComesAfterIt) {
  if (!waits_for_exec) return;
  Shell shell;
  shell.enter(line());
  ASSERT_TRUE(starts(shell.foreground_job()) && birth_->has_joined());
  ASSERT_TRUE(stops(shell));
  birth_->let_go();
  expect_job_control(shell);
}

}  // namespace
}  // namespace tenure::tests
