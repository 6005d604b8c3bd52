#include "sim/commands/outcome.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <tenure/sim/crash_guard.hpp>
#include <tenure/sim/hunt.hpp>
#include <tenure/sim/timeline_of_run.hpp>

#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

Retold retell(Stage& stage, const std::vector<Decision>& tape, const std::optional<RunId>& id, std::string repro) {
  Retold retold;
  retold.verdict = stage.runner.replay(tape, true);
  retold.diverged = stage.runner.tape().diverged();
  retold.timeline = timeline_of(stage.runner.world(), retold.verdict, stage.subject.name);
  retold.timeline.repro = std::move(repro);
  if (id) {
    retold.timeline.engine = engine_name(*id);
    retold.timeline.seed = id->seed;
  }
  return retold;
}

namespace {

Failure failure_from(Stage& stage, const Verdict& verdict, const std::optional<RunId>& id) {
  return {verdict.property, verdict.detail, id, 1, verdict.hash, 1, stage.runner.tape().decisions(), stage.runner.config()};
}

}  // namespace

Failure failure_of(Stage& stage, const RunId& id) { return failure_from(stage, stage.runner.run(id), id); }

Failure failure_of(Stage& stage, const std::vector<Decision>& tape) { return failure_from(stage, stage.runner.replay(tape), {}); }

Finding finding_of(const Program& program, Stage& stage, const Failure& failure, const ShrinkBudget& budget) {
  Finding finding{failure, replay_line(program, stage.subject.name, failure), {}, {}, {}};
  if (!can_be_shrunk(failure.property)) return finding;
  Failure known = failure;
  if (known.tape.empty() && known.id) known = failure_of(stage, *known.id);
  if (known.property != failure.property) return finding;
  finding.shrunk = shrink(stage.runner, known, budget);
  finding.shrunk_repro = replay_line(program, stage.subject.name, finding.shrunk->failure.tape);
  if (finding.shrunk_repro.size() > repro_bytes_max) finding.shrunk_repro.clear();
  finding.timeline = retell(stage, finding.shrunk->failure.tape, failure.id, finding.repro).timeline;
  return finding;
}

Outcome outcome_of(const Program& program, const Subject& subject, Report report) {
  Outcome outcome{subject.name, std::move(report), {}};
  if (!outcome.report.failed()) return outcome;
  Stage stage(subject);
  const CrashGuard guard;
  for (const Failure& failure : outcome.report.failures) outcome.findings.push_back(finding_of(program, stage, failure, {}));
  return outcome;
}

std::string size_text(const RunSize& size) {
  return counted(size.processes, "process") + ", " + counted(size.faults, "fault") + ", " + counted(size.switches, "context switch") +
         ", " + counted(size.steps, "step");
}

namespace {

TextOptions terminal_options() {
  TextOptions options;
  options.color = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  return options;
}

}  // namespace

std::string finding_text(const Outcome& outcome, const Finding& finding) {
  const Failure& failure = finding.failure;
  std::string text = "FAILED " + clean(failure.property) + " in " + outcome.subject;
  if (failure.id) text += ", run " + to_text(*failure.id);
  if (!failure.detail.empty()) text += ": " + clean(failure.detail);
  text += '\n';
  if (finding.shrunk) {
    text += "shrunk from " + size_text(finding.shrunk->before) + "\n         to " + size_text(finding.shrunk->after) + "\n\n";
    text += to_text(finding.timeline, terminal_options()) + '\n';
  } else {
    text += "A run that fails like this is not made small.\n";
  }
  text += "repro: " + finding.repro + '\n';
  if (!finding.shrunk_repro.empty()) text += "small: " + finding.shrunk_repro + '\n';
  return text;
}

std::string report_text(const Outcome& outcome) {
  const Report& report = outcome.report;
  const double seconds = std::max(report.seconds, 1e-9);
  std::string text = outcome.subject + ": " + counted(report.runs, "run") + ", " + counted(report.steps, "step") + " in " +
                     seconds_text(report.seconds) + " (" + grouped(static_cast<std::uint64_t>(static_cast<double>(report.runs) / seconds)) +
                     " runs/s, " + grouped(static_cast<std::uint64_t>(static_cast<double>(report.steps) / seconds)) + " steps/s), " +
                     counted(report.kills, "kill") + ", " + counted(report.pauses, "pause") + ", " +
                     counted(report.faults - std::min(report.faults, report.kills + report.pauses), "other fault") + "\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& [what, count] : report.sometimes) rows.push_back({"  sometimes " + clean(what), grouped(count)});
  std::ranges::sort(rows);
  return text + table_text(rows);
}

void write_json(JsonWriter& json, const RunSize& size) {
  json.open_object();
  json.key("processes").value(size.processes);
  json.key("faults").value(size.faults);
  json.key("switches").value(size.switches);
  json.key("steps").value(size.steps);
  json.close_object();
}

namespace {

void write_finding(JsonWriter& json, const Finding& finding) {
  const Failure& failure = finding.failure;
  json.open_object();
  json.key("property").value(failure.property);
  json.key("detail").value(failure.detail);
  json.key("run");
  failure.id ? json.value(to_text(*failure.id)) : json.null();
  json.key("number").value(failure.run);
  json.key("count").value(failure.count);
  json.key("hash").hash(failure.hash);
  json.key("repro").value(finding.repro);
  json.key("shrunk");
  if (!finding.shrunk) {
    json.null();
  } else {
    json.open_object();
    json.key("tape").value(to_text(finding.shrunk->failure.tape));
    json.key("finished").value(finding.shrunk->finished);
    json.key("before");
    write_json(json, finding.shrunk->before);
    json.key("after");
    write_json(json, finding.shrunk->after);
    json.close_object();
  }
  json.close_object();
}

}  // namespace

void write_json(JsonWriter& json, const Outcome& outcome) {
  const Report& report = outcome.report;
  json.open_object();
  json.key("target").value(outcome.subject);
  json.key("failed").value(report.failed());
  json.key("runs").value(report.runs);
  json.key("steps").value(report.steps);
  json.key("seconds").value(report.seconds);
  json.key("kills").value(report.kills);
  json.key("pauses").value(report.pauses);
  json.key("faults").value(report.faults);
  json.key("sometimes").open_object();
  for (const auto& [what, count] : report.sometimes) json.key(what).value(count);
  json.close_object();
  json.key("failures").open_array();
  for (const Finding& finding : outcome.findings) write_finding(json, finding);
  json.close_array();
  json.close_object();
}

TestCase test_case_of(const Outcome& outcome) {
  TestCase result{"tenure.sim", outcome.subject, outcome.report.seconds};
  for (const Finding& finding : outcome.findings) {
    const Failure& failure = finding.failure;
    if (result.failure.empty()) result.failure = failure.property + ": " + failure.detail + " (" + finding.repro + ")";
    result.details += finding.repro + '\n';
    if (finding.shrunk) result.details += to_text(finding.timeline);
  }
  return result;
}

}  // namespace tenure::sim::commands
