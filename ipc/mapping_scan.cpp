#include "ipc/mapping_scan.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>

#include "ipc/descriptor.hpp"
#include "ipc/proc_walk.hpp"
#include "ipc/text.hpp"

namespace tenure::ipc {
namespace {

// A path to look for, and the device that its file system has, where maps shows the same one.
struct Sought {
  const std::string& path;
  std::optional<dev_t> device;
};

// The file may be gone, and its directory too: what is left of the way there is on the same file system.
std::optional<dev_t> device_near(const std::string& path) {
  std::string at = path;
  struct stat facts{};
  do {
    const std::size_t slash = at.find_last_of('/');
    if (slash == std::string::npos) return std::nullopt;
    at.resize(slash == 0 ? 1 : slash);
  } while (stat(at.c_str(), &facts) != 0 && at.size() > 1);
  constexpr std::uint32_t btrfs = 0x9123'683E, bcachefs = 0xCA45'1A4E, overlayfs = 0x794C'7630;  // maps shows another device than stat
  struct statfs system{};
  if (statfs(at.c_str(), &system) != 0) return std::nullopt;
  const auto type = static_cast<std::uint32_t>(system.f_type);
  return type == btrfs || type == bcachefs || type == overlayfs ? std::nullopt : std::optional(facts.st_dev);
}

// A line of maps: "from-to perms offset major:minor inode   /path", the path with " (deleted)" behind it where it has none any more.
// `elsewhere`: of a process with other mounts, where the same path may lead to a file of its own; then the device decides, if it can.
bool names_one_of(std::string_view line, const std::vector<Sought>& sought, bool elsewhere) {
  constexpr std::string_view mark = " (deleted)";
  const std::size_t slash = line.find('/');
  if (slash == std::string_view::npos) return false;
  std::string_view path = line.substr(slash);
  if (path.ends_with(mark)) path.remove_suffix(mark.size());
  const auto found = std::find_if(sought.begin(), sought.end(), [path](const Sought& one) { return one.path == path; });
  if (found == sought.end() || !elsewhere || !found->device) return found != sought.end();
  unsigned major_number = 0, minor_number = 0;
  if (std::sscanf(std::string(line).c_str(), "%*s %*s %*s %x:%x", &major_number, &minor_number) != 2) return true;
  return makedev(major_number, minor_number) == *found->device;
}

std::string mounts_of(const char* process) {
  char text[64];
  const ssize_t length = readlink(formatted("/proc/%s/ns/mnt", process).c_str(), text, sizeof text);
  return {text, static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

bool maps_one_of(const char* process, const std::vector<Sought>& sought, const std::string& own_mounts) {
  const Descriptor file(open(formatted("/proc/%s/maps", process).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return false;
  const bool elsewhere = mounts_of(process) != own_mounts;
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
      if (names_one_of(std::string_view(text).substr(begin, end - begin), sought, elsewhere)) return true;
    }
    text.erase(0, begin);
  }
}

}  // namespace

std::vector<pid_t> processes_that_map(const std::vector<std::string>& paths) {
  std::vector<pid_t> found;
  std::vector<Sought> sought;
  sought.reserve(paths.size());
  for (const std::string& path : paths) sought.push_back({path, device_near(path)});
  const std::string own_mounts = mounts_of("self");
  each_number_in("/proc", [&](int process) {
    if (maps_one_of(std::to_string(process).c_str(), sought, own_mounts)) found.push_back(process);
    return true;
  });
  std::sort(found.begin(), found.end());
  return found;
}

std::string list_of_processes(const std::vector<pid_t>& processes) {
  constexpr std::size_t shown_max = 8;
  std::string text = processes.size() == 1 ? "process" : "processes";
  for (std::size_t i = 0; i < processes.size() && i < shown_max; ++i) text += formatted(i == 0 ? " %d" : ", %d", processes[i]);
  if (processes.size() > shown_max) text += formatted(" and %zu more", processes.size() - shown_max);
  return text;
}

}  // namespace tenure::ipc
