#include <array>

#include "tools/command.hpp"
#include "tools/exit_status.hpp"
#include "tools/space_access.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

enum Key : int { key_group, key_names, key_sessions };
constexpr std::array specs{
    space_option,
    OptionSpec{key_group, "--group", "G", "for all members of this group; --space is a directory"},
    OptionSpec{key_names, "--names", "N", "room for so many names; 22528"},
    OptionSpec{key_sessions, "--sessions", "N", "room for so many processes at a time; 2046"},
    help_option,
};

bool read_count(const Option& option, std::uint32_t& count) {
  const std::optional<std::uint64_t> number = parse_number(option.value);
  if (!number || *number == 0 || *number > UINT32_MAX) return false;
  count = static_cast<std::uint32_t>(*number);
  return true;
}

int make(const Space::Options& options) {
  const Result<Space, OpenError> opened = Space::open(options);
  if (!opened) {
    complain(refusal_text(opened.error()));
    return exit_status_of(opened.error().code);
  }
  Space space = *opened;
  const SpaceReport report = space.report();
  const bool other = (options.names != 0 && report.names_capacity < options.names) ||
                     (options.sessions != 0 && report.sessions_capacity < options.sessions);
  const std::string text = clean(report.table_path) + ": " + std::to_string(report.names_capacity) + " names, " +
                           std::to_string(report.sessions_capacity) + " sessions, " + std::to_string(report.size_bytes >> 10U) + " KiB\n";
  if (!print(text)) return exit_system;
  if (other) {
    complain("there was a smaller space already; it is made anew once no process uses it and its table is deleted");
    return exit_cannot_make;
  }
  return exit_ok;
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::mixed);
  if (!parsed.error.empty()) return usage_error(init_command, parsed.error);
  Space::Options options;
  std::string_view space;
  for (const Option& option : parsed.options) {
    switch (option.key) {
      case space_key: space = option.value; break;
      case key_group: options.group = option.value; break;
      case key_names:
      case key_sessions:
        if (!read_count(option, option.key == key_names ? options.names : options.sessions)) {
          return usage_error(init_command, std::string(option.name) + " " + clean(option.value) + ": a number from 1 on");
        }
        break;
      default: return print_help(init_command);
    }
  }
  if (!parsed.operands.empty()) return usage_error(init_command, "it takes no operands; the space is named by --space");
  options.name = chosen_space(space);
  return make(options);
}

}  // namespace

const Command init_command{
    "init",
    "[--space NAME|DIR] [options]",
    "makes a space, say one for a group, or one with room for more names",
    "Not needed for a user's own space, which is made on first use. A space for a group lies in a\n"
    "directory that all of its members name.\n",
    specs,
    "  tenure init --space /srv/team/locks --group team\n",
    run,
};

}  // namespace tenure::tools
