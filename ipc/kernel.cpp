#include "ipc/kernel.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>

#include "ipc/descriptor.hpp"
#include "ipc/text.hpp"

namespace tenure::ipc {
namespace {

using core::WaitResult;
using std::uint32_t;
using std::uint64_t;

constexpr uint64_t second_ns = 1'000'000'000;
constexpr uint64_t error_pause_ns = 1'000'000;
constexpr uint64_t sleep_max_ns = 3600 * second_ns;  // a longer one ends early, as woken
constexpr long futex_waitv_number = 449;             // the same on every architecture; glibc 2.36 knows it, older ones don't
constexpr int wipe_on_fork_advice = 18;              // MADV_WIPEONFORK
constexpr uint64_t milliseconds_1970_to_2026 = 1'767'225'600'000;
constexpr ino_t initial_time_namespace = 0xEFFF'FFFA;  // PROC_TIME_INIT_INO, fixed in the kernel

// Pages and descriptors for the probes aren't needed: each call is made so that it fails for another reason where it exists.
KernelAbilities probe() {
  const auto is_there = [](long result) { return result == 0 || (errno != ENOSYS && errno != EPERM); };
  KernelAbilities abilities;
  abilities.futex_waitv = is_there(syscall(futex_waitv_number, nullptr, 0, 0, nullptr, 0));  // EINVAL: no waiters
  abilities.robust_list = is_there(syscall(SYS_set_robust_list, nullptr, 0));                // EINVAL: wrong length
  abilities.wipe_on_fork = madvise(nullptr, 0, wipe_on_fork_advice) == 0;                    // nothing to do
  const Descriptor directory(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (directory.is_open()) {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_len = 1;
    // EBADF: a descriptor of O_PATH can't be locked; EINVAL: no such command.
    abilities.ofd_locks = fcntl(directory.get(), F_OFD_GETLK, &lock) == 0 || errno == EBADF;
  }
  return abilities;
}

std::mutex forced_mutex;
std::optional<KernelAbilities> forced_abilities;

timespec to_timespec(uint64_t duration_ns) {
  return {static_cast<time_t>(duration_ns / second_ns), static_cast<long>(duration_ns % second_ns)};
}

// What a futex call that came back with -1 means, `errno` being its reason.
WaitResult failed_sleep(uint64_t timeout_ns) {
  switch (errno) {
    case EAGAIN: return WaitResult::changed;
    case ETIMEDOUT: return timeout_ns > sleep_max_ns ? WaitResult::woken : WaitResult::timed_out;
    case EINTR: return WaitResult::woken;
    default: sleep_for(std::min(timeout_ns, error_pause_ns)); return WaitResult::woken;
  }
}

}  // namespace

KernelAbilities kernel_abilities() {
  static const KernelAbilities probed = probe();
  const std::lock_guard lock(forced_mutex);
  return forced_abilities.value_or(probed);
}

void force_kernel_abilities(std::optional<KernelAbilities> forced) {
  const std::lock_guard lock(forced_mutex);
  forced_abilities = forced;
}

WaitResult sleep_on(const std::atomic<uint32_t>& word, uint32_t expected, uint64_t timeout_ns) {
  const timespec timeout = to_timespec(std::min(timeout_ns, sleep_max_ns));
  const bool for_ever = timeout_ns == ~uint64_t{0};
  if (syscall(SYS_futex, &word, FUTEX_WAIT, expected, for_ever ? nullptr : &timeout, nullptr, 0) == 0) return WaitResult::woken;
  return failed_sleep(timeout_ns);
}

std::optional<WaitResult> sleep_on_any(std::span<const FutexWaiter> waiters, uint64_t timeout_ns) {
  const timespec until = to_timespec(clock_ns(CLOCK_MONOTONIC) + std::min(timeout_ns, sleep_max_ns));  // futex_waitv: absolute only
  const long result = syscall(futex_waitv_number, waiters.data(), static_cast<unsigned>(waiters.size()), 0, &until, CLOCK_MONOTONIC);
  if (result >= 0) return WaitResult::woken;
  if (errno == ENOSYS || errno == EPERM) return std::nullopt;
  return failed_sleep(timeout_ns);
}

void sleep_for(uint64_t timeout_ns) {
  const timespec duration = to_timespec(std::min(timeout_ns, sleep_max_ns));
  clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, nullptr);
}

void wake_sleepers(const std::atomic<uint32_t>& word, uint32_t count) {
  syscall(SYS_futex, &word, FUTEX_WAKE, std::min(count, uint32_t{INT_MAX}), nullptr, nullptr, 0);
}

bool register_robust_list(RobustListHead* head) {
  if (syscall(SYS_set_robust_list, head, sizeof *head) != 0) return false;
  RobustListHead* registered = nullptr;
  std::size_t length = 0;
  // An emulation may accept the list and forget it. Where only the question is forbidden, the answer to the order has to do.
  if (syscall(SYS_get_robust_list, 0, &registered, &length) != 0) return errno == EPERM || errno == ENOSYS;
  return registered == head;
}

LockOutcome lock_byte(int descriptor, uint64_t byte, LockKind kind) {
  struct flock lock{};
  lock.l_type = static_cast<short>(kind == LockKind::write ? F_WRLCK : kind == LockKind::read ? F_RDLCK : F_UNLCK);
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  int result = 0;
  do {
    result = fcntl(descriptor, F_OFD_SETLK, &lock);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return LockOutcome::done;
  return errno == EAGAIN || errno == EACCES ? LockOutcome::conflict : LockOutcome::failed;
}

bool is_write_locked(int descriptor, uint64_t byte) {
  struct flock lock{};
  lock.l_type = F_RDLCK;  // a reader of the file may lock it for reading: that must not look like life
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  return fcntl(descriptor, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

uint64_t clock_ns(int clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * second_ns + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t milliseconds_since_2026() {
  const uint64_t now_ms = clock_ns(CLOCK_REALTIME) / 1'000'000;
  return now_ms > milliseconds_1970_to_2026 ? now_ms - milliseconds_1970_to_2026 : 0;
}

long read_small_file(const char* path, char* buffer, std::size_t size) {
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.is_open()) return -1;
  std::size_t length = 0;
  while (length < size - 1) {
    const ssize_t got = read(file.get(), buffer + length, size - 1 - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  buffer[length] = '\0';
  return static_cast<long>(length);
}

// What can be proven: the initial time namespace has an inode number that is a constant of the kernel, and its offset is 0. Elsewhere
// /proc/self/timens_offsets tells the offsets of the namespace that this process's CHILDREN are born into, which is its own as long as the
// two are the same file. A process that has entered one and then unshared another has no source for its own offset: the clocks,
// /proc/uptime and btime of /proc/stat are all shifted, and the real-time clock may be set by anybody at any time, so it proves nothing.
Opened<std::int64_t> boottime_offset_ns() {
  struct stat own{};
  if (stat("/proc/self/ns/time", &own) != 0) {
    if (access("/proc/self/ns/pid", F_OK) == 0) return std::int64_t{0};  // a kernel without time namespaces
    return OpenFault{FaultCode::configuration, formatted("Can't read /proc/self/ns (%s), which tells whether this process's clock is "
                                                         "shifted by a time namespace. Mount /proc here.",
                                                         std::strerror(errno))};
  }
  if (own.st_ino == initial_time_namespace) return std::int64_t{0};
  struct stat of_children{};
  if (stat("/proc/self/ns/time_for_children", &of_children) != 0 || of_children.st_ino != own.st_ino) {
    return OpenFault{FaultCode::configuration,
                     "This process is in one time namespace and has unshared another one for its children, so "
                     "the offset of its own clock can't be known. Use Tenure from a child process."};
  }
  char text[256];
  if (read_small_file("/proc/self/timens_offsets", text, sizeof text) < 0) {
    return OpenFault{FaultCode::system_error, formatted("Can't read /proc/self/timens_offsets: %s.", std::strerror(errno))};
  }
  const char* line = std::strstr(text, "boottime");
  long long seconds = 0;
  long nanoseconds = 0;
  if (line == nullptr || std::sscanf(line, "boottime %lld %ld", &seconds, &nanoseconds) != 2) {
    return OpenFault{FaultCode::system_error, "/proc/self/timens_offsets has no line for boottime that can be understood."};
  }
  return static_cast<std::int64_t>(seconds) * static_cast<std::int64_t>(second_ns) + nanoseconds;
}

Opened<BootId> boot_id() {
  constexpr const char* path = "/proc/sys/kernel/random/boot_id";
  char text[64];
  if (read_small_file(path, text, sizeof text) < 0) {
    return OpenFault{FaultCode::configuration, formatted("Can't read %s (%s), which tells a segment of this boot from an older one. "
                                                         "Mount /proc here.",
                                                         path, std::strerror(errno))};
  }
  uint64_t halves[2] = {0, 0};
  int digits = 0;
  for (const char* at = text; *at != '\0' && digits < 32; ++at) {
    if (*at == '-') continue;
    const char digit[2] = {*at, '\0'};
    char* end = nullptr;
    const unsigned long value = std::strtoul(digit, &end, 16);
    if (end == digit) break;
    halves[digits / 16] = (halves[digits / 16] << 4) | value;
    ++digits;
  }
  if (digits != 32) return OpenFault{FaultCode::system_error, formatted("%s doesn't hold a boot id.", path)};
  return BootId{halves[0], halves[1]};
}

}  // namespace tenure::ipc
