// All that it takes to put a lock protocol of one's own under test. The guide is docs/simulate-your-lock.md.
//
//   protocol.hpp         Protocol, the class to derive from
//   process.hpp          what its processes call: start_process, sleep_on, wake, nap, clocks, here()
//   atomic.hpp           Atomic<T>, their memory
//   message.hpp          servers and messages
//   config.hpp           which faults may come, and how many
//   oracle.hpp, properties.hpp, history.hpp, linearizability.hpp    what a run is judged by
//   main.hpp             TENURE_SIM_MAIN: a program that runs, hunts, replays, shrinks and explains
//   runner.hpp, shrink.hpp, timeline.hpp                            the same as functions, for tests of another framework
//   fuzz.hpp             TENURE_SIM_FUZZ: a fuzz target, which is a program of its own
//
// Compiled with -DTENURE_SIM_FUZZED a program with TENURE_SIM_MAIN(A, B, ...) is the fuzz target of A instead.
#pragma once

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/config.hpp>
#include <tenure/sim/history.hpp>
#include <tenure/sim/linearizability.hpp>
#include <tenure/sim/main.hpp>
#include <tenure/sim/message.hpp>
#include <tenure/sim/oracle.hpp>
#include <tenure/sim/process.hpp>
#include <tenure/sim/properties.hpp>
#include <tenure/sim/protocol.hpp>
#include <tenure/sim/runner.hpp>
#include <tenure/sim/shrink.hpp>
#include <tenure/sim/timeline.hpp>
#include <tenure/sim/world.hpp>

#ifdef TENURE_SIM_FUZZED
#include <tuple>

#include <tenure/sim/fuzz.hpp>
#undef TENURE_SIM_MAIN
#define TENURE_SIM_MAIN(...)                                                \
  using TenureSimFuzzed = std::tuple_element_t<0, std::tuple<__VA_ARGS__>>; \
  TENURE_SIM_FUZZ(TenureSimFuzzed)
#endif
