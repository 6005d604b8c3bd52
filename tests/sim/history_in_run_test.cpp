// Histories of whole runs, with deaths: a lock that works can be explained in every one, a lock that doesn't is found.
#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>

#include <tenure/sim/linearizability.hpp>

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/runner.hpp>

namespace tenure::sim {
namespace {

enum class Bug : std::uint8_t { none, looks_then_stores, keeps_token, takes_from_the_living, unlocks_others };

// The word is [token | holder + 1]. A holder's death frees it some time later.
class TokenLock : public Scenario {
 public:
  explicit TokenLock(Bug bug) : bug_(bug) {}
  std::string_view name() const override { return "token-lock"; }
  Config config() const override {
    Config config;
    config.kills_max = 2;
    return config;
  }
  void setup(World& world) override {
    word_.store(0);
    recorder_.reset();
    for (SessionId session = 0; session < sessions; ++session) {
      world.spawn(world.spawn_process(), [this, session] { work(*World::active(), session); });
    }
    world.spawn(world.spawn_process(false), [this] { bury(*World::active()); });
  }
  void on_death(World& world, ProcessId process) override { recorder_.crash(process, world.true_now()); }
  void check(World& world) override {
    judge(world, checker_, recorder_.history(), {.fenced = true});
    if (recorder_.history().size() == 4 * sessions) world.sometimes("nobody died early");
  }

 private:
  static constexpr SessionId sessions = 3;
  static constexpr std::uint64_t owner = 0xff;

  void work(World& world, SessionId session) {
    for (int i = 0; i < 2; ++i) {
      recorder_.invoke(session, Call::try_acquire, world.true_now());
      const std::uint64_t token = try_lock(session);
      recorder_.respond(session, token != 0 ? Response::granted : Response::busy, world.true_now(), {.token = token});
      if (token != 0) world.sometimes("granted");
      recorder_.invoke(session, Call::release, world.true_now());
      const bool released = unlock(session);
      recorder_.respond(session, released ? Response::ok : Response::not_held, world.true_now());
    }
  }

  std::uint64_t try_lock(SessionId session) {
    std::uint64_t seen = word_.load();
    while ((seen & owner) == 0) {
      const std::uint64_t token = (seen >> 8) + (bug_ == Bug::keeps_token && seen != 0 ? 0 : 1);
      const std::uint64_t taken = token << 8 | (session + 1);
      if (bug_ == Bug::looks_then_stores) {
        word_.store(taken);
        return token;
      }
      if (word_.compare_exchange_strong(seen, taken)) return token;
    }
    return 0;
  }

  bool unlock(SessionId session) {
    std::uint64_t seen = word_.load();
    while ((seen & owner) == session + 1 || (bug_ == Bug::unlocks_others && (seen & owner) != 0)) {
      if (word_.compare_exchange_strong(seen, seen & ~owner)) return true;
    }
    return false;
  }

  void bury(World& world) {
    for (int i = 0; i < 8; ++i) {
      std::uint64_t seen = word_.load();
      const std::uint64_t holder = seen & owner;
      const bool dead = holder != 0 && !world.alive(static_cast<ProcessId>(holder - 1));
      const bool due = dead || (holder != 0 && bug_ == Bug::takes_from_the_living);
      if (due) word_.compare_exchange_strong(seen, seen & ~owner);
    }
  }

  Bug bug_;
  Atomic<std::uint64_t> word_;
  HistoryRecorder recorder_;
  LinearizabilityChecker checker_;
};

TEST(HistoryInRun, OfALockThatWorks) {
  TokenLock scenario(Bug::none);
  Runner runner(scenario);
  const Report report = runner.explore({.runs_max = 20'000});
  EXPECT_FALSE(report.failed()) << report.failures.front().detail;
  EXPECT_GT(report.kills, 1000U);
  EXPECT_GT(report.sometimes_count("granted"), 1000U);
  EXPECT_GT(report.sometimes_count("nobody died early"), 1000U);
}

class HistoryOfABug : public testing::TestWithParam<Bug> {};

TEST_P(HistoryOfABug, IsFound) {
  TokenLock scenario(GetParam());
  Runner runner(scenario);
  const Report report = runner.explore({.runs_max = 20'000});
  EXPECT_NE(report.failure("linearizability"), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Each, HistoryOfABug,
                         testing::Values(Bug::looks_then_stores, Bug::keeps_token, Bug::takes_from_the_living, Bug::unlocks_others));

}  // namespace
}  // namespace tenure::sim
