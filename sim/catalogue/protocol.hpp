// What the protocols of the catalogue share. Internal to sim/catalogue.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/process.hpp>
#include <tenure/sim/protocol.hpp>
#include "sim/catalogue/catalogue.hpp"

namespace tenure::sim::protocols {

inline World& world() { return here(); }

class Protocol : public sim::Protocol {
 public:
  Protocol(const Bug& bug, Variant variant)
      : sim::Protocol(std::string(bug.id) + (variant == Variant::broken ? "" : "/sound"), bug.config),
        broken_(variant == Variant::broken) {}

 protected:
  bool broken() const { return broken_; }

 private:
  bool broken_;
};

template <class P>
std::unique_ptr<Scenario> make(const Bug& bug, Variant variant) {
  return std::make_unique<P>(bug, variant);
}

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
