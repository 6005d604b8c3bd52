// Makes a failing run small: fewer processes, faults, context switches and steps, always with the same property violated.
#pragma once

#include <compare>
#include <cstdint>

#include <tenure/sim/runner.hpp>

namespace tenure::sim {

// How much a reader has to follow.
struct RunSize {
  std::uint32_t processes = 0;  // that take a step
  std::uint32_t faults = 0;
  std::uint32_t switches = 0;  // times that another thread goes on than the last one
  std::uint32_t steps = 0;
  std::uint32_t deviations = 0;  // from the quiet run

  // In steps: what a process, a fault, a switch more is worth to a reader.
  std::uint64_t cost() const { return std::uint64_t{16} * processes + std::uint64_t{8} * faults + std::uint64_t{4} * switches + steps; }
  bool operator==(const RunSize&) const = default;
  auto operator<=>(const RunSize& other) const {
    return cost() != other.cost() ? cost() <=> other.cost() : deviations <=> other.deviations;
  }
};

struct ShrinkBudget {
  std::uint64_t replays_max = 100'000;
  double seconds_max = 1.8;
  // When nothing more can be taken away: look for other runs that fail by the same property and are shorter, and shrink those. What is
  // found may be another mistake with the same consequence.
  bool looks_elsewhere = true;
};

struct Shrunk {
  Failure failure;  // its tape is the small one; it has no id
  RunSize before;
  RunSize after;
  std::uint64_t replays = 0;
  double seconds = 0;
  bool finished = false;  // nothing more could be taken away from it; else the budget ended it
};

// REQUIRES: `failure` was found by `runner`, or by one of the same scenario and configuration.
Shrunk shrink(Runner& runner, const Failure& failure, const ShrinkBudget& budget = {});

}  // namespace tenure::sim
