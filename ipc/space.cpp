#include <tenure/space.hpp>

#include <utility>

#include "ipc/space_core.hpp"

namespace tenure {

std::string_view to_string(AcquireError error) {
  switch (error) {
    case AcquireError::bad_name: return "not a name: it must be 1 to 200 bytes of UTF-8 without control characters";
    case AcquireError::busy: return "somebody else holds it or comes first";
    case AcquireError::timed_out: return "the time to wait has passed";
    case AcquireError::cancelled: return "the wait was cancelled";
    case AcquireError::space_full: return "the space is full: no room for another name, session or hold";
    case AcquireError::tokens_ended: return "no fencing token is left for this name";
    case AcquireError::session_lost: return "this process was declared dead while it lives";
    case AcquireError::damaged: return "the table is damaged";
    case AcquireError::system: return "the operating system refused what a session needs";
  }
  return "unknown";
}

std::string_view to_string(LeaseState state) {
  switch (state) {
    case LeaseState::held: return "held";
    case LeaseState::expired: return "expired";
    case LeaseState::lost: return "lost";
    case LeaseState::released: return "released";
    case LeaseState::forked: return "forked";
  }
  return "unknown";
}

Result<Space, OpenError> Space::open() { return open(Options{}); }

Result<Space, OpenError> Space::open(const Options& options) {
  auto core = ipc::SpaceCore::open(options);
  if (!core.has_value()) return core.error();
  return ipc::SpaceCore::wrap(std::move(*core));
}

Result<Name, AcquireError> Space::resolve(std::string_view name) { return core_->resolve(name); }

Result<Lease, AcquireError> Space::try_acquire(std::string_view name, Terms terms) { return core_->try_acquire(name, terms); }

Result<Lease, AcquireError> Space::acquire(std::string_view name, Terms terms) { return core_->acquire(name, terms, {}); }

Result<Lease, AcquireError> Space::acquire(std::string_view name, Terms terms, std::stop_token stop) {
  return core_->acquire(name, terms, {~std::uint64_t{0}, std::move(stop), nullptr});
}

Result<Lease, AcquireError> Space::acquire_for(std::string_view name, std::chrono::nanoseconds timeout, Terms terms, std::stop_token stop) {
  return core_->acquire(name, terms, {core_->deadline_after(timeout), std::move(stop), nullptr});
}

Result<Lease, AcquireError> Space::acquire_for(std::string_view name, std::chrono::nanoseconds timeout, Terms terms, std::stop_token stop,
                                               const std::function<void(std::uint32_t place)>& queued) {
  return core_->acquire(name, terms, {core_->deadline_after(timeout), std::move(stop), &queued});
}

std::vector<NameReport> Space::list() { return core_->list(); }
Result<NameReport, AcquireError> Space::show(std::string_view name) { return core_->show(name); }
std::vector<SessionReport> Space::sessions() { return core_->sessions(); }
SpaceReport Space::report() { return core_->report(); }
Result<Token, BreakError> Space::break_lease(std::string_view name, Token token) { return core_->break_lease(name, token); }
Result<std::monostate, RemoveError> Space::remove(std::string_view name) { return core_->remove(name); }
std::uint32_t Space::sweep() { return core_->sweep(); }
void Space::note_time(const Lease& lease) { core_->note_time(lease); }

Name::Name(const Name& other)
    : core_(other.core_), place_(other.place_), moved_(other.moved_.load(std::memory_order_acquire)), text_(other.text_) {}

Name::Name(Name&& other) noexcept
    : core_(other.core_), place_(other.place_), moved_(other.moved_.load(std::memory_order_acquire)), text_(std::move(other.text_)) {}

Name& Name::operator=(const Name& other) { return *this = Name(other); }

Name& Name::operator=(Name&& other) noexcept {
  core_ = other.core_;
  place_ = other.place_;
  moved_.store(other.moved_.load(std::memory_order_acquire), std::memory_order_release);
  text_ = std::move(other.text_);
  return *this;
}

Result<Lease, AcquireError> Name::acquire(Terms terms) const { return core_->acquire(*this, terms, {}); }
Result<Lease, AcquireError> Name::acquire(Terms terms, std::stop_token stop) const {
  return core_->acquire(*this, terms, {~std::uint64_t{0}, std::move(stop), nullptr});
}
Result<Lease, AcquireError> Name::acquire_for(std::chrono::nanoseconds timeout, Terms terms, std::stop_token stop) const {
  return core_->acquire(*this, terms, {core_->deadline_after(timeout), std::move(stop), nullptr});
}
Result<Lease, AcquireError> Name::acquire_until(std::chrono::steady_clock::time_point deadline, Terms terms, std::stop_token stop) const {
  return acquire_for(deadline - std::chrono::steady_clock::now(), terms, std::move(stop));
}

}  // namespace tenure
