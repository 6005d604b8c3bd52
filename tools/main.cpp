#include <array>

#include <tenure/version.hpp>

#include "tools/caller_files.hpp"
#include "tools/command.hpp"
#include "tools/exit_status.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr std::array commands{&run_command,         &hold_command, &check_command,  &wait_command, &ls_command, &show_command,
                              &break_command_entry, &rm_command,   &doctor_command, &init_command, &sim_command};

const Command* find_command(std::string_view name) {
  for (const Command* command : commands) {
    if (command->name == name) return command;
  }
  return nullptr;
}

std::string overview() {
  std::string text =
      "tenure: named locks for the processes of this host, which survive kill -9 and say who holds them.\n\n"
      "  tenure run backups/orders -- ./backup.sh     runs it while nobody else holds backups/orders\n"
      "  tenure show backups/orders                   who holds it, who waits, and how to break it\n\n"
      "Commands, each with -h:\n";
  std::vector<std::vector<std::string>> rows;
  rows.reserve(commands.size() + 1);
  for (const Command* command : commands) rows.push_back({std::string("  ").append(command->name), std::string(command->purpose)});
  rows.push_back({"  help [COMMAND]", "this text, or that of a command"});
  text += table_text(rows);
  text +=
      "\nExit status: the command's own (run); 1 conflict, timeout, or an answer that is no; 64 wrong arguments;\n"
      "65 the table or a file is damaged; 66 cannot open; 69 the command cannot be started; 71 an error of the\n"
      "operating system; 73 cannot create; 75 try again later; 77 not permitted; 78 configuration; 79 the lease\n"
      "was lost, or --max was up, while the command ran; 128 + n: signal n ended the command.\n";
  return text;
}

int unknown_command(std::string_view name) {
  complain(quoted(name) + " is none of its commands; see: tenure help");
  return exit_usage;
}

std::array<char, 7> help_option_text{"--help"};
std::array<char*, 1> help_option_argument{help_option_text.data()};

int help(std::span<char*> arguments) {
  if (arguments.empty()) return print(overview()) ? exit_ok : exit_system;
  if (const Command* command = find_command(arguments[0])) {
    // Only its own program knows its options.
    if (command == &sim_command) return command->run(std::span(help_option_argument));
    return print_help(*command);
  }
  return unknown_command(arguments[0]);
}

int dispatch(std::span<char*> arguments) {
  if (arguments.size() < 2) {
    complain("which command? see: tenure help");
    return exit_usage;
  }
  const std::string_view name = arguments[1];
  if (name == "help" || name == "-h" || name == "--help") return help(arguments.subspan(2));
  if (name == "--version") return print(std::string("tenure ") + version() + "\n") ? exit_ok : exit_system;
  if (const Command* command = find_command(name)) return command->run(arguments.subspan(2));
  return unknown_command(name);
}

}  // namespace

int print_help(const Command& command) {
  std::string text = "tenure " + std::string(command.name) + " " + std::string(command.arguments) + "\n\n";
  text += command.details;
  (text += '\n') += options_help(command.options);
  if (!command.examples.empty()) (text += "Examples:\n") += command.examples;
  return print(text) ? exit_ok : exit_system;
}

int usage_error(const Command& command, std::string_view what) {
  const std::string name(command.name);
  complain(std::string(what) + "\nusage: tenure " + name + " " + std::string(command.arguments) + "; more: tenure " + name + " -h");
  return exit_usage;
}

}  // namespace tenure::tools

int main(int argc, char** argv) {
  tenure::tools::fill_standard_descriptors();
  return tenure::tools::dispatch(std::span(argv, static_cast<std::size_t>(argc)));
}
