// What `shrink` and `explain` begin with: the failing run that the arguments name, made small.
#pragma once

#include <memory>
#include <optional>

#include "sim/commands/outcome.hpp"

namespace tenure::sim::commands {

struct Small {
  std::unique_ptr<Stage> stage;
  Finding finding;
};

// Nothing: what is wrong has been said, and `status` is the program's.
std::optional<Small> small_run(const Program& program, const Command& command, const Wishes& wishes, int& status);

}  // namespace tenure::sim::commands
