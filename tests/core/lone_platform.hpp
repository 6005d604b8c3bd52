// A platform on which one process is alone, and every call is written down.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/sessions.inl.hpp"

namespace tenure::core {

struct LonePlatform {
  template <class T>
  using Atomic = std::atomic<T>;
  static void fence() {}
  WaitResult wait(std::span<const Watch<LonePlatform>>, uint64_t) { return WaitResult::timed_out; }
  void wake(Atomic<uint32_t>&, uint32_t) {}
  uint64_t boottime_ns() { return ++now_ns; }
  uint64_t realtime_ms() { return 1; }
  ByteClaim claim_byte(uint32_t) { return answer; }
  void free_byte(uint32_t slot) { freed.push_back(slot); }
  bool byte_is_held(uint32_t) { return true; }
  bool tag_is_carried(uint64_t) { return false; }
  bool arm_bell(Atomic<uint32_t>& bell) {
    if (has_bells) armed.push_back(&bell);
    return has_bells;
  }
  void disarm_bell(Atomic<uint32_t>& bell) { disarmed.push_back(&bell); }
  bool raise_token_mark(uint64_t) { return true; }
  static constexpr bool breaks(Rule) { return false; }

  uint64_t now_ns = 1;
  ByteClaim answer = ByteClaim::claimed;
  bool has_bells = true;
  std::vector<uint32_t> freed;
  std::vector<void*> armed;
  std::vector<void*> disarmed;
};

// A table on it, with the memory that it needs.
class LoneTable {
 public:
  explicit LoneTable(Capacity capacity) : identity_(finished({}, capacity)) {
    write_initial_image(identity_,
                        [&](uint64_t offset, const auto& page) { std::memcpy(memory_.get() + offset, page.data(), sizeof(page)); });
  }

 private:
  static std::byte* zeros(uint64_t bytes) {
    void* memory = std::aligned_alloc(page_bytes, bytes);
    std::memset(memory, 0, bytes);
    return static_cast<std::byte*>(memory);
  }

  SegmentIdentity identity_;
  std::unique_ptr<std::byte, void (*)(void*)> memory_{zeros(identity_.size_bytes), &std::free};

 public:
  LonePlatform platform;
  Table<LonePlatform> table{platform, memory_.get(), identity_};
  Leases<LonePlatform> leases{table};
  Sessions<LonePlatform> sessions{table, leases};
};

}  // namespace tenure::core
