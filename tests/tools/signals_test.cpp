// Each signal reaches the command exactly once, and waiting can be interrupted: without a terminal. (With one: terminal_test.cpp.)
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

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

}  // namespace
}  // namespace tenure::tests
