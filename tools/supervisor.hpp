// The supervisor of `tenure run`: the process that the caller started. It passes signals and stops between the terminal, the caller and the
// guard, says what the guard has to say, and ends as the command ended. If the guard is killed, it kills the command's tree itself.
#pragma once

#include "tools/guard.hpp"
#include "tools/run_plan.hpp"

namespace tenure::tools {

// Returns the exit status of the program, or ends it by the signal that ended the command.
[[nodiscard]] int supervise(const RunPlan& plan, EventStream& events, ArgumentArea area);

}  // namespace tenure::tools
