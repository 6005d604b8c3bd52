#include <array>
#include <cstdlib>

#include "tools/command.hpp"
#include "tools/hold_options.hpp"
#include "tools/json.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr std::array specs{space_option, json_option, OptionSpec{quiet_key, "-q --quiet", "", "the exit status alone"}, help_option};

struct Question {
  std::string name;
  Token token = 0;
  std::string space;
  bool in_json = false;
  bool quiet = false;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string as_json(const Question& question, bool held, const NameReport& report) {
  JsonWriter json;
  json.open_object();
  json.key("held").value(held);
  json.key("name").value(question.name);
  json.key("token").token(question.token);
  json.key("space").value(question.space);
  json.key("remaining_s");
  held&& report.holder.leased ? json.value(seconds_of(report.holder.remaining)) : json.null();
  json.close_object();
  return json.text() + "\n";
}

std::string why_not(const Question& question, const NameReport& report) {
  std::string text = quoted(question.name) + " is not held with token " + std::to_string(question.token) + " any more";
  if (!report.held) return text + "; nobody holds it";
  return text + "\nheld by " + holder_text(report.holder);
}

int answer(const Question& question) {
  int status = exit_ok;
  std::optional<Space> space = open_space(question.space, true, status);
  if (!space) return status;
  const Result<NameReport, AcquireError> report = space->show(question.name);
  if (!report) {
    complain(refusal_text(report.error(), question.name));
    return exit_status_of(report.error());
  }
  const bool held = is_held_now(*report) && report->holder.token == question.token;
  if (question.in_json && !print(as_json(question, held, *report))) return exit_system;
  if (!held && !question.in_json && !question.quiet) {
    complain(why_not(question, *report) + "\nspace: " + clean(space->report().table_path));
  }
  return held ? exit_ok : exit_no;
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::mixed);
  if (!parsed.error.empty()) return usage_error(check_command, parsed.error);
  Question question;
  std::string_view space;
  for (const Option& option : parsed.options) {
    if (option.key == help_key) return print_help(check_command);
    if (option.key == space_key) space = option.value;
    if (option.key == json_key) question.in_json = true;
    if (option.key == quiet_key) question.quiet = true;
  }
  if (parsed.operands.size() > 1) return usage_error(check_command, "one NAME at a time");
  const std::string token_text = variable("TENURE_TOKEN");
  const std::optional<std::uint64_t> token = parse_number(token_text);
  if (token_text.empty()) return usage_error(check_command, "TENURE_TOKEN is not set: this is no command of `tenure run`");
  if (!token || *token == 0 || *token >> 63 != 0) {
    return usage_error(check_command, "TENURE_TOKEN is " + quoted(token_text) + ": a token is a number from 1 to 2^63 - 1");
  }
  question.token = *token;
  question.name = parsed.operands.empty() ? variable("TENURE_NAME") : parsed.operands[0];
  if (question.name.empty()) return usage_error(check_command, "which NAME? TENURE_NAME is not set");
  question.space = chosen_space(space);
  return answer(question);
}

}  // namespace

const Command check_command{
    "check",
    "[options] [NAME]",
    "says whether the lease in the environment is still held",
    "The status is 0 while NAME, or else TENURE_NAME, is held with the token TENURE_TOKEN in the space\n"
    "TENURE_SPACE; 1 if not. By the next moment it may be otherwise: only a resource that compares tokens\n"
    "itself is safe.\n",
    specs,
    "  tenure check -q || exit 1                          before a step, in a command of `tenure run`\n"
    "  TENURE_TOKEN=$token tenure check backups/orders    behind `tenure hold`\n",
    run,
};

}  // namespace tenure::tools
