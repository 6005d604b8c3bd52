#pragma once

#include <cstring>

#include "core/leases.inl.hpp"
#include "core/sessions.hpp"

namespace tenure::core {

namespace detail {
// Text as words, padded with zeros and cut to fit.
template <class Words>
void store_text(Words& words, std::string_view text) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    uint64_t word = 0;
    if (i * 8 < text.size()) std::memcpy(&word, text.data() + i * 8, std::min<std::size_t>(8, text.size() - i * 8));
    words[i].store(word, std::memory_order_relaxed);
  }
}
}  // namespace detail

// Takes the byte of a slot whose owner is gone and cleans the slot. A byte that is free while the bell has not rung belongs to a process
// that has closed all its descriptors and lives.
template <class P>
typename Sessions<P>::Outcome Sessions<P>::claim(uint32_t number) {
  const SlotView<P> before = table_->look(number);
  if (before.damaged || (before.state.is_run() && leases_->holds_any(number) && !leases_->has_sound_tag(number))) return Outcome::damaged;
  if (before.state.is_live() && !before.dead) return Outcome::taken;  // mostly without a system call
  switch (table_->platform().claim_byte(number)) {
    case ByteClaim::held_by_other: return Outcome::taken;
    case ByteClaim::failed: return Outcome::failed;
    case ByteClaim::claimed: break;
  }
  const SlotWord state{table_->slot(number).state.load(std::memory_order_acquire)};
  const bool bell_says_alive =
      state.has_bell() && !bell::rung(table_->slot(number).bells[Table<P>::bell_of(state.generation())].load(std::memory_order_acquire));
  if (bell_says_alive || (state.is_run() && leases_->holds_any(number) && leases_->tag_lives(number))) {
    table_->platform().free_byte(number);
    return Outcome::taken;
  }
  if (state.is_live()) leases_->clean(number);
  return Outcome::ours;
}

template <class P>
void Sessions<P>::raise_high_water(uint32_t slots) {
  auto& mark = table_->header().slot_high_water;
  uint32_t seen = mark.load(std::memory_order_seq_cst);
  // Seq_cst: partner of the load in Table::scan; a scan that misses the new mark comes before our first key in the one order.
  while (seen < slots && !mark.compare_exchange_strong(seen, slots, std::memory_order_seq_cst)) {
  }
}

template <class P>
void Sessions<P>::introduce(uint32_t number, uint64_t generation, const SessionFacts& facts) {
  auto& slot = table_->slot(number);
  slot.pid.store(facts.pid, std::memory_order_relaxed);
  slot.uid.store(facts.uid, std::memory_order_relaxed);
  slot.process_started.store(facts.process_started, std::memory_order_relaxed);
  slot.pid_namespace.store(facts.pid_namespace, std::memory_order_relaxed);
  slot.since_ns.store(table_->platform().boottime_ns(), std::memory_order_relaxed);
  detail::store_text(slot.command, facts.command);
  detail::store_text(slot.label, facts.label);
  slot.tag.store(facts.tag, std::memory_order_relaxed);
  slot.outer_tag.store(facts.outer_tag, std::memory_order_relaxed);
  const bool has_bell = table_->platform().arm_bell(slot.bells[Table<P>::bell_of(generation)]);
  const SlotState state = SlotWord::live_state(has_bell, facts.is_run);
  // Release: partner of the acquire load in Table::look; whoever sees the session live sees its bell.
  slot.state.store(SlotWord::of(generation, state).bits, std::memory_order_release);
}

template <class P>
SessionClaim Sessions<P>::open(const SessionFacts& facts) {
  SessionClaim result;
  for (uint32_t number = 0; number < table_->geometry().sessions; ++number) {
    switch (claim(number)) {
      case Outcome::taken: continue;
      case Outcome::failed: result.code = SessionClaim::Code::failed; return result;
      case Outcome::damaged: result.code = SessionClaim::Code::damaged; return result;
      case Outcome::ours: break;
    }
    const SlotWord before{table_->slot(number).state.load(std::memory_order_relaxed)};
    raise_high_water(number + 1);
    introduce(number, before.generation() + 1, facts);
    const SlotWord after{table_->slot(number).state.load(std::memory_order_relaxed)};
    return {SessionClaim::Code::claimed, number, after.generation(), after.has_bell()};
  }
  return result;
}

template <class P>
void Sessions<P>::close(uint32_t number) {
  auto& slot = table_->slot(number);
  leases_->clean(number);
  const SlotWord state{slot.state.load(std::memory_order_relaxed)};
  // Free first, then the bell, then the byte: dying in between leaves a slot that its next claimant can use.
  slot.state.store(SlotWord::of(state.generation(), SlotState::free).bits, std::memory_order_release);
  if (state.has_bell()) table_->platform().disarm_bell(slot.bells[Table<P>::bell_of(state.generation())]);
  table_->platform().free_byte(number);
}

template <class P>
uint32_t Sessions<P>::sweep() {
  uint32_t cleaned = 0;
  const uint32_t slots = std::min(table_->header().slot_high_water.load(std::memory_order_seq_cst), table_->geometry().sessions);
  for (uint32_t number = 0; number < slots; ++number) {
    const SlotView<P> view = table_->look(number);
    if (!view.dead || claim(number) != Outcome::ours) continue;
    auto& slot = table_->slot(number);
    const SlotWord state{slot.state.load(std::memory_order_relaxed)};
    slot.state.store(SlotWord::of(state.generation(), SlotState::free).bits, std::memory_order_release);
    table_->platform().free_byte(number);
    ++cleaned;
  }
  return cleaned;
}

template <class P>
bool Sessions<P>::stands(uint32_t number, uint64_t generation) {
  const SlotView<P> view = table_->look(number);
  return !view.dead && !view.damaged && view.state.is_live() && view.state.generation() == generation;
}

}  // namespace tenure::core
