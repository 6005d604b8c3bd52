// The segment: what lies where. core/README.md draws it byte by byte.
//
// All-zero bytes are damage, never a state: a page that somebody has punched out must not look like a free table.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/lease_word.hpp"

namespace tenure::core {

inline constexpr uint64_t segment_magic = 0x3145'5255'4E45'54'00;  // "\0TENURE1"
inline constexpr uint32_t holds_per_session = 8;
inline constexpr uint32_t waits_per_session = 2;
inline constexpr uint32_t group_entries = 352;
inline constexpr uint32_t name_bytes_max = 200;
inline constexpr uint32_t name_bytes_inline = 64;
inline constexpr uint32_t name_bytes_extension = 112;
inline constexpr uint32_t extensions_max = 2;
inline constexpr uint32_t bells_per_slot = 4;
inline constexpr uint64_t page_bytes = 4096;

// What a space is made for. Rounded up to whole groups; sessions are bounded by the 15-bit owner field.
struct Capacity {
  uint32_t names = 22528;
  uint32_t sessions = 2046;
};
inline constexpr uint32_t sessions_max = LeaseWord::owner_max / holds_per_session;
inline constexpr uint32_t names_max = 16'000'000;

// Never changes after the segment is published; every process copies it once, checks it, and trusts only its copy.
struct SegmentIdentity {
  uint64_t magic = segment_magic;
  uint64_t layout_hash = 0;
  uint64_t size_bytes = 0;
  uint32_t names = 0;
  uint32_t sessions = 0;
  std::array<uint64_t, 2> boot_id{};
  uint64_t lock_file_inode = 0;  // of the file whose bytes the sessions claim
  uint64_t created_boottime_ns = 0;
  uint64_t created_realtime_ms = 0;  // since 2026-01-01 UTC
  uint64_t token_floor = 0;          // every token of this segment is larger
  uint64_t tokens_weak = 0;          // 1: no durable mark; the tokens rely on the clock not being set back
  uint64_t checksum = 0;             // of the fields above, see identity_checksum
};

template <class P>
struct Segment {
  using Word32 = typename P::template Atomic<uint32_t>;
  using Word64 = typename P::template Atomic<uint64_t>;

  struct Header {  // one page
    SegmentIdentity identity;
    alignas(64) Word64 next_ticket;      // fetch_add by a waiter; 40 bits of it enter a key
    alignas(64) Word32 slot_high_water;  // slots ever used; only rises, by CAS
  };
  struct Group {   // one cache line; its lease guards insertion, eviction and removal of the names that hash to it
    Word64 word;   // lease word
    Word64 guard;  // group_guard; anything else is damage
    Word64 floor;  // the largest token of any name that left this group; raised by the holder of `word`
    std::array<uint64_t, 5> reserved;
  };
  struct Slot {                                // 256 bytes, one a session
    Word64 state;                              // SlotWord
    std::array<Word32, bells_per_slot> bells;  // bell of generation g: bells[g % 4]
    Word32 notice;                             // futex: somebody took or broke a lease of this session
    Word32 pid;                                // from here on for people to read; no decision rests on it, but on the tags
    Word64 process_started;                    // ticks since boot, /proc/PID/stat field 22
    Word64 pid_namespace;                      // inode
    Word64 since_ns;                           // CLOCK_BOOTTIME at registration
    Word32 uid;
    Word32 reserved;
    Word64 tag;                      // of a run: what each process of its tree carries; 0: they carry none
    Word64 outer_tag;                // the tag that the run itself carries; 0: none
    std::array<Word64, 14> command;  // NUL-padded
    std::array<Word64, 8> label;     // NUL-padded
  };
  struct Hold {            // 32 bytes
    Word64 key;            // HoldKey
    Word64 deadline;       // deadline::, or nanoseconds
    Word64 since_ns;       // CLOCK_BOOTTIME when granted, where the holder noted it; 0 = not noted
    Word64 since_counter;  // the counter of the grant that since_ns is of
  };
  struct WaitCell {  // 16 bytes
    Word32 seq;      // futex; only counts up
    Word32 stalled;  // 1: passed over, until its owner runs again
    Word64 since_ns;
  };
  struct Entry {    // 128 bytes, one a name; an extension keeps header and word and uses the rest for 112 bytes of the name
    Word64 header;  // EntryHeader
    Word64 word;    // LeaseWord
    Word64 base;    // token = base + counter; fixed while the header stands
    Word64 hash;    // NameWords::hash, which has the length of the name in its low byte
    std::array<Word64, name_bytes_inline / 8> name;  // 32 bytes of it on the line of the word, so that most lookups touch one line
    Word64 extensions;                               // two entry numbers + 1, 32 bits each; 0 = none
    Word64 last_counter;                             // of the latest sweep, see Names
    Word64 last_used;                                // sweep in which the counter was last seen to have moved
    Word64 reserved;
  };
  static_assert(sizeof(Header) <= page_bytes && sizeof(Group) == 64 && sizeof(Slot) == 256 && sizeof(Hold) == 32);
  static_assert(sizeof(WaitCell) == 16 && sizeof(Entry) == 128);
};

inline constexpr uint64_t group_guard = 0x4755'4152'4447'5250;

// Offsets of the parts, from the numbers of names and sessions alone.
struct Geometry {
  uint32_t groups = 0, names = 0, sessions = 0, holds = 0, waits = 0;
  uint64_t group_offset = 0, slot_offset = 0, hold_offset = 0, wait_key_offset = 0, wait_cell_offset = 0, entry_offset = 0;
  uint64_t size_bytes = 0;
  [[nodiscard]] constexpr uint32_t leases() const { return names + groups; }  // lease number of group g: names + g
};

[[nodiscard]] constexpr uint64_t round_up(uint64_t number, uint64_t unit) { return (number + unit - 1) / unit * unit; }

// REQUIRES: is_possible(capacity).
[[nodiscard]] constexpr Geometry geometry_of(Capacity capacity) {
  Geometry g;
  g.groups = (capacity.names + group_entries - 1) / group_entries;
  g.names = g.groups * group_entries;
  g.sessions = capacity.sessions;
  g.holds = g.sessions * holds_per_session;
  g.waits = g.sessions * waits_per_session;
  g.group_offset = page_bytes;
  g.slot_offset = round_up(g.group_offset + uint64_t{g.groups} * 64, page_bytes);
  g.hold_offset = round_up(g.slot_offset + uint64_t{g.sessions} * 256, page_bytes);
  g.wait_key_offset = round_up(g.hold_offset + uint64_t{g.holds} * 32, page_bytes);
  g.wait_cell_offset = round_up(g.wait_key_offset + uint64_t{g.waits} * 8, page_bytes);
  g.entry_offset = round_up(g.wait_cell_offset + uint64_t{g.waits} * 16, page_bytes);
  g.size_bytes = round_up(g.entry_offset + uint64_t{g.names} * 128, page_bytes);
  return g;
}

[[nodiscard]] constexpr bool is_possible(Capacity capacity) {
  return capacity.names >= 1 && capacity.names <= names_max && capacity.sessions >= 1 && capacity.sessions <= sessions_max;
}

static_assert(geometry_of({}).size_bytes <= uint64_t{4} << 20, "the default space is at most 4 MiB");

// Changes with anything that two programs must agree on to share a segment.
[[nodiscard]] constexpr uint64_t layout_hash() {
  uint64_t hash = 0xCBF2'9CE4'8422'2325;
  const auto mix = [&hash](uint64_t value) { hash = (hash ^ value) * 0x0000'0100'0000'01B3; };
  constexpr uint64_t algorithm_version = 3;
  for (const uint64_t value :
       {algorithm_version, uint64_t{holds_per_session}, uint64_t{waits_per_session}, uint64_t{group_entries}, uint64_t{name_bytes_inline},
        uint64_t{name_bytes_extension}, uint64_t{bells_per_slot}, uint64_t{LeaseWord::counter_shift}, uint64_t{sizeof(SegmentIdentity)},
        uint64_t{sizeof(void*)}, uint64_t{std::endian::native == std::endian::little}}) {
    mix(value);
  }
  return hash;
}

[[nodiscard]] constexpr uint64_t identity_checksum(const SegmentIdentity& identity) {
  uint64_t hash = 0xCBF2'9CE4'8422'2325;
  const auto mix = [&hash](uint64_t value) { hash = (hash ^ value) * 0x0000'0100'0000'01B3; };
  for (const uint64_t value : {identity.magic, identity.layout_hash, identity.size_bytes, uint64_t{identity.names},
                               uint64_t{identity.sessions}, identity.boot_id[0], identity.boot_id[1], identity.lock_file_inode,
                               identity.created_boottime_ns, identity.created_realtime_ms, identity.token_floor, identity.tokens_weak}) {
    mix(value);
  }
  return hash;
}

// Fills in what follows from the rest. REQUIRES: is_possible(capacity).
[[nodiscard]] constexpr SegmentIdentity finished(SegmentIdentity identity, Capacity capacity) {
  const Geometry g = geometry_of(capacity);
  identity.magic = segment_magic;
  identity.layout_hash = layout_hash();
  identity.size_bytes = g.size_bytes;
  identity.names = g.names;
  identity.sessions = g.sessions;
  identity.checksum = identity_checksum(identity);
  return identity;
}

// What a reader of a foreign header may find wrong with it, first things first.
enum class IdentityFault : uint8_t { sound, not_a_segment, other_layout, damaged };

[[nodiscard]] constexpr IdentityFault fault_of(const SegmentIdentity& identity, uint64_t file_bytes) {
  if (identity.magic != segment_magic) return IdentityFault::not_a_segment;
  if (identity.layout_hash != layout_hash()) return IdentityFault::other_layout;
  if (identity.checksum != identity_checksum(identity)) return IdentityFault::damaged;
  const Capacity capacity{identity.names, identity.sessions};
  if (!is_possible(capacity) || identity.names % group_entries != 0) return IdentityFault::damaged;
  if (geometry_of(capacity).size_bytes != identity.size_bytes || file_bytes != identity.size_bytes) return IdentityFault::damaged;
  return IdentityFault::sound;
}

// The bytes of a new segment, a page at a time: `write(offset, page)` gets every page that is not all zeros; the rest must be zeros.
template <class Write>
void write_initial_image(const SegmentIdentity& identity, Write&& write) {
  using Page = std::array<uint64_t, page_bytes / 8>;
  const Geometry g = geometry_of({identity.names, identity.sessions});
  const auto header_words = std::bit_cast<std::array<uint64_t, sizeof(SegmentIdentity) / 8>>(identity);
  Page page{};
  for (std::size_t i = 0; i < header_words.size(); ++i) page[i] = header_words[i];
  write(uint64_t{0}, page);
  // Records of `stride` words, from `begin` to `end`, each with one word that is not zero.
  const auto fill = [&](uint64_t begin, uint64_t end, std::size_t stride, std::size_t word, uint64_t value) {
    page = Page{};
    for (std::size_t i = word; i < page.size(); i += stride) page[i] = value;
    for (uint64_t offset = begin; offset < end; offset += page_bytes) write(offset, page);
  };
  fill(g.group_offset, g.slot_offset, 8, 1, group_guard);
  fill(g.slot_offset, g.hold_offset, 32, 0, SlotWord::of(0, SlotState::free).bits);
  fill(g.entry_offset, g.size_bytes, 16, 0, EntryHeader::of(1, EntryState::empty).bits);
}

}  // namespace tenure::core
