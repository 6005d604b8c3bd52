// What became of a target: numbers, and each failure small and with its timeline.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tenure/sim/shrink.hpp>
#include <tenure/sim/timeline.hpp>

#include "sim/commands/json.hpp"
#include "sim/commands/junit.hpp"
#include "sim/commands/program.hpp"

namespace tenure::sim::commands {

// A failing run for people.
struct Finding {
  Failure failure;
  std::string repro;             // shows the run again
  std::optional<Shrunk> shrunk;  // nothing when the run is too costly, or too dangerous, to be made again and again
  std::string shrunk_repro;      // of the small run; empty when it is too long for one line
  Timeline timeline;             // of the small run, if there is one
};

struct Outcome {
  std::string subject;
  Report report;
  std::vector<Finding> findings;
};

struct Retold {
  Verdict verdict;
  Timeline timeline;
  bool diverged = false;  // the tape asks for other decisions than the run made
};

constexpr std::size_t repro_bytes_max = 200;

// Makes the run once more, traced. The stage's world then has the trace.
Retold retell(Stage& stage, const std::vector<Decision>& tape, const std::optional<RunId>& id, std::string repro);
// The run of this number, as a failure: without a property if it does not fail.
Failure failure_of(Stage& stage, const RunId& id);
Failure failure_of(Stage& stage, const std::vector<Decision>& tape);

Finding finding_of(const Program& program, Stage& stage, const Failure& failure, const ShrinkBudget& budget);
Outcome outcome_of(const Program& program, const Subject& subject, Report report);

std::string size_text(const RunSize& size);
// FAILED, the detail, the timeline and how to see it again.
std::string finding_text(const Outcome& outcome, const Finding& finding);
// Runs, rates, faults, and what sometimes happened.
std::string report_text(const Outcome& outcome);

void write_json(JsonWriter& json, const RunSize& size);
void write_json(JsonWriter& json, const Outcome& outcome);
TestCase test_case_of(const Outcome& outcome);

}  // namespace tenure::sim::commands
