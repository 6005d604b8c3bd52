// What tells `tenure hold` to let go: the end of its standard input, or a signal (INT, TERM, HUP, unless the caller ignores it).
//
// Thread safety: one thread at a time.
#pragma once

#include <poll.h>

#include <array>
#include <csignal>
#include <string>

namespace tenure::tools {

class HoldCue {
 public:
  // Blocks the signals. Empty, or why nothing could be noticed. REQUIRES: the process has one thread.
  [[nodiscard]] std::string open();

  // Takes what is there. Once it has come, it stays.
  [[nodiscard]] bool has_come();
  // For poll, which is to return after `pause_ms` at the latest.
  [[nodiscard]] std::array<pollfd, 2> events() const;
  [[nodiscard]] int pause_ms() const;

  [[nodiscard]] int signal() const { return signal_; }  // 0: none

 private:
  void read_input();
  [[nodiscard]] bool may_read() const;

  sigset_t awaited_{};
  int signals_ = -1;
  int signal_ = 0;
  bool is_terminal_ = false;
  bool input_ended_ = false;
};

}  // namespace tenure::tools
