#include <array>

#include "tools/command.hpp"
#include "tools/exit_status.hpp"
#include "tools/space_access.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr int key_token = 1;
constexpr std::array specs{
    OptionSpec{key_token, "--token", "T", "of the hold that is meant; `tenure show NAME` says it"},
    space_option,
    help_option,
};

int break_hold(const std::string& space_name, const char* name, Token token) {
  int status = exit_ok;
  std::optional<Space> space = open_space(space_name, true, status);
  if (!space) return status;
  const Result<NameReport, AcquireError> before = space->show(name);
  const Result<Token, BreakError> result = space->break_lease(name, token);
  const std::string what = quoted(name);
  if (result) {
    std::string text = "broken: " + what + ", token " + std::to_string(token) + "\n";
    if (before && before->held && before->holder.token == token) text += "it was held by " + holder_text(before->holder) + "\n";
    if (before && before->held && before->holder.is_run)
      text += "its command is being killed; the name is free when nothing of it is left\n";
    return print(text) ? exit_ok : exit_system;
  }
  const std::string where = "\nspace: " + clean(space->report().table_path);
  switch (result.error()) {
    case BreakError::bad_name: complain(refusal_text(AcquireError::bad_name, name)); return exit_usage;
    case BreakError::not_held: complain(what + " is not held by anybody; nothing was broken" + where); return exit_no;
    case BreakError::other_token: {
      const Result<NameReport, AcquireError> now = space->show(name);
      const std::string holder = now && now->held ? "; now it is held by " + holder_text(now->holder) : "";
      complain(what + " is not held with token " + std::to_string(token) + " any more" + holder + "; nothing was broken" + where);
      return exit_no;
    }
    case BreakError::damaged: break;
  }
  complain(refusal_text(AcquireError::damaged, name));
  return exit_data;
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::mixed);
  if (!parsed.error.empty()) return usage_error(break_command_entry, parsed.error);
  std::string_view space;
  std::optional<Token> token;
  for (const Option& option : parsed.options) {
    if (option.key == help_key) return print_help(break_command_entry);
    if (option.key == space_key) space = option.value;
    if (option.key != key_token) continue;
    token = parse_number(option.value);
    if (!token || *token == 0 || *token >> 63 != 0) {
      return usage_error(break_command_entry, "--token " + clean(option.value) + ": a token is a number from 1 to 2^63 - 1");
    }
  }
  if (parsed.operands.size() != 1) return usage_error(break_command_entry, "which NAME?");
  if (!token) return usage_error(break_command_entry, "which hold of it? `tenure show NAME` says its token");
  return break_hold(chosen_space(space), parsed.operands[0], *token);
}

}  // namespace

const Command break_command_entry{
    "break",
    "[options] NAME --token T",
    "takes NAME from the holder with token T",
    "The next in the queue gets the name at once, or, of a `tenure run`, as soon as its command has been\n"
    "killed. Another holder finds out when it asks, or when its writes are refused for their token.\n"
    "A late break cannot hit a successor, whose token is another.\n",
    specs,
    "  tenure break backups/orders --token 1234567890123\n",
    run,
};

}  // namespace tenure::tools
