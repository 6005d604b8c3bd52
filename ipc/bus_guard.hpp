// Turns "the file behind our mapping has shrunk" from a crash into damage that is seen.
//
// A load from a page that a truncated file no longer has raises SIGBUS. The handler replaces the whole mapping by private pages of zeros
// and lets the load go on: it reads 0, and in a segment 0 is damage, never a state. A SIGBUS anywhere else goes to the handler that was
// there before, or to the default. The handler is installed with the first mapping, and stays.
#pragma once

#include <cstddef>

namespace tenure::ipc {

class BusGuard {
 public:
  static constexpr int mappings_max = 64;

  BusGuard() = default;
  // Watches over a mapping of whole pages. At most mappings_max at a time; further ones are not watched.
  BusGuard(void* base, std::size_t bytes);
  BusGuard(BusGuard&& other) noexcept;
  BusGuard& operator=(BusGuard&& other) noexcept;
  BusGuard(const BusGuard&) = delete;
  BusGuard& operator=(const BusGuard&) = delete;
  // Before the mapping is unmapped.
  ~BusGuard();

  [[nodiscard]] bool watches() const { return index_ >= 0; }
  // The mapping is zeros by now, and the segment lost to this process.
  [[nodiscard]] bool has_replaced() const;

 private:
  int index_ = -1;
};

}  // namespace tenure::ipc
