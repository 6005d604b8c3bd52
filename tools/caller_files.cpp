#include "tools/caller_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace tenure::tools {
namespace {

std::array<bool, 3> was_closed{};

}  // namespace

void fill_standard_descriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    was_closed[static_cast<std::size_t>(descriptor)] = true;
    // The lowest free number is this one: those below are open by now.
    static_cast<void>(open("/dev/null", O_RDWR | O_CLOEXEC));
  }
}

bool came_open(int standard_descriptor) { return !was_closed.at(static_cast<std::size_t>(standard_descriptor)); }

std::string why_not_writable(int descriptor) {
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || (descriptor <= 2 && !came_open(descriptor))) return "is not open";
  const int access = flags & O_ACCMODE;
  if ((flags & O_PATH) != 0 || (access != O_WRONLY && access != O_RDWR)) return "is not open for writing";
  return {};
}

}  // namespace tenure::tools
