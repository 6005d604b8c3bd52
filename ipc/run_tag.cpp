#include "ipc/run_tag.hpp"

#include <sys/random.h>

namespace tenure::ipc {

RunTag new_run_tag() {
  rlimit own{};
  std::uint64_t random = 0;
  if (getrlimit(RLIMIT_LOCKS, &own) != 0 || getrandom(&random, sizeof random, 0) != sizeof random) return {0, 0, own};
  // Where limits may not be set at all, those of the tree can't be either.
  if (setrlimit(RLIMIT_LOCKS, &own) != 0) return {0, 0, own};
  return tag_under(own, random);
}

}  // namespace tenure::ipc
