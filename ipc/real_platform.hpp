// core/platform.hpp on Linux: what the lease table asks of the world, one object a space and process.
//
// Any thread may call any member. In a forked child every member that concerns sessions fails until renew_after_fork().
#pragma once

#include <ctime>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/platform.hpp"
#include "ipc/bell_thread.hpp"
#include "ipc/descriptor.hpp"
#include "ipc/kernel.hpp"
#include "ipc/segment_file.hpp"

namespace tenure::ipc {

class RealPlatform {
 public:
  template <class T>
  using Atomic = std::atomic<T>;
  static_assert(Atomic<std::uint32_t>::is_always_lock_free && Atomic<std::uint64_t>::is_always_lock_free);

  static constexpr std::uint64_t slice_ns = 4'000'000;  // between two looks where futex_waitv(2) is missing

  // `file` outlives the platform.
  explicit RealPlatform(SegmentFile& file);

  static void fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

  core::WaitResult wait(std::span<const core::Watch<RealPlatform>> watches, std::uint64_t timeout_ns);
  void wake(Atomic<std::uint32_t>& word, std::uint32_t count) { wake_sleepers(word, count); }

  [[nodiscard]] std::uint64_t boottime_ns() const {
    timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec - boottime_offset_ns_);
  }
  [[nodiscard]] std::uint64_t realtime_ms() const { return milliseconds_since_2026(); }

  // Sessions of this process are others to each other here: a byte that one of them holds is `held_by_other`, and is held.
  // (Locks of one open file description don't conflict, so the platform remembers which ones it has.)
  core::ByteClaim claim_byte(std::uint32_t slot);
  void free_byte(std::uint32_t slot);
  [[nodiscard]] bool byte_is_held(std::uint32_t slot) const;

  // Has the bytes of all later claims locked, and presence held, through a descriptor that other processes may be given: as long as one of
  // them has it, the bytes are held. Before the first claim. The descriptor, 10 or above where there is room; -1: errno says why.
  int share_bytes();
  // See tree_scan.hpp.
  [[nodiscard]] bool tag_is_carried(std::uint64_t tag) const;

  bool arm_bell(Atomic<std::uint32_t>& bell) { return bells_.arm(bell); }
  void disarm_bell(Atomic<std::uint32_t>& bell) { bells_.disarm(bell); }
  // See BellThread::adopt_this_thread.
  [[nodiscard]] bool ring_with_this_thread() { return bells_.adopt_this_thread(); }

  bool raise_token_mark(std::uint64_t number) { return file_.token_mark().raise(number); }

  static constexpr bool breaks(core::Rule) { return false; }

  // In a forked child, before its first session: descriptors, bytes and bells of its own. One thread at a time.
  [[nodiscard]] std::optional<OpenFault> renew_after_fork();
  // Whether this object still belongs to the process that runs. False in a forked child until renew_after_fork().
  [[nodiscard]] bool is_of_this_process() const { return process_generation() == generation_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] int byte_descriptor() const { return shared_bytes_.is_open() ? shared_bytes_.get() : file_.lock_descriptor(); }

  SegmentFile& file_;
  std::int64_t boottime_offset_ns_;
  std::uint32_t sessions_;
  std::atomic<bool> waits_on_many_;
  std::atomic<std::uint64_t> generation_;
  Descriptor shared_bytes_;
  BellThread bells_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> claimed_;  // one bit a slot: held by this object
};

static_assert(core::Platform<RealPlatform>);

}  // namespace tenure::ipc
