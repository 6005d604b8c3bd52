// What no table can say of itself: each contradiction is an answer, never a grant.
#include "tests/mutants/answers.hpp"

namespace tenure::mutants {
namespace {

using core::Acquired;
using core::Grant;
using core::HoldKey;
using core::HoldKind;
using core::LeaseWord;
using core::Mode;
using core::NameWords;
using core::Resolved;
using core::SlotState;
using core::SlotWord;

constexpr std::uint64_t ms = core::millisecond_ns;

void hold_strict(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "the second holds it");
  me.reach(1);
  me.await(1000);
}

void expect_damaged(Actor& me, const char* what) {
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::damaged && me.acquire(grant, {}, 300 * ms) == Acquired::damaged, what);
  me.expect(me.model.table().wait_key(me.seat().wait).ghost() == 0, "and nobody stays in the queue");
}

// With `word` at each of `values`, and back.
void each(Actor& me, sim::Atomic<std::uint64_t>& word, std::initializer_list<std::uint64_t> values, const char* what) {
  const std::uint64_t before = word.ghost();
  for (const std::uint64_t value : values) {
    word.store(value);
    expect_damaged(me, what);
    word.store(before);
  }
}

void words(Actor& me) {
  me.await(1);
  auto& word = me.model.table().word(me.handle().lease);
  const LeaseWord held{word.ghost()};
  const std::uint64_t owner = std::uint64_t{LeaseWord::owner_max} << 5;
  const std::uint64_t holds = me.model.table().geometry().holds;
  each(me, word, {held.bits & ~owner, held.broken().bits & ~owner}, "held by nobody");
  each(me, word, {(held.bits & ~owner) | (holds + 1) << 5, held.bits | owner}, "held by a record that is not there");
  each(me, word, {(held.bits & ~std::uint64_t{0xF}), (held.bits & ~std::uint64_t{0xF}) | static_cast<std::uint64_t>(Mode::abandoned)},
       "free, and held");
  for (const Mode mode : {Mode::shared, Mode::pending, Mode::gate, Mode::quarantined}) {
    each(me, word, {held.freed(mode).bits, (held.bits & ~std::uint64_t{0xF}) | static_cast<std::uint64_t>(mode)}, "a mode of no use");
  }
}

void records(Actor& me) {
  me.await(1);
  const std::uint32_t lease = me.handle().lease;
  const std::uint32_t owner = me.model.word(lease).hold();
  each(me, me.model.table().hold(owner).key, {0, HoldKey::of(lease + 1, HoldKind::user).bits}, "a record that names another lease");
  each(me, me.model.table().slot(1).state, {0, 99, SlotWord::of(1, SlotState::free).bits, SlotWord::of(1, SlotState{6}).bits},
       "held by a session that is none");
  each(me, me.model.table().hold(owner).deadline, {core::deadline::unset}, "no deadline at all");
  Grant grant;
  me.expect(me.try_it(grant) == Acquired::busy, "what is put right is busy again");
}

void runs(Actor& me) {
  me.await(1);
  me.model.table().slot(1).state.store(SlotWord::of(1, SlotState::run).bits);
  each(me, me.model.table().slot(1).tag, {1, core::run_tag::bit << 1}, "a run with a tag that is none");
  me.model.table().slot(1).tag.store(5);
  me.expect(!me.leases().has_sound_tag(1), "the tag is not sound");
  me.expect(me.sessions().open({}).code == core::SessionClaim::Code::damaged, "and no session is opened past it");
  me.model.table().slot(1).tag.store(0);
  me.expect(me.leases().has_sound_tag(1), "no tag is sound");
}

void own_session(Actor& me) {
  me.await(1);
  Grant grant;
  auto& state = me.model.table().slot(0).state;
  const std::uint64_t before = state.ghost();
  for (const std::uint64_t other : {SlotWord::of(1, SlotState::free).bits, std::uint64_t{0}}) {
    state.store(other);
    const Acquired right = other == 0 ? Acquired::damaged : Acquired::session_lost;
    me.expect(me.acquire(grant, {}, 300 * ms) == right, "a session that is no more");
    state.store(before);
  }
  auto& bell = me.model.table().slot(0).bells[1];
  const std::uint32_t still = bell.ghost();
  bell.store(still | core::bell::owner_died);
  me.expect(me.acquire(grant, {}, 300 * ms) == Acquired::session_lost, "or that was declared dead");
  bell.store(still);
  auto& mark = me.model.table().header().slot_high_water;
  const std::uint32_t slots = mark.ghost();
  mark.store(0);
  me.expect(me.acquire(grant, {}, 300 * ms) == Acquired::damaged, "a header that hides all slots");
  mark.store(slots);
  state.store(0);
  me.expect(me.sessions().open({}).code == core::SessionClaim::Code::damaged && !me.sessions().stands(0, 0), "a slot that is none");
  state.store(before);
}

// Its key vanishes while it waits.
void own_key(Actor& me) {
  me.await(1);
  sim::Patience patience;
  patience.until_ns = me.now() + 900 * ms;
  patience.context = &me;
  patience.queued = [](void* context, std::uint32_t) {
    auto* self = static_cast<Actor*>(context);
    self->model.table().wait_key(self->seat().wait).store(0);
  };
  Grant grant;
  me.expect(me.leases().acquire(me.handle(), me.seat(), {}, patience, grant) == Acquired::damaged, "a waiter whose key is gone");
}

void headers(Actor& me) {
  bool weak = false;
  sim::Handle handle;
  auto& header = me.model.table().entry(me.handle().lease).header;
  const std::uint64_t before = header.ghost();
  for (const std::uint64_t garbage : {std::uint64_t{0}, std::uint64_t{0x0002'0000'0000}}) {
    header.store(garbage);
    const NameWords name("orders");
    me.expect(me.names().look_up(name, handle) == Resolved::damaged, "a header that is none");
    me.expect(me.names().resolve(name, me.desk(), {}, handle, weak) == Resolved::damaged, "on every path");
    me.expect(me.names().remove(name, me.desk(), {}) == sim::Names::Removed::damaged, "by every path");
    char text[core::name_bytes_max];
    me.expect(me.names().read_name(me.handle().lease, text) == 0, "has no name");
  }
  header.store(before);
  auto& guard = me.model.table().group(0).guard;
  guard.store(0);
  me.expect(me.names().resolve(NameWords("new"), me.desk(), {}, handle, weak) == Resolved::damaged, "a group whose guard is gone");
  me.expect(me.names().remove(NameWords("new"), me.desk(), {}) == sim::Names::Removed::damaged, "on every path");
  guard.store(core::group_guard);
  auto& word = me.model.table().word(me.model.group_lease());
  word.store(static_cast<std::uint64_t>(Mode::exclusive));
  me.expect(me.names().resolve(NameWords("new"), me.desk(), {}, handle, weak) == Resolved::damaged, "a group that nobody holds");
  me.expect(me.names().remove(NameWords("new"), me.desk(), {}) == sim::Names::Removed::damaged, "as if somebody did");
}

// What the dead have left may be garbage, too; whoever cleans it looks at no lease that is not there.
void remains(Actor& me) {
  me.await(1);
  me.end(1);
  auto& table = me.model.table();
  const std::uint32_t leases = table.geometry().leases();
  table.hold(8 + 3).key.store(HoldKey::of(1 << 30, HoldKind::user).bits);
  table.hold(8 + 4).key.store(HoldKey::of(leases, HoldKind::user).bits);
  table.hold(8 + 5).key.store(7);
  table.wait_key(2).store(core::WaitKey::of(core::WaitKey::lease_max, 5).bits);
  table.wait_key(3).store(core::WaitKey::of(0, 5).bits & ~std::uint64_t{0xFFFFFF});
  me.expect(me.sessions().sweep() == 1, "a slot with garbage in it is cleaned");
  for (std::uint32_t i = 8; i < 16; ++i) me.expect(table.hold(i).key.ghost() == 0, "whole");
  me.expect(table.wait_key(2).ghost() == 0 && table.wait_key(3).ghost() == 0, "altogether");
}

constexpr Scene scenes[] = {
    {"damage-remains", {remains, hold_strict, nullptr, nullptr}, false},
    {"damage-words", {words, hold_strict, nullptr, nullptr}, false},
    {"damage-records", {records, hold_strict, nullptr, nullptr}, false},
    {"damage-runs", {runs, hold_strict, nullptr, nullptr}, false},
    {"damage-session", {own_session, hold_strict, nullptr, nullptr}, false},
    {"damage-key", {own_key, hold_strict, nullptr, nullptr}, false},
    {"damage-headers", {headers, nullptr, nullptr, nullptr}, false},
};

}  // namespace

std::span<const Scene> damage_scenes() { return scenes; }

}  // namespace tenure::mutants
