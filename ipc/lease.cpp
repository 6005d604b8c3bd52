#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "ipc/space_core.hpp"

namespace tenure {

LeaseState Lease::state() const noexcept { return parts_.core == nullptr ? LeaseState::released : parts_.core->state(*this); }

std::chrono::nanoseconds Lease::remaining() const noexcept {
  return parts_.core == nullptr ? std::chrono::nanoseconds::zero() : parts_.core->remaining(*this);
}

bool Lease::extend(std::chrono::nanoseconds ttl) noexcept { return parts_.core != nullptr && parts_.core->extend(*this, ttl); }

void Lease::on_loss(std::function<void(LeaseState)> told) {
  if (const LeaseState now = state(); now != LeaseState::held) {
    if (told) told(now);
    return;
  }
  ipc::LeaseRecord& record = parts_.core->record_of(*this);
  LeaseState end = LeaseState::held;
  {
    const std::lock_guard lock(record.mutex);
    end = record.end;
    if (end == LeaseState::held) record.on_loss.swap(told);
  }
  if (end != LeaseState::held && told) told(end);
  parts_.core->watch(*this);
}

void Lease::on_jeopardy(std::function<void(std::chrono::nanoseconds)> told) {
  if (state() != LeaseState::held) return;
  ipc::LeaseRecord& record = parts_.core->record_of(*this);
  {
    const std::lock_guard lock(record.mutex);
    record.on_jeopardy = std::move(told);
    record.jeopardy_told = false;
  }
  parts_.core->watch(*this);
}

std::stop_token Lease::loss_token() {
  if (state() != LeaseState::held) {
    const std::stop_source stopped;
    stopped.request_stop();
    return stopped.get_token();
  }
  ipc::LeaseRecord& record = parts_.core->record_of(*this);
  std::stop_token token;
  bool ended = false;
  {
    const std::lock_guard lock(record.mutex);
    if (!record.stop.stop_possible()) record.stop = std::stop_source();
    if (record.end != LeaseState::held) ended = true;
    token = record.stop.get_token();
  }
  if (ended) record.stop.request_stop();
  parts_.core->watch(*this);
  return token;
}

int Lease::loss_descriptor() {
  if (parts_.core == nullptr) return -1;
  ipc::LeaseRecord& record = parts_.core->record_of(*this);
  int number = -1;
  {
    const std::lock_guard lock(record.mutex);
    if (!record.event.is_open()) {
      record.event = ipc::Descriptor(eventfd(record.end == LeaseState::held ? 0 : 1, EFD_CLOEXEC | EFD_NONBLOCK));
    }
    number = record.event.get();
  }
  parts_.core->watch(*this);
  return number;
}

}  // namespace tenure
