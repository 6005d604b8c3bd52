#include "sim/catalogue/catalogue.hpp"

#include <algorithm>

#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

std::span<const Bug> catalogue() {
  static const std::vector<Bug> bugs = [] {
    std::vector<Bug> all;
    for (const auto group :
         {lock_file_bugs,      robust_mutex_bugs, robust_memory_bugs, plain_mutex_bugs,     condition_bugs,         shared_mode_bugs,
          clock_bugs,          remote_ttl_bugs,   remote_handle_bugs, remote_watchdog_bugs, remote_two_level_bugs,  remote_replica_bugs,
          remote_fencing_bugs, remote_queue_bugs, remote_mode_bugs,   consensus_queue_bugs, consensus_session_bugs, consensus_record_bugs,
          data_grid_bugs,      postgres_bugs,     object_store_bugs,  table_rule_bugs}) {
      const std::vector<Bug> rows = group();
      all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
  }();
  return bugs;
}

const Bug* find_bug(std::string_view id) {
  const std::span<const Bug> bugs = catalogue();
  const auto found = std::find_if(bugs.begin(), bugs.end(), [id](const Bug& bug) { return bug.id == id; });
  return found == bugs.end() ? nullptr : &*found;
}

}  // namespace tenure::sim::protocols
