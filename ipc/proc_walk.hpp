// Walks over /proc, where processes, threads and descriptors are entries whose names are numbers.
#pragma once

#include <dirent.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace tenure::ipc {

using ProcPath = std::array<char, 64>;

template <class... Numbers>
[[nodiscard]] ProcPath proc_path(const char* format, Numbers... numbers) {
  ProcPath path{};
  std::snprintf(path.data(), path.size(), format, numbers...);
  return path;
}

// Calls `use` with each entry whose name is a number, in the kernel's order, until it returns false. False: the directory can't be read.
template <class Use>
bool each_number_in(const char* path, Use use) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path), closedir);
  if (directory == nullptr) return false;
  while (const dirent* entry = readdir(directory.get())) {
    char* end = nullptr;
    const long number = std::strtol(entry->d_name, &end, 10);
    if (end != entry->d_name && *end == '\0' && !use(static_cast<int>(number))) break;
  }
  return true;
}

}  // namespace tenure::ipc
