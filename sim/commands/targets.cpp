#include "sim/commands/exit_status.hpp"
#include "sim/commands/json.hpp"
#include "sim/commands/program.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

int run(const Program& program, const Wishes& wishes) {
  if (!wishes.operands.empty()) return usage_error(program, targets_command, "it takes no operand");
  if (!wishes.json) {
    std::vector<std::vector<std::string>> rows;
    for (const Target& target : program.targets) {
      rows.push_back({target.name, clean(target.summary)});
      if (target.make_sound) rows.push_back({target.name + "/sound", "the same with the remedy"});
    }
    return print(table_text(rows)) ? exit_ok : exit_system;
  }
  JsonWriter json;
  json.open_array();
  for (const Target& target : program.targets) {
    json.open_object();
    json.key("name").value(target.name);
    json.key("summary").value(target.summary);
    json.key("property");
    target.is_bug() ? json.value(target.property) : json.null();
    json.key("source");
    target.is_bug() ? json.value(target.source) : json.null();
    json.key("has_sound_twin").value(bool{target.make_sound});
    json.close_object();
  }
  json.close_array();
  return print(json.text() + "\n") ? exit_ok : exit_system;
}

constexpr Key options[]{Key::json};

}  // namespace

const Command targets_command{
    "targets",
    "[--json]",
    "lists what can be simulated",
    "A line for each target: its name, and what it is. A known bug has a sound twin, NAME/sound.\n",
    options,
    "targets --json\n",
    run,
};

}  // namespace tenure::sim::commands
