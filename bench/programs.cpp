#include "bench/programs.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "bench/harness.hpp"

namespace tenure::bench {
namespace {

// By fork: a child of vfork would begin with this program's peak of resident memory, and keep it.
pid_t start(const std::vector<std::string>& words, int output) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child != 0) return child;
  dup2(output, STDOUT_FILENO);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

std::string output_of(const std::vector<std::string>& words) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
  const pid_t child = start(words, ends[1]);
  close(ends[1]);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  if (waitpid(child, &status, 0) < 0 || status != 0) fail(words[0]);
  return text;
}

ProgramCost cost_of_program(const std::vector<std::string>& words) {
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) fail("/dev/null");
  const std::uint64_t begin_ns = now_ns();
  const pid_t child = start(words, nowhere);
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) < 0) fail("wait4");
  const std::uint64_t end_ns = now_ns();
  close(nowhere);
  const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return {static_cast<double>(end_ns - begin_ns), static_cast<double>(usage.ru_maxrss) * 1024, exit_status};
}

}  // namespace tenure::bench
