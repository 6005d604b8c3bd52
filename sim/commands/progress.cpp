#include "sim/commands/progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "sim/timeline_events.hpp"

namespace tenure::sim::commands {

Progress::Progress(bool quiet) : active_(!quiet && isatty(STDERR_FILENO) != 0) {}

void Progress::show(std::string_view line) {
  const auto now = std::chrono::steady_clock::now();
  if (!active_ || now < next_) return;
  next_ = now + std::chrono::seconds(1);
  constexpr std::size_t columns_max = 79;
  std::fprintf(stderr, "\r\033[K%s", timeline::shortened(timeline::clean(line), columns_max).c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace tenure::sim::commands
