// The exit statuses of the program, those of flock(1) where it has one; the man page lists them.
#pragma once

namespace tenure::tools {

enum ExitStatus : int {
  exit_ok = 0,
  exit_no = 1,            // conflict or timeout; an answer that is no
  exit_usage = 64,        // wrong arguments
  exit_data = 65,         // the table or a file is not what it should be
  exit_no_input = 66,     // cannot be opened
  exit_not_started = 69,  // the command cannot be started
  exit_system = 71,       // an operating-system error
  exit_cannot_make = 73,  // cannot be created
  exit_try_later = 75,    // the space is full, or somebody is in the way and will go
  exit_not_permitted = 77,
  exit_configuration = 78,
  exit_lost = 79,          // the lease was lost while the command ran
  exit_signal_base = 128,  // plus the signal's number
};

}  // namespace tenure::tools
