// What the protocols of the catalogue share. Internal to sim/protocols.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/process.hpp>
#include "sim/catalogue/catalogue.hpp"

namespace tenure::sim::protocols {

inline World& world() { return here(); }
inline std::uint32_t my_tid() { return world().tid(world().this_thread()); }

class Protocol : public Scenario {
 public:
  Protocol(const Bug& bug, Variant variant)
      : bug_(bug), broken_(variant == Variant::broken), name_(std::string(bug.id) + (broken_ ? "" : "/sound")) {}
  std::string_view name() const override { return name_; }
  Config config() const override { return bug_.config; }

 protected:
  bool broken() const { return broken_; }

 private:
  const Bug& bug_;
  bool broken_;
  std::string name_;
};

template <class P>
std::unique_ptr<Scenario> make(const Bug& bug, Variant variant) {
  return std::make_unique<P>(bug, variant);
}

// A sound lock of three states (free, taken, taken with sleepers) for what isn't the subject. Nobody may die in it.
class PlainMutex {
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
  Atomic<std::uint32_t> word_;
};

// The rows of each file.
std::vector<Bug> lock_file_bugs();
std::vector<Bug> robust_mutex_bugs();
std::vector<Bug> robust_memory_bugs();
std::vector<Bug> plain_mutex_bugs();
std::vector<Bug> condition_bugs();
std::vector<Bug> shared_mode_bugs();
std::vector<Bug> clock_bugs();
std::vector<Bug> remote_ttl_bugs();
std::vector<Bug> remote_handle_bugs();
std::vector<Bug> remote_replica_bugs();
std::vector<Bug> remote_fencing_bugs();
std::vector<Bug> remote_queue_bugs();
std::vector<Bug> remote_watchdog_bugs();
std::vector<Bug> remote_two_level_bugs();
std::vector<Bug> remote_mode_bugs();
std::vector<Bug> consensus_queue_bugs();
std::vector<Bug> consensus_session_bugs();
std::vector<Bug> consensus_record_bugs();
std::vector<Bug> data_grid_bugs();
std::vector<Bug> postgres_bugs();
std::vector<Bug> object_store_bugs();
std::vector<Bug> table_rule_bugs();

}  // namespace tenure::sim::protocols
