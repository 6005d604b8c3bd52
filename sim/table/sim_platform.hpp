// The simulated Platform: core/'s algorithms on the active World. It has no state; whose call it is follows from the running thread.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <span>

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/world.hpp>
#include "core/platform.hpp"

namespace tenure::sim {

// The rules of the lease table that a run leaves out are bits of Config::planted.
constexpr std::uint64_t rule_bit(core::Rule rule) { return std::uint64_t{1} << static_cast<unsigned>(rule); }
static_assert(static_cast<unsigned>(core::Rule::count_) <= 64);

class SimPlatform {
 public:
  template <class T>
  using Atomic = sim::Atomic<T>;

  static constexpr std::uint32_t group_entries = 8;              // see core::Names
  static constexpr std::uint64_t overdue_grace_ns = 40'000'000;  // see core::Leases

  static void fence(Site site = Site::current()) { sim::fence(site); }

  core::WaitResult wait(std::span<const core::Watch<SimPlatform>> watches, std::uint64_t timeout_ns, Site site = Site::current()) {
    constexpr std::size_t watches_max = 32;
    assert(watches.size() <= watches_max);
    std::array<FutexWatch, watches_max> kernel;
    for (std::size_t i = 0; i < watches.size(); ++i) kernel[i] = {watches[i].word->address(), watches[i].expected};
    switch (world().futex_wait({kernel.data(), watches.size()}, timeout_ns, site)) {
      case Wakeup::woken: return core::WaitResult::woken;
      case Wakeup::changed: return core::WaitResult::changed;
      case Wakeup::timed_out: break;
    }
    return core::WaitResult::timed_out;
  }

  void wake(Atomic<std::uint32_t>& word, std::uint32_t count, Site site = Site::current()) {
    world().futex_wake(word.address(), count, site);
  }
  std::uint64_t boottime_ns(Site site = Site::current()) { return world().read_boottime_ns(site); }
  std::uint64_t realtime_ms(Site site = Site::current()) { return world().read_realtime_ms(site); }
  core::ByteClaim claim_byte(std::uint32_t slot, Site site = Site::current()) {
    switch (world().claim_byte(slot, site)) {
      case ByteClaim::claimed: return core::ByteClaim::claimed;
      case ByteClaim::held_by_other: return core::ByteClaim::held_by_other;
      case ByteClaim::failed: break;
    }
    return core::ByteClaim::failed;
  }
  void free_byte(std::uint32_t slot, Site site = Site::current()) { world().free_byte(slot, site); }
  bool byte_is_held(std::uint32_t slot, Site site = Site::current()) { return world().byte_is_held(slot, site); }
  bool tag_is_carried(std::uint64_t tag, Site site = Site::current()) { return world().tag_is_carried(tag, site); }
  bool arm_bell(Atomic<std::uint32_t>& word, Site site = Site::current()) { return world().arm_bell(word.address(), site); }
  void disarm_bell(Atomic<std::uint32_t>& word, Site site = Site::current()) { world().disarm_bell(word.address(), site); }
  bool raise_token_mark(std::uint64_t number, Site site = Site::current()) { return world().raise_token_mark(number, site); }

  static bool breaks(core::Rule rule) { return (planted_mistakes & rule_bit(rule)) != 0; }

  static World& world() {
    assert(World::active() != nullptr && "only a simulated thread may call the kernel");
    return *World::active();
  }
};

static_assert(core::Platform<SimPlatform>);

}  // namespace tenure::sim
