#include "tools/hold_cue.hpp"

#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tools/caller_files.hpp"
#include "tools/signals.hpp"

namespace tenure::tools {
namespace {

constexpr int background_look_ms = 500;

// Input that can't say when: it ends at once, or never was.
std::string why_no_cue() {
  constexpr const char* remedy = ", which cannot tell when to let go; give it a pipe, a FIFO or a terminal: tenure hold -h";
  if (!came_open(STDIN_FILENO)) return std::string("standard input is closed") + remedy;
  struct stat status{};
  if (fstat(STDIN_FILENO, &status) != 0) return std::string("standard input: ") + std::strerror(errno);
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)) return std::string("standard input is /dev/null") + remedy;
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) return std::string("standard input is a file") + remedy;
  return {};
}

// Does not wait where the kernel has a way to say so; elsewhere poll has said that there is something.
ssize_t read_without_waiting(char* buffer, std::size_t bytes) {
  const iovec piece{buffer, bytes};
  const ssize_t count = preadv2(STDIN_FILENO, &piece, 1, -1, RWF_NOWAIT);
  return count < 0 && errno == EOPNOTSUPP ? read(STDIN_FILENO, buffer, bytes) : count;
}

}  // namespace

std::string HoldCue::open() {
  if (std::string reason = why_no_cue(); !reason.empty()) return reason;
  is_terminal_ = isatty(STDIN_FILENO) == 1;
  const sigset_t ignored = ignored_signals();
  sigemptyset(&awaited_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (sigismember(&ignored, signal) == 0) sigaddset(&awaited_, signal);
  }
  // Those of a background job at its terminal would stop it, and a stopped one cannot renew.
  sigset_t blocked = awaited_;
  sigaddset(&blocked, SIGTTIN);
  sigaddset(&blocked, SIGTTOU);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  signals_ = signalfd(-1, &awaited_, SFD_CLOEXEC | SFD_NONBLOCK);
  return signals_ >= 0 ? std::string() : std::string("cannot listen to signals: ") + std::strerror(errno);
}

bool HoldCue::has_come() {
  signalfd_siginfo seen{};
  if (signal_ == 0 && read(signals_, &seen, sizeof seen) == sizeof seen) signal_ = static_cast<int>(seen.ssi_signo);
  read_input();
  return signal_ != 0 || input_ended_;
}

// What comes is of no interest.
void HoldCue::read_input() {
  std::array<char, 4096> buffer{};
  while (!input_ended_) {
    pollfd input{STDIN_FILENO, static_cast<short>(may_read() ? POLLIN : 0), 0};
    if (poll(&input, 1, 0) <= 0) return;
    const ssize_t count = read_without_waiting(buffer.data(), buffer.size());
    if (count < 0 && errno == EAGAIN) return;
    if (count == 0 || (count < 0 && errno != EINTR)) input_ended_ = true;
  }
}

// In the background, a terminal's input is somebody else's.
bool HoldCue::may_read() const {
  if (!is_terminal_) return true;
  const pid_t foreground = tcgetpgrp(STDIN_FILENO);
  return foreground < 0 || foreground == getpgrp();
}

std::array<pollfd, 2> HoldCue::events() const {
  return {pollfd{signals_, POLLIN, 0}, pollfd{input_ended_ ? -1 : STDIN_FILENO, static_cast<short>(may_read() ? POLLIN : 0), 0}};
}

int HoldCue::pause_ms() const { return is_terminal_ ? background_look_ms : -1; }

}  // namespace tenure::tools
