#include "ipc/real_platform.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>
#include <utility>

#include "ipc/tree_scan.hpp"

namespace tenure::ipc {
namespace {

using core::ByteClaim;
using core::WaitResult;
using std::uint32_t;
using std::uint64_t;

constexpr std::size_t watches_max = 32;

using RealWatch = core::Watch<RealPlatform>;

bool has_changed(std::span<const RealWatch> watches) {
  // Acquire: what the one who changed the word stored before is seen by whoever is told `changed`.
  return std::any_of(watches.begin(), watches.end(),
                     [](const RealWatch& watch) { return watch.word->load(std::memory_order_acquire) != watch.expected; });
}

std::optional<WaitResult> wait_on_many(std::span<const RealWatch> watches, uint64_t timeout_ns) {
  std::array<FutexWaiter, watches_max> waiters;
  for (std::size_t i = 0; i < watches.size(); ++i) {
    waiters[i] = {watches[i].expected, reinterpret_cast<std::uintptr_t>(watches[i].word), futex_word_is_32_bits, 0};
  }
  return sleep_on_any({waiters.data(), watches.size()}, timeout_ns);
}

// Sleeps on the first word, and looks at the others every slice.
WaitResult wait_in_slices(std::span<const RealWatch> watches, uint64_t timeout_ns) {
  for (uint64_t left_ns = timeout_ns;;) {
    if (has_changed(watches)) return WaitResult::changed;
    if (left_ns == 0) return WaitResult::timed_out;
    const uint64_t slice = std::min(left_ns, RealPlatform::slice_ns);
    const WaitResult result = sleep_on(*watches[0].word, watches[0].expected, slice);
    if (result != WaitResult::timed_out) return result;
    left_ns -= slice;
  }
}

}  // namespace

RealPlatform::RealPlatform(SegmentFile& file)
    : file_(file),
      boottime_offset_ns_(file.boottime_offset_ns()),
      sessions_(file.geometry().sessions),
      waits_on_many_(kernel_abilities().futex_waitv),
      generation_(process_generation()),
      bells_(file.base() + file.geometry().slot_offset, file.geometry().hold_offset - file.geometry().slot_offset,
             kernel_abilities().robust_list),
      claimed_(std::make_unique<std::atomic<uint64_t>[]>((sessions_ + 63) / 64)) {}

WaitResult RealPlatform::wait(std::span<const RealWatch> watches, uint64_t timeout_ns) {
  assert(watches.size() <= watches_max);
  watches = watches.first(std::min(watches.size(), watches_max));
  if (watches.empty()) {
    sleep_for(timeout_ns);
    return WaitResult::timed_out;
  }
  if (watches.size() == 1) return sleep_on(*watches[0].word, watches[0].expected, timeout_ns);
  // Relaxed: nothing else depends on which of the two ways is taken.
  if (waits_on_many_.load(std::memory_order_relaxed)) {
    if (const std::optional<WaitResult> result = wait_on_many(watches, timeout_ns)) return *result;
    waits_on_many_.store(false, std::memory_order_relaxed);
  }
  return wait_in_slices(watches, timeout_ns);
}

ByteClaim RealPlatform::claim_byte(uint32_t slot) {
  if (slot >= sessions_ || !is_of_this_process()) return ByteClaim::failed;
  std::atomic<uint64_t>& word = claimed_[slot / 64];
  const uint64_t bit = uint64_t{1} << (slot % 64);
  // Acquire: partner is the release in free_byte(); the thread that had the slot before has left it wholly.
  if ((word.fetch_or(bit, std::memory_order_acquire) & bit) != 0) return ByteClaim::held_by_other;
  const LockOutcome outcome = lock_byte(byte_descriptor(), slot_byte_first + slot, LockKind::write);
  if (outcome == LockOutcome::done) return ByteClaim::claimed;
  word.fetch_and(~bit, std::memory_order_release);
  return outcome == LockOutcome::conflict ? ByteClaim::held_by_other : ByteClaim::failed;
}

void RealPlatform::free_byte(uint32_t slot) {
  if (slot >= sessions_ || !is_of_this_process()) return;
  (void)lock_byte(byte_descriptor(), slot_byte_first + slot, LockKind::none);
  // The lock first: another thread of ours that claims the slot next must not lose its lock to this call.
  claimed_[slot / 64].fetch_and(~(uint64_t{1} << (slot % 64)), std::memory_order_release);
}

bool RealPlatform::byte_is_held(uint32_t slot) const {
  if (slot >= sessions_ || !is_of_this_process()) return true;
  // Relaxed: a claim that comes or goes at this moment may be seen or not.
  if ((claimed_[slot / 64].load(std::memory_order_relaxed) >> (slot % 64) & 1) != 0) return true;
  return is_write_locked(file_.lock_descriptor(), slot_byte_first + slot);
}

int RealPlatform::share_bytes() {
  // Low numbers are the shells'; where there are no others, a low one has to do.
  constexpr int number_min = 10;
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", file_.lock_descriptor());
  Descriptor opened(::open(path.data(), O_RDWR | O_CLOEXEC));
  if (!opened.is_open()) return -1;
  if (Descriptor moved(fcntl(opened.get(), F_DUPFD_CLOEXEC, number_min)); moved.is_open()) opened = std::move(moved);
  if (lock_byte(opened.get(), presence_byte, LockKind::read) != LockOutcome::done) return -1;
  shared_bytes_ = std::move(opened);
  return shared_bytes_.get();
}

bool RealPlatform::tag_is_carried(uint64_t tag) const { return ipc::tag_is_carried(tag); }

std::optional<OpenFault> RealPlatform::renew_after_fork() {
  if (is_of_this_process()) return std::nullopt;
  if (std::optional<OpenFault> fault = file_.renew_after_fork()) return fault;
  shared_bytes_.close();
  for (uint32_t i = 0; i < (sessions_ + 63) / 64; ++i) claimed_[i].store(0, std::memory_order_relaxed);
  boottime_offset_ns_ = file_.boottime_offset_ns();
  // Release: partner is nobody but this thread's caller, who lets others at the object after this.
  generation_.store(process_generation(), std::memory_order_release);
  return std::nullopt;
}

}  // namespace tenure::ipc
