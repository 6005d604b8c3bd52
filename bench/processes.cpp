#include "bench/processes.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace tenure::bench {
namespace {

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  if (clock_gettime(clock, &now) != 0) fail("clock_gettime");
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

Child::Child(const std::function<void()>& work) : id_(fork()) {
  if (id_ < 0) fail("fork");
  if (id_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  work();
  _exit(0);
}

Child::Child(Child&& other) noexcept : id_(std::exchange(other.id_, -1)) {}

Child::~Child() {
  if (id_ < 0) return;
  kill();
  waitpid(id_, nullptr, 0);
}

void Child::kill() const { ::kill(id_, SIGKILL); }

void Child::join() {
  int status = 0;
  if (waitpid(std::exchange(id_, -1), &status, 0) < 0) fail("waitpid");
  errno = 0;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("a child failed");
}

std::uint64_t Child::processor_ns() const {
  clockid_t clock{};
  if (clock_getcpuclockid(id_, &clock) != 0) fail("clock_getcpuclockid");
  return clock_ns(clock);
}

void Child::wait_until_asleep() const {
  const std::string path = "/proc/" + std::to_string(id_) + "/stat";
  wait_until([&path] {
    std::ifstream file(path);
    std::string number;
    std::string name;
    std::string state;
    return static_cast<bool>(file >> number >> name >> state) && state == "S";
  });
}

void run_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(processor), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity");
}

int processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void wait_until(const std::function<bool()>& condition) {
  const std::uint64_t deadline_ns = now_ns() + 60'000'000'000;
  while (!condition()) {
    errno = 0;
    if (now_ns() > deadline_ns) fail("waited for a minute in vain");
    sleep_ns(100'000);
  }
}

TemporaryDirectory::TemporaryDirectory() {
  std::error_code missing;
  path_ = std::filesystem::is_directory("/dev/shm", missing) ? "/dev/shm/tenure_bench_XXXXXX" : "/tmp/tenure_bench_XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) fail("mkdtemp " + path_);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace tenure::bench
