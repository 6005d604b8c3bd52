// Names: found, entered, pushed out, removed; long ones; the tokens of one after another.
#include <array>
#include <string>

#include "tests/mutants/answers.hpp"

namespace tenure::mutants {
namespace {

using core::Acquired;
using core::EntryHeader;
using core::EntryState;
using core::Grant;
using core::HoldKind;
using core::NameWords;
using core::Resolved;
using Removed = sim::Names::Removed;

constexpr std::uint64_t ms = core::millisecond_ns;
constexpr std::uint32_t entries = sim::TableModel::entries;

std::uint32_t count(Actor& me, EntryState state) {
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < entries; ++i) found += state_of_entry(me, i) == state ? 1 : 0;
  return found;
}

void come_and_go(Actor& me) {
  me.expect(!is_there(me, "mail"), "absent before");
  const sim::Handle mail = me.resolve("mail");
  me.expect(is_there(me, "mail") && name_in(me, mail.lease) == "mail", "there after");
  me.expect(me.resolve("mail").lease == mail.lease && count(me, EntryState::ready) == 2, "once");
  me.expect(me.model.table().entry(mail.lease).base.ghost() == mail.base, "with the base of its tokens");
  const std::uint64_t token = use(me, mail);
  Grant grant;
  me.expect(me.leases().try_acquire(mail, me.seat().hold, {}, grant) == Acquired::granted, "held");
  me.expect(me.names().remove(NameWords("mail"), me.desk(), {}) == Removed::in_use && is_there(me, "mail"), "it stays");
  me.leases().release(grant);
  me.expect(me.names().remove(NameWords("mail"), me.desk(), {}) == Removed::removed && !is_there(me, "mail"), "free, it goes");
  me.expect(me.names().remove(NameWords("mail"), me.desk(), {}) == Removed::absent, "once");
  me.expect(me.model.table().group(0).floor.ghost() > token, "its tokens leave a floor");
  me.expect(me.leases().try_acquire(mail, me.seat().hold, {}, grant) == Acquired::stale, "its handle is stale");
  me.expect(me.model.word(mail.lease).mode() == core::Mode::free, "and changes nothing");
  me.expect(use(me, me.resolve("mail")) > token + 1, "its successor's tokens are larger");
  me.expect(me.names().remove(NameWords("orders"), me.desk(), {}) == Removed::removed, "a name that was there from the beginning");
}

// 120 bytes need one further entry, 200 need two.
void long_names(Actor& me) {
  const std::string names[] = {std::string(64, 'a'), std::string(65, 'b'), std::string(120, 'c'), std::string(176, 'd'),
                               std::string(200, 'e')};
  const std::uint32_t parts[] = {0, 1, 1, 1, 2};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    std::string other = names[i];
    other.back() = 'x';
    const sim::Handle handle = me.resolve(names[i]);
    me.expect(name_in(me, handle.lease) == names[i] && is_there(me, names[i]) && !is_there(me, other), "a long name, to its last byte");
    me.expect(count(me, EntryState::extension) == parts[i], "in as many entries as it needs");
    const sim::Handle second = me.resolve(other.substr(0, 10));
    use(me, handle);
    me.expect(me.names().remove(NameWords(names[i]), me.desk(), {}) == Removed::removed, "goes");
    me.expect(count(me, EntryState::extension) == 0, "with all its entries");
    me.expect(is_there(me, other.substr(0, 10)) && second.lease != handle.lease, "and no other");
    me.expect(me.names().remove(NameWords(other.substr(0, 10)), me.desk(), {}) == Removed::removed, "goes, too");
  }
}

// A name is not taken for one that it begins with.
void prefixes(Actor& me) {
  for (std::uint32_t i = 0; i + 1 < entries; ++i) me.resolve("prefix00" + std::string(1 + i, 'x'));
  me.expect(!is_there(me, "prefix00") && is_there(me, "prefix00x") && is_there(me, "orders"), "each is itself");
}

// What a death in the middle of an insertion leaves is found by whoever needs the room.
void orphans(Actor& me) {
  for (std::uint32_t i = 0; i < entries; ++i) {
    if (state_of_entry(me, i) == EntryState::empty) me.model.table().entry(i).header.store(EntryHeader::of(4, EntryState::extension).bits);
  }
  const std::string name(200, 'n');
  const sim::Handle handle = me.resolve(name);
  me.expect(name_in(me, handle.lease) == name && is_there(me, "orders"), "orphaned entries are used again, without loss of a name");
  me.expect(count(me, EntryState::extension) == 2 && count(me, EntryState::tombstone) == entries - 4, "all others are free");
}

// The same in the middle of an eviction: the name is gone, its parts are not, and its entry still says which they were.
void half_gone(Actor& me) {
  const sim::Handle handle = me.resolve(std::string(200, 'n'));
  Grant grants[4];
  for (std::uint32_t i = 0; i < 4; ++i) {
    const sim::Handle held = me.resolve(std::string(1, static_cast<char>('a' + i)));
    me.expect(me.leases().try_acquire(held, me.seat().hold + 3 + i, {}, grants[i]) == Acquired::granted, "held");
  }
  Grant orders;
  me.expect(me.try_it(orders) == Acquired::granted && count(me, EntryState::ready) == 6, "all entries are in use");
  me.model.table().entry(handle.lease).header.store(EntryHeader::of(9, EntryState::tombstone).bits);
  const std::string other(200, 'o');
  me.expect(name_in(me, me.resolve(other).lease) == other, "there is room for another, where the first one was");
  me.leases().release(orders);
  for (const Grant& grant : grants) me.leases().release(grant);
}

void least_recently_used(Actor& me) {
  std::array<sim::Handle, 4> handle;
  const std::string_view names[] = {"one", "two", "three", "four"};
  for (std::size_t i = 0; i < 3; ++i) use(me, handle[i] = me.resolve(names[i]));
  use(me, me.resolve("four"));
  me.expect(count(me, EntryState::ready) == 3 && is_there(me, "four"), "a full group makes room");
  // All have been swept by now. Whatever is used from here on is newer.
  std::string_view left[3];
  std::size_t found = 0;
  for (const std::string_view name : names) {
    if (is_there(me, name)) left[found++] = name;
  }
  me.expect(found == 3, "for one");
  use(me, me.resolve(left[0]));
  use(me, me.resolve(left[2]));
  const sim::Handle five = me.resolve("five");
  auto& entry = me.model.table().entry(five.lease);
  me.expect(entry.last_counter.ghost() == 0 && entry.last_used.ghost() == 0, "a new name has no history");
  use(me, five);
  me.expect(!is_there(me, left[1]) && is_there(me, left[0]) && is_there(me, left[2]), "the one that was not used goes");
  use(me, me.resolve(left[2]));
  use(me, me.resolve("five"));
  use(me, me.resolve("six"));
  me.expect(!is_there(me, left[0]) && is_there(me, "five") && is_there(me, left[2]), "again");
}

void full(Actor& me) {
  Grant grants[3];
  for (std::uint32_t i = 0; i < 3; ++i) {
    const sim::Handle handle = me.resolve(std::string(1, static_cast<char>('a' + i)));
    me.expect(me.leases().try_acquire(handle, me.seat().hold + 3 + i, {}, grants[i]) == Acquired::granted, "one of three");
  }
  sim::Handle handle;
  bool weak = false;
  me.expect(me.names().resolve(NameWords("d"), me.desk(), {}, handle, weak) == Resolved::full, "all are held");
  me.expect(me.names().resolve(NameWords(std::string(200, 'l')), me.desk(), {}, handle, weak) == Resolved::full, "a long one, too");
  me.expect(is_there(me, "a") && is_there(me, "b") && is_there(me, "c"), "and stay");
  for (const Grant& grant : grants) me.expect(me.leases().release(grant), "theirs");
  const std::string name(200, 'l');
  me.expect(name_in(me, me.resolve(name).lease) == name && count(me, EntryState::ready) == 1, "free, three make room for a long one");
}

// An entry that is abandoned is not given to another name with the old news in it; and news stays where somebody waits.
void news_stays(Actor& me) {
  me.await(1);
  me.end(1);
  me.expect(me.names().remove(NameWords("orders"), me.desk(), {}) == Removed::removed, "the name of the dead goes");
  Grant grant;
  const sim::Handle handle = me.resolve("orders");
  me.expect(me.leases().try_acquire(handle, me.seat().hold, {}, grant) == Acquired::granted, "comes again");
  me.expect(grant.past == core::Past::released, "and starts anew");
  me.leases().release(grant);
}
void holds_orders(Actor& me) {
  Grant grant;
  me.expect(me.acquire(grant) == Acquired::granted, "held");
  me.reach(1);
  me.await(1000);
}

void group_is_busy(Actor& me) {
  me.await(1);
  sim::Handle handle;
  bool weak = false;
  sim::Patience patience;
  patience.until_ns = me.now() + 30 * ms;
  me.expect(me.names().resolve(NameWords("mail"), me.desk(), patience, handle, weak) == Resolved::timed_out, "the group is held");
  me.expect(me.names().remove(NameWords("orders"), me.desk(), patience) == Removed::timed_out, "by another");
  me.expect(me.names().resolve(NameWords("orders"), me.desk(), patience, handle, weak) == Resolved::found, "what is there is found");
  sim::Atomic<std::uint32_t> word{1};
  patience.cancelled = &word;
  patience.until_ns = me.now() + 900 * ms;
  me.expect(me.names().resolve(NameWords("mail"), me.desk(), patience, handle, weak) == Resolved::cancelled, "cancelled");
  me.expect(me.names().remove(NameWords("orders"), me.desk(), patience) == Removed::timed_out, "or not removed");
  me.model.table().slot(0).bells[1].store(me.model.table().slot(0).bells[1].ghost() | core::bell::owner_died);
  patience.cancelled = nullptr;
  me.expect(me.names().resolve(NameWords("mail"), me.desk(), patience, handle, weak) == Resolved::session_lost, "or lost");
  me.model.table().slot(0).bells[1].store(me.model.table().slot(0).bells[1].ghost() & ~core::bell::owner_died);
}
void holds_group(Actor& me) {
  Grant grant;
  me.expect(me.leases().try_acquire(me.leases().group_handle(0), me.seat().hold, {0, HoldKind::internal}, grant) == Acquired::granted,
            "the group");
  me.reach(1);
  me.await(1000);
}

void tokens(Actor& me) {
  constexpr std::uint64_t floor = std::uint64_t{1} << 62;
  const sim::Handle mail = me.resolve("mail");
  me.expect(mail.base == floor + 1 && use(me, mail) > mail.base, "tokens start above the mark of earlier tables");
  me.expect(me.world.token_mark() >= mail.base + core::tokens_per_entry, "and raise it");
  const std::uint64_t used_up = core::LeaseWord::counter_retire << core::LeaseWord::counter_shift;
  me.model.table().word(mail.lease).store(used_up | static_cast<std::uint64_t>(core::Mode::retired));
  me.expect(me.resolve("mail").base > mail.base + core::LeaseWord::counter_retire, "above those of an entry that is used up, too");
  me.model.table().group(0).floor.store(floor * 2 - core::tokens_per_entry - 2);
  me.expect(me.resolve("last").base == floor * 2 - core::tokens_per_entry - 1, "the last base");
  me.model.table().group(0).floor.store(floor * 2 - core::tokens_per_entry - 1);
  sim::Handle handle;
  bool weak = false;
  me.expect(me.names().resolve(NameWords("none"), me.desk(), {}, handle, weak) == Resolved::tokens_ended, "and then there is none");
  me.expect(me.model.lease_held_by(me.desk().entry_hold) == core::no_index, "and nothing is held");
  me.model.table().group(0).floor.store(0);
}

// An entry that is free again ends a probe only where nothing can stand behind it.
void tombstones(Actor& me) {
  const std::string_view names[] = {"a", "b", "c", "d", "e", "f"};
  for (const std::string_view first : names) {
    for (const std::string_view second : names) {
      const std::uint32_t entry = me.resolve(first).lease;
      const std::uint32_t behind = me.resolve(second).lease;
      const bool ends = state_of_entry(me, (entry + 1) % entries) == EntryState::empty;
      me.expect(me.names().remove(NameWords(first), me.desk(), {}) == Removed::removed, "goes");
      me.expect(state_of_entry(me, entry) == (ends ? EntryState::empty : EntryState::tombstone), "and leaves what it should");
      if (behind != entry) me.expect(is_there(me, second), "the other is found still");
      me.expect(is_there(me, "orders"), "as is every one");
      if (behind != entry) me.expect(me.names().remove(NameWords(second), me.desk(), {}) == Removed::removed, "goes, too");
    }
  }
}

// The same hash, and another name; a name that has lost its end.
void garbled(Actor& me) {
  auto& entry = me.model.table().entry(me.handle().lease);
  const std::uint64_t before = entry.name[0].ghost();
  entry.name[0].store(before ^ 1);
  me.expect(!is_there(me, "orders"), "another name is not found");
  entry.name[0].store(before);
  const std::string name(170, 'n');
  const sim::Handle handle = me.resolve(name);
  auto& whole = me.model.table().entry(handle.lease);
  const auto part = static_cast<std::uint32_t>(whole.extensions.ghost()) - 1;
  auto& word = me.model.table().entry(part).extensions;  // of the part: a word of the name
  me.expect(is_there(me, name), "the name is");
  word.store(word.ghost() ^ 1);
  me.expect(!is_there(me, name), "not with another end");
  word.store(word.ghost() ^ 1);
  const std::uint64_t links = whole.extensions.ghost();
  for (const std::uint64_t none : {std::uint64_t{0}, links | 0xFFFF'FFFF, std::uint64_t{100'000}}) {
    whole.extensions.store(none);
    me.expect(!is_there(me, name) && name_in(me, handle.lease).empty(), "nor without");
    whole.extensions.store(links);
  }
  me.expect(name_in(me, handle.lease) == name, "it is whole again");
}

// An entry whose word is used up, or held by a handle of an older name, is of no use.
void words_in_use(Actor& me) {
  auto& table = me.model.table();
  for (std::uint32_t i = 0; i < entries; ++i) {
    if (state_of_entry(me, i) == EntryState::empty && i % 2 == 0) table.word(i).store(static_cast<std::uint64_t>(core::Mode::retired));
  }
  for (const std::string_view name : {"a", "b", "c"}) use(me, me.resolve(name));
  me.expect(count(me, EntryState::ready) == 4, "three more, beside those that are used up");
  for (const std::string_view name : {"a", "b", "c"}) me.expect(me.names().remove(NameWords(name), me.desk(), {}) == Removed::removed, "");
  for (std::uint32_t i = 0; i < entries; ++i) {
    if (state_of_entry(me, i) == EntryState::ready) continue;
    table.word(i).store(core::LeaseWord{0}.granted(i % 2 == 0 ? 40 : 41).bits);
  }
  sim::Handle handle;
  bool weak = false;
  me.expect(me.names().resolve(NameWords(std::string(100, 'l')), me.desk(), {}, handle, weak) == Resolved::full,
            "no bytes of a name there");
}

// The removal of a name may take the last number of its entry.
void used_up(Actor& me) {
  me.expect(me.names().remove(NameWords("orders"), me.desk(), {}) == Removed::removed, "goes, and its entry with it");
  me.expect(me.model.word(me.handle().lease).mode() == core::Mode::retired, "which is used up");
  const sim::Handle handle = me.resolve("orders");
  me.expect(handle.lease != me.handle().lease && is_there(me, "orders"), "comes again elsewhere, and is found there");
  me.expect(me.resolve("orders").lease == handle.lease && count(me, EntryState::ready) == 1, "once");
}

constexpr Scene scenes[] = {
    {"names-prefixes", {prefixes, nullptr, nullptr, nullptr}},
    {"names-used-up", {used_up, nullptr, nullptr, nullptr}, true, core::LeaseWord::counter_retire - 1},
    {"names-tombstones", {tombstones, nullptr, nullptr, nullptr}},
    {"names-garbled", {garbled, nullptr, nullptr, nullptr}},
    {"names-words", {words_in_use, nullptr, nullptr, nullptr}, false},
    {"names-come-and-go", {come_and_go, nullptr, nullptr, nullptr}},
    {"names-long", {long_names, nullptr, nullptr, nullptr}},
    {"names-half-gone", {half_gone, nullptr, nullptr, nullptr}},
    {"names-orphans", {orphans, nullptr, nullptr, nullptr}},
    {"names-oldest", {least_recently_used, nullptr, nullptr, nullptr}, true, 0, 3},
    {"names-full", {full, nullptr, nullptr, nullptr}, true, 0, 3},
    {"names-news", {news_stays, holds_orders, nullptr, nullptr}},
    {"names-group-busy", {group_is_busy, holds_group, nullptr, nullptr}},
    {"names-tokens", {tokens, nullptr, nullptr, nullptr}, true, 0, 8, true, std::uint64_t{1} << 62},
};

}  // namespace

std::span<const Scene> name_scenes() { return scenes; }

}  // namespace tenure::mutants
