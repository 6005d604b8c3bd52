// How `tenure run` and `tenure hold` come to their name, and what they tell of it: to people, and to the status descriptor.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include <tenure/space.hpp>

#include "tools/event_stream.hpp"
#include "tools/hold_plan.hpp"
#include "tools/reaper.hpp"

namespace tenure::tools {

class Acquisition {
 public:
  // For people, whatever the plan says of quiet; called by the acquiring thread. The arguments outlive the object.
  using Tell = std::function<void(const std::string&)>;
  Acquisition(const HoldPlan& plan, Space& space, EventStream& events, Tell tell);

  [[nodiscard]] Result<Lease, AcquireError> try_at_once();
  // Whether the plan has it wait after that.
  [[nodiscard]] bool is_to_wait(const Result<Lease, AcquireError>& result) const;
  [[nodiscard]] Result<Lease, AcquireError> wait(std::stop_token stop);

  void tell_grant(const Lease& lease);
  // Says why there is none, and returns the exit status. REQUIRES: not cancelled.
  int tell_refusal(AcquireError error);

 private:
  void note_place(std::uint32_t place);
  void end_what_blocks(std::uint32_t slot);
  [[nodiscard]] Result<Lease, AcquireError> wait_for(std::chrono::nanoseconds patience, std::stop_token stop);
  void tell_conflict(bool timed_out);
  [[nodiscard]] Terms terms() const { return {plan_.ttl, plan_.renew}; }

  const HoldPlan& plan_;
  Space& space_;
  EventStream& events_;
  Tell tell_;
  std::uint64_t asked_ns_ = 0;
  bool is_queued_ = false;
  std::uint32_t place_ = 0;  // how many stand before it
  Reaper reaper_;
  bool block_told_ = false;
};

// Lines for people: `headline`, who stands before, who holds the name, how to take it away, and in which space all that is.
[[nodiscard]] std::string conflict_text(Space& space, const std::string& space_name, const NameReport& report, std::string headline,
                                        std::size_t before);

// "lost", with the time that is left until it is; and "cancelled": by a signal, or 0 and `otherwise`.
void emit_lost(EventStream& events, std::string_view why, Token token, std::chrono::nanoseconds remaining);
void emit_cancelled(EventStream& events, int signal, std::string_view otherwise);
// Why a lease is not held: "expired", or "taken".
[[nodiscard]] std::string_view reason_of_loss(LeaseState state);

// "refused", for what kept the name from being asked for.
void emit_refusal(EventStream& events, int status, const std::string& message);

}  // namespace tenure::tools
