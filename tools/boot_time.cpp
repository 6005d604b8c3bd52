#include "tools/boot_time.hpp"

#include <sys/timerfd.h>

#include <ctime>

namespace tenure::tools {

std::uint64_t boottime_ns() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

bool BootTimer::open() {
  descriptor_ = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  return descriptor_ >= 0;
}

int BootTimer::descriptor_for(std::uint64_t at_ns) const {
  if (at_ns == never) return -1;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(at_ns / 1'000'000'000);
  when.it_value.tv_nsec = static_cast<long>(at_ns % 1'000'000'000) + (at_ns == 0 ? 1 : 0);
  timerfd_settime(descriptor_, TFD_TIMER_ABSTIME, &when, nullptr);
  return descriptor_;
}

}  // namespace tenure::tools
