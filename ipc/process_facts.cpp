#include "ipc/process_facts.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "ipc/kernel.hpp"

namespace tenure::ipc {
namespace {

// Field 22 of /proc/self/stat. The second field is a name in parentheses that may contain anything, parentheses and blanks included.
std::uint64_t own_start_ticks() {
  char text[1024];
  if (read_small_file("/proc/self/stat", text, sizeof text) < 0) return 0;
  const char* at = std::strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 22; ++field) {
    at = std::strchr(at, ' ');
    if (at != nullptr) ++at;
  }
  return at == nullptr ? 0 : std::strtoull(at, nullptr, 10);
}

void read_own_command(std::array<char, 128>& command) {
  const long length = read_small_file("/proc/self/cmdline", command.data(), command.size());
  for (long i = 0; i < length; ++i) {
    char& character = command[static_cast<std::size_t>(i)];
    const auto byte = static_cast<unsigned char>(character);
    if (byte == 0) {
      character = i + 1 < length ? ' ' : '\0';
    } else if (byte < 0x20 || byte == 0x7F) {
      character = '?';
    }
  }
}

}  // namespace

ProcessFacts own_process_facts(std::int64_t boottime_offset_ns) {
  ProcessFacts facts;
  facts.pid = static_cast<std::uint32_t>(getpid());
  facts.uid = static_cast<std::uint32_t>(geteuid());
  facts.start_ticks = own_start_ticks();
  const std::int64_t tick_ns = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  if (facts.start_ticks != 0) facts.start_ticks -= static_cast<std::uint64_t>(boottime_offset_ns / tick_ns);
  struct stat namespace_file{};
  if (stat("/proc/self/ns/pid", &namespace_file) == 0) facts.pid_namespace = namespace_file.st_ino;
  read_own_command(facts.command);
  return facts;
}

}  // namespace tenure::ipc
