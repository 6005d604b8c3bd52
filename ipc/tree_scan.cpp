#include "ipc/tree_scan.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "ipc/kernel.hpp"
#include "ipc/proc_walk.hpp"
#include "ipc/run_tag.hpp"

namespace tenure::ipc {
namespace {

template <std::size_t n>
using Text = std::array<char, n>;

// The line "Max file locks  SOFT  HARD  locks" of /proc/PID/limits, which everybody may read.
std::optional<rlimit> limits_in_text(pid_t process) {
  Text<4096> text{};
  if (read_small_file(proc_path("/proc/%d/limits", process).data(), text.data(), text.size()) <= 0) return std::nullopt;
  const char* line = std::strstr(text.data(), "Max file locks");
  if (line == nullptr) return std::nullopt;
  line += std::strlen("Max file locks");
  const auto number = [&line]() -> rlim_t {
    while (*line == ' ') ++line;
    if (std::strncmp(line, "unlimited", 9) == 0) {
      line += 9;
      return RLIM_INFINITY;
    }
    char* end = nullptr;
    const rlim_t value = std::strtoull(line, &end, 10);
    line = end;
    return value;
  };
  const rlim_t soft = number();
  return rlimit{soft, number()};
}

std::optional<rlimit> limits_of(pid_t process) {
  rlimit limits{};
  if (prlimit(process, RLIMIT_LOCKS, nullptr, &limits) == 0) return limits;
  return limits_in_text(process);
}

// Its first thread may have ended before the others: it is a zombie when it is alone.
bool is_zombie(pid_t process) {
  Text<1024> text{};
  if (read_small_file(proc_path("/proc/%d/stat", process).data(), text.data(), text.size()) <= 0) return true;
  const char* name_end = std::strrchr(text.data(), ')');
  if (name_end == nullptr || name_end[1] != ' ') return false;
  char state = 0;
  int threads = 0;
  // Field 3 is the state, field 20 the number of threads.
  const int read = std::sscanf(name_end + 2, "%c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d", &state, &threads);
  return read == 2 && (state == 'X' || (state == 'Z' && threads <= 1));
}

// The number that the newest process has got. A lower one than before tells that the numbers have begun anew.
long newest_process() {
  Text<128> text{};
  if (read_small_file("/proc/loadavg", text.data(), text.size()) <= 0) return -1;
  const char* last = std::strrchr(text.data(), ' ');
  return last == nullptr ? -1 : std::atol(last);
}

// /proc lists processes by rising number, and new ones get higher numbers: whoever is forked during the walk is met by it, but for the
// moment at which the numbers begin anew. Then the walk is done again.
template <class Use>
bool each_process(Use use) {
  constexpr int walks_max = 4;
  for (int walk = 0; walk < walks_max; ++walk) {
    const long before = newest_process();
    if (!each_number_in("/proc", use)) return false;
    if (newest_process() >= before) break;
  }
  return true;
}

bool matches(const rlimit& limits, std::span<const std::uint64_t> tags) {
  const auto carried = [&limits](std::uint64_t tag) {
    return core::run_tag::is_sound(tag) && (limits.rlim_cur == tag || limits.rlim_max == tag);
  };
  return std::any_of(tags.begin(), tags.end(), carried);
}

// "lock:\t1: OFDLCK  ADVISORY  WRITE -1 00:19:1234 80 80" in /proc/PID/fdinfo/N, for every lock of this open file.
bool fdinfo_shows(pid_t process, int descriptor, std::uint64_t byte) {
  Text<4096> text{};
  if (read_small_file(proc_path("/proc/%d/fdinfo/%d", process, descriptor).data(), text.data(), text.size()) <= 0) return false;
  for (const char* line = std::strstr(text.data(), "lock:"); line != nullptr; line = std::strstr(line + 1, "lock:")) {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    if (std::sscanf(line, "lock: %*s OFDLCK %*s WRITE %*s %*s %" SCNu64 " %" SCNu64, &first, &last) == 2 && first <= byte && byte <= last) {
      return true;
    }
  }
  return false;
}

bool same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

bool has_byte_open(pid_t process, const struct stat& lock_file, std::uint64_t byte) {
  bool found = false;
  each_number_in(proc_path("/proc/%d/fd", process).data(), [&](int descriptor) {
    struct stat file{};
    found = stat(proc_path("/proc/%d/fd/%d", process, descriptor).data(), &file) == 0 && same_file(file, lock_file) &&
            fdinfo_shows(process, descriptor, byte);
    return !found;
  });
  return found;
}

}  // namespace

bool carries_any(pid_t process, std::span<const std::uint64_t> tags) {
  const std::optional<rlimit> limits = limits_of(process);
  return limits && matches(*limits, tags) && !is_zombie(process);
}

std::vector<pid_t> carriers_of(std::span<const std::uint64_t> tags) {
  std::vector<pid_t> found;
  each_process([&](int process) {
    if (process > 0 && carries_any(process, tags) && std::find(found.begin(), found.end(), process) == found.end())
      found.push_back(process);
    return true;
  });
  return found;
}

bool tag_is_carried(std::uint64_t tag) {
  if (!core::run_tag::is_sound(tag)) return false;
  bool found = false;
  const bool looked = each_process([&](int process) {
    found = process > 0 && carries_any(process, {&tag, 1});
    return !found;
  });
  return found || !looked;
}

bool holds_byte(pid_t process, int lock_descriptor, std::uint64_t byte) {
  struct stat lock_file{};
  return fstat(lock_descriptor, &lock_file) == 0 && has_byte_open(process, lock_file, byte);
}

std::vector<pid_t> holders_of_byte(int lock_descriptor, std::uint64_t byte) {
  std::vector<pid_t> found;
  struct stat lock_file{};
  if (fstat(lock_descriptor, &lock_file) != 0) return found;
  each_process([&](int process) {
    if (process > 0 && has_byte_open(process, lock_file, byte)) found.push_back(process);
    return true;
  });
  return found;
}

}  // namespace tenure::ipc
