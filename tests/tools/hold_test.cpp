// hold, check and wait.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

class Holding : public testing::Test {
 protected:
  // A `tenure hold` whose standard input is the pipe; its standard output goes to the file.
  Process hold(const Arguments& rest, const std::function<void()>& prepare = {}) {
    Process process(scratch_.tenure("hold", rest), "", [&] {
      give_as(input_.reader(), 0);
      give_as(open(scratch_.path("token").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 1);
      if (prepare) prepare();
    });
    input_.close_reader();
    return process;
  }
  // ... when it has the name.
  Process held(const Arguments& rest, const std::function<void()>& prepare = {}) {
    Process process = hold(rest, prepare);
    EXPECT_TRUE(eventually([this] { return !token().empty(); }));
    return process;
  }
  [[nodiscard]] std::string token() const {
    const std::string text = scratch_.read("token");
    return text.ends_with('\n') ? text.substr(0, text.size() - 1) : "";
  }
  Ended tenure(const std::string& command, const Arguments& rest = {}) { return run_to_end(scratch_.tenure(command, rest)); }
  bool is_free() { return tenure("run", {"-n", "n", "true"}).exit == 0; }
  std::string was_abandoned() { return tenure("run", {"-n", "n", "sh", "-c", "echo ${TENURE_ABANDONED-no}"}).out; }
  bool is_waited_for() { return says(tenure("show", {"--json", "n"}).out, "\"place\":0"); }
  Ended check(const std::string& token, const Arguments& rest) {
    return run_to_end(scratch_.tenure("check", rest), "", [&] { setenv("TENURE_TOKEN", token.c_str(), 1); });
  }
  Scratch scratch_;
  Pipe input_;
};

TEST_F(Holding, LastsUntilStandardInputEnds) {
  Process process = held({"n"});
  EXPECT_FALSE(is_free());
  EXPECT_EQ(write(input_.writer(), "what comes is of no interest\n", 29), 29);
  EXPECT_EQ(check(token(), {"n"}).exit, 0);
  input_.close_writer();
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 0);
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(was_abandoned(), "no\n");
}

TEST_F(Holding, ShowsItsOwnProcess) {
  const Process process = held({"--label", "by hand", "n"});
  const std::string text = tenure("show", {"n"}).out;
  EXPECT_TRUE(says(text, "PID " + std::to_string(process.pid()) + " (")) << text;
  EXPECT_TRUE(says(text, "by hand")) << text;
}

class HoldSignal : public Holding, public testing::WithParamInterface<int> {};

TEST_P(HoldSignal, LetsGoInOrder) {
  Process process = held({"n"});
  process.send(GetParam());
  EXPECT_EQ(process.wait().exit, 0);
  EXPECT_EQ(was_abandoned(), "no\n");
}

TEST_P(HoldSignal, EndsTheWait) {
  const std::string mark = unique_sleep();
  const Process holder(scratch_.run({"n", "sleep", mark}));
  ASSERT_TRUE(eventually([&] { return count_left(mark) == 1; }));
  Process process = hold({"n"});
  ASSERT_TRUE(eventually([this] { return is_waited_for(); }));
  process.send(GetParam());
  EXPECT_EQ(process.wait().signal, GetParam());
  EXPECT_EQ(token(), "");
}

TEST_P(HoldSignal, IsNothingToThoseWhoIgnoreIt) {
  Process process = held({"--status-fd", "9", "n"}, [this] {
    signal(GetParam(), SIG_IGN);
    give_as(open(scratch_.path("events").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), 9);
  });
  process.send(GetParam());
  // It would see the signal first.
  input_.close_writer();
  EXPECT_EQ(process.wait().exit, 0);
  EXPECT_TRUE(says(scratch_.read("events"), "\"why\":\"stdin\"")) << scratch_.read("events");
}

INSTANTIATE_TEST_SUITE_P(Each, HoldSignal, testing::Values(SIGINT, SIGTERM, SIGHUP),
                         [](const auto& at) { return std::string(sigabbrev_np(at.param)); });

TEST_F(Holding, ThatIsKilledIsAbandoned) {
  Process process = held({"n"});
  process.send(SIGKILL);
  EXPECT_EQ(process.wait().signal, SIGKILL);
  EXPECT_EQ(was_abandoned(), "1\n");
}

TEST_F(Holding, AConflictIsOneOrWhatWasAskedFor) {
  Process process = held({"n"});
  const Pipe pipe;
  const auto with_pipe = [&] { give_as(pipe.reader(), 0); };
  const Ended ended = run_to_end(scratch_.tenure("hold", {"-n", "n"}), "", with_pipe);
  EXPECT_EQ(ended.exit, 1);
  EXPECT_EQ(ended.out, "");
  EXPECT_TRUE(says(ended.err, "held by PID " + std::to_string(process.pid()))) << ended.err;
  EXPECT_EQ(run_to_end(scratch_.tenure("hold", {"-w", "0.05", "-E", "9", "n", "-q"}), "", with_pipe).exit, 9);
}

TEST_F(Holding, TheEndOfInputEndsTheWait) {
  const std::string mark = unique_sleep();
  const Process holder(scratch_.run({"n", "sleep", mark}));
  ASSERT_TRUE(eventually([&] { return count_left(mark) == 1; }));
  Process process = hold({"-E", "8", "n"});
  ASSERT_TRUE(eventually([this] { return is_waited_for(); }));
  input_.close_writer();
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 8);
  EXPECT_TRUE(says(ended.err, "it was not held")) << ended.err;
  EXPECT_EQ(token(), "");
}

TEST_F(Holding, InputThatCannotTellIsRefused) {
  EXPECT_EQ(run_to_end(scratch_.tenure("hold", {"n"})).exit, 64);  // a file
  const Ended closed = run_to_end(scratch_.tenure("hold", {"n"}), "", [] { close(0); });
  EXPECT_EQ(closed.exit, 64);
  EXPECT_TRUE(says(closed.err, "standard input is closed")) << closed.err;
  const auto null = [] { give_as(open("/dev/null", O_RDONLY | O_CLOEXEC), 0); };
  EXPECT_EQ(run_to_end(scratch_.tenure("hold", {"n"}), "", null).exit, 64);
  // One that has ended already is a hold that is over at once.
  input_.close_writer();
  EXPECT_EQ(hold({"n"}).wait().exit, 0);
  EXPECT_NE(token(), "");
}

TEST_F(Holding, ALossIs79) {
  Process process = held({"-t", "60", "n"});
  EXPECT_EQ(tenure("break", {"n", "--token", token()}).exit, 0);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 79);
  EXPECT_TRUE(says(ended.err, "LOST: \"n\", token " + token())) << ended.err;
}

TEST_F(Holding, AStoppedOneLosesItsLease) {
  Process process = held({"-t", "1", "--lost-exit-code", "5", "n"});
  process.send(SIGSTOP);
  // Past its deadline it holds nothing any more, though nobody else has the name yet.
  EXPECT_EQ(tenure("wait", {"-w", "20", "n"}).exit, 0);
  EXPECT_TRUE(says(check(token(), {"n"}).err, "its time is up")) << check(token(), {"n"}).err;
  EXPECT_EQ(tenure("run", {"-w", "20", "n", "true"}).exit, 0);
  EXPECT_EQ(check(token(), {"n", "-q"}).exit, 1);
  process.send(SIGCONT);
  EXPECT_EQ(process.wait().exit, 5);
}

TEST_F(Holding, IsRenewed) {
  Process process = held({"-t", "2", "n"});
  EXPECT_EQ(tenure("wait", {"-w", "2.3", "n", "-q"}).exit, 1);
  EXPECT_EQ(check(token(), {"n"}).exit, 0);
}

TEST_F(Holding, EndsWhenItsTimeIsUp) {
  Process process = held({"--max", "1", "n"});
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 79);
  EXPECT_TRUE(says(ended.err, "its time (--max) is up")) << ended.err;
  EXPECT_EQ(was_abandoned(), "no\n");
}

TEST_F(Holding, AFullOutputHangsNobody) {
  const Pipe output;
  output.fill();
  Process process = hold({"n"}, [&] { give_as(output.writer(), 1); });
  EXPECT_TRUE(eventually([this] { return !is_free(); }));
  std::string text = output.drain();
  EXPECT_TRUE(eventually([&] { return (text += output.drain()).ends_with('\n'); }));
  const std::string printed = text.substr(text.find_last_of('x') + 1);
  EXPECT_EQ(check(printed.substr(0, printed.size() - 1), {"n"}).exit, 0);
  input_.close_writer();
  EXPECT_EQ(process.wait().exit, 0);
}

TEST_F(Holding, LetsGoAlsoWhereNobodyReadsTheToken) {
  const Pipe output;
  output.fill();
  Process process = hold({"n"}, [&] { give_as(output.writer(), 1); });
  EXPECT_TRUE(eventually([this] { return !is_free(); }));
  input_.close_writer();
  EXPECT_EQ(process.wait().exit, 0);
  EXPECT_TRUE(is_free());
}

TEST_F(Holding, AnOutputThatNobodyReadsIsAnError) {
  Pipe output;
  output.close_reader();
  Process process = hold({"n"}, [&] { give_as(output.writer(), 1); });
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 71);
  EXPECT_TRUE(says(ended.err, "Broken pipe")) << ended.err;
  EXPECT_TRUE(is_free());
}

TEST_F(Holding, TellsItsEvents) {
  const auto to_file = [this] { give_as(open(scratch_.path("events").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), 9); };
  Process process = held({"--status-fd", "9", "n"}, to_file);
  input_.close_writer();
  EXPECT_EQ(process.wait().exit, 0);
  const std::string text = scratch_.read("events");
  EXPECT_TRUE(text.starts_with("{\"event\":\"acquired\",\"name\":\"n\"")) << text;
  EXPECT_TRUE(says(text, "\"why\":\"stdin\"") && says(text, "{\"event\":\"released\"")) << text;
}

TEST_F(Holding, SixteenDescriptorsAreEnough) {
  const auto few = [] {
    const rlimit limit{16, 16};
    setrlimit(RLIMIT_NOFILE, &limit);
  };
  const std::string mark = unique_sleep();
  Process holder(scratch_.run({"n", "sleep", mark}));
  ASSERT_TRUE(eventually([&] { return count_left(mark) == 1; }));
  Process process = hold({"-t", "5", "n"}, few);
  ASSERT_TRUE(eventually([this] { return is_waited_for(); }));
  holder.send(SIGTERM);
  EXPECT_TRUE(eventually([this] { return !token().empty(); }));
  input_.close_writer();
  EXPECT_EQ(process.wait().exit, 0);
}

TEST_F(Holding, TellsOfJeopardyAndTheEnd) {
  const auto to_file = [this] { give_as(open(scratch_.path("events").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), 9); };
  const Ended ended = held({"-t", "2", "--no-renew", "--status-fd", "9", "n"}, to_file).wait();
  EXPECT_EQ(ended.exit, 79);
  EXPECT_TRUE(says(ended.err, "JEOPARDY: \"n\"") && says(ended.err, "LOST: \"n\"")) << ended.err;
  const std::string text = scratch_.read("events");
  const std::size_t jeopardy = text.find("{\"event\":\"jeopardy\"");
  EXPECT_NE(jeopardy, std::string::npos) << text;
  EXPECT_NE(text.find("{\"event\":\"lost\"", jeopardy), std::string::npos) << text;
}

// What its help shows.
TEST_F(Holding, WorksInAScript) {
  const std::string program = TENURE_PROGRAM;
  const std::string look = program + " run -n n true 2>/dev/null; echo $?; ";
  const auto with_space = [this] { setenv("TENURE_SPACE", scratch_.space().c_str(), 1); };
  const std::string bash = "coproc " + program + " hold -w 60 n; read -r token <&\"${COPROC[0]}\" || exit 1; " + look +
                           "TENURE_TOKEN=$token " + program + " check n; echo $?; exec {COPROC[1]}>&-; wait $COPROC_PID; echo $?; " + look;
  EXPECT_EQ(run_to_end({"bash", "-c", bash}, "", with_space).out, "1\n0\n0\n0\n");
  const std::string fifo = scratch_.path("f");
  const std::string sh = "mkfifo " + fifo + "; " + program + " hold n <" + fifo + " >" + scratch_.path("token") + " & exec 9>" + fifo +
                         "; while [ ! -s " + scratch_.path("token") + " ]; do sleep 0.01; done; " + look + "exec 9>&-; wait $!; echo $?; " +
                         look;
  EXPECT_EQ(run_to_end({"sh", "-c", sh}, "", with_space).out, "1\n0\n0\n");
}

TEST_F(Holding, WrongArgumentsAre64) {
  EXPECT_EQ(tenure("hold").exit, 64);
  EXPECT_EQ(tenure("hold", {"n", "true"}).exit, 64);
  EXPECT_EQ(tenure("hold", {"-s", "n"}).exit, 64);
  EXPECT_EQ(tenure("hold", {"-c", "true", "n"}).exit, 64);
  EXPECT_EQ(tenure("hold", {"--no-renew", "n"}).exit, 64);
  EXPECT_EQ(hold({"a\nb"}).wait().exit, 64);
}

TEST_F(Holding, CheckInACommandSaysThatItIsHeld) {
  const std::string program = TENURE_PROGRAM;
  EXPECT_EQ(tenure("run", {"n", program, "check"}).exit, 0);
  EXPECT_EQ(tenure("run", {"-t", "60", "n", program, "check", "n"}).exit, 0);
  EXPECT_EQ(tenure("run", {"n", program, "check", "other"}).exit, 1);
  const std::string out = tenure("run", {"-t", "60", "n", program, "check", "--json"}).out;
  EXPECT_TRUE(says(out, "{\"held\":true,\"name\":\"n\",\"token\":\"") && says(out, "\"remaining_s\":59.")) << out;
}

TEST_F(Holding, CheckSaysWhyItIsNotHeld) {
  const std::string old = tenure("run", {"n", "sh", "-c", "printf $TENURE_TOKEN"}).out;
  const Ended free = check(old, {"n"});
  EXPECT_EQ(free.exit, 1);
  EXPECT_TRUE(says(free.err, "nobody holds it")) << free.err;
  const Process process = held({"n"});
  const Ended other = check(old, {"n"});
  EXPECT_EQ(other.exit, 1);
  EXPECT_TRUE(says(other.err, "held by PID " + std::to_string(process.pid()))) << other.err;
  EXPECT_EQ(check(old, {"-q", "n"}).err, "");
  EXPECT_TRUE(says(check(old, {"--json", "n"}).out, "{\"held\":false,"));
  EXPECT_EQ(check(old, {"-q", "n"}).exit, 1);
}

TEST_F(Holding, CheckWithoutALeaseIs64) {
  unsetenv("TENURE_TOKEN");
  EXPECT_EQ(tenure("check").exit, 64);
  EXPECT_EQ(tenure("check", {"n"}).exit, 64);
  EXPECT_EQ(check("5", {}).exit, 64);
  for (const char* token : {"", "0", "x", "-1", "9223372036854775808"}) EXPECT_EQ(check(token, {"n"}).exit, 64) << token;
  EXPECT_EQ(check("5", {"a\nb"}).exit, 64);
  EXPECT_EQ(check("5", {"a", "b"}).exit, 64);
}

TEST_F(Holding, WaitTakesNothing) {
  EXPECT_EQ(tenure("wait", {"never"}).exit, 0);
  Process process = held({"n"});
  Process waiter(scratch_.tenure("wait", {"n"}));
  EXPECT_EQ(tenure("wait", {"-n", "n", "-q"}).exit, 1);
  EXPECT_FALSE(is_waited_for());
  EXPECT_FALSE(waiter.has_ended());
  input_.close_writer();
  EXPECT_EQ(waiter.wait().exit, 0);
  EXPECT_EQ(process.wait().exit, 0);
}

TEST_F(Holding, WaitSaysWhoHoldsTheName) {
  const Process process = held({"n"});
  const Ended ended = tenure("wait", {"--timeout", "50ms", "n"});
  EXPECT_EQ(ended.exit, 1);
  EXPECT_TRUE(says(ended.err, "was not free within 50 ms")) << ended.err;
  EXPECT_TRUE(says(ended.err, "held by PID " + std::to_string(process.pid()))) << ended.err;
  EXPECT_TRUE(says(ended.err, "tenure break n --space " + scratch_.space() + " --token " + token())) << ended.err;
  EXPECT_EQ(tenure("wait", {"-q", "-n", "n"}).err, "");
  EXPECT_EQ(tenure("wait").exit, 64);
  EXPECT_EQ(tenure("wait", {""}).exit, 64);
  EXPECT_EQ(tenure("wait", {"-w", "x", "n"}).exit, 64);
}

TEST_F(Holding, WaitIsOverWhenTheHolderIsKilled) {
  const Process process = held({"n"});
  Process waiter(scratch_.tenure("wait", {"n"}));
  process.send(SIGKILL);
  EXPECT_EQ(waiter.wait().exit, 0);
}

}  // namespace
}  // namespace tenure::tests
