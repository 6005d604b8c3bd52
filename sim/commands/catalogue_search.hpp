// Looks for known bugs, each in a process of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tenure/sim/main.hpp>
#include <tenure/sim/tape.hpp>

namespace tenure::sim::commands {

struct CatalogueOptions {
  double seconds_max = 60;
  std::uint32_t jobs = 0;  // 0: one a processor
  bool engines = false;    // also each engine alone
  std::uint64_t runs_max = ~std::uint64_t{0};
};

struct BugResult {
  const Target* bug = nullptr;
  bool found = false;
  std::optional<RunId> id = {};  // of the first run that fails the bug's property
  std::uint64_t seeds = 0;       // runs until then, or all of them
  std::uint64_t hash = 0;
  double seconds = 0;
  // Of the sound twin.
  std::uint64_t sound_runs = 0;
  std::string sound_failure = {};  // property and run, if anything failed
  // In the order of all_engines(): runs until it was found; nothing: not within the budget.
  std::vector<std::optional<std::uint64_t>> engines = {};
  std::string trouble = {};  // what became of the process that should have looked

  bool passed() const { return found && sound_failure.empty() && trouble.empty(); }
};

// In the order of `bugs`. `done` is called after each of them, in the order of finishing, with the number of those that are done.
std::vector<BugResult> search_catalogue(std::span<const Target* const> bugs, const CatalogueOptions& options,
                                        const std::function<void(const BugResult&, std::size_t)>& done);

}  // namespace tenure::sim::commands
