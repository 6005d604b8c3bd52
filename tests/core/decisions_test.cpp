#include "core/decisions.hpp"

#include <gtest/gtest.h>

#include "core/layout.hpp"

namespace tenure::core {
namespace {

TEST(TickTest, HeadAndSuccessorLookTenTimesASecondTheFarthestEveryFiveSeconds) {
  EXPECT_EQ(tick_ns(0), 100 * millisecond_ns);
  EXPECT_EQ(tick_ns(1), 100 * millisecond_ns);
  EXPECT_EQ(tick_ns(10), 1000 * millisecond_ns);
  EXPECT_EQ(tick_ns(1000), 5 * second_ns);
}

TEST(DeadlineTest, IsNeverAReservedValue) {
  EXPECT_EQ(deadline_from(10, 0), deadline::strict);
  EXPECT_EQ(deadline_from(10, 20), 30u);
  EXPECT_GT(deadline_from(0, 1), deadline::expired);
  EXPECT_LT(deadline_from(1, ~uint64_t{0}), deadline::strict);
}

TEST(DeadlineTest, IsPastAtItsOwnInstant) {
  EXPECT_TRUE(is_past(5, 5));
  EXPECT_FALSE(is_past(6, 5));
}

TEST(RenewalTest, IsDueAfterAThirdAndWarnsBeforeTheLast) {
  EXPECT_EQ(renewal_due_ns(1300, 300), 1100u);
  EXPECT_EQ(jeopardy_from_ns(1300, 300), 1200u);
}

TEST(TokenBaseTest, IsAboveClockFloorAndEarlierSegments) {
  EXPECT_EQ(token_base(1, 0, 0), uint64_t{1} << clock_base_shift);
  EXPECT_EQ(token_base(0, 7, 3), 8u);
  EXPECT_EQ(token_base(0, 3, 7), 8u);
  EXPECT_GT(token_base(0, uint64_t{5} << 50, 0), uint64_t{5} << 50);
}

TEST(TokenBaseTest, RefusesWhatWouldPass63Bits) {
  EXPECT_TRUE(base_fits(uint64_t{1} << 62));
  EXPECT_FALSE(base_fits((uint64_t{1} << 63) - tokens_per_entry));
}

TEST(LayoutTest, PartsDoNotOverlapAndTheDefaultIsAtMostFourMebibytes) {
  const Geometry g = geometry_of({});
  EXPECT_LE(g.size_bytes, uint64_t{4} << 20);
  EXPECT_GE(g.slot_offset, g.group_offset + g.groups * 64);
  EXPECT_GE(g.hold_offset, g.slot_offset + g.sessions * 256);
  EXPECT_GE(g.wait_key_offset, g.hold_offset + g.holds * 32);
  EXPECT_GE(g.wait_cell_offset, g.wait_key_offset + g.waits * 8);
  EXPECT_GE(g.entry_offset, g.wait_cell_offset + g.waits * 16);
  EXPECT_GE(g.size_bytes, g.entry_offset + uint64_t{g.names} * 128);
}

TEST(IdentityTest, EveryFlippedBitIsFound) {
  const SegmentIdentity sound = finished({}, {});
  ASSERT_EQ(fault_of(sound, sound.size_bytes), IdentityFault::sound);
  auto words = std::bit_cast<std::array<uint64_t, sizeof(SegmentIdentity) / 8>>(sound);
  for (auto& word : words) {
    for (int bit = 0; bit < 64; ++bit) {
      word ^= uint64_t{1} << bit;
      const auto flipped = std::bit_cast<SegmentIdentity>(words);
      EXPECT_NE(fault_of(flipped, sound.size_bytes), IdentityFault::sound) << "bit " << bit;
      word ^= uint64_t{1} << bit;
    }
  }
}

TEST(IdentityTest, ATruncatedFileIsDamaged) {
  const SegmentIdentity sound = finished({}, {});
  EXPECT_EQ(fault_of(sound, sound.size_bytes - 4096), IdentityFault::damaged);
  EXPECT_EQ(fault_of({}, 0), IdentityFault::other_layout);
}

}  // namespace
}  // namespace tenure::core
