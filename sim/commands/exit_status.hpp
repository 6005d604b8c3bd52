// The exit statuses, those of `tenure`.
#pragma once

namespace tenure::sim::commands {

enum ExitStatus : int {
  exit_ok = 0,
  exit_failed = 1,        // a property failed, or a bug was not found
  exit_usage = 64,        // wrong arguments
  exit_data = 65,         // a file is not what it should be, or a run is not the one it was
  exit_no_input = 66,     // cannot be read
  exit_system = 71,       // an operating-system error
  exit_cannot_make = 73,  // cannot be written
};

}  // namespace tenure::sim::commands
