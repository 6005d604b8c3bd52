// All that the lease table asks of the world, on one page.
//
// The algorithms of core/ are templates on a type P that satisfies `Platform`. There are two: ipc/real_platform.hpp (Linux) and
// sim/sim_platform.hpp (the simulated kernel). Nothing in core/ may ask which of the two it runs on.
//
// Preconditions common to every call: none of them throws; none allocates; every one may be the last thing that its process does
// (a kill can land before, inside and after each of them), so no call may leave shared memory in a state that only its caller can mend.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <span>

namespace tenure::core {

// A word to sleep on: the sleep ends at once when the word no longer holds `expected`.
template <class P>
struct Watch {
  typename P::template Atomic<std::uint32_t>* word;
  std::uint32_t expected;
};

// How a sleep ended. `woken` includes spurious wake-ups and signals: every caller loops on state.
enum class WaitResult : std::uint8_t { woken, changed, timed_out };

// What became of an attempt to claim the byte of a session slot.
enum class ByteClaim : std::uint8_t { claimed, held_by_other, failed };

// The rules of lease-table safety that the simulator can switch off one at a time, to show that it sees each of them break.
// P::breaks(rule) is constexpr false on the real platform, so that the test costs nothing there.
enum class Rule : std::uint8_t {
  none,
  renew_by_cas,                // R1: renewal is a CAS on the deadline that the holder last wrote
  renew_rereads_word,          // R1: the variants "store, re-read" and "store, fence, re-read" (see Leases::renew)
  renew_fences,                // R1
  thief_marks_expired,         // R1: a thief first turns the deadline into EXPIRED
  owner_is_record,             // R2: the owner field names the hold record, not the slot
  head_takes_for_itself,       // Q1: only a record's own session writes its index into a word
  clear_then_rescan,           // Q2: WAITERS is cleared first, then the queue is scanned again
  read_word_last,              // Q3: the word is read after the scan and the bells, last before sleeping
  poke_successor_on_publish,   // Q4: a late publisher pokes the one behind it
  announce_before_ticket,      // Q4: JOINING is published before the ticket is drawn
  recheck_predecessor,         // Q5: the predecessor's key is read again before sleeping
  bell_by_generation,          // Q6: each generation of a slot has a bell of its own
  poke_head_if_free,           // whoever sees a free lease and is not first says so to the first
  poke_successor_on_leave,     // whoever leaves the queue pokes the one behind it
  rebroadcast_bell,            // whoever is woken by a bell wakes the others that sleep on it
  grant_raises_counter,        // rule U: every CAS that writes an owner raises the counter
  check_header_after_grant,    // N2: the entry's header is compared after the winning CAS
  floor_on_eviction,           // N3: an evicted name leaves a floor for the tokens of its successor
  insert_under_group_lease,    // N1: names are inserted under the lease of their group
  recovery_ignores_flag,       // recovery scans for waiters whatever the WAITERS flag says
  recovery_clears_word_first,  // recovery moves the word before it clears the record that names it
  release_checks_owner,        // a release is a CAS on the caller's own grant
  clear_key_after_release,     // the hold record stays bound until the word has moved on
  fence_dequeue,               // a key leaves the queue by a sequentially consistent store
  retire_before_wrap,          // a counter near its end retires the entry
  tree_holds_byte,             // the word of a dead run stays while a process of its tree holds the slot's byte
  tree_carries_tag,            // ... or carries the run's tag
  claimant_looks_for_tag,      // nobody cleans the slot of a run while a process carries its tag
  watch_no_own_bell,           // nobody sleeps on the bell of its own process
  break_waits_for_tree,        // a run that loses its lease keeps the word until its tree is gone
  count_
};

// clang-format off
template <class P>
concept Platform = requires(P& p, const P& cp, typename P::template Atomic<std::uint32_t>& word32,
                            typename P::template Atomic<std::uint64_t>& word64, std::span<const Watch<P>> watches,
                            std::uint32_t slot, std::uint64_t number, Rule rule) {
  // P::Atomic<T>: an atomic with the size, alignment and bytes of T and the member functions of std::atomic<T>: load, store, exchange,
  // compare_exchange_strong, fetch_add, each with an explicit order. Lock-free, address-free.
  requires sizeof(typename P::template Atomic<std::uint32_t>) == 4;
  requires sizeof(typename P::template Atomic<std::uint64_t>) == 8;

  // A full fence (std::atomic_thread_fence(seq_cst)).
  { P::fence() } -> std::same_as<void>;

  // Sleeps until a watched word changes, somebody wakes one, or `timeout_ns` has passed; at most 32 watches, all in memory that every
  // session maps, or in the caller's own. May return early for no reason.
  { p.wait(watches, number) } -> std::same_as<WaitResult>;

  // Wakes at most `number` sleepers of a word, in every process.
  { p.wake(word32, slot) } -> std::same_as<void>;

  // Nanoseconds of CLOCK_BOOTTIME of the initial time namespace; never goes back while the host runs.
  { p.boottime_ns() } -> std::same_as<std::uint64_t>;

  // Milliseconds since 2026-01-01 UTC; may jump either way; 0 before that date.
  { p.realtime_ms() } -> std::same_as<std::uint64_t>;

  // Claims the byte of a session slot without waiting; the kernel frees it when the last descriptor of the claim is closed.
  { p.claim_byte(slot) } -> std::same_as<ByteClaim>;
  { p.free_byte(slot) } -> std::same_as<void>;

  // Whether any process, this one included, holds the slot's byte. An error counts as held.
  { p.byte_is_held(slot) } -> std::same_as<bool>;

  // Whether a process that this one can see carries the tag of a run, which all its descendants inherit. An error counts as carried; the
  // tag 0 is carried by nobody.
  { p.tag_is_carried(number) } -> std::same_as<bool>;

  // Has the kernel watch over a bell: stores the caller's mark into the word and, when this process dies or executes another program, the
  // kernel sets bell::owner_died in it and wakes one sleeper. False where the system forbids it; the byte alone then tells of a death.
  { p.arm_bell(word32) } -> std::same_as<bool>;
  // Ends that watch, before the slot is given back.
  { p.disarm_bell(word32) } -> std::same_as<void>;

  // Makes sure that a durable mark of at least `number` exists, so that a space made later starts its tokens above it. Does I/O only when
  // the mark must rise. False when it can't be made durable: tokens are then weak.
  { p.raise_token_mark(number) } -> std::same_as<bool>;

  // The simulator's self-test; see Rule.
  { P::breaks(rule) } -> std::same_as<bool>;
};
// clang-format on

}  // namespace tenure::core
