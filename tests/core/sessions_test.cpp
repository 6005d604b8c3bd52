// What a session asks of its platform, and what it says when that refuses; and what no simulated segment is large enough for.
#include <gtest/gtest.h>

#include "tests/core/lone_platform.hpp"

namespace tenure::core {
namespace {

TEST(SessionsTest, ARefusedByteIsNoFullTable) {
  LoneTable lone({1, 3});
  lone.platform.answer = ByteClaim::failed;
  EXPECT_EQ(lone.sessions.open({}).code, SessionClaim::Code::failed);
  lone.platform.answer = ByteClaim::held_by_other;
  EXPECT_EQ(lone.sessions.open({}).code, SessionClaim::Code::full);
}

TEST(SessionsTest, CloseDisarmsTheBellThatOpenArmedAndFreesTheByte) {
  LoneTable lone({1, 3});
  const SessionClaim claim = lone.sessions.open({});
  ASSERT_EQ(claim.code, SessionClaim::Code::claimed);
  ASSERT_EQ(lone.platform.armed.size(), 1u);
  lone.sessions.close(claim.slot);
  EXPECT_EQ(lone.platform.disarmed, lone.platform.armed);
  EXPECT_EQ(lone.platform.freed, std::vector<uint32_t>{claim.slot});
}

TEST(SessionsTest, WhereThereAreNoBellsNoneIsDisarmed) {
  LoneTable lone({1, 3});
  lone.platform.has_bells = false;
  const SessionClaim claim = lone.sessions.open({});
  EXPECT_FALSE(claim.has_bell);
  lone.sessions.close(claim.slot);
  EXPECT_TRUE(lone.platform.disarmed.empty());
}

TEST(LeasesTest, TheHandleOfAGroupIsItsOwn) {
  LoneTable lone({3 * group_entries, 1});
  for (uint32_t group = 0; group < 3; ++group) {
    EXPECT_EQ(lone.leases.group_handle(group).lease, 3 * group_entries + group);
    EXPECT_EQ(lone.leases.group_handle(group).header, &lone.table.group(group).guard);
  }
}

// More runs inside each other than can be told apart count as alive, so that nobody enters beside one.
TEST(LeasesTest, ARunWithTooManyInsideItIsNotTakenForDead) {
  constexpr uint32_t runs = 40;
  LoneTable lone({1, runs});
  SessionFacts facts;
  facts.is_run = true;
  for (uint32_t i = 0; i < runs; ++i) {
    facts.outer_tag = facts.tag;
    facts.tag = run_tag::bit + 1 + i;
    ASSERT_EQ(lone.sessions.open(facts).slot, i);
    EXPECT_EQ(lone.leases.tag_lives(0), i >= 32) << i;
  }
}

}  // namespace
}  // namespace tenure::core
