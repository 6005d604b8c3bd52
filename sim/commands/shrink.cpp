#include "sim/commands/exit_status.hpp"
#include "sim/commands/small.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

std::string as_json(const Small& small) {
  const Shrunk& shrunk = *small.finding.shrunk;
  JsonWriter json;
  json.open_object();
  json.key("target").value(small.stage->subject.name);
  json.key("property").value(shrunk.failure.property);
  json.key("before");
  write_json(json, shrunk.before);
  json.key("after");
  write_json(json, shrunk.after);
  json.key("replays").value(shrunk.replays);
  json.key("seconds").value(shrunk.seconds);
  json.key("finished").value(shrunk.finished);
  json.key("tape").value(to_text(shrunk.failure.tape));
  json.close_object();
  return json.text() + "\n";
}

std::string as_text(const Program& program, const Small& small) {
  const Shrunk& shrunk = *small.finding.shrunk;
  const std::vector<std::vector<std::string>> rows{{"property", clean(shrunk.failure.property)},
                                                   {"before", size_text(shrunk.before)},
                                                   {"after", size_text(shrunk.after)},
                                                   {"took", counted(shrunk.replays, "replay") + ", " + seconds_text(shrunk.seconds) +
                                                                (shrunk.finished ? "" : "; a larger --budget may find a smaller one")},
                                                   {"tape", to_text(shrunk.failure.tape)}};
  return table_text(rows) + "repro: " + replay_line(program, small.stage->subject.name, shrunk.failure.tape) + '\n';
}

int run(const Program& program, const Wishes& wishes) {
  int status = exit_ok;
  const std::optional<Small> small = small_run(program, shrink_command, wishes, status);
  if (!small) return status;
  const std::string tape = to_text(small->finding.shrunk->failure.tape);
  if (!wishes.output_path.empty() && !write_file(program, wishes.output_path, tape + "\n")) return exit_cannot_make;
  return print(wishes.json ? as_json(*small) : as_text(program, *small)) ? exit_ok : exit_system;
}

constexpr Key options[]{Key::run_id, Key::tape, Key::tape_file, Key::budget, Key::output, Key::json};

}  // namespace

const Command shrink_command{
    "shrink",
    "TARGET [--run ID | --tape TEXT | --tape-file FILE]",
    "makes a failing run small",
    "Takes away processes, faults, context switches and steps, as long as the same property fails, and prints the tape of\n"
    "what is left. Without a run, of the first one that fails. The budget is 2 s.\n",
    options,
    "shrink stale-takeover-unlink --run pct3:99\nshrink stale-takeover-unlink --budget 10s --output small.tape\n",
    run,
};

}  // namespace tenure::sim::commands
