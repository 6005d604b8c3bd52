// A script of claims, forks and deaths, and what came of it; see byte_lock_conformance_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tenure/sim/tape.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim::conformance::byte_locks {

constexpr std::uint32_t processes_max = 5;
constexpr std::uint32_t bytes_max = 3;
// Before the last look of everybody who lives. Each action and each process is a thread of the world, and so is the conductor.
constexpr std::uint32_t actions_max = World::threads_max - 2 * processes_max - 1;

struct Action {
  enum class What : std::uint8_t { claim, free, probe, fork, send, close, kill, exit };
  What what;
  std::uint32_t process;
  std::uint32_t target = 0;  // a byte, or the process that is born or sent to
};

struct Case {
  std::uint32_t first = 0;  // so many processes are there from the start
  std::vector<Action> actions;
};

// What each claim said, and each probe: a bit set of the bytes that are held.
using Outcome = std::vector<std::uint32_t>;

inline bool answers(Action::What what) { return what == Action::What::claim || what == Action::What::probe; }

Case make_case(Random& random);

std::string text_of(const Case& c);
std::string text_of(const Outcome& outcome);

}  // namespace tenure::sim::conformance::byte_locks
