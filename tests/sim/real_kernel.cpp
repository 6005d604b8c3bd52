#include "tests/sim/real_kernel.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace tenure::sim::real {
namespace {

constexpr std::uint64_t patience_ns = 30'000'000'000;
constexpr std::uint64_t look_around_ns = 500'000'000;
constexpr long futex_waitv_number = 449;

template <class... Arguments>
long read_proc(std::array<char, 512>& text, const char* format, Arguments... arguments) {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), format, arguments...);
  return ipc::read_small_file(path.data(), text.data(), text.size());
}

bool go_first(bool first) {
  const sched_param rank{first ? 1 : 0};
  return sched_setscheduler(0, first ? SCHED_FIFO : SCHED_OTHER, &rank) == 0;
}

// See FirstInLine.
void give_way() {
  const sched_param none{0};
  if (!may_go_first()) sched_setscheduler(0, SCHED_IDLE, &none);
}

}  // namespace

void* map_shared(std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return memory;
}

void unmap_shared(void* memory, std::size_t bytes) { munmap(memory, bytes); }

bool await(const std::function<bool()>& condition) {
  constexpr int yields_max = 200;  // then those of lower rank, too, must get their turn
  const timespec pause{0, 20'000};
  const std::uint64_t give_up_ns = monotonic_ns() + patience_ns;
  for (int looks = 0; !condition(); ++looks) {
    if (monotonic_ns() > give_up_ns) return false;
    if (looks < yields_max) {
      sched_yield();
    } else {
      nanosleep(&pause, nullptr);
    }
  }
  return true;
}

std::uint64_t monotonic_ns() { return ipc::clock_ns(CLOCK_MONOTONIC); }

std::uint32_t wake(const Word& word, std::uint32_t count) {
  return static_cast<std::uint32_t>(syscall(SYS_futex, &word, FUTEX_WAKE, std::min(count, std::uint32_t{INT_MAX}), nullptr, nullptr, 0));
}

std::optional<std::uint64_t> asleep_in_futex(pid_t thread) {
  std::array<char, 512> text{};
  if (read_proc(text, "/proc/%d/syscall", thread) <= 0) return std::nullopt;
  char* end = nullptr;
  const long number = std::strtol(text.data(), &end, 10);
  if (end == text.data() || (number != SYS_futex && number != futex_waitv_number)) return std::nullopt;
  return std::strtoull(end, nullptr, 16);
}

char state_of(pid_t process) {
  std::array<char, 512> text{};
  if (read_proc(text, "/proc/%d/stat", process) <= 0) return 0;
  const char* const name_end = std::strrchr(text.data(), ')');
  return name_end == nullptr || name_end[1] == '\0' ? '\0' : name_end[2];
}

std::optional<std::uint64_t> times_run(pid_t thread) {
  std::array<char, 512> text{};
  unsigned long long times = 0;
  if (read_proc(text, "/proc/%d/schedstat", thread) <= 0) return std::nullopt;
  if (std::sscanf(text.data(), "%*u %*u %llu", &times) != 1) return std::nullopt;
  return times;
}

std::string what_forbids_to_look() {
  const ipc::KernelAbilities abilities = ipc::kernel_abilities();
  if (!abilities.futex_waitv) return "futex_waitv(2) is missing or forbidden";
  if (!abilities.robust_list) return "set_robust_list(2) is forbidden";
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  std::array<char, 512> text{};
  const bool shows_calls = read_proc(text, "/proc/%d/syscall", child) > 0;
  ::kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!shows_calls) return "/proc/PID/syscall of a child can't be read, so nobody can tell who is asleep";
  if (!times_run(getpid())) return "/proc/PID/schedstat can't be read, so nobody can tell who has run";
  return {};
}

// --- Puppets ---------------------------------------------------------------------------------------------------------------------------

void serve(Line& line, const Work& work, pid_t test) {
  line.pid.store(static_cast<std::uint32_t>(getpid()));
  for (std::uint32_t seen = 0;;) {
    while (line.asked.load() == seen) {
      (void)ipc::sleep_on(line.asked, seen, look_around_ns);
      if (::kill(test, 0) != 0) _exit(0);
    }
    seen = line.asked.load();
    line.answer.store(work(line.order));
    line.answered.store(seen);
  }
}

void give(Line& line, const Order& order) {
  line.order = order;
  line.asked.fetch_add(1);
  wake(line.asked, 1);
}

bool has_answered(const Line& line) { return line.answered.load() == line.asked.load(); }

void Puppet::start(Line& line, const Work& work) {
  assert(!is_started());
  line_ = &line;
  line.asked.store(0);
  line.answered.store(0);
  line.pid.store(0);
  const pid_t test = getpid();
  pid_ = fork();
  if (pid_ < 0) std::abort();
  if (pid_ != 0) {
    await([&line] { return line.pid.load() != 0; });
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // also while it sleeps for ever
  if (getppid() != test) _exit(0);
  give_way();
  serve(line, work, test);
}

std::optional<std::uint32_t> Puppet::ask(const Order& order) const {
  give(*line_, order);
  if (!await([this] { return has_answered(*line_); })) return std::nullopt;
  return line_->answer.load();
}

void Puppet::kill() const {
  if (is_started()) ::kill(pid_, SIGKILL);
}

int Puppet::reap() {
  int status = 0;
  if (!is_started()) return status;
  // A traced one may have stops to tell of first.
  while (waitpid(pid_, &status, __WALL) != pid_ || WIFSTOPPED(status)) {
  }
  pid_ = 0;
  return status;
}

// --- Processors ------------------------------------------------------------------------------------------------------------------------

OneProcessor::OneProcessor() {
  (void)syscall(SYS_sched_getaffinity, 0, sizeof before_, before_.data());
  std::array<std::uint64_t, 128> one{};
  const int here = sched_getcpu();
  const auto processor = static_cast<unsigned>(std::max(here, 0));
  one[processor / 64] = std::uint64_t{1} << (processor % 64);
  (void)syscall(SYS_sched_setaffinity, 0, sizeof one, one.data());
}

OneProcessor::~OneProcessor() { (void)syscall(SYS_sched_setaffinity, 0, sizeof before_, before_.data()); }

bool may_go_first() { return go_first(true) && go_first(false); }

FirstInLine::FirstInLine() : raised_(go_first(true)) {}

FirstInLine::~FirstInLine() {
  if (raised_) go_first(false);
}

}  // namespace tenure::sim::real
