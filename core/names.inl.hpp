#pragma once

#include <limits>

#include "core/leases.inl.hpp"
#include "core/names.hpp"

namespace tenure::core {

// ---- reading ------------------------------------------------------------------------------------------------------------------------

template <class P>
uint32_t Names<P>::extension(uint32_t entry, uint32_t number) {
  const uint64_t both = table_->entry(entry).extensions.load(std::memory_order_relaxed);
  const auto index = static_cast<uint32_t>(number == 0 ? both & 0xFFFF'FFFF : both >> 32) - 1;
  return index < table_->geometry().names ? index : no_index;
}

// Compares word by word; garbage only ever makes names differ. The caller looks at the header before and after.
template <class P>
bool Names<P>::holds_name(uint32_t number, const NameWords& name) {
  auto& entry = table_->entry(number);
  if (entry.hash.load(std::memory_order_relaxed) != name.hash) return false;  // the length is in it
  constexpr std::size_t inline_words = name_bytes_inline / 8;
  constexpr std::size_t extension_words = name_bytes_extension / 8;
  for (std::size_t i = 0; i < name.word_count() && i < inline_words; ++i) {
    if (entry.name[i].load(std::memory_order_relaxed) != name.words[i]) return false;
  }
  for (std::size_t i = inline_words; i < name.word_count(); ++i) {
    const uint32_t part = extension(number, static_cast<uint32_t>((i - inline_words) / extension_words));
    if (part == no_index) return false;
    auto* words = extension_words_of(part);
    if (words[(i - inline_words) % extension_words].load(std::memory_order_relaxed) != name.words[i]) return false;
  }
  return true;
}

template <class P>
Handle<P> Names<P>::handle_of(uint32_t entry, EntryHeader header) {
  return {entry, table_->entry(entry).base.load(std::memory_order_relaxed), &table_->entry(entry).header, header.bits};
}

template <class P>
typename Names<P>::Probe Names<P>::walk(const NameWords& name) {
  Probe probe;
  const uint32_t group = group_of(name.hash, table_->geometry().groups);
  for (uint32_t step = 0; step < group_entries; ++step) {
    const uint32_t number = entry_at(group, probe_start(name.hash) + step);
    auto& header = table_->entry(number).header;
    // Acquire: partner of the release store of READY in fill; the name is then whole.
    const EntryHeader before{header.load(std::memory_order_acquire)};
    switch (before.state()) {
      case EntryState::empty: return probe;
      case EntryState::tombstone:
      case EntryState::extension:
      case EntryState::spent: continue;
      case EntryState::ready: break;
      default: probe.damaged = true; return probe;
    }
    if (!holds_name(number, name)) continue;
    std::atomic_thread_fence(std::memory_order_acquire);  // the reads of the name come before the second look at the header
    if (header.load(std::memory_order_relaxed) != before.bits) continue;
    probe.match = number;
    probe.match_header = before;
    return probe;
  }
  return probe;
}

template <class P>
Resolved Names<P>::look_up(const NameWords& name, Handle<P>& handle) {
  const Probe probe = walk(name);
  if (probe.damaged) return Resolved::damaged;
  if (probe.match == no_index) return Resolved::absent;
  if (LeaseWord{table_->word(probe.match).load(std::memory_order_relaxed)}.mode() == Mode::retired) return Resolved::absent;
  handle = handle_of(probe.match, probe.match_header);
  return Resolved::found;
}

template <class P>
uint32_t Names<P>::read_name(uint32_t number, char* out) {
  auto& entry = table_->entry(number);
  const EntryHeader before{entry.header.load(std::memory_order_acquire)};
  const uint64_t bytes = NameWords::bytes_in(entry.hash.load(std::memory_order_relaxed));
  if (before.state() != EntryState::ready || bytes == 0 || bytes > name_bytes_max) return 0;
  uint64_t words[NameWords::count_max] = {};
  constexpr std::size_t inline_words = name_bytes_inline / 8;
  constexpr std::size_t extension_words = name_bytes_extension / 8;
  for (std::size_t i = 0; i < (bytes + 7) / 8; ++i) {
    if (i < inline_words) {
      words[i] = entry.name[i].load(std::memory_order_relaxed);
      continue;
    }
    const uint32_t part = extension(number, static_cast<uint32_t>((i - inline_words) / extension_words));
    if (part == no_index) return 0;
    words[i] = extension_words_of(part)[(i - inline_words) % extension_words].load(std::memory_order_relaxed);
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  if (entry.header.load(std::memory_order_relaxed) != before.bits) return 0;
  std::memcpy(out, words, bytes);
  return static_cast<uint32_t>(bytes);
}

// ---- under the group's lease --------------------------------------------------------------------------------------------------------

template <class P>
void Names<P>::set_state(uint32_t entry, EntryState state) {
  auto& header = table_->entry(entry).header;
  const EntryHeader before{header.load(std::memory_order_relaxed)};
  // Release: partner of the acquire load in walk. Seq_cst, as a waiter of the old name may be joining.
  header.store(before.next(state).bits, std::memory_order_seq_cst);
}

template <class P>
void Names<P>::raise_floor(uint32_t group, uint64_t token) {
  if (P::breaks(Rule::floor_on_eviction)) return;
  auto& floor = table_->group(group).floor;
  if (floor.load(std::memory_order_relaxed) < token) floor.store(token, std::memory_order_release);
}

// Puts an entry whose counter is used up out of service, for ever: its word never comes back to a value that it had.
template <class P>
void Names<P>::spend(uint32_t number) {
  auto& entry = table_->entry(number);
  const LeaseWord word{entry.word.load(std::memory_order_acquire)};
  raise_floor(number / group_entries, entry.base.load(std::memory_order_relaxed) + word.counter());
  set_state(number, EntryState::spent);
}

// Notes which entries were used since the last sweep. The counter of the word tells; nothing is written when a lease is used.
template <class P>
void Names<P>::sweep_use(uint32_t group) {
  uint64_t sweep = 1;
  for (uint32_t i = 0; i < group_entries; ++i) {
    auto& entry = table_->entry(entry_at(group, i));
    if (EntryHeader{entry.header.load(std::memory_order_relaxed)}.state() != EntryState::ready) continue;
    sweep = std::max(sweep, entry.last_used.load(std::memory_order_relaxed) + 1);
  }
  for (uint32_t i = 0; i < group_entries; ++i) {
    auto& entry = table_->entry(entry_at(group, i));
    if (EntryHeader{entry.header.load(std::memory_order_relaxed)}.state() != EntryState::ready) continue;
    const uint64_t counter = LeaseWord{entry.word.load(std::memory_order_relaxed)}.counter();
    if (entry.last_counter.load(std::memory_order_relaxed) == counter) continue;
    entry.last_counter.store(counter, std::memory_order_relaxed);
    entry.last_used.store(sweep, std::memory_order_relaxed);
  }
}

// Extensions that no name refers to are what a death in the middle of an insertion or an eviction leaves.
template <class P>
void Names<P>::free_orphaned_extensions(uint32_t group) {
  std::array<bool, group_entries> used{};
  for (uint32_t i = 0; i < group_entries; ++i) {
    const uint32_t number = entry_at(group, i);
    if (EntryHeader{table_->entry(number).header.load(std::memory_order_relaxed)}.state() != EntryState::ready) continue;
    for (uint32_t part = 0; part < extensions_max; ++part) {
      const uint32_t index = extension(number, part);
      if (index != no_index && index / group_entries == group) used[index % group_entries] = true;
    }
  }
  for (uint32_t i = 0; i < group_entries; ++i) {
    const uint32_t number = group * group_entries + i;
    const EntryHeader header{table_->entry(number).header.load(std::memory_order_relaxed)};
    if (header.state() == EntryState::extension && !used[i]) set_state(number, EntryState::tombstone);
  }
}

// Takes an entry's word for the table's own work, where nobody holds it.
template <class P>
bool Names<P>::take_quietly(uint32_t entry, uint32_t hold, Grant& grant) {
  const Handle<P> handle = handle_of(entry, EntryHeader{table_->entry(entry).header.load(std::memory_order_relaxed)});
  return leases_->try_acquire(handle, hold, {0, HoldKind::internal}, grant) == Acquired::granted;
}

template <class P>
bool Names<P>::evict(uint32_t number, uint32_t hold) {
  Grant grant;
  if (!take_quietly(number, hold, grant)) return false;
  const bool awaited = !table_->scan(number, 0).empty();
  if (!awaited) {
    raise_floor(number / group_entries, grant.token);
    const uint32_t parts[extensions_max] = {extension(number, 0), extension(number, 1)};
    const uint32_t behind = entry_at(number / group_entries, number % group_entries + 1);
    const bool last = EntryHeader{table_->entry(behind).header.load(std::memory_order_relaxed)}.state() == EntryState::empty;
    set_state(number, last ? EntryState::empty : EntryState::tombstone);
    for (const uint32_t part : parts) {
      if (part == no_index || part / group_entries != number / group_entries) continue;
      const EntryHeader header{table_->entry(part).header.load(std::memory_order_relaxed)};
      if (header.state() == EntryState::extension) set_state(part, EntryState::tombstone);
    }
  }
  leases_->release(grant, awaited && grant.past == Past::died);
  return !awaited;
}

// The first free entry on the name's way, and free ones for the rest of it. no_index: the group lacks room.
template <class P>
uint32_t Names<P>::find_free(const NameWords& name, uint32_t* extensions) {
  const uint32_t group = group_of(name.hash, table_->geometry().groups);
  const uint32_t wanted = name.extension_count();
  uint32_t first = no_index;
  uint32_t found = 0;
  for (uint32_t step = 0; step < group_entries; ++step) {
    const uint32_t number = entry_at(group, probe_start(name.hash) + step);
    const EntryHeader header{table_->entry(number).header.load(std::memory_order_relaxed)};
    if (!header.reusable()) continue;
    if (first == no_index) {
      // A word in use is a handle of the name that was here, about to find out; or its owner has died.
      const LeaseWord word{table_->word(number).load(std::memory_order_acquire)};
      if (word.mode() == Mode::retired) {  // by the eviction that freed it: it may say `empty`, and a probe must go on past it
        spend(number);
        continue;
      }
      first = number;
    } else if (found < wanted) {
      const LeaseWord word{table_->word(number).load(std::memory_order_acquire)};
      if (word.has_owner()) continue;  // its bytes become part of a name
      extensions[found++] = number;
    }
    if (first != no_index && found == wanted) return first;
  }
  return no_index;
}

// Frees the entries of the least recently used names that nobody holds or waits for, until the name fits.
template <class P>
bool Names<P>::make_room(const NameWords& name, const Desk& desk) {
  const uint32_t group = group_of(name.hash, table_->geometry().groups);
  uint32_t extensions[extensions_max];
  free_orphaned_extensions(group);
  sweep_use(group);
  std::array<bool, group_entries> refused{};
  while (find_free(name, extensions) == no_index) {
    uint32_t oldest = no_index;
    uint64_t oldest_use = std::numeric_limits<uint64_t>::max();
    for (uint32_t i = 0; i < group_entries; ++i) {
      auto& entry = table_->entry(group * group_entries + i);
      if (refused[i] || EntryHeader{entry.header.load(std::memory_order_relaxed)}.state() != EntryState::ready) continue;
      const uint64_t use = entry.last_used.load(std::memory_order_relaxed);
      if (use >= oldest_use) continue;
      oldest = i;
      oldest_use = use;
    }
    if (oldest == no_index) return false;
    refused[oldest] = true;
    if (!evict(group * group_entries + oldest, desk.entry_hold)) continue;
  }
  return true;
}

template <class P>
Resolved Names<P>::fill(const NameWords& name, uint32_t number, const uint32_t* extensions, Handle<P>& handle, bool& weak) {
  auto& group = table_->group(number / group_entries);
  const uint64_t realtime_ms = table_->platform().realtime_ms();  // one step a statement: the order of arguments is the compiler's
  const uint64_t base = token_base(realtime_ms, group.floor.load(std::memory_order_acquire), table_->identity().token_floor);
  if (!base_fits(base)) return Resolved::tokens_ended;
  // Before the name can be used: no token of this entry may exceed the mark.
  weak = !table_->platform().raise_token_mark(base + tokens_per_entry);
  auto& entry = table_->entry(number);
  entry.base.store(base, std::memory_order_relaxed);
  entry.hash.store(name.hash, std::memory_order_relaxed);
  uint64_t links = 0;
  constexpr std::size_t inline_words = name_bytes_inline / 8;
  constexpr std::size_t extension_words = name_bytes_extension / 8;
  for (std::size_t i = 0; i < inline_words; ++i) entry.name[i].store(name.words[i], std::memory_order_relaxed);
  for (uint32_t part = 0; part < name.extension_count(); ++part) {
    set_state(extensions[part], EntryState::extension);
    auto* words = extension_words_of(extensions[part]);
    for (std::size_t i = 0; i < extension_words; ++i) {
      const std::size_t from = inline_words + part * extension_words + i;
      words[i].store(from < NameWords::count_max ? name.words[from] : 0, std::memory_order_relaxed);
    }
    links |= uint64_t{extensions[part] + 1} << (32 * part);
  }
  entry.extensions.store(links, std::memory_order_relaxed);
  entry.last_counter.store(0, std::memory_order_relaxed);
  entry.last_used.store(0, std::memory_order_relaxed);
  set_state(number, EntryState::ready);  // the commit
  handle = handle_of(number, EntryHeader{entry.header.load(std::memory_order_relaxed)});
  return Resolved::found;
}

template <class P>
Resolved Names<P>::insert(const NameWords& name, const Desk& desk, Handle<P>& handle, bool& weak) {
  const Probe probe = walk(name);
  if (probe.damaged) return Resolved::damaged;
  if (probe.match != no_index) {
    if (LeaseWord{table_->word(probe.match).load(std::memory_order_acquire)}.mode() != Mode::retired) {
      handle = handle_of(probe.match, probe.match_header);
      return Resolved::found;
    }
    spend(probe.match);
  }
  uint32_t extensions[extensions_max] = {no_index, no_index};
  uint32_t number = find_free(name, extensions);
  if (number == no_index) {
    if (!make_room(name, desk)) return Resolved::full;
    number = find_free(name, extensions);
    if (number == no_index) return Resolved::full;
  }
  // The word of the entry is held while the entry is filled, so that the next user finds it free, and free of old news.
  Grant grant;
  const bool taken = take_quietly(number, desk.entry_hold, grant);
  const Resolved result = fill(name, number, extensions, handle, weak);
  if (taken) leases_->release(grant);
  return result;
}

template <class P>
Resolved Names<P>::resolve(const NameWords& name, const Desk& desk, const Patience<P>& patience, Handle<P>& handle, bool& weak) {
  const Resolved seen = look_up(name, handle);
  if (seen != Resolved::absent) return seen;
  if (P::breaks(Rule::insert_under_group_lease)) return insert(name, desk, handle, weak);
  Grant grant;
  const Handle<P> group = leases_->group_handle(group_of(name.hash, table_->geometry().groups));
  switch (leases_->acquire(group, desk.group, {0, HoldKind::internal}, patience, grant)) {
    case Acquired::granted: break;
    case Acquired::timed_out:
    case Acquired::busy: return Resolved::timed_out;
    case Acquired::cancelled: return Resolved::cancelled;
    case Acquired::session_lost: return Resolved::session_lost;
    case Acquired::stale:
    case Acquired::damaged: return Resolved::damaged;
  }
  const Resolved result = insert(name, desk, handle, weak);
  leases_->release(grant);
  return result;
}

template <class P>
typename Names<P>::Removed Names<P>::remove(const NameWords& name, const Desk& desk, const Patience<P>& patience) {
  Grant grant;
  const Handle<P> group = leases_->group_handle(group_of(name.hash, table_->geometry().groups));
  const Acquired acquired = leases_->acquire(group, desk.group, {0, HoldKind::internal}, patience, grant);
  if (acquired == Acquired::timed_out || acquired == Acquired::cancelled) return Removed::timed_out;
  if (acquired != Acquired::granted) return Removed::damaged;
  const Probe probe = walk(name);
  Removed result = Removed::absent;
  if (probe.damaged) {
    result = Removed::damaged;
  } else if (probe.match != no_index) {
    result = evict(probe.match, desk.entry_hold) ? Removed::removed : Removed::in_use;
  }
  leases_->release(grant);
  return result;
}

}  // namespace tenure::core
