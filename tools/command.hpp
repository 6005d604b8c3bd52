// The commands of the program. Each takes its arguments without its own name, and returns the exit status.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tools/options.hpp"

namespace tenure::tools {

struct Command {
  std::string_view name;
  std::string_view arguments;  // of the usage line
  std::string_view purpose;    // one line
  std::string_view details;    // for help; lines, each ended
  std::span<const OptionSpec> options;
  std::string_view examples;  // for help; lines, each ended
  int (*run)(std::span<char*> arguments);
};

extern const Command run_command;
extern const Command hold_command;
extern const Command check_command;
extern const Command wait_command;
extern const Command ls_command;
extern const Command show_command;
extern const Command break_command_entry;
extern const Command rm_command;
extern const Command doctor_command;
extern const Command init_command;
extern const Command sim_command;

// Prints the help of a command.
int print_help(const Command& command);

// Says what is wrong with the arguments, and returns the exit status for that.
int usage_error(const Command& command, std::string_view what);

}  // namespace tenure::tools
