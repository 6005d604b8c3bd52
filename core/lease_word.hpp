// The words of the segment as values: how their bits are cut, and nothing else. Every function here is pure.
//
// LEASE WORD, 64 bits. One compare-and-swap on it is a grant, a release, a take-over, an expiry or a break.
//
//   bits    field    meaning                                          who writes it
//   63..20  counter  grants so far; token = base of the entry + it    rises by 1 with every CAS that writes an owner (rule U)
//   19..5   owner    hold record + 1; 0 = nobody                      non-zero only by the session that owns the record
//   4       waiters  somebody may be queueing                         set by a waiter; cleared by whoever found the queue empty, who
//                                                                     then scans again. May be set with nobody there; must never
//                                                                     be clear while somebody sleeps.
//   3..0    mode     see Mode                                         by the same CAS as the owner
//
// Every store is a CAS on the exact value seen. As the counter never falls and every grant raises it, a value that named an owner never
// comes back: a CAS prepared from it fails if anything at all happened to that grant.
#pragma once

#include <cstdint>

namespace tenure::core {

using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

inline constexpr uint32_t no_index = ~uint32_t{0};  // no record, no slot, no lease

enum class Mode : uint8_t {
  free = 0,         // nobody holds it
  exclusive = 1,    // one holder
  shared = 2,       // reserved: readers hold records
  pending = 3,      // reserved: a writer waits for readers to leave
  gate = 4,         // reserved: a reader joins
  retired = 5,      // the counter is near its end; the name gets a new entry, and this word never moves again
  quarantined = 6,  // reserved: an operator closed it
  abandoned = 7,    // nobody holds it, and the last holder died or was broken: the next one is told
  broken = 8,       // taken away from a run, whose processes may still live: owned until they are gone
};

struct LeaseWord {
  uint64_t bits = 0;

  static constexpr int counter_shift = 20;
  static constexpr uint64_t counter_max = (uint64_t{1} << 44) - 1;
  // Releases at or above this counter retire the entry. The distance to the end is more than the takers that can be in flight.
  static constexpr uint64_t counter_retire = counter_max - (uint64_t{1} << 20);
  static constexpr uint32_t owner_max = (1u << 15) - 1;
  static constexpr uint64_t waiters_bit = 1u << 4;

  [[nodiscard]] constexpr uint64_t counter() const { return bits >> counter_shift; }
  [[nodiscard]] constexpr bool has_owner() const { return ((bits >> 5) & owner_max) != 0; }
  [[nodiscard]] constexpr uint32_t hold() const { return static_cast<uint32_t>((bits >> 5) & owner_max) - 1; }  // REQUIRES: has_owner()
  [[nodiscard]] constexpr bool waiters() const { return (bits & waiters_bit) != 0; }
  [[nodiscard]] constexpr Mode mode() const { return static_cast<Mode>(bits & 0xF); }
  [[nodiscard]] constexpr bool is_free() const { return mode() == Mode::free || mode() == Mode::abandoned; }
  // Free, nobody queueing, nothing to tell: what the fast path asks.
  [[nodiscard]] constexpr bool is_plainly_free() const { return (bits & 0x1F) == 0; }
  // The same grant: counter and owner; flag and mode beside them may differ.
  [[nodiscard]] constexpr bool same_grant(LeaseWord other) const { return ((bits ^ other.bits) & ~uint64_t{0x1F}) == 0; }

  // The same grant, and nobody has taken it away.
  [[nodiscard]] constexpr bool stands_as(LeaseWord grant) const { return same_grant(grant) && mode() == Mode::exclusive; }

  [[nodiscard]] constexpr LeaseWord granted(uint32_t hold, bool raise_counter = true) const {
    return {((counter() + (raise_counter ? 1 : 0)) << counter_shift) | (uint64_t{hold + 1} << 5) | (bits & waiters_bit) |
            static_cast<uint64_t>(Mode::exclusive)};
  }
  [[nodiscard]] constexpr LeaseWord freed(Mode mode) const {
    return {(counter() << counter_shift) | (bits & waiters_bit) | static_cast<uint64_t>(mode)};
  }
  [[nodiscard]] constexpr LeaseWord broken() const { return {(bits & ~uint64_t{0xF}) | static_cast<uint64_t>(Mode::broken)}; }
  [[nodiscard]] constexpr LeaseWord with_waiters() const { return {bits | waiters_bit}; }
  [[nodiscard]] constexpr LeaseWord without_waiters() const { return {bits & ~waiters_bit}; }
  constexpr bool operator==(const LeaseWord&) const = default;
};

// HOLD KEY, 64 bits: lease + 1 : 32 (63..32), permits : 16 (31..16, reserved), kind : 16 (15..0). 0 = not bound.
// Own session only: stored before the CAS that grants, cleared after the one that releases; the claimant of a dead session clears it.
enum class HoldKind : uint8_t { user = 1, internal = 2 };  // internal: the table's own work; its death is no news to the next holder

struct HoldKey {
  uint64_t bits = 0;
  static constexpr HoldKey of(uint32_t lease, HoldKind kind) { return {(uint64_t{lease + 1} << 32) | static_cast<uint64_t>(kind)}; }
  [[nodiscard]] constexpr bool bound() const { return (bits >> 32) != 0; }
  [[nodiscard]] constexpr uint32_t lease() const { return static_cast<uint32_t>(bits >> 32) - 1; }  // REQUIRES: bound()
  [[nodiscard]] constexpr HoldKind kind() const { return static_cast<HoldKind>(bits & 0xFF); }
};

// HOLD DEADLINE, 64 bits: nanoseconds of CLOCK_BOOTTIME. Stored by the owner while not published, by CAS while published; a thief's CAS
// turns a past deadline into `expired`. 0 is no deadline at all: a page that somebody has zeroed must not look expired.
namespace deadline {
inline constexpr uint64_t unset = 0;
inline constexpr uint64_t expired = 1;
inline constexpr uint64_t strict = ~uint64_t{0};
}  // namespace deadline

// WAIT KEY, 64 bits: ticket : 40 (63..24), lease + 1 : 24 (23..0). 0 = not waiting; ticket all ones = joining.
// Own session, sequentially consistent; the claimant of a dead session clears it by CAS.
struct WaitKey {
  uint64_t bits = 0;
  static constexpr uint64_t ticket_mask = (uint64_t{1} << 40) - 1;
  static constexpr uint32_t lease_max = (1u << 24) - 2;
  static constexpr WaitKey joining(uint32_t lease) { return of(lease, ticket_mask); }
  static constexpr WaitKey of(uint32_t lease, uint64_t ticket) { return {(ticket << 24) | (lease + 1)}; }
  [[nodiscard]] constexpr bool bound() const { return (bits & 0xFFFFFF) != 0; }
  [[nodiscard]] constexpr uint32_t lease() const { return static_cast<uint32_t>(bits & 0xFFFFFF) - 1; }  // REQUIRES: bound()
  [[nodiscard]] constexpr uint64_t ticket() const { return bits >> 24; }
  [[nodiscard]] constexpr bool is_joining() const { return ticket() == ticket_mask; }
};

// SLOT STATE, 64 bits: generation : 56 (63..8), state : 8 (7..0). 0 is damage. Stored by the holder of the slot's byte only.
// A run holds names for other processes, its tree, which may outlive it: see Leases::tree_lives.
enum class SlotState : uint8_t { free = 1, live = 2, live_without_bell = 3, run = 4, run_without_bell = 5 };

struct SlotWord {
  uint64_t bits = 0;
  static constexpr SlotWord of(uint64_t generation, SlotState state) { return {(generation << 8) | static_cast<uint64_t>(state)}; }
  [[nodiscard]] constexpr uint64_t generation() const { return bits >> 8; }
  [[nodiscard]] constexpr SlotState state() const { return static_cast<SlotState>(bits & 0xFF); }
  static constexpr SlotState live_state(bool has_bell, bool is_run) {
    return is_run ? (has_bell ? SlotState::run : SlotState::run_without_bell) : has_bell ? SlotState::live : SlotState::live_without_bell;
  }
  [[nodiscard]] constexpr bool is_live() const { return state() >= SlotState::live && state() <= SlotState::run_without_bell; }
  [[nodiscard]] constexpr bool has_bell() const { return state() == SlotState::live || state() == SlotState::run; }
  [[nodiscard]] constexpr bool is_run() const { return state() == SlotState::run || state() == SlotState::run_without_bell; }
};

// TAG of a run, 64 bits: 63 clear, 62 set; 61 set in that of an outermost run, so that any other is lower; 60..0 random. 0: it has none.
// Anything else is damage: what carries a tag may be killed, so a number that half the host carries must not pass for one.
namespace run_tag {
inline constexpr uint64_t bit = uint64_t{1} << 62;
inline constexpr uint64_t outermost_bit = uint64_t{1} << 61;
[[nodiscard]] constexpr bool is_sound(uint64_t tag) { return tag >> 62 == 1; }
[[nodiscard]] constexpr bool is_outermost(uint64_t tag) { return tag >> 61 == 3; }
}  // namespace run_tag

// BELL, 32 bits, the kernel's robust-futex layout. Stored by the session before it is live; then by the kernel alone.
namespace bell {
inline constexpr uint32_t owner_died = 0x40000000;  // bit 30: set by the kernel when the session's process ends or executes another program
inline constexpr uint32_t waiters = 0x80000000;     // bit 31: set from the start, so that the kernel wakes a sleeper
[[nodiscard]] constexpr bool rung(uint32_t value) { return (value & owner_died) != 0; }
}  // namespace bell

// ENTRY HEADER, 64 bits: generation : 48 (63..16), state : 16 (15..0). 0 is damage. Stored under the group's lease; every store raises
// the generation, so a handle that remembers a header knows when its name is gone.
enum class EntryState : uint16_t {
  empty = 0x1E4D,      // never used, or nothing behind it: a probe stops here
  ready = 0x2EAD,      // a name; this store is the one commit of an insertion
  tombstone = 0x3DEA,  // free again; a probe goes on
  extension = 0x4EC5,  // further bytes of a long name
  spent = 0x5BE7,      // its counter is used up; never used again
};

struct EntryHeader {
  uint64_t bits = 0;
  static constexpr EntryHeader of(uint64_t generation, EntryState state) { return {(generation << 16) | static_cast<uint64_t>(state)}; }
  [[nodiscard]] constexpr uint64_t generation() const { return bits >> 16; }
  [[nodiscard]] constexpr EntryState state() const { return static_cast<EntryState>(bits & 0xFFFF); }
  [[nodiscard]] constexpr EntryHeader next(EntryState state) const { return of(generation() + 1, state); }
  [[nodiscard]] constexpr bool reusable() const { return state() == EntryState::empty || state() == EntryState::tombstone; }
  constexpr bool operator==(const EntryHeader&) const = default;
};

}  // namespace tenure::core
