#include "tests/mutants/hunt.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "sim/table/scenarios.hpp"
#include "tests/mutants/answers.hpp"
#include "tests/mutants/switches.hpp"

namespace tenure::mutants {

namespace {

constexpr time_t patience_s = 10;  // of processor time, for a few runs, of which one takes some microseconds
constexpr std::uint64_t runs_between_timers = 64;
// Also with stale reads, for the mutants that no store buffer can show.
constexpr std::string_view with_stale_reads[] = {"strict-tso", "threads", "one-bell",  "cancelled",   "stopped-head",  "leased-tso",
                                                 "one-record", "broken",  "sessions",  "descriptors", "without-bells", "removed",
                                                 "long-names", "retired", "recreated", "trees",       "trees-leased"};
// A scripted run says so when its script can't be followed: the mutant takes other steps, which is no fault.
constexpr std::string_view script_property = "script";
constexpr std::uint64_t script_failures_max = 3;

void be_quiet() {
  const int nowhere = ::open("/dev/null", O_WRONLY);
  if (nowhere < 0) return;
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(nowhere, STDERR_FILENO);
}

// From now on. The processor's time, not the wall's: how busy the machine is makes no difference.
void allow(time_t seconds) {
  const itimerval timer{{0, 0}, {seconds, 0}};
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

}  // namespace

// A scenario, and which of its seeds come to which mutant.
struct Hunt::Stage {
  std::string name;
  std::unique_ptr<sim::Scenario> scenario;
  std::unique_ptr<sim::Runner> runner;
  bool has_stale_reads = false;
  std::uint64_t runs = 0;
  std::uint64_t steps = 1;
  std::vector<std::vector<bool>> reaches;  // by index of the run, then by mutant
  std::array<std::uint32_t, mutants_max> count{};
};

// What a child leaves behind, however it ends.
struct Hunt::Shared {
  Outcome::Kind kind;
  std::uint64_t runs;
  std::uint64_t index;
  std::array<char, 48> scenario;
  std::array<char, 32> property;
};

Hunt::Hunt(const Plan& plan) : plan_(plan) {
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  shared_ = ::new (memory) Shared{};
  for (const std::string_view name : sim::table_scenario_names()) {
    const bool is_rare = name == "one-bell-stale";  // what one order too weak does there takes a long hunt
    add_stage(sim::make_table_scenario(name), is_rare ? 5 * plan_.runs_max / 2 : plan_.runs_max);
  }
  for (const std::string_view name : with_stale_reads) add_stage(sim::make_table_scenario(name), plan_.runs_max, true);
  add_stage(announced_waiter_dies(), std::min(std::uint64_t{20}, plan_.runs_max));
  for (const auto scenes : {lease_scenes(), damage_scenes(), name_scenes(), queue_scenes(), session_scenes(), traffic_scenes()}) {
    for (const Scene& scene : scenes) add_stage(std::make_unique<SceneScenario>(scene), std::min(scene.runs, plan_.runs_max));
  }
}

void Hunt::add_stage(std::unique_ptr<sim::Scenario> scenario, std::uint64_t runs, bool has_stale_reads) {
  auto stage = std::make_unique<Stage>();
  stage->name = scenario->name();
  if (has_stale_reads) stage->name += ", stale reads";
  if (stage->name.find(plan_.scenario) == std::string::npos) return;
  stage->scenario = std::move(scenario);
  stage->runs = runs;
  runs_most_ = std::max(runs_most_, runs);
  sim::Config config = stage->scenario->config();
  if (has_stale_reads) config.memory = sim::Memory::release_acquire;
  stage->has_stale_reads = config.memory == sim::Memory::release_acquire;
  stage->runner = std::make_unique<sim::Runner>(*stage->scenario, config);
  stages_.push_back(std::move(stage));
}

std::string Hunt::run_name(const Stage& stage, std::uint64_t index) const {
  return sim::to_text(sim::portfolio(index, stage.runner->config()));
}

Hunt::~Hunt() { ::munmap(shared_, sizeof(Shared)); }

std::string Hunt::survey() {
  chosen = 0;
  for (const auto& stage : stages_) {
    for (std::uint64_t index = 0; index < stage->runs; ++index) {
      std::memset(reached, 0, sizeof(reached));
      const sim::Verdict verdict = stage->runner->run_at(index);
      if (verdict.failed) {
        return stage->name + ", " + run_name(*stage, index) + ": " + verdict.property + ", " + verdict.detail;
      }
      stage->steps += verdict.steps;
      std::vector<bool> row(plan_.mutants + 1);
      for (std::uint32_t i = 0; i <= plan_.mutants; ++i) {
        if (reached[i] == 0) continue;
        row[i] = true;
        ++stage->count[i];
      }
      stage->reaches.push_back(std::move(row));
    }
    survey_runs_ += stage->runs;
  }
  return {};
}

// First those that come to the mutant most often for the steps that they take.
std::vector<const Hunt::Stage*> Hunt::order_for(const Mutant& mutant) const {
  std::vector<std::pair<double, std::size_t>> rank;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const double visits = stages_[i]->count[mutant.number];
    if (!mutant.visible && !stages_[i]->has_stale_reads) continue;
    if (visits != 0) rank.emplace_back(-visits / static_cast<double>(stages_[i]->steps), i);
  }
  std::ranges::sort(rank);
  std::vector<const Stage*> order;
  for (const auto& [score, i] : rank) order.push_back(stages_[i].get());
  return order;
}

bool Hunt::runs_show_it(const Stage& stage, std::uint32_t mutant, std::uint64_t from, std::uint64_t to) {
  std::uint64_t scripts = 0;
  stage.name.copy(shared_->scenario.data(), shared_->scenario.size() - 1);
  shared_->scenario[std::min(stage.name.size(), shared_->scenario.size() - 1)] = '\0';
  for (std::uint64_t index = from; index < std::min(to, stage.runs); ++index) {
    if (!stage.reaches[index][mutant]) continue;
    if (++shared_->runs % runs_between_timers == 1) allow(patience_s);
    shared_->index = index;
    const sim::Verdict verdict = stage.runner->run_at(index);
    if (!verdict.failed) continue;
    if (verdict.property == script_property) {
      if (++scripts == script_failures_max) return false;
      continue;
    }
    shared_->kind = Outcome::Kind::killed;
    std::snprintf(shared_->property.data(), shared_->property.size(), "%s", verdict.property.c_str());
    return true;
  }
  return false;
}

// Every schedule of two processes within a bound, where chance has not found the one that matters.
bool Hunt::search_shows_it() {
  struct Space {
    const char* scenario;
    sim::Bounds bounds;
  };
  constexpr Space spaces[] = {{"two-plain", {.preemptions = 2, .kills = 0}},
                              {"two-plain", {.preemptions = 1, .kills = 1}},
                              {"two-plain-tso", {.preemptions = 2, .kills = 0}},
                              {"three-plain", {.preemptions = 1, .kills = 0}}};
  for (const Space& space : spaces) {
    std::snprintf(shared_->scenario.data(), shared_->scenario.size(), "every schedule of %s", space.scenario);
    allow(12 * patience_s);
    const std::unique_ptr<sim::Scenario> scenario = sim::make_table_scenario(space.scenario);
    sim::Runner runner(*scenario);
    const sim::Report report = runner.exhaustive(space.bounds, {.runs_max = 400'000});
    shared_->runs += report.runs;
    if (!report.failed()) continue;
    shared_->kind = Outcome::Kind::killed;
    std::snprintf(shared_->property.data(), shared_->property.size(), "%s", report.failures.front().property.c_str());
    return true;
  }
  return false;
}

void Hunt::try_in_child(const Mutant& mutant, const std::vector<const Stage*>& order) {
  be_quiet();
  chosen = mutant.number;
  for (std::uint64_t from = 0, to = 30; from < runs_most_; from = to, to *= 10) {
    for (const Stage* stage : order) {
      if (runs_show_it(*stage, mutant.number, from, to)) return;
    }
  }
  if (plan_.search && search_shows_it()) return;
  allow(patience_s);
  std::snprintf(shared_->scenario.data(), shared_->scenario.size(), "%s", "tests/core");
  if (RUN_ALL_TESTS() != 0) shared_->kind = Outcome::Kind::unit_test;
}

Outcome Hunt::try_mutant(const Mutant& mutant) {
  const std::vector<const Stage*> order = order_for(mutant);
  *shared_ = {};
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) std::abort();
  if (child == 0) {
    try_in_child(mutant, order);
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) std::abort();
  Outcome outcome{shared_->kind, shared_->scenario.data(), shared_->property.data(), {}, shared_->runs};
  for (const auto& stage : stages_) {
    if (stage->name == outcome.scenario) outcome.run = run_name(*stage, shared_->index);
  }
  if (WIFSIGNALED(status)) {
    const bool hung = WTERMSIG(status) == SIGPROF;
    outcome.kind = hung ? Outcome::Kind::hung : Outcome::Kind::crashed;
    outcome.property = hung ? "timeout" : ::strsignal(WTERMSIG(status));
  }
  if (outcome.kind == Outcome::Kind::unit_test) outcome.property = "unit test";
  if (outcome.kind == Outcome::Kind::survived && order.empty()) outcome.kind = Outcome::Kind::unreached;
  return outcome;
}

}  // namespace tenure::mutants
