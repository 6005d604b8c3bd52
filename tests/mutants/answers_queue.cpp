// Who waits: in order, asleep, woken when it is time and not otherwise, and leaving nothing behind.
#include "tests/mutants/answers.hpp"

namespace tenure::mutants {
namespace {

using core::Acquired;
using core::Grant;
using core::LeaseWord;
using core::Past;

constexpr std::uint64_t ms = core::millisecond_ns;

// How a wait went, as its callback saw it.
struct Turns {
  std::uint32_t count = 0;
  std::uint32_t place = 99;
  std::uint64_t last_ns = 0;
  sim::World* world = nullptr;
};
sim::Patience noted(Actor& me, Turns& turns) {
  turns.world = &me.world;
  sim::Patience patience;
  patience.context = &turns;
  patience.queued = [](void* context, std::uint32_t place) {
    auto* self = static_cast<Turns*>(context);
    ++self->count;
    self->place = place;
    self->last_ns = self->world->true_now();
  };
  patience.blocked = [](void* context, std::uint32_t) {
    static_cast<Turns*>(context)->world->fail("answer", "where there is no run, nobody is blocked by one");
  };
  return patience;
}
Acquired wait_for(Actor& me, Grant& grant, const sim::Patience& patience) {
  return me.leases().acquire(me.handle(), me.seat(), {}, patience, grant);
}
void hold_until_2(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "the second holds it");
  me.reach(1);
  me.await(2);
  me.leases().release(grant);
}
void hold_on(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "the second holds it");
  me.reach(1);
  me.await(1000);
}

// ---- sleep --------------------------------------------------------------------------------------------------------------------------

void sleeps(Actor& me) {
  me.await(1);
  for (int round = 0; round < 2; ++round) {
    Turns turns;
    sim::Patience patience = noted(me, turns);
    patience.until_ns = me.now() + 350 * ms;
    Grant grant;
    me.expect(wait_for(me, grant, patience) == Acquired::timed_out, "in vain");
    me.expect(turns.count >= 3 && turns.count <= 6 && turns.place == 0, "a waiter sleeps, but for its ticks");
    me.model.table().poke(me.seat().wait);  // a stale poke is read before the next sleep
  }
}

void served_at_once(Actor& me) {
  me.await(1);
  Grant grant;
  me.reach(2);
  const std::uint64_t from_ns = me.now();
  me.expect(me.acquire(grant) == Acquired::granted && me.now() < from_ns + ms, "a release wakes the first");
  me.expect(grant.past == Past::released, "who hears of no death");
  me.leases().release(grant);
  me.expect(!me.model.word(grant.lease).waiters(), "the last taker drops the flag");
  expect_tidy(me);
  auto& word = me.model.table().word(grant.lease);
  word.store(LeaseWord{word.ghost()}.with_waiters().bits);
  me.expect(me.try_it(grant) == Acquired::granted && !me.model.word(grant.lease).waiters(), "as does he who finds nobody");
  const LeaseWord held{word.ghost()};
  me.expect(me.leases().release_fast(grant.lease, grant.hold, held), "so that the next is quick");
  expect_tidy(me);
}

void cancelled_asleep(Actor& me) {
  me.await(1);
  static sim::Atomic<std::uint32_t> word;
  word.store(0);
  me.world.spawn(me.world.this_process(), [self = &me] {
    self->nap(30 * ms);
    word.store(1);
    self->model.table().platform().wake(word, 1);
  });
  Turns turns;
  sim::Patience patience = noted(me, turns);
  patience.cancelled = &word;
  Grant grant;
  const std::uint64_t from_ns = me.now();
  me.expect(wait_for(me, grant, patience) == Acquired::cancelled, "a sleeper is cancelled");
  me.expect(me.now() >= from_ns + 29 * ms && me.now() < from_ns + 31 * ms && turns.count <= 2, "then, and sleeps until then");
  expect_tidy(me);
}

// ---- breaks and deaths --------------------------------------------------------------------------------------------------------------

void breaks_then(Actor& me) {
  me.await(2);
  me.nap(20 * ms);
  const LeaseWord seen = me.model.word(me.handle().lease);
  me.reach(3);
  me.expect(me.leases().break_grant(me.handle().lease, seen), "broken");
  me.nap(20 * ms);
  me.expect(me.leases().break_grant(me.handle().lease, me.model.word(me.handle().lease)), "and again");
  me.nap(20 * ms);
}
void hears_of_break(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "held");
  auto& notice = me.model.table().slot(me.slot).notice;
  me.reach(1);
  const core::Watch<sim::SimPlatform> watch{&notice, 0};
  const std::uint64_t from_ns = me.now();
  me.expect(me.model.table().platform().wait({&watch, 1}, 900 * ms) == core::WaitResult::woken, "whose lease is broken is woken");
  me.expect(me.now() < from_ns + 60 * ms && !me.leases().still_held(grant) && !me.leases().release(grant), "and finds it lost");
  me.nap(5 * ms);
  me.expect(me.model.word(grant.lease).has_owner() && !me.leases().still_held(grant), "also when another holds it");
}
void next_after_break(Actor& me) {
  me.await(1);
  me.nap(5 * ms);
  me.reach(2);
  Grant grant;
  const std::uint64_t from_ns = me.now();
  me.expect(me.acquire(grant) == Acquired::granted && grant.past == Past::died, "the next is granted what was broken");
  me.expect(me.now() < from_ns + 21 * ms, "at once");
  me.nap(40 * ms);
}

// One process dies with two leases, for each of which another sleeps on the same bell; the kernel wakes one of them.
void holds_two(Actor& me) {
  Grant first;
  Grant second;
  const sim::Handle mail = me.resolve("mail");
  me.expect(me.acquire(first) == Acquired::granted, "one");
  me.expect(me.leases().try_acquire(mail, me.seat().hold + 3, {}, second) == Acquired::granted, "two");
  me.reach(1);
  me.await(1000);
}
void sleeper_on(Actor& me, bool mail, std::uint32_t beat) {
  me.await(1);
  const sim::Handle handle = mail ? me.resolve("mail") : me.handle();
  me.reach(beat);
  Grant grant;
  Turns turns;
  me.expect(me.leases().acquire(handle, me.seat(), {}, noted(me, turns), grant) == Acquired::granted, "served");
  me.expect(grant.past == Past::died && me.now() < turns.last_ns + 50 * ms, "by a bell, not by a tick");
  me.leases().release(grant);
}
void first_sleeper(Actor& me) {
  sleeper_on(me, false, 2);
  me.nap(20 * ms);
}
void second_sleeper(Actor& me) {
  me.await(2);
  sleeper_on(me, true, 3);
}
void killer(Actor& me) {
  me.await(3);
  me.nap(40 * ms);
  me.end(1);
}

// ---- the line -----------------------------------------------------------------------------------------------------------------------

// The first in line gives up; the one behind it, and no other, is told that it is first now.
void gives_up(Actor& me) {
  me.await(1);
  Turns turns;
  sim::Patience patience = noted(me, turns);
  patience.until_ns = me.now() + 30 * ms;
  Grant grant;
  me.reach(2);
  me.expect(wait_for(me, grant, patience) == Acquired::timed_out && turns.place == 0, "first in line");
  me.nap(60 * ms);
  me.reach(5);
  me.nap(30 * ms);
}
template <std::uint32_t number>
void behind(Actor& me) {
  me.await(1 + number);
  me.nap(5 * ms);
  me.reach(2 + number);
  Turns turns;
  Grant grant;
  const std::uint64_t from_ns = me.now();
  me.expect(wait_for(me, grant, noted(me, turns)) == Acquired::granted, "served");
  me.expect(turns.place == (number == 1 ? 0 : 2), "in its place");
  if (number == 1) me.expect(turns.last_ns >= from_ns + 20 * ms && turns.last_ns < from_ns + 26 * ms, "which it hears at once");
  me.nap(2 * ms);
  me.leases().release(grant);
}
void hold_until_5(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "held");
  me.reach(1);
  me.await(5);
  me.leases().release(grant);
}

// A free lease that somebody queues for, who has not come yet: nobody gets past it.
void stays_away(Actor& me) {
  me.await(1);
  Actor* self = &me;
  sim::Patience patience;
  patience.context = self;
  patience.queued = [](void* context, std::uint32_t) {
    auto* waiter = static_cast<Actor*>(context);
    waiter->reach(2);
    waiter->await(3);
  };
  Grant grant;
  me.expect(wait_for(me, grant, patience) == Acquired::granted, "the one in line is served");
  me.leases().release(grant);
}
void no_way_past(Actor& me) {
  me.await(2);
  me.nap(5 * ms);
  Grant grant;
  me.expect(!me.model.word(me.handle().lease).has_owner() && me.model.word(me.handle().lease).waiters(), "free, and queued for");
  me.expect(!me.leases().acquire_fast(me.handle(), me.seat().hold, core::deadline::strict).has_owner(), "not by the fast path");
  const std::uint32_t seq = me.model.table().wait_cell(4).seq.ghost();
  me.expect(me.try_it(grant) == Acquired::busy, "nor by trying");
  me.expect(me.model.table().wait_cell(4).seq.ghost() == seq + 1, "which tells the first in line");
  me.reach(3);
  me.nap(5 * ms);
  expect_tidy(me);
}

// A lease that is held for long: nobody is passed over for that.
void holds_for_long(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "held");
  me.reach(1);
  me.await(3);
  for (int i = 0; i < 60; ++i) {
    me.nap(10 * ms);
    me.expect(me.model.table().wait_cell(4).stalled.ghost() == 0, "the first in line has nothing to take, and is not passed over");
  }
  me.leases().release(grant);
}
template <std::uint32_t beat>
void waits_for_long(Actor& me) {
  me.await(beat);
  me.reach(beat + 1);
  const std::uint64_t from_ns = me.now();
  Grant grant;
  Turns turns;
  me.expect(wait_for(me, grant, noted(me, turns)) == Acquired::granted && me.now() > from_ns + 590 * ms, "served at last");
  const std::uint64_t since_ns = me.model.table().wait_cell(me.seat().wait).since_ns.ghost();
  me.expect(since_ns >= from_ns && since_ns < from_ns + ms, "and has said since when it waits");
  me.leases().release(grant);
}

// Without bells: the first in line dies with a free lease before it, and the one behind is told by whoever cleans its slot.
void dies_in_line(Actor& me) {
  me.await(1);
  sim::Patience patience;
  patience.context = &me;
  patience.queued = [](void* context, std::uint32_t) {
    auto* self = static_cast<Actor*>(context);
    self->reach(2);
    self->nap(10 * core::second_ns);
  };
  Grant grant;
  me.expect(wait_for(me, grant, patience) != Acquired::granted, "it is stopped until its end");
}
void served_by_sweep(Actor& me) {
  me.await(2);
  me.reach(3);
  Grant grant;
  Turns turns;
  const std::uint64_t from_ns = me.now();
  me.expect(wait_for(me, grant, noted(me, turns)) == Acquired::granted, "served");
  me.expect(me.now() >= from_ns + 32 * ms && me.now() < from_ns + 60 * ms, "when the slot of the dead is cleaned");
  me.leases().release(grant);
}
void sweeps(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "held");
  me.reach(1);
  me.await(3);
  me.nap(5 * ms);
  me.leases().release(grant);
  me.nap(8 * ms);  // the one behind looks once more, and sleeps for longer, now that the lease has no owner
  me.end(1);
  me.nap(20 * ms);
  me.expect(me.sessions().sweep() == 1, "one is cleaned");
  me.nap(20 * ms);
}

// All who wait for a name whose entry is used up hear it at once.
void holds_the_last(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "the last grant");
  me.reach(1);
  me.await(3);
  me.nap(20 * ms);
  me.leases().release(grant);
}
template <std::uint32_t beat>
void hears_it_is_stale(Actor& me) {
  me.await(beat);
  me.nap(ms);
  me.reach(beat + 1);
  Grant grant;
  Turns turns;
  me.expect(wait_for(me, grant, noted(me, turns)) == Acquired::stale && me.now() < turns.last_ns + 30 * ms, "stale, at once");
  expect_tidy(me);
  me.nap(30 * ms);
}

// However many wake somebody at once: whoever was told something before a wake-up does not sleep past it.
constexpr std::uint32_t told_in = 9;  // the cell of a slot that nobody has
void looks_when_poked(Actor& me) {
  auto& table = me.model.table();
  auto& seq = table.wait_cell(me.seat().wait).seq;
  while (true) {
    const std::uint32_t seen = seq.load(std::memory_order_acquire);
    if (table.wait_cell(told_in).seq.load() == 3) return;
    const core::Watch<sim::SimPlatform> watch{&seq, seen};
    me.expect(table.platform().wait({&watch, 1}, core::second_ns) != core::WaitResult::timed_out, "a waiter sleeps past a wake-up");
  }
}
void pokes(Actor& me) {
  auto& table = me.model.table();
  table.wait_cell(told_in).seq.fetch_add(1);
  table.poke(0);
}

constexpr Scene scenes[] = {
    {"queue-pokes", {looks_when_poked, pokes, pokes, pokes}, true, 0, 8, true, 0, 2000},
    {"queue-sleeps", {sleeps, hold_on, nullptr, nullptr}},
    {"queue-served", {served_at_once, hold_until_2, nullptr, nullptr}},
    {"queue-cancelled", {cancelled_asleep, hold_on, nullptr, nullptr}},
    {"queue-broken", {breaks_then, hears_of_break, next_after_break, nullptr}},
    {"queue-one-bell", {first_sleeper, holds_two, second_sleeper, killer}},
    {"queue-line", {gives_up, hold_until_5, behind<1>, behind<2>}},
    {"queue-past", {no_way_past, hold_until_2, stays_away, nullptr}},
    {"queue-long", {holds_for_long, nullptr, waits_for_long<1>, waits_for_long<2>}},
    {"queue-dies", {sweeps, dies_in_line, served_by_sweep, nullptr}, true, 0, 8, false},
    {"queue-stale", {hears_it_is_stale<1>, holds_the_last, hears_it_is_stale<2>, nullptr}, true, LeaseWord::counter_retire - 1},
};

}  // namespace

std::span<const Scene> queue_scenes() { return scenes; }

}  // namespace tenure::mutants
