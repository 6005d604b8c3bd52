// The system calls that glibc has no function for, one thin function each, and what this kernel is able to do.
//
// Containers forbid system calls with EPERM as often as with ENOSYS; both mean "not there".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/platform.hpp"
#include "ipc/open_fault.hpp"

namespace tenure::ipc {

// What is tried once a process, before the first space is opened.
struct KernelAbilities {
  bool futex_waitv = true;   // without: sleeps look at their words every 4 ms
  bool robust_list = true;   // without: sessions have no bell; their byte tells of their death
  bool ofd_locks = true;     // without: no space can be opened
  bool wipe_on_fork = true;  // without: only fork(2) is noticed, not clone(2)
};
[[nodiscard]] KernelAbilities kernel_abilities();

// For tests: what kernel_abilities() says from now on; nullopt: the truth again. A space that is open keeps what it started with.
void force_kernel_abilities(std::optional<KernelAbilities> forced);

// An element of futex_waitv(2).
struct FutexWaiter {
  std::uint64_t value = 0;
  std::uint64_t address = 0;
  std::uint32_t flags = 0;
  std::uint32_t reserved = 0;
};
inline constexpr std::uint32_t futex_word_is_32_bits = 2;  // FUTEX_32, not private

// Each sleeps at most `timeout_ns`; ~0 is for ever. `woken` also for a signal, and for an error, after a short sleep, so that no caller's
// loop spins.
[[nodiscard]] core::WaitResult sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint64_t timeout_ns);
// nullopt: the system call is not there.
[[nodiscard]] std::optional<core::WaitResult> sleep_on_any(std::span<const FutexWaiter> waiters, std::uint64_t timeout_ns);
void sleep_for(std::uint64_t timeout_ns);
void wake_sleepers(const std::atomic<std::uint32_t>& word, std::uint32_t count);

// The head of the list that the kernel walks when the thread ends; see bell_thread.hpp.
struct RobustListHead {
  std::uint64_t first = 0;
  std::int64_t futex_offset = 0;
  std::uint64_t pending = 0;
};
// True when the kernel has the head from now on.
[[nodiscard]] bool register_robust_list(RobustListHead* head);

// One byte of a file, locked by its open file description (F_OFD_SETLK), never waiting.
enum class LockKind : std::uint8_t { read, write, none };
enum class LockOutcome : std::uint8_t { done, conflict, failed };  // failed: errno says why
[[nodiscard]] LockOutcome lock_byte(int descriptor, std::uint64_t byte, LockKind kind);
// Whether another open file description holds a lock of writing on the byte. An error counts as held.
[[nodiscard]] bool is_write_locked(int descriptor, std::uint64_t byte);

// Nanoseconds of a clock, as this process's namespaces show it.
[[nodiscard]] std::uint64_t clock_ns(int clock);

// What to subtract from this process's CLOCK_BOOTTIME to get that of the initial time namespace. A fault where it can't be proven.
[[nodiscard]] Opened<std::int64_t> boottime_offset_ns();

// The id of this boot of the host.
struct BootId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const BootId&) const = default;
};
[[nodiscard]] Opened<BootId> boot_id();

// Milliseconds since 2026-01-01 UTC; 0 before.
[[nodiscard]] std::uint64_t milliseconds_since_2026();

// Reads at most `size` - 1 bytes of a small file of /proc and ends them with a NUL. The number of bytes, or -1: errno says why.
[[nodiscard]] long read_small_file(const char* path, char* buffer, std::size_t size);

}  // namespace tenure::ipc
