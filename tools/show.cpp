#include <array>

#include "tools/command.hpp"
#include "tools/exit_status.hpp"
#include "tools/report_json.hpp"
#include "tools/space_access.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr std::array specs{space_option, json_option, help_option};

using Rows = std::vector<std::vector<std::string>>;

void add_holder(Rows& rows, const HolderReport& holder) {
  rows.push_back(
      {"  holder", process_text(holder.pid, holder.in_this_pid_namespace, holder.uid, holder.command) + " on " + clean(host_name())});
  if (!holder.label.empty()) rows.push_back({"  label", clean(holder.label)});
  if (holder.held_for.count() > 0) {
    rows.push_back({"  since", moment_text(holder.held_for) + ", for " + duration_text(holder.held_for)});
  } else {
    rows.push_back({"  since", "not noted"});
  }
  std::string contract = "strict: until it lets go, or dies";
  if (holder.leased) contract = holder.expired ? "leased, and its time is up" : "leased, " + duration_text(holder.remaining) + " left";
  rows.push_back({"  contract", contract});
  rows.push_back({"  token", std::to_string(holder.token)});
}

std::string state_text(const NameReport& name) {
  if (name.held && name.holder.is_ending) return ending_text(name.holder) + "; see: tenure doctor --reap";
  if (name.held) return name.holder.alive ? "held" : "held by a process that died; the next one takes over at once";
  if (name.last_holder_died) return "free; its last holder died while it held it, and the next one will be told";
  return name.last_token == 0 ? "free; not known in this space" : "free";
}

std::string as_text(const NameReport& name, const SpaceReport& report, const std::string& space) {
  const std::string heading = clean(name.name) + ": " + state_text(name) + "\n";
  Rows rows;
  if (name.held) {
    add_holder(rows, name.holder);
  } else if (name.last_token != 0) {
    rows.push_back({"  last token", std::to_string(name.last_token)});
  }
  for (const WaiterReport& waiter : name.waiters) {
    const std::string label = waiter.label.empty() ? std::string() : ", " + quoted(waiter.label);
    rows.push_back({"  waiting " + std::to_string(waiter.place + 1),
                    process_text(waiter.pid, true, waiter.uid, waiter.command) + label + ", for " + duration_text(waiter.waiting_for)});
  }
  rows.push_back({"  space", clean(report.table_path)});
  if (report.tokens_weak) rows.push_back({"  weak tokens", std::string(weak_tokens_meaning)});
  if (name.held) rows.push_back({"  to break it", break_command(space, name.name, name.holder.token)});
  return heading + table_text(rows);
}

std::string as_json(const NameReport& name, const SpaceReport& report) {
  JsonWriter json;
  json.open_object();
  json.key("space").value(report.table_path);
  json.key("tokens_weak").value(report.tokens_weak);
  json.key("name");
  write_name(json, name);
  json.close_object();
  return json.text() + "\n";
}

int show(const std::string& space_name, const char* name, bool in_json) {
  int status = exit_ok;
  std::optional<Space> space = open_space(space_name, true, status);
  if (!space) return status;
  Result<NameReport, AcquireError> found = space->show(name);
  if (!found) {
    complain(refusal_text(found.error(), name));
    return exit_status_of(found.error());
  }
  if (found->name.empty()) found->name = name;
  const SpaceReport report = space->report();
  return print(in_json ? as_json(*found, report) : as_text(*found, report, space_name)) ? exit_ok : exit_system;
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::mixed);
  if (!parsed.error.empty()) return usage_error(show_command, parsed.error);
  std::string_view space;
  bool in_json = false;
  for (const Option& option : parsed.options) {
    if (option.key == help_key) return print_help(show_command);
    if (option.key == space_key) space = option.value;
    if (option.key == json_key) in_json = true;
  }
  if (parsed.operands.size() != 1) return usage_error(show_command, "which NAME?");
  return show(chosen_space(space), parsed.operands[0], in_json);
}

}  // namespace

const Command show_command{
    "show",
    "[options] NAME",
    "says who holds NAME, since when, who waits, and how to break it",
    "A picture of a moment. A holder that is dead is shown until the next one comes.\n",
    specs,
    "  tenure show backups/orders\n  tenure show --json backups/orders\n",
    run,
};

}  // namespace tenure::tools
