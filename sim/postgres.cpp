#include <tenure/sim/postgres.hpp>

#include <algorithm>

namespace tenure::sim {

void Postgres::clear() {
  locks_.clear();
  rows_.clear();
}

SqlReply Postgres::answer(World& world, ThreadId client, const SqlRequest& request) {
  const bool pooled = deviations.pooled_backends != 0;
  if (!pooled) {
    std::erase_if(locks_, [&](const AdvisoryLock& lock) { return !world.alive(world.process_of(lock.session)); });
    if (!world.alive(world.process_of(client))) return {};
  }
  const std::uint32_t session = pooled ? world.choose(deviations.pooled_backends) : client;
  switch (request.op) {
    case Op::try_advisory_lock: return {lock(request.key, session)};
    case Op::advisory_unlock: return {unlock(request.key, session)};
    case Op::take_row: return {take(request, request.now_ns != 0 ? request.now_ns : now_ns(world))};
    case Op::free_row: return {free(request)};
  }
  return {};
}

// A session may take its lock again, and has to give it back as often.
bool Postgres::lock(std::uint64_t key, std::uint32_t session) {
  for (AdvisoryLock& held : locks_) {
    if (held.key != key) continue;
    if (held.session == session) ++held.depth;
    return held.session == session;
  }
  locks_.push_back({key, session, 1});
  return true;
}

bool Postgres::unlock(std::uint64_t key, std::uint32_t session) {
  const auto held =
      std::find_if(locks_.begin(), locks_.end(), [&](const AdvisoryLock& lock) { return lock.key == key && lock.session == session; });
  if (held == locks_.end()) return false;
  if (--held->depth == 0) locks_.erase(held);
  return true;
}

bool Postgres::take(const SqlRequest& request, std::uint64_t now_ns) {
  auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) { return r.key == request.key; });
  if (row == rows_.end()) row = rows_.insert(rows_.end(), {request.key, 0, 0});
  if (row->owner != 0 && row->until_ns > now_ns) return false;
  *row = {request.key, request.owner, request.span_ns > never_ns - now_ns ? never_ns : now_ns + request.span_ns};
  return true;
}

bool Postgres::free(const SqlRequest& request) {
  for (Row& row : rows_) {
    if (row.key != request.key || (request.owner != 0 && row.owner != request.owner)) continue;
    row.owner = 0;
    return true;
  }
  return false;
}

}  // namespace tenure::sim
