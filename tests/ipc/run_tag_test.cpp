#include "ipc/run_tag.hpp"

#include <gtest/gtest.h>

namespace tenure::ipc {
namespace {

constexpr std::uint64_t random_bits = 0xFFFF'0000'1234'5678;

TEST(RunTag, of_an_outermost_run_is_both_limits) {
  constexpr RunTag tag = tag_under({RLIM_INFINITY, RLIM_INFINITY}, random_bits);
  static_assert(core::run_tag::is_sound(tag.tag) && core::run_tag::is_outermost(tag.tag));
  EXPECT_EQ(tag.outer, 0u);
  EXPECT_EQ(tag.limits.rlim_cur, tag.tag);
  EXPECT_EQ(tag.limits.rlim_max, tag.tag);
}

TEST(RunTag, of_a_run_inside_another_is_lower_and_remembers_the_outermost) {
  constexpr RunTag outermost = tag_under({RLIM_INFINITY, RLIM_INFINITY}, 0);
  for (const std::uint64_t random : {std::uint64_t{0}, random_bits, ~std::uint64_t{0}}) {
    const RunTag middle = tag_under(outermost.limits, random);
    EXPECT_TRUE(core::run_tag::is_sound(middle.tag) && !core::run_tag::is_outermost(middle.tag));
    EXPECT_LT(middle.limits.rlim_cur, middle.limits.rlim_max) << "or an unprivileged process could not set it";
    EXPECT_EQ(middle.limits.rlim_max, outermost.tag);
    EXPECT_EQ(middle.outer, outermost.tag);
    const RunTag inner = tag_under(middle.limits, ~random);
    EXPECT_EQ(inner.outer, middle.tag);
    EXPECT_EQ(inner.limits.rlim_max, outermost.tag);
    EXPECT_NE(inner.tag, middle.tag);
  }
}

TEST(RunTag, is_none_where_the_limit_is_in_use) {
  for (const rlim_t taken : {rlim_t{0}, rlim_t{1000}, rlim_t{1} << 61, (rlim_t{1} << 62) + 5}) {
    const RunTag tag = tag_under({taken, taken}, random_bits);
    EXPECT_EQ(tag.tag, 0u) << taken;
    EXPECT_EQ(tag.limits.rlim_cur, taken);
    EXPECT_EQ(tag.limits.rlim_max, taken);
  }
}

TEST(RunTag, is_another_one_each_time) {
  const RunTag one = new_run_tag();
  const RunTag two = new_run_tag();
  EXPECT_TRUE(one.tag == 0 || one.tag != two.tag);
}

}  // namespace
}  // namespace tenure::ipc
