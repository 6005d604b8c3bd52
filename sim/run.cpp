#include "sim/run.hpp"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <ostream>
#include <sstream>

namespace tenure::sim {

namespace {

// For budgets and reports only; nothing in a run depends on it.
std::uint64_t wall_ns() {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

const char* op_name(Op op) {
  switch (op) {
    case Op::inherit_byte: return "inherits bytes";
    case Op::close_byte: return "closes bytes";
    case Op::set_tag: return "sets its tag";
    case Op::find_tag: return "looks for tag";
    case Op::send_kill: return "kills";
    case Op::load: return "load";
    case Op::store: return "store";
    case Op::exchange: return "exchange";
    case Op::cas: return "cas";
    case Op::cas_failed: return "cas failed";
    case Op::fetch_add: return "fetch_add";
    case Op::fence: return "fence";
    case Op::drain: return "buffer drains";
    case Op::wait: return "wait";
    case Op::sleep: return "sleeps on";
    case Op::resume: return "resumes";
    case Op::wake: return "wake";
    case Op::read_clock: return "clock";
    case Op::claim_byte: return "claim byte";
    case Op::free_byte: return "free byte";
    case Op::probe_byte: return "probe byte";
    case Op::arm_bell: return "arm bell";
    case Op::disarm_bell: return "disarm bell";
    case Op::token_mark: return "token mark";
    case Op::robust_list: return "robust list";
    case Op::start: return "starts";
    case Op::exit: return "exits";
    case Op::kill: return "KILL of process";
    case Op::pause: return "PAUSE";
    case Op::unpause: return "goes on: process";
    case Op::clock_jump: return "CLOCK JUMP";
    case Op::tick: return "TICK: only a timer can go on";
    case Op::kernel_unqueue: return "kernel unqueues the dead";
    case Op::kernel_mark: return "kernel marks";
    case Op::kernel_wake: return "kernel wakes";
    case Op::kernel_free_bytes: return "kernel frees bytes of process";
    case Op::kernel_reap: return "kernel reaps";
    case Op::note: return "note";
  }
  return "?";
}

// These happen on whatever stack the scheduler stood on; the line must not blame its thread.
bool has_no_thread(Op op) {
  return op == Op::drain || op == Op::kill || op == Op::unpause || op == Op::tick || (op >= Op::kernel_unqueue && op <= Op::kernel_reap);
}

void print_line(std::ostream& out, const World& world, const TraceLine& line) {
  out << std::setw(6) << line.step << "  ";
  if (line.process == nobody || has_no_thread(line.op)) {
    out << "-     ";
  } else {
    out << 'P' << line.process << " t" << std::left << std::setw(3) << line.thread << std::right;
  }
  out << op_name(line.op);
  if (line.op == Op::drain) out << " of t" << line.second << ':';
  if (const std::string_view name = world.word_name(line.word); !name.empty()) out << ' ' << name;
  out << std::hex << std::showbase << ' ' << line.first;
  const bool changes = line.op == Op::exchange || line.op == Op::cas || line.op == Op::fetch_add;
  if (changes) out << " -> " << line.second;
  if (line.op == Op::cas_failed) out << " (wanted to write " << line.second << ')';
  if (line.op == Op::wait) out << " (expected " << line.second << ')';
  if (line.op == Op::wake) out << ", woken " << line.second;
  if (line.op == Op::claim_byte || line.op == Op::probe_byte) out << (line.second != 0 ? " held" : " free");
  out << std::dec << std::noshowbase;
  if (line.text != nullptr) out << "  " << line.text;
  out << '\n';
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
  calm.kills_max = calm.pauses_max = calm.spurious_wakes_max = calm.realtime_jumps_max = 0;
  calm.planted_rules = 0;
  constexpr std::uint32_t runs = 16;
  std::uint32_t steps = 0;
  for (std::uint32_t seed = 1; seed <= runs; ++seed) {
    tape_.start_random(seed, calm);
    steps += run(calm).steps;
  }
  world_->forget_sometimes();
  return std::max(steps / runs, std::uint32_t{16});
}

Verdict Runner::run_seed(std::uint64_t seed) {
  tape_.start_random(seed, config_);
  return run(config_);
}

Verdict Runner::replay(const std::vector<Decision>& tape, const Config& config) {
  tape_.start_replay(tape);
  return run(config);
}

Report Runner::explore(const Budget& budget) {
  Report report;
  const std::uint64_t started_ns = wall_ns();
  for (std::uint64_t seed = budget.first_seed; !spent(report, budget, started_ns); ++seed) {
    judge(report, run_seed(seed), seed, tape_, config_);
  }
  finish(report, started_ns);
  return report;
}

Report Runner::exhaustive(const Bounds& bounds, const Budget& budget) {
  Report report;
  const std::uint64_t started_ns = wall_ns();
  Config config = config_;
  config.kills_max = bounds.kills;
  Tape tape;
  tape.start_exhaustive(bounds);
  do {
    if (spent(report, budget, started_ns)) break;
    const Verdict verdict = world_->run(scenario_, config, tape);
    judge(report, verdict, 0, tape, config);
  } while (!(report.complete = !tape.advance()));
  finish(report, started_ns);
  return report;
}

void Runner::judge(Report& report, const Verdict& verdict, std::uint64_t seed, const Tape& tape, const Config& config) {
  ++report.runs;
  report.steps += verdict.steps;
  report.ticks += verdict.ticks;
  report.kills += verdict.kills;
  report.pauses += verdict.pauses;
  if (!verdict.failed) return;
  for (Failure& known : report.failures) {
    if (known.property != verdict.property) continue;
    ++known.count;
    return;
  }
  report.failures.push_back({verdict.property, verdict.detail, seed, report.runs, verdict.hash, 1, tape.decisions(), config});
  if (out_ != nullptr) print(*out_, report.failures.back());
}

bool Runner::spent(const Report& report, const Budget& budget, std::uint64_t started_ns) const {
  if (report.runs >= budget.runs_max) return true;
  std::uint64_t failing = 0;
  for (const Failure& failure : report.failures) failing += failure.count;
  if (failing >= budget.failures_max) return true;
  constexpr std::uint64_t runs_between_looks = 256;
  return report.runs % runs_between_looks == 0 && static_cast<double>(wall_ns() - started_ns) > budget.seconds_max * 1e9;
}

void Runner::finish(Report& report, std::uint64_t started_ns) const {
  report.seconds = static_cast<double>(wall_ns() - started_ns) * 1e-9;
  for (const World::Sometimes& entry : world_->sometimes_counts()) report.sometimes.emplace_back(entry.what, entry.count);
  world_->forget_sometimes();
}

void Runner::print(std::ostream& out, const Failure& failure) {
  out << "FAILED property=" << failure.property << " scenario=" << scenario_.name() << " seed=" << failure.seed
      << " horizon=" << config_.horizon_steps << " repro: ";
  if (failure.seed != 0) {
    out << "--scenario=" << scenario_.name() << " --seed=" << failure.seed;
  } else {
    out << "--scenario=" << scenario_.name() << " --kills=" << failure.config.kills_max << " --tape=" << to_text(failure.tape);
  }
  out << '\n' << failure.detail << '\n';
  Tape tape;
  tape.start_replay(failure.tape);
  const Verdict again = world_->run(scenario_, failure.config, tape, true);
  for (const TraceLine& line : world_->trace()) print_line(out, *world_, line);
  out << (again.failed ? again.property : "no failure") << " after " << again.steps << " steps, hash " << std::hex << again.hash
      << std::dec;
  if (tape.diverged() || again.hash != failure.hash) out << " - REPLAY DIFFERS from " << std::hex << failure.hash << std::dec;
  out << '\n';
}

std::string to_text(const Report& report) {
  std::ostringstream out;
  out << report.runs << " runs" << (report.complete ? " (complete)" : "") << ", " << report.steps << " steps, " << report.seconds << " s, "
      << report.kills << " kills, " << report.pauses << " pauses, " << report.ticks << " ticks";
  for (const auto& [what, count] : report.sometimes) out << "\n  sometimes " << what << ": " << count;
  for (const Failure& failure : report.failures) {
    out << "\n  FAILED " << failure.property << " in " << failure.count << " runs, first in run " << failure.run << ", seed "
        << failure.seed;
  }
  return out.str();
}

}  // namespace tenure::sim
