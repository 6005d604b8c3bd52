// A Lease: the right to a name, released when the object ends.
//
//   state of the lease   token()   still_held()   remaining()   extend()   release()
//   held                 > 0       true           > 0 or max    true       true
//   expired              kept      false          0             false      true: nobody has taken it over
//   lost                 kept      false          0             false      false
//   released, moved from 0         false          0             false      false
//   forked (in a child)  kept      false          0             false      false, and the parent keeps it
//
// Thread safety: one thread at a time, as any object; the callbacks below come on a thread of the library. Process safety: a forked child
// may use and destroy what it inherited, and harms nothing.
//
// Example:
//   auto lease = space.acquire("reports/daily", {.ttl = std::chrono::seconds(30)});
//   if (!lease) return fail(to_string(lease.error()));
//   lease->on_loss([](tenure::LeaseState) { stop_the_work(); });
//   database.execute("UPDATE ... WHERE fence < ?", lease->token());
//
// Caveats: a lease of the leased contract can end while its holder does not run (stopped, swapped, suspended). Whoever must not be hurt by
// that compares tokens at the resource. Callbacks and the functions registered with the stop_token run one after the other on one thread
// of the library, which also renews: they must be quick, and must not throw.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <utility>

#include <tenure/types.hpp>

namespace tenure {

namespace ipc {
class SpaceCore;
struct LeaseRecord;
}  // namespace ipc

class TENURE_API Lease {
 public:
  Lease() noexcept = default;  // released
  Lease(Lease&& other) noexcept : parts_(other.parts_) { other.parts_.forget(); }
  Lease& operator=(Lease&& other) noexcept {
    if (this != &other) {
      release();
      parts_ = other.parts_;
      other.parts_.forget();
    }
    return *this;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    if (parts_.core != nullptr) drop();
  }

  // The fencing token of this grant; 0 once released.
  [[nodiscard]] Token token() const noexcept { return parts_.token; }

  // What a look at the table says at this moment. By the next instruction it may be otherwise.
  [[nodiscard]] LeaseState state() const noexcept;
  [[nodiscard]] bool still_held() const noexcept { return state() == LeaseState::held; }

  // Time until the deadline; the largest value for a strict lease, zero once it is not held any more.
  [[nodiscard]] std::chrono::nanoseconds remaining() const noexcept;

  // A new deadline, `ttl` from now. False: not held any more, or strict.
  bool extend(std::chrono::nanoseconds ttl) noexcept;

  // Gives the name back and wakes the next in order. False: somebody else had taken it over, or broken it. Use the object again only by
  // assignment.
  bool release() noexcept;

  // Whether the holder before this one died or was broken while it held the name, so that its work may be half done.
  [[nodiscard]] bool previous_holder_died() const noexcept { return parts_.past == 1; }
  // Whether the lease was taken from a holder past its deadline, who may not know yet.
  [[nodiscard]] bool previous_holder_expired() const noexcept { return parts_.past >= 2; }
  // Whether it was taken from a run whose processes had not ended two seconds after its deadline: they may be at work still.
  [[nodiscard]] bool previous_holder_may_run() const noexcept { return parts_.past == 3; }

  // Calls `told` once, when the lease is lost or its deadline passes; at once if that has happened.
  void on_loss(std::function<void(LeaseState)> told);
  // Calls `told` when a third of the time to live is left and no renewal has succeeded; again after each renewal that came late.
  void on_jeopardy(std::function<void(std::chrono::nanoseconds remaining)> told);
  // Stop is requested when the lease is lost.
  [[nodiscard]] std::stop_token loss_token();
  // An eventfd that becomes readable when the lease is lost; it belongs to the lease. -1 if the system gives none.
  [[nodiscard]] int loss_descriptor();

 private:
  friend class ipc::SpaceCore;
  // Trivial, so that moving a lease is copying it; the inline members above keep the uncontended path to one call each way.
  struct Parts {
    ipc::SpaceCore* core = nullptr;
    std::uint64_t word = 0;
    Token token = 0;
    std::uint64_t deadline_ns = 0;       // where `record` is null; else the record has it
    std::uint64_t generation = 0;        // of the process that acquired it
    ipc::LeaseRecord* record = nullptr;  // counted; only for leases that are renewed or watched
    std::uint32_t lease = 0;
    std::uint16_t hold = 0;
    std::uint8_t past = 0;
    void forget() {
      core = nullptr;
      token = 0;
      record = nullptr;
    }
  };

 public:
  // For the library alone. Each part by itself, so that it is stored once, where it stays.
  struct Made {
    ipc::SpaceCore* core;
    std::uint64_t word, token, deadline_ns, generation;
    std::uint32_t lease, hold;
    std::uint8_t past;
  };
  explicit Lease(const Made& made) noexcept
      : parts_{made.core,       made.word, made.token, made.deadline_ns,
               made.generation, nullptr,   made.lease, static_cast<std::uint16_t>(made.hold),
               made.past} {}

 private:
  void drop() noexcept;  // release(), of an object that ends

  Parts parts_;
};

}  // namespace tenure
