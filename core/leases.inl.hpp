#pragma once

#include <array>
#include <limits>

#include "core/leases.hpp"
#include "core/table.inl.hpp"

namespace tenure::core {

// ---- grants -------------------------------------------------------------------------------------------------------------------------

template <class P>
inline void Leases<P>::bind(uint32_t hold, uint32_t lease, HoldKind kind, uint64_t deadline_ns) {
  auto& record = table_->hold(hold);
  // The deadline before the key, strict too: a reused record may still say `expired`.
  record.deadline.store(deadline_ns, std::memory_order_relaxed);
  // Release: partner of the acquire load in judge_owner; whoever sees the key sees the deadline. The CAS that follows publishes both.
  record.key.store(HoldKey::of(lease, kind).bits, std::memory_order_release);
}

template <class P>
inline void Leases<P>::unbind(uint32_t hold) {
  // Release: partner of the acquire load of a claimant; the CAS that moved the word on comes first.
  table_->hold(hold).key.store(0, std::memory_order_release);
}

template <class P>
inline LeaseWord Leases<P>::acquire_fast(const Handle<P>& handle, uint32_t hold, uint64_t deadline_ns) {
  auto& word = table_->entry(handle.lease).word;
  uint64_t seen = word.load(std::memory_order_relaxed);
  if (!LeaseWord{seen}.is_plainly_free() || LeaseWord{seen}.counter() >= LeaseWord::counter_retire) return {};
  bind(hold, handle.lease, HoldKind::user, deadline_ns);
  const LeaseWord mine = LeaseWord{seen}.granted(hold);
  // Acquire: partner of the release CAS of the last holder. Release: partner of the acquire load of the word in judge.
  if (!word.compare_exchange_strong(seen, mine.bits, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    unbind(hold);
    return {};
  }
  // See confirm.
  const bool same = handle.header->load(std::memory_order_acquire) == handle.expected_header;
  if (same || P::breaks(Rule::check_header_after_grant)) [[likely]]
    return mine;
  withdraw(handle.lease, mine, false);
  return {};
}

// The name may have left its entry between resolve and the CAS; whoever moves it holds the word meanwhile, so a look at the header
// after the CAS decides.
template <class P>
Acquired Leases<P>::confirm(const Handle<P>& handle, const Grant& grant) {
  if (P::breaks(Rule::check_header_after_grant)) return Acquired::granted;
  if (handle.header->load(std::memory_order_acquire) == handle.expected_header) return Acquired::granted;
  withdraw(grant.lease, grant.word, grant.past == Past::died);
  return Acquired::stale;
}

// Gives back a grant of an entry that has another name by now.
template <class P>
void Leases<P>::withdraw(uint32_t lease, LeaseWord word, bool told) {
  uint64_t seen = table_->word(lease).load(std::memory_order_acquire);
  while (LeaseWord{seen}.same_grant(word)) {
    const Mode mode = mode_after(LeaseWord{seen}, told);
    if (table_->word(lease).compare_exchange_strong(seen, LeaseWord{seen}.freed(mode).bits, std::memory_order_acq_rel)) {
      table_->pass_on(lease, false);
      break;
    }
  }
  unbind(word.hold());
}

// What a word becomes when its hold ends; `told`: the next holder must hear that this one died.
template <class P>
Mode Leases<P>::mode_after(LeaseWord word, bool told) {
  if (word.counter() >= LeaseWord::counter_retire && !P::breaks(Rule::retire_before_wrap)) return Mode::retired;
  return told ? Mode::abandoned : Mode::free;
}

template <class P>
Past Leases<P>::past_of(Claim claim) {
  switch (claim) {
    case Claim::dead:
    case Claim::abandoned: return Past::died;
    case Claim::expired: return Past::expired;
    case Claim::overdue: return Past::overdue;
    default: return Past::released;
  }
}

template <class P>
bool Leases<P>::take(const Handle<P>& handle, uint32_t hold, Terms terms, LeaseWord seen, Claim claim, Grant& grant) {
  const uint64_t deadline_ns = terms.ttl_ns == 0 ? deadline::strict : deadline_from(table_->platform().boottime_ns(), terms.ttl_ns);
  const bool died = past_of(claim) == Past::died;
  // News of a death must outlive the table's own work in between: if that dies too, its death is the news.
  bind(hold, handle.lease, died ? HoldKind::user : terms.kind, deadline_ns);
  const LeaseWord mine = seen.granted(hold, !P::breaks(Rule::grant_raises_counter));
  uint64_t expected = seen.bits;
  // Orders as in acquire_fast; on the exact word, so that it fails if anything happened to the grant that was judged.
  if (!table_->word(handle.lease).compare_exchange_strong(expected, mine.bits, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    return false;
  }
  if (claim == Claim::expired || claim == Claim::overdue) table_->notify_owner(seen.hold());
  grant = {handle.lease, hold, mine, handle.base + mine.counter(), deadline_ns, past_of(claim)};
  return true;
}

template <class P>
Acquired Leases<P>::try_acquire(const Handle<P>& handle, uint32_t hold, Terms terms, Grant& grant) {
  const Acquired result = try_take(handle, hold, terms, grant);
  if (result == Acquired::granted) return confirm(handle, grant);
  unbind(hold);
  return result;
}

template <class P>
Acquired Leases<P>::try_take(const Handle<P>& handle, uint32_t hold, Terms terms, Grant& grant) {
  for (int attempt = 0; attempt < 16; ++attempt) {  // each failed attempt is somebody else's success
    const LeaseWord seen{table_->word(handle.lease).load(std::memory_order_acquire)};
    const Verdict verdict = judge(handle.lease, seen);
    if (verdict.claim == Claim::changed) continue;
    if (verdict.claim == Claim::retired) return Acquired::stale;
    if (verdict.claim == Claim::damaged) return Acquired::damaged;
    if (!verdict.may_take()) return Acquired::busy;
    if (seen.waiters()) {
      const Queue<P> queue = table_->scan(handle.lease, 0);
      if (!queue.empty()) {
        if (!P::breaks(Rule::poke_head_if_free)) table_->poke(queue.head);
        return Acquired::busy;
      }
    }
    if (!take(handle, hold, terms, seen, verdict.claim, grant)) continue;
    if (seen.waiters()) drop_flag_if_alone(handle.lease);
    return Acquired::granted;
  }
  return Acquired::busy;
}

template <class P>
inline bool Leases<P>::release_fast(uint32_t lease, uint32_t hold, LeaseWord word) {
  uint64_t expected = word.bits;
  if (word.counter() >= LeaseWord::counter_retire || word.waiters()) return false;
  // Release: partner of the acquire CAS of the next holder.
  if (!table_->entry(lease).word.compare_exchange_strong(expected, word.freed(Mode::free).bits, std::memory_order_release,
                                                         std::memory_order_relaxed)) {
    return false;
  }
  unbind(hold);
  return true;
}

template <class P>
bool Leases<P>::release(const Grant& grant, bool untold) {
  auto& word = table_->word(grant.lease);
  if (P::breaks(Rule::clear_key_after_release)) unbind(grant.hold);
  uint64_t seen = word.load(std::memory_order_relaxed);
  bool held = false;
  while (LeaseWord{seen}.same_grant(grant.word) || (P::breaks(Rule::release_checks_owner) && LeaseWord{seen}.has_owner())) {
    const bool broken = LeaseWord{seen}.mode() == Mode::broken;
    const LeaseWord freed = LeaseWord{seen}.freed(mode_after(LeaseWord{seen}, untold || broken));
    // Release: partner of the acquire CAS of the next holder.
    if (word.compare_exchange_strong(seen, freed.bits, std::memory_order_release, std::memory_order_relaxed)) {
      held = !broken;
      if (P::breaks(Rule::head_takes_for_itself) && grant_to_head(grant.lease)) break;
      if (freed.waiters()) table_->pass_on(grant.lease, false);
      break;
    }
  }
  unbind(grant.hold);
  return held;
}

template <class P>
bool Leases<P>::renew(Grant& grant, uint64_t ttl_ns) {
  const uint64_t now_ns = table_->platform().boottime_ns();
  if (is_past(grant.deadline_ns, now_ns)) return false;
  const uint64_t next_ns = deadline_from(now_ns, ttl_ns);
  auto& deadline = table_->hold(grant.hold).deadline;
  const bool by_store = P::breaks(Rule::renew_by_cas) || P::breaks(Rule::renew_rereads_word) || P::breaks(Rule::renew_fences);
  if (by_store) {
    deadline.store(next_ns, std::memory_order_relaxed);
    if (P::breaks(Rule::renew_fences)) P::fence();
  } else {
    uint64_t expected = grant.deadline_ns;
    // Partner of the CAS in `expire`: one of the two wins.
    if (!deadline.compare_exchange_strong(expected, next_ns, std::memory_order_acq_rel, std::memory_order_acquire)) return false;
  }
  if (P::breaks(Rule::renew_by_cas)) {
    grant.deadline_ns = next_ns;
    return true;
  }
  // Somebody may have broken the lease, deadline or not.
  if (!LeaseWord{table_->word(grant.lease).load(std::memory_order_acquire)}.stands_as(grant.word)) return false;
  grant.deadline_ns = next_ns;
  return true;
}

template <class P>
bool Leases<P>::still_held(const Grant& grant) {
  // Acquire: partner of the CAS by which another took the lease over.
  if (!LeaseWord{table_->word(grant.lease).load(std::memory_order_acquire)}.stands_as(grant.word)) return false;
  if (grant.deadline_ns == deadline::strict) return true;
  return !is_past(grant.deadline_ns, table_->platform().boottime_ns());
}

template <class P>
bool Leases<P>::break_grant(uint32_t lease, LeaseWord word) {
  uint64_t seen = table_->word(lease).load(std::memory_order_acquire);
  if (!word.has_owner() || word.hold() >= table_->geometry().holds) return false;
  const bool is_run = table_->look(Table<P>::slot_of_hold(word.hold())).state.is_run() && !P::breaks(Rule::break_waits_for_tree);
  while (LeaseWord{seen}.same_grant(word)) {
    const LeaseWord next = is_run ? LeaseWord{seen}.broken() : LeaseWord{seen}.freed(mode_after(word, true));
    if (table_->word(lease).compare_exchange_strong(seen, next.bits, std::memory_order_acq_rel)) {
      table_->notify_owner(word.hold());
      table_->pass_on(lease, true);
      return true;
    }
  }
  return false;
}

template <class P>
Handle<P> Leases<P>::group_handle(uint32_t group) {
  return {table_->geometry().names + group, 0, &table_->group(group).guard, group_guard};
}

// ---- who may take a word ------------------------------------------------------------------------------------------------------------

template <class P>
uint32_t Leases<P>::record_of(uint32_t lease, LeaseWord word) {
  if (!P::breaks(Rule::owner_is_record) || word.hold() >= table_->geometry().holds) return word.hold();
  const uint32_t first = Table<P>::slot_of_hold(word.hold()) * holds_per_session;
  for (uint32_t hold = first; hold < first + holds_per_session; ++hold) {
    const HoldKey key{table_->hold(hold).key.load(std::memory_order_acquire)};
    if (key.bound() && key.lease() == lease) return hold;
  }
  return word.hold();
}

template <class P>
typename Leases<P>::Verdict Leases<P>::judge(uint32_t lease, LeaseWord word) {
  switch (word.mode()) {
    case Mode::retired: return {Claim::retired};
    case Mode::free:
    case Mode::abandoned:
      if (word.has_owner()) return {Claim::damaged};
      // Out of numbers, and nobody retired it: the last holders died one after the other. This release is nobody's, so anybody may do it.
      if (word.counter() >= LeaseWord::counter_retire && !P::breaks(Rule::retire_before_wrap)) {
        uint64_t expected = word.bits;
        table_->word(lease).compare_exchange_strong(expected, word.freed(Mode::retired).bits, std::memory_order_acq_rel);
        return {Claim::changed};
      }
      return {word.mode() == Mode::free ? Claim::free : Claim::abandoned};
    case Mode::exclusive:
    case Mode::broken: break;
    default: return {Claim::damaged};
  }
  if (!word.has_owner() || word.hold() >= table_->geometry().holds) return {Claim::damaged};
  const Verdict verdict = judge_owner(lease, word, record_of(lease, word));
  // What contradicts the word is damage only if the word has stood still meanwhile.
  if (verdict.claim != Claim::damaged) return verdict;
  const bool unchanged = table_->word(lease).load(std::memory_order_acquire) == word.bits;
  return {unchanged && !P::breaks(Rule::owner_is_record) ? Claim::damaged : Claim::changed};
}

// A run inside the tree gives its own tree a tag of its own, and may be dead, too.
template <class P>
bool Leases<P>::is_carried(uint64_t tag) {
  if (tag == 0) return false;
  std::array<uint64_t, 32> tags{tag};
  std::size_t count = 1;
  const uint32_t slots = std::min(table_->header().slot_high_water.load(std::memory_order_relaxed), table_->geometry().sessions);
  for (std::size_t i = 0; i < count; ++i) {
    if (table_->platform().tag_is_carried(tags[i])) return true;
    for (uint32_t number = 0; number < slots; ++number) {
      auto& slot = table_->slot(number);
      if (!SlotWord{slot.state.load(std::memory_order_acquire)}.is_run()) continue;
      if (slot.outer_tag.load(std::memory_order_relaxed) != tags[i]) continue;
      const uint64_t inner = slot.tag.load(std::memory_order_relaxed);
      if (!run_tag::is_sound(inner) || std::find(tags.begin(), tags.begin() + count, inner) != tags.begin() + count) continue;
      if (count == tags.size()) return true;  // more than can be told apart here
      tags[count++] = inner;
    }
  }
  return false;
}

template <class P>
bool Leases<P>::has_sound_tag(uint32_t slot) {
  const uint64_t tag = table_->slot(slot).tag.load(std::memory_order_relaxed);
  return tag == 0 || run_tag::is_sound(tag);
}

template <class P>
bool Leases<P>::holds_any(uint32_t slot) {
  for (uint32_t hold = slot * holds_per_session; hold < (slot + 1) * holds_per_session; ++hold) {
    const HoldKey key{table_->hold(hold).key.load(std::memory_order_acquire)};
    if (key.bound() && key.kind() != HoldKind::internal) return true;
  }
  return false;
}

template <class P>
bool Leases<P>::tag_lives(uint32_t slot) {
  if (P::breaks(Rule::claimant_looks_for_tag)) return false;
  return is_carried(table_->slot(slot).tag.load(std::memory_order_relaxed));
}

// Neither comes back once it is gone, as both are only inherited. So two looks one after the other are one.
template <class P>
bool Leases<P>::tree_lives(uint32_t slot) {
  if (!P::breaks(Rule::tree_holds_byte) && table_->platform().byte_is_held(slot)) return true;
  if (P::breaks(Rule::tree_carries_tag)) return false;
  return is_carried(table_->slot(slot).tag.load(std::memory_order_relaxed));
}

template <class P>
typename Leases<P>::Verdict Leases<P>::judge_owner(uint32_t lease, LeaseWord word, uint32_t hold) {
  auto& record = table_->hold(hold);
  // Acquire: partner of the release store in bind.
  const HoldKey key{record.key.load(std::memory_order_acquire)};
  const SlotView<P> view = table_->look(Table<P>::slot_of_hold(hold));
  if (!key.bound() || key.lease() != lease || view.damaged || !view.state.is_live()) return {Claim::damaged};
  const uint32_t slot = Table<P>::slot_of_hold(hold);
  const bool has_tree = view.state.is_run() && key.kind() == HoldKind::user;
  if (has_tree && !has_sound_tag(slot)) return {Claim::damaged};
  if (view.dead) {
    if (view.bell != nullptr) table_->broadcast(*view.bell);
    if (key.kind() == HoldKind::internal) return {Claim::dead_internal};
    if (!has_tree || !tree_lives(slot)) return {Claim::dead};
  }
  const uint64_t deadline_ns = record.deadline.load(std::memory_order_acquire);
  if (deadline_ns == deadline::unset) return {Claim::damaged};
  Verdict verdict{Claim::none, view.bell, view.bell_value, deadline_ns, view.bell == nullptr};
  if (view.dead) verdict.bell = nullptr;  // it has said all it can say
  if (deadline_ns == deadline::expired || (deadline_ns != deadline::strict && expire(hold, deadline_ns))) {
    verdict.claim = has_tree && tree_lives(slot) ? Claim::overdue : Claim::expired;
  } else if (view.dead || word.mode() == Mode::broken) {
    verdict.claim = Claim::dying;
  }
  return verdict;
}

// Turns a past deadline into `expired`. Legal whatever the record describes by now: it is past its own deadline.
template <class P>
bool Leases<P>::expire(uint32_t hold, uint64_t deadline_ns) {
  if (!is_past(deadline_ns, table_->platform().boottime_ns())) return false;
  if (P::breaks(Rule::thief_marks_expired) || P::breaks(Rule::renew_rereads_word) || P::breaks(Rule::renew_fences)) return true;
  uint64_t expected = deadline_ns;
  // Partner of the CAS in `renew`.
  return table_->hold(hold).deadline.compare_exchange_strong(expected, deadline::expired, std::memory_order_acq_rel,
                                                             std::memory_order_acquire);
}

// ---- the queue ----------------------------------------------------------------------------------------------------------------------

template <class P>
void Leases<P>::drop_flag_if_alone(uint32_t lease) {
  uint64_t seen = table_->word(lease).load(std::memory_order_acquire);
  if (!LeaseWord{seen}.waiters()) return;
  if (!table_->word(lease).compare_exchange_strong(seen, LeaseWord{seen}.without_waiters().bits, std::memory_order_seq_cst)) return;
  if (P::breaks(Rule::clear_then_rescan)) return;
  P::fence();
  if (table_->scan(lease, 0).empty()) return;
  seen = table_->word(lease).load(std::memory_order_acquire);
  while (!LeaseWord{seen}.waiters() &&
         !table_->word(lease).compare_exchange_strong(seen, LeaseWord{seen}.with_waiters().bits, std::memory_order_seq_cst)) {
  }
  // The lease may have been released between the two stores, by somebody who saw no flag.
  if (!LeaseWord{seen}.has_owner()) table_->pass_on(lease, true);
}

template <class P>
void Leases<P>::join(Visit& visit) {
  auto& key = table_->wait_key(visit.seat.wait);
  auto& cell = table_->wait_cell(visit.seat.wait);
  const uint32_t lease = visit.handle.lease;
  cell.stalled.store(0, std::memory_order_relaxed);
  cell.since_ns.store(table_->platform().boottime_ns(), std::memory_order_relaxed);
  if (P::breaks(Rule::head_takes_for_itself)) offer_record(visit);
  // Announced before the ticket is drawn, so that nobody who draws a later one misses us. Every store of a key is seq_cst: partner of the
  // seq_cst loads in Table::scan.
  if (!P::breaks(Rule::announce_before_ticket)) key.store(WaitKey::joining(lease).bits, std::memory_order_seq_cst);
  const uint64_t ticket = (table_->header().next_ticket.fetch_add(1, std::memory_order_seq_cst) + 1) % WaitKey::ticket_mask;
  visit.key = WaitKey::of(lease, ticket);
  const Queue<P> queue = table_->scan(lease, ticket);
  // A later ticket may be published already and believe that it is first.
  if (!P::breaks(Rule::poke_successor_on_publish)) table_->poke(queue.successor);
  key.store(visit.key.bits, std::memory_order_seq_cst);
}

// Out of the queue with the lease in hand. Those behind watch our bell, as that of their predecessor, and need no wake-up; but one who
// is just joining may have seen us first in line and someone else second.
template <class P>
void Leases<P>::dequeue(Visit& visit) {
  unlist(visit);
  if (visit.queue.joiner_count != 0) table_->poke(table_->scan(visit.handle.lease, visit.key.ticket()).successor);
  if (visit.queue.count <= 1 && visit.queue.joiner_count == 0) drop_flag_if_alone(visit.handle.lease);
}

template <class P>
void Leases<P>::unlist(Visit& visit) {
  auto& key = table_->wait_key(visit.seat.wait);
  key.store(0, P::breaks(Rule::fence_dequeue) ? std::memory_order_release : std::memory_order_seq_cst);
}

// Out of the queue with empty hands: whoever watched us must now watch somebody else.
template <class P>
void Leases<P>::leave(Visit& visit) {
  unlist(visit);
  if (P::breaks(Rule::poke_successor_on_leave)) return;
  const Queue<P> queue = table_->scan(visit.handle.lease, visit.key.ticket());
  table_->poke(queue.successor);
}

// Reads the word, the queue and the holder. False: the word has moved, look again.
template <class P>
bool Leases<P>::look_around(Visit& visit) {
  auto& cell = table_->wait_cell(visit.seat.wait);
  auto& word = table_->word(visit.handle.lease);
  visit.seq = cell.seq.load(std::memory_order_acquire);
  if (cell.stalled.load(std::memory_order_relaxed) == 1) cell.stalled.store(0, std::memory_order_seq_cst);
  uint64_t seen = word.load(std::memory_order_acquire);
  visit.word = LeaseWord{seen};
  if (visit.word.mode() == Mode::retired) return true;
  if (!visit.word.waiters()) {  // set again on every turn; that is what makes clearing it safe
    word.compare_exchange_strong(seen, visit.word.with_waiters().bits, std::memory_order_seq_cst);
    return false;
  }
  visit.queue = table_->scan(visit.handle.lease, visit.key.ticket());
  visit.verdict = judge(visit.handle.lease, visit.word);
  return visit.verdict.claim != Claim::changed;
}

template <class P>
Acquired Leases<P>::acquire(const Handle<P>& handle, Seat seat, Terms terms, const Patience<P>& patience, Grant& grant) {
  Visit visit{handle, seat, terms, patience, {}, 0, {}, {}, {}};
  join(visit);
  Acquired result = Acquired::busy;
  while (result == Acquired::busy) {
    if (look_around(visit)) result = turn(visit, grant);
  }
  if (result == Acquired::granted) return confirm(handle, grant);
  leave(visit);
  unbind(seat.hold);
  return result;
}

// One turn of a waiter: take the lease, give up, or sleep. `busy`: look again.
template <class P>
Acquired Leases<P>::turn(Visit& visit, Grant& grant) {
  if (visit.word.mode() == Mode::retired) {
    table_->pass_on(visit.handle.lease, true);
    return Acquired::stale;
  }
  if (P::breaks(Rule::head_takes_for_itself) && was_granted(visit, grant)) return Acquired::granted;
  if (visit.verdict.claim == Claim::damaged) return Acquired::damaged;
  if (visit.verdict.may_take()) {
    if (visit.queue.head == visit.seat.wait) {
      if (!take(visit.handle, visit.seat.hold, visit.terms, visit.word, visit.verdict.claim, grant)) return Acquired::busy;
      dequeue(visit);
      return Acquired::granted;
    }
    if (!P::breaks(Rule::poke_head_if_free)) table_->poke(visit.queue.head);
  }
  if (visit.verdict.waits_for_tree() && visit.queue.head == visit.seat.wait) {
    if (visit.patience.blocked != nullptr) visit.patience.blocked(visit.patience.context, Table<P>::slot_of_hold(visit.word.hold()));
    if (visit.verdict.claim == Claim::overdue && visit.overdue_ns >= overdue_grace) {
      if (!take(visit.handle, visit.seat.hold, visit.terms, visit.word, Claim::overdue, grant)) return Acquired::busy;
      dequeue(visit);
      return Acquired::granted;
    }
  }
  return sleep(visit);
}

template <class P>
uint64_t Leases<P>::sleep_ns(const Visit& visit, uint64_t now_ns) const {
  uint64_t limit_ns = visit.verdict.without_bell && visit.word.has_owner() ? bell_less_tick_ns : tick_ns(visit.queue.place);
  if (visit.verdict.waits_for_tree() && visit.queue.place <= 1) limit_ns = tree_tick_ns;
  if (visit.patience.until_ns - now_ns < limit_ns) limit_ns = visit.patience.until_ns - now_ns;
  const uint64_t deadline_ns = visit.verdict.deadline_ns;
  if (visit.queue.place <= 1 && deadline_ns != deadline::strict && deadline_ns > now_ns) {
    limit_ns = std::min(limit_ns, deadline_ns - now_ns);
  }
  return limit_ns;
}

template <class P>
Acquired Leases<P>::sleep(Visit& visit) {
  const uint64_t now_ns = table_->platform().boottime_ns();
  const Patience<P>& patience = visit.patience;
  if (patience.cancelled != nullptr && patience.cancelled->load(std::memory_order_acquire) != 0) return Acquired::cancelled;
  if (is_past(patience.until_ns, now_ns)) return Acquired::timed_out;
  // Others must see us in the queue: alive, and under our key.
  const SlotView<P> own = table_->look(Table<P>::slot_of_wait(visit.seat.wait));
  if (own.damaged) return Acquired::damaged;
  if (own.dead || !own.state.is_live()) return Acquired::session_lost;
  if (table_->wait_key(visit.seat.wait).load(std::memory_order_relaxed) != visit.key.bits) return Acquired::damaged;
  // A header that was punched out hides every slot from the scans: nobody would ever be the head.
  const uint32_t slots = table_->header().slot_high_water.load(std::memory_order_relaxed);
  if (slots <= Table<P>::slot_of_wait(visit.seat.wait)) return Acquired::damaged;
  if (patience.queued != nullptr) patience.queued(patience.context, visit.queue.place);
  count_overdue(visit, now_ns);

  std::array<Watch<P>, 3 + Queue<P>::joiners_max + 1> watches;
  std::size_t count = 0;
  watches[count++] = {&table_->wait_cell(visit.seat.wait).seq, visit.seq};
  if (patience.cancelled != nullptr) watches[count++] = {patience.cancelled, 0};
  const std::size_t first_bell = count;
  // Not that of our own process, on which we would die asleep: killed, and still queued, this thread could take the one wake-up that the
  // kernel sends. Nor the same one twice, which would count as two sleepers.
  const auto watch_bell = [&](typename Table<P>::Word32* bell, uint32_t value) {
    bool superfluous = bell == nullptr || (bell == own.bell && !P::breaks(Rule::watch_no_own_bell));
    for (std::size_t i = first_bell; i < count; ++i) superfluous |= watches[i].word == bell;
    if (!superfluous) watches[count++] = {bell, value};
  };
  watch_bell(visit.verdict.bell, visit.verdict.bell_value);
  watch_bell(visit.queue.predecessor.bell, visit.queue.predecessor.bell_value);
  for (uint32_t i = 0; i < std::min(visit.queue.joiner_count, Queue<P>::joiners_max); ++i) {
    watch_bell(visit.queue.joiners[i].word, visit.queue.joiners[i].expected);
  }
  // A predecessor that left after the scan has poked us before we armed its bell, or its successor, who may be dead.
  const Waiter<P>& before = visit.queue.predecessor;
  if (before.wait != no_index && !P::breaks(Rule::recheck_predecessor) &&
      table_->wait_key(before.wait).load(std::memory_order_seq_cst) != before.key.bits) {
    return Acquired::busy;
  }
  // The last load before the sleep: whoever frees the lease scans after that store, so either we see the store or it sees our key.
  if (!P::breaks(Rule::read_word_last) && table_->word(visit.handle.lease).load(std::memory_order_seq_cst) != visit.word.bits) {
    return Acquired::busy;
  }
  const WaitResult result = table_->platform().wait(std::span{watches.data(), count}, sleep_ns(visit, now_ns));
  for (std::size_t i = first_bell; i < count; ++i) {
    if (bell::rung(watches[i].word->load(std::memory_order_acquire))) table_->broadcast(*watches[i].word);
  }
  count_idle_tick(visit, result == WaitResult::timed_out);
  return Acquired::busy;
}

// By the time that this waiter has run: of a host that was suspended, or of a waiter that was stopped, only some counts.
template <class P>
void Leases<P>::count_overdue(Visit& visit, uint64_t now_ns) {
  if (visit.verdict.claim != Claim::overdue) return;
  if (visit.overdue_seen_ns != 0) visit.overdue_ns += std::min(now_ns - visit.overdue_seen_ns, overdue_turn_max_ns);
  visit.overdue_seen_ns = now_ns;
}

// A head that lets a free lease lie for two ticks is stopped: it is passed over until it runs again. Only the order bends; the CAS on the
// word keeps the lease single.
template <class P>
void Leases<P>::count_idle_tick(Visit& visit, bool timed_out) {
  const bool same = visit.passed_head == visit.queue.head && visit.passed_ticket == visit.queue.head_ticket;
  if (!visit.verdict.may_take() || visit.queue.head == visit.seat.wait || visit.queue.head == no_index) {
    visit.free_ticks = 0;
    return;
  }
  if (!same) {
    visit.passed_head = visit.queue.head;
    visit.passed_ticket = visit.queue.head_ticket;
    visit.free_ticks = 0;
  }
  if (timed_out && ++visit.free_ticks >= patience_ticks) {
    uint32_t expected = 0;
    table_->wait_cell(visit.queue.head).stalled.compare_exchange_strong(expected, 1, std::memory_order_seq_cst);
    visit.free_ticks = 0;
  }
}

// ---- recovery -----------------------------------------------------------------------------------------------------------------------

template <class P>
void Leases<P>::clean(uint32_t slot) {
  for (uint32_t hold = slot * holds_per_session; hold < (slot + 1) * holds_per_session; ++hold) {
    uint64_t bits = table_->hold(hold).key.load(std::memory_order_acquire);
    const HoldKey key{bits};
    if (bits == 0) continue;
    if (P::breaks(Rule::recovery_clears_word_first)) table_->hold(hold).key.store(0, std::memory_order_seq_cst);
    if (key.bound() && key.lease() < table_->geometry().leases()) {
      auto& word = table_->word(key.lease());
      uint64_t seen = word.load(std::memory_order_acquire);
      while (LeaseWord{seen}.has_owner() && LeaseWord{seen}.hold() == hold) {
        const Mode mode = mode_after(LeaseWord{seen}, key.kind() != HoldKind::internal);
        if (word.compare_exchange_strong(seen, LeaseWord{seen}.freed(mode).bits, std::memory_order_acq_rel)) break;
      }
      table_->pass_on(key.lease(), !P::breaks(Rule::recovery_ignores_flag));
    }
    table_->hold(hold).key.compare_exchange_strong(bits, 0, std::memory_order_seq_cst);
  }
  for (uint32_t wait = slot * waits_per_session; wait < (slot + 1) * waits_per_session; ++wait) {
    uint64_t bits = table_->wait_key(wait).load(std::memory_order_seq_cst);
    const WaitKey key{bits};
    if (bits == 0 || !table_->wait_key(wait).compare_exchange_strong(bits, 0, std::memory_order_seq_cst)) continue;
    if (!key.bound() || key.lease() >= table_->geometry().leases()) continue;
    table_->poke(table_->scan(key.lease(), key.ticket()).successor);
    table_->pass_on(key.lease(), !P::breaks(Rule::recovery_ignores_flag));
  }
}

// ---- the simulator's self-test: rule head_takes_for_itself broken -------------------------------------------------------------------
// The releaser names the head's record in the word: the design that grants to waiters who have left or died (Q1).

template <class P>
void Leases<P>::offer_record(Visit& visit) {
  bind(visit.seat.hold, visit.handle.lease, visit.terms.kind, deadline::strict);
  table_->wait_cell(visit.seat.wait).stalled.store((visit.seat.hold + 1) << 1, std::memory_order_seq_cst);
}

template <class P>
bool Leases<P>::grant_to_head(uint32_t lease) {
  const Queue<P> queue = table_->scan(lease, 0);
  if (queue.head == no_index) return false;
  const uint32_t hold = (table_->wait_cell(queue.head).stalled.load(std::memory_order_seq_cst) >> 1) - 1;
  uint64_t seen = table_->word(lease).load(std::memory_order_acquire);
  if (LeaseWord{seen}.has_owner() || hold >= table_->geometry().holds) return false;
  if (!table_->word(lease).compare_exchange_strong(seen, LeaseWord{seen}.granted(hold).bits, std::memory_order_seq_cst)) return false;
  table_->poke(queue.head);
  return true;
}

template <class P>
bool Leases<P>::was_granted(Visit& visit, Grant& grant) {
  if (!visit.word.has_owner() || visit.word.hold() != visit.seat.hold) return false;
  grant = {visit.handle.lease, visit.seat.hold, visit.word, visit.handle.base + visit.word.counter(), deadline::strict, Past::released};
  dequeue(visit);
  return true;
}

}  // namespace tenure::core
