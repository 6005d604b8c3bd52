// Finds the processes of a run's tree in /proc. Reads only; no process is touched.
//
// What it can't see: processes of other PID namespaces that do not lie inside this one, and, where /proc is mounted with hidepid, those of
// other users. The byte of the run's slot still tells of these.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace tenure::ipc {

// Whether a process, zombies apart, carries the tag. True also where that can't be found out. Here and below: nobody carries a number that
// is no tag (core::run_tag), whatever the limits say.
[[nodiscard]] bool tag_is_carried(std::uint64_t tag);

// Whether this process carries one of the tags; asked again right before it is killed.
[[nodiscard]] bool carries_any(pid_t process, std::span<const std::uint64_t> tags);

// The processes, zombies apart, that carry one of the tags.
[[nodiscard]] std::vector<pid_t> carriers_of(std::span<const std::uint64_t> tags);

// The processes that have a descriptor open through which the byte of the file is locked. Only those are seen whose descriptors this
// process may look at: its own user's.
[[nodiscard]] std::vector<pid_t> holders_of_byte(int lock_descriptor, std::uint64_t byte);
[[nodiscard]] bool holds_byte(pid_t process, int lock_descriptor, std::uint64_t byte);

}  // namespace tenure::ipc
