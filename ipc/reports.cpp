// What the table says, for people: every function here reads without a lock, so what it returns is a moment's picture.
#include <unistd.h>

#include <algorithm>

#include "core/names.inl.hpp"
#include "ipc/process_facts.hpp"
#include "ipc/space_core.hpp"

namespace tenure::ipc {

namespace {

std::chrono::nanoseconds since(std::uint64_t now_ns, std::uint64_t then_ns) {
  return std::chrono::nanoseconds(then_ns == 0 || then_ns > now_ns ? 0 : now_ns - then_ns);
}

}  // namespace

void SpaceCore::describe_holder(std::uint32_t lease, core::LeaseWord word, std::uint64_t base, HolderReport& holder) {
  static const std::uint64_t own_namespace = own_process_facts(file_->boottime_offset_ns()).pid_namespace;
  auto& hold = table_.hold(word.hold());
  const std::uint32_t number = core::Table<RealPlatform>::slot_of_hold(word.hold());
  auto& slot = table_.slot(number);
  const auto view = table_.look(number);
  const std::uint64_t now = now_ns();
  const std::uint64_t deadline_ns = hold.deadline.load(std::memory_order_acquire);
  holder.token = base + word.counter();
  holder.pid = slot.pid.load(std::memory_order_relaxed);
  holder.uid = slot.uid.load(std::memory_order_relaxed);
  holder.in_this_pid_namespace = slot.pid_namespace.load(std::memory_order_relaxed) == own_namespace;
  holder.alive = !view.dead;
  holder.leased = deadline_ns != core::deadline::strict;
  holder.expired = holder.leased && core::is_past(deadline_ns, now);
  if (holder.leased && !holder.expired) holder.remaining = std::chrono::nanoseconds(deadline_ns - now);
  if (hold.since_counter.load(std::memory_order_acquire) == word.counter() &&
      core::HoldKey{hold.key.load(std::memory_order_relaxed)}.bits == core::HoldKey::of(lease, core::HoldKind::user).bits) {
    holder.held_for = since(now, hold.since_ns.load(std::memory_order_relaxed));
  }
  holder.is_run = view.state.is_run();
  if (holder.is_run && (view.dead || holder.expired || word.mode() == core::Mode::broken)) {
    const LeftTree tree = left_tree(number, true);
    holder.left_behind.assign(tree.carriers.begin(), tree.carriers.end());
    holder.left_behind.insert(holder.left_behind.end(), tree.with_byte.begin(), tree.with_byte.end());
    holder.is_ending = !holder.left_behind.empty() || leases_.tree_lives(number);
  }
  holder.broken = word.mode() == core::Mode::broken;
  holder.command = text_of_words(slot.command);
  holder.label = text_of_words(slot.label);
}

std::uint32_t SpaceCore::slots_used() {
  return std::min(table_.header().slot_high_water.load(std::memory_order_acquire), table_.geometry().sessions);
}

void SpaceCore::describe_waiters(std::uint32_t lease, std::vector<WaiterReport>& waiters) {
  struct Found {
    std::uint64_t ticket;
    WaiterReport report;
  };
  std::vector<Found> found;
  for (std::uint32_t wait = 0; wait < slots_used() * core::waits_per_session; ++wait) {
    const core::WaitKey key{table_.wait_key(wait).load(std::memory_order_acquire)};
    if (!key.bound() || key.lease() != lease) continue;
    const std::uint32_t number = core::Table<RealPlatform>::slot_of_wait(wait);
    const auto view = table_.look(number);
    if (view.dead || !view.state.is_live()) continue;
    auto& slot = table_.slot(number);
    WaiterReport report;
    report.pid = slot.pid.load(std::memory_order_relaxed);
    report.uid = slot.uid.load(std::memory_order_relaxed);
    report.waiting_for = since(now_ns(), table_.wait_cell(wait).since_ns.load(std::memory_order_relaxed));
    report.command = text_of_words(slot.command);
    report.label = text_of_words(slot.label);
    found.push_back({key.ticket(), std::move(report)});
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.ticket < b.ticket; });
  for (std::uint32_t place = 0; place < found.size(); ++place) {
    found[place].report.place = place;
    waiters.push_back(std::move(found[place].report));
  }
}

// False: the entry holds no name, or changed at every look.
bool SpaceCore::describe(std::uint32_t entry, NameReport& report) {
  for (int attempt = 0; attempt < 4; ++attempt) {
    char name[core::name_bytes_max];
    const std::uint32_t bytes = names_.read_name(entry, name);
    if (bytes == 0) continue;
    report = {};
    report.name.assign(name, bytes);
    const core::LeaseWord word{table_.word(entry).load(std::memory_order_acquire)};
    const std::uint64_t base = table_.entry(entry).base.load(std::memory_order_relaxed);
    if (word.counter() != 0) report.last_token = base + word.counter();
    report.held = word.has_owner() && word.hold() < table_.geometry().holds;
    report.last_holder_died = word.mode() == core::Mode::abandoned;
    if (report.held) describe_holder(entry, word, base, report.holder);
    if (word.waiters()) describe_waiters(entry, report.waiters);
    if (core::LeaseWord{table_.word(entry).load(std::memory_order_acquire)}.same_grant(word)) return true;
  }
  return !report.name.empty();
}

std::vector<NameReport> SpaceCore::list() {
  std::vector<NameReport> reports;
  for (std::uint32_t entry = 0; entry < table_.geometry().names && !is_lost(); ++entry) {
    const core::EntryHeader header{table_.entry(entry).header.load(std::memory_order_acquire)};
    NameReport report;
    if (header.state() == core::EntryState::ready && describe(entry, report)) reports.push_back(std::move(report));
  }
  std::sort(reports.begin(), reports.end(), [](const NameReport& a, const NameReport& b) { return a.name < b.name; });
  return reports;
}

Result<NameReport, AcquireError> SpaceCore::show(std::string_view name) {
  if (core::fault_of_name(name) != core::NameFault::sound) return AcquireError::bad_name;
  NameReport report;
  report.name = name;
  Handle handle;
  switch (names_.look_up(core::NameWords(name), handle)) {
    case core::Resolved::found: describe(handle.lease, report); return report;
    case core::Resolved::damaged: return AcquireError::damaged;
    default: return report;
  }
}

std::vector<SessionReport> SpaceCore::sessions() {
  std::vector<SessionReport> reports;
  for (std::uint32_t number = 0; number < slots_used(); ++number) {
    const auto view = table_.look(number);
    if (!view.state.is_live() || view.damaged) continue;
    auto& slot = table_.slot(number);
    reports.push_back({number, slot.pid.load(std::memory_order_relaxed), slot.uid.load(std::memory_order_relaxed), !view.dead,
                       view.state.has_bell(), text_of_words(slot.command), text_of_words(slot.label)});
  }
  return reports;
}

SpaceReport SpaceCore::report() {
  SpaceReport report;
  report.table_path = file_->path();
  report.lock_path = file_->directory() + "/" + file_->space() + ".lock";
  report.tokens_weak = weak_.load(std::memory_order_relaxed);
  report.size_bytes = file_->identity().size_bytes;
  report.names_capacity = table_.geometry().names;
  report.sessions_capacity = table_.geometry().sessions;
  for (std::uint32_t entry = 0; entry < table_.geometry().names; ++entry) {
    const core::EntryHeader header{table_.entry(entry).header.load(std::memory_order_relaxed)};
    if (!header.reusable()) ++report.names_used;
  }
  for (const SessionReport& session : sessions()) report.sessions_used += session.alive ? 1 : 0;
  return report;
}

Result<Token, BreakError> SpaceCore::break_lease(std::string_view name, Token token) {
  if (core::fault_of_name(name) != core::NameFault::sound) return BreakError::bad_name;
  Handle handle;
  switch (names_.look_up(core::NameWords(name), handle)) {
    case core::Resolved::found: break;
    case core::Resolved::damaged: return BreakError::damaged;
    default: return BreakError::not_held;
  }
  const core::LeaseWord word{table_.word(handle.lease).load(std::memory_order_acquire)};
  if (!word.has_owner()) return BreakError::not_held;
  if (handle.base + word.counter() != token) return BreakError::other_token;
  // The CAS is on this very grant: a successor can't be hit, not even if the name leaves its entry meanwhile.
  if (!leases_.break_grant(handle.lease, word)) return BreakError::not_held;
  return token;
}

}  // namespace tenure::ipc
