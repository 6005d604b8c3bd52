// kill -9 of whatever there is to kill, over trees of every kind: nothing of a command's tree runs beside the next holder, and nothing of
// it is left when that one is in.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ostream>
#include <random>
#include <tuple>

#include "tests/scenario/tree_kinds.hpp"

#ifndef TENURE_RUN_STORM_ROUNDS
#define TENURE_RUN_STORM_ROUNDS 5
#endif

namespace tenure::tests {

void PrintTo(const TreeKind& kind, std::ostream* out) { *out << kind.name; }

namespace {

enum class Victim { supervisor, guard, both, group, user };
struct Way {
  const char* name;
  Victim victim;
};
constexpr Way ways[] = {{"supervisor", Victim::supervisor},
                        {"guard", Victim::guard},
                        {"both", Victim::both},
                        {"group", Victim::group},
                        {"everything_of_the_user", Victim::user}};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

// A user whom nobody else is: all of whose processes may be killed.
const uid_t stranger = 40'000 + static_cast<uid_t>(getpid() % 20'000);

void become_stranger() {
  if (setgroups(0, nullptr) != 0 || setgid(stranger) != 0 || setuid(stranger) != 0) _exit(126);
}

void kill_all_of_stranger() {
  const pid_t killer = fork();
  if (killer == 0) {
    become_stranger();
    kill(-1, SIGKILL);  // all but itself
    _exit(0);
  }
  waitpid(killer, nullptr, 0);
}

class RunStorm : public testing::TestWithParam<std::tuple<Way, TreeKind>> {
 protected:
  [[nodiscard]] static Victim victim() { return std::get<0>(GetParam()).victim; }
  [[nodiscard]] static const TreeKind& kind() { return std::get<1>(GetParam()); }
  [[nodiscard]] static bool as_stranger() { return victim() == Victim::user; }

  Process start(const Arguments& rest) const { return Process(scratch_.run(rest), {}, as_stranger() ? become_stranger : prepare_nothing); }
  static void prepare_nothing() {}

  // Alternating who is killed first, and how soon after the other.
  void strike(const Process& run, pid_t guard) {
    const auto pause_us = std::uniform_int_distribution<useconds_t>(0, 300)(random_);
    switch (victim()) {
      case Victim::supervisor: run.send(SIGKILL); break;
      case Victim::guard: kill(guard, SIGKILL); break;
      case Victim::both: {
        const bool guard_first = random_() % 2 != 0;
        kill(guard_first ? guard : run.pid(), SIGKILL);
        if (pause_us > 100) usleep(pause_us - 100);
        kill(guard_first ? run.pid() : guard, SIGKILL);
        break;
      }
      case Victim::group: kill(-run.pid(), SIGKILL); break;
      case Victim::user: kill_all_of_stranger(); break;
    }
  }

  void trial(int number) {
    const std::string path = scratch_.path("journal" + std::to_string(number));
    Journal* journal = map_journal(path);
    chmod(path.c_str(), 0666);
    Process run = start(Arguments{"n", "--"} + grower(kind(), path));
    ASSERT_TRUE(eventually([&] { return journal->visits >= kind().lives; })) << "the tree does not stand";
    const pid_t guard = run.guard();
    ASSERT_GT(guard, 0);
    const Arguments next = Arguments{"-w", "25", "-q", "n", "--"} + observer(path);
    if (as_stranger()) {
      strike(run, guard);
      EXPECT_EQ(start(next).wait().exit, 0) << "something ran beside the next holder";
    } else {
      Process waiting = start(next);
      strike(run, guard);
      EXPECT_EQ(waiting.wait().exit, 0) << "something ran beside the next holder";
    }
    const std::vector<pid_t> strays = processes_with(path);
    EXPECT_EQ(strays.size(), 0U) << "strays";
    for (const pid_t stray : strays) kill(stray, SIGKILL);
    const Ended ended = run.wait();
    // Where both are to die, and the guard goes first, the supervisor may be done before its turn comes.
    const bool by_itself = ended.exit == 71 && (victim() == Victim::guard || victim() == Victim::both);
    EXPECT_TRUE(by_itself || (victim() != Victim::guard && ended.signal == SIGKILL)) << ended.exit << ' ' << ended.signal << ended.err;
    munmap_journal(journal);
    unlink(path.c_str());
  }

  Scratch scratch_;
  std::mt19937 random_{11};
};

TEST_P(RunStorm, LeavesNoStrayAndNoOverlap) {
  if (as_stranger() && geteuid() != 0) GTEST_SKIP() << "only root can become a user whose every process may be killed";
  if (as_stranger()) scratch_.open_to_all();
  for (int i = 0; i < TENURE_RUN_STORM_ROUNDS && !HasFatalFailure(); ++i) trial(i);
}

INSTANTIATE_TEST_SUITE_P(Kill, RunStorm, testing::Combine(testing::ValuesIn(ways), testing::ValuesIn(tree_kinds())),
                         [](const auto& at) { return std::string(std::get<0>(at.param).name) + "_over_" + std::get<1>(at.param).name; });

}  // namespace
}  // namespace tenure::tests
