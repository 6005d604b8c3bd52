// A script of sleepers, stores, wakes, deaths and time-outs, and what came of it; see futex_conformance_test.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <tenure/sim/tape.hpp>

namespace tenure::sim::conformance::futexes {

constexpr std::uint32_t words_max = 3;
constexpr std::uint32_t sleepers_max = 4;
constexpr std::uint32_t all = ~std::uint32_t{0};

struct Watched {
  std::uint32_t word;
  std::uint32_t expected;
};

struct Action {
  enum class What : std::uint8_t { start, store, wake, kill, time_out };
  What what;
  std::uint32_t target;        // a sleeper, or a word
  std::uint32_t number = 0;    // the value, or how many to wake
  bool settles = true;         // ends the burst
  std::uint32_t deadline = 0;  // start: which time-out ends this sleep, from 1; 0: none
};

struct Case {
  std::array<std::uint32_t, words_max> initial{};
  std::array<std::vector<Watched>, sleepers_max> sleepers;
  std::vector<Action> actions;
};

enum class End : std::uint8_t { not_started, asleep, woken, changed, timed_out, killed };

struct Outcome {
  std::array<End, sleepers_max> ends{};
  std::array<std::uint32_t, sleepers_max> seen_after{};  // so many actions it was first seen to be over
  std::vector<std::uint32_t> wakes;                      // what each wake returned
  bool operator==(const Outcome&) const = default;
};

inline bool is_over(End end) { return end != End::not_started && end != End::asleep; }

// Without `bursts` each action settles.
Case make_case(Random& random, bool bursts);

std::string text_of(const Case& c);
std::string text_of(const Outcome& outcome);

}  // namespace tenure::sim::conformance::futexes
