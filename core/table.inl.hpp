#pragma once

#include <limits>

#include "core/table.hpp"

namespace tenure::core {

template <class P>
Table<P>::Table(P& platform, std::byte* base, const SegmentIdentity& identity)
    : platform_(&platform), geometry_(geometry_of({identity.names, identity.sessions})), identity_(identity) {
  const auto at = [base]<class T>(T*& pointer, uint64_t offset) { pointer = reinterpret_cast<T*>(base + offset); };
  at(header_, 0);
  at(groups_, geometry_.group_offset);
  at(slots_, geometry_.slot_offset);
  at(holds_, geometry_.hold_offset);
  at(wait_keys_, geometry_.wait_key_offset);
  at(wait_cells_, geometry_.wait_cell_offset);
  at(entries_, geometry_.entry_offset);
}

template <class P>
SlotView<P> Table<P>::look(uint32_t number) {
  auto& slot = slots_[number];
  SlotView<P> view;
  // Acquire: partner of the release store that made the session live, so that its bell is the one of this generation.
  view.state = SlotWord{slot.state.load(std::memory_order_acquire)};
  switch (view.state.state()) {
    case SlotState::live:
    case SlotState::run: {
      view.bell = &slot.bells[bell_of(view.state.generation())];
      // Sequentially consistent: partner of the kernel's store at death; what the dead wrote before is then seen. And whoever has left the
      // queue, and looks for the one behind it, must not take for alive whom that one has already seen dead, and no longer waits for.
      view.bell_value = view.bell->load(std::memory_order_seq_cst);
      view.dead = bell::rung(view.bell_value);
      break;
    }
    case SlotState::live_without_bell:
    case SlotState::run_without_bell: view.dead = !platform_->byte_is_held(number); break;
    case SlotState::free: break;
    default: view.damaged = true;
  }
  return view;
}

template <class P>
void Table<P>::add_to(Queue<P>& queue, uint32_t wait, WaitKey key, const SlotView<P>& view, uint64_t ticket) {
  if (key.is_joining()) {
    if (queue.joiner_count < Queue<P>::joiners_max) queue.joiners[queue.joiner_count] = {view.bell, view.bell_value};
    ++queue.joiner_count;
    return;
  }
  ++queue.count;
  if (key.ticket() < ticket) {
    ++queue.place;
    if (queue.predecessor.wait == no_index || key.ticket() > queue.predecessor.key.ticket()) {
      queue.predecessor = {wait, key, view.bell, view.bell_value};
    }
  }
}

// A record is read, then the bell of its session, then the record again: a slot that changes hands in between shows in the record.
// Every load of a key is seq_cst: partner of the seq_cst stores of Leases::join and leave (each of the two sides sees the other).
template <class P>
Queue<P> Table<P>::scan(uint32_t lease, uint64_t ticket) {
  Queue<P> queue;
  uint64_t head_rank = std::numeric_limits<uint64_t>::max();
  uint64_t successor_ticket = std::numeric_limits<uint64_t>::max();
  const uint32_t slots = std::min(header_->slot_high_water.load(std::memory_order_seq_cst), geometry_.sessions);
  for (uint32_t wait = 0; wait < slots * waits_per_session; ++wait) {
    for (int attempt = 0; attempt < 4; ++attempt) {
      const WaitKey key{wait_keys_[wait].load(std::memory_order_seq_cst)};
      if (!key.bound() || key.lease() != lease) break;
      const SlotView<P> view = look(slot_of_wait(wait));
      if (wait_keys_[wait].load(std::memory_order_seq_cst) != key.bits) continue;
      if (view.dead || !view.state.is_live()) break;
      add_to(queue, wait, key, view, ticket);
      if (key.is_joining()) break;
      // A waiter that was passed over ranks behind all others, and is first again when it alone is left.
      const uint64_t rank = key.ticket() | (wait_cells_[wait].stalled.load(std::memory_order_relaxed) != 0 ? uint64_t{1} << 63 : 0);
      if (rank < head_rank) {
        head_rank = rank;
        queue.head = wait;
        queue.head_ticket = key.ticket();
      }
      if (key.ticket() > ticket && key.ticket() < successor_ticket) {
        successor_ticket = key.ticket();
        queue.successor = wait;
      }
      break;
    }
  }
  return queue;
}

template <class P>
void Table<P>::poke(uint32_t wait) {
  if (wait == no_index) return;
  // Release: partner of the acquire load of seq with which a turn begins; the sleeper that we wake sees what we stored before.
  wait_cells_[wait].seq.fetch_add(1, std::memory_order_acq_rel);
  platform_->wake(wait_cells_[wait].seq, 1);
}

template <class P>
void Table<P>::broadcast(Word32& bell) {
  if (P::breaks(Rule::rebroadcast_bell)) return;
  platform_->wake(bell, std::numeric_limits<uint32_t>::max() >> 1);
}

template <class P>
void Table<P>::set_waiters(uint32_t lease) {
  uint64_t seen = word(lease).load(std::memory_order_acquire);
  while (!LeaseWord{seen}.waiters()) {
    if (word(lease).compare_exchange_strong(seen, LeaseWord{seen}.with_waiters().bits, std::memory_order_seq_cst)) return;
  }
}

template <class P>
void Table<P>::pass_on(uint32_t lease, bool whatever_the_flag_says) {
  // The store that freed the lease comes before the scan in the one order of all seq_cst operations: a waiter whose key the scan misses
  // reads the word after that store, and does not sleep.
  P::fence();
  const LeaseWord seen{word(lease).load(std::memory_order_seq_cst)};
  if (!seen.waiters() && !whatever_the_flag_says) return;
  const Queue<P> queue = scan(lease, 0);
  // The flag of an empty queue stays. Clearing it here would, until the second look that must follow, let the fast path past somebody who
  // has just gone to sleep; the next taker clears it while it holds the lease, see Leases::drop_flag_if_alone.
  if (queue.empty()) return;
  set_waiters(lease);
  poke(queue.head);
}

template <class P>
void Table<P>::notify_owner(uint32_t hold) {
  auto& notice = slots_[slot_of_hold(hold)].notice;
  notice.fetch_add(1, std::memory_order_acq_rel);
  platform_->wake(notice, std::numeric_limits<uint32_t>::max() >> 1);
}

}  // namespace tenure::core
