// What the body of a simulated thread calls: sleeping, waking, clocks, requests. Each is a step, and only a simulated thread may call it.
#pragma once

#include <cassert>
#include <cstdint>

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

constexpr std::uint64_t us = 1'000;
constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t seconds = 1'000'000'000;
constexpr std::uint32_t everybody = ~std::uint32_t{0};

// The world whose thread is running.
inline World& here() {
  assert(World::active() != nullptr && "only a simulated thread may call the kernel");
  return *World::active();
}

// A new process with one thread. `body()` is copied, and never destroyed: it must not own memory.
template <class Body>
ProcessId start_process(World& world, Body body, bool killable = true, HostId host = 0) {
  const ProcessId process = world.spawn_process(killable, host);
  world.spawn(process, body);
  return process;
}

// futex(2): sleeps as long as the word holds `expected`, until woken. May end for no reason.
inline Wakeup sleep_on(const Atomic<std::uint32_t>& word, std::uint32_t expected, std::uint64_t timeout_ns = never_ns,
                       Site site = Site::current()) {
  const FutexWatch watch{word.address(), expected};
  return here().futex_wait({&watch, 1}, timeout_ns, site);
}
// How many were woken.
inline std::uint32_t wake(const Atomic<std::uint32_t>& word, std::uint32_t count = 1, Site site = Site::current()) {
  return here().futex_wake(word.address(), count, site);
}
inline void nap(std::uint64_t ns, Site site = Site::current()) { here().futex_wait({}, ns, site); }

// Clocks of the process's host, in nanoseconds and milliseconds: since boot with and without the time of suspension; of day, which may
// jump.
inline std::uint64_t boottime_ns(Site site = Site::current()) { return here().read_boottime_ns(site); }
inline std::uint64_t monotonic_ns(Site site = Site::current()) { return here().read_monotonic_ns(site); }
inline std::uint64_t realtime_ms(Site site = Site::current()) { return here().read_realtime_ms(site); }

}  // namespace tenure::sim
