// What a session says of its process, for people to read; no decision rests on it.
#pragma once

#include <array>
#include <cstdint>

namespace tenure::ipc {

struct ProcessFacts {
  std::uint32_t pid = 0;            // in the process's own namespace
  std::uint32_t uid = 0;            // effective
  std::uint64_t start_ticks = 0;    // since boot; field 22 of /proc/PID/stat as the initial time namespace shows it; 0 = not known
  std::uint64_t pid_namespace = 0;  // inode; 0 = not known
  std::array<char, 128> command{};  // arguments parted by spaces, control characters turned into '?', cut to 127 bytes, NUL-padded
};

// Three files of /proc, about 20 microseconds. `boottime_offset_ns` as of kernel.hpp.
[[nodiscard]] ProcessFacts own_process_facts(std::int64_t boottime_offset_ns = 0);

}  // namespace tenure::ipc
