#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "ipc/space_core.hpp"

namespace tenure {

Lease::Lease(Lease&& other) noexcept
    : core_(std::exchange(other.core_, nullptr)),
      word_(other.word_),
      token_(std::exchange(other.token_, 0)),
      deadline_ns_(other.deadline_ns_),
      generation_(other.generation_),
      lease_(other.lease_),
      hold_(other.hold_),
      past_(other.past_),
      record_(std::move(other.record_)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  release();
  core_ = std::exchange(other.core_, nullptr);
  word_ = other.word_;
  token_ = std::exchange(other.token_, 0);
  deadline_ns_ = other.deadline_ns_;
  generation_ = other.generation_;
  lease_ = other.lease_;
  hold_ = other.hold_;
  past_ = other.past_;
  record_ = std::move(other.record_);
  return *this;
}

Lease::~Lease() {
  if (core_ != nullptr) release();
}

LeaseState Lease::state() const noexcept { return core_ == nullptr ? LeaseState::released : core_->state(*this); }

std::chrono::nanoseconds Lease::remaining() const noexcept {
  return core_ == nullptr ? std::chrono::nanoseconds::zero() : core_->remaining(*this);
}

bool Lease::extend(std::chrono::nanoseconds ttl) noexcept { return core_ != nullptr && core_->extend(*this, ttl); }

bool Lease::release() noexcept {
  if (core_ == nullptr) return false;
  const bool held = core_->release(*this);
  core_ = nullptr;
  token_ = 0;
  record_.reset();
  return held;
}

void Lease::on_loss(std::function<void(LeaseState)> told) {
  if (const LeaseState now = state(); now != LeaseState::held) {
    if (told) told(now);
    return;
  }
  ipc::LeaseRecord& record = core_->record_of(*this);
  LeaseState end = LeaseState::held;
  {
    const std::lock_guard lock(record.mutex);
    end = record.end;
    if (end == LeaseState::held) record.on_loss = std::move(told);
  }
  if (end != LeaseState::held && told) told(end);
  core_->watch(*this);
}

void Lease::on_jeopardy(std::function<void(std::chrono::nanoseconds)> told) {
  if (state() != LeaseState::held) return;
  ipc::LeaseRecord& record = core_->record_of(*this);
  {
    const std::lock_guard lock(record.mutex);
    record.on_jeopardy = std::move(told);
    record.jeopardy_told = false;
  }
  core_->watch(*this);
}

std::stop_token Lease::loss_token() {
  if (state() != LeaseState::held) {
    std::stop_source stopped;
    stopped.request_stop();
    return stopped.get_token();
  }
  ipc::LeaseRecord& record = core_->record_of(*this);
  std::stop_token token;
  bool ended = false;
  {
    const std::lock_guard lock(record.mutex);
    if (!record.stop.stop_possible()) record.stop = std::stop_source();
    if (record.end != LeaseState::held) ended = true;
    token = record.stop.get_token();
  }
  if (ended) record.stop.request_stop();
  core_->watch(*this);
  return token;
}

int Lease::loss_descriptor() {
  if (core_ == nullptr) return -1;
  ipc::LeaseRecord& record = core_->record_of(*this);
  int number = -1;
  {
    const std::lock_guard lock(record.mutex);
    if (!record.event.is_open()) {
      record.event = ipc::Descriptor(eventfd(record.end == LeaseState::held ? 0 : 1, EFD_CLOEXEC | EFD_NONBLOCK));
    }
    number = record.event.get();
  }
  core_->watch(*this);
  return number;
}

}  // namespace tenure
