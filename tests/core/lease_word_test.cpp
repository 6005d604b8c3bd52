// The words of the segment: every field keeps to its bits, and the states that must never be mistaken for each other are not.
#include "core/lease_word.hpp"

#include <gtest/gtest.h>

namespace tenure::core {
namespace {

TEST(LeaseWordTest, ZeroIsPlainlyFree) {
  EXPECT_TRUE(LeaseWord{}.is_plainly_free());
  EXPECT_FALSE(LeaseWord{}.has_owner());
  EXPECT_EQ(LeaseWord{}.counter(), 0u);
}

TEST(LeaseWordTest, GrantNamesTheRecordRaisesTheCounterAndKeepsTheFlag) {
  const LeaseWord before = LeaseWord{uint64_t{41} << LeaseWord::counter_shift}.with_waiters();
  const LeaseWord after = before.granted(32766);
  EXPECT_EQ(after.counter(), 42u);
  EXPECT_EQ(after.hold(), 32766u);
  EXPECT_TRUE(after.waiters());
  EXPECT_EQ(after.mode(), Mode::exclusive);
  EXPECT_FALSE(after.is_free());
}

TEST(LeaseWordTest, FreedKeepsCounterAndFlag) {
  const LeaseWord held = LeaseWord{}.with_waiters().granted(5);
  for (const Mode mode : {Mode::free, Mode::abandoned, Mode::retired}) {
    const LeaseWord freed = held.freed(mode);
    EXPECT_EQ(freed.counter(), held.counter());
    EXPECT_FALSE(freed.has_owner());
    EXPECT_TRUE(freed.waiters());
    EXPECT_EQ(freed.mode(), mode);
  }
}

TEST(LeaseWordTest, AbandonedIsFreeButNotPlainly) {
  const LeaseWord abandoned = LeaseWord{}.granted(1).freed(Mode::abandoned);
  EXPECT_TRUE(abandoned.is_free());
  EXPECT_FALSE(abandoned.is_plainly_free());
}

TEST(LeaseWordTest, SameGrantIgnoresOnlyTheFlag) {
  const LeaseWord mine = LeaseWord{}.granted(7);
  EXPECT_TRUE(mine.same_grant(mine.with_waiters()));
  EXPECT_FALSE(mine.same_grant(mine.freed(Mode::free)));
  EXPECT_FALSE(mine.same_grant(mine.freed(Mode::free).granted(7)));
  EXPECT_FALSE(mine.same_grant(LeaseWord{}.granted(8)));
}

TEST(LeaseWordTest, TheLastCounterStillHasRoomForTheOwner) {
  const LeaseWord last{LeaseWord::counter_max << LeaseWord::counter_shift};
  EXPECT_EQ(last.counter(), LeaseWord::counter_max);
  EXPECT_FALSE(last.has_owner());
  EXPECT_GT(LeaseWord::counter_max - LeaseWord::counter_retire, 1u << 19);
}

TEST(WaitKeyTest, JoiningIsBehindEveryTicket) {
  const WaitKey joining = WaitKey::joining(WaitKey::lease_max);
  EXPECT_TRUE(joining.is_joining());
  EXPECT_EQ(joining.lease(), WaitKey::lease_max);
  const WaitKey ticket = WaitKey::of(0, 1);
  EXPECT_FALSE(ticket.is_joining());
  EXPECT_TRUE(ticket.bound());
  EXPECT_EQ(ticket.lease(), 0u);
  EXPECT_LT(ticket.ticket(), joining.ticket());
  EXPECT_FALSE(WaitKey{}.bound());
}

TEST(HoldKeyTest, LeaseZeroIsBound) {
  const HoldKey key = HoldKey::of(0, HoldKind::user);
  EXPECT_TRUE(key.bound());
  EXPECT_EQ(key.lease(), 0u);
  EXPECT_EQ(key.kind(), HoldKind::user);
  EXPECT_FALSE(HoldKey{}.bound());
}

TEST(EntryHeaderTest, ZeroIsNoState) {
  const EntryHeader zero{};
  for (const EntryState state : {EntryState::empty, EntryState::ready, EntryState::tombstone, EntryState::extension, EntryState::spent}) {
    EXPECT_NE(zero.state(), state);
    EXPECT_EQ(EntryHeader::of(7, state).next(EntryState::ready).generation(), 8u);
  }
}

TEST(SlotWordTest, ZeroIsNeitherFreeNorLive) {
  EXPECT_NE(SlotWord{}.state(), SlotState::free);
  EXPECT_FALSE(SlotWord{}.is_live());
  EXPECT_TRUE(SlotWord::of(3, SlotState::live_without_bell).is_live());
}

}  // namespace
}  // namespace tenure::core
