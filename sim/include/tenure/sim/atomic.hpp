// The simulated atomic: the size, alignment and bytes of T, and the member functions of std::atomic<T>; every operation is a step of the
// active world. Without an active world - in setup, checks and callbacks - it acts at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#include <tenure/sim/world.hpp>

namespace tenure::sim {

constexpr bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_consume || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}
constexpr bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}
constexpr bool sequential(std::memory_order order) { return order == std::memory_order_seq_cst; }

// std::atomic_thread_fence(seq_cst). Under sequential consistency a fence changes nothing, and is no step.
inline void fence(Site site = Site::current()) {
  World* const world = World::active();
  if (world == nullptr || !(world->buffers_stores() || world->has_stale_reads())) return;
  world->step(site);
  world->barrier();
  world->record(Op::fence, nullptr, 0);
}

template <class T>
class Atomic {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8));

 public:
  constexpr Atomic() noexcept = default;
  constexpr Atomic(T value) noexcept : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst, Site site = Site::current()) const noexcept {
    World* const world = World::active();
    if (world == nullptr) return value_;
    world->step(site);
    std::uint64_t bits = to_bits(value_);
    if (world->has_stale_reads()) [[unlikely]] {
      bits = world->weak_load(this, bits, acquires(order), sequential(order));
    } else {
      world->forwards(this, bits);
    }
    world->record(Op::load, this, bits);
    return from_bits(bits);
  }

  void store(T value, std::memory_order order = std::memory_order_seq_cst, Site site = Site::current()) noexcept {
    World* const world = World::active();
    if (world == nullptr) {
      value_ = value;
      return;
    }
    world->step(site);
    if (world->buffers_stores() && !sequential(order)) {
      world->buffer_store(&value_, sizeof(T), to_bits(value));
    } else {
      world->drain();
      if (world->has_stale_reads()) [[unlikely]]
        world->weak_memory().store(world->this_thread(), this, to_bits(value_), to_bits(value), releases(order), sequential(order));
      value_ = value;
    }
    world->record(Op::store, this, to_bits(value), sequential(order));
  }

  T exchange(T value, std::memory_order order = std::memory_order_seq_cst, Site site = Site::current()) noexcept {
    return modify(Op::exchange, order, site, [&](T) { return value; });
  }
  T fetch_add(T value, std::memory_order order = std::memory_order_seq_cst, Site site = Site::current()) noexcept {
    return modify(Op::fetch_add, order, site, [&](T old) { return static_cast<T>(old + value); });
  }
  T fetch_sub(T value, std::memory_order order = std::memory_order_seq_cst, Site site = Site::current()) noexcept {
    return modify(Op::fetch_add, order, site, [&](T old) { return static_cast<T>(old - value); });
  }
  T fetch_or(T value, std::memory_order order = std::memory_order_seq_cst, Site site = Site::current()) noexcept {
    return modify(Op::fetch_add, order, site, [&](T old) { return static_cast<T>(old | value); });
  }
  T fetch_and(T value, std::memory_order order = std::memory_order_seq_cst, Site site = Site::current()) noexcept {
    return modify(Op::fetch_add, order, site, [&](T old) { return static_cast<T>(old & value); });
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure,
                               Site site = Site::current()) noexcept {
    World* const world = World::active();
    if (world != nullptr) {
      world->step(site);
      world->drain();
    }
    return exchange_if_equal(world, expected, desired, success, failure);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst,
                               Site site = Site::current()) noexcept {
    return compare_exchange_strong(expected, desired, order, order == std::memory_order_acq_rel ? std::memory_order_acquire : order, site);
  }

  // May fail for no reason, as on processors whose stores are conditional.
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure,
                             Site site = Site::current()) noexcept {
    World* const world = World::active();
    if (world == nullptr || !world->fails_weak_cas()) return compare_exchange_strong(expected, desired, success, failure, site);
    world->step(site);
    world->record(Op::cas_failed, this, to_bits(value_), to_bits(desired), "for no reason");
    expected = value_;
    return false;
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst,
                             Site site = Site::current()) noexcept {
    return compare_exchange_weak(expected, desired, order, order == std::memory_order_acq_rel ? std::memory_order_acquire : order, site);
  }

  // What memory holds, whatever the store buffers hold back; no step. For oracles.
  T ghost() const noexcept { return value_; }
  const T* address() const noexcept { return &value_; }
  T* address() noexcept { return &value_; }

 private:
  bool exchange_if_equal(World* world, T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    const T seen = value_;
    const bool equal = to_bits(seen) == to_bits(expected);
    if (world != nullptr && world->has_stale_reads()) [[unlikely]] {
      WeakMemory& memory = world->weak_memory();
      if (equal) {
        memory.modify(world->this_thread(), this, to_bits(seen), to_bits(desired), acquires(success), releases(success),
                      sequential(success));
      } else {
        memory.read(world->this_thread(), this, to_bits(seen), 0, acquires(failure), sequential(failure));
      }
    }
    if (world != nullptr) world->record(equal ? Op::cas : Op::cas_failed, this, to_bits(seen), to_bits(desired));
    if (equal) {
      value_ = desired;
    } else {
      expected = seen;
    }
    return equal;
  }

  template <class Function>
  T modify(Op op, std::memory_order order, Site site, Function function) noexcept {
    World* const world = World::active();
    if (world != nullptr) {
      world->step(site);
      world->drain();
    }
    const T old = value_;
    const T next = function(old);
    if (world != nullptr && world->has_stale_reads()) [[unlikely]]
      world->weak_memory().modify(world->this_thread(), this, to_bits(old), to_bits(next), acquires(order), releases(order),
                                  sequential(order));
    value_ = next;
    if (world != nullptr) world->record(op, this, to_bits(old), to_bits(next));
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
