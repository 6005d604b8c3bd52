// At a terminal everything is as without the program in between: keys, job control, pipelines, editors and pagers, hang-ups.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <tuple>

#include "tests/tools/terminal.hpp"

namespace tenure::tests {
namespace {

class AtATerminal : public testing::Test {
 protected:
  // A line for a shell.
  std::string run(const std::string& rest) { return TENURE_PROGRAM " run --space " + scratch_.space() + " " + rest; }
  bool sleeps(int count = 1) {
    return eventually([&] { return count_left(mark_) == count; });
  }
  // Each of the sleeps, and the supervisor.
  bool all_stopped(pid_t supervisor) {
    std::vector<pid_t> job = processes_with(mark_);
    job.push_back(supervisor);
    return std::ranges::all_of(job, [](pid_t process) { return state_of(process) == 'T'; });
  }
  bool none_stopped(pid_t supervisor) {
    std::vector<pid_t> job = processes_with(mark_);
    job.push_back(supervisor);
    return std::ranges::none_of(job, [](pid_t process) { return state_of(process) == 'T'; });
  }
  bool has_waiter() {
    return eventually([this] { return run_to_end(scratch_.tenure("show", {"--json", "n"})).out.find("\"place\":0") != std::string::npos; });
  }
  // Enters only when the name is free.
  void expect_nothing_left() {
    EXPECT_EQ(run_to_end(scratch_.run({"-w", "25", "n", "true"})).exit, 0);
    EXPECT_EQ(count_left(mark_), 0);
  }
  Scratch scratch_;
  std::string mark_ = unique_sleep();
};

// --- Keys and signals

class Counted : public AtATerminal {
 protected:
  bool is_ready() {
    return eventually([this] { return scratch_.read("signals") == noted({}); });
  }
  // The last signal is the highest, so it comes behind all the others, duplicates too.
  void expect_exactly(pid_t supervisor, const std::vector<int>& signals) {
    EXPECT_TRUE(eventually([&] { return scratch_.read("signals").size() >= noted(signals).size(); })) << scratch_.read("signals");
    EXPECT_EQ(kill(supervisor, SIGRTMIN), 0);
    EXPECT_TRUE(eventually([this] { return count_left(scratch_.path("signals")) == 0; }));
    EXPECT_EQ(scratch_.read("signals"), noted(signals));
  }
  Arguments counter_ = signal_counter(scratch_.path("signals"));
  Arguments command_ = scratch_.run(Arguments{"n", "--"} + counter_);
};

TEST_F(Counted, KeysReachTheCommandOnce) {
  Terminal terminal(command_);
  ASSERT_TRUE(is_ready());
  terminal.type(ctrl_c);
  expect_exactly(terminal.pid(), {SIGINT});
  EXPECT_EQ(terminal.wait(), 0);
}

TEST_F(Counted, AResizeReachesTheCommandOnce) {
  Terminal terminal(command_);
  ASSERT_TRUE(is_ready());
  terminal.resize();
  expect_exactly(terminal.pid(), {SIGWINCH});
  EXPECT_EQ(terminal.wait(), 0);
}

TEST_F(Counted, AResizeReachesTheCommandOfAShellsJobOnce) {
  Shell shell;
  shell.enter(run("n -- " + counter_[0] + " " + counter_[1] + " " + counter_[2]));
  ASSERT_TRUE(is_ready());
  shell.terminal().resize();
  expect_exactly(shell.foreground_job(), {SIGWINCH});
  EXPECT_TRUE(shell.prompts() && shell.tells_status(0)) << shell.text();
}

class ToTheSupervisor : public Counted, public testing::WithParamInterface<std::tuple<int, bool>> {};

TEST_P(ToTheSupervisor, ReachesTheCommandOnce) {
  const auto [signal, below_a_shell] = GetParam();
  // Whoever is asked to end is also continued, in case it is stopped.
  const std::vector<int> expected = signal == SIGTERM ? std::vector{SIGTERM, SIGCONT} : std::vector{signal};
  if (below_a_shell) {
    Shell shell;
    shell.enter(run("n -- " + counter_[0] + " " + counter_[1] + " " + counter_[2]));
    ASSERT_TRUE(is_ready());
    const pid_t supervisor = shell.foreground_job();
    EXPECT_EQ(kill(supervisor, signal), 0);
    expect_exactly(supervisor, expected);
    EXPECT_TRUE(shell.prompts() && shell.tells_status(signal == SIGTERM ? 143 : 0)) << shell.text();
  } else {
    Terminal terminal(command_);
    ASSERT_TRUE(is_ready());
    EXPECT_EQ(kill(terminal.pid(), signal), 0);
    expect_exactly(terminal.pid(), expected);
    EXPECT_EQ(terminal.wait(), signal == SIGTERM ? SIGTERM : 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, ToTheSupervisor,
                         testing::Combine(testing::Values(SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP),
                                          testing::Bool()),
                         [](const auto& at) {
                           return std::string(sigabbrev_np(std::get<0>(at.param))) + (std::get<1>(at.param) ? "_job" : "_leader");
                         });

TEST_F(AtATerminal, AnInterruptIs130) {
  Shell shell;
  shell.enter(run("n sleep " + mark_));
  ASSERT_TRUE(sleeps());
  shell.type(ctrl_c);
  EXPECT_TRUE(shell.prompts() && shell.tells_status(130)) << shell.text();
  expect_nothing_left();
}

TEST_F(AtATerminal, AnInterruptAbortsTheScript) {
  Terminal terminal({"bash", "-c", run("n sleep " + mark_) + "; echo went on"});
  ASSERT_TRUE(sleeps());
  terminal.type(ctrl_c);
  const int status = terminal.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
  EXPECT_EQ(terminal.text().find("went on"), std::string::npos);
}

TEST_F(AtATerminal, AnInterruptEndsTheWait) {
  const Process holder(scratch_.run({"n", "sleep", mark_}));
  ASSERT_TRUE(sleeps());
  Shell shell;
  shell.enter(run("n touch " + scratch_.path("entered")));
  ASSERT_TRUE(has_waiter());
  const pid_t supervisor = shell.foreground_job();
  shell.type(ctrl_c);
  EXPECT_TRUE(shell.prompts() && shell.tells_status(130)) << shell.text();
  // Its guard was its child, and is nobody's now.
  const std::string shown = run_to_end(scratch_.tenure("show", {"--json", "n"})).out;
  EXPECT_NE(shown.find("\"waiters\":[]"), std::string::npos) << shown;
  EXPECT_EQ(state_of(supervisor), '?');
  EXPECT_EQ(access(scratch_.path("entered").c_str(), F_OK), -1);
}

// --- Job control

TEST_F(AtATerminal, AJobIsStoppedAndContinuedAsAWhole) {
  Shell shell;
  shell.enter(run("n sh -c 'sleep " + mark_ + " & sleep " + mark_ + "'"));
  ASSERT_TRUE(sleeps(2));
  const pid_t job = shell.foreground_job();
  for (int i = 0; i < 2; ++i) {
    shell.type(ctrl_z);
    ASSERT_TRUE(shell.shows("Stopped") && shell.prompts()) << shell.text();
    EXPECT_TRUE(eventually([&] { return all_stopped(job); }));
    shell.enter("fg");
    ASSERT_EQ(shell.foreground_job(), job) << shell.text();
    ASSERT_TRUE(eventually([&] { return none_stopped(job); }));
  }
  shell.type(ctrl_c);
  EXPECT_TRUE(shell.prompts() && shell.tells_status(130)) << shell.text();
  expect_nothing_left();
}

TEST_F(AtATerminal, AJobThatIsContinuedInTheBackgroundRuns) {
  Shell shell;
  shell.enter(run("n sleep " + mark_));
  ASSERT_TRUE(sleeps());
  const pid_t job = shell.foreground_job();
  shell.type(ctrl_z);
  ASSERT_TRUE(shell.shows("Stopped") && shell.prompts()) << shell.text();
  ASSERT_TRUE(shell.does("bg"));
  EXPECT_TRUE(eventually([&] { return none_stopped(job); }));
  ASSERT_TRUE(shell.does("kill %1; wait %1"));
  EXPECT_TRUE(shell.tells_status(143)) << shell.text();
  expect_nothing_left();
}

TEST_F(AtATerminal, TheShellIsToldOfACommandThatStopsItself) {
  Shell shell;
  shell.enter(run("n sh -c 'kill -STOP $$; kill -STOP $$; exec sleep " + mark_ + "'"));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(shell.shows("Stopped") && shell.prompts()) << shell.text();
    EXPECT_EQ(count_left(mark_), 0);
    shell.enter("fg");
  }
  ASSERT_TRUE(sleeps());
  const pid_t job = shell.foreground_job();
  EXPECT_TRUE(eventually([&] { return none_stopped(job); }));
  shell.type(ctrl_c);
  EXPECT_TRUE(shell.prompts() && shell.tells_status(130)) << shell.text();
  expect_nothing_left();
}

// Whoever knows nothing of groups continues the supervisor.
TEST_F(AtATerminal, AStoppedCommandIsContinuedWithItsSupervisor) {
  Shell shell;
  ASSERT_TRUE(shell.does(run("n sleep " + mark_) + " &"));
  ASSERT_TRUE(sleeps());
  const pid_t command = processes_with(mark_)[0];
  EXPECT_EQ(kill(command, SIGSTOP), 0);
  ASSERT_TRUE(shell.tells_of_a_stopped_job()) << shell.text();
  EXPECT_EQ(kill(parent_of(parent_of(command)), SIGCONT), 0);
  EXPECT_TRUE(eventually([command] { return state_of(command) == 'S'; }));
  EXPECT_EQ(kill(command, SIGKILL), 0);
}

TEST_F(AtATerminal, AJobInTheBackgroundMayNotRead) {
  Shell shell;
  ASSERT_TRUE(shell.does(run("n sh -c 'read line; echo got:$line'") + " &"));
  ASSERT_TRUE(shell.tells_of_a_stopped_job()) << shell.text();
  shell.enter("fg");
  ASSERT_GT(shell.foreground_job(), 0) << shell.text();
  shell.enter("hello");
  EXPECT_TRUE(shell.shows("got:hello") && shell.prompts() && shell.tells_status(0)) << shell.text();
}

// It is stopped again before anybody can have noticed that it ran.
TEST_F(AtATerminal, AReaderThatIsContinuedInTheBackgroundIsStoppedAgain) {
  Shell shell;
  shell.enter(run("n sh -c 'echo u\"\"p; read line; echo got:$line'"));
  ASSERT_TRUE(shell.shows("up"));
  for (int i = 0; i < 3; ++i) {
    shell.type(ctrl_z);
    ASSERT_TRUE(shell.shows("Stopped") && shell.prompts()) << shell.text();
    ASSERT_TRUE(shell.does("bg"));
    ASSERT_TRUE(shell.tells_of_a_stopped_job()) << shell.text();
    shell.enter("fg");
    const pid_t job = shell.foreground_job();
    ASSERT_TRUE(eventually([&] { return state_of(job) != 'T'; }));
  }
  shell.enter("hello");
  EXPECT_TRUE(shell.shows("got:hello") && shell.prompts() && shell.tells_status(0)) << shell.text();
}

// Only the command may be stopped for writing: the guard's words go by way of the supervisor, which the terminal lets write.
TEST_F(AtATerminal, AStopOfBackgroundOutputStopsTheCommandOnly) {
  Shell shell;
  ASSERT_TRUE(shell.does("stty tostop"));
  shell.enter(run("-v n true") + " & wait $!");
  ASSERT_TRUE(shell.shows("got \"n\"") && shell.prompts() && shell.tells_status(0)) << shell.text();
  ASSERT_TRUE(shell.does(run("-v n echo 'sa'id") + " &"));
  ASSERT_TRUE(shell.tells_of_a_stopped_job()) << shell.text();
  EXPECT_EQ(shell.text().find("said"), std::string::npos);
  shell.enter("fg");
  EXPECT_TRUE(shell.shows("said") && shell.prompts() && shell.tells_status(0)) << shell.text();
}

TEST_F(AtATerminal, NoCommandStartsWhileItsJobIsStopped) {
  Process holder(scratch_.run({"n", "sleep", mark_}));
  ASSERT_TRUE(sleeps());
  Shell shell;
  shell.enter(run("n echo en'ter'ed"));
  ASSERT_TRUE(has_waiter());
  const pid_t guard = child_of(shell.foreground_job());
  shell.type(ctrl_z);
  ASSERT_TRUE(shell.shows("Stopped") && shell.prompts()) << shell.text();
  holder.send(SIGTERM);
  const auto holder_of = [this] { return run_to_end(scratch_.tenure("show", {"--json", "n"})).out; };
  EXPECT_TRUE(eventually([&] { return holder_of().find("\"session_pid\":" + std::to_string(guard)) != std::string::npos; }));
  EXPECT_EQ(child_of(guard), 0);
  EXPECT_EQ(shell.text().find("entered"), std::string::npos);
  shell.enter("fg");
  EXPECT_TRUE(shell.shows("entered") && shell.prompts() && shell.tells_status(0)) << shell.text();
}

TEST_F(AtATerminal, AShellHasItsOwnJobs) {
  Shell shell;
  shell.enter(run("n bash --norc --noprofile --noediting -i"));
  // What the inner shell does first, it does in the group of its job.
  ASSERT_TRUE(shell.shows("bash-"));
  ASSERT_TRUE(shell.does("PS1=RE'ADY '"));
  shell.enter("sleep " + mark_);
  ASSERT_TRUE(sleeps());
  shell.type(ctrl_z);
  ASSERT_TRUE(shell.shows("Stopped") && shell.prompts()) << shell.text();
  ASSERT_TRUE(shell.does("bg; jobs"));
  shell.enter("fg");
  ASSERT_TRUE(eventually([&] { return shell.foreground_job() == processes_with(mark_)[0]; })) << shell.text();
  shell.type(ctrl_c);
  ASSERT_TRUE(shell.prompts() && shell.tells_status(130)) << shell.text();
  shell.enter("exit 5");
  EXPECT_TRUE(shell.prompts() && shell.tells_status(5)) << shell.text();
  expect_nothing_left();
}

TEST_F(AtATerminal, AKilledJobLeavesNothing) {
  for (const std::string how : {"%1", "-- -$!"}) {
    Shell shell;
    ASSERT_TRUE(shell.does(run("n sh -c 'setsid sleep " + mark_ + " & sleep " + mark_ + "'") + " &"));
    ASSERT_TRUE(sleeps(2));
    ASSERT_TRUE(shell.does("kill -9 " + how));
    expect_nothing_left();
  }
}

// Whom nobody would continue the terminal does not stop: `ssh -t HOST tenure run ...`.
TEST_F(AtATerminal, WithoutAShellAKeyStopsNothing) {
  Terminal terminal(scratch_.run({"n", "sleep", mark_}));
  ASSERT_TRUE(sleeps());
  Terminal waiter(scratch_.run({"n", "true"}));
  ASSERT_TRUE(has_waiter());
  waiter.type(ctrl_z);
  waiter.type(ctrl_c);
  EXPECT_EQ(waiter.wait(), SIGINT);
  terminal.type(ctrl_z);
  terminal.type(ctrl_c);
  EXPECT_EQ(terminal.wait(), SIGINT);
}

TEST_F(AtATerminal, WithoutAShellAnEditorStopsNothing) {
  for (const std::string script : {"kill -TSTP 0; echo went on", "(kill -TSTP 0; echo went on); exit 0"}) {
    Terminal terminal(scratch_.run({"n", "sh", "-c", script}));
    EXPECT_TRUE(terminal.shows("went on")) << script;
    EXPECT_EQ(terminal.wait(), 0);
  }
}

// --- Programs that know terminals

TEST_F(AtATerminal, PagesItsOutput) {
  Shell shell;
  shell.enter(run("n seq 100000") + " | less");
  ASSERT_TRUE(shell.shows("\n23\r\n")) << shell.text();
  shell.type(" ");
  ASSERT_TRUE(shell.shows("\n46\r\n")) << shell.text();
  shell.type("q");
  ASSERT_TRUE(shell.prompts()) << shell.text();
  expect_nothing_left();
}

TEST_F(AtATerminal, IsAPager) {
  Shell shell;
  shell.enter("seq 9 | " + run("n less"));
  ASSERT_TRUE(shell.shows("\n9\r\n") && shell.shows("(END)")) << shell.text();
  shell.type("q");
  EXPECT_TRUE(shell.prompts() && shell.tells_status(0)) << shell.text();
}

// Alone, and below a command that waits for it.
TEST_F(AtATerminal, IsAnEditor) {
  EXPECT_EQ(run_to_end({"sh", "-c", "echo some text > " + scratch_.path("file")}).exit, 0);
  const std::string edit = "vi -u NONE -n " + scratch_.path("file");
  Shell shell;
  for (const std::string& command : {edit, "sh -c '" + edit + "; exit $?'"}) {
    shell.enter(run("n " + command));
    ASSERT_TRUE(shell.shows("some text")) << shell.text();
    for (int i = 0; i < 2; ++i) {
      shell.type(ctrl_z);
      ASSERT_TRUE(shell.shows("Stopped") && shell.prompts()) << shell.text();
      shell.enter("fg");
      ASSERT_TRUE(shell.shows("some text")) << shell.text();
    }
    shell.type(":q!\r");
    EXPECT_TRUE(shell.prompts() && shell.tells_status(0)) << shell.text();
  }
}

// --- The end of the terminal

// Of those who are told nothing by the kernel, or do not listen, too.
TEST_F(AtATerminal, AStoppedLeaseIsRenewedAndThatIsSaid) {
  Shell shell;
  shell.enter(run("-v -t 2 --kill-after 0.2 n sleep " + mark_));
  ASSERT_TRUE(sleeps());
  shell.type(ctrl_z);
  ASSERT_TRUE(shell.shows("stays held, and is renewed")) << shell.text();
  ASSERT_TRUE(shell.shows("Stopped")) << shell.text();
  // Longer than it would live without a renewal.
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "2.3", "n", "true"})).exit, 1);
  EXPECT_EQ(count_left(mark_), 1);
  shell.enter("kill %1; fg");
  EXPECT_TRUE(sleeps(0));
}

// It neither takes what is typed for others, nor is stopped for wanting to.
TEST_F(AtATerminal, AHoldMayBeInTheBackground) {
  Shell shell;
  shell.enter(TENURE_PROGRAM " hold --space " + scratch_.space() + " n > " + scratch_.path("token") + " &");
  ASSERT_TRUE(eventually([this] { return !scratch_.read("token").empty(); }));
  shell.type("read a; echo got=$a\nhello\n");
  EXPECT_TRUE(shell.shows("got=hello")) << shell.text();
  EXPECT_EQ(run_to_end(scratch_.run({"-n", "n", "true"})).exit, 1);
  shell.enter("fg");
  ASSERT_NE(shell.foreground_job(), 0);
  shell.type("\x04");
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "20", "n", "true"})).exit, 0);
}

TEST_F(AtATerminal, AHangUpLeavesNothing) {
  const std::string script = "(trap '' HUP; setsid sleep " + mark_ + " & sleep " + mark_ + ") & sleep " + mark_;
  {
    Terminal terminal(scratch_.run({"n", "sh", "-c", script}));
    ASSERT_TRUE(sleeps(3));
    terminal.hang_up();
    expect_nothing_left();
    EXPECT_EQ(terminal.wait(), SIGHUP);
  }
  for (const std::string place : {"", " &"}) {
    Shell shell;
    shell.enter(run("n sh -c \"" + script + "\"") + place);
    ASSERT_TRUE(sleeps(3));
    shell.terminal().hang_up();
    expect_nothing_left();
  }
}

}  // namespace
}  // namespace tenure::tests
