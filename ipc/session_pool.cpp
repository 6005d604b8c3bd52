#include "ipc/session_pool.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/sessions.inl.hpp"
#include "ipc/process_facts.hpp"

namespace tenure::ipc {

namespace {
constexpr std::uint32_t all_holds = (1u << core::holds_per_session) - 1;
constexpr std::uint32_t all_waits = (1u << core::waits_per_session) - 1;
}  // namespace

SessionPool::SessionPool(core::Table<RealPlatform>& table, core::Sessions<RealPlatform>& sessions, Appearance appearance,
                         std::int64_t boottime_offset_ns)
    : table_(table), registry_(sessions), appearance_(std::move(appearance)), boottime_offset_ns_(boottime_offset_ns) {}

SessionPool::Session* SessionPool::session_of(std::uint32_t slot) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [slot](const Session& s) { return s.slot == slot; });
  return found == sessions_.end() ? nullptr : &*found;
}

// A session that was declared dead is left to its next claimant: its records are no longer ours to use.
void SessionPool::forget_lost() {
  std::erase_if(sessions_, [this](const Session& s) {
    if (registry_.stands(s.slot, s.generation)) return false;
    table_.platform().free_byte(s.slot);
    return true;
  });
}

PoolError SessionPool::open_session() {
  const ProcessFacts facts = own_process_facts(boottime_offset_ns_);
  core::SessionFacts shown;
  shown.pid = facts.pid;
  shown.uid = facts.uid;
  shown.process_started = facts.start_ticks;
  shown.pid_namespace = facts.pid_namespace;
  shown.command = {facts.command.data(), strnlen(facts.command.data(), facts.command.size())};
  shown.label = appearance_.label;
  if (appearance_.run) {
    shown.is_run = true;
    shown.tag = appearance_.run->tag;
    shown.outer_tag = appearance_.run->outer;
  }
  const core::SessionClaim claim = registry_.open(shown);
  switch (claim.code) {
    case core::SessionClaim::Code::claimed: break;
    case core::SessionClaim::Code::full: return PoolError::full;
    case core::SessionClaim::Code::damaged: return PoolError::damaged;
    case core::SessionClaim::Code::failed: return PoolError::system;
  }
  const Word32* bell = claim.has_bell ? &table_.slot(claim.slot).bells[core::Table<RealPlatform>::bell_of(claim.generation)] : nullptr;
  sessions_.push_back({claim.slot, claim.generation, bell, 0, 0});
  return PoolError::none;
}

SessionPool::HoldRecord SessionPool::take_hold() {
  const std::lock_guard lock(mutex_);
  forget_lost();
  for (int attempt = 0; attempt < 2; ++attempt) {
    for (Session& session : sessions_) {
      if (session.holds_used == all_holds) continue;
      const auto free = static_cast<std::uint32_t>(std::countr_one(session.holds_used));
      session.holds_used |= 1u << free;
      return {session.slot * core::holds_per_session + free, session.bell, PoolError::none};
    }
    if (const PoolError error = open_session(); error != PoolError::none) return {core::no_index, nullptr, error};
  }
  return {core::no_index, nullptr, PoolError::full};
}

void SessionPool::give_hold(std::uint32_t hold) {
  const std::lock_guard lock(mutex_);
  if (Session* session = session_of(hold / core::holds_per_session)) session->holds_used &= ~(1u << hold % core::holds_per_session);
}

std::uint32_t SessionPool::take_wait(PoolError& error) {
  const std::lock_guard lock(mutex_);
  forget_lost();
  for (int attempt = 0; attempt < 2; ++attempt) {
    for (Session& session : sessions_) {
      if (session.waits_used == all_waits) continue;
      const auto free = static_cast<std::uint32_t>(std::countr_one(session.waits_used));
      session.waits_used |= 1u << free;
      return session.slot * core::waits_per_session + free;
    }
    error = open_session();
    if (error != PoolError::none) return core::no_index;
  }
  error = PoolError::full;
  return core::no_index;
}

void SessionPool::give_wait(std::uint32_t wait) {
  const std::lock_guard lock(mutex_);
  if (Session* session = session_of(wait / core::waits_per_session)) session->waits_used &= ~(1u << wait % core::waits_per_session);
}

const Word32* SessionPool::bell_of_hold(std::uint32_t hold) {
  const std::lock_guard lock(mutex_);
  const Session* session = session_of(hold / core::holds_per_session);
  return session == nullptr ? nullptr : session->bell;
}

void SessionPool::close_idle() {
  const std::lock_guard lock(mutex_);
  std::erase_if(sessions_, [this](const Session& s) {
    if (s.holds_used != 0 || s.waits_used != 0) return false;
    if (registry_.stands(s.slot, s.generation)) {
      registry_.close(s.slot);
    } else {
      table_.platform().free_byte(s.slot);
    }
    return true;
  });
}

}  // namespace tenure::ipc
