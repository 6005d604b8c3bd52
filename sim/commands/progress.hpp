// The line that tells how far it has come, on standard error, where that is a terminal.
#pragma once

#include <chrono>
#include <string_view>

namespace tenure::sim::commands {

class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // At most one line a second is shown.
  void show(std::string_view line);
  // Before anything else is written to the terminal.
  void clear();

 private:
  bool active_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace tenure::sim::commands
