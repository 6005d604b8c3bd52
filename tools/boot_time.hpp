// Time of CLOCK_BOOTTIME, in which that of a suspended host counts.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace tenure::tools {

inline constexpr std::uint64_t never = ~std::uint64_t{0};

[[nodiscard]] std::uint64_t boottime_ns();

// As a number; nothing below zero.
[[nodiscard]] constexpr std::uint64_t count_of(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max(duration.count(), std::int64_t{0}));
}
[[nodiscard]] constexpr std::chrono::nanoseconds nanoseconds_of(std::uint64_t count_ns) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(count_ns));
}

// A time that poll can wait for. Its descriptor lives as long as the process.
class BootTimer {
 public:
  // False: errno says why.
  [[nodiscard]] bool open();
  // The descriptor that is readable from `at_ns` on; -1 for never.
  [[nodiscard]] int descriptor_for(std::uint64_t at_ns) const;

 private:
  int descriptor_ = -1;
};

}  // namespace tenure::tools
