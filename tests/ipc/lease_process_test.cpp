// A lease in hand, between processes: renewal, loss and how it is told, jeopardy, cancelled waits, forks, threads, Mutex.
#include <dirent.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/ipc/process_harness.hpp"

namespace tenure::test {
namespace {

// ---- leases with a deadline ---------------------------------------------------------------------------------------------------------

TEST(Renewal, KeepsALeaseOverTenTimesItsTime) {
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.acquires("x", {milliseconds(200), true});
  ASSERT_TRUE(held.ok);
  b.begins_to_acquire("x");
  EXPECT_TRUE(b.is_silent(seconds(2)));
  const Answer still = a.looks_at("x");
  EXPECT_TRUE(still.ok);
  EXPECT_EQ(still.token, held.token);
  EXPECT_GT(still.remaining_ns, 0);
  EXPECT_LE(still.remaining_ns, 200'000'000);
  EXPECT_TRUE(a.releases("x").ok);
  EXPECT_FALSE(b.answers().previous_holder_expired);
}

TEST(Renewal, IsNotMadeWhereItIsNotAskedFor) {
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.acquires("x", {milliseconds(150), false});
  const Answer next = b.acquires("x");
  EXPECT_TRUE(next.previous_holder_expired);
  EXPECT_GT(next.token, held.token);
  EXPECT_FALSE(a.looks_at("x").ok);
  EXPECT_FALSE(a.releases("x").ok);
}

TEST(Renewal, PastItsDeadlineALeaseIsNotHeldThoughNobodyTakesIt) {
  Stage const stage;
  Actor a = stage.actor();
  ASSERT_TRUE(a.acquires("x", {milliseconds(100), false}).ok);
  ASSERT_TRUE(eventually([&] { return !a.looks_at("x").ok; }));
  const Answer late = a.looks_at("x");
  EXPECT_EQ(late.state, LeaseState::expired);
  EXPECT_EQ(late.remaining_ns, 0);
  EXPECT_FALSE(a.extends("x", seconds(1)).ok);
  EXPECT_TRUE(a.releases("x").ok) << "nobody has taken it over";
  EXPECT_TRUE(a.tries("x").ok);
}

TEST(Extend, MovesTheDeadline) {
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x", {milliseconds(400), false}).ok);
  EXPECT_TRUE(a.extends("x", seconds(60)).ok);
  EXPECT_GT(a.looks_at("x").remaining_ns, nanoseconds(seconds(30)).count());
  b.begins_to_acquire("x");
  EXPECT_TRUE(b.is_silent(milliseconds(900)));
  EXPECT_TRUE(a.extends("x", milliseconds(100)).ok) << "shorter, too";
  EXPECT_TRUE(b.answers().previous_holder_expired);
  EXPECT_FALSE(a.extends("x", seconds(1)).ok);
}

TEST(Extend, OfAStrictLeaseIsRefused) {
  Stage const stage;
  Actor a = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  EXPECT_FALSE(a.extends("x", seconds(1)).ok);
  EXPECT_EQ(a.looks_at("x").remaining_ns, std::numeric_limits<std::int64_t>::max());
}

// ---- loss, told in every way --------------------------------------------------------------------------------------------------------

struct Ears {
  std::atomic<int> lost{0}, jeopardy{0};
  std::atomic<LeaseState> state{LeaseState::held};
  std::stop_token stop;
  int descriptor = -1;
};
Ears* ears = nullptr;  // of an actor's process

void listen(Self& self, const Order&, Answer& answer) {
  ears = new Ears;
  Lease& lease = self.leases["x"];
  lease.on_loss([](LeaseState state) {
    ears->state = state;
    ++ears->lost;
  });
  lease.on_jeopardy([](nanoseconds) { ++ears->jeopardy; });
  ears->stop = lease.loss_token();
  ears->descriptor = lease.loss_descriptor();
  answer.ok = ears->descriptor >= 0;
}

// ok: told in every way, once. number: the warnings before.
void report_what_was_heard(Self&, const Order&, Answer& answer) {
  const auto readable = [] {
    pollfd waited{ears->descriptor, POLLIN, 0};
    return poll(&waited, 1, 0) == 1;
  };
  (void)eventually([&] { return ears->lost > 0 && ears->stop.stop_requested() && readable(); }, seconds(5));
  answer.ok = ears->lost == 1 && ears->stop.stop_requested() && readable();
  answer.state = ears->state;
  answer.number = ears->jeopardy;
}

void report_at_once(Self&, const Order&, Answer& answer) {
  answer.ok = ears->lost != 0 || ears->stop.stop_requested();
  answer.number = ears->jeopardy;
}

TEST(Loss, ByABreakIsHeardAtOnce) {
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  for (const seconds ttl : {seconds(0), seconds(3600)}) {
    const Answer held = a.acquires("x", {ttl, true});
    ASSERT_TRUE(held.ok);
    ASSERT_TRUE(a.does(listen).ok);
    EXPECT_FALSE(a.does(report_at_once).ok);
    const auto break_it = [](Self& self, const Order& order, Answer& answer) {
      answer.ok = self.space->break_lease("x", static_cast<Token>(order.number)).has_value();
    };
    EXPECT_FALSE(b.does(break_it, "", static_cast<std::int64_t>(held.token) - 1).ok) << "of another token";
    ASSERT_TRUE(b.does(break_it, "", static_cast<std::int64_t>(held.token)).ok);
    const Answer heard = a.does(report_what_was_heard);
    EXPECT_TRUE(heard.ok);
    EXPECT_EQ(heard.state, LeaseState::lost);
    EXPECT_FALSE(a.looks_at("x").ok);
    const Answer next = b.tries("x");
    EXPECT_TRUE(next.previous_holder_died) << "its work may be half done";
    EXPECT_FALSE(a.releases("x").ok);
    EXPECT_TRUE(b.looks_at("x").ok);
    EXPECT_TRUE(b.releases("x").ok);
  }
}

TEST(Loss, ByTheDeadlineIsHeardAfterJeopardy) {
  Stage const stage;
  Actor a = stage.actor();
  ASSERT_TRUE(a.acquires("x", {milliseconds(600), false}).ok);
  ASSERT_TRUE(a.does(listen).ok);
  const Answer heard = a.does(report_what_was_heard);
  EXPECT_TRUE(heard.ok);
  EXPECT_EQ(heard.state, LeaseState::expired);
  EXPECT_EQ(heard.number, 1);
}

TEST(Loss, OfAStoppedHolderIsHeardWhenItRunsAgain) {
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x", {milliseconds(300), true}).ok);
  ASSERT_TRUE(a.does(listen).ok);
  a.stops();
  EXPECT_TRUE(b.acquires("x").previous_holder_expired);
  a.continues();
  EXPECT_TRUE(a.does(report_what_was_heard).ok);
}

TEST(Loss, IsNotHeardOfALeaseThatWasReleased) {
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x", {milliseconds(200), true}).ok);
  ASSERT_TRUE(a.does(listen).ok);
  EXPECT_TRUE(a.releases("x").ok);
  ASSERT_TRUE(b.acquires("x").ok);
  std::this_thread::sleep_for(milliseconds(500));  // longer than the time to live: nothing may come
  EXPECT_FALSE(a.does(report_at_once).ok);
}

// ---- waits that end otherwise -------------------------------------------------------------------------------------------------------

TEST(Wait, CanBeCancelled) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor(), c = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  b.begins([](Self& self, const Order&, Answer& answer) {
    std::stop_source source;
    std::thread canceller([&] {
      (void)eventually([&] {
        const auto report = self.space->show("x");
        return report && report->waiters.size() == 2;
      });
      source.request_stop();
    });
    const auto lease = self.space->acquire("x", {}, source.get_token());
    canceller.join();
    answer.ok = !lease.has_value();
    if (answer.ok) answer.error = lease.error();
  });
  ASSERT_TRUE(stage.queue_of("x", 1));
  c.begins_to_acquire("x");
  const Answer cancelled = b.answers();
  EXPECT_TRUE(cancelled.ok);
  EXPECT_EQ(cancelled.error, AcquireError::cancelled);
  EXPECT_TRUE(stage.queue_of("x", 1));
  EXPECT_TRUE(a.releases("x").ok);
  EXPECT_TRUE(c.answers().ok) << "whoever stood behind the one who left";
}

TEST(Wait, EndsAtItsTimeout) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  const auto began_at = std::chrono::steady_clock::now();
  EXPECT_EQ(b.acquires("x", {}, milliseconds(250)).error, AcquireError::timed_out);
  EXPECT_GE(milliseconds_since(began_at), 250);
  EXPECT_TRUE(stage.queue_of("x", 0));
}

TEST(Wait, IsInTheOrderOfArrival) {
  Stage stage;
  constexpr int length = 10;
  std::vector<Actor> line;
  line.reserve(length);
  for (int i = 0; i < length; ++i) line.push_back(stage.actor());
  Actor first = stage.actor();
  ASSERT_TRUE(first.acquires("x").ok);
  for (int i = 0; i < length; ++i) {
    line[static_cast<std::size_t>(i)].begins_to_acquire("x");
    ASSERT_TRUE(stage.queue_of("x", i + 1));
  }
  ASSERT_TRUE(first.releases("x").ok);
  Token last = 0;
  for (int i = 0; i < length; ++i) {
    const Answer answer = line[static_cast<std::size_t>(i)].answers();
    ASSERT_TRUE(answer.ok);
    EXPECT_GT(answer.token, last);
    last = answer.token;
    for (int j = i + 1; j < length; ++j) ASSERT_TRUE(line[static_cast<std::size_t>(j)].is_silent(nanoseconds(0)));
    ASSERT_TRUE(line[static_cast<std::size_t>(i)].releases("x").ok);
  }
}

// ---- forks and threads --------------------------------------------------------------------------------------------------------------

TEST(Fork, ChildHasNoPartInItsParentsLeases) {
  if (thread_sanitized) GTEST_SKIP() << "the thread sanitizer lets no child of a fork have threads";
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  const Answer child = a.does([](Self& self, const Order&, Answer& answer) {
    Child process = Child::run([&self] {
      Lease& inherited = self.leases["x"];
      EXPECT_EQ(inherited.state(), LeaseState::forked);
      EXPECT_FALSE(inherited.still_held());
      EXPECT_GT(inherited.token(), 0U);
      EXPECT_EQ(self.space->try_acquire("x").error(), AcquireError::busy);
      EXPECT_FALSE(inherited.release());
      self.leases.clear();
      auto own = self.space->acquire("y");
      EXPECT_TRUE(own && own->still_held()) << "registered as a session of its own";
      const auto seen = self.space->show("y");
      EXPECT_TRUE(seen && static_cast<pid_t>(seen->holder.pid) == getpid());
      if (own) self.leases["y"] = std::move(*own);  // and leaves without releasing it
      return 0;
    });
    answer.number = process.exit_code();
  });
  EXPECT_EQ(child.number, 0);
  EXPECT_TRUE(a.looks_at("x").ok);
  EXPECT_EQ(b.tries("x").error, AcquireError::busy);
  EXPECT_TRUE(b.tries("y").previous_holder_died);
}

// A bare clone(2) runs no handler of pthread_atfork.
TEST(Fork, ChildOfABareCloneKnowsThatItIsOne) {
  if (thread_sanitized) GTEST_SKIP() << "the thread sanitizer lets no child of a fork have threads";
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  const Answer cloned = a.does([](Self& self, const Order&, Answer& answer) {
    const long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) {
      Lease& inherited = self.leases["x"];
      const bool knows = inherited.state() == LeaseState::forked && !inherited.release();
      auto own = self.space->try_acquire("y");
      _exit(knows && own && own->still_held() && self.space->try_acquire("x").error() == AcquireError::busy ? 0 : 1);
    }
    int status = -1;
    answer.ok = waitpid(static_cast<pid_t>(child), &status, 0) == child;
    answer.number = status;
  });
  ASSERT_TRUE(cloned.ok);
  EXPECT_EQ(cloned.number, 0);
  EXPECT_TRUE(a.looks_at("x").ok);
  EXPECT_EQ(b.tries("x").error, AcquireError::busy);
  EXPECT_TRUE(b.tries("y").previous_holder_died);
}

// The parent dies; its child goes on, and holds what it acquired itself.
TEST(Fork, ChildOutlivesItsParentWithALeaseOfItsOwn) {
  if (thread_sanitized) GTEST_SKIP() << "the thread sanitizer lets no child of a fork have threads";
  Stage const stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  const Answer forked = a.does([](Self& self, const Order&, Answer& answer) {
    int ready[2];
    if (pipe(ready) != 0) return;
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      auto own = self.space->acquire("y");
      const char byte = own ? '1' : '0';
      (void)!write(ready[1], &byte, 1);
      for (;;) pause();
    }
    char byte = 0;
    answer.ok = read(ready[0], &byte, 1) == 1 && byte == '1';
    answer.number = child;
  });
  ASSERT_TRUE(forked.ok);
  a.dies();
  EXPECT_TRUE(b.acquires("x").previous_holder_died);
  EXPECT_EQ(b.tries("y").error, AcquireError::busy);
  kill(static_cast<pid_t>(forked.number), SIGKILL);
  EXPECT_TRUE(b.acquires("y").previous_holder_died);
}

TEST(Threads, OfOneProcessWaitBesideAnotherProcess) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  b.begins([](Self& self, const Order&, Answer& answer) {
    constexpr int count = 16;
    std::atomic<int> inside{0}, together{0}, granted{0};
    std::vector<std::thread> threads;
    threads.reserve(count);
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&] {
        auto lease = self.space->acquire("x");
        if (!lease) return;
        if (++inside != 1) ++together;
        ++granted;
        --inside;
      });
    }
    for (std::thread& thread : threads) thread.join();
    answer.ok = together == 0;
    answer.number = granted;
  });
  ASSERT_TRUE(stage.queue_of("x", 16));
  ASSERT_TRUE(a.releases("x").ok);
  Actor c = stage.actor();
  EXPECT_TRUE(c.acquires("x").ok);
  EXPECT_TRUE(c.releases("x").ok);
  const Answer done = b.answers();
  EXPECT_TRUE(done.ok);
  EXPECT_EQ(done.number, 16);
}

TEST(Threads, ThatAllWaitDieWithTheirProcess) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor(), c = stage.actor();
  ASSERT_TRUE(a.acquires("x").ok);
  b.begins([](Self& self, const Order&, Answer&) {
    for (int i = 0; i < 16; ++i) std::thread([&] { (void)self.space->acquire("x"); }).detach();
    for (;;) pause();
  });
  ASSERT_TRUE(stage.queue_of("x", 16));
  c.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 17));
  b.dies();
  EXPECT_TRUE(stage.queue_of("x", 1));
  a.dies();
  EXPECT_TRUE(c.answers().previous_holder_died);
}

// ---- the library's own thread, ended by somebody ------------------------------------------------------------------------------------

pid_t bell_thread_of(pid_t process) {
  const std::string tasks = numbered("/proc/", process) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(tasks.c_str()), closedir);
  while (const dirent* entry = directory ? readdir(directory.get()) : nullptr) {
    std::string name;
    std::ifstream(tasks + "/" + entry->d_name + "/comm") >> name;
    if (name == "tenure-bell") return static_cast<pid_t>(std::stol(entry->d_name));
  }
  return -1;
}

// No signal ends a single thread; so a tracer makes it call exit(2) by itself.
bool end_thread(pid_t thread) {
#ifdef __x86_64__
  int status = 0;
  if (ptrace(PTRACE_ATTACH, thread, nullptr, nullptr) != 0 || waitpid(thread, &status, __WALL) != thread) return false;
  user_regs_struct registers{};
  if (ptrace(PTRACE_GETREGS, thread, nullptr, &registers) != 0) return false;
  registers.rip -= 2;  // back onto the `syscall` that it sleeps in
  registers.rax = 60;  // exit
  registers.rdi = 0;
  registers.orig_rax = ~0ULL;  // so that the kernel does not start the old one over
  return ptrace(PTRACE_SETREGS, thread, nullptr, &registers) == 0 && ptrace(PTRACE_DETACH, thread, nullptr, nullptr) == 0;
#else
  (void)thread;
  return false;
#endif
}

TEST(BellThread, EndedByForceCostsTheSessionAndNoMore) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor(), c = stage.actor(), d = stage.actor();
  const Answer held = a.acquires("x");
  ASSERT_TRUE(held.ok);
  ASSERT_TRUE(c.acquires("z").ok);
  ASSERT_TRUE(d.opens().ok);
  d.begins_to_acquire("z");
  ASSERT_TRUE(stage.queue_of("z", 1));
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  for (Actor* actor : {&a, &d}) {
    const pid_t thread = bell_thread_of(actor->pid());
    ASSERT_GT(thread, 0);
    if (!end_thread(thread)) GTEST_SKIP() << "can't trace, or not on this processor";
  }
  const Answer next = b.answers();
  EXPECT_TRUE(next.previous_holder_died) << "a session without its bell counts as dead";
  EXPECT_GT(next.token, held.token);
  EXPECT_FALSE(a.looks_at("x").ok) << "and its process knows";
  EXPECT_FALSE(a.releases("x").ok);
  EXPECT_EQ(d.answers().error, AcquireError::session_lost);

  const Answer again = a.acquires("y");  // registers anew, by its byte
  EXPECT_TRUE(again.ok) << again.message;
  EXPECT_EQ(b.tries("y").error, AcquireError::busy);
  b.begins_to_acquire("y");
  ASSERT_TRUE(stage.queue_of("y", 1));
  a.dies();
  EXPECT_TRUE(b.answers().previous_holder_died);
}

// ---- Mutex --------------------------------------------------------------------------------------------------------------------------

struct Account {
  long plus = 0, minus = 0;  // guarded by two names; no atomics, on purpose
};

TEST(MutexBetweenProcesses, GuardsPlainMemory) {
  constexpr int processes = 4, rounds = sanitized ? 300 : 20'000;
  const Stage stage;
  const Shared<Account> account;
  std::vector<Child> children;
  children.reserve(processes);
  for (int i = 0; i < processes; ++i) {
    children.push_back(Child::run([&, i] {
      auto space = Space::open(stage.options());
      if (!space) return 1;
      Mutex one(*space, "one"), two(*space, "two");
      for (int round = 0; round < rounds; ++round) {
        if (i % 2 == 0) {
          const std::scoped_lock both(one, two);
          account->plus += 1;
          account->minus -= 1;
        } else {
          const std::scoped_lock both(two, one);  // the other way round: std::lock avoids the deadlock
          account->plus += 1;
          account->minus -= 1;
        }
      }
      return 0;
    }));
  }
  for (Child& child : children) EXPECT_EQ(child.exit_code(3 * patience), 0);
  EXPECT_EQ(account->plus, processes * rounds);
  EXPECT_EQ(account->minus, -processes * rounds);
}

TEST(MutexBetweenProcesses, TimedLocksAndDeath) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.does([](Self& self, const Order&, Answer& answer) {
                 static Mutex mutex(*self.space, "m");
                 static std::unique_lock lock(mutex);
                 answer.ok = lock.owns_lock();
               }).ok);
  const auto try_for_a_while = [](Self& self, const Order&, Answer& answer) {
    Mutex mutex(*self.space, "m");
    const std::unique_lock lock(mutex, std::defer_lock);
    std::unique_lock const timed(mutex, milliseconds(100));
    answer.ok = !timed.owns_lock() && !mutex.try_lock() && !mutex.try_lock_until(std::chrono::system_clock::now() + milliseconds(50));
  };
  EXPECT_TRUE(b.does(try_for_a_while).ok);
  b.begins([](Self& self, const Order&, Answer& answer) {
    Mutex mutex(*self.space, "m");
    const std::lock_guard lock(mutex);
    answer.ok = true;
    answer.previous_holder_died = mutex.lease().previous_holder_died();
  });
  ASSERT_TRUE(stage.queue_of("m", 1));
  a.dies();
  EXPECT_TRUE(b.answers().previous_holder_died);
}

}  // namespace
}  // namespace tenure::test
