// Which processes have a file mapped, also one that was deleted since: evidence that no lock and no directory entry can give.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace tenure::ipc {

// The ids of the processes that map one of the files, by its path as /proc/PID/maps shows it. Processes of other users are seen by root
// only, and those of other mount namespaces under the path that they know, which counts where the device is the same; so an empty answer
// is no proof. In ascending order.
[[nodiscard]] std::vector<pid_t> processes_that_map(const std::vector<std::string>& paths);

// "process 12", "processes 12, 34 and 5 more".
[[nodiscard]] std::string list_of_processes(const std::vector<pid_t>& processes);

}  // namespace tenure::ipc
