// What /proc says of a process.
#pragma once

#include <sys/types.h>

#include <string>

namespace tenure::tools {

// What the guard of `tenure run` is called; it is never of use to a person, its parent is.
inline constexpr const char* guard_name = "tenure-guard";

struct ProcessState {
  char state = '?';  // the letter of ps(1)
  pid_t parent = 0;  // 0: no such process
  std::string name;
};
[[nodiscard]] ProcessState process_state(pid_t process);

// A file of /proc, whole; empty where there is none.
[[nodiscard]] std::string read_proc_file(const char* path);

// For people: "PID 4711 (sudo), user root, in uninterruptible sleep".
[[nodiscard]] std::string process_text(pid_t process);

}  // namespace tenure::tools
