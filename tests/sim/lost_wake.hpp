// The lost wake-up of robust process-shared mutexes (row 51 of the catalogue): found by the simulator from a seed, and had on the real
// kernel from glibc's mutex.
//
//   1  A holds the mutex; B and D sleep on it.
//   2  A unlocks: the word becomes 0, and B is woken. B does not run yet.
//   3  C takes the mutex by the fast path: the word has no WAITERS bit.
//   4  B is killed before it has run. The word has an owner, so the kernel wakes nobody in its place.
//   5  C unlocks, sees no WAITERS bit and wakes nobody. D sleeps for ever on a free mutex.
#pragma once

#include <array>
#include <cstdint>
#include <ostream>

namespace tenure::sim::conformance::lost_wake {

// What happens between steps 2 and 5. Only both together lose the wake-up.
struct Variant {
  bool barges = true;
  bool kills = true;
};
inline constexpr Variant schedule{};
inline constexpr std::array<Variant, 3> controls{{{.barges = false, .kills = true}, {.barges = true, .kills = false}, {false, false}}};

// After step 5, when nobody has anything to do any more.
struct Outcome {
  std::uint32_t word = 0;
  bool b_passed = false;  // had the mutex and gave it back
  bool d_passed = false;
  bool operator==(const Outcome&) const = default;
};
inline constexpr Outcome lost{.word = 0, .b_passed = false, .d_passed = false};
constexpr Outcome well_after(Variant variant) { return {.word = 0, .b_passed = !variant.kills, .d_passed = true}; }

inline std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "word " << outcome.word << ", B " << (outcome.b_passed ? "passed" : "did not pass") << ", D "
             << (outcome.d_passed ? "passed" : "sleeps");
}

}  // namespace tenure::sim::conformance::lost_wake
