// The real lease table in simulated memory, and what its scenarios share: sessions, ghosts that look at memory without a step, and a
// janitor that goes over the table when a run is over.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <tenure/sim/oracle.hpp>
#include "core/names.inl.hpp"
#include "core/sessions.inl.hpp"
#include "sim/table/sim_platform.hpp"

extern template class tenure::core::Table<tenure::sim::SimPlatform>;  // see instantiate.cpp
extern template class tenure::core::Leases<tenure::sim::SimPlatform>;
extern template class tenure::core::Sessions<tenure::sim::SimPlatform>;
extern template class tenure::core::Names<tenure::sim::SimPlatform>;

namespace tenure::sim {

using Table = core::Table<SimPlatform>;
using Leases = core::Leases<SimPlatform>;
using Sessions = core::Sessions<SimPlatform>;
using Names = core::Names<SimPlatform>;
using Handle = core::Handle<SimPlatform>;
using Patience = core::Patience<SimPlatform>;

// A segment of one group of names. Made once and reset for every run; only what runs can touch is written again.
class TableModel {
 public:
  static constexpr std::uint32_t entries = Names::group_entries;  // what a run can touch; the table has one group

  explicit TableModel(std::uint32_t sessions);

  void reset(World& world, std::uint64_t token_floor = 0);

  // --- In setup, without the steps it takes ---
  // A short name in the entry where a probe finds it, the lease word at `counter`.
  Handle preset_name(std::string_view name, std::uint64_t counter = 0);
  // All entries of the group but these are out of service.
  void keep_only(std::uint32_t first, std::uint32_t count);
  void preset_session(World& world, ProcessId process, std::uint32_t slot);

  // All of the segment that a run can touch.
  void name_memory(RunMemory& memory);

  Table& table() { return table_; }
  Leases& leases() { return leases_; }
  Sessions& sessions() { return sessions_; }
  Names& names() { return names_; }
  std::uint32_t group_lease() const { return geometry_.names; }

  // --- Ghosts ---
  core::LeaseWord word(std::uint32_t lease) { return {table_.word(lease).ghost()}; }
  // Whether whoever looks now may take it: it is free or retired, or its holder is known to be dead, or past its deadline. A holder
  // without a bell is not known to be dead before somebody looks.
  bool available(const World& world, std::uint32_t lease);
  // The lease whose word names a hold record; no_index: none.
  std::uint32_t lease_held_by(std::uint32_t hold);

  // A name that somebody was granted, and the largest token seen.
  struct Known {
    std::string_view name;
    std::uint64_t last_token;
  };
  // When all processes have ended: a newcomer sweeps, and fails the run where the table is not whole then or a token doesn't grow.
  // In check() only.
  void judge_remains(World& world, std::span<const Known> known, std::uint64_t realtime_ms = Config().realtime_start_ms);

 private:
  template <class Function>
  void for_each_part(Function function) const;
  void name_words(World& world);
  const char* fault_of_slots();
  const char* fault_of_words();
  const char* fault_of_entries();
  class Janitor;

  core::SegmentIdentity identity_;
  core::Geometry geometry_;
  std::unique_ptr<std::byte, void (*)(void*)> memory_;
  std::vector<std::byte> pristine_;
  SimPlatform platform_;
  Table table_;
  Leases leases_;
  Sessions sessions_;
  Names names_;
  std::unique_ptr<World> afterlife_;
  Tape afterlife_tape_;
};

}  // namespace tenure::sim
