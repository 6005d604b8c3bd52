// Who must be dead before the next one is let in, whoever is killed, stopped, or late.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ostream>
#include <random>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

// A script that starts `sleep MARK` processes in some manner, and waits.
struct Manner {
  const char* name;
  const char* script;  // MARK stands for the time of the sleeps
  int sleeps;
  bool stopped = false;  // each of them, before anything else happens
};
const Manner manners[] = {
    {"background", "sleep MARK & sleep MARK & sleep MARK", 3},
    {"sessions of their own", "setsid sleep MARK & sleep MARK", 2},
    {"a daemon", "(setsid sleep MARK <&- >&- 2>&- &); sleep MARK", 2},
    {"a daemon with nothing inherited",
     "(env -i setsid bash -c 'for d in {0..30}; do eval \"exec $d>&-\"; done; sleep MARK' &); sleep MARK", 2},
    {"ignoring what can be ignored", "trap '' TERM HUP INT; sleep MARK & sleep MARK", 2},
    {"stopped", "sleep MARK & setsid sleep MARK & sleep MARK", 3, true},
};

std::string with_mark(std::string script, const std::string& mark) {
  for (std::size_t at = 0; (at = script.find("MARK")) != std::string::npos;) script.replace(at, 4, mark);
  return script;
}

void PrintTo(const Manner& manner, std::ostream* out) { *out << manner.name; }

class TreeEnd : public testing::TestWithParam<Manner> {
 protected:
  // Enters only when the name is free; how many are left by then.
  int left_when_free() {
    EXPECT_EQ(run_to_end(scratch_.run({"-w", "20", "n", "true"})).exit, 0);
    return count_left(mark_);
  }
  Process start(const Arguments& options = {}) {
    Process process(scratch_.run(options + Arguments{"n", "--", "sh", "-c", with_mark(GetParam().script, mark_)}));
    EXPECT_TRUE(eventually([this] { return count_left(mark_) == GetParam().sleeps; }));
    for (const pid_t pid : processes_with(mark_)) {
      if (GetParam().stopped) kill(pid, SIGSTOP);
    }
    return process;
  }
  Scratch scratch_;
  std::string mark_ = unique_sleep();
};

TEST_P(TreeEnd, KillOfTheSupervisor) {
  const Process process = start();
  process.send(SIGKILL);
  EXPECT_EQ(left_when_free(), 0);
}

TEST_P(TreeEnd, KillOfTheGuard) {
  Process process = start();
  kill(process.guard(), SIGKILL);
  EXPECT_EQ(process.wait().exit, 71);
  EXPECT_EQ(left_when_free(), 0);
}

TEST_P(TreeEnd, TerminationOfTheSupervisor) {
  Process process = start({"--kill-after", "0.2"});
  process.send(SIGTERM);
  EXPECT_EQ(process.wait().exit, 143);
  EXPECT_EQ(left_when_free(), 0);
}

TEST_P(TreeEnd, KillOfTheSupervisorsGroup) {
  const Process process = start();
  EXPECT_EQ(kill(-process.pid(), SIGKILL), 0);
  EXPECT_EQ(left_when_free(), 0);
}

TEST_P(TreeEnd, Break) {
  Process process = start({"--lost-exit-code", "5"});
  const std::string shown = run_to_end(scratch_.tenure("show", {"--json", "n"})).out;
  const std::size_t at = shown.find("\"token\":\"") + 9;
  const std::string token = shown.substr(at, shown.find('"', at) - at);
  EXPECT_EQ(run_to_end(scratch_.tenure("break", {"n", "--token", token})).exit, 0);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 5);
  EXPECT_NE(ended.err.find("LOST"), std::string::npos) << ended.err;
  EXPECT_EQ(left_when_free(), 0);
}

INSTANTIATE_TEST_SUITE_P(Manners, TreeEnd, testing::ValuesIn(manners), [](const auto& at) {
  std::string name = at.param.name;
  for (char& c : name) c = c == ' ' ? '_' : c;
  return name;
});

class Strays : public testing::Test {
 protected:
  Scratch scratch_;
  std::string mark_ = unique_sleep();
};

TEST_F(Strays, OfACommandThatEndsByItself) {
  EXPECT_EQ(run_to_end(scratch_.run({"n", "--", "sh", "-c", "sleep " + mark_ + " & exit 0"})).exit, 0);
  EXPECT_EQ(count_left(mark_), 0);
}

TEST_F(Strays, AreAskedBeforeTheyAreKilled) {
  const std::string script = "sh -c 'trap \"echo asked; exit\" TERM; echo > " + scratch_.path("ready") +
                             "; while :; do sleep 0.01; done' & while [ ! -e " + scratch_.path("ready") + " ]; do sleep 0.01; done";
  const Ended ended = run_to_end(scratch_.run({"n", "--", "sh", "-c", script}));
  EXPECT_EQ(ended.exit, 0);
  EXPECT_EQ(ended.out, "asked\n");
}

TEST_F(Strays, ThatDoNotListenAreKilled) {
  const std::string script = "trap '' TERM; sleep " + mark_ + " & exit 4";
  EXPECT_EQ(run_to_end(scratch_.run({"--kill-after", "0.1", "n", "--", "sh", "-c", script})).exit, 4);
  EXPECT_EQ(count_left(mark_), 0);
}

// Forks and forgets as fast as it can; ends by itself after so many hops or children.
struct Forker {
  const char* name;
  const char* script;  // $1: the time of its sleeps; $2: a file that it makes when it is well under way
};
void PrintTo(const Forker& forker, std::ostream* out) { *out << forker.name; }
class Forkers : public testing::TestWithParam<Forker> {};

TEST_P(Forkers, AreCaught) {
  const Scratch scratch;
  const std::string mark = unique_sleep();
  const std::string started = scratch.path("started");
  Process process(scratch.run({"n", "--", "bash", "-c", GetParam().script, "bash", mark, started}));
  ASSERT_TRUE(eventually([&] { return access(started.c_str(), F_OK) == 0; }));
  process.send(SIGKILL);
  EXPECT_EQ(run_to_end(scratch.run({"-w", "20", "n", "true"})).exit, 0);
  EXPECT_EQ(count_left(mark), 0);
}

constexpr Forker forkers[] = {
    {"children", "for i in {1..3000}; do sleep $1 & [ $i = 50 ] && echo > $2; done; wait"},
    {"chain", "hop() { [ $1 = 50 ] && echo > $3; [ $1 -lt 20000 ] && (hop $(($1 + 1)) $2 $3 &) ; }; hop 1 $1 $2; sleep $1"},
};
INSTANTIATE_TEST_SUITE_P(Kinds, Forkers, testing::ValuesIn(forkers), [](const auto& at) { return std::string(at.param.name); });

// Those who forked before exec turned them into this program are nobody's business.
TEST_F(Strays, OfTheCallerAreLeftAlone) {
  const std::string script = "sleep " + mark_ + " & echo $!; exec " TENURE_PROGRAM " run --space " + scratch_.space() + " n sleep " + mark_;
  Process process({"sh", "-c", script});
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 2; }));
  pid_t guard = 0;
  EXPECT_TRUE(eventually([&] {
    const std::string shown = run_to_end(scratch_.tenure("show", {"--json", "n"})).out;
    const std::size_t at = shown.find("\"session_pid\":");
    if (at != std::string::npos) guard = std::atoi(shown.c_str() + at + 14);
    return guard > 0;
  }));
  kill(guard, SIGKILL);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 71);
  EXPECT_TRUE(eventually([this] { return count_left(mark_) <= 1; }));
  EXPECT_EQ(count_left(mark_), 1);
  kill(std::atoi(ended.out.c_str()), SIGKILL);
}

// At a random instant of the start, the acquisition and the exec too, the supervisor is killed; the next one starts at once.
TEST(KillAtAnyInstant, NeverLetsTwoIn) {
  constexpr int rounds = is_sanitized ? 15 : 200;
  const Scratch scratch;
  const Arguments command = scratch.run(Arguments{"n", "--"} + visitor(scratch.path("journal")));
  const Journal* journal = map_journal(scratch.path("journal"));
  // From before the first fork to well behind the exec, on whatever machine this is.
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(run_to_end(scratch.run(Arguments{"n", "--"} + short_visitor(scratch.path("journal")))).exit, 0);
  const auto start_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun).count();
  std::mt19937 random(7);
  for (int i = 0; i < rounds; ++i) {
    const Process process(command);
    usleep(std::uniform_int_distribution<useconds_t>(0, static_cast<useconds_t>(2 * start_us))(random));
    process.send(SIGKILL);
  }
  EXPECT_EQ(run_to_end(scratch.run({"-w", "20", "n", "true"})).exit, 0);
  EXPECT_EQ(count_left(scratch.path("journal")), 0);
  EXPECT_EQ(overlaps(*journal), 0);
  EXPECT_GT(journal->visits, 1U);
}

class Stopped : public testing::Test {
 protected:
  // Runs a visitor for as long as its lease lasts.
  Process start(const Arguments& options) {
    Process process(scratch_.run(options + Arguments{"n", "--"} + visitor(scratch_.path("journal"))));
    EXPECT_TRUE(eventually([this] { return journal_->visit[0].first_ns != 0; }));
    return process;
  }
  int left() { return count_left(scratch_.path("journal")); }
  Scratch scratch_;
  Journal* journal_ = map_journal(scratch_.path("journal"));
};

TEST_F(Stopped, SupervisorDoesNotKeepTheCommandBeyondTheDeadline) {
  const Process process = start({"--ttl", "1", "--no-renew"});
  process.send(SIGSTOP);
  EXPECT_TRUE(eventually([this] { return left() == 0; }));
  const Arguments next = visitor(scratch_.path("journal"));
  Process observer(scratch_.run(Arguments{"n", "--"} + next));
  EXPECT_TRUE(eventually([this] { return journal_->visit[1].first_ns != 0; }));
  EXPECT_EQ(overlaps(*journal_), 0);
  process.send(SIGCONT);
}

TEST_F(Stopped, GuardIsContinued) {
  Process process = start({"--ttl", "1", "--no-renew"});
  kill(process.guard(), SIGSTOP);
  EXPECT_EQ(process.wait().exit, 79);
  EXPECT_EQ(left(), 0);
}

// The last sign of life lies before the deadline, by at least half of the margin (250 ms).
TEST_F(Stopped, CommandThatIgnoresTermIsGoneInTime) {
  const std::string script = "trap '' TERM; exec " + visitor("")[0] + " --visit " + scratch_.path("journal");
  const Ended ended = run_to_end(scratch_.run({"--ttl", "1", "--no-renew", "n", "--", "sh", "-c", script}));
  EXPECT_EQ(ended.exit, 79);
  EXPECT_NE(ended.err.find("LOST"), std::string::npos) << ended.err;
  const std::uint64_t lived_ns = journal_->visit[0].last_ns - journal_->visit[0].first_ns;
  EXPECT_LT(lived_ns, 875'000'000U);
}

// The same for --max, also where the hold itself is strict.
TEST_F(Stopped, CommandThatIgnoresTermIsGoneWhenItsTimeIsUp) {
  const std::string script = "trap '' TERM; exec " + visitor("")[0] + " --visit " + scratch_.path("journal");
  EXPECT_EQ(run_to_end(scratch_.run({"--max", "1", "n", "--", "sh", "-c", script})).exit, 79);
  const std::uint64_t lived_ns = journal_->visit[0].last_ns - journal_->visit[0].first_ns;
  EXPECT_LT(lived_ns, 875'000'000U);
}

TEST_F(Stopped, SupervisorDoesNotKeepTheCommandBeyondMax) {
  const Process process = start({"--max", "1"});
  process.send(SIGSTOP);
  EXPECT_TRUE(eventually([this] { return left() == 0; }));
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "20", "n", "true"})).exit, 0);
  process.send(SIGCONT);
}

TEST(Leased, IsRenewedForAsLongAsTheCommandRuns) {
  const Scratch scratch;
  const Ended ended = run_to_end(scratch.run({"--ttl", "1", "n", "sleep", "2.5"}));
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(ended.err, "");
}

}  // namespace
}  // namespace tenure::tests
