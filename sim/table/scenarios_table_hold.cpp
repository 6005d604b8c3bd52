// While a lease is held: what its holder does and says, and who takes it away.
#include <algorithm>
#include <bit>

#include "sim/table/scenarios_table.hpp"

namespace tenure::sim {

using core::LeaseWord;
using core::Terms;

void ContentionScenario::note_grant(World& world, Name& name, const core::Grant& grant) {
  if (grant.past == core::Past::died) world.sometimes("told that the last holder died");
  if (grant.past == core::Past::expired) world.sometimes("stolen after its deadline");
  if (!shape_.judges.oracle) return world.note("granted", grant.token);
  if (name.holder_died && grant.past == core::Past::released) world.fail("news", "the death of the last holder was not told");
  name.holder_died = false;
  name.oracle.granted(world, grant.token, grant.deadline_ns);
  world.note("granted", grant.token);
}

void ContentionScenario::hold(World& world, Name& name, core::Grant& grant, Terms terms) {
  // A lease with a deadline may be past it, and somebody else's, before its holder hears that it was granted.
  const bool known = world.true_now() < grant.deadline_ns && grant.word.counter() > name.broken_up_to;
  if (!known) {
    world.sometimes("lost before it was known");
    name.holder_died = false;  // this one was told
    if (judges()) name.judge.granted(world, grant, false, false);
    release(world, name, grant, false);
    return;
  }
  note_grant(world, name, grant);
  if (judges()) {
    for (std::uint32_t left = name.judge.standing(); left != 0; left &= left - 1) {
      const auto thread = static_cast<ThreadId>(std::countr_zero(left));
      if (!key_of(world, thread).bound()) name.judge.leaves(thread);
    }
    name.judge.granted(world, grant, true, kills_ == 0);
    name.judge.write(world, grant);
  }
  if (world.has_stale_reads() && grant.deadline_ns == core::deadline::strict && !shape_.breaks) use(world, name);
  const std::uint32_t hold_steps = shape_.plain || shape_.script != nullptr ? shape_.hold_steps : world.size(shape_.hold_steps);
  for (std::uint32_t i = 0; i < hold_steps; ++i) never_.load();
  if (shape_.hold_sleep_ns != 0 && (shape_.script != nullptr || world.choose(2) != 0)) sleep(world, shape_.hold_sleep_ns);
  const bool renews = shape_.renewals != 0 && grant.deadline_ns != core::deadline::strict;
  for (std::uint32_t left = renews ? world.size(shape_.renewals) : 0; left != 0; --left) renew(world, name, grant, terms);
  check_belief(world, name, grant);
  if (judges()) name.judge.write(world, grant);
  let_go(world, name, grant);
}

// Who holds it sees all that those before it have done.
void ContentionScenario::use(World& world, const Name& name) {
  auto& data = data_[static_cast<std::size_t>(&name - name_.data())];
  const std::uint32_t seen = data.load(std::memory_order_relaxed);
  if (seen != data.ghost()) world.fail("stale", "a holder does not see what the holder before it has stored");
  data.store(seen + 1, std::memory_order_relaxed);
}

void ContentionScenario::renew(World& world, Name& name, core::Grant& grant, Terms terms) {
  if (judges()) name.judge.invoke(world, Call::renew, terms.ttl_ns);
  const bool renewed = model_.leases().renew(grant, terms.ttl_ns);
  if (judges() && renewed) name.judge.renewed(world, grant.deadline_ns);
  if (judges() && !renewed) name.judge.not_renewed(world);
  world.sometimes(renewed ? "renewed" : "renewal refused");
  if (!renewed) return;
  if (shape_.judges.oracle && !name.oracle.held_by(world.this_thread()) && world.true_now() < grant.deadline_ns && !shape_.breaks) {
    world.fail("exclusion", "renewed a lease that somebody else holds");
  }
  name.oracle.renewed(world, grant.deadline_ns);
  for (std::uint32_t step = world.choose(8); step != 0; --step) never_.load();
}

void ContentionScenario::check_belief(World& world, Name& name, const core::Grant& grant) {
  if (!coin(world)) return;
  const bool held = model_.leases().still_held(grant);
  const bool certain = grant.deadline_ns == core::deadline::strict || world.true_now() < grant.deadline_ns;
  if (judges() && held && grant.word.counter() > name.broken_up_to) name.judge.believes(world, grant.deadline_ns);
  if (shape_.breaks || !shape_.judges.oracle) return;  // it may be broken while we look
  if (held && certain && !name.oracle.held_by(world.this_thread())) world.fail("exclusion", "believes in a lease that was lost");
  if (!held && certain) world.fail("exclusion", "a lease was lost before its time");
}

void ContentionScenario::let_go(World& world, Name& name, const core::Grant& grant) {
  name.oracle.released(world);
  const bool certain = grant.deadline_ns == core::deadline::strict && !shape_.breaks && shape_.judges.oracle;
  const bool held = release(world, name, grant, coin(world));
  if (certain && !held) world.fail("exclusion", "a strict lease was lost");
  world.sometimes(held ? "released" : "release found it lost");
}

bool ContentionScenario::release(World& world, Name& name, const core::Grant& grant, bool quick) {
  if (judges()) name.judge.releases(world);
  const bool held = (quick && model_.leases().release_fast(grant.lease, grant.hold, grant.word)) || model_.leases().release(grant);
  if (judges()) name.judge.respond(world, held ? Response::ok : Response::not_held);
  return held;
}

void ContentionScenario::break_grants(World& world) {
  for (int i = 0; i < 4; ++i) {
    for (std::uint32_t step = world.choose(32); step != 0; --step) never_.load();
    break_grant(world, name_[shape_.leases == 1 ? 0 : world.choose(shape_.leases)]);
  }
}

// The oracle lets go before the break: between it and the holder's own look the holder believes, and no one can help it.
void ContentionScenario::break_grant(World& world, Name& name) {
  const std::uint32_t lease = name.handle.lease;
  const LeaseWord seen{model_.table().word(lease).load(std::memory_order_acquire)};
  if (!seen.has_owner()) return;
  name.broken_up_to = std::max(name.broken_up_to, seen.counter());
  const bool stands = model_.word(lease).same_grant(seen);
  if (stands) name.oracle.broken();
  if (judges()) name.judge.breaks(world, name.handle.base + seen.counter(), stands);
  const bool broken = model_.leases().break_grant(lease, seen);
  if (judges()) name.judge.respond(world, broken ? Response::ok : Response::not_held);
  if (broken) world.sometimes("broken");
}

}  // namespace tenure::sim
