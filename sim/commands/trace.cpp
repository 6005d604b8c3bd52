#include "sim/commands/trace.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "sim/commands/exit_status.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

std::string hash_text(std::uint64_t hash) {
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
  return digits.data();
}

std::string as_json(const Stage& stage, const Failure& run, const Retold& retold, const std::string& repro) {
  JsonWriter json;
  const Verdict& verdict = retold.verdict;
  json.open_object();
  json.key("target").value(stage.subject.name);
  json.key("run");
  run.id ? json.value(to_text(*run.id)) : json.null();
  json.key("tape").value(to_text(run.tape));
  json.key("failed").value(verdict.failed);
  json.key("property");
  verdict.failed ? json.value(verdict.property) : json.null();
  json.key("detail");
  verdict.failed ? json.value(verdict.detail) : json.null();
  json.key("steps").value(verdict.steps);
  json.key("kills").value(verdict.kills);
  json.key("faults").value(verdict.faults);
  json.key("hash").hash(verdict.hash);
  json.key("repro").value(repro);
  json.close_object();
  return json.text() + "\n";
}

std::string as_text(Stage& stage, const Retold& retold, const std::string& repro, bool trace) {
  const Verdict& verdict = retold.verdict;
  std::string text;
  if (trace) {
    std::ostringstream lines;
    print_trace(lines, stage.runner.world());
    text = lines.str();
  } else if (verdict.failed) {
    TextOptions options;
    options.color = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
    text = to_text(retold.timeline, options) + '\n';
  }
  text += verdict.failed ? "FAILED " + clean(verdict.property) + " in " + stage.subject.name : "ok: " + stage.subject.name;
  if (!verdict.detail.empty()) text += ": " + clean(verdict.detail);
  return text + '\n' + counted(verdict.steps, "step") + ", " + counted(verdict.kills, "kill") + ", " + counted(verdict.faults, "fault") +
         " in all, hash " + hash_text(verdict.hash) + "\nrepro: " + repro + '\n';
}

}  // namespace

int tell_run(const Program& program, Stage& stage, const Failure& run, const TellOptions& options) {
  const std::string repro = replay_line(program, stage.subject.name, run);
  const Retold retold = retell(stage, run.tape, run.id, repro);
  if (retold.verdict.hash != run.hash) {
    complain(program.name, "the same run came out differently the second time: " + stage.subject.name +
                               " depends on something that the simulator does not control (time, an address, memory of the run before)");
    return exit_data;
  }
  if (!options.html_path.empty() && !write_file(program, options.html_path, to_html(retold.timeline))) return exit_cannot_make;
  const std::string text = options.json ? as_json(stage, run, retold, repro) : as_text(stage, retold, repro, options.trace);
  if (!print(text)) return exit_system;
  return retold.verdict.failed ? exit_failed : exit_ok;
}

}  // namespace tenure::sim::commands
