// The simulated atomic: the size, alignment and bytes of T; every operation is a step of the active world. Without an active world - in
// setup, checks and callbacks - it acts at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "sim/world.hpp"

namespace tenure::sim {

template <class T>
class Atomic {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8));

 public:
  constexpr Atomic() noexcept = default;
  constexpr Atomic(T value) noexcept : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order = std::memory_order_seq_cst) const noexcept {
    World* const world = World::active();
    if (world == nullptr) return value_;
    world->step();
    std::uint64_t bits = to_bits(value_);
    world->forwards(this, bits);
    world->record(Op::load, this, bits);
    return from_bits(bits);
  }

  void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    World* const world = World::active();
    if (world == nullptr) {
      value_ = value;
      return;
    }
    world->step();
    if (world->buffers_stores() && order != std::memory_order_seq_cst) {
      world->buffer_store(&value_, sizeof(T), to_bits(value));
    } else {
      world->drain();
      value_ = value;
    }
    world->record(Op::store, this, to_bits(value), order == std::memory_order_seq_cst);
  }

  T exchange(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
    return modify(Op::exchange, [&](T) { return value; });
  }

  T fetch_add(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
    return modify(Op::fetch_add, [&](T old) { return static_cast<T>(old + value); });
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order, std::memory_order) noexcept {
    return compare_exchange_strong(expected, desired);
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order = std::memory_order_seq_cst) noexcept {
    World* const world = World::active();
    if (world != nullptr) {
      world->step();
      world->drain();
    }
    const T seen = value_;
    const bool equal = to_bits(seen) == to_bits(expected);
    if (world != nullptr) world->record(equal ? Op::cas : Op::cas_failed, this, to_bits(seen), to_bits(desired));
    if (equal) {
      value_ = desired;
    } else {
      expected = seen;
    }
    return equal;
  }

  // What memory holds, whatever the store buffers hold back; no step. For oracles.
  T ghost() const noexcept { return value_; }
  const T* address() const noexcept { return &value_; }
  T* address() noexcept { return &value_; }

 private:
  template <class Function>
  T modify(Op op, Function function) noexcept {
    World* const world = World::active();
    if (world != nullptr) {
      world->step();
      world->drain();
    }
    const T old = value_;
    value_ = function(old);
    if (world != nullptr) world->record(op, this, to_bits(old), to_bits(value_));
    return old;
  }

  static std::uint64_t to_bits(T value) noexcept {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  static T from_bits(std::uint64_t bits) noexcept {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }

  alignas(sizeof(T)) T value_{};
};

}  // namespace tenure::sim
