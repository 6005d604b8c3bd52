#include <tenure/sim/runner.hpp>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <sstream>

namespace tenure::sim {

namespace {

// For budgets and reports only; nothing in a run depends on it.
std::uint64_t wall_ns() {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

}  // namespace

const Failure* Report::failure(std::string_view property) const {
  const auto found = std::find_if(failures.begin(), failures.end(), [&](const Failure& f) { return f.property == property; });
  return found == failures.end() ? nullptr : &*found;
}

std::uint64_t Report::sometimes_count(std::string_view what) const {
  const auto found = std::find_if(sometimes.begin(), sometimes.end(), [&](const auto& entry) { return entry.first == what; });
  return found == sometimes.end() ? 0 : found->second;
}

Runner::Runner(Scenario& scenario, const Config& config) : scenario_(scenario), config_(config), world_(std::make_unique<World>()) {
  if (config_.horizon_steps == 0) config_.horizon_steps = measure_horizon();
}

// The mean length of a few runs without faults. It depends on nothing but the scenario and its configuration, so a seed still is a run.
std::uint32_t Runner::measure_horizon() {
  Config calm = config_;
  calm.kills_max = calm.pauses_max = calm.spurious_wakes_max = calm.realtime_jumps_max = calm.message_faults_max = 0;
  calm.suspends_max = calm.reboots_max = calm.partitions_max = calm.restarts_max = calm.fail_overs_max = 0;
  calm.planted = 0;
  constexpr std::uint32_t runs = 16;
  std::uint32_t steps = 0;
  for (std::uint32_t seed = 1; seed <= runs; ++seed) {
    tape_.start({Engine::uniform, 0, seed, 0}, calm);
    const Verdict verdict = run(calm);
    steps += verdict.steps;
    if (verdict.failed) break;  // it may have taken seconds, and most of the process's memory
  }
  world_->forget_sometimes();
  return std::max(steps / runs, std::uint32_t{16});
}

Verdict Runner::run(const RunId& id) {
  tape_.start(id, config_);
  return run(config_);
}

Verdict Runner::run_bytes(std::span<const std::uint8_t> bytes) {
  tape_.start_bytes(bytes);
  return run(config_);
}

Verdict Runner::run_plan(const Plan& plan, bool tracing) {
  tape_.start_plan(plan);
  return run(config_, tracing);
}

Verdict Runner::replay(const std::vector<Decision>& tape, const Config& config, bool tracing) {
  tape_.start_replay(tape);
  return run(config, tracing);
}

Plan Runner::plan_of(const Failure& failure) {
  tape_.note_deviations(true);
  replay(failure);
  Plan plan{tape_.deviations(), 0};
  tape_.note_deviations(false);
  return plan;
}

Report Runner::explore(const Budget& budget) {
  Report report;
  const std::uint64_t started_ns = wall_ns();
  for (std::uint64_t index = budget.first_index; !spent(report, budget, started_ns); index += budget.index_step) {
    const RunId id = sim::run_at(index, config_, budget.engine);
    judge(report, run(id), id, tape_, config_);
  }
  finish(report, started_ns);
  return report;
}

Report Runner::exhaustive(const Bounds& bounds, const Budget& budget) {
  Config config = config_;
  config.kills_max = bounds.kills;
  return walk(bounds, config, budget);
}

Report Runner::search_states(std::uint32_t kills, const Budget& budget) {
  Config config = config_;
  config.kills_max = kills;
  config.step_ns = 0;
  StateSet states;
  world_->search(&states);
  Report report = walk({.preemptions = unbounded, .kills = kills}, config, budget);
  world_->search(nullptr);
  report.states = states.size();
  return report;
}

Report Runner::walk(const Bounds& bounds, const Config& config, const Budget& budget) {
  Report report;
  const std::uint64_t started_ns = wall_ns();
  Tape tape;
  tape.start_exhaustive(bounds);
  do {
    if (spent(report, budget, started_ns)) break;
    const Verdict verdict = world_->run(scenario_, config, tape);
    judge(report, verdict, {}, tape, config);
  } while (!(report.complete = !tape.advance()));
  finish(report, started_ns);
  return report;
}

void Runner::judge(Report& report, const Verdict& verdict, const std::optional<RunId>& id, const Tape& tape, const Config& config) {
  ++report.runs;
  report.steps += verdict.steps;
  report.ticks += verdict.ticks;
  report.kills += verdict.kills;
  report.pauses += verdict.pauses;
  report.faults += verdict.faults;
  if (!verdict.failed) return;
  for (Failure& known : report.failures) {
    if (known.property != verdict.property) continue;
    ++known.count;
    return;
  }
  report.failures.push_back({verdict.property, verdict.detail, id, report.runs, verdict.hash, 1, tape.decisions(), config});
  // Its threads are looked at from outside, so the trace of a search is another one than that of the run.
  Tape replayed;
  if (world_->searches()) report.failures.back().hash = replay_elsewhere(report.failures.back(), replayed).second.hash;
  if (out_ != nullptr) print(*out_, report.failures.back());
}

bool Runner::spent(const Report& report, const Budget& budget, std::uint64_t started_ns) const {
  if (report.runs >= budget.runs_max) return true;
  if (!budget.wanted.empty()) {
    if (report.failure(budget.wanted) != nullptr) return true;
  } else {
    std::uint64_t failing = 0;
    for (const Failure& failure : report.failures) failing += failure.count;
    if (failing >= budget.failures_max) return true;
  }
  constexpr std::uint64_t runs_between_looks = 256;
  return report.runs % runs_between_looks == 0 && static_cast<double>(wall_ns() - started_ns) > budget.seconds_max * 1e9;
}

void Runner::finish(Report& report, std::uint64_t started_ns) const {
  report.seconds = static_cast<double>(wall_ns() - started_ns) * 1e-9;
  for (const World::Sometimes& entry : world_->sometimes_counts()) report.sometimes.emplace_back(entry.what, entry.count);
  world_->forget_sometimes();
}

// Our own world may be in the midst of a search over states, which goes on behind it and cuts what it has seen before.
std::pair<std::unique_ptr<World>, Verdict> Runner::replay_elsewhere(const Failure& failure, Tape& tape) {
  auto world = std::make_unique<World>();
  tape.start_replay(failure.tape);
  Verdict verdict = world->run(scenario_, failure.config, tape, true);
  return {std::move(world), std::move(verdict)};
}

void Runner::print(std::ostream& out, const Failure& failure) {
  const std::string tape = failure.id ? "" : to_text(failure.tape);
  out << "FAILED property=" << failure.property << " scenario=" << scenario_.name() << " horizon=" << config_.horizon_steps
      << " repro: replay " << scenario_.name() << (failure.id ? " --run=" + to_text(*failure.id) : " --tape=" + tape) << '\n'
      << failure.detail << '\n';
  Tape replayed;
  const auto [world, again] = replay_elsewhere(failure, replayed);
  print_trace(out, *world);
  out << (again.failed ? again.property : "no failure") << " after " << again.steps << " steps, hash " << std::hex << again.hash
      << std::dec;
  if (replayed.diverged() || again.property != failure.property || again.hash != failure.hash)
    out << " - REPLAY DIFFERS from " << std::hex << failure.hash << std::dec;
  out << '\n';
}

std::string to_text(const Report& report) {
  std::ostringstream out;
  out << report.runs << " runs" << (report.complete ? " (complete)" : "") << ", " << report.steps << " steps, " << report.seconds << " s, "
      << report.kills << " kills, " << report.pauses << " pauses, " << report.ticks << " ticks";
  if (report.states != 0) out << ", " << report.states << " states";
  for (const auto& [what, count] : report.sometimes) out << "\n  sometimes " << what << ": " << count;
  for (const Failure& failure : report.failures) {
    out << "\n  FAILED " << failure.property << " in " << failure.count << " runs, first in run " << failure.run;
    if (failure.id) out << ", " << to_text(*failure.id);
  }
  return out.str();
}

}  // namespace tenure::sim
