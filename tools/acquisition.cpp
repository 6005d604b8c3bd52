#include "tools/acquisition.hpp"

#include <utility>

#include "tools/boot_time.hpp"
#include "tools/report_json.hpp"
#include "tools/space_access.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr std::chrono::milliseconds block_told_after(1000);
constexpr std::chrono::milliseconds time_to_end_left(1000);

void write_processes(JsonWriter& json, const std::vector<pid_t>& processes) {
  json.key("pids").open_array();
  for (const pid_t process : processes) json.value(static_cast<std::uint32_t>(process));
  json.close_array();
}

std::string blocked_text(std::string_view name, const std::vector<pid_t>& processes) {
  return quoted(name) + " is held back by what is left of a run:\n" + survivors_text(processes) +
         "\nIt is free when they have ended; see: tenure doctor --reap";
}

void write_place(JsonWriter& json, std::size_t place, const Result<NameReport, AcquireError>& report) {
  json.key("place").value(static_cast<std::uint64_t>(place));
  json.key("holder");
  report && report->held ? write_holder(json, report->holder) : json.null();
}

}  // namespace

Acquisition::Acquisition(const HoldPlan& plan, Space& space, EventStream& events, Tell tell)
    : plan_(plan), space_(space), events_(events), tell_(std::move(tell)), reaper_(space) {}

Result<Lease, AcquireError> Acquisition::try_at_once() {
  asked_ns_ = boottime_ns();
  Result<Lease, AcquireError> result = space_.try_acquire(plan_.name, terms());
  if (result || result.error() != AcquireError::busy || is_to_wait(result)) return result;
  // Nobody holds it and nobody waits: only what is left of a run stands in the way, which is for us to end.
  const Result<NameReport, AcquireError> report = space_.show(plan_.name);
  if (!report || !report->held || !report->holder.is_ending || !report->waiters.empty()) return result;
  result = wait_for(time_to_end_left, {});
  if (!result && result.error() == AcquireError::timed_out) return AcquireError::busy;
  return result;
}

bool Acquisition::is_to_wait(const Result<Lease, AcquireError>& result) const {
  return !result && result.error() == AcquireError::busy && (!plan_.wait || plan_.wait->count() > 0);
}

Result<Lease, AcquireError> Acquisition::wait(std::stop_token stop) {
  return wait_for(plan_.wait.value_or(std::chrono::nanoseconds::max()), std::move(stop));
}

Result<Lease, AcquireError> Acquisition::wait_for(std::chrono::nanoseconds patience, std::stop_token stop) {
  return ipc::acquire(space_, plan_.name, terms(),
                      {patience, std::move(stop), [this](std::uint32_t place) { note_place(place); },
                       [this](std::uint32_t slot) { end_what_blocks(slot); }});
}

void Acquisition::end_what_blocks(std::uint32_t slot) {
  reaper_.work_on(slot);
  if (block_told_ || reaper_.left().empty() || reaper_.waited() < block_told_after) return;
  block_told_ = true;
  events_.emit("blocked", [this](JsonWriter& json) { write_processes(json, reaper_.left()); });
  if (!plan_.quiet) tell_(blocked_text(plan_.name, reaper_.left()));
}

void Acquisition::note_place(std::uint32_t place) {
  const bool is_first = !std::exchange(is_queued_, true);
  if (!is_first && place == place_) return;
  place_ = place;
  if (!plan_.verbose && !events_.is_on()) return;
  const Result<NameReport, AcquireError> report = space_.show(plan_.name);
  events_.emit("waiting", [&](JsonWriter& json) { write_place(json, place, report); });
  if (!plan_.verbose) return;
  if (is_first && report) {
    tell_(conflict_text(space_, plan_.space, *report, "waiting for " + quoted(plan_.name), place));
  } else if (place > 0) {
    tell_(before_text(place));
  }
}

void Acquisition::tell_grant(const Lease& lease) {
  const std::uint64_t waited_ns = boottime_ns() - asked_ns_;
  space_.note_time(lease);
  events_.emit("acquired", [&](JsonWriter& json) {
    json.key("token").token(lease.token());
    json.key("abandoned").value(lease.previous_holder_died());
    json.key("expired").value(lease.previous_holder_expired());
    json.key("overdue").value(lease.previous_holder_may_run());
    json.key("waited_s").value(static_cast<double>(waited_ns) / 1e9);
  });
  const std::string name = quoted(plan_.name);
  if (lease.previous_holder_may_run() && !plan_.quiet) {
    tell_("WARNING: entered " + name + " although processes of the run before have not ended 2 s after its deadline.\n" +
          survivors_text(reaper_.left()) + "\nThey may still write; token " + std::to_string(lease.token()) +
          " is larger than theirs, for whoever compares tokens.");
  }
  if (!plan_.verbose) return;
  tell_("got " + name + " after " + duration_text(nanoseconds_of(waited_ns)) + ", token " + std::to_string(lease.token()));
  if (lease.previous_holder_died()) tell_("the holder before died while it held " + name + ": its work may be half done");
}

int Acquisition::tell_refusal(AcquireError error) {
  if (error == AcquireError::busy || error == AcquireError::timed_out) {
    tell_conflict(error == AcquireError::timed_out);
    return plan_.conflict_status;
  }
  const std::string message = refusal_text(error, plan_.name);
  emit_refusal(events_, exit_status_of(error), message);
  tell_(message);
  return exit_status_of(error);
}

void Acquisition::tell_conflict(bool timed_out) {
  const Result<NameReport, AcquireError> report = space_.show(plan_.name);
  const std::size_t before = timed_out || !report ? place_ : report->waiters.size();
  events_.emit(timed_out ? "timeout" : "conflict", [&](JsonWriter& json) { write_place(json, before, report); });
  if (plan_.quiet) return;
  std::string headline = quoted(plan_.name);
  headline += timed_out ? " was not free within " + duration_text(*plan_.wait) : " is not free";
  tell_(report ? conflict_text(space_, plan_.space, *report, std::move(headline), before) : headline);
}

std::string conflict_text(Space& space, const std::string& space_name, const NameReport& report, std::string headline, std::size_t before) {
  std::string text = std::move(headline);
  if (before > 0) (text += "; ") += before_text(before);
  if (report.held) {
    (text += "\nheld by ") += holder_text(report.holder);
    (text += "\nto take it away: ") += break_command(space_name, report.name, report.holder.token);
  }
  return (text += "\nspace: ") += clean(space.report().table_path);
}

void emit_lost(EventStream& events, std::string_view why, Token token, std::chrono::nanoseconds remaining) {
  events.emit("lost", [&](JsonWriter& json) {
    json.key("why").value(why);
    json.key("token").token(token);
    json.key("remaining_s").value(seconds_of(remaining));
  });
}

void emit_cancelled(EventStream& events, int signal, std::string_view otherwise) {
  events.emit("cancelled", [&](JsonWriter& json) {
    json.key("why").value(signal == 0 ? otherwise : "signal");
    if (signal != 0) json.key("signal").value(static_cast<std::uint32_t>(signal));
  });
}

std::string_view reason_of_loss(LeaseState state) { return state == LeaseState::expired ? "expired" : "taken"; }

void emit_refusal(EventStream& events, int status, const std::string& message) {
  events.emit("refused", [&](JsonWriter& json) {
    json.key("exit").value(static_cast<std::uint32_t>(status));
    json.key("message").value(message);
  });
}

}  // namespace tenure::tools
