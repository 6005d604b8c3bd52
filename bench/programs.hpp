// Running other programs, and what they cost.
#pragma once

#include <string>
#include <vector>

namespace tenure::bench {

// What the program wrote to its standard output. Fails if the program does.
[[nodiscard]] std::string output_of(const std::vector<std::string>& words);

struct ProgramCost {
  double wall_ns = 0;
  double peak_bytes = 0;  // the largest resident set of it and of the children that it waited for
  int exit_status = 0;    // -1: a signal
};

// Its output is thrown away.
[[nodiscard]] ProgramCost cost_of_program(const std::vector<std::string>& words);

}  // namespace tenure::bench
