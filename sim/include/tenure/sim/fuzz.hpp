// A fuzz target whose bytes are the tape: the fuzzer decides who runs, who dies, and what becomes of each message.
//
//   #include <tenure/sim/fuzz.hpp>
//   TENURE_SIM_FUZZ(MyLock)
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer my_lock_fuzz.cpp $(pkg-config --cflags --libs tenure-sim)          libFuzzer
//   afl-clang-fast++ -std=c++20 -O1 -g -fsanitize=fuzzer my_lock_fuzz.cpp $(pkg-config --cflags --libs tenure-sim)  AFL++
//
// A failed property prints the run, with its tape, and aborts; what aborts or crashes by itself does the same for the fuzzer. libFuzzer
// learns more than which edges were taken: see RunFeatures. Leave out -fsanitize=address unless the simulator was built with it, too: a
// sanitizer must be told of the change of stacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <tenure/sim/runner.hpp>
#include <tenure/sim/tape.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

// What is new about a run, besides the edges that its code took. Each is hashed into a table of counters:
//   which step of a thread came right after which step of another one on the same word,
//   and of each fault, which one of the run it was, and what every thread had done last.
class RunFeatures {
 public:
  static constexpr std::size_t counters_max = std::size_t{1} << 16;

  // Adds the features of a traced run.
  static void count(std::span<const TraceLine> trace, std::span<std::uint8_t> counters);
};

// One fuzz target. One thread at a time.
class FuzzTarget {
 public:
  // `counters` may be empty: then runs are not traced, and are faster.
  FuzzTarget(std::unique_ptr<Scenario> scenario, std::span<std::uint8_t> counters)
      : scenario_(std::move(scenario)), config_(scenario_->config()), counters_(counters) {}

  Verdict run(std::span<const std::uint8_t> bytes) {
    tape_.start_bytes(bytes);
    const Verdict verdict = world_.run(*scenario_, config_, tape_, !counters_.empty());
    RunFeatures::count(world_.trace(), counters_);
    return verdict;
  }
  // The same, for a fuzzer: does not return when a property fails.
  void run_or_abort(std::span<const std::uint8_t> bytes) {
    const Verdict verdict = run(bytes);
    if (!verdict.failed) return;
    const std::string tape = to_text(tape_.decisions());
    std::cerr << "FAILED property=" << verdict.property << " scenario=" << scenario_->name() << " repro: replay " << scenario_->name()
              << " --tape=" << tape << '\n'
              << verdict.detail << '\n';
    Tape again;
    again.start_bytes(bytes);
    world_.run(*scenario_, config_, again, true);
    print_trace(std::cerr, world_);
    std::cerr.flush();
    std::abort();
  }

 private:
  std::unique_ptr<Scenario> scenario_;
  Config config_;
  std::span<std::uint8_t> counters_;
  World world_;
  Tape tape_;
};

}  // namespace tenure::sim

// Only libFuzzer has a use for the counters: it finds them by their section, and clears them before each run.
#ifdef __AFL_COMPILER
#define TENURE_SIM_FUZZ_COUNTERS inline std::span<std::uint8_t> tenure_sim_fuzz_counters
#else
#define TENURE_SIM_FUZZ_COUNTERS \
  __attribute__((section("__libfuzzer_extra_counters"))) std::uint8_t tenure_sim_fuzz_counters[tenure::sim::RunFeatures::counters_max]
#endif

// The fuzz target of a scenario class that has a default constructor: once in a program, and no main() beside it.
#define TENURE_SIM_FUZZ(...) TENURE_SIM_FUZZ_MADE_BY(std::make_unique<__VA_ARGS__>())
// The same, of the scenario that an expression makes: a std::unique_ptr.
#define TENURE_SIM_FUZZ_MADE_BY(...)                                                  \
  TENURE_SIM_FUZZ_COUNTERS;                                                           \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);  \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    static tenure::sim::FuzzTarget target(__VA_ARGS__, tenure_sim_fuzz_counters);     \
    target.run_or_abort({data, size});                                                \
    return 0;                                                                         \
  }
