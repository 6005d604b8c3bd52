// Runs a scenario many times and reports what failed, with all that is needed to see it again.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config.hpp"
#include "sim/tape.hpp"
#include "sim/world.hpp"

namespace tenure::sim {

struct Budget {
  std::uint64_t runs_max = 10'000;
  double seconds_max = 1e9;  // looked at now and then; a run is never cut short
  std::uint64_t first_seed = 1;
  std::uint64_t failures_max = 1;  // stop after so many failing runs
};

// The first failing run of one property.
struct Failure {
  std::string property;
  std::string detail;
  std::uint64_t seed = 0;  // 0 when the exhaustive engine found it
  std::uint64_t run = 0;   // which run it was, from 1
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
  bool complete = false;  // the exhaustive engine has seen every tape within its bounds
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
  // The same with another configuration, such as a planted rule or store buffers.
  Runner(Scenario& scenario, const Config& config);

  Verdict run_seed(std::uint64_t seed);
  Verdict replay(const std::vector<Decision>& tape) { return replay(tape, config_); }
  Verdict replay(const Failure& failure) { return replay(failure.tape, failure.config); }

  // Where failures are told as they are found, readable trace included. Null: nowhere.
  void tell(std::ostream* out) { out_ = out; }

  Report explore(const Budget& budget);
  Report exhaustive(const Bounds& bounds, const Budget& budget = {.runs_max = ~std::uint64_t{0}});

  // The first line, FAILED property=..., and the trace of a replay.
  void print(std::ostream& out, const Failure& failure);

  World& world() { return *world_; }
  const Tape& tape() const { return tape_; }
  const Config& config() const { return config_; }

 private:
  Verdict replay(const std::vector<Decision>& tape, const Config& config);
  Verdict run(const Config& config, bool tracing = false) { return world_->run(scenario_, config, tape_, tracing); }
  std::uint32_t measure_horizon();
  void judge(Report& report, const Verdict& verdict, std::uint64_t seed, const Tape& tape, const Config& config);
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

}  // namespace tenure::sim
