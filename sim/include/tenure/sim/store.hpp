// A simulated store of keys and values at a server elsewhere, as Redis is one, and how its clients call it: for protocols that lock with
// it.
//
// Every command is one step of the server, also those which are scripts in Redis. Where the store deviates from what a lock would want is
// said by StoreOptions. Subscribers are told of what is published and of deletions, once, over a network that may lose it; nobody is told
// of an expiry.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <tenure/sim/message.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

struct StoreOptions {
  bool expires_by_realtime = false;  // by its host's clock of day, as Redis does, instead of boot time
  std::uint64_t replica_lag_ns = 0;  // a fail-over loses what is younger; 0: a change is acknowledged when the replica has it
  std::uint64_t disk_lag_ns = 0;     // a restart loses what is younger; 0: as above; never_ns: it keeps nothing
};

enum class StoreCommand : std::uint8_t {
  get,
  set,              // any value
  set_nx,           // if there is none
  set_xx,           // if there is one
  compare_and_set,  // if the value is as expected, where no value counts as 0
  incr,             // no value counts as 0
  del,
  delete_if,  // if the value is as expected
  expire,     // sets the time to live; 0 deletes
  expire_if,  // if the value is as expected
  wait,       // whether the value is as expected, and the replica has it
  publish,
  subscribe,
  count_
};
std::string_view name_of(StoreCommand command);

struct StoreRequest {
  StoreCommand command;
  std::uint64_t key;  // or channel
  std::uint64_t value;
  std::uint64_t expected;
  std::uint64_t ttl_ns;
};
struct StoreReply {
  bool done;
  std::uint64_t value;
};
// What subscribers of a key receive. The value is 0 for a deletion.
struct StoreNotice {
  std::uint64_t key;
  std::uint64_t value;
};

// Keys with names: store_key("lock:orders").
constexpr std::uint64_t store_key(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

class KeyValueStore : public ServerOf<StoreRequest, StoreReply> {
 public:
  // In setup(): empty, on a host of its own.
  ServerId open(World& world, const StoreOptions& options = {});

  StoreReply answer(World& world, ThreadId client, const StoreRequest& request) override;
  void restarted(World& world) override { lose(world, options_.disk_lag_ns); }
  void failed_over(World& world) override { lose(world, options_.replica_lag_ns); }

  // Ghosts: what a client would be told now.
  bool has(const World& world, std::uint64_t key) const;
  std::uint64_t value(const World& world, std::uint64_t key) const;  // 0: none
  HostId host() const { return host_; }

 private:
  struct Record {
    std::uint64_t key;
    std::uint64_t value;
    std::uint64_t ends_ns;  // by the store's clock; never_ns: not by itself; 0: there is none
  };
  // What a key was before a change.
  struct Change {
    std::uint64_t at_ns;
    Record before;
  };
  struct Subscriber {
    std::uint64_t key;
    ThreadId client;
  };

  std::uint64_t clock_ns(const World& world) const;
  void forget_ended(const World& world);
  std::uint64_t end_of(const World& world, std::uint64_t ttl_ns) const;
  Record find(const World& world, std::uint64_t key) const;
  void put(const Record& record);
  void change(const World& world, const Record& after);
  bool arrived(const World& world, std::uint64_t key) const;
  void tell(World& world, std::uint64_t key, std::uint64_t value);
  void lose(World& world, std::uint64_t lag_ns);
  StoreReply set(World& world, const StoreRequest& request, bool allowed);
  StoreReply remove(World& world, const Record& found, bool allowed);
  StoreReply expire(World& world, const StoreRequest& request, const Record& found, bool allowed);

  StoreOptions options_;
  HostId host_ = 0;
  ServerId id_ = 0;
  std::vector<Record> records_;
  std::vector<Subscriber> subscribers_;
  std::vector<Change> changes_;  // oldest first
};

// What a client knows of a command: it was executed; the store refused; or nobody answered, and it may have been, or may still be,
// executed.
enum class Outcome : std::uint8_t { done, refused, unknown };

// A client's connection, for the running thread.
class StoreClient {
 public:
  explicit StoreClient(ServerId server, std::uint64_t timeout_ns = never_ns) : server_(server), timeout_ns_(timeout_ns) {}

  struct Value {
    Outcome outcome;  // of get: refused where there is none
    std::uint64_t value;
  };

  Value get(std::uint64_t key) const { return call({StoreCommand::get, key, 0, 0, 0}); }
  Value incr(std::uint64_t key) const { return call({StoreCommand::incr, key, 0, 0, 0}); }
  Outcome set(std::uint64_t key, std::uint64_t value, std::uint64_t ttl_ns = never_ns) const {
    return call({StoreCommand::set, key, value, 0, ttl_ns}).outcome;
  }
  Outcome set_nx(std::uint64_t key, std::uint64_t value, std::uint64_t ttl_ns = never_ns) const {
    return call({StoreCommand::set_nx, key, value, 0, ttl_ns}).outcome;
  }
  Outcome set_xx(std::uint64_t key, std::uint64_t value, std::uint64_t ttl_ns = never_ns) const {
    return call({StoreCommand::set_xx, key, value, 0, ttl_ns}).outcome;
  }
  Outcome compare_and_set(std::uint64_t key, std::uint64_t expected, std::uint64_t value, std::uint64_t ttl_ns = never_ns) const {
    return call({StoreCommand::compare_and_set, key, value, expected, ttl_ns}).outcome;
  }
  Outcome del(std::uint64_t key) const { return call({StoreCommand::del, key, 0, 0, 0}).outcome; }
  Outcome delete_if(std::uint64_t key, std::uint64_t expected) const {
    return call({StoreCommand::delete_if, key, 0, expected, 0}).outcome;
  }
  Outcome expire(std::uint64_t key, std::uint64_t ttl_ns) const { return call({StoreCommand::expire, key, 0, 0, ttl_ns}).outcome; }
  Outcome expire_if(std::uint64_t key, std::uint64_t expected, std::uint64_t ttl_ns) const {
    return call({StoreCommand::expire_if, key, 0, expected, ttl_ns}).outcome;
  }
  // WAIT, on the connection of the write: refused also when a fail-over has lost it.
  Outcome wait(std::uint64_t key, std::uint64_t expected) const { return call({StoreCommand::wait, key, 0, expected, 0}).outcome; }
  Outcome publish(std::uint64_t key, std::uint64_t value) const { return call({StoreCommand::publish, key, value, 0, 0}).outcome; }
  // The running thread receives a StoreNotice from then on, until a restart or a fail-over of the store.
  Outcome subscribe(std::uint64_t key) const { return call({StoreCommand::subscribe, key, 0, 0, 0}).outcome; }

 private:
  Value call(const StoreRequest& request) const;

  ServerId server_;
  std::uint64_t timeout_ns_;
};

}  // namespace tenure::sim
