// Sessions: slots, their bells, and what is left of the dead.
//
//   slot: free --claim byte, arm bell--> live --close--> free
//         live --process dies: the kernel rings the bell, later frees the byte--> dead --the next claimant of the byte cleans--> live
//
// The byte of a run's slot is inherited by the processes that it holds its names for. A dead one is cleaned when the last of them is gone.
#pragma once

#include <string_view>

#include "core/leases.hpp"

namespace tenure::core {

// What people are shown of a session; nothing is decided by it.
struct SessionFacts {
  uint32_t pid = 0;
  uint32_t uid = 0;
  uint64_t process_started = 0;
  uint64_t pid_namespace = 0;
  bool is_run = false;       // it holds names for other processes, and the slot's byte is inherited by them
  uint64_t tag = 0;          // of a run: what these processes carry
  uint64_t outer_tag = 0;    // of a run: what it carries itself
  std::string_view command;  // at most 112 bytes are kept
  std::string_view label;    // at most 64 bytes are kept
};

struct SessionClaim {
  enum class Code : uint8_t { claimed, full, damaged, failed };  // failed: the system refused the byte, see the platform
  Code code = Code::full;
  uint32_t slot = no_index;
  uint64_t generation = 0;
  bool has_bell = false;
};

template <class P>
class Sessions {
 public:
  Sessions(Table<P>& table, Leases<P>& leases) : table_(&table), leases_(&leases) {}

  // Registers the caller in the lowest slot whose owner is gone, after cleaning what that owner left.
  [[nodiscard]] SessionClaim open(const SessionFacts& facts);

  // Gives a slot back. REQUIRES: it is the caller's, and no thread uses its records; holds that are left are released as by a death.
  void close(uint32_t slot);

  // Cleans the slots of the dead whose byte is free and gives them back. The number of sessions cleaned.
  uint32_t sweep();

  // Whether the session still stands as registered: false when it was declared dead or cleaned.
  [[nodiscard]] bool stands(uint32_t slot, uint64_t generation);

 private:
  enum class Outcome : uint8_t { ours, taken, failed, damaged };
  [[nodiscard]] Outcome claim(uint32_t slot);
  void introduce(uint32_t slot, uint64_t generation, const SessionFacts& facts);
  void raise_high_water(uint32_t slots);

  Table<P>* table_;
  Leases<P>* leases_;
};

}  // namespace tenure::core
