// The shortest way to a scenario: a lock protocol of one's own, in one class with a default constructor and setup().
//
//   struct MyLock : tenure::sim::Protocol {
//     MyLock() : Protocol("my-lock", {.kills_max = 1}) {}
//     void setup(tenure::sim::World& world) override { ... }  // resets all members, then start_process(world, [this] { ... });
//   };
//   TENURE_SIM_MAIN(MyLock)
//
// The constructor runs once and setup() before each run, so all that a run changes must be reset there. What runs in a process may be
// killed at each step: it is dropped with its stack, no destructor runs, so it must not own memory (no std::string, no std::vector).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/config.hpp>
#include <tenure/sim/process.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

class Protocol : public Scenario {
 public:
  // `name` is what command lines say, `config` which faults may come: without one there are none but the schedule.
  explicit Protocol(std::string name, const Config& config = {}) : name_(std::move(name)), config_(config) {}

  std::string_view name() const override { return name_; }
  Config config() const override { return config_; }

 private:
  std::string name_;
  Config config_;
};

// gettid(2) and getpid(2): small numbers, which the kernel gives to others again when their bearer is dead and reaped.
inline std::uint32_t my_tid() { return here().tid(here().this_thread()); }
inline std::uint32_t my_pid() { return here().pid(here().this_process()); }

// A sound mutex and condition variable for what is not the subject. The memory is shared; nobody may be killed between lock() and unlock().
class Mutex {
 public:
  void reset() { word_.store(0); }
  void lock() {
    std::uint32_t seen = 0;
    if (word_.compare_exchange_strong(seen, 1)) return;
    while (word_.exchange(2) != 0) sleep_on(word_, 2);
  }
  void unlock() {
    if (word_.exchange(0) == 2) wake(word_);
  }

 private:
  Atomic<std::uint32_t> word_;  // 0 free, 1 taken, 2 taken and somebody may sleep
};

class Condition {
 public:
  void reset() { notices_.store(0); }
  // May return for no reason. REQUIRES: the caller holds the mutex.
  void wait(Mutex& mutex) {
    const std::uint32_t seen = notices_.load();
    mutex.unlock();
    sleep_on(notices_, seen);
    mutex.lock();
  }
  void notify_all() {
    notices_.fetch_add(1);
    wake(notices_, everybody);
  }

 private:
  Atomic<std::uint32_t> notices_;
};

}  // namespace tenure::sim
