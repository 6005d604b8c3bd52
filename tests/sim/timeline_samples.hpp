// Runs as a simulator might tell them, drawn by hand: for the tests of timelines, and to look at.
#pragma once

#include <cstddef>

#include <tenure/sim/timeline.hpp>

namespace tenure::sim::samples {

// Three processes, 40 steps. P0 is killed while it holds; P1 and P2 take the stale file over, both.
Timeline two_holders();
// P0 releases and wakes P1, which dies of it; P2 and P3 sleep on.
Timeline lost_wake();
// A lease in a key-value store: SET NX, a pause longer than the lease, a late write with the smaller token.
Timeline late_write();
// Many events on many lanes.
Timeline large(std::size_t events);

}  // namespace tenure::sim::samples
