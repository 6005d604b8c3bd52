// One question each. Every one runs in a process of its own, so that none meets the threads and the memory of another.
#pragma once

#include <string>

#include "bench/harness.hpp"

namespace tenure::bench {

struct Settings {
  std::string program;  // `tenure`
  std::string flock_program = "flock";
};

void uncontended(const Settings& settings, const Report& report);  // what an acquire and release cost when nobody is in the way
void names(const Settings& settings, const Report& report);        // and by name, in a table of a million
void death(const Settings& settings, const Report& report);        // how soon a killed holder is replaced
void hand_off(const Settings& settings, const Report& report);     // from a release until a sleeping waiter is inside
void crowd(const Settings& settings, const Report& report);        // what goes through one hot name, and in which order
void waiters(const Settings& settings, const Report& report);      // what 10 and 1,000 waiters cost the processors
void memory(const Settings& settings, const Report& report);       // sizes, and the time to attach
void run(const Settings& settings, const Report& report);          // `tenure run NAME true` against flock(1)
void simulator(const Settings& settings, const Report& report);    // how many runs the simulator makes

// What `memory` runs in a fresh program: attaches, acquires once, prints figures.
int attach_once(const std::string& directory);

}  // namespace tenure::bench
