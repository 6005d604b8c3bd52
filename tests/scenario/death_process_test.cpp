// What becomes of a name when its holder, or a waiter, dies: of each way in which a process can end.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/ipc/process_harness.hpp"

namespace tenure::test {
namespace {

TEST(Death, OfAHolderLetsTheWaiterInAndTellsIt) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.acquires("x");
  ASSERT_TRUE(held.ok) << held.message;
  EXPECT_FALSE(held.previous_holder_died);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  a.dies();
  const Answer next = b.answers();
  ASSERT_TRUE(next.ok) << next.message;
  EXPECT_TRUE(next.previous_holder_died);
  EXPECT_FALSE(next.previous_holder_expired);
  EXPECT_GT(next.token, held.token);
  EXPECT_TRUE(b.releases("x").ok);
  EXPECT_FALSE(b.tries("x").previous_holder_died) << "told twice";
}

TEST(Death, OfAHolderIsSeenByWhoeverTriesNext) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.acquires("x");
  EXPECT_EQ(b.tries("x").error, AcquireError::busy);
  a.dies();
  const Answer next = b.tries("x");
  ASSERT_TRUE(next.ok) << next.message;
  EXPECT_TRUE(next.previous_holder_died);
  EXPECT_GT(next.token, held.token);
}

TEST(Death, OfAWaiterCostsTheOthersNothing) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor(), c = stage.actor(), d = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  c.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 2));
  d.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 3));
  c.dies();
  EXPECT_TRUE(stage.queue_of("x", 2));
  EXPECT_TRUE(a.looks_at("x").ok);
  b.dies();
  EXPECT_TRUE(a.releases("x").ok);
  const Answer next = d.answers();
  EXPECT_TRUE(next.ok) << next.message;
  EXPECT_FALSE(next.previous_holder_died) << "a waiter died, no holder";
}

TEST(Death, OfAllButTheLastInLine) {
  Stage stage;
  constexpr int length = 8;
  std::vector<Actor> line;
  line.reserve(length);
  for (int i = 0; i < length; ++i) line.push_back(stage.actor());
  ASSERT_TRUE(line[0].acquires("x").ok);
  for (int i = 1; i < length; ++i) {
    line[static_cast<std::size_t>(i)].begins_to_acquire("x");
    ASSERT_TRUE(stage.queue_of("x", i));
  }
  for (int i = 0; i + 1 < length; ++i) line[static_cast<std::size_t>(i)].dies_unreaped();
  EXPECT_TRUE(line.back().answers().ok);
}

// Only the exit walk of the robust list comes before the address space is torn down: everything else would come long after.
TEST(Death, OfAHolderOfTwoGigabytes) {
  const std::int64_t bytes = sanitized ? std::int64_t{64} << 20 : std::int64_t{2} << 30;
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  const Answer grown = a.does(
      [](Self&, const Order& order, Answer& answer) {
        const auto size = static_cast<std::size_t>(order.number);
        void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return;
        madvise(memory, size, MADV_NOHUGEPAGE);
        for (std::size_t i = 0; i < size; i += 4096) static_cast<char*>(memory)[i] = 1;
        answer.ok = true;
      },
      "", bytes);
  if (!grown.ok) GTEST_SKIP() << "no " << bytes << " bytes of memory";
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  const auto killed_at = std::chrono::steady_clock::now();
  a.dies_unreaped();
  const Answer next = b.answers();
  const double inside_ms = milliseconds_since(killed_at);
  ASSERT_TRUE(next.ok) << next.message;
  EXPECT_TRUE(next.previous_holder_died);
  EXPECT_TRUE(a.process().ends().has_value());
  std::printf("SIGKILL of %lld MiB to the next holder's answer: %.2f ms; to the end of the process: %.2f ms\n",
              static_cast<long long>(bytes >> 20), inside_ms, milliseconds_since(killed_at));
}

TEST(Death, OfAHolderThatNobodyReaps) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  a.dies_unreaped();
  siginfo_t facts{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(a.pid()), &facts, WEXITED | WNOWAIT), 0);  // a zombie by now, and left one
  EXPECT_EQ(kill(a.pid(), 0), 0) << "a zombie has its id still";
  const Answer next = b.acquires("x");
  EXPECT_TRUE(next.ok) << next.message;
  EXPECT_TRUE(next.previous_holder_died);
}

// A child of the holder's has inherited the mapping, and lives on.
TEST(Death, OfAHolderWhoseChildLivesOn) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  const Answer forked = a.does([](Self&, const Order&, Answer& answer) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      for (;;) pause();
    }
    answer.number = child;
  });
  const auto child = static_cast<pid_t>(forked.number);
  ASSERT_GT(child, 0);
  EXPECT_EQ(b.tries("x").error, AcquireError::busy);
  a.dies();
  const Answer next = b.acquires("x");
  EXPECT_TRUE(next.ok) << next.message;
  EXPECT_TRUE(next.previous_holder_died);
  EXPECT_EQ(kill(child, 0), 0) << "the child should have lived";
  kill(child, SIGKILL);
}

// bare clone(2), which runs no handler of pthread_atfork.
TEST(Death, OfAHolderWhoseClonedChildLivesOn) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor(), c = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  const Answer cloned = a.does([](Self&, const Order&, Answer& answer) {
    const long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
      alarm(60);
      for (;;) pause();
    }
    answer.number = child;
  });
  const auto child = static_cast<pid_t>(cloned.number);
  ASSERT_GT(child, 0);
  a.dies();
  EXPECT_TRUE(b.acquires("x").previous_holder_died);
  EXPECT_TRUE(c.tries("y").ok) << "the slot whose byte the child keeps is in nobody's way";
  kill(child, SIGKILL);
}

TEST(Death, ByExec) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.acquires("x");
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  a.begins([](Self&, const Order&, Answer&) { execl("/bin/sleep", "sleep", "60", nullptr); });
  const Answer next = b.answers();
  EXPECT_TRUE(next.ok) << next.message;
  EXPECT_TRUE(next.previous_holder_died);
  EXPECT_GT(next.token, held.token);
  EXPECT_EQ(kill(a.pid(), 0), 0) << "the process runs on, as another program";
}

TEST(Death, ByExitWithoutReleasing) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  a.begins([](Self&, const Order&, Answer&) { _exit(0); });
  EXPECT_TRUE(b.answers().previous_holder_died);
}

TEST(Death, ByACoreDumpIsBoundedByTheTimeToLive) {
  std::string pattern;
  std::ifstream("/proc/sys/kernel/core_pattern") >> pattern;
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.acquires("x", {milliseconds(500), false});
  ASSERT_TRUE(held.ok);
  b.begins_to_acquire("x");
  const auto began_at = std::chrono::steady_clock::now();
  a.begins([](Self& self, const Order&, Answer&) {
    if (chdir(self.options.name.c_str()) != 0) _exit(1);
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &none);
    const std::size_t size = std::size_t{sanitized ? 16 : 256} << 20;
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) _exit(1);
    std::memset(memory, 7, size);
    signal(SIGABRT, SIG_DFL);
    abort();
  });
  const Answer next = b.answers();
  const double inside_ms = milliseconds_since(began_at);
  EXPECT_TRUE(next.ok) << next.message;
  EXPECT_TRUE(next.previous_holder_died || next.previous_holder_expired);
  EXPECT_GT(next.token, held.token);
  const std::optional<int> status = a.process().ends(2 * patience);
  ASSERT_TRUE(status.has_value());
  std::printf("core_pattern \"%s\": %s; the next holder answered after %.0f ms (time to live 500 ms), the process ended after %.0f ms\n",
              pattern.c_str(), WCOREDUMP(*status) ? "dumped" : "not dumped", inside_ms, milliseconds_since(began_at));
}

// ---- what is no death ---------------------------------------------------------------------------------------------------------------

// A daemon closes all its descriptors, those of the library too. It lives, and so do its leases.
TEST(NoDeath, ToCloseAllDescriptors) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  const Answer closed = a.does([](Self& self, const Order&, Answer& answer) {
    const auto spared = static_cast<unsigned>(self.socket);
    answer.ok = syscall(SYS_close_range, 3, spared - 1, 0) == 0 && syscall(SYS_close_range, spared + 1, ~0U, 0) == 0;
  });
  if (!closed.ok) GTEST_SKIP() << "this kernel has no close_range";
  EXPECT_EQ(b.tries("x").error, AcquireError::busy);
  b.begins_to_acquire("x");
  EXPECT_TRUE(b.is_silent());
  Actor c = stage.actor();  // must find a slot of its own, though the first one's byte is free
  ASSERT_TRUE(c.acquires("y").ok);
  EXPECT_EQ(c.tries("x").error, AcquireError::busy);
  const Answer swept = c.does([](Self& self, const Order&, Answer& answer) { answer.number = self.space->sweep(); });
  EXPECT_EQ(swept.number, 0);
  EXPECT_TRUE(a.looks_at("x").ok);
  EXPECT_TRUE(a.releases("x").ok);
  const Answer next = b.answers();
  EXPECT_TRUE(next.ok) << next.message;
  EXPECT_FALSE(next.previous_holder_died);
  EXPECT_TRUE(a.acquires("z").ok) << "it can go on without its descriptors";
}

TEST(NoDeath, OfTheThreadThatAcquired) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.does([](Self& self, const Order&, Answer& answer) {
    std::thread([&] {
      if (auto lease = self.space->acquire("x")) self.leases["x"] = std::move(*lease);
    }).join();
    answer.ok = self.leases["x"].still_held();
  });
  ASSERT_TRUE(held.ok);
  EXPECT_EQ(b.tries("x").error, AcquireError::busy);
  b.begins_to_acquire("x");
  EXPECT_TRUE(b.is_silent());
  EXPECT_TRUE(a.releases("x").ok);
  EXPECT_TRUE(b.answers().ok);
}

// The thread of main() has ended, its workers go on.
TEST(NoDeath, OfTheMainThread) {
  Stage stage;
  Actor b = stage.actor();
  Shared<std::atomic<int>> scene;
  Child process = Child::run([&] {
    auto space = Space::open(stage.options());
    if (!space) return 1;
    static Lease lease;
    auto acquired = space->acquire("x");
    if (!acquired) return 2;
    lease = std::move(*acquired);
    std::thread([&scene] {
      *scene = 1;
      while (*scene != 2) std::this_thread::sleep_for(milliseconds(1));
      const bool held = lease.release();
      _exit(held ? 0 : 3);
    }).detach();
    for (;;) syscall(SYS_exit, 0);  // pthread_exit would unwind into GoogleTest
  });
  ASSERT_TRUE(eventually([&] { return *scene == 1; }));
  EXPECT_EQ(b.tries("x").error, AcquireError::busy);
  *scene = 2;
  EXPECT_EQ(process.exit_code(), 0);
  EXPECT_FALSE(b.acquires("x").previous_holder_died);
}

// ---- stopped ------------------------------------------------------------------------------------------------------------------------

TEST(Stopped, HolderLosesALeaseAtItsDeadline) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.acquires("x", {milliseconds(300), true});
  ASSERT_TRUE(held.ok);
  b.begins_to_acquire("x");
  EXPECT_TRUE(b.is_silent(milliseconds(900))) << "renewed, so it goes on over its time to live";
  a.stops();
  const Answer next = b.answers();
  EXPECT_TRUE(next.ok) << next.message;
  EXPECT_TRUE(next.previous_holder_expired);
  EXPECT_FALSE(next.previous_holder_died);
  EXPECT_GT(next.token, held.token);
  a.continues();
  const Answer late = a.looks_at("x");
  EXPECT_FALSE(late.ok);
  EXPECT_EQ(late.token, held.token);
  EXPECT_EQ(late.remaining_ns, 0);
  EXPECT_FALSE(a.extends("x", seconds(10)).ok);
  EXPECT_FALSE(a.releases("x").ok);
  EXPECT_TRUE(b.looks_at("x").ok) << "what the old holder did has not touched the new one";
}

TEST(Stopped, HolderKeepsAStrictLease) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  a.stops();
  EXPECT_TRUE(b.is_silent(milliseconds(1500)));
  a.continues();
  EXPECT_TRUE(a.looks_at("x").ok);
  EXPECT_TRUE(a.releases("x").ok);
  EXPECT_TRUE(b.answers().ok);
}

TEST(Stopped, HolderThatIsKilledIsSucceeded) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  a.stops();
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  a.dies_unreaped();
  EXPECT_TRUE(b.answers().previous_holder_died);
}

TEST(Stopped, HeadOfTheQueueIsPassedOver) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor(), c = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  c.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 2));
  b.stops();
  EXPECT_TRUE(a.releases("x").ok);
  EXPECT_TRUE(c.answers().ok) << "behind a head that does not run";
  b.continues();
  EXPECT_TRUE(b.is_silent());
  EXPECT_TRUE(c.releases("x").ok);
  EXPECT_TRUE(b.answers().ok);
}

}  // namespace
}  // namespace tenure::test
