// Several at once, in any order: nobody leaves a record behind, nobody waits for a tick, and what a watcher looks at between any two steps
// is right.
#include <string>

#include "tests/mutants/answers.hpp"

namespace tenure::mutants {
namespace {

using core::Acquired;
using core::EntryState;
using core::Grant;
using core::HoldKind;
using core::LeaseWord;
using core::NameWords;
using core::Past;
using core::Resolved;
using Removed = sim::Names::Removed;

constexpr std::uint64_t ms = core::millisecond_ns;
constexpr std::uint32_t entries = sim::TableModel::entries;
constexpr sim::Memory tso = sim::Memory::total_store_order;

void holds_orders(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "held");
  me.reach(1);
  me.await(1000);
}

// A free lease that somebody waits for: its name stays, and so does the news.
void is_awaited(Actor& me) {
  me.await(2);
  me.nap(5 * ms);
  me.end(1);
  me.expect(me.names().remove(NameWords("orders"), me.desk(), {}) == Removed::in_use && is_there(me, "orders"), "in use");
  me.reach(3);
  me.nap(20 * ms);
}
void is_told(Actor& me) {
  me.await(1);
  sim::Patience patience;
  patience.context = &me;
  patience.queued = [](void* context, std::uint32_t) {
    auto* self = static_cast<Actor*>(context);
    self->reach(2);
    self->await(3);
  };
  Grant grant;
  me.expect(me.leases().acquire(me.handle(), me.seat(), {}, patience, grant) == Acquired::granted, "served");
  me.expect(grant.past == core::Past::died, "and told of the death");
  me.leases().release(grant);
}
void is_let_go(Actor& me) {
  me.await(2);
  me.nap(10 * ms);
  me.expect(me.names().remove(NameWords("orders"), me.desk(), {}) == Removed::in_use, "in use");
  me.expect(me.model.word(me.handle().lease).mode() == core::Mode::free, "and no death is told that was none");
  me.reach(3);
  me.nap(20 * ms);
}
void lets_go(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "held");
  me.reach(1);
  me.await(2);
  me.leases().release(grant);
}
void is_told_nothing(Actor& me) {
  me.await(1);
  sim::Patience patience;
  patience.context = &me;
  patience.queued = [](void* context, std::uint32_t) {
    auto* self = static_cast<Actor*>(context);
    self->reach(2);
    self->await(3);
  };
  Grant grant;
  me.expect(me.leases().acquire(me.handle(), me.seat(), {}, patience, grant) == Acquired::granted, "served");
  me.expect(grant.past == core::Past::released, "nobody died");
  me.leases().release(grant);
}

// What the table does for itself is never news: whoever dies in it leaves records that say so.
void watches_the_work(Actor& me) {
  me.await(1);
  for (std::uint32_t i = 0; i < 3000; ++i) {
    for (std::uint32_t hold = 9; hold <= 10; ++hold) {
      const core::HoldKey key{me.model.table().hold(hold).key.ghost()};
      me.expect(!key.bound() || key.kind() == HoldKind::internal, "the table's own work");
    }
    me.model.table().platform().boottime_ns();  // a step
  }
}
void works(Actor& me) {
  me.reach(1);
  for (int i = 0; i < 3; ++i) {
    me.resolve("mail");
    me.expect(me.names().remove(NameWords("mail"), me.desk(), {}) == Removed::removed, "removed");
  }
}

// At no step is an entry out of service before the floor is above its tokens.
void watches_the_floor(Actor& me) {
  me.await(1);
  for (std::uint32_t i = 0; i < 1500; ++i) {
    for (std::uint32_t number = 0; number < entries; ++number) {
      if (state_of_entry(me, number) != EntryState::spent) continue;
      auto& entry = me.model.table().entry(number);
      const std::uint64_t last = entry.base.ghost() + core::LeaseWord{entry.word.ghost()}.counter();
      me.expect(me.model.table().group(0).floor.ghost() >= last, "no token of a name that left is above the floor");
    }
    me.model.table().platform().boottime_ns();  // a step
  }
}
void uses_it_up(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted && me.leases().release(grant), "the last grant");
  me.reach(1);
  use(me, me.resolve("orders"));
}

// One removes a name that two others use: it goes when nobody wants it, or not at all.
void removes_again(Actor& me) {
  for (int i = 0; i < 5; ++i) {
    const Removed removed = me.names().remove(NameWords("orders"), me.desk(), {});
    me.expect(removed == Removed::removed || removed == Removed::absent || removed == Removed::in_use, "an answer");
    if (removed == Removed::in_use) me.expect(is_there(me, "orders"), "what is in use stays");
  }
}
void uses_again(Actor& me) {
  sim::Handle handle = me.handle();
  for (int i = 0; i < 3; ++i) {
    Grant grant;
    const std::uint64_t from_ns = me.now();
    while (me.leases().acquire(handle, me.seat(), {}, {}, grant) == Acquired::stale) handle = me.resolve("orders");
    me.expect(me.now() < from_ns + 50 * ms && grant.past == core::Past::released, "served, not by a tick, and told of no death");
    me.expect(me.leases().still_held(grant) && me.leases().release(grant), "held");
  }
}

// The group's lease comes free, and what it guards is garbage by then.
void late_damage(Actor& me) {
  me.await(1);
  sim::Patience patience;
  patience.context = &me;
  patience.queued = [](void* context, std::uint32_t) {
    auto* self = static_cast<Actor*>(context);
    self->model.table().entry(self->handle().lease).header.store(0);
    self->reach(2);
  };
  sim::Handle handle;
  bool weak = false;
  me.expect(me.names().resolve(NameWords("orders"), me.desk(), patience, handle, weak) == Resolved::found, "still there");
  sim::Handle other;
  for (const std::string_view name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    if (core::probe_start(NameWords(name).hash) % entries != me.handle().lease) continue;
    me.expect(me.names().resolve(NameWords(name), me.desk(), patience, other, weak) == Resolved::damaged, "and damaged then");
    me.reach(3);
    return;
  }
  me.expect(false, "one of the names begins at the same entry");
}
void holds_group_until_2(Actor& me) {
  Grant grant;
  me.expect(me.leases().try_acquire(me.leases().group_handle(0), me.seat().hold, {0, HoldKind::internal}, grant) == Acquired::granted,
            "the group");
  me.reach(1);
  me.await(2);
  me.leases().release(grant);
}

// Who reads a name while it comes and goes reads all of it, or none.
void reads(Actor& me) {
  me.await(1);
  for (std::uint32_t i = 0; i < 200; ++i) {
    const std::string text = name_in(me, i % entries);
    if (text.empty() || text == "orders") continue;
    me.expect(text == std::string(text.size(), text[0]) && text.size() == (text[0] == 'a' ? 40u : 100u),
              "one name, and no other's letters");
  }
}
void come_and_go_on(Actor& me) {
  me.reach(1);
  for (int i = 0; i < 3; ++i) {
    for (const std::string& name : {std::string(40, 'a'), std::string(100, 'b'), std::string(100, 'c')}) {
      me.resolve(name);
      me.expect(me.names().remove(NameWords(name), me.desk(), {}) == Removed::removed, "goes");
    }
  }
}

// ---- any order ----------------------------------------------------------------------------------------------------------------------

// Whatever they do to each other, nobody leaves a record behind.
void any_order(Actor& me) {
  for (int i = 0; i < 4; ++i) {
    Grant grant;
    const std::uint32_t way = me.world.choose(3);
    Acquired result = Acquired::busy;
    if (way == 0) result = me.acquire(grant, {}, me.world.choose(2) == 0 ? 20'000 : 0);
    if (way == 1) result = me.try_it(grant);
    if (way == 2) {
      const LeaseWord mine = me.leases().acquire_fast(me.handle(), me.seat().hold, core::deadline::strict);
      if (mine.has_owner()) me.expect(me.leases().release_fast(me.handle().lease, me.seat().hold, mine) || true, "");
      if (mine.has_owner() && me.model.lease_held_by(me.seat().hold) != core::no_index) {
        result = Acquired::granted;
        grant = {me.handle().lease, me.seat().hold, mine, 0, core::deadline::strict, Past::released};
      }
    }
    if (result == Acquired::granted) me.expect(me.leases().release(grant), "what is granted can be released");
    me.expect(result == Acquired::granted || result == Acquired::busy || result == Acquired::timed_out, "no other answer");
    expect_tidy(me);
  }
}

// Nobody dies, nobody stops: then nobody waits for a tick, whatever the others do.
template <bool broken>
void brisk(Actor& me) {
  for (int i = 0; i < 3; ++i) {
    Grant grant;
    const std::uint64_t from_ns = me.now();
    const bool patient = me.world.choose(3) != 0;
    const Acquired result = me.acquire(grant, {}, patient ? 0 : (1 + me.world.choose(40)) * 2'000);
    me.expect(me.now() < from_ns + 50 * ms, "served, and not by a tick");
    me.expect(result == Acquired::granted || (!patient && result == Acquired::timed_out), "served, or out of patience");
    for (std::uint32_t step = me.world.choose(12); step != 0 && result == Acquired::granted; --step)
      me.model.table().platform().boottime_ns();
    const bool quick = result == Acquired::granted && me.world.choose(2) != 0;
    if (quick && me.leases().release_fast(grant.lease, grant.hold, grant.word)) continue;
    if (result == Acquired::granted) me.expect(me.leases().release(grant) || broken, "released");
    expect_tidy(me);
  }
}
void tries_and_breaks(Actor& me) {
  for (int i = 0; i < 6; ++i) {
    Grant grant;
    for (std::uint32_t step = me.world.choose(16); step != 0; --step) me.model.table().platform().boottime_ns();
    if (me.world.choose(3) == 0) {
      if (me.try_it(grant) == Acquired::granted) me.leases().release(grant);
      continue;
    }
    const LeaseWord seen{me.model.table().word(me.handle().lease).load(std::memory_order_acquire)};
    if (!seen.has_owner() || !me.leases().break_grant(me.handle().lease, seen)) continue;
    me.expect(!me.model.word(me.handle().lease).same_grant(seen), "what is broken is broken");
  }
}
void tries(Actor& me) {
  for (int i = 0; i < 6; ++i) {
    Grant grant;
    if (me.try_it(grant) == Acquired::granted) me.expect(me.leases().release(grant), "released");
    expect_tidy(me);
  }
}

// A holder renews at the last moment, while others wait for that moment to pass: what is renewed is its own until the new deadline.
void renews_late(Actor& me) {
  constexpr std::uint64_t ttl_ns = 60'000;
  for (int i = 0; i < 3; ++i) {
    Grant grant;
    if (me.try_it(grant, {ttl_ns}) != Acquired::granted) continue;
    bool held = true;
    for (int renewals = 0; renewals < 4 && held; ++renewals) {
      const std::uint64_t until_ns = grant.deadline_ns - me.world.choose(8) * 1'000;
      while (me.now() < until_ns) {
        const bool stands = me.model.word(grant.lease).same_grant(grant.word);
        me.expect(stands || me.now() >= grant.deadline_ns, "until its deadline it is nobody else's");
        me.model.table().platform().boottime_ns();
      }
      held = me.leases().renew(grant, ttl_ns);
    }
    me.leases().release(grant);
  }
}

// A handle of a name that is gone takes the word for a moment and gives it back; those who use the entry now notice nothing.
void grasps_at_nothing(Actor& me) {
  sim::Handle stale = me.handle();
  stale.expected_header -= 1;
  for (int i = 0; i < 6; ++i) {
    Grant grant;
    const Acquired result = me.leases().try_acquire(stale, me.seat().hold, {}, grant);
    me.expect(result == Acquired::stale || result == Acquired::busy, "no grant to a stale handle");
    if (i % 2 == 0) {
      me.expect(!me.leases().acquire_fast(stale, me.seat().hold, core::deadline::strict).has_owner(), "on no path");
    }
    expect_tidy(me);
  }
  me.nap(ms);
}
void notices_nothing(Actor& me) {
  for (int i = 0; i < 3; ++i) {
    Grant grant;
    const std::uint64_t from_ns = me.now();
    me.expect(me.acquire(grant) == Acquired::granted && me.now() < from_ns + 50 * ms, "served, and not by a tick");
    me.expect(grant.past == Past::released, "nobody died");
    me.expect(me.leases().still_held(grant) && me.leases().release(grant), "held");
    expect_tidy(me);
  }
}

constexpr Scene scenes[] = {
    {"names-brisk", {removes_again, uses_again, uses_again, nullptr}, true, 0, 8, true, 0, 5000},
    {"names-floor", {watches_the_floor, uses_it_up, nullptr, nullptr}, true, core::LeaseWord::counter_retire - 1, 8, true, 0, 200},
    {"names-read", {reads, come_and_go_on, nullptr, nullptr}, true, 0, 8, true, 0, 500},
    {"names-awaited", {is_awaited, holds_orders, is_told, nullptr}},
    {"names-let-go", {is_let_go, lets_go, is_told_nothing, nullptr}},
    {"names-work", {watches_the_work, works, nullptr, nullptr}},
    {"names-late-damage", {late_damage, holds_group_until_2, nullptr, nullptr}, false},
    {"queue-brisk", {brisk<false>, brisk<false>, brisk<false>, nullptr}, true, 0, 8, true, 0, 5000},
    {"queue-brisk-tso", {brisk<false>, brisk<false>, brisk<false>, tries}, true, 0, 8, true, 0, 5000, tso},
    {"queue-brisk-broken", {brisk<true>, brisk<true>, brisk<true>, tries_and_breaks}, true, 0, 8, true, 0, 5000, tso},
    {"queue-renews", {renews_late, renews_late, renews_late, nullptr}, true, 0, 8, true, 0, 2000},
    {"queue-stale-handle", {notices_nothing, grasps_at_nothing, notices_nothing, nullptr}, true, 0, 8, true, 0, 3000},
    {"queue-any-order", {any_order, any_order, any_order, nullptr}, true, 0, 8, true, 0, 2000},
};

}  // namespace

std::span<const Scene> traffic_scenes() { return scenes; }

}  // namespace tenure::mutants
