#include <tenure/sim/shrink.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace tenure::sim {

namespace {

constexpr RunSize no_size{~0u, ~0u, ~0u, ~0u, ~0u};

class Shrinker {
 public:
  Shrinker(Runner& runner, const Failure& failure, const ShrinkBudget& budget)
      : runner_(runner),
        failure_(failure),
        budget_(budget),
        replays_max_(budget.replays_max),
        seconds_max_(budget.seconds_max),
        started_(std::chrono::steady_clock::now()) {}

  Shrunk shrink();

 private:
  bool spent() const { return replays_ >= replays_max_ || seconds() > seconds_max_; }
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(); }
  RunSize size_of(const Verdict& verdict) const;
  bool attempt(const Plan& plan);
  bool reduce(const std::vector<Decision>& tape);
  void look_elsewhere();
  void allow(double share);
  bool pass();
  bool postpone_processes();
  bool take_out_kind(bool faults);
  bool take_out_chunks();
  bool take_out_pairs();
  bool lower_values();
  bool move_places();

  Runner& runner_;
  const Failure& failure_;
  ShrinkBudget budget_;
  std::uint64_t replays_max_;  // of the part that is under way
  double seconds_max_;
  std::chrono::steady_clock::time_point started_;
  std::uint64_t replays_ = 0;
  Plan best_;
  RunSize size_;
};

bool is_fault(const Deviation& deviation) { return deviation.kind == Kind::fault || deviation.kind == Kind::fate; }

RunSize Shrinker::size_of(const Verdict& verdict) const {
  return {runner_.world().processes_in_use(), verdict.faults, verdict.switches, verdict.steps,
          static_cast<std::uint32_t>(runner_.tape().deviations().size())};
}

// Takes the plan over if it fails the same way and is smaller. What it did not come to is dropped from it.
bool Shrinker::attempt(const Plan& plan) {
  if (spent()) return false;
  ++replays_;
  const Verdict verdict = runner_.run_plan(plan);
  if (!verdict.failed || verdict.property != failure_.property) return false;
  const RunSize size = size_of(verdict);
  if (size >= size_) return false;
  best_ = {runner_.tape().deviations(), plan.postponed};
  size_ = size;
  return true;
}

// A process that never goes on where another one can takes no step at all, if the others do without it.
bool Shrinker::postpone_processes() {
  bool better = false;
  for (ProcessId process = runner_.world().processes(); process-- > 0;) {
    const std::uint64_t threads = runner_.world().threads_of(process);
    if ((best_.postponed & threads) == threads) continue;
    Plan plan = best_;
    plan.postponed |= threads;
    if (attempt(plan)) {
      better = true;
      continue;
    }
    std::erase_if(plan.deviations, [&](const Deviation& d) { return d.kind == Kind::next && (threads >> (d.value & 63) & 1) != 0; });
    better |= attempt(plan);
  }
  return better;
}

bool Shrinker::take_out_kind(bool faults) {
  bool better = false;
  for (std::size_t i = best_.deviations.size(); i-- > 0;) {
    if (i >= best_.deviations.size()) continue;
    const Deviation& deviation = best_.deviations[i];
    if (faults ? !is_fault(deviation) : deviation.kind != Kind::size && deviation.kind != Kind::scenario) continue;
    Plan plan = best_;
    // Whom it met and how long it lasted goes with it.
    const Place place = deviation.place;
    std::erase_if(plan.deviations, [&](const Deviation& d) {
      return d == deviation ||
             (faults && d.place == place && (d.kind == Kind::victim || d.kind == Kind::length || d.kind == Kind::jump_size));
    });
    better |= attempt(plan);
  }
  return better;
}

// Halves, quarters, and so on down to single ones (Zeller and Hildebrandt's ddmin, without its complements).
bool Shrinker::take_out_chunks() {
  bool better = false;
  for (std::size_t chunk = std::max<std::size_t>(best_.deviations.size() / 2, 1);; chunk /= 2) {
    for (std::size_t end = best_.deviations.size(); end > 0 && !spent();) {
      const std::size_t begin = end > chunk ? end - chunk : 0;
      Plan plan = best_;
      plan.deviations.erase(plan.deviations.begin() + static_cast<std::ptrdiff_t>(begin),
                            plan.deviations.begin() + static_cast<std::ptrdiff_t>(std::min(end, plan.deviations.size())));
      if (attempt(plan)) better = true;
      end = std::min(begin, best_.deviations.size());
    }
    if (chunk <= 1) break;
  }
  return better;
}

// A switch away and the switch back often make sense only together.
bool Shrinker::take_out_pairs() {
  constexpr std::size_t pairs_of_max = 40;
  bool better = false;
  for (std::size_t i = 0; i < best_.deviations.size() && best_.deviations.size() <= pairs_of_max; ++i) {
    for (std::size_t j = i + 1; j < best_.deviations.size() && !spent(); ++j) {
      Plan plan = best_;
      plan.deviations.erase(plan.deviations.begin() + static_cast<std::ptrdiff_t>(j));
      plan.deviations.erase(plan.deviations.begin() + static_cast<std::ptrdiff_t>(i));
      if (attempt(plan)) better = true;
    }
  }
  return better;
}

bool Shrinker::lower_values() {
  bool better = false;
  for (std::size_t i = 0; i < best_.deviations.size() && !spent(); ++i) {
    const Deviation deviation = best_.deviations[i];
    if (deviation.kind == Kind::next || deviation.kind == Kind::fault) continue;
    for (const std::uint32_t value : {deviation.value / 8, deviation.value / 2, deviation.value - 1}) {
      if (value == 0 || value >= deviation.value) continue;
      Plan plan = best_;
      plan.deviations[i].value = value;
      if (attempt(plan)) {
        better = true;
        break;
      }
    }
  }
  return better;
}

// Sooner or later by a few steps, and another one instead.
bool Shrinker::move_places() {
  bool better = false;
  for (std::size_t i = 0; i < best_.deviations.size() && !spent(); ++i) {
    const Deviation deviation = best_.deviations[i];
    if (deviation.kind != Kind::next && deviation.kind != Kind::fault) continue;
    for (const int distance : {-16, -8, -4, -2, -1, 1, 2, 4, 8}) {
      if (i >= best_.deviations.size() || !(best_.deviations[i] == deviation)) break;
      if (distance < 0 && deviation.place.step < static_cast<std::uint32_t>(-distance)) continue;
      Plan plan = best_;
      for (Deviation& other : plan.deviations) {
        const bool belongs =
            other == deviation || (deviation.kind == Kind::fault && other.place == deviation.place && other.kind != Kind::next);
        if (belongs) other.place.step += static_cast<std::uint32_t>(distance);
      }
      if (attempt(plan)) better = true;
    }
  }
  return better;
}

bool Shrinker::pass() {
  bool better = postpone_processes();
  better |= take_out_kind(true);
  better |= take_out_kind(false);
  better |= take_out_chunks();
  better |= take_out_pairs();
  better |= lower_values();
  better |= move_places();
  return better;
}

// The next part may spend a share of what is left.
void Shrinker::allow(double share) {
  replays_max_ =
      replays_ + static_cast<std::uint64_t>(static_cast<double>(budget_.replays_max - std::min(replays_, budget_.replays_max)) * share);
  seconds_max_ = seconds() + (budget_.seconds_max - seconds()) * share;
}

// Takes away what can be taken away from one failing run. False: it doesn't fail as a plan, or is never smaller than the best.
bool Shrinker::reduce(const std::vector<Decision>& tape) {
  const Verdict first = runner_.replay(tape);
  if (!first.failed) return false;
  const Plan found = std::exchange(best_, {runner_.tape().deviations(), 0});
  const RunSize size = std::exchange(size_, no_size);
  const bool reproduces = attempt(Plan(best_));
  while (reproduces && !spent() && pass()) {
  }
  if (reproduces && size_ < size) return true;
  best_ = found;
  size_ = size;
  return false;
}

// Runs that are longer than the best one fail as livelocks, soon.
void Shrinker::look_elsewhere() {
  for (std::uint64_t index = 0; allow(1), !spent(); ++index) {
    runner_.limit_steps(size_.steps);
    runner_.tape().note_deviations(false);
    const Verdict verdict = runner_.run_at(index);
    ++replays_;
    const bool fails = verdict.failed && verdict.property == failure_.property;
    const std::vector<Decision> tape = fails ? runner_.tape().decisions() : std::vector<Decision>();
    runner_.limit_steps(failure_.config.steps_max);
    runner_.tape().note_deviations(true);
    allow(0.2);
    if (fails) reduce(tape);
  }
}

Shrunk Shrinker::shrink() {
  Shrunk shrunk;
  runner_.tape().note_deviations(true);
  const Verdict first = runner_.replay(failure_);
  shrunk.before = size_of(first);
  shrunk.failure = failure_;
  shrunk.failure.id.reset();
  size_ = no_size;
  const bool comes_to_an_end = failure_.property != "livelock";
  allow(budget_.looks_elsewhere && comes_to_an_end ? 0.4 : 1);
  const bool reproduces = reduce(failure_.tape);
  shrunk.finished = !spent();
  if (reproduces && budget_.looks_elsewhere && comes_to_an_end) look_elsewhere();
  if (reproduces) {
    const Verdict last = runner_.run_plan(best_);
    shrunk.failure.tape = runner_.tape().decisions();
    shrunk.failure.hash = last.hash;
    shrunk.failure.detail = last.detail;
  } else {
    size_ = shrunk.before;
  }
  runner_.tape().note_deviations(false);
  shrunk.after = size_;
  shrunk.replays = replays_;
  shrunk.seconds = seconds();
  return shrunk;
}

}  // namespace

Shrunk shrink(Runner& runner, const Failure& failure, const ShrinkBudget& budget) { return Shrinker(runner, failure, budget).shrink(); }

}  // namespace tenure::sim
