#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <vector>

#include "tools/command.hpp"
#include "tools/exit_status.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

// The directory of the running program's file, or nothing.
std::string own_directory() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0 || static_cast<std::size_t>(size) == path.size()) return {};
  const std::string file(path.data(), static_cast<std::size_t>(size));
  return file.substr(0, file.rfind('/'));
}

// The simulator is a program of its own: `tenure` stays as small, and starts as fast, as it does without it.
int run(std::span<char*> arguments) {
  std::string name = "tenure sim";
  std::vector<char*> passed{name.data()};
  passed.insert(passed.end(), arguments.begin(), arguments.end());
  passed.push_back(nullptr);
  const std::string directory = own_directory();
  if (directory.empty()) {
    complain("cannot tell where its own file is, beside which the simulator is: is /proc mounted?");
    return exit_not_started;
  }
  const std::string installed = directory + "/" TENURE_SIM_INSTALLED;
  for (const std::string& path : {directory + "/" TENURE_SIM_BUILT, installed}) {
    execv(path.c_str(), passed.data());
    if (errno == ENOENT || errno == ENOTDIR) continue;
    complain(quoted(path) + " cannot be started: " + std::strerror(errno));
    return exit_not_started;
  }
  complain("the simulator is not installed: there is no " + quoted(installed) +
           "\nbuild and install tenure with it: cmake -DTENURE_SIM=ON BUILD && cmake --build BUILD && cmake --install BUILD");
  return exit_not_started;
}

}  // namespace

const Command sim_command{
    "sim", "COMMAND [options]", "simulates the locks, and finds the known bugs of others", "", {}, "", run,
};

}  // namespace tenure::tools
