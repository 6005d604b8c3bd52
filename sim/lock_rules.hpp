// The lock that histories are held against, one operation at a time. Every kind of lock is an amount of units of which a hold uses some:
// a semaphore has as many as permits, a lock in shared mode uses one, in exclusive mode all.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include <tenure/sim/linearizability.hpp>

namespace tenure::sim {

struct LockState {
  struct Hold {
    std::uint8_t units = 0;  // 0: none
    std::uint8_t depth = 0;
    std::uint8_t granted_by = 0;   // the operation that gave it its token, + 1
    std::uint8_t deadline_of = 0;  // the operation that gave it its deadline, + 1; 0: none
    bool operator==(const Hold&) const = default;
  };

  std::uint64_t last_token = 0;
  std::uint32_t holders = 0;  // a bit for each session
  std::uint32_t in_use = 0;
  std::array<Hold, History::sessions_max> holds{};  // by session

  void end(SessionId session) {
    in_use -= holds[session].units;
    holds[session] = {};
    holders &= ~(std::uint32_t{1} << session);
  }
  bool operator==(const LockState&) const = default;
};

class LockRules {
 public:
  LockRules(const History& history, const LockModel& model)
      : history_(history),
        model_(model),
        units_(model.kind == LockModel::Kind::semaphore ? model.permits
               : model.kind == LockModel::Kind::shared  ? History::sessions_max + 1
                                                        : 1) {}

  // Why the history can't be held against this model; null: it can.
  const char* misfit() const;

  // What its answer says about the lock. `nothing`: it fits everywhere. `looks`: it tells of the state. `changes`: it has changed it, or
  // may have.
  enum class Effect : std::uint8_t { nothing, looks, changes };
  Effect effect(OperationId operation) const;

  // Whether an answer that looks is right in `state`.
  bool is_right(OperationId operation, const LockState& state) const;
  // The sessions whose hold an operation that changes may change in `state`, one of them at its choice. 0: it can't be here.
  std::uint32_t targets(OperationId operation, const LockState& state) const;
  void apply(OperationId operation, SessionId target, LockState& state) const;

  // Why the operation can't be answered so in `state`.
  std::string objection(OperationId operation, const LockState& state) const;

 private:
  static bool is_acquisition(Call call) { return call <= Call::try_acquire_permits; }
  bool is_semaphore() const { return model_.kind == LockModel::Kind::semaphore; }
  std::uint32_t wanted(const Operation& op) const;
  // An acquisition by one who has it already, in a mode that covers it.
  bool repeats(const Operation& op, const LockState& state) const {
    return model_.reentrant && !is_semaphore() && state.holds[op.session].units >= wanted(op);
  }
  bool is_free_for(const Operation& op, const LockState& state) const;
  bool token_fits(const Operation& op, const LockState& state) const;
  bool queued_before(OperationId operation) const;
  std::uint64_t token_of(const LockState::Hold& hold) const { return history_[hold.granted_by - 1U].token; }
  bool token_is_known(const LockState::Hold& hold) const { return history_[hold.granted_by - 1U].answer != Response::pending; }
  std::uint32_t breakable(const Operation& op, const LockState& state) const;
  void apply_grant(OperationId operation, LockState& state) const;
  void apply_release(const Operation& op, LockState& state) const;
  std::string holders_text(const LockState& state) const;

  const History& history_;
  const LockModel& model_;
  std::uint32_t units_;
};

}  // namespace tenure::sim
