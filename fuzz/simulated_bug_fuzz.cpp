// The canary of the simulated targets: a bug that robust mutexes have shipped, which takes a kill between two steps of one process and
// an order of all others. A fuzzer that does not find it learns nothing from the runs.
#include <tenure/sim/fuzz.hpp>

#include "sim/catalogue/catalogue.hpp"

TENURE_SIM_FUZZ_MADE_BY(tenure::sim::protocols::find_bug("woken-waiter-killed")->scenario(tenure::sim::protocols::Variant::broken))
