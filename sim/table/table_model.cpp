#include "sim/table/table_model.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

namespace tenure::sim {

using core::bells_per_slot;
using core::EntryHeader;
using core::EntryState;
using core::holds_per_session;
using core::LeaseWord;
using core::Mode;
using core::NameWords;
using core::no_index;
using core::SlotState;
using core::SlotWord;
using core::waits_per_session;

// A newcomer in a world of its own, where nobody else lives and all bytes are free.
class TableModel::Janitor final : public Scenario {
 public:
  Janitor(TableModel& model, std::span<const Known> known) : model_(model), known_(known) {}
  std::string_view name() const override { return "janitor"; }
  Config config() const override { return {}; }
  void setup(World& world) override {
    world.spawn(world.spawn_process(false), [this] { sweep(*World::active()); });
  }

 private:
  void sweep(World& world) {
    model_.sessions_.sweep();
    for (const char* fault : {model_.fault_of_slots(), model_.fault_of_words(), model_.fault_of_entries()}) {
      if (fault != nullptr) world.fail("whole", fault);
    }
    const core::SessionClaim claim = model_.sessions_.open({});
    if (claim.code != core::SessionClaim::Code::claimed) return world.fail("whole", "no session for a newcomer");
    for (const Known& known : known_) use(world, known, claim.slot * holds_per_session);
  }

  void use(World& world, const Known& known, std::uint32_t hold) {
    const core::Desk desk{{hold + 1, hold / holds_per_session * waits_per_session}, hold + 2};
    core::Acquired acquired = core::Acquired::stale;
    core::Grant grant;
    while (acquired == core::Acquired::stale) {  // an entry may be found used up
      Handle handle;
      bool weak = false;
      const core::Resolved resolved = model_.names_.resolve(NameWords(known.name), desk, {}, handle, weak);
      if (resolved == core::Resolved::full) return;
      if (resolved != core::Resolved::found) return world.fail("whole", "a name does not resolve");
      acquired = model_.leases_.try_acquire(handle, hold, {}, grant);
    }
    if (acquired != core::Acquired::granted) return world.fail("whole", "a lease that nobody holds is not granted");
    if (grant.token <= known.last_token) world.fail("token", "after the run, a token that is not larger");
    model_.leases_.release(grant);
  }

  TableModel& model_;
  std::span<const Known> known_;
};

TableModel::TableModel(std::uint32_t sessions)
    : identity_(core::finished({}, {1, sessions})),
      geometry_(core::geometry_of({1, sessions})),
      memory_(static_cast<std::byte*>(std::aligned_alloc(core::page_bytes, geometry_.size_bytes)), &std::free),
      pristine_(geometry_.size_bytes),
      table_(platform_, memory_.get(), identity_),
      leases_(table_),
      sessions_(table_, leases_),
      names_(table_, leases_),
      afterlife_(std::make_unique<World>()) {
  core::write_initial_image(
      identity_, [this](std::uint64_t offset, const auto& page) { std::memcpy(pristine_.data() + offset, page.data(), sizeof(page)); });
  std::memcpy(memory_.get(), pristine_.data(), geometry_.size_bytes);
}

// function(offset, bytes) for all that a run can touch.
template <class Function>
void TableModel::for_each_part(Function function) const {
  function(0, sizeof(core::Segment<SimPlatform>::Header));
  function(geometry_.group_offset, 64);
  function(geometry_.slot_offset, std::uint64_t{geometry_.sessions} * 256);
  function(geometry_.hold_offset, std::uint64_t{geometry_.holds} * 32);
  function(geometry_.wait_key_offset, std::uint64_t{geometry_.waits} * 8);
  function(geometry_.wait_cell_offset, std::uint64_t{geometry_.waits} * 16);
  function(geometry_.entry_offset, entries * sizeof(core::Segment<SimPlatform>::Entry));
}

void TableModel::name_memory(RunMemory& memory) {
  for_each_part([&](std::uint64_t from, std::uint64_t bytes) { memory.add(memory_.get() + from, bytes); });
}

void TableModel::reset(World& world, std::uint64_t token_floor) {
  for_each_part([this](std::uint64_t from, std::uint64_t bytes) { std::memcpy(memory_.get() + from, pristine_.data() + from, bytes); });
  if (token_floor != identity_.token_floor) {
    identity_.token_floor = token_floor;
    table_ = Table(platform_, memory_.get(), identity_);
  }
  if (world.tracing()) name_words(world);
}

Handle TableModel::preset_name(std::string_view name, std::uint64_t counter) {
  const NameWords words(name);
  std::uint32_t number = core::probe_start(words.hash) % entries;
  while (!EntryHeader{table_.entry(number).header.load()}.reusable()) number = (number + 1) % entries;
  auto& entry = table_.entry(number);
  entry.base.store(std::uint64_t{1} << 40);
  entry.hash.store(words.hash);
  for (std::size_t i = 0; i < words.word_count(); ++i) entry.name[i].store(words.words[i]);
  entry.word.store(counter << LeaseWord::counter_shift);
  entry.header.store(EntryHeader::of(2, EntryState::ready).bits);
  return {number, entry.base.load(), &entry.header, entry.header.load()};
}

void TableModel::keep_only(std::uint32_t first, std::uint32_t count) {
  for (std::uint32_t i = 0; i < entries; ++i) {
    if (i < first || i >= first + count) table_.entry(i).header.store(EntryHeader::of(1, EntryState::spent).bits);
  }
}

void TableModel::preset_session(World& world, ProcessId process, std::uint32_t slot) {
  constexpr std::uint64_t generation = 1;
  const bool has_bell = !world.config().bells_forbidden;
  world.preset_byte(process, slot);
  if (has_bell) world.preset_bell(process, table_.slot(slot).bells[Table::bell_of(generation)].address());
  table_.slot(slot).state.store(SlotWord::of(generation, has_bell ? SlotState::live : SlotState::live_without_bell).bits);
  auto& mark = table_.header().slot_high_water;
  mark.store(std::max(mark.load(), slot + 1));
}

// --- Ghosts ---------------------------------------------------------------------------------------------------------------------------

bool TableModel::available(const World& world, std::uint32_t lease) {
  const LeaseWord seen = word(lease);
  if (!seen.has_owner()) return true;
  const std::uint32_t slot = Table::slot_of_hold(seen.hold());
  const SlotWord state{table_.slot(slot).state.ghost()};
  if (state.has_bell() && core::bell::rung(table_.slot(slot).bells[Table::bell_of(state.generation())].ghost())) {
    return true;
  }
  const std::uint64_t deadline_ns = table_.hold(seen.hold()).deadline.ghost();
  return deadline_ns == core::deadline::expired || (deadline_ns != core::deadline::strict && world.true_now() >= deadline_ns);
}

std::uint32_t TableModel::lease_held_by(std::uint32_t hold) {
  const auto names_it = [&](std::uint32_t lease) { return word(lease).has_owner() && word(lease).hold() == hold; };
  for (std::uint32_t entry = 0; entry < entries; ++entry) {
    if (names_it(entry)) return entry;
  }
  return names_it(group_lease()) ? group_lease() : no_index;
}

void TableModel::name_words(World& world) {
  const auto call = [&world](const void* word, const char* what, std::uint32_t number) {
    world.name_word(word, what + std::to_string(number));
  };
  for (std::uint32_t i = 0; i < geometry_.sessions; ++i) {
    auto& slot = table_.slot(i);
    call(&slot.state, "slot.state ", i);
    for (std::uint32_t b = 0; b < bells_per_slot; ++b) call(&slot.bells[b], b == 0 ? "bell0 of " : "bell of ", i);
    call(&slot.notice, "notice ", i);
  }
  for (std::uint32_t i = 0; i < geometry_.holds; ++i) {
    call(&table_.hold(i).key, "hold.key ", i);
    call(&table_.hold(i).deadline, "hold.deadline ", i);
  }
  for (std::uint32_t i = 0; i < geometry_.waits; ++i) {
    call(&table_.wait_key(i), "wait.key ", i);
    call(&table_.wait_cell(i).seq, "wait.seq ", i);
    call(&table_.wait_cell(i).stalled, "wait.stalled ", i);
  }
  for (std::uint32_t i = 0; i < entries; ++i) {
    call(&table_.entry(i).word, "lease.word ", i);
    call(&table_.entry(i).header, "header ", i);
  }
  call(&table_.group(0).word, "group.word ", 0);
  call(&table_.header().next_ticket, "next_ticket ", 0);
}

// --- After the run --------------------------------------------------------------------------------------------------------------------

void TableModel::judge_remains(World& world, std::span<const Known> known, std::uint64_t realtime_ms) {
  Janitor janitor(*this, known);
  Config config;
  config.boot_ns = world.true_now();
  config.realtime_start_ms = realtime_ms;
  config.steps_max = 100'000;
  config.planted = world.config().planted;
  afterlife_tape_.start_replay({});
  const Verdict verdict = afterlife_->run(janitor, config, afterlife_tape_);
  if (verdict.failed) world.fail(verdict.property, verdict.detail);
}

const char* TableModel::fault_of_slots() {
  for (std::uint32_t i = 0; i < geometry_.sessions; ++i) {
    if (SlotWord{table_.slot(i).state.ghost()}.state() != SlotState::free) return "a slot of the dead is not free after a sweep";
  }
  for (std::uint32_t i = 0; i < geometry_.holds; ++i) {
    if (table_.hold(i).key.ghost() != 0) return "a free slot's hold record is bound";
  }
  for (std::uint32_t i = 0; i < geometry_.waits; ++i) {
    if (table_.wait_key(i).ghost() != 0) return "a free slot's wait record is bound";
  }
  return nullptr;
}

const char* TableModel::fault_of_words() {
  for (std::uint32_t i = 0; i <= entries; ++i) {
    const std::uint32_t lease = i < entries ? i : group_lease();
    if (word(lease).has_owner()) return "a word names the record of a free slot";
    const Mode mode = word(lease).mode();
    if (mode != Mode::free && mode != Mode::abandoned && mode != Mode::retired) return "a word without an owner in a strange mode";
  }
  return nullptr;
}

// One entry a name; every part of a name is an extension, and part of no other; what a probe looks for is not behind an empty entry.
const char* TableModel::fault_of_entries() {
  std::array<bool, entries> part_of_a_name{};
  for (std::uint32_t i = 0; i < entries; ++i) {
    auto& entry = table_.entry(i);
    if (EntryHeader{entry.header.ghost()}.state() != EntryState::ready) continue;
    std::array<char, core::name_bytes_max> bytes;
    const std::uint32_t length = names_.read_name(i, bytes.data());
    if (length == 0) return "a ready entry without a name";
    const NameWords name({bytes.data(), length});
    if (name.hash != entry.hash.ghost()) return "a name that is not the one of its hash";
    Handle handle;
    const bool retired = word(i).mode() == Mode::retired;
    if (names_.look_up(name, handle) != core::Resolved::found ? !retired : handle.lease != i) return "a name with two entries, or lost";
    for (std::uint32_t part = 0; part < name.extension_count(); ++part) {
      const auto number = static_cast<std::uint32_t>(entry.extensions.ghost() >> (32 * part)) - 1;
      if (number >= entries || part_of_a_name[number]) return "a part of two names";
      if (EntryHeader{table_.entry(number).header.ghost()}.state() != EntryState::extension) return "a part that is no extension";
      part_of_a_name[number] = true;
    }
  }
  return nullptr;
}

}  // namespace tenure::sim
