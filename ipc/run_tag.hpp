// Tags: by which the processes of a run's tree are known, whoever their parent is by now and whatever they have closed.
//
// A tag is a value of the resource limit RLIMIT_LOCKS, which the kernel has not looked at since Linux 2.4. Every process inherits it over
// fork and exec, may lower it and, without CAP_SYS_RESOURCE, never raise it; /proc/PID/limits shows it of every process.
//
//   limit of a process of the tree       of a run outside all others    of a run inside the tree of another
//   soft                                 its tag                        its own tag
//   hard                                 its tag                        as inherited: the tag of the outermost run
#pragma once

#include <sys/resource.h>

#include <cstdint>

#include "core/lease_word.hpp"

namespace tenure::ipc {

struct RunTag {
  std::uint64_t tag = 0;    // 0: the limit is already in use for something else, or may not be set, so that the tree can carry none
  std::uint64_t outer = 0;  // that this process carries itself; 0: none
  rlimit limits{};          // what a process of the tree sets; as it is where there is no tag
};

// The tag of a run whose processes inherit `own` limits; `random` are any 64 bits.
[[nodiscard]] constexpr RunTag tag_under(const rlimit& own, std::uint64_t random) {
  namespace tags = core::run_tag;
  const std::uint64_t number = tags::bit | (random & (tags::outermost_bit - 1));
  if (own.rlim_max == RLIM_INFINITY) {
    const std::uint64_t tag = number | tags::outermost_bit;
    return {tag, 0, {tag, tag}};
  }
  if (!tags::is_outermost(own.rlim_max)) return {0, 0, own};
  return {number, tags::is_sound(own.rlim_cur) ? own.rlim_cur : own.rlim_max, {number, own.rlim_max}};
}

// The same for this process.
[[nodiscard]] RunTag new_run_tag();

}  // namespace tenure::ipc
