// The choice tape: every decision of a run goes through it and is recorded, so that a run is its identity, or its tape, and nothing else.
//
// An engine is a way to answer the questions. All of them answer through the same tape, and what one has found another one replays.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/sim/config.hpp>

namespace tenure::sim {

// What a decision is about. Choice 0 is always the quiet one: go on, no fault, first come first served, the newest value, the smallest
// size.
enum class Kind : std::uint8_t {
  next,         // which actor continues, the last one being unable to
  preempt,      // the same, the last one (choice 0) being able to go on
  fault_at,     // after how many steps the next fault lands; 0: never
  fault,        // which one it is: a number of Fault; 0: none
  victim,       // whom it meets: 0 is the process that is about to step
  length,       // how long: a number of steps, less one
  spurious,     // does this sleep end for no reason?
  wake_order,   // which of a word's sleepers
  jump_size,    // by how much realtime jumps
  linger,       // does a child keep the dead process's bytes?
  death_order,  // what the kernel does first with the dead: 0, it takes them off the queues
  stale,        // which of the values that a load may return: 0 is the newest
  delivery,     // which of the messages that are due
  fate,         // what becomes of a message: a number of Fate
  drift,        // of a host's clocks
  size,         // how many, less one: of processes, operations
  scenario,     // a choice of the scenario's own
  count_
};

enum class Fault : std::uint8_t { none, kill, pause, clock_jump, suspend, reboot, partition, restart, fail_over, count_ };

std::string_view name_of(Kind kind);
std::string_view name_of(Fault fault);

struct Decision {
  std::uint32_t choice;
  std::uint32_t n;
  Kind kind;
  bool operator==(const Decision&) const = default;
};

// std::popcount is a call where the processor is not known to have the instruction.
inline std::uint32_t count_bits(std::uint64_t x) {
  x -= (x >> 1) & 0x5555555555555555;
  x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<std::uint32_t>((x * 0x0101010101010101) >> 56);
}

// A small, fast generator (wyrand) with a good seed.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0);
  // Made one call ahead: what is decided by it is seldom guessed right by the processor, and should be known early.
  std::uint64_t next() {
    const std::uint64_t number = next_;
    state_ += step;
    next_ = mixed();
    return number;
  }
  // Uniform in [0, n), up to a bias below 2^-32 * n.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }

 private:
  static constexpr std::uint64_t step = 0xa0761d6478bd642f;
  __extension__ using Wide = unsigned __int128;
  std::uint64_t mixed() const {
    const Wide product = static_cast<Wide>(state_) * (state_ ^ 0xe7037ed1a0b428db);
    return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
  }

  std::uint64_t state_;  // of which next_ was made
  std::uint64_t next_;
};

// How a run's decisions are drawn.
enum class Engine : std::uint8_t {
  uniform,  // each actor that can go on is as likely as any other
  sticky,   // the last one goes on in seven of eight cases
  pct,      // the one of highest priority goes on; `depth` - 1 times in a run it falls behind all others (Burckhardt et al., 2010)
  sweep,    // the sticky schedule of a seed without faults, and one kill at step `at`
};

// The members of a set of actors by number, kept from one question to the next: a run asks far more often than the set changes. Choices
// are numbered from the last actor if it goes on, then the others by number.
class Candidates {
 public:
  void take(std::uint64_t set) {
    if (set != set_) list(set);
  }
  std::uint64_t set() const { return set_; }
  std::uint32_t count() const { return count_; }
  std::uint32_t first() const { return actors_[0]; }
  std::uint32_t actor_at(std::uint32_t choice, std::uint32_t last, bool goes_on) const {
    if (!goes_on) return actors_[choice];
    if (choice == 0) return last;
    const std::uint32_t actor = actors_[choice - 1];
    return actor < last ? actor : actors_[choice];
  }
  // The inverse, of a member.
  std::uint32_t choice_of(std::uint32_t actor, std::uint32_t last, bool goes_on) const {
    if (!goes_on) return places_[actor];
    return actor == last ? 0 : places_[actor] + (actor < last ? 1 : 0);
  }

 private:
  void list(std::uint64_t set);

  std::uint64_t set_ = 0;
  std::uint32_t count_ = 0;
  std::array<std::uint8_t, 64> actors_{};
  std::array<std::uint8_t, 64> places_{};  // in actors_
};

// Names one run, for ever: in text "uniform:17", "sticky:4", "pct3:99", "sweep:12@40".
struct RunId {
  Engine engine = Engine::uniform;
  std::uint8_t depth = 0;  // of pct: 2 to 5
  std::uint64_t seed = 0;
  std::uint32_t at = 0;  // of sweep
  bool operator==(const RunId&) const = default;
};
std::string to_text(const RunId& id);
// Nothing where the text names no run. A bare number N is "uniform:N".
std::optional<RunId> run_id_from(std::string_view text);

// The default mixture: the run that stands at place `index` (from 0) of an endless list. No engine dominates; lists of seeds to detection
// show each of them far ahead on some bugs. Sweeps go up to the configuration's horizon, and are left out where nobody may be killed.
RunId portfolio(std::uint64_t index, const Config& config);
// The run at a place of the list of one engine, or of the mixture.
RunId run_at(std::uint64_t index, const Config& config, const std::optional<RunId>& engine);

// Where somebody stands when a question is asked: an actor, and how many steps it has taken. Names a place in a run independently of what
// others did before.
struct Place {
  std::uint32_t actor = 0;
  std::uint32_t step = 0;
  bool operator==(const Place&) const = default;
};

// One answer that is not the quiet one, by its place. `value` is the choice; of next and preempt the actor that was chosen.
struct Deviation {
  Place place;
  Kind kind;
  std::uint32_t ordinal;  // among the questions of this kind at this place
  std::uint32_t value;
  bool operator==(const Deviation&) const = default;
};

// A run as a list of deviations from the quiet one. Unlike a tape it stays meaningful when an entry is taken out, which is what the
// shrinker needs. The actors of `postponed`, one bit each, go on only where a deviation says so or no other one can.
struct Plan {
  std::vector<Deviation> deviations;
  std::uint64_t postponed = 0;
};

// The faults that a random run has planned.
class FaultPlan {
 public:
  void clear() { count_ = next_ = 0; }
  void draw(Random& random, const Config& config, std::uint32_t horizon_steps);
  void add(std::uint32_t step, Fault fault);
  // The step of the next one; ~0: none is left.
  std::uint32_t step() const { return next_ == count_ ? ~std::uint32_t{0} : at_[next_].step; }
  Fault take() { return next_ == count_ ? Fault::none : at_[next_++].fault; }

 private:
  struct Planned {
    std::uint32_t step;
    Fault fault;
  };
  static constexpr std::uint32_t planned_max = 24;
  void draw_some(Random& random, Fault fault, std::uint32_t faults_max, std::uint32_t horizon_steps);

  std::array<Planned, planned_max> at_;
  std::uint32_t count_ = 0;
  std::uint32_t next_ = 0;
};

// What the exhaustive engine may spend in one run. A preemption is a switch away from an actor that could go on.
struct Bounds {
  std::uint32_t preemptions = 2;
  std::uint32_t kills = 0;
};
constexpr std::uint32_t unbounded = ~std::uint32_t{0};

class Tape {
 public:
  // The engines. Each start forgets the tape before it, except that advance() builds on it.
  void start(const RunId& id, const Config& config);
  void start_replay(std::vector<Decision> decisions);
  void start_plan(const Plan& plan);
  void start_bytes(std::span<const std::uint8_t> bytes);  // what a fuzzer changes
  void start_exhaustive(const Bounds& bounds);
  // Turns the tape of the finished run into the next one within the bounds. False when there is none left.
  bool advance();

  // A number in [0, n). A question with one answer is not recorded.
  std::uint32_t choose(std::uint32_t n, Kind kind) {
    if (n <= 1) return 0;
    const std::uint32_t choice = source_ == Source::random ? draw(n, kind) : look_up(n, kind);
    record({choice, n, kind});
    if (keyed_) [[unlikely]]
      note(kind, choice);
    return choice;
  }
  // The actor that goes on: one of the bits of `ready`, of which `last` is one if `goes_on`.
  std::uint32_t choose_actor(std::uint64_t ready, std::uint32_t last, bool goes_on) {
    candidates_.take(ready);
    const std::uint32_t n = candidates_.count();
    if (n == 1) return candidates_.first();
    if (!plain_) [[unlikely]]
      return choose_actor_by_source(ready, last, goes_on);
    const std::uint32_t choice = draw_actor(ready, last, goes_on);
    record({choice, n, goes_on ? Kind::preempt : Kind::next});
    return candidates_.actor_at(choice, last, goes_on);
  }
  // So many times, from now on, choose_actor() would answer `last`, were it asked for the same set, with `last` going on. Who knows that
  // needs not ask, but says in the end how often it did without; other questions may come between.
  std::uint32_t foresee(std::uint64_t ready, std::uint32_t last) const {
    if (!plain_ || engine_ == Engine::uniform || ready != candidates_.set() || candidates_.count() == 1) return 0;
    if (engine_ != Engine::pct) return stays_;
    const bool known = ready == ranked_ && last == best_ && turns_ + 1 < next_turn_;
    return known ? next_turn_ - turns_ - 1 : 0;
  }
  void went_on(std::uint32_t times);
  // The same where `last` goes on; and `unknown` where there is more to do than to draw a number. The way of nearly all steps.
  static constexpr std::uint32_t unknown = 64;
  std::uint32_t choose_quickly(std::uint64_t ready, std::uint32_t last) {
    const std::uint32_t n = candidates_.count();
    if (!plain_ || engine_ != Engine::uniform || ready != candidates_.set() || n == 1 || position_ == room_) [[unlikely]]
      return unknown;
    const std::uint32_t choice = random_.below(n);
    decisions_[position_++] = {choice, n, Kind::preempt};
    return candidates_.actor_at(choice, last, true);
  }
  // The fault that lands, one of the bits of `enabled`, or none.
  Fault choose_fault(std::uint32_t enabled);
  // The step at which the next fault lands, when `steps` have been taken: 0 stands for a question at every step, ~0 for none.
  std::uint32_t next_fault_step(std::uint32_t steps);

  // Whether the answers depend on, or are noted by, the place of the question. World::choose() then says where it stands.
  bool keyed() const { return keyed_; }
  void stand_at(const Place& place);
  // Notes the deviations of the next run. They are complete when the run is over.
  void note_deviations(bool on) {
    noting_ = keyed_ = on;
    plain_ = false;
  }
  const std::vector<Deviation>& deviations() const { return deviations_; }

  std::vector<Decision> decisions() const;
  std::size_t position() const { return position_; }
  // The decisions so far were all given: what the exhaustive engine does now it has done before.
  bool in_prefix() const { return position_ < prefix_; }
  std::size_t prefix() const { return prefix_; }
  // As if the first decisions, which are given, had been taken.
  void skip_to(std::size_t position) { position_ = position; }
  // The replayed tape asked other questions than the recorded one: the run isn't deterministic, or it isn't the same program.
  bool diverged() const { return diverged_; }

 private:
  enum class Source : std::uint8_t { random, replay, plan, bytes, exhaustive };

  void reset(Source source);
  void record(const Decision& decision) {
    if (position_ == room_) [[unlikely]]
      make_room();
    decisions_[position_++] = decision;
  }
  void make_room();
  std::uint32_t draw_actor(std::uint64_t ready, std::uint32_t last, bool goes_on);
  std::uint32_t choose_actor_by_source(std::uint64_t ready, std::uint32_t last, bool goes_on);
  std::uint32_t draw(std::uint32_t n, Kind kind);
  std::uint32_t look_up(std::uint32_t n, Kind kind);
  std::uint32_t read(std::uint32_t n, Kind kind);
  const Deviation* planned(Kind kind) const;
  // The one of highest priority. Nothing changes that as long as the same ones are ready and nobody falls behind.
  std::uint32_t by_priority(std::uint64_t ready, std::uint32_t last, bool goes_on) {
    const bool spins = !goes_on && last < 64 && (ready >> last & 1) != 0;
    if (++turns_ < next_turn_ && ready == ranked_ && !spins) return best_;
    return by_new_priority(ready, last, spins);
  }
  std::uint32_t draw_stays();
  std::uint32_t by_new_priority(std::uint64_t ready, std::uint32_t last, bool spins);
  std::uint32_t from_bytes(std::uint32_t n);
  void note(Kind kind, std::uint32_t value);
  std::uint32_t* spending(Kind kind, std::uint32_t choice);

  Source source_ = Source::random;
  Engine engine_ = Engine::uniform;
  bool plain_ = false;  // random, and nobody wants to know places: the fast way
  bool keyed_ = false;
  bool noting_ = false;
  bool diverged_ = false;
  std::size_t position_ = 0;  // decisions taken in this run
  std::size_t prefix_ = 0;    // decisions that are given: replayed ones
  std::size_t room_ = 0;      // the size of decisions_, which takes a division to ask for
  std::vector<Decision> decisions_;
  Random random_;
  Candidates candidates_;
  FaultPlan faults_;

  std::uint32_t stays_ = 0;  // of sticky: how often the last one goes on before the next draw

  // PCT
  std::array<std::uint8_t, 64> priority_{};
  std::array<std::uint32_t, 4> demotions_{};
  std::uint32_t demotions_left_ = 0;
  std::uint32_t turns_ = 0;
  std::uint32_t next_turn_ = 0;  // when somebody falls behind, or the fair tail begins
  std::uint64_t ranked_ = 0;     // the set of which best_ is the one of highest priority
  std::uint32_t best_ = 0;
  std::uint8_t lowest_ = 0;

  // Plans
  std::vector<Deviation> plan_;  // sorted by place
  std::uint64_t postponed_ = 0;
  Place place_;
  // What has been asked of each actor where it stands: it may leave and come back to the same place.
  struct Asked {
    std::uint32_t step;
    std::array<std::uint8_t, static_cast<std::size_t>(Kind::count_)> questions;
  };
  std::array<Asked, 64> asked_{};
  std::vector<Deviation> deviations_;

  std::span<const std::uint8_t> bytes_;
  Bounds left_{};
};

// Its number among the candidates.
inline std::uint32_t Tape::draw_actor(std::uint64_t ready, std::uint32_t last, bool goes_on) {
  if (engine_ == Engine::pct) return candidates_.choice_of(by_priority(ready, last, goes_on), last, goes_on);
  if (engine_ != Engine::uniform && goes_on) {
    if (stays_ != 0) {
      --stays_;
      return 0;
    }
    stays_ = draw_stays();
  }
  return random_.below(candidates_.count());
}

// A tape as text, in base 36: for every decision that is not the quiet one its distance from the one before, then
// "-choice" unless that is 1.
std::string to_text(const std::vector<Decision>& decisions);
// The inverse, as far as replaying goes: the kinds and ranges aren't in the text. Nothing for text that is no tape.
std::optional<std::vector<Decision>> tape_from(std::string_view text);

}  // namespace tenure::sim
