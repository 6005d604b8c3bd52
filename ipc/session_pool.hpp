// The sessions of this process in one space, and which of their records are in use.
//
// Every session has a fixed number of hold and wait records; a process that needs more registers another one. A record belongs to one
// thread from take to give. Each thread keeps one spare hold record, so that an uncontended pair of acquire and release takes no lock; see
// space_core.cpp.
//
// Thread safety: every member may be called by any thread. Process safety: none; after a fork the child makes a new pool.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/names.hpp"
#include "core/sessions.hpp"
#include "ipc/real_platform.hpp"
#include "ipc/run_tag.hpp"

namespace tenure::ipc {

using Word32 = RealPlatform::Atomic<std::uint32_t>;

enum class PoolError : std::uint8_t { none, full, damaged, system };

// What the sessions of a process say beside what the system says of it.
struct Appearance {
  std::string label;
  std::optional<RunTag> run;  // of `tenure run`; see core::SessionFacts
};

class SessionPool {
 public:
  SessionPool(core::Table<RealPlatform>& table, core::Sessions<RealPlatform>& sessions, Appearance appearance,
              std::int64_t boottime_offset_ns);

  struct HoldRecord {
    std::uint32_t hold = core::no_index;
    const Word32* bell = nullptr;  // of its session; null where it has none
    PoolError error = PoolError::none;
  };
  [[nodiscard]] HoldRecord take_hold();
  void give_hold(std::uint32_t hold);

  // The wait record, or no_index and `error`.
  [[nodiscard]] std::uint32_t take_wait(PoolError& error);
  void give_wait(std::uint32_t wait);

  // The bell that a hold's session has; null where it has none.
  [[nodiscard]] const Word32* bell_of_hold(std::uint32_t hold);

  // Gives back every session that has no record in use.
  void close_idle();

 private:
  struct Session {
    std::uint32_t slot;
    std::uint64_t generation;
    const Word32* bell;
    std::uint32_t holds_used;  // a bit a record
    std::uint32_t waits_used;
  };
  [[nodiscard]] PoolError open_session();
  void forget_lost();
  [[nodiscard]] Session* session_of(std::uint32_t slot);

  core::Table<RealPlatform>& table_;
  core::Sessions<RealPlatform>& registry_;
  Appearance appearance_;
  std::int64_t boottime_offset_ns_;
  std::mutex mutex_;
  std::vector<Session> sessions_;
};

}  // namespace tenure::ipc
