#include <tenure/sim/consensus_store.hpp>

#include <algorithm>

namespace tenure::sim {

void ConsensusStore::clear() {
  records_.clear();
  sessions_.clear();
  watches_.clear();
  revision_ = 0;
  sessions_opened_ = 0;
}

const ConsensusRecord* ConsensusStore::record(std::uint64_t key) const {
  const auto found = std::find_if(records_.begin(), records_.end(), [key](const ConsensusRecord& r) { return r.key == key; });
  return found == records_.end() ? nullptr : &*found;
}

ConsensusReply ConsensusStore::answer(World& world, ThreadId client, const ConsensusRequest& request) {
  expire(world);
  const ConsensusRecord* const there = record(request.key);
  switch (request.op) {
    case Op::open_session:
    case Op::keep_alive:
    case Op::close_session: return answer_session(world, request);
    case Op::put:
    case Op::put_if: return put(request);
    case Op::get:
    case Op::last_before:
    case Op::name_before:
    case Op::find: return look(request);
    case Op::remove:
    case Op::remove_if:
      if (there == nullptr) return {};
      if (request.op == Op::remove_if && there->create_revision != request.revision) return {false, *there};
      erase(world, request.key);
      return {true, {}};
    case Op::watch:
      if (there == nullptr || there->create_revision != request.revision) return {};
      watches_.push_back({client, request.revision});
      return {true, *there};
  }
  return {};
}

ConsensusReply ConsensusStore::answer_session(World& world, const ConsensusRequest& request) {
  if (request.op == Op::open_session) {
    sessions_.push_back({++sessions_opened_, request.ttl_ns, now_ns(world) + request.ttl_ns});
    world.set_timer(id(), request.ttl_ns);
    return {true, {.session = sessions_opened_}};
  }
  Session* const asked = session(request.session);
  if (asked == nullptr) return {};
  if (request.op == Op::close_session) {
    end_session(world, request.session);
    return {true, {}};
  }
  asked->deadline_ns = now_ns(world) + asked->ttl_ns;
  world.set_timer(id(), asked->ttl_ns);
  return {true, {.session = request.session}};
}

ConsensusReply ConsensusStore::put(const ConsensusRequest& request) {
  const ConsensusRecord* const there = record(request.key);
  const ConsensusRecord before = there == nullptr ? ConsensusRecord{} : *there;
  if (request.op == Op::put_if && before.revision != request.revision) return {false, before};
  if (request.session != 0 && session(request.session) == nullptr) return {false, before};
  ++revision_;
  const std::uint64_t created = there == nullptr ? revision_ : before.create_revision;
  const ConsensusRecord after{request.key, request.value, created, revision_, request.session};
  if (there == nullptr) {
    records_.push_back(after);
  } else {
    *std::find_if(records_.begin(), records_.end(), [&](const ConsensusRecord& r) { return r.key == request.key; }) = after;
  }
  return {true, after};
}

ConsensusReply ConsensusStore::look(const ConsensusRequest& request) const {
  const ConsensusRecord* best = request.op == Op::get ? record(request.key) : nullptr;
  for (const ConsensusRecord& r : records_) {
    if (directory_of(r.key) != directory_of(request.key)) continue;
    const bool better = (request.op == Op::last_before && r.create_revision < request.revision &&
                         (best == nullptr || r.create_revision > best->create_revision)) ||
                        (request.op == Op::name_before && r.key < request.key && (best == nullptr || r.key > best->key)) ||
                        (request.op == Op::find && r.value == request.value && best == nullptr);
    if (better) best = &r;
  }
  return best == nullptr ? ConsensusReply{} : ConsensusReply{true, *best};
}

ConsensusStore::Session* ConsensusStore::session(std::uint32_t number) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [number](const Session& s) { return s.number == number; });
  return found == sessions_.end() ? nullptr : &*found;
}

void ConsensusStore::end_session(World& world, std::uint32_t number) {
  std::erase_if(sessions_, [number](const Session& s) { return s.number == number; });
  for (std::size_t i = 0; i < records_.size();) {
    if (records_[i].session == number)
      erase(world, records_[i].key);
    else
      ++i;
  }
}

// Whoever asks in the instant of the deadline comes too late.
void ConsensusStore::expire(World& world) {
  for (std::size_t i = 0; i < sessions_.size();) {
    if (sessions_[i].deadline_ns <= now_ns(world))
      end_session(world, sessions_[i].number);
    else
      ++i;
  }
}

void ConsensusStore::timer(World& world, std::uint64_t) { expire(world); }

void ConsensusStore::restarted(World& world) {
  for (Session& s : sessions_) {
    s.deadline_ns = now_ns(world) + s.ttl_ns;
    world.set_timer(id(), s.ttl_ns);
  }
}

void ConsensusStore::erase(World& world, std::uint64_t key) {
  const std::uint64_t created = record(key)->create_revision;
  std::erase_if(records_, [key](const ConsensusRecord& r) { return r.key == key; });
  for (const Watch& watch : watches_) {
    if (watch.create_revision == created) world.push(id(), watch.client, ConsensusEvent{key, created});
  }
  std::erase_if(watches_, [created](const Watch& watch) { return watch.create_revision == created; });
}

}  // namespace tenure::sim
