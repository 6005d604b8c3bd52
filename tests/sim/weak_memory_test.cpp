// Litmus tests of the memory with stale reads: what C++'s orders allow is seen, what they forbid never is.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/runner.hpp>

namespace tenure::sim {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

// Every thread in a process of its own; what they have read is the outcome, a digit a register.
struct Cells {
  Atomic<std::uint32_t> x;
  Atomic<std::uint32_t> y;
  Atomic<std::uint32_t> flag;
  std::array<std::uint32_t, 4> r{};
};
using Body = void (*)(Cells&);

class Litmus final : public Scenario {
 public:
  Litmus(std::vector<Body> bodies, std::uint32_t registers) : bodies_(std::move(bodies)), registers_(registers) {}

  std::string_view name() const override { return "litmus"; }
  Config config() const override { return {.memory = Memory::release_acquire}; }
  void setup(World& world) override {
    for (auto* cell : {&cells_.x, &cells_.y, &cells_.flag}) cell->store(0);
    cells_.r = {};
    for (const Body body : bodies_) world.spawn(world.spawn_process(), [this, body] { body(cells_); });
  }
  void check(World&) override {
    std::string outcome;
    for (std::uint32_t i = 0; i < registers_; ++i) outcome += std::to_string(cells_.r[i]);
    outcomes_.insert(outcome);
  }

  const std::set<std::string>& outcomes() const { return outcomes_; }

 private:
  std::vector<Body> bodies_;
  std::uint32_t registers_;
  Cells cells_;
  std::set<std::string> outcomes_;
};

// All that can happen: every schedule, and every value that a load may return.
std::set<std::string> outcomes_of(std::vector<Body> bodies, std::uint32_t registers, std::uint32_t preemptions = unbounded) {
  Litmus litmus(std::move(bodies), registers);
  const Report report = Runner(litmus).exhaustive({.preemptions = preemptions, .kills = 0});
  EXPECT_TRUE(report.complete && !report.failed());
  return litmus.outcomes();
}

using Outcomes = std::set<std::string>;

template <std::memory_order stores, std::memory_order loads>
Outcomes message_passing() {
  return outcomes_of({[](Cells& c) {
                        c.x.store(1, relaxed);
                        c.flag.store(1, stores);
                      },
                      [](Cells& c) {
                        c.r[0] = c.flag.load(loads);
                        c.r[1] = c.x.load(relaxed);
                      }},
                     2);
}

TEST(WeakMemoryTest, AMessageArrivesWithWhatWasStoredBeforeIt) {
  EXPECT_EQ((message_passing<release, acquire>()), (Outcomes{"00", "01", "11"}));
  EXPECT_EQ((message_passing<relaxed, acquire>()), (Outcomes{"00", "01", "10", "11"}));
  EXPECT_EQ((message_passing<release, relaxed>()), (Outcomes{"00", "01", "10", "11"}));
}

TEST(WeakMemoryTest, FencesPassMessagesToo) {
  const Body writer = [](Cells& c) {
    c.x.store(1, relaxed);
    fence();
    c.flag.store(1, relaxed);
  };
  const Body reader = [](Cells& c) {
    c.r[0] = c.flag.load(relaxed);
    fence();
    c.r[1] = c.x.load(relaxed);
  };
  EXPECT_FALSE(outcomes_of({writer, reader}, 2).contains("10"));
  // A fence on one side has a partner in an order on the other.
  EXPECT_FALSE(outcomes_of({writer,
                            [](Cells& c) {
                              c.r[0] = c.flag.load(acquire);
                              c.r[1] = c.x.load(relaxed);
                            }},
                           2)
                   .contains("10"));
  EXPECT_FALSE(outcomes_of({[](Cells& c) {
                              c.x.store(1, relaxed);
                              c.flag.store(1, release);
                            },
                            reader},
                           2)
                   .contains("10"));
}

template <std::memory_order stores, std::memory_order loads, bool fenced = false>
Outcomes store_buffering() {
  return outcomes_of({[](Cells& c) {
                        c.x.store(1, stores);
                        if (fenced) fence();
                        c.r[0] = c.y.load(loads);
                      },
                      [](Cells& c) {
                        c.y.store(1, stores);
                        if (fenced) fence();
                        c.r[1] = c.x.load(loads);
                      }},
                     2);
}

TEST(WeakMemoryTest, OfTwoThatStoreAndThenLookOneSeesTheOther) {
  EXPECT_EQ((store_buffering<seq_cst, seq_cst>()), (Outcomes{"01", "10", "11"}));
  EXPECT_EQ((store_buffering<relaxed, relaxed, true>()), (Outcomes{"01", "10", "11"}));
  EXPECT_TRUE((store_buffering<release, seq_cst>()).contains("00"));
  EXPECT_TRUE((store_buffering<seq_cst, acquire>()).contains("00"));
}

// The table's own pattern: who frees the word fences and then looks for keys; who queues stores its key and then looks at the word.
TEST(WeakMemoryTest, AFenceIsOrderedWithSequentiallyConsistentOperations) {
  const Body waiter = [](Cells& c) {
    c.x.store(1, seq_cst);
    c.r[0] = c.y.load(seq_cst);
  };
  const Body releaser = [](Cells& c) {
    std::uint32_t expected = 0;
    c.y.compare_exchange_strong(expected, 1, acq_rel);
    fence();
    c.r[1] = c.x.load(seq_cst);
  };
  const Body without_fence = [](Cells& c) {
    std::uint32_t expected = 0;
    c.y.compare_exchange_strong(expected, 1, acq_rel);
    c.r[1] = c.x.load(seq_cst);
  };
  EXPECT_FALSE(outcomes_of({waiter, releaser}, 2).contains("00"));
  EXPECT_TRUE(outcomes_of({waiter, without_fence}, 2).contains("00"));
}

template <std::memory_order loads>
Outcomes two_watchers() {
  return outcomes_of({[](Cells& c) { c.x.store(1, seq_cst); }, [](Cells& c) { c.y.store(1, seq_cst); },
                      [](Cells& c) {
                        c.r[0] = c.x.load(loads);
                        c.r[1] = c.y.load(loads);
                      },
                      [](Cells& c) {
                        c.r[2] = c.y.load(loads);
                        c.r[3] = c.x.load(loads);
                      }},
                     4, 1);
}

TEST(WeakMemoryTest, OnlySequentialConsistencyHasOneOrderForAll) {
  EXPECT_TRUE(two_watchers<acquire>().contains("1010"));
  EXPECT_FALSE(two_watchers<seq_cst>().contains("1010"));
}

TEST(WeakMemoryTest, AReadModifyWritePassesOnWhatTheStoreBeforePublished) {
  const Outcomes seen = outcomes_of({[](Cells& c) {
                                       c.x.store(1, relaxed);
                                       c.flag.store(1, release);
                                     },
                                     [](Cells& c) { c.flag.fetch_add(2, relaxed); },
                                     [](Cells& c) {
                                       c.r[0] = c.flag.load(acquire);
                                       c.r[1] = c.x.load(relaxed);
                                     }},
                                    2);
  EXPECT_FALSE(seen.contains("30"));
  EXPECT_TRUE(seen.contains("20"));
}

TEST(WeakMemoryTest, NobodySeesAValueAfterItsSuccessor) {
  const Outcomes seen = outcomes_of({[](Cells& c) {
                                       c.x.store(1, relaxed);
                                       c.x.store(2, relaxed);
                                     },
                                     [](Cells& c) {
                                       c.r[0] = c.x.load(relaxed);
                                       c.r[1] = c.x.load(relaxed);
                                     }},
                                    2);
  EXPECT_EQ(seen, (Outcomes{"00", "01", "02", "11", "12", "22"}));
}

}  // namespace
}  // namespace tenure::sim
