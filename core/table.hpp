// The segment as the algorithms see it: bounds-checked access to its words, who is dead, and who waits.
//
// Thread and process safety: everything here may be called by any thread of any process that maps the segment, at any time; nothing
// blocks. Nothing trusts a number read from the segment: each is checked against the process's own copy of the geometry.
#pragma once

#include <array>
#include <cstddef>

#include "core/decisions.hpp"
#include "core/layout.hpp"
#include "core/platform.hpp"

namespace tenure::core {

// One waiter of a lease, as a scan met it alive.
template <class P>
struct Waiter {
  uint32_t wait = no_index;
  WaitKey key;
  typename P::template Atomic<uint32_t>* bell = nullptr;  // null where its session has none
  uint32_t bell_value = 0;                                // what the bell said while its owner was alive
};

// What a scan of the queue of one lease found. Only living sessions are counted.
template <class P>
struct Queue {
  static constexpr uint32_t joiners_max = 16;

  uint32_t head = no_index;  // first in order; passed-over waiters only where there is nobody else
  uint64_t head_ticket = 0;
  Waiter<P> predecessor;                      // the last one before the ticket asked for
  uint32_t successor = no_index;              // the first one behind it
  uint32_t place = 0;                         // how many stand before it
  uint32_t count = 0;                         // all with a ticket
  uint32_t joiner_count = 0;                  // all that have announced themselves and drawn no ticket yet
  std::array<Watch<P>, joiners_max> joiners;  // their bells; null where a session has none. Beyond joiner_count they mean nothing

  [[nodiscard]] bool empty() const { return count == 0 && joiner_count == 0; }
};

// A session slot at one moment.
template <class P>
struct SlotView {
  SlotWord state;
  typename P::template Atomic<uint32_t>* bell = nullptr;  // null where the session has none
  uint32_t bell_value = 0;
  bool dead = false;     // the kernel has said so
  bool damaged = false;  // the slot's words make no sense
};

template <class P>
class Table {
 public:
  using S = Segment<P>;
  using Word32 = typename S::Word32;
  using Word64 = typename S::Word64;

  // REQUIRES: fault_of(identity, bytes mapped) == sound; `base` is page-aligned and stays mapped while the table is in use.
  Table(P& platform, std::byte* base, const SegmentIdentity& identity);

  [[nodiscard]] P& platform() { return *platform_; }
  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  [[nodiscard]] const SegmentIdentity& identity() const { return identity_; }

  // REQUIRES for the accessors: the number is below the geometry's.
  [[nodiscard]] typename S::Header& header() { return *header_; }
  [[nodiscard]] typename S::Group& group(uint32_t number) { return groups_[number]; }
  [[nodiscard]] typename S::Slot& slot(uint32_t number) { return slots_[number]; }
  [[nodiscard]] typename S::Hold& hold(uint32_t number) { return holds_[number]; }
  [[nodiscard]] Word64& wait_key(uint32_t number) { return wait_keys_[number]; }
  [[nodiscard]] typename S::WaitCell& wait_cell(uint32_t number) { return wait_cells_[number]; }
  [[nodiscard]] typename S::Entry& entry(uint32_t number) { return entries_[number]; }
  // The lease word of a name, or of a group for the numbers from geometry().names on.
  [[nodiscard]] Word64& word(uint32_t lease) {
    return lease < geometry_.names ? entries_[lease].word : groups_[lease - geometry_.names].word;
  }

  [[nodiscard]] static uint32_t slot_of_hold(uint32_t hold) { return hold / holds_per_session; }
  [[nodiscard]] static uint32_t slot_of_wait(uint32_t wait) { return wait / waits_per_session; }
  [[nodiscard]] static uint32_t bell_of(uint64_t generation) {
    return P::breaks(Rule::bell_by_generation) ? 0 : static_cast<uint32_t>(generation % bells_per_slot);
  }

  // Whether the session in a slot is alive, by its bell; by its byte where it has no bell.
  [[nodiscard]] SlotView<P> look(uint32_t slot);

  // The queue of a lease as seen from `ticket` (0: from before everybody). Reads every wait key once or more; O(slots ever used).
  [[nodiscard]] Queue<P> scan(uint32_t lease, uint64_t ticket);

  // Has a waiter look again.
  void poke(uint32_t wait);

  // Tells all that sleep on a bell that it has rung; the kernel has woken only one of them.
  void broadcast(Word32& bell);

  // After a store that freed the lease or may have taken its first waiter away: wakes the one whose turn it is.
  // `whatever_the_flag_says`: scans even if WAITERS is clear, since the dead may have cleared it and not set it again.
  void pass_on(uint32_t lease, bool whatever_the_flag_says);

  // Tells a session that one of its leases was taken from it. No more than a hint: its own checks decide.
  void notify_owner(uint32_t hold);

 private:
  void add_to(Queue<P>& queue, uint32_t wait, WaitKey key, const SlotView<P>& view, uint64_t ticket);
  void set_waiters(uint32_t lease);

  P* platform_;
  Geometry geometry_;
  SegmentIdentity identity_;
  typename S::Header* header_;
  typename S::Group* groups_;
  typename S::Slot* slots_;
  typename S::Hold* holds_;
  Word64* wait_keys_;
  typename S::WaitCell* wait_cells_;
  typename S::Entry* entries_;
};

}  // namespace tenure::core
