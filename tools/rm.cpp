#include <array>

#include "tools/command.hpp"
#include "tools/exit_status.hpp"
#include "tools/space_access.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr std::array specs{space_option, help_option};

int remove(const std::string& space_name, const char* name) {
  int status = exit_ok;
  std::optional<Space> space = open_space(space_name, true, status);
  if (!space) return status;
  const auto result = space->remove(name);
  if (result) return exit_ok;
  const std::string what = quoted(name);
  switch (result.error()) {
    case RemoveError::bad_name: complain(refusal_text(AcquireError::bad_name, name)); return exit_usage;
    case RemoveError::absent: complain(what + " is not in the table"); return exit_no;
    case RemoveError::in_use:
      complain(what + " is held or waited for; see: tenure show " + shell_word(name) + space_argument(space_name));
      return exit_no;
    case RemoveError::timed_out: complain("somebody else has been changing the table for too long; try again"); return exit_try_later;
    case RemoveError::damaged: complain(refusal_text(AcquireError::damaged, name)); return exit_data;
    case RemoveError::system: break;
  }
  complain(refusal_text(AcquireError::system, name));
  return exit_system;
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::mixed);
  if (!parsed.error.empty()) return usage_error(rm_command, parsed.error);
  std::string_view space;
  for (const Option& option : parsed.options) {
    if (option.key == help_key) return print_help(rm_command);
    space = option.value;
  }
  if (parsed.operands.size() != 1) return usage_error(rm_command, "which NAME?");
  return remove(chosen_space(space), parsed.operands[0]);
}

}  // namespace

const Command rm_command{
    "rm",
    "[options] NAME",
    "takes a free NAME out of the table",
    "Never needed: a full table makes room by itself. The tokens of a name that comes back go on growing.\n",
    specs,
    "  tenure rm backups/orders\n",
    run,
};

}  // namespace tenure::tools
