#include <tenure/sim/store.hpp>

#include <algorithm>
#include <array>

#include <tenure/sim/process.hpp>

namespace tenure::sim {

namespace {

constexpr std::array<const char*, static_cast<std::size_t>(StoreCommand::count_)> command_names = {
    "GET",       "SET",     "SET NX",    "SET XX", "compare and set", "INCR",     "DEL",
    "delete if", "PEXPIRE", "expire if", "WAIT",   "PUBLISH",         "SUBSCRIBE"};

}  // namespace

std::string_view name_of(StoreCommand command) { return command_names[static_cast<std::size_t>(command)]; }

ServerId KeyValueStore::open(World& world, const StoreOptions& options) {
  options_ = options;
  records_.clear();
  subscribers_.clear();
  changes_.clear();
  host_ = world.add_host();
  id_ = world.add_server(*this, host_);
  world.name_server(id_, "store");
  return id_;
}

// --- What it holds --------------------------------------------------------------------------------------------------------------------

std::uint64_t KeyValueStore::clock_ns(const World& world) const {
  return options_.expires_by_realtime ? world.realtime_ms(host_) * ms : world.boottime_ns(host_);
}

std::uint64_t KeyValueStore::end_of(const World& world, std::uint64_t ttl_ns) const {
  const std::uint64_t now_ns = clock_ns(world);
  return ttl_ns > never_ns - now_ns ? never_ns : now_ns + ttl_ns;
}

KeyValueStore::Record KeyValueStore::find(const World& world, std::uint64_t key) const {
  const std::uint64_t now_ns = clock_ns(world);
  for (const Record& record : records_) {
    if (record.key == key && now_ns < record.ends_ns) return record;
  }
  return {key, 0, 0};
}

bool KeyValueStore::has(const World& world, std::uint64_t key) const { return find(world, key).ends_ns != 0; }
std::uint64_t KeyValueStore::value(const World& world, std::uint64_t key) const { return find(world, key).value; }

// For good: a clock that jumps back does not bring it back.
void KeyValueStore::forget_ended(const World& world) {
  const std::uint64_t now_ns = clock_ns(world);
  std::erase_if(records_, [now_ns](const Record& record) { return record.ends_ns <= now_ns; });
}

void KeyValueStore::put(const Record& record) {
  std::erase_if(records_, [&](const Record& old) { return old.key == record.key; });
  if (record.ends_ns != 0) records_.push_back(record);
}

void KeyValueStore::change(const World& world, const Record& after) {
  changes_.push_back({world.boottime_ns(host_), find(world, after.key)});
  put(after);
}

// Every change of the key is with the replica.
bool KeyValueStore::arrived(const World& world, std::uint64_t key) const {
  const std::uint64_t now_ns = world.boottime_ns(host_);
  return std::none_of(changes_.begin(), changes_.end(),
                      [&](const Change& c) { return c.before.key == key && now_ns - c.at_ns < options_.replica_lag_ns; });
}

// Takes back what is younger than the lag, newest first. No connection outlives it.
void KeyValueStore::lose(World& world, std::uint64_t lag_ns) {
  const std::uint64_t now_ns = world.boottime_ns(host_);
  while (!changes_.empty() && now_ns - changes_.back().at_ns < lag_ns) {
    put(changes_.back().before);
    changes_.pop_back();
  }
  subscribers_.clear();
}

// --- Commands -------------------------------------------------------------------------------------------------------------------------

void KeyValueStore::tell(World& world, std::uint64_t key, std::uint64_t value) {
  for (const Subscriber& subscriber : subscribers_) {
    if (subscriber.key == key) world.push(id_, subscriber.client, StoreNotice{key, value});
  }
}

StoreReply KeyValueStore::set(World& world, const StoreRequest& request, bool allowed) {
  if (allowed && request.ttl_ns != 0) change(world, {request.key, request.value, end_of(world, request.ttl_ns)});
  return {allowed && request.ttl_ns != 0, request.value};
}

StoreReply KeyValueStore::remove(World& world, const Record& found, bool allowed) {
  if (!allowed || found.ends_ns == 0) return {false, found.value};
  change(world, {found.key, 0, 0});
  tell(world, found.key, 0);
  return {true, found.value};
}

StoreReply KeyValueStore::expire(World& world, const StoreRequest& request, const Record& found, bool allowed) {
  if (!allowed || request.ttl_ns == 0) return remove(world, found, allowed);
  change(world, {found.key, found.value, end_of(world, request.ttl_ns)});
  return {true, found.value};
}

StoreReply KeyValueStore::answer(World& world, ThreadId client, const StoreRequest& request) {
  forget_ended(world);
  const Record found = find(world, request.key);
  const bool present = found.ends_ns != 0;
  const bool expected = found.value == request.expected;
  switch (request.command) {
    case StoreCommand::get: return {present, found.value};
    case StoreCommand::set: return set(world, request, true);
    case StoreCommand::set_nx: return set(world, request, !present);
    case StoreCommand::set_xx: return set(world, request, present);
    case StoreCommand::compare_and_set: return set(world, request, expected);
    case StoreCommand::incr:
      change(world, {request.key, found.value + 1, present ? found.ends_ns : never_ns});
      return {true, found.value + 1};
    case StoreCommand::del: return remove(world, found, true);
    case StoreCommand::delete_if: return remove(world, found, expected);
    case StoreCommand::expire: return expire(world, request, found, present);
    case StoreCommand::expire_if: return expire(world, request, found, present && expected);
    case StoreCommand::wait: return {present && expected && arrived(world, request.key), found.value};
    case StoreCommand::publish: tell(world, request.key, request.value); return {true, 0};
    case StoreCommand::subscribe: subscribers_.push_back({request.key, client}); return {true, 0};
    case StoreCommand::count_: break;
  }
  return {false, 0};
}

// --- Clients --------------------------------------------------------------------------------------------------------------------------

StoreClient::Value StoreClient::call(const StoreRequest& request) const {
  World& world = here();
  world.note(command_names[static_cast<std::size_t>(request.command)], request.key);
  StoreReply reply{};
  if (world.call(server_, request, reply, timeout_ns_) != Answer::replied) return {Outcome::unknown, 0};
  world.note(reply.done ? "done" : "refused", reply.value);
  return {reply.done ? Outcome::done : Outcome::refused, reply.value};
}

}  // namespace tenure::sim
