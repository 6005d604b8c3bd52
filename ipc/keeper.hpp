// The thread that renews leases and tells of their loss. It starts with the first lease that needs it, and sleeps until something is due
// or somebody takes a lease away: no work while there is none.
//
// Thread safety: every member may be called by any thread, but for stop. Process safety: none; after a fork the child makes a new keeper.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include <tenure/lease.hpp>

#include "core/leases.hpp"
#include "ipc/descriptor.hpp"
#include "ipc/real_platform.hpp"

namespace tenure::ipc {

// A lease that is renewed or watched, shared by the Lease object and the keeper.
struct LeaseRecord {
  // The Lease's share; given up when it is released. In a forked child the record stays as it is, for its mutex may be held for ever.
  std::shared_ptr<LeaseRecord> self;
  static LeaseRecord* make() {
    auto record = std::make_shared<LeaseRecord>();
    record->self = record;
    return record.get();
  }

  std::mutex mutex;  // of all that follows
  core::Grant grant;
  std::uint64_t ttl_ns = 0;
  bool renew = false;
  bool done = false;  // released, or its end has been told
  bool jeopardy_told = false;
  LeaseState end = LeaseState::held;
  std::function<void(LeaseState)> on_loss;
  std::function<void(std::chrono::nanoseconds)> on_jeopardy;
  std::stop_source stop{std::nostopstate};
  Descriptor event;
};

class Keeper {
 public:
  Keeper(core::Table<RealPlatform>& table, core::Leases<RealPlatform>& leases) : table_(table), leases_(leases) {}
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Has the record looked after from now on; again, after its callbacks or deadline changed. False: no thread could be made.
  [[nodiscard]] bool watch(const std::shared_ptr<LeaseRecord>& record);

  // Tells the end of a lease that somebody else noticed. Does nothing when it has been told.
  static void tell_end(LeaseRecord& record, LeaseState state);

 private:
  void run();
  // Renews and tells as is due. When to look again; 0: never.
  [[nodiscard]] std::uint64_t look_after(LeaseRecord& record, std::uint64_t now_ns);
  [[nodiscard]] std::uint64_t renew_or_warn(LeaseRecord& record, std::unique_lock<std::mutex>& lock, std::uint64_t now_ns);

  core::Table<RealPlatform>& table_;
  core::Leases<RealPlatform>& leases_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<LeaseRecord>> records_;
  bool running_ = false;
  RealPlatform::Atomic<std::uint32_t> news_{0};  // futex: the records have changed
};

}  // namespace tenure::ipc
