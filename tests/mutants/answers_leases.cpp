// Grants, releases, renewals, and who is told what.
#include <array>

#include "tests/mutants/answers.hpp"

namespace tenure::mutants {
namespace {

using core::Acquired;
using core::Grant;
using core::LeaseWord;
using core::Mode;
using core::Past;

constexpr std::uint64_t ms = core::millisecond_ns;
constexpr core::Terms internal{0, core::HoldKind::internal};

void hold_it(Actor& me, core::Terms terms = {}) {
  Grant grant;
  me.expect(me.acquire(grant, terms) == Acquired::granted, "the second holds it");
  me.reach(1);
  me.await(1000);
}
void hold_strict(Actor& me) { hold_it(me); }
void hold_internal(Actor& me) { hold_it(me, internal); }
void hold_for_20_ms(Actor& me) { hold_it(me, {20 * ms}); }

void grants_and_releases(Actor& me) {
  const sim::Handle handle = me.handle();
  Grant grant;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    me.expect(me.try_it(grant) == Acquired::granted, "a free lease is granted");
    me.expect(grant.lease == handle.lease && grant.hold == me.seat().hold, "under the caller's record");
    me.expect(grant.token == handle.base + round && grant.deadline_ns == core::deadline::strict, "with the next token");
    me.expect(grant.past == Past::released && me.leases().still_held(grant), "nobody died");
    Grant second;
    me.expect(me.leases().try_acquire(handle, me.seat().hold + 3, {}, second) == Acquired::busy, "but once");
    me.expect(me.model.table().hold(me.seat().hold + 3).key.ghost() == 0, "and leaves no record");
    me.expect(me.leases().release(grant), "it is released");
    me.expect(!me.leases().release(grant) && !me.leases().still_held(grant), "but once");
    me.expect(me.model.word(handle.lease).mode() == Mode::free, "and free");
    me.expect(me.model.table().hold(me.seat().hold).key.ghost() == 0, "and its record, too");
  }
}

void fast_path(Actor& me) {
  const sim::Handle handle = me.handle();
  const std::uint32_t hold = me.seat().hold;
  auto& word = me.model.table().word(handle.lease);
  const LeaseWord mine = me.leases().acquire_fast(handle, hold, core::deadline::strict);
  me.expect(mine.has_owner() && mine.hold() == hold && me.model.word(handle.lease) == mine, "the fast path takes what is free");
  me.expect(!me.leases().acquire_fast(handle, hold + 1, core::deadline::strict).has_owner(), "but once");
  me.expect(me.leases().release_fast(handle.lease, hold, mine) && !me.leases().release_fast(handle.lease, hold, mine), "and gives it back");
  me.expect(me.model.table().hold(hold).key.ghost() == 0, "and its record");
  for (const LeaseWord other : {LeaseWord{word.load()}.with_waiters(), LeaseWord{word.load()}.freed(Mode::abandoned)}) {
    const std::uint64_t before = word.load();
    word.store(other.bits);
    me.expect(!me.leases().acquire_fast(handle, hold, core::deadline::strict).has_owner(), "no fast path past a waiter or a death");
    word.store(before);
  }
  sim::Handle stale = handle;
  stale.expected_header += 1;
  me.expect(!me.leases().acquire_fast(stale, hold, core::deadline::strict).has_owner(), "nor for a name that has left");
  me.expect(me.model.word(handle.lease).mode() == Mode::free, "which stays free");
  me.expect(me.model.table().hold(hold).key.ghost() == 0, "and leaves no record");
  Grant grant;
  me.expect(me.leases().try_acquire(stale, hold, {}, grant) == Acquired::stale, "the other path says so");
  const LeaseWord flagged = mine.with_waiters();
  me.expect(!me.leases().release_fast(handle.lease, hold, flagged), "no fast release past a waiter");
}

void busy_and_timed_out(Actor& me) {
  me.await(1);
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::busy, "what another holds is busy");
  for (const std::uint64_t limit_ns : {std::uint64_t{1}, 30 * ms, 250 * ms}) {
    const std::uint64_t until_ns = me.now() + limit_ns;
    me.expect(me.acquire(grant, {}, limit_ns) == Acquired::timed_out, "a wait times out");
    me.expect(me.now() >= until_ns && me.now() < until_ns + 2 * ms, "when it should");
  }
  me.expect(me.model.table().wait_key(me.seat().wait).ghost() == 0, "and leaves the queue");
  me.expect(me.model.table().hold(me.seat().hold).key.ghost() == 0, "and no record");
}

void cancelled(Actor& me) {
  me.await(1);
  sim::Atomic<std::uint32_t> word{1};
  sim::Patience patience;
  patience.cancelled = &word;
  Grant grant;
  const std::uint64_t from_ns = me.now();
  me.expect(me.leases().acquire(me.handle(), me.seat(), {}, patience, grant) == Acquired::cancelled, "a wait is cancelled");
  me.expect(me.now() < from_ns + ms, "at once");
}

void told_of_a_death(Actor& me) {
  me.await(1);
  me.end(1);
  Grant grant;
  const std::uint64_t from_ns = me.now();
  me.expect(me.acquire(grant) == Acquired::granted && me.now() < from_ns + ms, "the lease of the dead is granted at once");
  me.expect(grant.past == Past::died, "and its death told");
  me.leases().release(grant, true);
  me.expect(me.model.word(grant.lease).mode() == Mode::abandoned, "who hands the news on");
  me.expect(me.try_it(grant) == Acquired::granted && grant.past == Past::died, "has the next told");
  me.leases().release(grant, true);
  me.expect(me.try_it(grant, internal) == Acquired::granted && grant.past == Past::died, "also when the table itself does");
  const core::HoldKey key{me.model.table().hold(grant.hold).key.ghost()};
  me.expect(key.kind() == core::HoldKind::user, "whose death in between would be news, then");
  me.leases().release(grant);
  me.expect(me.try_it(grant) == Acquired::granted && grant.past == Past::released, "and nobody after that");
  me.leases().release(grant);
}

void table_work_is_no_news(Actor& me) {
  me.await(1);
  me.end(1);
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::granted && grant.past == Past::released, "the table's own work is no news");
  me.leases().release(grant);
}

void cleaned_after_death(Actor& me) {
  me.await(1);
  me.end(1);
  me.expect(me.sessions().sweep() == 1 && me.sessions().sweep() == 0, "one session is cleaned");
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::granted && grant.past == Past::died, "and what it held is news still");
  me.leases().release(grant);
}

void expires(Actor& me) {
  me.await(1);
  const std::uint32_t lease = me.handle().lease;
  const std::uint32_t owner = me.model.word(lease).hold();
  const std::uint64_t deadline_ns = me.model.table().hold(owner).deadline.ghost();
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::busy, "not before its deadline");
  me.expect(me.acquire(grant) == Acquired::granted && grant.past == Past::expired, "a lease past its deadline is taken");
  me.expect(me.now() >= deadline_ns && me.now() < deadline_ns + ms, "then");
  me.expect(me.model.table().hold(owner).deadline.ghost() == core::deadline::expired, "and is marked");
  me.expect(me.model.table().slot(1).notice.ghost() == 1, "and its holder told");
  me.leases().release(grant);
}

void renewed(Actor& me) {
  Grant grant;
  me.expect(me.try_it(grant, {10 * ms}) == Acquired::granted, "a lease with a time to live");
  for (int i = 0; i < 3; ++i) {
    me.nap(6 * ms);
    const std::uint64_t from_ns = me.now();
    me.expect(me.leases().renew(grant, 10 * ms) && me.leases().still_held(grant), "is renewed");
    me.expect(grant.deadline_ns >= from_ns + 10 * ms && grant.deadline_ns < from_ns + 11 * ms, "from now");
    me.expect(me.model.table().hold(grant.hold).deadline.ghost() == grant.deadline_ns, "for all to see");
  }
  auto& deadline = me.model.table().hold(grant.hold).deadline;
  deadline.store(core::deadline::expired);  // as a thief does
  me.expect(!me.leases().renew(grant, 10 * ms) && deadline.ghost() == core::deadline::expired, "not when another has marked it");
  deadline.store(grant.deadline_ns);
  me.nap(11 * ms);
  me.expect(!me.leases().still_held(grant) && !me.leases().renew(grant, 10 * ms), "and not when it is past");
  me.leases().release(grant);
  me.expect(me.try_it(grant, {20 * ms}) == Acquired::granted, "again");
  me.reach(1);
  me.await(2);
  me.expect(!me.leases().still_held(grant) && !me.leases().renew(grant, 10 * ms), "nor when it is broken");
  me.expect(me.model.table().slot(0).notice.ghost() == 1, "which is told");
}
void breaks_it(Actor& me) {
  me.await(1);
  const std::uint32_t lease = me.handle().lease;
  const LeaseWord seen = me.model.word(lease);
  me.expect(!me.leases().break_grant(lease, seen.granted(3)), "another grant is not broken");
  me.expect(!me.leases().break_grant(lease, seen.freed(Mode::exclusive)), "nor nobody's");
  me.expect(!me.leases().break_grant(lease, {seen.bits | std::uint64_t{LeaseWord::owner_max} << 5}), "nor an impossible one");
  me.expect(me.leases().break_grant(lease, seen) && !me.leases().break_grant(lease, seen), "this one is, once");
  me.expect(me.model.word(lease).mode() == Mode::abandoned, "and the next is told");
  me.reach(2);
}

void retires(Actor& me) {
  Grant grant;
  sim::Handle handle = me.handle();
  me.expect(me.try_it(grant) == Acquired::granted && me.leases().release(grant), "one before the last");
  me.expect(me.model.word(handle.lease).mode() == Mode::retired, "the last release retires the entry");
  me.expect(me.try_it(grant) == Acquired::stale && me.acquire(grant) == Acquired::stale, "then a handle is stale");
  me.expect(!me.leases().acquire_fast(handle, me.seat().hold, core::deadline::strict).has_owner(), "on every path");
  const std::uint64_t last = handle.base + core::LeaseWord::counter_retire;
  me.expect(me.names().look_up(core::NameWords("orders"), handle) == core::Resolved::absent, "and the name is absent");
  handle = me.resolve("orders");
  me.expect(me.leases().try_acquire(handle, me.seat().hold, {}, grant) == Acquired::granted && grant.token > last, "until it has another");
  me.leases().release(grant);
}
void retired_by_the_dead(Actor& me) {
  Grant grant;
  auto& word = me.model.table().word(me.handle().lease);
  word.store(core::LeaseWord::counter_retire << LeaseWord::counter_shift);
  me.expect(!me.leases().acquire_fast(me.handle(), me.seat().hold, core::deadline::strict).has_owner(), "no token is left");
  me.expect(me.try_it(grant) == Acquired::stale && LeaseWord{word.load()}.mode() == Mode::retired, "whoever comes retires it");
}

// The first in line is stopped for good; those behind it are served all the same, and it comes first again when it goes on.
struct Stopped {
  bool stops = true;
  Actor* actor = nullptr;
};
void stops_in_line(Actor& me) {
  me.await(1);
  Stopped stopped{true, &me};
  sim::Patience patience;
  patience.context = &stopped;
  patience.queued = [](void* context, std::uint32_t) {
    auto* self = static_cast<Stopped*>(context);
    if (!self->stops) return;
    self->stops = false;
    self->actor->reach(2);
    self->actor->await(4);
  };
  Grant grant;
  me.expect(me.leases().acquire(me.handle(), me.seat(), {}, patience, grant) == Acquired::granted, "the stopped one is served at last");
  me.reach(5);
  me.leases().release(grant);
}
void stands_behind(Actor& me) {
  me.await(2);
  Grant grant;
  me.reach(3);
  const std::uint64_t from_ns = me.now();
  me.expect(me.acquire(grant) == Acquired::granted, "the one behind is served");
  me.expect(me.now() > from_ns + 290 * ms && me.now() < from_ns + 310 * ms, "when the first has let it lie for two ticks");
  me.expect(me.model.table().wait_cell(2).stalled.ghost() == 1, "and is passed over");
  me.reach(4);
  me.nap(20 * ms);
  me.leases().release(grant);
  me.await(5);
  me.expect(me.model.table().wait_cell(2).stalled.ghost() == 0, "it is no longer");
}
void lets_them_queue(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "the first holds it");
  me.reach(1);
  me.await(3);
  me.nap(20 * ms);
  me.leases().release(grant);
  me.await(5);
}

// A waiter without a bell to listen to looks every 5 ms.
void dies_without_bell(Actor& me) {
  me.await(1);
  Grant grant;
  me.await(2);
  const std::uint64_t from_ns = me.now();
  me.expect(me.acquire(grant) == Acquired::granted && grant.past == Past::died, "the death of one without a bell");
  me.expect(me.now() < from_ns + 60 * ms, "is seen soon");
  me.leases().release(grant);
}
void kills_later(Actor& me) {
  me.await(1);
  me.reach(2);
  me.nap(50 * ms);
  me.end(1);
}

constexpr Scene scenes[] = {
    {"answers-grants", {grants_and_releases, nullptr, nullptr, nullptr}},
    {"answers-fast", {fast_path, nullptr, nullptr, nullptr}, false},
    {"answers-busy", {busy_and_timed_out, hold_strict, nullptr, nullptr}},
    {"answers-cancelled", {cancelled, hold_strict, nullptr, nullptr}},
    {"answers-death", {told_of_a_death, hold_strict, nullptr, nullptr}},
    {"answers-internal", {table_work_is_no_news, hold_internal, nullptr, nullptr}},
    {"answers-cleaned", {cleaned_after_death, hold_strict, nullptr, nullptr}},
    {"answers-expired", {expires, hold_for_20_ms, nullptr, nullptr}},
    {"answers-renewed", {renewed, breaks_it, nullptr, nullptr}},
    {"answers-retired", {retires, nullptr, nullptr, nullptr}, true, LeaseWord::counter_retire - 1},
    {"answers-retired-dead", {retired_by_the_dead, nullptr, nullptr, nullptr}},
    {"answers-stopped", {lets_them_queue, stops_in_line, stands_behind, nullptr}},
    {"answers-no-bell", {dies_without_bell, hold_strict, kills_later, nullptr}, true, 0, 8, false},
};

}  // namespace

std::span<const Scene> lease_scenes() { return scenes; }

}  // namespace tenure::mutants
