// What `replay` and `run --run` say about one run.
#pragma once

#include <string>

#include "sim/commands/outcome.hpp"

namespace tenure::sim::commands {

struct TellOptions {
  bool trace = false;
  bool json = false;
  std::string html_path = {};
};

// The verdict, and of a failing run the timeline. Returns the exit status.
int tell_run(const Program& program, Stage& stage, const Failure& run, const TellOptions& options);

}  // namespace tenure::sim::commands
