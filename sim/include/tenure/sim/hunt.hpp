// Hunts for failures with several worker processes, each of which may crash, hang or run out of memory by the code under test: that is a
// finding, and the hunt goes on.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/sim/main.hpp>
#include <tenure/sim/runner.hpp>

namespace tenure::sim {

struct HuntOptions {
  double seconds_max = 60;
  std::uint64_t runs_max = ~std::uint64_t{0};
  std::uint32_t jobs = 0;                            // worker processes; 0: one a processor
  std::uint64_t first_index = 0;                     // of the list of runs
  std::optional<RunId> engine = {};                  // this engine alone
  bool stop_at_first = true;                         // else: until the budget is spent, the first run of every property
  double silent_seconds_max = 2;                     // of processor time without a step: the run is stuck
  const volatile std::sig_atomic_t* stop = nullptr;  // ends the hunt when it is no longer 0, as the end of the budget does
};

struct HuntProgress {
  double seconds = 0;
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;
  std::size_t failures = 0;
};

// Failures in the order of their index, the first of each property; `sometimes` summed up. `progress` is called about once a second.
Report hunt(const Target& target, const HuntOptions& options, const std::function<void(const HuntProgress&)>& progress = {});

// Whether a failure of this property can be seen again in the same process, as shrinking does it some thousand times. Of the others each
// replay costs seconds or a heap.
inline bool can_be_shrunk(std::string_view property) { return property != "stuck" && property != "memory"; }

// Runs one tape in a process of its own: what it does to that process is the verdict. Of crashes the property is "crash", of runs without a
// step "stuck", of too much memory "memory".
Verdict run_isolated(const Target& target, const Config& config, const std::vector<Decision>& tape, const HuntOptions& options = {});

}  // namespace tenure::sim
