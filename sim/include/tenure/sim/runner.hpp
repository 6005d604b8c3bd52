// Runs a scenario many times and reports what failed, with all that is needed to see it again.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenure/sim/config.hpp>
#include <tenure/sim/state_set.hpp>
#include <tenure/sim/tape.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

struct Budget {
  std::uint64_t runs_max = 10'000;
  double seconds_max = 1e9;          // looked at now and then; a run is never cut short
  std::uint64_t first_index = 0;     // in the list of runs: see portfolio()
  std::uint64_t index_step = 1;      // several workers share the list
  std::uint64_t failures_max = 1;    // stop after so many failing runs
  std::optional<RunId> engine = {};  // this engine alone, the seeds being index + 1
  std::string_view wanted = {};      // instead of failures_max: go on until this property has failed
};

// The first failing run of one property.
struct Failure {
  std::string property;
  std::string detail;
  std::optional<RunId> id;  // nothing when the exhaustive engine or a fuzzer found it
  std::uint64_t run = 0;    // which run it was, from 1
  std::uint64_t hash = 0;
  std::uint64_t count = 0;  // failing runs of this property
  std::vector<Decision> tape;
  Config config;
};

struct Report {
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;
  std::uint64_t ticks = 0;  // times that only a timer could go on
  std::uint64_t kills = 0;
  std::uint64_t pauses = 0;
  std::uint64_t faults = 0;  // of all kinds
  std::uint64_t states = 0;  // distinct ones that the search over states has met
  bool complete = false;     // the exhaustive engine has seen every tape within its bounds, the search every state
  double seconds = 0;
  std::vector<Failure> failures;  // in order of finding
  std::vector<std::pair<std::string, std::uint64_t>> sometimes;

  bool failed() const { return !failures.empty(); }
  const Failure* failure(std::string_view property) const;
  std::uint64_t sometimes_count(std::string_view what) const;
};

class Runner {
 public:
  explicit Runner(Scenario& scenario) : Runner(scenario, scenario.config()) {}
  // The same with another configuration, such as a planted mistake or store buffers.
  Runner(Scenario& scenario, const Config& config);

  Verdict run(const RunId& id);
  // The run at a place of the default mixture.
  Verdict run_at(std::uint64_t index) { return run(portfolio(index, config_)); }
  Verdict run_bytes(std::span<const std::uint8_t> bytes);
  Verdict replay(const std::vector<Decision>& tape, bool tracing = false) { return replay(tape, config_, tracing); }
  Verdict replay(const Failure& failure, bool tracing = false) { return replay(failure.tape, failure.config, tracing); }
  // A plan: what the shrinker changes.
  Verdict run_plan(const Plan& plan, bool tracing = false);
  // The plan of a failing run.
  Plan plan_of(const Failure& failure);

  // Runs that take more fail as livelocks.
  void limit_steps(std::uint32_t steps_max) { config_.steps_max = steps_max; }

  // Where failures are told as they are found, readable trace included. Null: nowhere.
  void tell(std::ostream* out) { out_ = out; }

  Report explore(const Budget& budget);
  // Every schedule within the bounds.
  Report exhaustive(const Bounds& bounds, const Budget& budget = {.runs_max = ~std::uint64_t{0}});
  // Every state that can be reached with so many kills, whatever the schedule: states are known by their hashes, and time stands still but
  // for ticks. What a thread knows is taken from its stack, so another compiler may count more or fewer; a sanitizer many times as many.
  // REQUIRES: the scenario has name_memory(), no script and no stale reads; otherwise the process ends with a sentence.
  Report search_states(std::uint32_t kills, const Budget& budget = {.runs_max = ~std::uint64_t{0}});

  // The first line, FAILED property=..., and the trace of a replay.
  void print(std::ostream& out, const Failure& failure);

  Scenario& scenario() { return scenario_; }
  World& world() { return *world_; }
  Tape& tape() { return tape_; }
  const Config& config() const { return config_; }

 private:
  Verdict replay(const std::vector<Decision>& tape, const Config& config, bool tracing);
  Verdict run(const Config& config, bool tracing = false) { return world_->run(scenario_, config, tape_, tracing); }
  Report walk(const Bounds& bounds, const Config& config, const Budget& budget);
  std::uint32_t measure_horizon();
  std::pair<std::unique_ptr<World>, Verdict> replay_elsewhere(const Failure& failure, Tape& tape);
  void judge(Report& report, const Verdict& verdict, const std::optional<RunId>& id, const Tape& tape, const Config& config);
  bool spent(const Report& report, const Budget& budget, std::uint64_t started_ns) const;
  void finish(Report& report, std::uint64_t started_ns) const;

  Scenario& scenario_;
  Config config_;
  std::unique_ptr<World> world_;
  Tape tape_;
  std::ostream* out_ = nullptr;
};

// A summary of a report in a few lines.
std::string to_text(const Report& report);
// The trace of the last traced run, a line an event.
void print_trace(std::ostream& out, const World& world);

}  // namespace tenure::sim
