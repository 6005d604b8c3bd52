// What the protocols on servers elsewhere share: clients on hosts of their own, and a lease as its holder sees it.
//
// Exclusion is judged by what the holders believe. A holder may act until a deadline of its own clock, and looks at the clock in the step
// in which it begins: so a pause of any length does no harm to a sound lease, which ends for its holder before it ends for the server. That
// both clocks run at one rate is granted here; with drift a holder would have to allow for it.
#pragma once

#include <cstdint>

#include <tenure/sim/consensus_store.hpp>
#include <tenure/sim/oracle.hpp>
#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

// On a host of its own: a partition cuts off nobody else, and its clocks are its own.
template <class Body>
ProcessId start_client(World& in, Body body) {
  const ProcessId process = in.spawn_process(true, in.add_host());
  in.spawn(process, body);
  return process;
}

// What a clock shows, and when it is so.
struct Reading {
  std::uint64_t shown_ns;
  std::uint64_t true_ns;  // a ghost
};

class LeaseProtocol : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    lease_.reset();
    begin(in);
  }
  void on_death(World&, ProcessId process) override { lease_.process_died(process); }

 protected:
  virtual void begin(World& in) = 0;
  // That the holders go by.
  virtual std::uint64_t clock_ns() { return boottime_ns(); }
  Reading look() {
    const std::uint64_t shown_ns = clock_ns();
    return {shown_ns, world().true_now()};
  }
  static std::uint64_t end_of(std::uint64_t from_ns, std::uint64_t span_ns) { return span_ns == never_ns ? never_ns : from_ns + span_ns; }

  // From now until `span_ns` after `from` its holder will act. False: that is over already.
  bool begin_hold(const Reading& from, std::uint64_t span_ns) {
    if (look().shown_ns >= end_of(from.shown_ns, span_ns)) return false;
    lease_.granted(world(), 0, end_of(from.true_ns, span_ns));
    world().sometimes("held");
    return true;
  }
  void prolong_hold(const Reading& from, std::uint64_t span_ns) { lease_.renewed(world(), end_of(from.true_ns, span_ns)); }
  // It will act no more, and says so to the server next.
  void end_hold() { lease_.released(world()); }

 private:
  LeaseOracle lease_;
};

// Clients of one consensus store.
class ConsensusProtocol : public LeaseProtocol {
 public:
  using LeaseProtocol::LeaseProtocol;
  void setup(World& in) override {
    store_.start(in, "store");
    LeaseProtocol::setup(in);
  }

 protected:
  using Op = ConsensusRequest::Op;
  static constexpr std::uint64_t ttl_ns = 20 * ms;
  static constexpr std::uint32_t directory = 1;
  static constexpr std::uint64_t lock_key = consensus_key(directory, 0);

  std::optional<ConsensusReply> ask(const ConsensusRequest& request) const {
    constexpr std::uint64_t timeout_ns = 5 * ms;
    return store_.ask(request, timeout_ns);
  }
  // Whether it was done; false when nobody knows.
  bool done(const ConsensusRequest& request) const {
    const std::optional<ConsensusReply> reply = ask(request);
    return reply && reply->done;
  }
  // 0: no answer.
  std::uint32_t open_session() const {
    const std::optional<ConsensusReply> reply = ask({.op = Op::open_session, .ttl_ns = ttl_ns});
    return reply ? reply->record.session : 0;
  }
  bool keep_alive(std::uint32_t session) const { return done({.op = Op::keep_alive, .session = session}); }
  bool close(std::uint32_t session) const { return done({.op = Op::close_session, .session = session}); }
  // Until the key is gone, or for a while: whoever waits looks again.
  void await_removal(const ConsensusRecord& record) const {
    const std::optional<ConsensusReply> watched = ask({.op = Op::watch, .key = record.key, .revision = record.create_revision});
    if (watched && !watched->done) return;
    ConsensusEvent event;
    world().receive(event, 5 * ms);
  }

  ConsensusStore store_;
};

}  // namespace tenure::sim::protocols
