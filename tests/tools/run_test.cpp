// What whoever writes `tenure run NAME COMMAND` sees: exit statuses, the habits of flock(1), bad input, and poor surroundings.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

// Holds the name until it is destroyed.
class Holder {
 public:
  Holder(const Scratch& scratch, const std::string& name, const Arguments& options = {})
      : process_(scratch.run(options + Arguments{name, "--", "sh", "-c", "echo > " + scratch.path("held") + "; exec sleep " + sleep_})) {
    EXPECT_TRUE(eventually([&] { return access(scratch.path("held").c_str(), F_OK) == 0; }));
  }
  Process& process() { return process_; }
  [[nodiscard]] const Process& process() const { return process_; }

 private:
  std::string sleep_ = unique_sleep();
  Process process_;
};

TEST(Run, TheStatusIsTheCommandsOwn) {
  const Scratch scratch;
  EXPECT_EQ(run_to_end(scratch.run({"n", "true"})).exit, 0);
  EXPECT_EQ(run_to_end(scratch.run({"n", "--", "sh", "-c", "exit 7"})).exit, 7);
  EXPECT_EQ(run_to_end(scratch.run({"n", "--", "sh", "-c", "kill -9 $$"})).exit, 137);
  EXPECT_EQ(run_to_end(scratch.run({"n", "--", "sh", "-c", "kill -TERM $$"})).exit, 143);
}

TEST(Run, ACommandThatCannotBeStartedIs69) {
  const Scratch scratch;
  const Ended ended = run_to_end(scratch.run({"n", "--", "no-such-command"}));
  EXPECT_EQ(ended.exit, 69);
  EXPECT_TRUE(says(ended.err, "cannot start no-such-command: ")) << ended.err;
  EXPECT_EQ(run_to_end(scratch.run({"n", "/"})).exit, 69);
  EXPECT_EQ(run_to_end(scratch.run({"n", ""})).exit, 69);
}

TEST(Run, StandardInputIsTheCommands) {
  const Scratch scratch;
  EXPECT_EQ(run_to_end(scratch.run({"n", "cat"}), "hi\n").out, "hi\n");
}

TEST(Run, TheCommandFindsItsLeaseInTheEnvironment) {
  const Scratch scratch;
  const Arguments print{"n", "--", "sh", "-c", "echo $TENURE_NAME $TENURE_SPACE ${TENURE_ABANDONED-no}; echo $TENURE_TOKEN >&2"};
  const Ended first = run_to_end(scratch.run(print), "", [] { setenv("TENURE_ABANDONED", "1", 1); });
  const Ended second = run_to_end(scratch.run(print));
  EXPECT_EQ(first.out, "n " + scratch.space() + " no\n");
  EXPECT_LT(std::strtoull(first.err.c_str(), nullptr, 10), std::strtoull(second.err.c_str(), nullptr, 10));
}

TEST(Run, OptionsEndAtTheName) {
  const Scratch scratch;
  EXPECT_EQ(run_to_end(scratch.run({"n", "echo", "-n", "--wait"})).out, "--wait");
  EXPECT_EQ(run_to_end(scratch.run({"n", "--", "echo", "--", "x"})).out, "-- x\n");
  EXPECT_EQ(run_to_end(scratch.run({"--", "-n", "echo", "x"})).out, "x\n");
}

TEST(Run, AStringGoesThroughTheShell) {
  const Scratch scratch;
  const auto no_shell = [] { unsetenv("SHELL"); };
  const auto empty_shell = [] { setenv("SHELL", "", 1); };
  const auto other_shell = [] { setenv("SHELL", "/bin/echo", 1); };
  EXPECT_EQ(run_to_end(scratch.run({"-c", "echo $((1 + 1)); exit 4", "n"}), "", no_shell).out, "2\n");
  EXPECT_EQ(run_to_end(scratch.run({"n", "-c", "exit 4"}), "", empty_shell).exit, 4);
  EXPECT_EQ(run_to_end(scratch.run({"n", "--command", "a b"}), "", other_shell).out, "-c a b\n");
  EXPECT_EQ(run_to_end(scratch.run({"-nc", "cat", "n"}), "hi\n", no_shell).out, "hi\n");
  EXPECT_EQ(run_to_end(scratch.run({"n", "--", "-c"})).exit, 69);
}

TEST(Run, OptionsAreThoseOfFlock) {
  const Scratch scratch;
  EXPECT_EQ(run_to_end(scratch.run({"-xnE9", "-w", "0.5", "-o", "--nonblocking", "n", "true"})).exit, 0);
  const Holder holder(scratch, "n");
  // Whatever the order, -n counts.
  EXPECT_EQ(run_to_end(scratch.run({"-xnE9", "-w", "1000", "n", "true"})).exit, 9);
  EXPECT_EQ(run_to_end(scratch.run({"-w1000", "-nE9", "n", "true"})).exit, 9);
}

TEST(Run, AnEndThatMaxBringsIs79AndInOrder) {
  const Scratch scratch;
  const std::string mark = unique_sleep();
  for (const Arguments& terms : {Arguments{}, Arguments{"--ttl", "5"}}) {
    const Ended ended = run_to_end(scratch.run(terms + Arguments{"--max", "1", "n", "sleep", mark}));
    EXPECT_EQ(ended.exit, 79);
    EXPECT_TRUE(says(ended.err, "its time (--max) is up")) << ended.err;
    EXPECT_EQ(count_left(mark), 0);
  }
  EXPECT_EQ(run_to_end(scratch.run({"--max", "1", "--lost-exit-code", "5", "n", "sleep", mark})).exit, 5);
  EXPECT_EQ(run_to_end(scratch.run({"n", "sh", "-c", "echo ${TENURE_ABANDONED-no}"})).out, "no\n");
  EXPECT_EQ(run_to_end(scratch.run({"--max", "60", "n", "sh", "-c", "exit 4"})).exit, 4);
}

TEST(Run, AConflictIsOneOrWhatWasAskedFor) {
  const Scratch scratch;
  const Holder holder(scratch, "n", {"--label", "nightly"});
  EXPECT_EQ(run_to_end(scratch.run({"-n", "n", "true"})).exit, 1);
  EXPECT_EQ(run_to_end(scratch.run({"--nb", "-E", "9", "n", "true"})).exit, 9);
  EXPECT_EQ(run_to_end(scratch.run({"-w", "0", "n", "true"})).exit, 1);
  EXPECT_EQ(run_to_end(scratch.run({"-w", "0.05", "--conflict-exit-code=0", "n", "true"})).exit, 0);
  EXPECT_EQ(run_to_end(scratch.run({"-n", "other", "true"})).exit, 0);
}

TEST(Run, AConflictSaysWhoHoldsTheNameAndHowToBreakIt) {
  const Scratch scratch;
  Holder holder(scratch, "n", {"--label", "night\x1bly"});
  const Ended ended = run_to_end(scratch.run({"-n", "n", "true"}));
  EXPECT_TRUE(says(ended.err, "PID " + std::to_string(holder.process().pid()))) << ended.err;
  EXPECT_TRUE(says(ended.err, "(" TENURE_PROGRAM " run")) << ended.err;
  EXPECT_TRUE(says(ended.err, "\"night?ly\"")) << ended.err;
  std::array<char, 256> host{};
  ASSERT_EQ(gethostname(host.data(), host.size()), 0);
  EXPECT_TRUE(says(ended.err, " on " + std::string(host.data()) + ", ")) << ended.err;
  EXPECT_TRUE(says(ended.err, ", since 2")) << ended.err;
  EXPECT_LE(std::ranges::count(ended.err, '\n'), 4) << ended.err;
  EXPECT_TRUE(says(ended.err, "tenure break n --space " + scratch.space() + " --token ")) << ended.err;
  EXPECT_TRUE(says(ended.err, "space: " + scratch.space())) << ended.err;
  EXPECT_EQ(run_to_end(scratch.run({"-q", "-n", "n", "true"})).err, "");
}

TEST(Run, VerboseSaysWhatItWaitsForAndHowLongItTook) {
  const Scratch scratch;
  Holder holder(scratch, "n");
  Process waiter(scratch.run({"-v", "n", "true"}));
  EXPECT_TRUE(eventually([&] { return says(run_to_end(scratch.tenure("show", {"n"})).out, "waiting 1"); }));
  holder.process().send(SIGTERM);
  const Ended ended = waiter.wait();
  EXPECT_EQ(ended.exit, 0);
  EXPECT_TRUE(says(ended.err, "waiting for \"n\"\ntenure: held by PID " + std::to_string(holder.process().pid()))) << ended.err;
  EXPECT_TRUE(says(ended.err, "got \"n\" after ")) << ended.err;
}

TEST(Run, WrongArgumentsAre64AndAreExplained) {
  const Scratch scratch;
  const std::string long_name(201, 'x');
  const std::vector<std::pair<Arguments, std::string>> cases{
      {{}, "which NAME"},
      {{"n"}, "which COMMAND"},
      {{"n", "--"}, "which COMMAND"},
      {{"--nope", "n", "true"}, "there is no option --nope"},
      {{"-w"}, "needs a value"},
      {{"-w", "soon", "n", "true"}, "not a time"},
      {{"-w", "-1", "n", "true"}, "not a time"},
      {{"-E", "256", "n", "true"}, "from 0 to 255"},
      {{"-t", "0.5", "n", "true"}, "at least 1 s"},
      {{"--no-renew", "n", "true"}, "goes with --ttl"},
      {{"-t", "3", "--kill-after", "2", "n", "true"}, "too long for --ttl"},
      {{"", "true"}, "is no name"},
      {{"a\nb", "true"}, "\"a?b\" is no name"},
      {{"\xff", "true"}, "is no name"},
      {{long_name, "true"}, "is no name"},
      {{"-s", "n", "true"}, "not available in this version"},
      {{"-c", "echo"}, "which NAME"},
      {{"-c", "echo", "n", "true"}, "takes the place of a COMMAND"},
      {{"n", "-c", "echo", "more"}, "takes the place of a COMMAND"},
      {{"n", "-c"}, "needs a value"},
      {{"--max", "0.5", "n", "true"}, "at least 1 s"},
      {{"--max", "3", "--kill-after", "3", "n", "true"}, "too long for --max"},
      {{"--status-fd", "x", "n", "true"}, "a descriptor is a number"},
      {{"--status-fd", "-1", "n", "true"}, "a descriptor is a number"},
      {{"--status-fd", "99999999999", "n", "true"}, "a descriptor is a number"},
      {{"--status-fd", "99", "n", "true"}, "is not open"},
      {{"--fd", "9", "n"}, "holds names"},
      {{"--fd", "9", "n"}, "tenure hold"},
      {{"-F", "n", "true"}, "tenure hold"},
      {{"-u", "n"}, "tenure hold"},
      {{"-F", "n", "true"}, "leave the option out"},
      {{"-u", "n"}, "tenure show"},
      {{"--via", "redis://x", "n", "true"}, "not available in this version"},
  };
  for (const auto& [arguments, words] : cases) {
    const Ended ended = run_to_end(scratch.run(arguments));
    EXPECT_EQ(ended.exit, 64) << words;
    EXPECT_TRUE(says(ended.err, words)) << ended.err;
    EXPECT_EQ(ended.out, "");
  }
}

TEST(Run, ANameMayHave200Bytes) {
  const Scratch scratch;
  EXPECT_EQ(run_to_end(scratch.run({std::string(200, 'x'), "true"})).exit, 0);
}

TEST(Run, AnImpossibleSpaceIsRefused) {
  EXPECT_EQ(run_to_end({TENURE_PROGRAM, "run", "--space", "a b", "n", "true"}).exit, 78);
  const Ended ended = run_to_end({TENURE_PROGRAM, "run", "--space", "/no/such/directory/at/all", "n", "true"});
  EXPECT_TRUE(ended.exit == 66 || ended.exit == 73) << ended.exit << ended.err;
  EXPECT_TRUE(says(ended.err, "/no/such/directory")) << ended.err;
}

TEST(Run, TheDefaultSpaceNeedsNoEnvironment) {
  const std::string name = "tenure-test/" + unique_sleep();
  const Ended ended = run_to_end({TENURE_PROGRAM, "run", name, "sh", "-c", "echo $TENURE_SPACE"}, "", [] {
    unsetenv("HOME");
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("TENURE_SPACE");
  });
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(ended.out, "default\n");
  EXPECT_EQ(run_to_end({TENURE_PROGRAM, "rm", name}).exit, 0);
}

TEST(Run, TheSpaceMayComeFromTheEnvironment) {
  const Scratch scratch;
  const auto prepare = [&] { setenv("TENURE_SPACE", scratch.space().c_str(), 1); };
  EXPECT_EQ(run_to_end({TENURE_PROGRAM, "run", "n", "sh", "-c", "echo $TENURE_SPACE"}, "", prepare).out, scratch.space() + "\n");
}

TEST(Run, ClosedDescriptorsStayClosedAndHarmNothing) {
  const Scratch scratch;
  const auto close_all = [] {
    for (int descriptor = 0; descriptor <= 2; ++descriptor) close(descriptor);
  };
  const std::string out = scratch.path("open");
  const std::string look = "for d in 0 1 2; do [ -e /proc/self/fd/$d ] && echo $d >> " + out + "; done; exit 5";
  EXPECT_EQ(run_to_end(scratch.run({"n", "--", "bash", "-c", look}), "", close_all).exit, 5);
  EXPECT_EQ(scratch.read("open"), "");
}

TEST(Run, SixteenDescriptorsAreEnough) {
  const Scratch scratch;
  const auto few = [] {
    const rlimit limit{16, 16};
    setrlimit(RLIMIT_NOFILE, &limit);
  };
  EXPECT_EQ(run_to_end(scratch.run({"n", "sh", "-c", "sleep 0.05 & exit 3"}), "", few).exit, 3);
  EXPECT_EQ(run_to_end(scratch.run({"-t", "5", "n", "sleep", "0.05"}), "", few).exit, 0);
}

TEST(Run, AFullPipeAsStandardErrorHangsNobody) {
  const Scratch scratch;
  const Holder holder(scratch, "n");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const auto fill = [&] {
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    const std::string much(65536, 'x');
    while (write(ends[1], much.data(), much.size()) > 0) {
    }
    fcntl(ends[1], F_SETFL, 0);
    dup2(ends[1], 2);
  };
  EXPECT_EQ(run_to_end(scratch.run({"-n", "n", "true"}), "", fill).exit, 1);
  close(ends[0]);
  close(ends[1]);
}

TEST(Run, IgnoredSignalsAndTheMaskAreTheCallers) {
  const Scratch scratch;
  const auto prepare = [] {
    signal(SIGCHLD, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_SETMASK, &usr1, nullptr);
  };
  const Ended ended = run_to_end(scratch.run({"n", "grep", "^Sig[BI]", "/proc/self/status"}), "", prepare);
  EXPECT_EQ(ended.exit, 0);
  EXPECT_EQ(ended.out, "SigBlk:\t0000000000000200\nSigIgn:\t0000000000010001\n");
}

TEST(Run, TheNextHolderIsToldThatTheOneBeforeDied) {
  const Scratch scratch;
  const Arguments ask = scratch.run({"n", "sh", "-c", "echo $TENURE_ABANDONED"});
  {
    Holder holder(scratch, "n");
    const pid_t guard = holder.process().guard();
    ASSERT_GT(guard, 0);
    kill(guard, SIGKILL);
    EXPECT_EQ(holder.process().wait().exit, 71);
    EXPECT_EQ(run_to_end(ask).out, "1\n");
    EXPECT_EQ(run_to_end(ask).out, "\n");
  }
  unlink(scratch.path("held").c_str());
  const Holder holder(scratch, "n");
  holder.process().send(SIGKILL);
  EXPECT_EQ(run_to_end(ask).out, "1\n");
  EXPECT_EQ(run_to_end(ask).out, "\n");
}

TEST(Run, HelpAndVersion) {
  const Scratch scratch;
  EXPECT_TRUE(says(run_to_end(scratch.run({"-h"})).out, "--kill-after"));
  EXPECT_TRUE(says(run_to_end({TENURE_PROGRAM, "help", "run"}).out, "--kill-after"));
  EXPECT_TRUE(says(run_to_end({TENURE_PROGRAM, "help"}).out, "doctor"));
  EXPECT_TRUE(says(run_to_end({TENURE_PROGRAM, "--version"}).out, "tenure "));
  EXPECT_EQ(run_to_end({TENURE_PROGRAM}).exit, 64);
  EXPECT_EQ(run_to_end({TENURE_PROGRAM, "nope"}).exit, 64);
}

}  // namespace
}  // namespace tenure::tests
