// A thread that looks out for a reason to stop while another one waits for a name.
#pragma once

#include <poll.h>

#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

#include "ipc/descriptor.hpp"

namespace tenure::tools {

class StopWatch {
 public:
  using Events = std::vector<pollfd>;
  // Adds what to poll for until the next look; false: there is a reason. Called by the thread only.
  using GoesOn = std::function<bool(Events&)>;

  // Looks again after `pause_ms` at the latest; -1: when an event comes. Throws std::system_error where the system has no descriptor or no
  // thread left.
  explicit StopWatch(GoesOn goes_on, int pause_ms = -1);
  ~StopWatch();
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

 private:
  void look_out();

  GoesOn goes_on_;
  int pause_ms_;
  ipc::Descriptor done_;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace tenure::tools
