// What is left when supervisor and guard are both killed, stopped, or robbed of what they know: the next one ends it, and only then enters.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include <tenure/tenure.hpp>

#include "core/layout.hpp"
#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

class LeftTree : public testing::Test {
 protected:
  ~LeftTree() override {
    for (const pid_t process : processes_with(mark_)) kill(process, SIGKILL);
  }
  // A run of a script in which $0 is the time of its sleeps; `count` processes have it as an argument, the script's shell among them.
  Process start(const Arguments& options, const std::string& script, int count) {
    Process process(scratch_.run(options + Arguments{"n", "--", "bash", "-c", script, mark_}));
    EXPECT_TRUE(eventually([&] { return count_left(mark_) == count; })) << count_left(mark_);
    return process;
  }
  static void kill_both(const Process& process) {
    const pid_t guard = process.guard();
    if (guard <= 0) return ADD_FAILURE() << "no guard", void();
    process.send(SIGSTOP);  // or it would begin to kill
    kill(guard, SIGKILL);
    process.send(SIGKILL);
  }
  // Enters only when the name is free; nothing must be left by then.
  void expect_ended_by_the_next(const Arguments& options = {"-w", "20"}) {
    const Ended next = run_to_end(scratch_.run(options + Arguments{"n", "sh", "-c", "echo ${TENURE_ABANDONED-none}"}));
    EXPECT_EQ(next.exit, 0) << next.err;
    EXPECT_EQ(next.out, "1\n");
    EXPECT_EQ(count_left(mark_), 0);
  }
  Scratch scratch_;
  std::string mark_ = unique_sleep();
};

TEST_F(LeftTree, IsEndedByTheNext) {
  const Process process = start({}, "setsid sleep $0 & sleep $0; true", 3);
  kill_both(process);
  expect_ended_by_the_next();
}

TEST_F(LeftTree, IsEndedByOneThatWouldNotWait) {
  const Process process = start({}, "sleep $0; true", 2);
  kill_both(process);
  expect_ended_by_the_next({"-n"});
}

TEST_F(LeftTree, IsKnownByItsTagAlone) {
  const Process process = start({"-o"}, "ls -l /proc/self/fd | grep -q lock && exit 9; setsid sleep $0 & sleep $0; true", 3);
  kill_both(process);
  expect_ended_by_the_next();
}

TEST_F(LeftTree, IsKnownByItsDescriptorAlone) {
  const Process process = start({}, "ulimit -x 5; setsid sleep $0 & sleep $0; true", 3);
  kill_both(process);
  expect_ended_by_the_next();
}

// A limit that somebody else has set can't be a tag: only root may raise it.
TEST_F(LeftTree, CarriesNoTagWhereTheLimitIsInUse) {
  const Arguments command = scratch_.run({"-v", "n", "--", "bash", "-c", "ulimit -x; sleep $0; true", mark_});
  Process process(command, {}, [] {
    const rlimit taken{1000, 1000};
    setrlimit(RLIMIT_LOCKS, &taken);
  });
  ASSERT_TRUE(eventually([&] { return count_left(mark_) == 2; }));
  kill_both(process);
  expect_ended_by_the_next();
  const Ended ended = process.wait();
  EXPECT_EQ(ended.out, "1000\n");
  EXPECT_NE(ended.err.find("ulimit -x"), std::string::npos) << ended.err;
}

// A run within the tree of another gives its tree another tag, and ends with the outer one.
TEST_F(LeftTree, IncludesRunsInsideIt) {
  const std::string inner =
      TENURE_PROGRAM " run --space " + scratch_.space() + " inner -- bash -c 'setsid sleep $0 & sleep $0; true' $0; true";
  const Process process = start({}, inner, 4);
  kill_both(process);
  expect_ended_by_the_next();
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "20", "inner", "true"})).exit, 0);
}

// ... in another space, too, when its own supervisor and guard are killed with the others: the tag of the outermost run stays with its
// tree.
TEST_F(LeftTree, IncludesWhatRunsInsideItHaveLeft) {
  const std::string inner =
      TENURE_PROGRAM " run -o --space " + scratch_.path("other") + " inner -- bash -c 'setsid sleep $0 & sleep $0; true' $0; true";
  const Process process = start({"-o"}, inner, 4);
  const pid_t shell = child_of(process.guard());
  const pid_t inner_supervisor = child_of(shell);
  const pid_t inner_guard = child_of(inner_supervisor);
  ASSERT_TRUE(shell > 0 && inner_supervisor > 0 && inner_guard > 0);
  kill(inner_supervisor, SIGSTOP);
  kill_both(process);
  for (const pid_t victim : {inner_guard, inner_supervisor}) EXPECT_EQ(kill(victim, SIGKILL), 0);
  expect_ended_by_the_next();
}

TEST_F(LeftTree, IsNamedAndReaped) {
  const Process process = start({"-o"}, "setsid sleep $0 & sleep $0; true", 3);
  kill_both(process);
  // The kernel kills the command with its guard, and nothing else.
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 2; }));
  const Ended listed = run_to_end(scratch_.tenure("doctor", {}));
  EXPECT_EQ(listed.exit, 0);
  EXPECT_NE(listed.out.find("left of a run"), std::string::npos) << listed.out;
  EXPECT_NE(run_to_end(scratch_.tenure("show", {"n"})).out.find("waits for the end of what is left"), std::string::npos);
  EXPECT_NE(run_to_end(scratch_.tenure("show", {"--json", "n"})).out.find("\"state\":\"ending\""), std::string::npos);
  EXPECT_EQ(count_left(mark_), 2) << "to look is not to kill";
  const Ended reaped = run_to_end(scratch_.tenure("doctor", {"--reap"}));
  EXPECT_EQ(reaped.exit, 0) << reaped.err;
  EXPECT_EQ(reaped.out.find("ended: "), 0U) << reaped.out;
  EXPECT_EQ(count_left(mark_), 0);
  EXPECT_EQ(run_to_end(scratch_.tenure("doctor", {"--reap"})).out, "nothing is left of any run\n");
  expect_ended_by_the_next({"-n"});
}

// A segment may say anything, and half the host carries RLIM_INFINITY as its limit.
TEST_F(LeftTree, IsNotLookedForByANumberThatIsNoTag) {
  const Process process = start({}, "sleep $0; true", 2);
  kill_both(process);
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  const std::string bystander = unique_sleep();
  const Process other({"sleep", bystander});
  ASSERT_TRUE(eventually([&] { return count_left(bystander) == 1; }));
  const int table = open((scratch_.space() + "/default.table").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(table, 0);
  constexpr std::uint64_t nobodys = ~std::uint64_t{0};
  constexpr auto slots = static_cast<off_t>(core::geometry_of({}).slot_offset);
  constexpr off_t tag_at = 64;
  for (off_t slot = 0; slot < 4; ++slot) EXPECT_EQ(pwrite(table, &nobodys, sizeof nobodys, slots + slot * 256 + tag_at), 8);
  close(table);
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "0.2", "n", "true"})).exit, 65);
  EXPECT_EQ(run_to_end(scratch_.run({"-n", "n", "true"})).exit, 65);
  run_to_end(scratch_.tenure("doctor", {"--reap"}));
  EXPECT_EQ(count_left(bystander), 1);
}

// The library never kills: it waits, and says for whom.
TEST_F(LeftTree, KeepsUsersOfTheLibraryWaiting) {
  const Process process = start({}, "sleep $0; true", 2);
  kill_both(process);
  Space::Options options;
  options.name = scratch_.space();
  Result<Space, OpenError> space = Space::open(options);
  ASSERT_TRUE(space);
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  const auto refused = space->acquire_for("n", std::chrono::milliseconds(50));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), AcquireError::timed_out);
  const auto report = space->show("n");
  ASSERT_TRUE(report && report->held);
  EXPECT_TRUE(report->holder.is_ending && report->holder.is_run && !report->holder.alive);
  EXPECT_EQ(report->holder.left_behind.size(), 1U);
  for (const std::uint32_t left : report->holder.left_behind) kill(static_cast<pid_t>(left), SIGKILL);
  const auto granted = space->acquire_for("n", std::chrono::seconds(20));
  ASSERT_TRUE(granted);
  EXPECT_TRUE(granted->previous_holder_died());
}

// Stopped together, they can't keep the deadline; whoever comes next does it for them.
TEST_F(LeftTree, OfALeaseIsEndedWhenSupervisorAndGuardAreStopped) {
  const Process process = start({"-t", "1", "--no-renew"}, "echo $TENURE_TOKEN > " + scratch_.path("token") + "; sleep $0; true", 2);
  const pid_t guard = process.guard();
  ASSERT_GT(guard, 0);
  process.send(SIGSTOP);
  kill(guard, SIGSTOP);
  const Ended next = run_to_end(scratch_.run({"-w", "20", "n", "sh", "-c", "echo $TENURE_TOKEN"}));
  EXPECT_EQ(next.exit, 0) << next.err;
  EXPECT_EQ(count_left(mark_), 0);
  EXPECT_GT(std::stoull(next.out), std::stoull(scratch_.read("token")));
}

// A host that was suspended past the deadline: all wake up at once.
TEST_F(LeftTree, OfALeaseIsEndedWhenAllWereStoppedPastTheDeadline) {
  const Process process = start({"-t", "1", "--no-renew"}, "sleep $0; true", 2);
  Process next(scratch_.run({"-w", "20", "n", "true"}));
  pid_t guard = 0;
  ASSERT_TRUE(eventually([&] { return (guard = next.guard()) > 0; }));
  std::vector<pid_t> all = processes_with(mark_);
  all.insert(all.end(), {process.pid(), process.guard(), next.pid(), guard});
  for (const pid_t one : all) EXPECT_EQ(kill(one, SIGSTOP), 0);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return std::chrono::steady_clock::now() - begun > std::chrono::milliseconds(1300); }));
  for (const pid_t one : all) kill(one, SIGCONT);  // some are killed by those that were continued before
  EXPECT_EQ(next.wait().exit, 0);
  EXPECT_EQ(count_left(mark_), 0);
}

// A supervisor that had children of its own before it became one can't tell orphans by their parent.
TEST_F(LeftTree, IsKnownToASupervisorWithOlderChildren) {
  const std::string own = unique_sleep();
  const std::string script = "sleep " + own + " & echo $!; exec " TENURE_PROGRAM " run --space " + scratch_.space() +
                             " n -- bash -c 'setsid sleep $0 & sleep $0; true' " + mark_;
  Process process({"sh", "-c", script});
  ASSERT_TRUE(eventually([&] { return count_left(mark_) == 3; }));
  pid_t guard = 0;
  for (const pid_t sleeper : processes_with(mark_)) {
    for (pid_t at = sleeper; at > 1 && guard == 0; at = parent_of(at)) {
      if (parent_of(at) == process.pid()) guard = at;
    }
  }
  ASSERT_GT(guard, 0);
  kill(guard, SIGKILL);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.exit, 71);
  EXPECT_EQ(count_left(mark_), 0);
  EXPECT_EQ(count_left(own), 1);
  kill(std::atoi(ended.out.c_str()), SIGKILL);
}

}  // namespace
}  // namespace tenure::tests
