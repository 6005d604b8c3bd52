// Ghost state that judges grants: exclusion, and tokens that grow.
#pragma once

#include <cstdint>

#include <tenure/sim/world.hpp>

namespace tenure::sim {

// The lease of one name, as its users see it, in true time. Call granted() when the acquisition has returned, released() before the release
// begins, and process_died() from on_death(): what lies between is certainly held.
class LeaseOracle {
 public:
  void reset() { *this = LeaseOracle(); }

  void granted(World& world, std::uint64_t token = 0, std::uint64_t deadline_ns = never_ns) {
    world.record(Op::hold, this, token, deadline_ns);
    if (held(world)) world.fail("exclusion", "two holders");
    if (token != 0 && token <= last_token_) world.fail("token", "a token that is not larger than the one before");
    holder_ = world.this_thread();
    process_ = world.this_process();
    last_token_ = token;
    deadline_ns_ = deadline_ns;
    ++grants_;
  }
  // Only the holder's call counts: one that lost its lease has nothing to renew or release.
  void renewed(World& world, std::uint64_t deadline_ns) {
    if (holder_ != world.this_thread()) return;
    deadline_ns_ = deadline_ns;
    world.record(Op::hold, this, last_token_, deadline_ns);
  }
  void released(World& world) {
    world.record(Op::let_go, this, 0);
    if (holder_ == world.this_thread()) holder_ = nobody;
  }
  // Somebody else is about to end the hold.
  void broken() { holder_ = nobody; }
  void process_died(ProcessId process) {
    if (holder_ != nobody && process_ == process) holder_ = nobody;
  }

  bool held_by(ThreadId thread) const { return holder_ == thread; }
  bool held_by_process(ProcessId process) const { return holder_ != nobody && process_ == process; }
  bool held(const World& world) const { return holder_ != nobody && world.true_now() < deadline_ns_; }
  std::uint64_t last_token() const { return last_token_; }
  std::uint32_t grants() const { return grants_; }

 private:
  std::uint32_t holder_ = nobody;
  ProcessId process_ = nobody;
  std::uint64_t last_token_ = 0;
  std::uint64_t deadline_ns_ = 0;
  std::uint32_t grants_ = 0;
};

}  // namespace tenure::sim
