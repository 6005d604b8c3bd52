// Names: an open-addressing table cut into groups, each under an ordinary strict lease of its own.
//
// Lookups take no lock: header, name, header again. Insertion, eviction and removal hold the group's lease; READY in a header is the one
// store that commits an insertion, so a death anywhere leaves either no entry or a whole one. Entries never move. Evicting or reusing an
// entry takes its word as an exclusive hold, so nobody holds it then; handles of the old name find out by the header, whose generation
// has risen.
#pragma once

#include "core/leases.hpp"
#include "core/name.hpp"

namespace tenure::core {

enum class Resolved : uint8_t {
  found,
  absent,     // (look-up only)
  full,       // every name of the group is held or waited for
  timed_out,  // the group's lease is held by a process that does not go on
  cancelled,
  tokens_ended,  // no token is left below 2^63
  damaged,
  session_lost,
};

// The records that an insertion uses beside those of the lease itself.
struct Desk {
  Seat group;                      // for the group's lease
  uint32_t entry_hold = no_index;  // for the word of the entry that is filled or evicted
};

template <class P>
class Names {
 public:
  // As the segment has it; a platform on which every load costs dearly (the simulator's) may use fewer of a group's entries.
  static constexpr uint32_t group_entries = [] {
    if constexpr (requires { P::group_entries; })
      return P::group_entries;
    else
      return core::group_entries;
  }();

  Names(Table<P>& table, Leases<P>& leases) : table_(&table), leases_(&leases) {}

  // Finds a name without changing anything. A retired entry counts as absent.
  [[nodiscard]] Resolved look_up(const NameWords& name, Handle<P>& handle);

  // Finds or inserts a name. `weak` is set when no durable mark covers the new entry's tokens.
  [[nodiscard]] Resolved resolve(const NameWords& name, const Desk& desk, const Patience<P>& patience, Handle<P>& handle, bool& weak);

  enum class Removed : uint8_t { removed, absent, in_use, timed_out, damaged };
  // Takes a name that nobody holds or waits for out of the table.
  [[nodiscard]] Removed remove(const NameWords& name, const Desk& desk, const Patience<P>& patience);

  // Copies the name of a ready entry. The number of bytes, 0 if the entry holds no name or changed meanwhile.
  // REQUIRES: entry < geometry().names; `out` has room for name_bytes_max bytes.
  [[nodiscard]] uint32_t read_name(uint32_t entry, char* out);

 private:
  enum class Match : uint8_t { no, yes, damaged };
  struct Probe {  // what a walk through the group found
    uint32_t match = no_index;
    EntryHeader match_header;
    bool damaged = false;
  };
  [[nodiscard]] uint32_t entry_at(uint32_t group, uint32_t position) const { return group * group_entries + position % group_entries; }
  [[nodiscard]] bool holds_name(uint32_t entry, const NameWords& name);
  [[nodiscard]] uint32_t extension(uint32_t entry, uint32_t number);
  // An extension keeps its header and its lease word, which handles of an older name may still touch; the rest is one run of words.
  [[nodiscard]] typename Table<P>::Word64* extension_words_of(uint32_t entry) { return &table_->entry(entry).base; }
  [[nodiscard]] Probe walk(const NameWords& name);
  [[nodiscard]] Handle<P> handle_of(uint32_t entry, EntryHeader header);

  [[nodiscard]] Resolved insert(const NameWords& name, const Desk& desk, Handle<P>& handle, bool& weak);
  [[nodiscard]] Resolved fill(const NameWords& name, uint32_t entry, const uint32_t* extensions, Handle<P>& handle, bool& weak);
  [[nodiscard]] uint32_t find_free(const NameWords& name, uint32_t* extensions);
  void set_state(uint32_t entry, EntryState state);
  void spend(uint32_t entry);
  void raise_floor(uint32_t group, uint64_t token);
  void sweep_use(uint32_t group);
  void free_orphaned_extensions(uint32_t group);
  [[nodiscard]] bool make_room(const NameWords& name, const Desk& desk);
  [[nodiscard]] bool evict(uint32_t entry, uint32_t hold);
  [[nodiscard]] bool take_quietly(uint32_t entry, uint32_t hold, Grant& grant);

  Table<P>* table_;
  Leases<P>* leases_;
};

}  // namespace tenure::core
