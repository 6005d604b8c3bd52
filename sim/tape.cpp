#include <tenure/sim/tape.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

namespace tenure::sim {

namespace {

constexpr std::uint32_t distance_max = 1u << 30;           // of fault_at
constexpr std::uint32_t at_every_step = distance_max - 1;  // the answer that has the question of the fault put at each step

std::uint64_t bit(std::uint32_t actor) { return std::uint64_t{1} << actor; }

std::uint64_t splitmix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

bool before(const Place& a, const Place& b) { return a.actor != b.actor ? a.actor < b.actor : a.step < b.step; }

// Whether the last one goes on, and being able to, is one question to a person.
Kind merged(Kind kind) { return kind == Kind::preempt ? Kind::next : kind; }

}  // namespace

std::string_view name_of(Kind kind) {
  static constexpr std::string_view names[] = {"next",     "preempt",    "fault_at",  "fault",  "victim",      "length",
                                               "spurious", "wake_order", "jump_size", "linger", "death_order", "stale",
                                               "delivery", "fate",       "drift",     "size",   "scenario"};
  static_assert(std::size(names) == static_cast<std::size_t>(Kind::count_));
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Fault fault) {
  static constexpr std::string_view names[] = {"none",   "kill",      "pause",   "clock_jump", "suspend",
                                               "reboot", "partition", "restart", "fail_over"};
  static_assert(std::size(names) == static_cast<std::size_t>(Fault::count_));
  return names[static_cast<std::size_t>(fault)];
}

Random::Random(std::uint64_t seed) : state_(splitmix(seed) + step), next_(mixed()) {}

// --- The faults of a random run -------------------------------------------------------------------------------------------------------

void FaultPlan::add(std::uint32_t step, Fault fault) {
  if (count_ == planned_max) return;
  std::uint32_t i = count_++;
  for (; i != 0 && at_[i - 1].step > step; --i) at_[i] = at_[i - 1];
  at_[i] = {step, fault};
}

void FaultPlan::draw_some(Random& random, Fault fault, std::uint32_t faults_max, std::uint32_t horizon_steps) {
  if (faults_max == 0) return;
  for (std::uint32_t count = random.below(faults_max + 1); count != 0; --count) add(1 + random.below(horizon_steps), fault);
}

void FaultPlan::draw(Random& random, const Config& config, std::uint32_t horizon_steps) {
  clear();
  draw_some(random, Fault::kill, config.kills_max, horizon_steps);
  draw_some(random, Fault::pause, config.pauses_max, horizon_steps);
  draw_some(random, Fault::clock_jump, config.realtime_jumps_max, horizon_steps);
  draw_some(random, Fault::suspend, config.suspends_max, horizon_steps);
  draw_some(random, Fault::reboot, config.reboots_max, horizon_steps);
  draw_some(random, Fault::partition, config.partitions_max, horizon_steps);
  draw_some(random, Fault::restart, config.restarts_max, horizon_steps);
  draw_some(random, Fault::fail_over, config.fail_overs_max, horizon_steps);
}

void Candidates::list(std::uint64_t set) {
  set_ = set;
  count_ = 0;
  for (; set != 0; set &= set - 1) {
    const auto actor = static_cast<std::uint8_t>(std::countr_zero(set));
    places_[actor] = static_cast<std::uint8_t>(count_);
    actors_[count_++] = actor;
  }
}

// --- The sources ----------------------------------------------------------------------------------------------------------------------

void Tape::reset(Source source) {
  source_ = source;
  keyed_ = noting_ || source == Source::plan;
  plain_ = false;
  diverged_ = false;
  position_ = prefix_ = 0;
  if (!keyed_) return;
  deviations_.clear();
  for (Asked& asked : asked_) asked = {0, {}};
}

void Tape::start(const RunId& id, const Config& config) {
  reset(Source::random);
  engine_ = id.engine;
  plain_ = !keyed_;
  random_ = Random(id.seed);
  const std::uint32_t horizon = std::max(config.horizon_steps, std::uint32_t{1});
  faults_.clear();
  stays_ = engine_ == Engine::sticky || engine_ == Engine::sweep ? draw_stays() : 0;
  if (engine_ == Engine::sweep) {
    faults_.add(id.at, Fault::kill);
    return;
  }
  faults_.draw(random_, config, horizon);
  if (engine_ != Engine::pct) return;
  constexpr std::uint8_t first_priority = 128;
  for (std::size_t i = 0; i < priority_.size(); ++i) priority_[i] = static_cast<std::uint8_t>(first_priority + i);
  for (std::uint32_t i = 63; i != 0; --i) std::swap(priority_[i], priority_[random_.below(i + 1)]);
  lowest_ = first_priority;
  turns_ = next_turn_ = 0;
  ranked_ = 0;
  demotions_left_ = std::min<std::uint32_t>(id.depth == 0 ? 0 : id.depth - 1, 4);
  for (std::uint32_t i = 0; i < demotions_left_; ++i) demotions_[i] = random_.below(horizon);
  std::sort(demotions_.begin(), demotions_.begin() + demotions_left_, std::greater<>());
}

void Tape::start_replay(std::vector<Decision> decisions) {
  reset(Source::replay);
  decisions_ = std::move(decisions);
  prefix_ = room_ = decisions_.size();
}

void Tape::start_plan(const Plan& plan) {
  reset(Source::plan);
  plan_ = plan.deviations;
  postponed_ = plan.postponed;
  // Stable and in place: std::stable_sort needs what clang 19 calls deprecated.
  for (auto next = plan_.begin(); next != plan_.end(); ++next) {
    const auto place =
        std::upper_bound(plan_.begin(), next, *next, [](const Deviation& a, const Deviation& b) { return before(a.place, b.place); });
    std::rotate(place, next, next + 1);
  }
}

void Tape::start_bytes(std::span<const std::uint8_t> bytes) {
  reset(Source::bytes);
  bytes_ = bytes;
}

void Tape::start_exhaustive(const Bounds& bounds) {
  reset(Source::exhaustive);
  left_ = bounds;
}

std::uint32_t* Tape::spending(Kind kind, std::uint32_t choice) {
  if (choice == 0) return nullptr;
  if (kind == Kind::preempt && left_.preemptions != unbounded) return &left_.preemptions;
  if (kind == Kind::fault) return &left_.kills;
  return nullptr;
}

bool Tape::advance() {
  while (position_ > 0) {
    Decision& last = decisions_[position_ - 1];
    if (std::uint32_t* const spent = spending(last.kind, last.choice)) ++*spent;
    // Lengths and sizes are dimensions of their own: the exhaustive engine keeps to the largest one.
    const bool fixed = last.kind == Kind::length || last.kind == Kind::jump_size || last.kind == Kind::size || last.kind == Kind::fault_at;
    if (!fixed && last.choice + 1 < last.n) {
      std::uint32_t* const price = spending(last.kind, last.choice + 1);
      if (price == nullptr || *price != 0) {
        if (price != nullptr) --*price;
        ++last.choice;
        prefix_ = std::exchange(position_, 0);
        return true;
      }
    }
    --position_;
  }
  return false;
}

void Tape::make_room() {
  decisions_.resize(2 * room_ + 256);
  room_ = decisions_.size();
}

void Tape::went_on(std::uint32_t times) {
  if (engine_ == Engine::pct) {
    turns_ += times;
  } else {
    stays_ -= times;
  }
  while (room_ - position_ < times) make_room();
  std::fill_n(decisions_.begin() + static_cast<std::ptrdiff_t>(position_), times, Decision{0, candidates_.count(), Kind::preempt});
  position_ += times;
}

// --- Answers --------------------------------------------------------------------------------------------------------------------------

// Seven of eight times, which is all three-bit parts of a number but the zeros. A number has 21 of them.
std::uint32_t Tape::draw_stays() {
  constexpr std::uint64_t every_part = 0x1249249249249249;
  std::uint32_t stays = 0;
  for (;; stays += 21) {
    const std::uint64_t number = random_.next();
    const std::uint64_t zeros = ~(number | number >> 1 | number >> 2) & every_part;
    if (zeros != 0) return stays + static_cast<std::uint32_t>(std::countr_zero(zeros)) / 3;
  }
}

std::uint32_t Tape::draw(std::uint32_t n, Kind kind) {
  switch (kind) {
    case Kind::length: {
      const std::uint32_t octave = random_.below(static_cast<std::uint32_t>(std::bit_width(n)));
      return std::min((std::uint32_t{1} << octave) - 1 + random_.below(std::uint32_t{1} << octave), n - 1);
    }
    case Kind::spurious: return random_.below(8) == 0 ? 1 : 0;
    case Kind::fate: return random_.below(6) == 0 ? random_.below(n) : 0;
    // Mostly the largest one: more happens there. Small ones fail more plainly.
    case Kind::size: return random_.below(4) == 0 ? random_.below(n) : n - 1;
    case Kind::stale: return random_.below(3) == 0 ? random_.below(n) : 0;
    default: return random_.below(n);
  }
}

std::uint32_t Tape::look_up(std::uint32_t n, Kind kind) {
  if (source_ == Source::plan) {
    const Deviation* const found = planned(kind);
    return found == nullptr ? 0 : std::min(found->value, n - 1);
  }
  return source_ == Source::bytes ? from_bytes(n) : read(n, kind);
}

std::uint32_t Tape::read(std::uint32_t n, Kind kind) {
  if (position_ >= prefix_) {
    const bool largest = source_ == Source::exhaustive && (kind == Kind::length || kind == Kind::jump_size || kind == Kind::size);
    return largest ? n - 1 : 0;
  }
  const Decision& given = decisions_[position_];
  const bool typed = given.n != 0;  // a tape read from text knows its choices only
  if (given.choice >= n || (typed && (given.n != n || given.kind != kind))) diverged_ = true;
  return std::min(given.choice, n - 1);
}

std::uint32_t Tape::from_bytes(std::uint32_t n) {
  if (bytes_.empty()) return 0;
  std::uint32_t number = bytes_[0];
  if (n > 256 && bytes_.size() > 1) number |= std::uint32_t{bytes_[1]} << 8;
  bytes_ = bytes_.subspan(n > 256 && bytes_.size() > 1 ? 2 : 1);
  return number % n;
}

std::uint32_t Tape::choose_actor_by_source(std::uint64_t ready, std::uint32_t last, bool goes_on) {
  const std::uint64_t others = goes_on ? ready & ~bit(last) : ready;
  const std::uint32_t n = candidates_.count();
  const Kind kind = goes_on ? Kind::preempt : Kind::next;
  std::uint32_t choice = 0;
  bool deviates = source_ != Source::plan;
  if (source_ == Source::random) {
    choice = draw_actor(ready, last, goes_on);
  } else if (source_ == Source::plan) {
    const Deviation* const found = planned(kind);
    const std::uint64_t willing = others & ~postponed_;
    if (found != nullptr && found->value < 64 && (ready & bit(found->value)) != 0) {
      choice = candidates_.choice_of(found->value, last, goes_on);
      deviates = true;
    } else if (willing != 0 && (!goes_on || (bit(last) & postponed_) != 0)) {
      choice = candidates_.choice_of(static_cast<std::uint32_t>(std::countr_zero(willing)), last, goes_on);
    }
  } else {
    choice = look_up(n, kind);
  }
  record({choice, n, kind});
  const std::uint32_t actor = candidates_.actor_at(choice, last, goes_on);
  if (keyed_) note(kind, deviates && (choice != 0 || source_ == Source::plan) ? actor : ~std::uint32_t{0});
  return actor;
}

// After a while the chance of the demotions is used up, and what spins would spin for ever: the tail is fair.
std::uint32_t Tape::by_new_priority(std::uint64_t ready, std::uint32_t last, bool spins) {
  constexpr std::uint32_t fair_from = 4096;
  if (turns_ > fair_from) return candidates_.actor_at(random_.below(candidates_.count()), last, false);
  const bool due = demotions_left_ != 0 && demotions_[demotions_left_ - 1] <= turns_;
  if (due) --demotions_left_;
  if ((spins || due) && last < 64 && lowest_ != 0) priority_[last] = --lowest_;
  next_turn_ = std::min(demotions_left_ != 0 ? demotions_[demotions_left_ - 1] : ~std::uint32_t{0}, fair_from + 1);
  ranked_ = ready;
  best_ = candidates_.first();
  for (std::uint64_t rest = ready; rest != 0; rest &= rest - 1) {
    const auto actor = static_cast<std::uint32_t>(std::countr_zero(rest));
    if (priority_[actor] > priority_[best_]) best_ = actor;
  }
  return best_;
}

std::uint32_t Tape::next_fault_step(std::uint32_t steps) {
  constexpr std::uint32_t never = ~std::uint32_t{0};
  std::uint32_t distance = 0;
  if (source_ == Source::random) {
    const std::uint32_t step = faults_.step();
    distance = step == never ? 0 : std::max(step, steps + 1) - steps;
  } else if (source_ == Source::plan || (source_ == Source::exhaustive && position_ >= prefix_)) {
    distance = source_ == Source::plan || left_.kills != 0 ? at_every_step : 0;
  } else {
    distance = look_up(distance_max, Kind::fault_at);
  }
  record({distance, distance_max, Kind::fault_at});
  if (distance == at_every_step) return 0;
  return distance == 0 ? never : steps + distance;
}

Fault Tape::choose_fault(std::uint32_t enabled) {
  const auto index_of = [enabled](std::uint32_t fault) {
    return (enabled >> fault & 1) == 0 ? 0 : count_bits(enabled & ((1u << fault) - 1)) + 1;
  };
  const std::uint32_t n = count_bits(enabled) + 1;
  std::uint32_t choice = 0;
  if (source_ == Source::random) {
    choice = index_of(static_cast<std::uint32_t>(faults_.take()));
  } else if (source_ == Source::plan) {
    const Deviation* const found = planned(Kind::fault);
    choice = found == nullptr ? 0 : index_of(found->value);
  } else if (n > 1) {
    choice = look_up(n, Kind::fault);
  }
  record({choice, n, Kind::fault});
  std::uint32_t rest = enabled;
  for (std::uint32_t i = 1; i < choice; ++i) rest &= rest - 1;
  const Fault fault = choice == 0 ? Fault::none : static_cast<Fault>(std::countr_zero(rest));
  if (keyed_) note(Kind::fault, static_cast<std::uint32_t>(fault));
  return fault;
}

// --- Places ---------------------------------------------------------------------------------------------------------------------------

void Tape::stand_at(const Place& place) {
  place_ = place;
  Asked& asked = asked_[place.actor];
  if (asked.step != place.step) asked = {place.step, {}};
}

const Deviation* Tape::planned(Kind kind) const {
  const Kind wanted = merged(kind);
  const std::uint8_t ordinal = asked_[place_.actor].questions[static_cast<std::size_t>(wanted)];
  auto at = std::lower_bound(plan_.begin(), plan_.end(), place_, [](const Deviation& d, const Place& p) { return before(d.place, p); });
  for (; at != plan_.end() && at->place == place_; ++at) {
    if (at->kind == wanted && at->ordinal == ordinal) return &*at;
  }
  return nullptr;
}

// Of an actor the quiet value is ~0. All others are quiet at 0.
void Tape::note(Kind kind, std::uint32_t value) {
  const Kind wanted = merged(kind);
  std::uint8_t& asked = asked_[place_.actor].questions[static_cast<std::size_t>(wanted)];
  const std::uint32_t quiet = wanted == Kind::next ? ~std::uint32_t{0} : 0;
  if (noting_ && value != quiet) deviations_.push_back({place_, wanted, asked, value});
  if (asked != 255) ++asked;
}

std::vector<Decision> Tape::decisions() const { return {decisions_.begin(), decisions_.begin() + static_cast<std::ptrdiff_t>(position_)}; }

}  // namespace tenure::sim
