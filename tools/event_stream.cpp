#include "tools/event_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

#include "tools/text.hpp"

namespace tenure::tools {
namespace {

// Beyond it, places in the queue are no longer kept for a reader that does not read; the other events are few.
constexpr std::size_t backlog_bytes_max = 65'536;

std::string now_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(now.tv_nsec / 1'000'000));
  return text.data();
}

bool is_pipe(int descriptor) {
  struct stat status{};
  return fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

// A description of our own, so that O_NONBLOCK changes nothing for those with whom the caller shares the pipe. The caller's where the
// pipe may not be opened again.
int without_waiting(int pipe) {
  const std::string path = "/proc/self/fd/" + std::to_string(pipe);
  const int own = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  return own >= 0 ? own : pipe;
}

}  // namespace

EventStream::EventStream(int descriptor, std::string_view name) : descriptor_(descriptor), name_(clipped(name)) {
  if (descriptor_ < 0) return;
  if (descriptor_ > 2) fcntl(descriptor_, F_SETFD, FD_CLOEXEC);
  is_pipe_ = is_pipe(descriptor_);
  if (is_pipe_) descriptor_ = without_waiting(descriptor_);
}

void EventStream::emit(std::string_view event, const Members& members) {
  if (!is_on()) return;
  JsonWriter json;
  json.open_object();
  json.key("event").value(event);
  json.key("name").value(name_);
  json.key("time").value(now_text());
  if (members) members(json);
  json.close_object();
  const std::lock_guard lock(mutex_);
  if (event == "waiting" && backlog_.size() > backlog_bytes_max) return;
  backlog_ += json.text();
  backlog_ += '\n';
  write_some();
}

int EventStream::backlog_descriptor() {
  const std::lock_guard lock(mutex_);
  return backlog_.empty() ? -1 : descriptor_;
}

void EventStream::flush(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      write_some();
      if (backlog_.empty()) return;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    pollfd writable{descriptor_, POLLOUT, 0};
    poll(&writable, 1, static_cast<int>(left.count()));
  }
}

// REQUIRES: the mutex is held.
void EventStream::write_some() {
  while (!backlog_.empty()) {
    const ssize_t written = write_without_waiting(std::string_view(backlog_).substr(0, PIPE_BUF));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Anything but a full pipe will not get better.
      if (errno != EAGAIN) backlog_.clear();
      return;
    }
    backlog_.erase(0, static_cast<std::size_t>(written));
  }
}

// -1: errno is EAGAIN where it would have waited. SIGPIPE is blocked or ignored by now.
ssize_t EventStream::write_without_waiting(std::string_view text) const {
  if (!is_pipe_) {
    const ssize_t sent = send(descriptor_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK) return sent;
  }
  // A pipe of the caller's that polls as writable takes PIPE_BUF bytes, unless somebody else is quicker.
  pollfd writable{descriptor_, POLLOUT, 0};
  if (poll(&writable, 1, 0) <= 0) {
    errno = EAGAIN;
    return -1;
  }
  return write(descriptor_, text.data(), text.size());
}

}  // namespace tenure::tools
