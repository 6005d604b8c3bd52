// Sessions: who gets which slot, what is written into it, and what a run's tree keeps.
#include <cstring>
#include <string>

#include "tests/mutants/answers.hpp"

namespace tenure::mutants {
namespace {

using core::Acquired;
using core::Grant;
using core::Past;
using core::SessionClaim;
using core::SessionFacts;
using core::SlotState;
using core::SlotWord;

constexpr std::uint64_t ms = core::millisecond_ns;
constexpr std::uint64_t a_tag = core::run_tag::bit + 77;
constexpr std::uint64_t inner_tag = core::run_tag::bit + 78;

SlotWord state_of(Actor& me, std::uint32_t slot) { return {me.model.table().slot(slot).state.ghost()}; }

template <class Words>
std::string text_of(const Words& words) {
  std::string text(words.size() * 8, '\0');
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint64_t word = words[i].ghost();
    std::memcpy(text.data() + i * 8, &word, 8);
  }
  return text;
}
std::string padded(std::string text, std::size_t bytes) {
  text.resize(bytes, '\0');
  return text;
}

void facts_are_written(Actor& me) {
  SessionFacts facts;
  facts.pid = 11;
  facts.uid = 12;
  facts.process_started = 13;
  facts.pid_namespace = 14;
  facts.is_run = true;
  facts.tag = a_tag;
  facts.outer_tag = inner_tag;
  const std::string command(200, 'c');
  facts.command = command;
  facts.label = "a label";
  const std::uint64_t from_ns = me.now();
  const SessionClaim claim = me.sessions().open(facts);
  me.expect(claim.code == SessionClaim::Code::claimed && claim.slot == 3 && claim.generation == 1 && claim.has_bell,
            "the lowest free slot");
  auto& slot = me.model.table().slot(3);
  me.expect(slot.pid.ghost() == 11 && slot.uid.ghost() == 12 && slot.process_started.ghost() == 13 && slot.pid_namespace.ghost() == 14,
            "who");
  me.expect(slot.tag.ghost() == a_tag && slot.outer_tag.ghost() == inner_tag, "the tags");
  me.expect(slot.since_ns.ghost() >= from_ns && slot.since_ns.ghost() <= me.now(), "since when");
  me.expect(text_of(slot.command) == command.substr(0, 112) && text_of(slot.label) == padded("a label", 64), "what it runs, cut to fit");
  me.expect(state_of(me, 3).state() == SlotState::run && me.model.table().header().slot_high_water.ghost() == 4, "and that it lives");
  me.expect(me.sessions().stands(3, 1) && !me.sessions().stands(3, 2), "in this generation");
  me.sessions().close(3);
  me.expect(!me.sessions().stands(3, 1) && state_of(me, 3).state() == SlotState::free && state_of(me, 3).generation() == 1, "and no more");
  facts.is_run = false;
  facts.command = "short one";
  facts.label = "16 bytes of text";
  const SessionClaim next = me.sessions().open(facts);
  me.expect(next.slot == 3 && next.generation == 2 && state_of(me, 3).state() == SlotState::live, "the next has another generation");
  me.expect(text_of(slot.command) == padded("short one", 112) && text_of(slot.label) == padded("16 bytes of text", 64),
            "and nothing of the one before");
  me.sessions().close(3);
}

void slots_run_out(Actor& me) {
  for (std::uint32_t slot = 3; slot < 5; ++slot) me.expect(me.sessions().open({}).slot == slot, "one slot after the other");
  me.expect(me.sessions().open({}).code == SessionClaim::Code::full, "until there is none");
  me.expect(me.sessions().sweep() == 0 && me.sessions().stands(4, 1), "the living are not swept");
  me.sessions().close(3);
  me.expect(me.sessions().open({}).slot == 3, "one that is given back is free");
  me.end(1);
  me.expect(!me.sessions().stands(1, 1), "the dead do not stand");
  const SessionClaim claim = me.sessions().open({});
  me.expect(claim.slot == 1 && claim.generation == 2, "nor keep their slot");
  me.end(2);
  me.expect(me.sessions().sweep() == 1 && state_of(me, 2).state() == SlotState::free, "a sweep gives it back, too");
  me.expect(me.sessions().open({}).slot == 2, "to the next");
  for (std::uint32_t slot = 1; slot < 5; ++slot) me.sessions().close(slot);
}

void byte_is_not_enough(Actor& me) {
  me.await(1);
  me.expect(me.sessions().open({}).slot == 3, "who has closed its descriptors lives while its bell is still");
  me.expect(me.sessions().sweep() == 0 && me.sessions().stands(1, 1), "and is not swept");
  me.sessions().close(3);
}
void drops_its_byte(Actor& me) {
  me.model.table().platform().free_byte(1);
  me.reach(1);
}

// A session that is closed leaves its slot to anybody, and its bell to nobody.
void closes(Actor& me) {
  const SessionClaim claim = me.sessions().open({});
  me.expect(claim.slot == 4, "the second process has a second session");
  Grant grant;
  me.expect(me.leases().try_acquire(me.handle(), Actor::first_hold(4), {}, grant) == Acquired::granted, "which holds the name");
  me.sessions().close(4);
  me.reach(1);
  me.await(1000);
}
void comes_after(Actor& me) {
  me.await(1);
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::granted && grant.past == Past::died, "what a session leaves is released as by a death");
  me.leases().release(grant);
  for (std::uint64_t generation = 2; generation <= 5; ++generation) {
    if (generation > 2) me.sessions().close(4);
    const SessionClaim claim = me.sessions().open({});
    me.expect(claim.slot == 4 && claim.generation == generation, "its slot is free for another process");
  }
  me.end(1);
  me.expect(me.sessions().stands(4, 5), "whose bell does not ring when the first one dies");
  me.end(2);
  me.expect(me.sessions().sweep() == 2 && me.sessions().stands(4, 5), "two are cleaned");
  me.sessions().close(4);
  me.reach(2);
  me.await(3);
}
void comes_last(Actor& me) {
  me.await(2);
  me.expect(me.sessions().open({}).slot == 1 && me.sessions().open({}).slot == 2, "their slots are free for anybody");
  me.sessions().close(1);
  me.sessions().close(2);
  me.reach(3);
}

// Two clean up after a third, and register; each has a slot of its own, and lives in it.
void cleans_up(Actor& me) {
  if (me.slot == 0) {
    me.world.send_kill(2);
    me.reach(1);
  }
  me.await(1);
  for (std::uint32_t i = me.world.choose(3); i != 0; --i) me.sessions().sweep();
  const SessionClaim claim = me.sessions().open({});
  me.expect(claim.code == SessionClaim::Code::claimed && me.sessions().stands(claim.slot, claim.generation), "registered");
  for (std::uint32_t i = me.world.choose(3); i != 0; --i) me.sessions().sweep();
  me.expect(me.sessions().stands(claim.slot, claim.generation), "and it stays so");
  me.nap(ms);
  me.expect(me.sessions().stands(claim.slot, claim.generation), "whatever the other does");
  me.sessions().close(claim.slot);
}

// The last slot is cleaned by one and wanted by another.
void gives_back(Actor& me) {
  me.await(1);
  me.world.send_kill(2);
  for (int i = 0; i < 20; ++i) me.sessions().sweep();
  me.await(2);
}
void wants_it(Actor& me) {
  for (std::uint32_t slot = 3; slot < 5; ++slot) me.expect(me.sessions().open({}).slot == slot, "all others are in use");
  me.reach(1);
  SessionClaim claim;
  while (claim.code != SessionClaim::Code::claimed) claim = me.sessions().open({});
  me.expect(claim.slot == 2 && me.sessions().stands(2, claim.generation), "the slot of the dead");
  me.nap(ms);
  me.expect(me.sessions().stands(2, claim.generation), "is the new one's, whoever has cleaned it");
  for (std::uint32_t slot = 2; slot < 5; ++slot) me.sessions().close(slot);
  me.reach(2);
}

// ---- runs ---------------------------------------------------------------------------------------------------------------------------

SessionFacts run_facts(std::uint64_t tag, std::uint64_t outer_tag = 0) {
  SessionFacts facts;
  facts.is_run = true;
  facts.tag = tag;
  facts.outer_tag = outer_tag;
  return facts;
}

// The second process makes a run with the name, and a command that works until the third beat.
template <bool tagged, bool keeps_byte>
void runs_a_command(Actor& me, core::Terms terms) {
  const SessionClaim claim = me.sessions().open(run_facts(tagged ? a_tag : 0));
  Grant grant;
  const core::Seat seat{Actor::first_hold(claim.slot), claim.slot * core::waits_per_session};
  me.expect(me.leases().acquire(me.handle(), seat, terms, {}, grant) == Acquired::granted, "the run holds it");
  const sim::ProcessId child = me.world.spawn_child();
  me.world.spawn(child, [self = &me] {
    Actor other = *self;
    if (tagged) other.world.set_tag(a_tag);
    if (!keeps_byte) other.world.close_inherited_bytes();
    other.reach(1);
    other.await(3);
  });
  me.await(1000);
}
void tagged_run(Actor& me) { runs_a_command<true, false>(me, {}); }
void untagged_run(Actor& me) { runs_a_command<false, true>(me, {}); }
void leased_run(Actor& me) { runs_a_command<true, true>(me, {10 * ms}); }
void long_leased_run(Actor& me) { runs_a_command<true, true>(me, {60 * ms}); }

struct Blocked {
  std::uint32_t turns = 0;
  std::uint32_t slot = 99;
};
sim::Patience patience_of(Blocked& blocked) {
  sim::Patience patience;
  patience.context = &blocked;
  patience.blocked = [](void* context, std::uint32_t slot) {
    auto* self = static_cast<Blocked*>(context);
    ++self->turns;
    self->slot = slot;
  };
  return patience;
}

template <bool tagged>
void waits_for_tree(Actor& me) {
  me.await(1);
  me.end(1);
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::busy, "the name of a dead run whose tree lives is busy");
  me.expect(me.sessions().sweep() == (tagged ? 1u : 0u), "no slot is swept whose byte or tag somebody has");
  me.reach(2);
  Blocked blocked;
  const std::uint64_t from_ns = me.now();
  me.expect(me.leases().acquire(me.handle(), me.seat(), {}, patience_of(blocked), grant) == Acquired::granted, "it is granted");
  me.expect(me.now() > from_ns + 50 * ms && me.now() < from_ns + 58 * ms && grant.past == Past::died, "when the tree is gone");
  me.expect(blocked.turns > 8 && blocked.slot == 3, "and whoever waits is told which run it is");
  me.leases().release(grant);
  me.expect(me.sessions().sweep() == (tagged ? 1u : 2u), "then they are");
}
// Where the kernel watches over no bell, the bytes alone tell.
void run_without_bell(Actor& me) {
  me.await(1);
  me.expect(state_of(me, 3).state() == SlotState::run_without_bell && me.sessions().stands(3, 1), "a run without a bell");
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::busy, "holds");
  me.end(1);
  me.expect(me.try_it(grant) == Acquired::busy, "while its tree lives");
  me.reach(3);
  me.nap(ms);
  me.expect(me.try_it(grant) == Acquired::granted && grant.past == Past::died, "and no longer");
  me.leases().release(grant);
}
void ends_the_tree(Actor& me) {
  me.await(2);
  me.nap(50 * ms);
  me.reach(3);
}

void overdue(Actor& me) {
  me.await(1);
  Grant grant;
  me.nap(15 * ms);
  me.expect(me.try_it(grant) == Acquired::busy, "a run past its deadline, whose tree lives, is waited for");
  const std::uint64_t from_ns = me.now();
  Blocked blocked;
  me.expect(me.leases().acquire(me.handle(), me.seat(), {}, patience_of(blocked), grant) == Acquired::granted, "but not for ever");
  me.expect(grant.past == Past::overdue && me.model.table().slot(3).notice.ghost() == 1, "and it is said");
  me.expect(me.now() > from_ns + 38 * ms && me.now() < from_ns + 48 * ms && blocked.turns > 6, "after the time of grace");
  me.expect(me.model.table().wait_key(me.seat().wait).ghost() == 0, "and leaves the queue");
  me.leases().release(grant);
  me.reach(3);
}

// Who has waited long before the deadline waits no less after it.
void overdue_long(Actor& me) {
  me.await(1);
  const std::uint64_t deadline_ns = me.model.table().hold(me.model.word(me.handle().lease).hold()).deadline.ghost();
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted && grant.past == Past::overdue, "entered beside the tree");
  me.expect(me.now() > deadline_ns + 38 * ms && me.now() < deadline_ns + 48 * ms, "after the deadline and the time of grace");
  me.leases().release(grant);
  me.reach(3);
}

// The word moves just when somebody enters beside the tree, every time for a while: he enters later.
void overdue_and_moving(Actor& me) {
  me.await(1);
  me.nap(15 * ms);
  struct Mover {
    Actor* actor;
    std::uint64_t until_ns;
  } mover{&me, me.now() + 58 * ms};
  sim::Patience patience;
  patience.context = &mover;
  patience.blocked = [](void* context, std::uint32_t) {
    auto* self = static_cast<Mover*>(context);
    if (self->actor->now() >= self->until_ns) return;
    auto& word = self->actor->model.table().word(self->actor->handle().lease);
    const core::LeaseWord seen{word.ghost()};
    const std::uint64_t whole = (seen.bits & ~std::uint64_t{0xF}) | static_cast<std::uint64_t>(core::Mode::exclusive);
    word.store(seen.mode() == core::Mode::broken ? whole : seen.broken().bits);
  };
  Grant grant;
  me.expect(me.leases().acquire(me.handle(), me.seat(), {}, patience, grant) == Acquired::granted, "granted in the end");
  me.expect(grant.past == Past::overdue && me.model.word(me.handle().lease).same_grant(grant.word), "and it is so");
  me.expect(me.now() >= mover.until_ns && me.now() < mover.until_ns + 10 * ms, "not before the word stood still");
  me.leases().release(grant);
  me.reach(3);
}

void broken_run(Actor& me) {
  me.await(1);
  const core::LeaseWord seen = me.model.word(me.handle().lease);
  me.expect(me.leases().break_grant(me.handle().lease, seen), "a run is broken");
  me.expect(me.model.word(me.handle().lease).mode() == core::Mode::broken, "but keeps the word");
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::busy, "and nobody enters");
  me.end(1);
  me.expect(me.try_it(grant) == Acquired::busy, "nor while its tree lives");
  me.reach(3);
  me.nap(ms);
  me.expect(me.try_it(grant) == Acquired::granted && grant.past == Past::died, "until that is gone");
  me.leases().release(grant);
}

// A run inside the tree of another: the outer name is not free while only the inner tag is carried, however deep.
void inner_runs(Actor& me) {
  constexpr std::uint32_t depth = 2;
  me.expect(me.sessions().open(run_facts(a_tag)).slot == 3, "an outer run");
  for (std::uint32_t i = 0; i < depth - 1; ++i)
    me.expect(me.sessions().open(run_facts(a_tag + 1 + i, a_tag + i)).slot == 4 + i, "and an inner one");
  me.expect(!me.leases().tag_lives(3), "no process carries a tag");
  me.world.set_tag(a_tag + 1);
  me.expect(me.leases().tag_lives(3) && me.leases().tag_lives(4), "the inner tag shows that the outer tree lives");
  me.world.set_tag(a_tag);
  me.expect(me.leases().tag_lives(3) && !me.leases().tag_lives(4), "but not the other way round");
  me.expect(me.leases().has_sound_tag(3), "a tag is sound");
  me.expect(!me.leases().holds_any(3), "and holds nothing");
  auto& key = me.model.table().hold(4 * core::holds_per_session - 1).key;
  key.store(core::HoldKey::of(0, core::HoldKind::user).bits);
  me.expect(me.leases().holds_any(3) && !me.leases().holds_any(2) && !me.leases().holds_any(4), "until a record says so");
  key.store(core::HoldKey::of(0, core::HoldKind::internal).bits);
  me.expect(!me.leases().holds_any(3), "but for the table's own work");
  key.store(0);
  auto& next = me.model.table().hold(4 * core::holds_per_session).key;
  next.store(core::HoldKey::of(0, core::HoldKind::user).bits);
  me.expect(!me.leases().holds_any(3) && me.leases().holds_any(4), "the record behind the last is another's");
  next.store(0);
  me.model.table().slot(4).outer_tag.store(a_tag + 1);  // a ring
  me.model.table().slot(3).outer_tag.store(a_tag + 1);
  me.model.table().slot(4).outer_tag.store(a_tag);
  me.world.set_tag(0);
  me.expect(!me.leases().tag_lives(3) && !me.leases().tag_lives(4), "a ring of tags ends");
  me.sessions().close(3);
  me.sessions().close(4);
}

constexpr Scene scenes[] = {
    {"answers-last-slot", {gives_back, wants_it, nullptr, nullptr}, true, 0, 8, true, 0, 2000},
    {"answers-clean-up", {cleans_up, cleans_up, nullptr, nullptr}, true, 0, 8, true, 0, 3000},
    {"answers-close", {comes_after, closes, nullptr, comes_last}},
    {"answers-facts", {facts_are_written, nullptr, nullptr, nullptr}},
    {"answers-slots", {slots_run_out, nullptr, nullptr, nullptr}, false},
    {"answers-byte", {byte_is_not_enough, drops_its_byte, nullptr, nullptr}},
    {"answers-tagged-run", {waits_for_tree<true>, tagged_run, ends_the_tree, nullptr}},
    {"answers-untagged-run", {waits_for_tree<false>, untagged_run, ends_the_tree, nullptr}},
    {"answers-overdue", {overdue, leased_run, nullptr, nullptr}},
    {"answers-overdue-moving", {overdue_and_moving, leased_run, nullptr, nullptr}},
    {"answers-overdue-long", {overdue_long, long_leased_run, nullptr, nullptr}},
    {"answers-broken-run", {broken_run, untagged_run, nullptr, nullptr}},
    {"answers-run-no-bell", {run_without_bell, untagged_run, nullptr, nullptr}, true, 0, 8, false},
    {"answers-inner-runs", {inner_runs, nullptr, nullptr, nullptr}},
};

}  // namespace

std::span<const Scene> session_scenes() { return scenes; }

}  // namespace tenure::mutants
