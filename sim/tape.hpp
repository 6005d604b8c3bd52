// The choice tape: every decision of a run goes through choose() and is recorded, so that a run is its seed, or its tape, and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config.hpp"

namespace tenure::sim {

// What a decision is about. Choice 0 is always the quiet one: go on, no fault, first come first served.
enum class Kind : std::uint8_t {
  next,        // which actor continues, the last one being unable to
  preempt,     // the same, the last one (choice 0) being able to go on
  kill,        // does a process die here?
  victim,      // which one: 0 is the process that is about to step, the others are asleep
  pause,       // does the stepping process stop here?
  length,      // how long: a number of steps, less one
  spurious,    // does this sleep end for no reason?
  wake_order,  // which of a word's sleepers
  clock_jump,  // does realtime jump here?
  jump_size,   // by how much
  linger,      // does a child keep the dead process's bytes?
  scenario,    // a choice of the scenario's own
};

struct Decision {
  std::uint32_t choice;
  std::uint32_t n;
  Kind kind;
};

// xoshiro256**, seeded by splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0);
  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  // Uniform in [0, n), up to a bias below 2^-32 * n.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }

 private:
  static std::uint64_t rotate(std::uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }
  std::array<std::uint64_t, 4> state_;
};

// The faults of one kind that a random run has planned, as counts of the questions asked so far.
class FaultPlan {
 public:
  void draw(Random& random, std::uint32_t faults_max, std::uint32_t horizon);
  bool due() {
    if (questions_++ != at_[next_]) return false;
    ++next_;
    return true;
  }

 private:
  static constexpr std::uint32_t faults_max = 8;
  std::array<std::uint32_t, faults_max + 1> at_{};
  std::uint32_t next_ = 0;
  std::uint32_t questions_ = 0;
};

// What the exhaustive engine may spend in one run. A preemption is a switch away from an actor that could go on.
struct Bounds {
  std::uint32_t preemptions = 2;
  std::uint32_t kills = 0;
};

class Tape {
 public:
  // The engines. Each start forgets the tape before it, except that advance() builds on it.
  void start_random(std::uint64_t seed, const Config& config);
  void start_replay(std::vector<Decision> decisions);
  void start_exhaustive(const Bounds& bounds);
  // Turns the tape of the finished run into the next one within the bounds. False when there is none left.
  bool advance();

  // A number in [0, n). A question with one answer is not recorded.
  std::uint32_t choose(std::uint32_t n, Kind kind) {
    if (n <= 1) return 0;
    const std::uint32_t choice = engine_ == Engine::random ? draw(n, kind) : read(n, kind);
    if (position_ == decisions_.size()) decisions_.resize(2 * decisions_.size() + 256);
    decisions_[position_++] = Decision{choice, n, kind};
    return choice;
  }

  std::vector<Decision> decisions() const;
  // The replayed tape asked other questions than the recorded one: the run isn't deterministic, or it isn't the same program.
  bool diverged() const { return diverged_; }

 private:
  enum class Engine : std::uint8_t { random, replay, exhaustive };

  std::uint32_t draw(std::uint32_t n, Kind kind);
  std::uint32_t read(std::uint32_t n, Kind kind);
  std::uint32_t* spending(Kind kind);

  Engine engine_ = Engine::random;
  bool sticky_ = false;
  bool diverged_ = false;
  std::size_t position_ = 0;  // decisions taken in this run
  std::size_t prefix_ = 0;    // decisions that are given: replayed ones
  std::vector<Decision> decisions_;
  Random random_;
  FaultPlan kills_;
  FaultPlan pauses_;
  FaultPlan clock_jumps_;
  Bounds left_{};
};

// A tape as text, in base 36: for every decision that is not the quiet one its distance from the one before, then
// "-choice" unless that is 1.
std::string to_text(const std::vector<Decision>& decisions);
// The inverse, as far as replaying goes: the kinds and ranges aren't in the text. Empty for text that is no tape.
std::vector<Decision> from_text(std::string_view text);

}  // namespace tenure::sim
