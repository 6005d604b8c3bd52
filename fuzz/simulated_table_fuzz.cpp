// The lease table under the faults of its scenario `strict`: the input decides who runs, who dies and who is stopped.
#include <tenure/sim/fuzz.hpp>

#include "sim/table/scenarios.hpp"

TENURE_SIM_FUZZ_MADE_BY(tenure::sim::make_table_scenario("strict"))
