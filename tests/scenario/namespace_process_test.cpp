// Processes that see other numbers for the same things: ids of processes, clocks, users' homes, mounts.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstring>
#include <ctime>

#include "tests/ipc/process_harness.hpp"

namespace tenure::test {
namespace {

std::function<bool(pid_t&)> born_as_process_one() {
  return [](pid_t& born) { return be_born_into(CLONE_NEWPID, nullptr, born); };
}

std::function<bool(pid_t&)> born_with_clock_ahead(long boottime_seconds) {
  return [boottime_seconds](pid_t& born) {
    const auto write_offset = [boottime_seconds] {
      char text[64];
      const int length = std::snprintf(text, sizeof text, "boottime %ld 0\nmonotonic %ld 0\n", boottime_seconds, boottime_seconds / 2);
      const int file = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
      const bool written = file >= 0 && write(file, text, static_cast<std::size_t>(length)) == length;
      if (file >= 0) close(file);
      return written;
    };
    return be_born_into(CLONE_NEWTIME, write_offset, born);
  };
}

bool can_unshare(int namespaces) {
  return Child::run([namespaces] { return unshare(namespaces) == 0 ? 0 : 1; }).exit_code() == 0;
}

Answer own_id(Actor& actor) {
  return actor.does([](Self&, const Order&, Answer& answer) { answer.number = getpid(); });
}

// Both are process 1, and so are the numbers of their threads the same. Whoever takes a thread's number for its identity sees A dead.
TEST(PidNamespace, DeathOfAWaiterOfTheSameNumberLeavesTheHolderInside) {
  if (!can_unshare(CLONE_NEWPID)) GTEST_SKIP() << "can't unshare a PID namespace";
  Stage stage;
  Actor a = stage.actor(born_as_process_one()), b = stage.actor(born_as_process_one()), c = stage.actor();
  ASSERT_EQ(own_id(a).number, 1);
  ASSERT_EQ(own_id(b).number, 1);
  const Answer held = a.acquires("x");
  ASSERT_TRUE(held.ok);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  c.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 2));
  b.dies();
  EXPECT_TRUE(stage.queue_of("x", 1));
  EXPECT_TRUE(c.is_silent());
  EXPECT_TRUE(a.looks_at("x").ok);
  EXPECT_EQ(stage.observer().tries("x").error, AcquireError::busy);
  EXPECT_TRUE(a.releases("x").ok) << "it was the owner all the time";
  const Answer next = c.answers();
  EXPECT_TRUE(next.ok);
  EXPECT_FALSE(next.previous_holder_died);
  EXPECT_GT(next.token, held.token);
}

TEST(PidNamespace, DeathOfTheHolderIsHeardInAnother) {
  if (!can_unshare(CLONE_NEWPID)) GTEST_SKIP() << "can't unshare a PID namespace";
  Stage stage;
  Actor a = stage.actor(born_as_process_one()), b = stage.actor(born_as_process_one());
  ASSERT_TRUE(a.acquires("x").ok);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  a.dies();
  EXPECT_TRUE(b.answers().previous_holder_died);
}

TEST(PidNamespace, OneNumberAfterTheOtherInOneSlot) {
  if (!can_unshare(CLONE_NEWPID)) GTEST_SKIP() << "can't unshare a PID namespace";
  Stage stage;
  Actor b = stage.actor();
  Token last = 0;
  for (int i = 0; i < 8; ++i) {  // more than a slot has bells
    Actor a = stage.actor(born_as_process_one());
    const Answer held = a.acquires("x");
    ASSERT_TRUE(held.ok);
    EXPECT_EQ(held.previous_holder_died, i != 0);
    EXPECT_GT(held.token, last);
    last = held.token;
    EXPECT_EQ(b.tries("x").error, AcquireError::busy);
    a.dies();
  }
}

TEST(TimeNamespace, DeadlinesAreTheSameOnBothSides) {
  if (!can_unshare(CLONE_NEWTIME)) GTEST_SKIP() << "can't unshare a time namespace";
  Stage stage;
  Actor here = stage.actor(), ahead = stage.actor(born_with_clock_ahead(1'000'000));
  const auto clock = [](Self&, const Order&, Answer& answer) {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    answer.number = now.tv_sec;
  };
  ASSERT_TRUE(here.opens().ok);
  ASSERT_GT(ahead.does(clock).number, here.does(clock).number + 900'000) << ahead.opens().message;

  // Were the clocks taken as they read, this lease would be over at once, or in eleven days.
  ASSERT_TRUE(here.acquires("x", {seconds(2), false}).ok);
  EXPECT_EQ(ahead.tries("x").error, AcquireError::busy);
  ASSERT_TRUE(ahead.acquires("y", {seconds(2), false}).ok);
  EXPECT_EQ(here.tries("y").error, AcquireError::busy);
  EXPECT_LE(ahead.looks_at("y").remaining_ns, nanoseconds(seconds(2)).count());

  const Answer x = ahead.acquires("x");
  EXPECT_TRUE(x.previous_holder_expired) << x.message;
  const Answer y = here.acquires("y");
  EXPECT_TRUE(y.previous_holder_expired) << y.message;
  EXPECT_FALSE(here.looks_at("x").ok);
  EXPECT_FALSE(ahead.looks_at("y").ok);
}

TEST(TimeNamespace, TimeoutsOfWaitsAreOfTheOwnClock) {
  if (!can_unshare(CLONE_NEWTIME)) GTEST_SKIP() << "can't unshare a time namespace";
  Stage stage;
  Actor here = stage.actor(), ahead = stage.actor(born_with_clock_ahead(1'000'000));
  ASSERT_TRUE(here.acquires("x").ok);
  ahead.begins_to_acquire("x", {}, milliseconds(200));
  EXPECT_EQ(ahead.answers().error, AcquireError::timed_out);
  ahead.begins_to_acquire("x", {}, seconds(60));
  EXPECT_TRUE(ahead.is_silent()) << "not over at once";
  here.dies();
  EXPECT_TRUE(ahead.answers().previous_holder_died);
}

// A process that unshares a time namespace is not in it; its children are, and its own offset can't be told any more from within.
TEST(TimeNamespace, WhoMadeOneForItsChildrenKeepsItsOwnClock) {
  if (!can_unshare(CLONE_NEWTIME)) GTEST_SKIP() << "can't unshare a time namespace";
  Stage stage;
  Actor here = stage.actor();
  Actor maker = stage.actor([](pid_t&) { return unshare(CLONE_NEWTIME) == 0; });
  ASSERT_TRUE(here.acquires("x", {seconds(30), false}).ok);
  EXPECT_EQ(maker.tries("x").error, AcquireError::busy);
}

TEST(MountNamespace, SpaceOnABindMountIsTheSameSpace) {
  if (!can_unshare(CLONE_NEWNS)) GTEST_SKIP() << "can't unshare a mount namespace";
  Stage stage;
  TemporaryDirectory elsewhere;
  Actor::Role role{stage.options()};
  role.options.name = elsewhere.path();
  role.before = [from = stage.directory(), to = elsewhere.path()](pid_t& born) {
    const auto bind = [&] {
      return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
             mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) == 0;
    };
    return be_born_into(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC, bind, born);
  };
  Actor a = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  Actor inside(std::move(role));
  EXPECT_EQ(inside.tries("x").error, AcquireError::busy);
  inside.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  a.dies();
  EXPECT_TRUE(inside.answers().previous_holder_died);
}

}  // namespace
}  // namespace tenure::test
