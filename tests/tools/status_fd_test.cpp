// What `--status-fd` tells, to whom, and that nobody waits for whoever does not read it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

class StatusFd : public testing::Test {
 protected:
  // The arguments of a `tenure COMMAND` whose events go to the file, and what makes descriptor 9 that file.
  [[nodiscard]] Arguments with_status(const std::string& command, const Arguments& rest) const {
    return scratch_.tenure(command, Arguments{"--status-fd", "9"} + rest);
  }
  std::function<void()> to_file(const std::string& file = "events") {
    return [this, file] { give_as(open(scratch_.path(file).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), 9); };
  }
  Ended run(const Arguments& rest) { return run_to_end(with_status("run", rest), "", to_file()); }
  Process start(const Arguments& rest, const std::string& file = "events") {
    Process process(with_status("run", rest), "", to_file(file));
    EXPECT_TRUE(eventually([&] { return !names(file).empty(); }));
    return process;
  }
  // The names of the events so far: "acquired started".
  std::string names(const std::string& file = "events") { return names_in(scratch_.read(file)); }
  static std::string names_in(const std::string& text) {
    std::istringstream lines(text);
    std::string found;
    const std::string key = "{\"event\":\"";
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(key) || !line.ends_with('}')) continue;
      found += (found.empty() ? "" : " ") + line.substr(key.size(), line.find('"', key.size()) - key.size());
    }
    return found;
  }
  bool tells(const std::string& words, const std::string& file = "events") { return says(scratch_.read(file), words); }
  std::string token() {
    const std::string text = scratch_.read("events");
    const std::size_t at = text.find("\"token\":\"") + 9;
    return text.substr(at, text.find('"', at) - at);
  }
  Scratch scratch_;
  std::string mark_ = unique_sleep();
};

TEST_F(StatusFd, TellsACommandFromBeginningToEnd) {
  const Ended ended = run({"n", "sh", "-c", "echo $TENURE_TOKEN; exit 1"});
  EXPECT_EQ(ended.exit, 1);
  EXPECT_EQ(names(), "acquired started ended released");
  EXPECT_TRUE(tells("\"name\":\"n\",\"time\":\"2")) << scratch_.read("events");
  EXPECT_TRUE(tells("\"abandoned\":false"));
  EXPECT_TRUE(tells("\"exit\":1}"));
  EXPECT_EQ(ended.out, token() + "\n");
}

TEST_F(StatusFd, TellsTheSignalThatEndedTheCommand) {
  EXPECT_EQ(run({"n", "sh", "-c", "kill -9 $$"}).exit, 137);
  EXPECT_TRUE(tells("\"event\":\"ended\"") && tells("\"signal\":9}")) << scratch_.read("events");
}

TEST_F(StatusFd, TellsAConflictFromACommandsOwnStatus) {
  const Process holder(scratch_.run({"n", "sleep", mark_}));
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  EXPECT_EQ(run({"-n", "n", "true"}).exit, 1);
  EXPECT_EQ(names(), "conflict");
  EXPECT_TRUE(tells("\"place\":0,\"holder\":{\"token\":\"")) << scratch_.read("events");
  EXPECT_TRUE(tells("\"pid\":" + std::to_string(holder.pid()) + ","));
  EXPECT_TRUE(tells("\"host\":\""));
}

TEST_F(StatusFd, TellsATimeout) {
  const Process holder(scratch_.run({"n", "sleep", mark_}));
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  EXPECT_EQ(run({"-q", "-w", "0.05", "n", "true"}).exit, 1);
  EXPECT_EQ(names(), "waiting timeout");
}

TEST_F(StatusFd, TellsThePlaceWheneverItChanges) {
  Process holder(scratch_.run({"n", "sleep", mark_}));
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  Process first = start({"n", "true"}, "first");
  EXPECT_TRUE(tells("\"place\":0,", "first"));
  Process second = start({"n", "true"}, "second");
  EXPECT_TRUE(tells("\"place\":1,", "second")) << scratch_.read("second");
  first.send(SIGINT);
  EXPECT_EQ(first.wait().exit, 130);
  EXPECT_EQ(names("first"), "waiting cancelled");
  EXPECT_TRUE(tells("\"why\":\"signal\",\"signal\":2}", "first"));
  EXPECT_TRUE(eventually([this] { return tells("\"place\":0,", "second"); }));
  kill(holder.guard(), SIGKILL);
  EXPECT_EQ(second.wait().exit, 0);
  EXPECT_TRUE(tells("\"abandoned\":true", "second")) << scratch_.read("second");
  EXPECT_EQ(names("second"), "waiting waiting acquired started ended released");
}

TEST_F(StatusFd, TellsWhatCannotBeDone) {
  EXPECT_EQ(run({"a\nb", "true"}).exit, 64);
  EXPECT_EQ(names(), "refused");
  EXPECT_TRUE(tells("\"name\":\"a\\u000ab\"") && tells("\"exit\":64")) << scratch_.read("events");
  EXPECT_EQ(run({"n", "no-such-command"}).exit, 69);
  // Where vfork(2) is played by fork(2) (sanitizers), a failed start shows late, behind a "started".
  EXPECT_TRUE(names().starts_with("refused acquired ") && names().ends_with(" not_started released")) << names();
}

TEST_F(StatusFd, TellsALossAlsoWhileTheSupervisorIsStopped) {
  Process process = start({"n", "sleep", mark_});
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  process.send(SIGSTOP);
  EXPECT_EQ(run_to_end(scratch_.tenure("break", {"n", "--token", token()})).exit, 0);
  EXPECT_TRUE(eventually([this] { return names() == "acquired started lost ending ended"; })) << scratch_.read("events");
  EXPECT_TRUE(tells("\"why\":\"taken\""));
  process.send(SIGCONT);
  EXPECT_EQ(process.wait().exit, 79);
}

TEST_F(StatusFd, TellsOfJeopardyAndTheDeadline) {
  EXPECT_EQ(run({"-t", "3", "--no-renew", "--kill-after", "0.1", "n", "sleep", mark_}).exit, 79);
  EXPECT_EQ(names(), "acquired started jeopardy lost ending ended released");
  EXPECT_TRUE(tells("\"why\":\"deadline\"")) << scratch_.read("events");
}

TEST_F(StatusFd, TellsThatTheTimeIsUp) {
  EXPECT_EQ(run({"--max", "1", "n", "sleep", mark_}).exit, 79);
  EXPECT_EQ(names(), "acquired started ending ended released");
  EXPECT_TRUE(tells("\"why\":\"max\"")) << scratch_.read("events");
}

TEST_F(StatusFd, TellsWhoWasKilled) {
  {
    Process process = start({"n", "sleep", mark_});
    process.send(SIGKILL);
    EXPECT_TRUE(eventually([this] { return tells("\"why\":\"supervisor_killed\""); })) << scratch_.read("events");
    EXPECT_TRUE(eventually([this] { return tells("\"event\":\"ended\""); }));
  }
  Process process = start({"n", "sleep", mark_}, "other");
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  kill(process.guard(), SIGKILL);
  EXPECT_EQ(process.wait().exit, 71);
  EXPECT_TRUE(tells("\"why\":\"guard_killed\"", "other"));
}

TEST_F(StatusFd, TellsWhyWhatWasLeftBehindIsEnded) {
  EXPECT_EQ(run({"n", "sh", "-c", "sleep " + mark_ + " & exit 0"}).exit, 0);
  EXPECT_EQ(names(), "acquired started ended ending released");
  EXPECT_TRUE(tells("\"why\":\"command_ended\""));
}

TEST_F(StatusFd, IsNotInherited) {
  // Without the leash, whose number depends on what else is open.
  const Arguments look{"-o", "n", "ls", "/proc/self/fd"};
  const std::string inherited = run_to_end(scratch_.run(look)).out;
  const Pipe pipe;
  const auto to_pipe = [&] { give_as(pipe.writer(), 9); };
  EXPECT_EQ(run(look).out, inherited);
  EXPECT_EQ(run_to_end(with_status("run", look), "", to_pipe).out, inherited);
  EXPECT_NE(inherited, "");
}

TEST_F(StatusFd, MayBeStandardOutputAndTheCommandKeepsIt) {
  const Ended ended = run_to_end(scratch_.run({"--status-fd", "1", "n", "echo", "hi"}));
  // The command may be quicker than the event of its start.
  EXPECT_TRUE(says(ended.out, "\nhi\n{\"event\":\"")) << ended.out;
  EXPECT_EQ(names_in(ended.out), "acquired started ended released");
  const auto close_it = [] { close(1); };
  EXPECT_EQ(run_to_end(scratch_.run({"--status-fd", "1", "n", "true"}), "", close_it).exit, 64);
}

TEST_F(StatusFd, MayBeASocket) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  EXPECT_EQ(run_to_end(with_status("run", {"n", "true"}), "", [&] { give_as(ends[1], 9); }).exit, 0);
  std::array<char, 4096> buffer{};
  const ssize_t count = recv(ends[0], buffer.data(), buffer.size(), MSG_DONTWAIT);
  EXPECT_EQ(names_in(std::string(buffer.data(), static_cast<std::size_t>(std::max(count, ssize_t{0})))), "acquired started ended released");
  close(ends[0]);
  close(ends[1]);
}

TEST_F(StatusFd, MustBeWritable) {
  const auto to_reader = [] { give_as(open("/dev/null", O_RDONLY | O_CLOEXEC), 9); };
  const auto to_path = [] { give_as(open("/dev/null", O_PATH | O_CLOEXEC), 9); };
  for (const auto& prepare : {std::function<void()>(to_reader), std::function<void()>(to_path)}) {
    const Ended ended = run_to_end(with_status("run", {"n", "touch", scratch_.path("entered")}), "", prepare);
    EXPECT_EQ(ended.exit, 64);
    EXPECT_TRUE(says(ended.err, "--status-fd 9: that descriptor is not open for writing")) << ended.err;
  }
  EXPECT_NE(access(scratch_.path("entered").c_str(), F_OK), 0);
}

TEST_F(StatusFd, AFullPipeHangsNobodyAndLosesNothing) {
  const Pipe pipe;
  pipe.fill();
  const auto to_pipe = [&] { give_as(pipe.writer(), 9); };
  EXPECT_EQ(run_to_end(with_status("run", {"n", "sh", "-c", "exit 3"}), "", to_pipe).exit, 3);
  Process process(with_status("run", {"n", "sleep", mark_}), "", to_pipe);
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  std::string text = pipe.drain();
  EXPECT_TRUE(eventually([&] { return says(text += pipe.drain(), "\"started\""); }));
  EXPECT_EQ(names_in(text.substr(text.find('{'))), "acquired started");
  process.send(SIGTERM);
  EXPECT_EQ(process.wait().exit, 143);
  EXPECT_EQ(names_in(pipe.drain()), "ending ended released");
}

TEST_F(StatusFd, AReaderThatHasGoneAwayIsNoError) {
  Pipe pipe;
  pipe.close_reader();
  const auto to_pipe = [&] { give_as(pipe.writer(), 9); };
  EXPECT_EQ(run_to_end(with_status("run", {"n", "sh", "-c", "exit 3"}), "", to_pipe).exit, 3);
}

}  // namespace
}  // namespace tenure::tests
