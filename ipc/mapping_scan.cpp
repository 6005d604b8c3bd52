#include "ipc/mapping_scan.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "ipc/descriptor.hpp"
#include "ipc/text.hpp"

namespace tenure::ipc {
namespace {

// A line of maps: "from-to perms offset dev inode   /path", the path with " (deleted)" behind it where it has none any more.
bool names_one_of(std::string_view line, const std::vector<std::string>& paths) {
  constexpr std::string_view mark = " (deleted)";
  const std::size_t slash = line.find('/');
  if (slash == std::string_view::npos) return false;
  std::string_view path = line.substr(slash);
  if (path.ends_with(mark)) path.remove_suffix(mark.size());
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

bool maps_one_of(const char* process, const std::vector<std::string>& paths) {
  const Descriptor file(open(formatted("/proc/%s/maps", process).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return false;
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (names_one_of(std::string_view(text).substr(begin, end - begin), paths)) return true;
    }
    text.erase(0, begin);
  }
}

}  // namespace

std::vector<pid_t> processes_that_map(const std::vector<std::string>& paths) {
  std::vector<pid_t> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc"), closedir);
  if (directory == nullptr) return found;
  while (const dirent* entry = readdir(directory.get())) {
    char* end = nullptr;
    const long process = std::strtol(entry->d_name, &end, 10);
    if (process > 0 && *end == '\0' && maps_one_of(entry->d_name, paths)) found.push_back(static_cast<pid_t>(process));
  }
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
