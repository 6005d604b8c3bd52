#include <fnmatch.h>

#include <algorithm>
#include <array>

#include "tools/command.hpp"
#include "tools/exit_status.hpp"
#include "tools/report_json.hpp"
#include "tools/space_access.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr int key_all = 1;
constexpr std::array specs{
    OptionSpec{key_all, "-a --all", "", "also the names that are free"},
    space_option,
    json_option,
    help_option,
};

struct Wishes {
  std::string pattern;
  std::string space;
  bool all = false;
  bool json = false;
};

std::string state_text(const NameReport& name) {
  if (!name.held) return name.last_holder_died ? "free, abandoned" : "free";
  if (name.holder.is_ending) return "ending";
  if (!name.holder.alive) return "holder died";
  if (name.holder.expired) return "expired";
  return name.holder.leased ? "held, " + duration_text(name.holder.remaining) + " left" : "held";
}

std::string holder_cell(const NameReport& name) {
  if (!name.held) return "";
  const HolderReport& holder = name.holder;
  return process_text(holder.pid, holder.in_this_pid_namespace, holder.uid, holder.command);
}

std::string as_table(const std::vector<NameReport>& names) {
  std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "FOR", "WAITING", "TOKEN", "HOLDER"}};
  for (const NameReport& name : names) {
    const bool timed = name.held && name.holder.held_for.count() > 0;
    rows.push_back({clean(name.name), state_text(name), timed ? duration_text(name.holder.held_for) : "-",
                    std::to_string(name.waiters.size()), name.last_token == 0 ? "-" : std::to_string(name.last_token), holder_cell(name)});
  }
  return table_text(rows);
}

std::string as_json(const std::vector<NameReport>& names, const SpaceReport& space) {
  JsonWriter json;
  json.open_object();
  json.key("space").value(space.table_path);
  json.key("tokens_weak").value(space.tokens_weak);
  json.key("names").open_array();
  for (const NameReport& name : names) write_name(json, name);
  json.close_array();
  json.close_object();
  return json.text() + "\n";
}

int list(const Wishes& wishes) {
  int status = exit_ok;
  std::optional<Space> space = open_space(wishes.space, true, status);
  if (!space) return status;
  std::vector<NameReport> names = space->list();
  std::erase_if(names, [&](const NameReport& name) {
    const bool idle = !name.held && name.waiters.empty();
    return (idle && !wishes.all) || (!wishes.pattern.empty() && fnmatch(wishes.pattern.c_str(), name.name.c_str(), 0) != 0);
  });
  std::ranges::sort(names, {}, &NameReport::name);
  const SpaceReport report = space->report();
  if (wishes.json) return print(as_json(names, report)) ? exit_ok : exit_system;
  if (report.tokens_weak) complain("weak tokens: " + std::string(weak_tokens_meaning));
  return names.empty() || print(as_table(names)) ? exit_ok : exit_system;
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::mixed);
  if (!parsed.error.empty()) return usage_error(ls_command, parsed.error);
  Wishes wishes;
  std::string_view space;
  for (const Option& option : parsed.options) {
    switch (option.key) {
      case key_all: wishes.all = true; break;
      case space_key: space = option.value; break;
      case json_key: wishes.json = true; break;
      default: return print_help(ls_command);
    }
  }
  if (parsed.operands.size() > 1) return usage_error(ls_command, "one PATTERN at most; quote it, so that the shell leaves it alone");
  if (!parsed.operands.empty()) wishes.pattern = parsed.operands[0];
  wishes.space = chosen_space(space);
  return list(wishes);
}

}  // namespace

const Command ls_command{
    "ls",
    "[options] [PATTERN]",
    "lists the names that are held or waited for",
    "PATTERN is one of the shell, as 'backups/*'; here * matches a slash, too.\n",
    specs,
    "  tenure ls 'backups/*'\n  tenure ls --all --json\n",
    run,
};

}  // namespace tenure::tools
