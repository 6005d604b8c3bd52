// Decisions of the table as pure functions: values in, a verdict out; `now` is an argument. All times are nanoseconds of CLOCK_BOOTTIME.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/lease_word.hpp"

namespace tenure::core {

inline constexpr uint64_t millisecond_ns = 1'000'000;
inline constexpr uint64_t second_ns = 1'000 * millisecond_ns;

// The longest sleep of a waiter with `place` waiters before it. The head and its successor look every 100 ms, so that a death that no
// bell told of costs no more; those further back look more rarely, so that a long queue costs nothing.
[[nodiscard]] constexpr uint64_t tick_ns(uint32_t place) {
  return std::min(5 * second_ns, 100 * millisecond_ns * std::max<uint64_t>(1, place));
}

// The sleep while the holder has no bell, so that only its byte can tell of its death.
inline constexpr uint64_t bell_less_tick_ns = 5 * millisecond_ns;

// The sleep of the next in line while the processes of a dead or overdue run end: nobody tells of that.
inline constexpr uint64_t tree_tick_ns = 5 * millisecond_ns;

// How long the next in line waits, by its own running time, for the processes of a run that is past its deadline.
inline constexpr uint64_t overdue_grace_ns = 2 * second_ns;
// What one turn counts for at most.
inline constexpr uint64_t overdue_turn_max_ns = 100 * millisecond_ns;

// Ticks that a free lease may lie before an unmoved head of the queue is passed over.
inline constexpr uint32_t patience_ticks = 2;

[[nodiscard]] constexpr bool is_past(uint64_t deadline_ns, uint64_t now_ns) { return now_ns >= deadline_ns; }

// The deadline of a hold that begins or is renewed now; 0 asks for the strict contract. Never one of the reserved values.
[[nodiscard]] constexpr uint64_t deadline_from(uint64_t now_ns, uint64_t ttl_ns) {
  if (ttl_ns == 0) return deadline::strict;
  const uint64_t sum = now_ns + std::min(ttl_ns, deadline::strict / 2);
  return std::max<uint64_t>(sum, deadline::expired + 1);
}

// When the next renewal of a lease is due: a third of the time to live after the last.
[[nodiscard]] constexpr uint64_t renewal_due_ns(uint64_t deadline_ns, uint64_t ttl_ns) { return deadline_ns - ttl_ns + ttl_ns / 3; }

// When the holder is told that the lease may be lost soon: a third of the time to live before the deadline.
[[nodiscard]] constexpr uint64_t jeopardy_from_ns(uint64_t deadline_ns, uint64_t ttl_ns) { return deadline_ns - ttl_ns / 3; }

inline constexpr int clock_base_shift = 22;  // 4.2 million tokens a millisecond: more than any name can be granted
inline constexpr uint64_t token_limit = uint64_t{1} << 63;
inline constexpr uint64_t tokens_per_entry = uint64_t{1} << 44;

// The base of a new entry: above the clock's, above every name that left the group, and above every token of earlier segments.
[[nodiscard]] constexpr uint64_t token_base(uint64_t realtime_ms, uint64_t group_floor, uint64_t segment_floor) {
  return std::max({realtime_ms << clock_base_shift, group_floor + 1, segment_floor + 1});
}

// Whether a base leaves room for all the grants of an entry below 2^63.
[[nodiscard]] constexpr bool base_fits(uint64_t base) { return base < token_limit - tokens_per_entry; }

}  // namespace tenure::core
