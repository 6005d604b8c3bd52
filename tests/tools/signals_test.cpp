// Each signal reaches the command exactly once; waiting can be interrupted; a terminal's job control works as without us.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

std::string noted(const std::vector<int>& signals) {
  std::string text = "ready\n";
  for (const int signal : signals) text += std::to_string(signal) + "\n";
  return text;
}

class Signals : public testing::TestWithParam<int> {
 protected:
  bool is_ready() {
    return eventually([this] { return scratch_.read("signals") == noted({}); });
  }
  // The last signal is the highest, so it comes behind all the others, duplicates too.
  void expect_exactly_one(const Process& process, int signal) {
    EXPECT_TRUE(eventually([this] { return scratch_.read("signals") != noted({}); }));
    process.send(SIGRTMIN);
    EXPECT_TRUE(eventually([this] { return count_left(scratch_.path("signals")) == 0; }));
    // Whoever is asked to end is also continued, in case it is stopped.
    EXPECT_EQ(scratch_.read("signals"), signal == SIGTERM ? noted({SIGTERM, SIGCONT}) : noted({signal}));
  }
  Scratch scratch_;
  Arguments command_ = scratch_.run(Arguments{"n", "--"} + signal_counter(scratch_.path("signals")));
};

TEST_P(Signals, ToTheSupervisor) {
  Process process(command_);
  ASSERT_TRUE(is_ready());
  process.send(GetParam());
  expect_exactly_one(process, GetParam());
  EXPECT_EQ(process.wait().exit, GetParam() == SIGTERM ? 143 : 0);
}

TEST_P(Signals, ToTheSupervisorsGroup) {
  Process process(command_);
  ASSERT_TRUE(is_ready());
  EXPECT_EQ(kill(-process.pid(), GetParam()), 0);
  expect_exactly_one(process, GetParam());
  EXPECT_EQ(process.wait().exit, GetParam() == SIGTERM ? 143 : 0);
}

INSTANTIATE_TEST_SUITE_P(Each, Signals, testing::Values(SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP),
                         [](const auto& at) { return std::string(sigabbrev_np(at.param)); });

TEST(Kill, OfACommandsOwnGroupDoesNotHitTheCaller) {
  const Scratch scratch;
  const Ended ended = run_to_end({"sh", "-c", TENURE_PROGRAM " run --space " + scratch.space() + " n sh -c 'kill 0'; echo $?"});
  EXPECT_EQ(ended.exit, 0);
  EXPECT_EQ(ended.out, "143\n");
}

class Waiting : public testing::TestWithParam<int> {};

TEST_P(Waiting, EndsAtOnceAndLeavesNothing) {
  const Scratch scratch;
  const std::string mark = unique_sleep();
  const Process holder(scratch.run({"n", "sleep", mark}));
  ASSERT_TRUE(eventually([&] { return count_left(mark) == 1; }));
  Process waiter(scratch.run({"n", "touch", scratch.path("entered")}));
  const auto waiters = [&] { return run_to_end(scratch.tenure("show", {"--json", "n"})).out; };
  ASSERT_TRUE(eventually([&] { return waiters().find("\"place\":0") != std::string::npos; }));
  const pid_t guard = waiter.guard();
  ASSERT_GT(guard, 0);
  waiter.send(GetParam());
  const Ended ended = waiter.wait();
  EXPECT_EQ(ended.exit, GetParam() == SIGKILL ? -1 : 128 + GetParam());
  EXPECT_TRUE(eventually([guard] { return kill(guard, 0) != 0; }));
  EXPECT_NE(waiters().find("\"waiters\":[]"), std::string::npos);
  EXPECT_EQ(access(scratch.path("entered").c_str(), F_OK), -1);
}

INSTANTIATE_TEST_SUITE_P(Each, Waiting, testing::Values(SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGKILL),
                         [](const auto& at) { return std::string(sigabbrev_np(at.param)); });

TEST(WaitingCaller, IsNotEndedByWhatItIgnores) {
  const Scratch scratch;
  const std::string mark = unique_sleep();
  const Process holder(scratch.run({"n", "sleep", mark}));
  ASSERT_TRUE(eventually([&] { return count_left(mark) == 1; }));
  Process waiter(scratch.run({"n", "true"}), "", [] { signal(SIGHUP, SIG_IGN); });
  ASSERT_TRUE(eventually([&] { return run_to_end(scratch.tenure("show", {"--json", "n"})).out.find("\"place\":0") != std::string::npos; }));
  waiter.send(SIGHUP);
  holder.send(SIGTERM);
  EXPECT_EQ(waiter.wait().exit, 0);
}

// A program on a terminal of its own, whose session it leads.
class Terminal {
 public:
  explicit Terminal(const Arguments& arguments) {
    std::vector<char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    pid_ = forkpty(&master_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      execvp(pointers[0], pointers.data());
      _exit(127);
    }
  }
  ~Terminal() {
    hang_up();
    if (!has_ended_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(const std::string& keys) { EXPECT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size())); }
  void resize() {
    const winsize size{33, 77, 0, 0};
    EXPECT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
  }
  void hang_up() {
    if (master_ >= 0) close(master_);
    master_ = -1;
  }
  // Whether the words appear, behind those that were seen before.
  bool shows(const std::string& words) {
    return eventually([&] {
      drain();
      const std::size_t at = text_.find(words, seen_);
      if (at == std::string::npos) return false;
      seen_ = at + words.size();
      return true;
    });
  }
  int wait() {
    int status = -1;
    has_ended_ = eventually([&] {
      drain();
      return waitpid(pid_, &status, WNOHANG) == pid_;
    });
    return status;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] pid_t foreground_group() const { return tcgetpgrp(master_); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void drain() {
    pollfd event{master_, POLLIN, 0};
    std::array<char, 4096> buffer{};
    while (poll(&event, 1, 0) > 0) {
      const ssize_t count = read(master_, buffer.data(), buffer.size());
      if (count <= 0) return;
      text_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  pid_t pid_ = -1;
  int master_ = -1;
  bool has_ended_ = false;
  std::string text_;
  std::size_t seen_ = 0;
};

class AtATerminal : public Signals {};

TEST_F(AtATerminal, KeysReachTheCommandOnce) {
  Terminal terminal(command_);
  ASSERT_TRUE(is_ready());
  terminal.type("\x03");
  EXPECT_TRUE(eventually([this] { return scratch_.read("signals") == noted({SIGINT}); }));
  kill(terminal.pid(), SIGRTMIN);
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_EQ(scratch_.read("signals"), noted({SIGINT}));
}

TEST_F(AtATerminal, AResizeReachesTheCommandOnce) {
  Terminal terminal(command_);
  ASSERT_TRUE(is_ready());
  terminal.resize();
  EXPECT_TRUE(eventually([this] { return scratch_.read("signals") == noted({SIGWINCH}); }));
  kill(terminal.pid(), SIGRTMIN);
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_EQ(scratch_.read("signals"), noted({SIGWINCH}));
}

TEST_F(AtATerminal, ASignalToTheSupervisorReachesTheCommandOnce) {
  Terminal terminal(command_);
  ASSERT_TRUE(is_ready());
  kill(terminal.pid(), SIGUSR1);
  EXPECT_TRUE(eventually([this] { return scratch_.read("signals") == noted({SIGUSR1}); }));
  kill(terminal.pid(), SIGRTMIN);
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_EQ(scratch_.read("signals"), noted({SIGUSR1}));
}

TEST_F(AtATerminal, AHangUpLeavesNothing) {
  const std::string mark = unique_sleep();
  Terminal terminal(scratch_.run({"n", "sh", "-c", "sleep " + mark + " & sleep " + mark}));
  ASSERT_TRUE(eventually([&] { return count_left(mark) == 2; }));
  terminal.hang_up();
  EXPECT_TRUE(eventually([&] { return count_left(mark) == 0; }));
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "20", "n", "true"})).exit, 0);
}

TEST_F(AtATerminal, AnInterruptAbortsTheScript) {
  const std::string mark = unique_sleep();
  const std::string run = TENURE_PROGRAM " run --space " + scratch_.space() + " n sleep " + mark;
  Terminal terminal({"bash", "-c", run + "; echo went on"});
  ASSERT_TRUE(eventually([&] { return count_left(mark) == 1; }));
  terminal.type("\x03");
  const int status = terminal.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
  EXPECT_EQ(terminal.text().find("went on"), std::string::npos);
}

TEST_F(AtATerminal, AJobCanBeStoppedAndContinued) {
  const std::string mark = unique_sleep();
  Terminal terminal({"bash", "--norc", "--noprofile", "-i"});
  terminal.type("PS1=RE'ADY '\n");
  ASSERT_TRUE(terminal.shows("READY "));
  for (const std::string stop : {"\x1a", ""}) {  // Ctrl-Z; and a command that stops itself
    const std::string command = stop.empty() ? "sh -c 'kill -STOP $$; exec sleep " + mark + "'" : "sleep " + mark;
    terminal.type(TENURE_PROGRAM " run --space " + scratch_.space() + " n " + command + "\n");
    ASSERT_TRUE(stop.empty() || eventually([&] { return count_left(mark) == 1; }));
    terminal.type(stop);
    ASSERT_TRUE(terminal.shows("Stopped")) << terminal.text();
    terminal.type("fg\n");
    ASSERT_TRUE(eventually([&] { return terminal.foreground_group() != terminal.pid() && count_left(mark) == 1; }));
    terminal.type("\x03");
    terminal.type("echo status=$?\n");
    EXPECT_TRUE(terminal.shows("status=130")) << terminal.text();
    EXPECT_EQ(count_left(mark), 0);
  }
  terminal.type("exit\n");
  terminal.wait();
}

TEST_F(AtATerminal, AStoppedLeaseIsRenewedAndThatIsSaid) {
  const std::string mark = unique_sleep();
  Terminal terminal({"bash", "--norc", "--noprofile", "-i"});
  terminal.type("PS1=RE'ADY '\n");
  ASSERT_TRUE(terminal.shows("READY "));
  terminal.type(TENURE_PROGRAM " run -v -t 2 --kill-after 0.2 --space " + scratch_.space() + " n sleep " + mark + "\n");
  ASSERT_TRUE(eventually([&] { return count_left(mark) == 1; }));
  terminal.type("\x1a");
  ASSERT_TRUE(terminal.shows("stays held, and is renewed")) << terminal.text();
  ASSERT_TRUE(terminal.shows("Stopped")) << terminal.text();
  // Longer than it would live without a renewal.
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "2.3", "n", "true"})).exit, 1);
  EXPECT_EQ(count_left(mark), 1);
  terminal.type("kill %1; fg\n");
  EXPECT_TRUE(eventually([&] { return count_left(mark) == 0; }));
  terminal.type("exit\n");
  terminal.wait();
}

// It neither takes what is typed for others, nor is stopped for wanting to.
TEST_F(AtATerminal, AHoldMayBeInTheBackground) {
  Terminal terminal({"bash", "--norc", "--noprofile", "-i"});
  terminal.type("PS1=RE'ADY '\n");
  ASSERT_TRUE(terminal.shows("READY "));
  terminal.type(TENURE_PROGRAM " hold --space " + scratch_.space() + " n > " + scratch_.path("token") + " &\n");
  ASSERT_TRUE(eventually([this] { return !scratch_.read("token").empty(); }));
  terminal.type("read a; echo got=$a\nhello\n");
  EXPECT_TRUE(terminal.shows("got=hello")) << terminal.text();
  EXPECT_EQ(run_to_end(scratch_.run({"-n", "n", "true"})).exit, 1);
  terminal.type("fg\n");
  ASSERT_TRUE(eventually([&] { return terminal.foreground_group() != terminal.pid(); }));
  terminal.type("\x04");
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "20", "n", "true"})).exit, 0);
  terminal.type("exit\n");
  terminal.wait();
}

}  // namespace
}  // namespace tenure::tests
