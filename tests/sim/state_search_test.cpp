// The search over states, on protocols small enough to know the answer.
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include <tenure/sim/sim.hpp>

namespace tenure::sim {
namespace {

// Two processes add one each, in two steps: what the last one leaves is 1 or 2, and 0 where both were killed in time.
class TwoAdders : public Protocol {
 public:
  explicit TwoAdders(Memory memory = Memory::sequential) : Protocol("two-adders", {.memory = memory}) {}
  void setup(World& world) override {
    sum_.store(0);
    for (int i = 0; i < 2; ++i) world.spawn(world.spawn_process(), [this] { sum_.store(sum_.load() + 1, std::memory_order_release); });
  }
  void check(World&) override { sums_.insert(sum_.load()); }
  void name_memory(RunMemory& memory) override { memory.add(&sum_, sizeof(sum_)); }

  std::set<int> sums_;

 private:
  Atomic<int> sum_;
};

// A process that takes the word on, and a choice on the way.
class Dice : public TwoAdders {
 public:
  void setup(World& world) override {
    word_.store(0);
    world.spawn(world.spawn_process(), [this, &world] {
      for (int i = 0; i < 3; ++i) word_.store(2 * word_.load() + static_cast<int>(world.choose(2)));
    });
  }
  void check(World&) override { sums_.insert(word_.load()); }
  void name_memory(RunMemory& memory) override { memory.add(&word_, sizeof(word_)); }

 private:
  Atomic<int> word_;
};

class Nameless : public TwoAdders {
 public:
  void name_memory(RunMemory&) override {}
};

TEST(StateSearch, SeesEveryOutcome) {
  TwoAdders adders;
  const Report report = Runner(adders).search_states(0);
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(adders.sums_, (std::set<int>{1, 2}));
}

TEST(StateSearch, SeesEveryOutcomeWithKills) {
  TwoAdders adders;
  EXPECT_TRUE(Runner(adders).search_states(2).complete);
  EXPECT_EQ(adders.sums_, (std::set<int>{0, 1, 2}));
}

TEST(StateSearch, SeesEveryOutcomeOfStoreBuffers) {
  TwoAdders adders(Memory::total_store_order);
  EXPECT_TRUE(Runner(adders).search_states(0).complete);
  EXPECT_EQ(adders.sums_, (std::set<int>{1, 2}));
}

// Choices within a step, too: a state to go back to is one between steps.
TEST(StateSearch, SeesEveryChoice) {
  Dice dice;
  EXPECT_TRUE(Runner(dice).search_states(0).complete);
  EXPECT_EQ(dice.sums_, (std::set<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(StateSearch, ComesToAsManyStatesTheSecondTime) {
  TwoAdders adders;
  Runner runner(adders);
  const std::uint64_t states = runner.search_states(1).states;
  EXPECT_EQ(runner.search_states(1).states, states);
  EXPECT_LT(runner.search_states(0).states, states);
}

// 1 is a failure here. What is printed is the whole run, and the search goes on behind it.
class NoneMayBeLost : public TwoAdders {
 public:
  void check(World& world) override {
    TwoAdders::check(world);
    if (sums_.contains(1)) world.fail("lost", "an addition is lost");
  }
};

TEST(StateSearch, PrintsAFailureFromItsBeginning) {
  NoneMayBeLost adders;
  Runner runner(adders);
  std::ostringstream out;
  runner.tell(&out);
  const Report report = runner.search_states(0, {.runs_max = 1000, .failures_max = 1000});
  EXPECT_TRUE(report.complete);
  EXPECT_NE(report.failure("lost"), nullptr);
  EXPECT_NE(out.str().find("start"), std::string::npos) << out.str();
  EXPECT_EQ(out.str().find("REPLAY DIFFERS"), std::string::npos) << out.str();
  EXPECT_EQ(adders.sums_, (std::set<int>{1, 2}));
}

TEST(StateSearchDeathTest, RefusesAScenarioThatNamesNoMemory) {
  Nameless nameless;
  Runner runner(nameless);
  EXPECT_DEATH(runner.search_states(0), "no name_memory\\(\\)");
}

}  // namespace
}  // namespace tenure::sim
