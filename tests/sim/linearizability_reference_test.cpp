// The checker against the reference that tries everything, on random short histories of every kind of lock.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/lock_reference.hpp"

#ifndef TENURE_SIM_SCALE
#define TENURE_SIM_SCALE 1
#endif

namespace tenure::sim {
namespace {

using reference::Story;

constexpr std::uint32_t stories = 40'000 / TENURE_SIM_SCALE;

struct Case {
  std::string name;
  LockModel model;
};
void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

std::vector<Case> cases() {
  using Kind = LockModel::Kind;
  using Busy = LockModel::Busy;
  return {
      {"exclusive", {}},
      {"exclusive_queued", {.busy = Busy::queued}},
      {"exclusive_spurious", {.busy = Busy::spurious}},
      {"fenced", {.fenced = true}},
      {"reentrant", {.reentrant = true}},
      {"fenced_reentrant", {.reentrant = true, .fenced = true}},
      {"shared", {.kind = Kind::shared}},
      {"fenced_shared", {.kind = Kind::shared, .fenced = true}},
      {"reentrant_shared", {.kind = Kind::shared, .reentrant = true, .fenced = true}},
      {"semaphore", {.kind = Kind::semaphore, .permits = 3}},
      {"fenced_semaphore", {.kind = Kind::semaphore, .permits = 2, .fenced = true}},
  };
}

class AgainstReference : public testing::TestWithParam<Case> {};

TEST_P(AgainstReference, SaysTheSame) {
  const LockModel& model = GetParam().model;
  reference::Random random(20261121);
  LinearizabilityChecker checker;
  std::uint32_t good = 0;
  std::uint32_t crashed = 0;
  std::uint32_t pending = 0;
  for (std::uint32_t i = 0; i < stories; ++i) {
    const bool spoilt = i % 4 != 0;
    const Story story = reference::random_story(model, {.operations = 3 + i % 6, .sessions = 2 + i % 3, .spoilt = spoilt}, random);
    const History history = story.history();
    ASSERT_EQ(history.state(), History::State::recording) << history.complaint();
    const bool expected = reference::is_linearizable(model, story);
    const Linearizability found = checker.check(history, model);
    ASSERT_EQ(found, expected ? Linearizability::linearizable : Linearizability::not_linearizable) << "story " << i << "\n"
                                                                                                   << checker.explain(history, model);
    ASSERT_EQ(checker.explain(history, model).empty(), expected);
    ASSERT_TRUE(expected || spoilt) << checker.explain(history, model);
    good += expected ? 1 : 0;
    crashed += story.crashed_at.empty() ? 0 : 1;
    pending += (history.answered() + 1) >> history.size() == 0 ? 1 : 0;
  }
  EXPECT_GT(good, stories / 4);
  EXPECT_LT(good, stories - stories / 5);
  EXPECT_GT(crashed, stories / 20);
  EXPECT_GT(pending, stories / 20);
}

INSTANTIATE_TEST_SUITE_P(EveryLock, AgainstReference, testing::ValuesIn(cases()), [](const auto& each) { return each.param.name; });

// That the comparison can fail: a checker of another lock, or one that loses a rule, is told from the reference.
struct Wrong {
  std::string name;
  LockModel right;
  LockModel wrong;
};
void PrintTo(const Wrong& each, std::ostream* out) { *out << each.name; }

class WrongChecker : public testing::TestWithParam<Wrong> {};

TEST_P(WrongChecker, IsFound) {
  reference::Random random(7);
  LinearizabilityChecker checker;
  std::uint32_t differ = 0;
  for (std::uint32_t i = 0; i < stories / 8; ++i) {
    const Story story = reference::random_story(GetParam().right, {}, random);
    const bool expected = reference::is_linearizable(GetParam().right, story);
    differ += (checker.check(story.history(), GetParam().wrong) == Linearizability::linearizable) != expected ? 1 : 0;
  }
  EXPECT_GT(differ, 0U);
}

INSTANTIATE_TEST_SUITE_P(EveryRule, WrongChecker,
                         testing::Values(Wrong{"reentry", {}, {.reentrant = true}}, Wrong{"tokens", {.fenced = true}, {}},
                                         Wrong{"busy", {}, {.busy = LockModel::Busy::spurious}},
                                         Wrong{"queue", {.busy = LockModel::Busy::queued}, {}},
                                         Wrong{"permits",
                                               {.kind = LockModel::Kind::semaphore, .permits = 2},
                                               {.kind = LockModel::Kind::semaphore, .permits = 3}}),
                         [](const auto& each) { return each.param.name; });

// Histories in which the instants of call, answer, crash and deadline are lost one kind at a time.
enum class Blur : std::uint8_t { order, crashes, deadlines };

Story blurred(Story story, Blur blur) {
  switch (blur) {
    case Blur::order:  // all at the same time
      std::ranges::sort(story.events, {}, [](const reference::Event& event) { return std::pair(event.what, event.operation); });
      for (reference::Event& event : story.events) event.now_ns = 0;
      break;
    case Blur::crashes: std::erase_if(story.events, [](const auto& event) { return event.what == reference::Event::What::crash; }); break;
    case Blur::deadlines:
      for (reference::Op& op : story.operations) op.request.deadline_ns = op.grant.deadline_ns = no_deadline_ns;
      break;
  }
  return story;
}

class Blurred : public testing::TestWithParam<Blur> {};

TEST_P(Blurred, IsFound) {
  const LockModel model{.fenced = true};
  reference::Random random(11);
  LinearizabilityChecker checker;
  std::uint32_t differ = 0;
  for (std::uint32_t i = 0; i < stories / 8; ++i) {
    const Story story = reference::random_story(model, {}, random);
    const bool expected = reference::is_linearizable(model, story);
    const Linearizability found = checker.check(blurred(story, GetParam()).history(), model);
    if (found != Linearizability::malformed) differ += (found == Linearizability::linearizable) != expected ? 1 : 0;
  }
  EXPECT_GT(differ, 0U);
}

INSTANTIATE_TEST_SUITE_P(EveryInstant, Blurred, testing::Values(Blur::order, Blur::crashes, Blur::deadlines));

}  // namespace
}  // namespace tenure::sim
