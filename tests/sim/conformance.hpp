// The tests that hold the simulated kernel against the real one. Each makes cases from a seed, plays every case on both, and compares what
// came of it. A difference is a mistake of the model, or of our idea of Linux.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "tests/sim/script.hpp"

// Sanitizer builds are slower: they play this fraction of the cases.
#ifndef TENURE_SIM_SCALE
#define TENURE_SIM_SCALE 1
#endif

namespace tenure::sim::conformance {

constexpr std::uint32_t futex_cases = 2000 / TENURE_SIM_SCALE;
constexpr std::uint32_t robust_list_cases = 1000 / TENURE_SIM_SCALE;
constexpr std::uint32_t byte_lock_cases = 1000 / TENURE_SIM_SCALE;
static_assert((futex_cases + robust_list_cases + byte_lock_cases) * TENURE_SIM_SCALE >= 1000);

constexpr std::uint64_t seed = 20260101;

// Long enough, in a world where only the conductor has anything to do after it, for everybody else to be done.
constexpr std::uint64_t settle_ns = 20'000'000;
inline void settle() { World::active()->futex_wait({}, settle_ns); }

// A simulated run whose one unkillable thread does all that a case says.
class Conducted {
 public:
  explicit Conducted(bool bell_before_unqueue = false) {
    script_.settings.bell_before_unqueue = bell_before_unqueue;
    script_.settings.wake_any_order = false;
    script_.settings.horizon_steps = 1;
    script_.settings.steps_max = 1'000'000;
    script_.settings.turn_steps_max = 1'000'000;
    script_.build = [this](World& world) { world.spawn(world.spawn_process(false), [this] { conduct_(*World::active()); }); };
    runner_.emplace(script_);
  }

  // The conductor goes on until it sleeps, and so does everybody.
  Verdict in_turns(std::function<void(World&)> conduct) {
    conduct_ = std::move(conduct);
    return runner_->replay(std::vector<Decision>{});
  }
  // In the order that the seed says.
  Verdict by_seed(std::uint64_t of_run, std::function<void(World&)> conduct) {
    conduct_ = std::move(conduct);
    return runner_->run_at(of_run);
  }

 private:
  std::function<void(World&)> conduct_;
  Script script_;
  std::optional<Runner> runner_;
};

}  // namespace tenure::sim::conformance
