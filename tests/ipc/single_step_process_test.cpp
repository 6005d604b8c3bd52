// A process is killed after its first instruction of a pair of acquire and release, after its second, after its third...
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <ostream>

#include "tests/ipc/process_harness.hpp"

namespace tenure::test {
namespace {

struct Scene {
  std::atomic<int> pairs_done{0};
  std::atomic<Token> last_token{0};
};

// What the victim does between two looks at `pairs_done`; it may be killed anywhere in there.
using Pair = void (*)(const Name& name, Scene& scene);

void strict_pair(const Name& name, Scene& scene) {
  auto lease = name.try_acquire();
  if (lease) scene.last_token = lease->token();
}

void leased_pair(const Name& name, Scene& scene) {
  auto lease = name.try_acquire({seconds(60), false});
  if (lease) scene.last_token = lease->token();
}

void renewed_pair(const Name& name, Scene& scene) {
  auto lease = name.try_acquire({seconds(60), false});
  if (!lease) return;
  scene.last_token = lease->token();
  (void)lease->extend(seconds(90));
}

// Stops itself before the first instruction that counts, traced by the test.
Child victim(const Stage& stage, Scene& scene, Pair pair) {
  scene.pairs_done = 0;
  Child child = Child::run([&] {
    auto space = Space::open(stage.options());
    if (!space) return 1;
    auto name = space->resolve("x");
    if (!name) return 2;
    pair(*name, scene);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 3;
    raise(SIGSTOP);
    for (;;) {
      pair(*name, scene);
      ++scene.pairs_done;
    }
  });
  int status = 0;
  EXPECT_EQ(waitpid(child.pid(), &status, 0), child.pid());
  EXPECT_TRUE(WIFSTOPPED(status)) << status;
  return child;
}

// One instruction. False: it has ended.
bool step(const Child& child) {
  int status = 0;
  if (ptrace(PTRACE_SINGLESTEP, child.pid(), nullptr, nullptr) != 0) return false;
  return waitpid(child.pid(), &status, 0) == child.pid() && WIFSTOPPED(status);
}

int instructions_of(const Stage& stage, Scene& scene, Pair pair) {
  constexpr int far_too_many = 200'000;
  const Child child = victim(stage, scene, pair);
  int count = 0;
  while (scene.pairs_done == 0 && count < far_too_many && step(child)) ++count;
  return count;
}

struct Variant {
  const char* name;
  Pair pair;
};
void PrintTo(const Variant& printed, std::ostream* out) { *out << printed.name; }

class SingleStep : public testing::TestWithParam<Variant> {};

TEST_P(SingleStep, KillAfterEachInstructionOfAPair) {
  if (sanitized) GTEST_SKIP() << "a sanitizer's instructions are not those that are shipped";
  Stage stage;
  const Shared<Scene> scene;
  Actor b = stage.actor();
  Token last = b.acquires("x").token;
  ASSERT_TRUE(b.releases("x").ok);
  const int instructions = instructions_of(stage, *scene, GetParam().pair);
  ASSERT_GT(instructions, 20);
  ASSERT_LT(instructions, 20'000);
  const int stride = std::max(1, instructions / 600);
  int died_inside = 0, kills = 0;
  for (int n = 0; n <= instructions; n += stride, ++kills) {
    SCOPED_TRACE(numbered("killed after instruction ", n));
    {
      const Child child = victim(stage, *scene, GetParam().pair);
      for (int i = 0; i < n; ++i) ASSERT_TRUE(step(child));
    }
    const Answer next = b.tries("x");
    ASSERT_TRUE(next.ok) << next.message;
    ASSERT_GT(next.token, std::max<Token>(last, scene->last_token));
    died_inside += next.previous_holder_died ? 1 : 0;
    last = next.token;
    ASSERT_TRUE(b.releases("x").ok);
    const Answer after = b.sees("x");
    ASSERT_FALSE(after.ok);
    ASSERT_EQ(after.number, 0);
  }
  EXPECT_GT(died_inside, 0) << "no kill has met the victim inside";
  EXPECT_LT(died_inside, kills) << "no kill has met the victim outside";
  std::printf("%s: %d instructions a pair, %d kills, %d of them inside\n", GetParam().name, instructions, kills, died_inside);
}

INSTANTIATE_TEST_SUITE_P(Of, SingleStep,
                         testing::Values(Variant{"strict", strict_pair}, Variant{"leased", leased_pair}, Variant{"renewed", renewed_pair}),
                         [](const auto& described) { return std::string(described.param.name); });

// The long way out: somebody waits, and must be woken by the one who goes, or by its death.
TEST(SingleStepWithAWaiter, KillOnTheWayThroughARelease) {
  if (sanitized) GTEST_SKIP() << "a sanitizer's instructions are not those that are shipped";
  Stage stage;
  const Shared<Scene> scene;
  Actor b = stage.actor();
  ASSERT_TRUE(b.opens().ok);
  const auto holder = [&] {
    scene->pairs_done = 0;
    Child child = Child::run([&] {
      auto space = Space::open(stage.options());
      if (!space || ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 1;
      auto lease = space->acquire("x");
      if (!lease) return 2;
      scene->last_token = lease->token();
      raise(SIGSTOP);
      lease->release();
      ++scene->pairs_done;
      for (;;) pause();
    });
    int status = 0;
    EXPECT_EQ(waitpid(child.pid(), &status, 0), child.pid());
    return child;
  };
  int instructions = std::numeric_limits<int>::max(), told = 0, kills = 0, stride = 1;
  double slowest_ms = 0;
  for (int n = 0; n <= instructions; n += stride, ++kills) {
    SCOPED_TRACE(numbered("killed after instruction ", n));
    Child child = holder();
    b.begins_to_acquire("x");
    ASSERT_TRUE(stage.queue_of("x", 1));
    int i = 0;
    while ((kills == 0 || i < n) && scene->pairs_done == 0 && step(child)) ++i;
    if (kills == 0) {
      instructions = i;  // the first one goes all the way
      stride = std::max(1, instructions / 300);
    }
    const auto killed_at = std::chrono::steady_clock::now();
    child.kill();
    const Answer next = b.answers();
    ASSERT_TRUE(next.ok) << next.message;
    slowest_ms = std::max(slowest_ms, milliseconds_since(killed_at));
    ASSERT_GT(next.token, scene->last_token.load());
    told += next.previous_holder_died ? 1 : 0;
    ASSERT_TRUE(b.releases("x").ok);
  }
  EXPECT_GT(told, 0);
  EXPECT_LT(told, kills);
  std::printf("%d instructions a release, %d kills, %d before it counted; the waiter answered after %.2f ms at most\n", instructions, kills,
              told, slowest_ms);
}

// ---- coming in: system call by system call ------------------------------------------------------------------------------------------

// Runs `body` up to its n-th stop before or after a system call, and kills it there. The number of stops that it came to.
int killed_at_stop(int n, const std::function<int()>& body) {
  const Child child = Child::run([&] {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 1;
    raise(SIGSTOP);
    return body();
  });
  int status = 0, stops = 0;
  EXPECT_EQ(waitpid(child.pid(), &status, 0), child.pid());
  while (stops < n && ptrace(PTRACE_SYSCALL, child.pid(), nullptr, nullptr) == 0 && waitpid(child.pid(), &status, 0) == child.pid() &&
         WIFSTOPPED(status)) {
    ++stops;
  }
  return stops;
}

class SystemCalls : public testing::TestWithParam<bool> {};

// Where there are few processes, a maker's look through their mappings takes few calls. Without the right to that it takes thousands.
void among_few_processes(const std::function<void()>& body) {
  if (!why_not_root().empty()) return body();
  Child few = Child::run([&] {
    pid_t born = 0;
    const auto own_mounts = [] { return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0; };
    if (be_born_into(CLONE_NEWPID | CLONE_NEWNS, own_mounts, born)) mount("proc", "/proc", "proc", 0, nullptr);
    body();
    return testing::Test::HasFailure() ? Child::failed_inside : 0;
  });
  EXPECT_EQ(few.exit_code(5 * patience), 0);
}

int live_a_whole_life(const Stage& stage, Scene& scene) {
  auto space = Space::open(stage.options());
  auto lease = space ? space->acquire("x") : AcquireError::system;
  if (!lease) return 1;
  scene.last_token = lease->token();
  lease->release();
  (void)space->remove("x");
  return 0;
}

// From opening the space, which the victim makes if the parameter says so, over registering and entering a name, to the way out.
void kill_at_system_calls(bool makes) {
  Space::Options small;
  small.names = 352;
  small.sessions = 16;
  Stage stage(small);  // a maker writes page by page
  const Shared<Scene> scene;
  const auto whole_life = [&] { return live_a_whole_life(stage, *scene); };
  ASSERT_TRUE(makes || stage.actor().opens().ok);
  const int stops = killed_at_stop(std::numeric_limits<int>::max(), whole_life);
  const int stride = std::max(1, stops / 120);  // making a space writes to the disk; the simulator kills at every step
  Token last = 0;
  int kills = 0;
  for (int n = 0; n <= stops; n += stride, ++kills) {
    SCOPED_TRACE(numbered("killed at stop ", n));
    if (makes) std::remove(stage.table_path().c_str());
    (void)killed_at_stop(n, whole_life);
    Actor next = stage.actor();
    const Answer held = next.acquires("x");
    ASSERT_TRUE(held.ok) << held.message;
    ASSERT_GT(held.token, std::max<Token>(last, scene->last_token));
    last = held.token;
    const Answer swept = next.does([](Self& self, const Order&, Answer& answer) {
      self.space->sweep();
      answer.number = static_cast<std::int64_t>(self.space->sessions().size());
    });
    ASSERT_EQ(swept.number, 1) << "a session of the dead is left";
    ASSERT_TRUE(next.releases("x").ok);
    ASSERT_TRUE(next.removes("x").ok);
  }
  EXPECT_GT(kills, 100);
  std::printf("%d stops at system calls, %d kills\n", stops, kills);
}

TEST_P(SystemCalls, KillAtEachOfThoseOfAWholeLife) {
  among_few_processes([] { kill_at_system_calls(GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(Of, SystemCalls, testing::Bool(),
                         [](const auto& described) { return std::string(described.param ? "AMaker" : "AVisitor"); });

}  // namespace
}  // namespace tenure::test
