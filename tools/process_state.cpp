#include "tools/process_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "tools/text.hpp"

namespace tenure::tools {

std::string read_proc_file(const char* path) {
  std::string text;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return text;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = read(file, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  close(file);
  return text;
}

ProcessState process_state(pid_t process) {
  const std::string text = read_proc_file(("/proc/" + std::to_string(process) + "/stat").c_str());
  ProcessState found;
  // The name, in parentheses, may hold anything, parentheses too.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 4 > text.size()) return found;
  found.name = text.substr(open + 1, close - open - 1);
  found.state = text[close + 2];
  found.parent = std::atoi(text.c_str() + close + 4);
  return found;
}

std::string process_text(pid_t process) {
  const ProcessState found = process_state(process);
  std::string text = "PID " + std::to_string(process) + " (" + clean(found.name) + ")";
  struct stat owner{};
  if (stat(("/proc/" + std::to_string(process)).c_str(), &owner) == 0) text += ", " + user_text(owner.st_uid);
  if (found.state == 'D') text += ", in uninterruptible sleep";
  return text;
}

}  // namespace tenure::tools
