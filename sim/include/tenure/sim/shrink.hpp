// Makes a failing run small: fewer processes, faults, context switches and steps, always with the same property violated.
#pragma once

#include <compare>
#include <cstdint>

#include <tenure/sim/runner.hpp>

namespace tenure::sim {

// How much a reader has to follow. Compared in this order.
struct RunSize {
  std::uint32_t processes = 0;  // that take a step
  std::uint32_t faults = 0;
  std::uint32_t switches = 0;  // times that another thread goes on than the last one
  std::uint32_t steps = 0;
  std::uint32_t deviations = 0;  // from the quiet run
  auto operator<=>(const RunSize&) const = default;
};

struct ShrinkBudget {
  std::uint64_t replays_max = 20'000;
  double seconds_max = 2;
};

struct Shrunk {
  Failure failure;  // its tape is the small one; it has no id
  RunSize before;
  RunSize after;
  std::uint64_t replays = 0;
  double seconds = 0;
  bool finished = false;  // nothing more could be taken away; else the budget ended it
};

// REQUIRES: `failure` was found by `runner`, or by one of the same scenario and configuration.
Shrunk shrink(Runner& runner, const Failure& failure, const ShrinkBudget& budget = {});

}  // namespace tenure::sim
