// Complete runs of four simulated processes on the real table, all properties and faults on, against as many real processes killed.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>

#include "bench/benchmarks.hpp"
#include "sim/table/scenarios.hpp"

#include <tenure/sim/runner.hpp>

namespace tenure::bench {
namespace {

constexpr int rounds = 5;
constexpr std::uint64_t simulated_runs = 40'000;
constexpr int real_runs = 100;
constexpr double bar_per_second = 150'000;

struct Rates {
  double runs = 0;  // a second, on one core
  double steps = 0;
};

Rates simulate(std::string_view scenario_name) {
  const std::unique_ptr<sim::Scenario> scenario = sim::make_table_scenario(scenario_name);
  if (scenario == nullptr) fail("no such scenario");
  sim::Runner runner(*scenario);
  const sim::Report report = runner.explore({.runs_max = simulated_runs});
  if (report.failed()) fail("a run of the shipped table failed");
  return {static_cast<double>(report.runs) / report.seconds, static_cast<double>(report.steps) / report.seconds};
}

// Four processes that do nothing, and are killed: what a test that kills real ones costs at least.
double kill_real_ones() {
  const double ns = ns_each(real_runs, [] {
    std::array<pid_t, 4> processes{};
    for (pid_t& process : processes) {
      process = fork();
      if (process < 0) tenure::bench::fail("fork");
      if (process == 0) pause();
    }
    for (const pid_t process : processes) {
      kill(process, SIGKILL);
      waitpid(process, nullptr, 0);
    }
  });
  return 1e9 / ns;
}

}  // namespace

void simulator(const Settings&, const Report& report) {
  double steps = 0;
  const auto ours = [&] {
    const Rates rates = simulate("four");
    steps = rates.steps;
    return rates.runs;
  };
  report.add("simulator: four processes, all properties, runs a second and core; peer: four real ones, fork and kill", Unit::per_second,
             in_turn(rounds, ours, kill_real_ones));
  report.add("the same against the bar", Unit::per_second, in_turn(rounds, ours, [] { return bar_per_second; }), at_least(1));
  report.add_figure("its steps a second and core", Unit::per_second, steps);
  report.add_figure("leased, with renewals: runs a second and core", Unit::per_second, simulate("four-leased").runs);
}

}  // namespace tenure::bench
