// What one simulated run may do to the code under test. Times are nanoseconds of true time unless a name says otherwise.
#pragma once

#include <cstdint>

namespace tenure::sim {

enum class Memory : std::uint8_t {
  sequential,         // every store is visible at once
  total_store_order,  // x86: stores other than sequentially consistent ones pass through a first-in first-out buffer of their thread
  release_acquire,    // C++'s orders, with stale reads: a load may return any store that it has no reason to know to be overwritten
};

constexpr std::uint64_t never_ns = ~std::uint64_t{0};

struct Config {
  Memory memory = Memory::sequential;

  // Faults of one run: a random engine draws a number up to the maximum, and a step below the horizon, for each.
  std::uint32_t kills_max = 0;
  std::uint32_t pauses_max = 0;
  std::uint32_t suspends_max = 0;        // of a whole host
  std::uint32_t reboots_max = 0;         // of a host: all its processes die at once
  std::uint32_t realtime_jumps_max = 0;  // of a host's realtime clock
  std::uint32_t partitions_max = 0;      // of one direction between a host and a server
  std::uint32_t restarts_max = 0;        // of a server
  std::uint32_t fail_overs_max = 0;      // of a server, to its replica
  std::uint32_t message_faults_max = 0;  // messages lost, doubled, delayed, and connections that break after the server has acted
  std::uint32_t spurious_wakes_max = 0;
  std::uint32_t pause_steps_max = 1000;  // lengths of pauses, suspends, partitions, delays are log-uniform from 1 step up to this
  std::uint64_t realtime_jump_ms_max = 3'600'000;
  std::uint32_t horizon_steps = 0;                      // 0: the runner measures the length of fault-free runs
  std::uint32_t quiet_after_steps = ~std::uint32_t{0};  // no new fault from here on: what waits must now be served

  // The clocks. A step takes step_ns; boot time starts at boot_ns, so that 0 is never a time.
  std::uint64_t step_ns = 100'000;
  std::uint64_t boot_ns = 1'000'000'000'000;
  std::uint64_t realtime_start_ms = 20'000'000'000;
  std::uint32_t drift_ppm_max = 0;  // a host's clocks run slower or faster by as much, or right

  // The kernel and the file system.
  bool bells_forbidden = false;      // arm_bell fails: no robust list for our words
  bool bell_before_drain = false;    // the bell may ring while another thread of the victim still has stores in its buffer
  bool bell_before_unqueue = true;   // the bell's wake-up may be spent on another thread of the victim, which is dead and still queued
  bool token_mark_fails = false;     // no durable place for the mark
  bool wake_any_order = true;        // else waiters of a word wake in the order in which they went to sleep
  std::uint64_t byte_linger_ns = 0;  // a forked child may hold the dead process's bytes for this long more (never_ns: for ever)

  std::uint64_t latency_ns = 300'000;  // of a message, one way

  std::uint32_t steps_max = 20'000;    // a run that takes more is a livelock
  std::uint32_t turn_steps_max = 512;  // one actor's longest turn while others are ready, so that a spinning loop is not for ever

  std::uint64_t heap_bytes_max = 256 << 20;  // that the threads of a run may allocate in all

  std::uint64_t planted = 0;  // mistakes that the code under test makes on purpose, one bit each; see World::planted()
};

}  // namespace tenure::sim
