#include <tenure/sim/main.hpp>

#include <algorithm>
#include <array>

#include "sim/commands/exit_status.hpp"
#include "sim/commands/program.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim {

namespace commands {

namespace {

constexpr std::array all_commands{&run_command,     &hunt_command,      &replay_command, &shrink_command,
                                  &explain_command, &catalogue_command, &targets_command};

bool has_bugs(const Program& program) { return std::ranges::any_of(program.targets, &Target::is_bug); }

std::string overview(const Program& program) {
  std::string text =
      program.name +
      ": runs concurrent programs under a simulated kernel, by every schedule that chance and method find,\n"
      "with kills, pauses and other faults; tells what failed, makes it small, and shows it again.\n\nCommands, each with -h:\n";
  std::vector<std::vector<std::string>> rows;
  for (const Command* command : all_commands) {
    if (command == &catalogue_command && !has_bugs(program)) continue;
    rows.push_back({"  " + std::string(command->name), std::string(command->purpose)});
  }
  text += table_text(rows) + "\nOptions, of which each command takes some:\n";
  std::vector<Key> keys;
  for (const OptionSpec& spec : option_specs()) keys.push_back(spec.key);
  text += options_help(keys);
  return text +
         "\nExit status: 0 nothing failed (catalogue: every bug was found, and no sound twin failed); 1 a property\n"
         "failed; 64 wrong arguments; 65 a tape file is none; 66 a file cannot be read; 71 an error of the operating\n"
         "system; 73 a file cannot be written.\n";
}

std::string help_of(const Program& program, const Command& command) {
  std::string text = program.name + ' ' + std::string(command.name) + ' ' + std::string(command.arguments) + "\n\n";
  text += std::string(command.details) + '\n' + options_help(command.options);
  if (!command.examples.empty()) text += "Examples:\n";
  for (std::string_view rest = command.examples; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    text += "  " + program.name + ' ' + std::string(rest.substr(0, end)) + '\n';
    rest.remove_prefix(end + 1);
  }
  return text;
}

const Command* find_command(const Program& program, std::string_view name) {
  const auto* const found = std::ranges::find(all_commands, name, &Command::name);
  if (found != all_commands.end()) return *found;
  std::vector<std::string> names;
  for (const Command* command : all_commands) names.emplace_back(command->name);
  const std::vector<std::string> near = near_matches(name, names);
  const std::string hint = near.empty() ? "" : "; near it: " + near[0];
  complain(program.name, quoted(name) + " is none of its commands" + hint + "\nsee: " + program.name + " --help");
  return nullptr;
}

int dispatch(const Program& program, std::span<char* const> arguments) {
  ParsedArguments parsed = parse_arguments(arguments);
  const bool wants_help = parsed.has(Key::help);
  if (!parsed.error.empty()) {
    complain(program.name, parsed.error + "\nsee: " + program.name + " --help");
    return exit_usage;
  }
  if (parsed.operands.empty()) {
    if (wants_help) return print(overview(program)) ? exit_ok : exit_system;
    complain(program.name, "which command? see: " + program.name + " --help");
    return exit_usage;
  }
  const Command* command = find_command(program, parsed.operands[0]);
  if (command == nullptr) return exit_usage;
  parsed.operands.erase(parsed.operands.begin());
  for (const GivenOption& option : parsed.options) {
    const bool takes = option.key == Key::help || std::ranges::find(command->options, option.key) != command->options.end();
    if (!takes) return usage_error(program, *command, "`" + std::string(command->name) + "` takes no " + option.name);
  }
  if (wants_help) return print(help_of(program, *command)) ? exit_ok : exit_system;
  const WishesOrError read = wishes_from(parsed);
  if (read.error.empty()) return command->run(program, read.wishes);
  complain(program.name, read.error);
  return read.status;
}

}  // namespace

int usage_error(const Program& program, const Command& command, std::string_view what) {
  const std::string line = program.name + ' ' + std::string(command.name);
  complain(program.name, std::string(what) + "\nusage: " + line + ' ' + std::string(command.arguments) + "; more: " + line + " -h");
  return exit_usage;
}

}  // namespace commands

int sim_main(int argc, char** argv, std::span<const Target> targets) {
  const std::span<char* const> all(argv, static_cast<std::size_t>(argc));
  return commands::dispatch({all.empty() ? "sim" : all[0], targets}, all.subspan(std::min<std::size_t>(all.size(), 1)));
}

}  // namespace tenure::sim
