// What the supervisor and the guard of `tenure run` know of each other: one anonymous page that both map. Nothing can be lost between
// them, whoever is stopped or killed; the socket beside it is a door bell only, and its end of file tells the death of the other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "ipc/descriptor.hpp"
#include "tools/command_start.hpp"

namespace tenure::tools {

// How the run has ended. `detail` is given in brackets.
enum class Outcome : std::uint32_t {
  none,
  ended,        // the command has, by itself [its status, as of wait(2)]
  not_started,  // the command cannot be started [errno]
  terminated,   // on request, all of the tree [the signal]
  cancelled,    // while it waited for the name [the signal; 0: the supervisor died]
  conflict,     // somebody has the name, or had it for too long
  lost,         // the lease, while the command ran
  overdue,      // the time that --max allows is up
  refused,      // [exit status]
};

struct StatusPage {
  static constexpr std::size_t text_bytes = 32'768;

  // Written by the supervisor. Signals are bits, as the kernel's own pending ones: signal n is bit n - 1.
  std::atomic<std::uint64_t> signals{0};           // for the command; or to cancel the wait
  std::atomic<std::uint64_t> terminal_signals{0};  // the command has had them from the terminal, if it runs by then
  std::atomic<bool> is_paused{false};              // stopped on the terminal's request: no command starts meanwhile
  std::atomic<std::uint64_t> continued_ns{0};      // the stop, as in stopped_ns, that the last SIGCONT was to end

  // Written by the guard.
  StartReport start;                         // process 0: the command has not been started yet
  std::atomic<std::uint64_t> stopped_ns{0};  // not after this time of CLOCK_MONOTONIC the command stopped; 0: it runs
  std::atomic<Outcome> outcome{Outcome::none};
  std::atomic<std::int32_t> detail{0};
  std::atomic<bool> is_settled{false};  // the tree is gone, the name released, outcome and detail final
  // What people are to read on standard error, in a ring: byte i lies at i modulo its size.
  std::atomic<std::uint64_t> text_end{0};
  std::atomic<std::uint64_t> text_taken{0};  // written by the supervisor
  std::array<char, text_bytes> text;         // not touched before it is used
};
static_assert(std::atomic<Outcome>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

// Mapped for this process and those it forks; null: errno says why.
[[nodiscard]] StatusPage* map_status_page();

// The two ends of the bell. False: errno says why.
struct BellPair {
  int supervisor = -1;
  int guard = -1;
};
[[nodiscard]] bool make_bells(BellPair& bells);

void ring(int bell);
// Takes the rings; false: the process at the other end is gone. `gift` takes a descriptor that came with one, if it is not null.
[[nodiscard]] bool answer(int bell, ipc::Descriptor* gift = nullptr);
// Rings, and gives the process at the other end a descriptor. False: errno says why.
[[nodiscard]] bool give(int bell, int descriptor);

// For the guard, any thread: has the supervisor say it. What finds no room is dropped.
void say(StatusPage& page, int bell, std::string_view text);

// For the supervisor: what has been said since.
[[nodiscard]] std::string take_text(StatusPage& page);

}  // namespace tenure::tools
