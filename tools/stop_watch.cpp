#include "tools/stop_watch.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tenure::tools {

StopWatch::StopWatch(GoesOn goes_on, int pause_ms) : goes_on_(std::move(goes_on)), pause_ms_(pause_ms), done_(eventfd(0, EFD_CLOEXEC)) {
  if (!done_.is_open()) throw std::system_error(errno, std::generic_category());
  thread_ = std::thread([this] { look_out(); });
}

StopWatch::~StopWatch() {
  eventfd_write(done_.get(), 1);
  thread_.join();
}

void StopWatch::look_out() {
  for (Events events;; events.clear()) {
    events.push_back({done_.get(), POLLIN, 0});
    if (!goes_on_(events)) {
      stop_.request_stop();
      return;
    }
    poll(events.data(), events.size(), pause_ms_);
    if (events[0].revents != 0) return;
  }
}

}  // namespace tenure::tools
