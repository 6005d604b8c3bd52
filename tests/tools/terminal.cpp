#include "tests/tools/terminal.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

namespace tenure::tests {

Terminal::Terminal(const Arguments& arguments) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const winsize size{24, 80, 0, 0};
  pid_ = forkpty(&master_, nullptr, nullptr, &size);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("TERM", "vt100", 1);
    unsetenv("LESS");
    execvp(pointers[0], pointers.data());
    _exit(127);
  }
}

Terminal::~Terminal() {
  hang_up();
  if (!has_ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

void Terminal::type(const std::string& keys) { EXPECT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size())); }

void Terminal::resize() {
  const winsize size{33, 77, 0, 0};
  EXPECT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
}

void Terminal::hang_up() {
  if (master_ >= 0) close(master_);
  master_ = -1;
}

bool Terminal::shows(const std::string& words) {
  return eventually([&] {
    drain();
    const std::size_t at = text_.find(words, seen_);
    if (at == std::string::npos) return false;
    seen_ = at + words.size();
    return true;
  });
}

int Terminal::wait() {
  EXPECT_TRUE(eventually([this] { return has_ended(); })) << "the terminal shows: " << text_;
  return status_;
}

bool Terminal::has_ended() {
  drain();
  if (!has_ended_) has_ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return has_ended_;
}

pid_t Terminal::foreground_group() const { return tcgetpgrp(master_); }

// Nobody who writes to a terminal should have to wait for its reader.
void Terminal::drain() {
  if (master_ < 0) return;
  pollfd event{master_, POLLIN, 0};
  std::array<char, 4096> buffer{};
  while (poll(&event, 1, 0) > 0) {
    const ssize_t count = read(master_, buffer.data(), buffer.size());
    if (count <= 0) return;
    text_.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

Shell::Shell() {
  // What is typed is echoed, and must not look like what is waited for.
  EXPECT_TRUE(does("PS1=RE'ADY '")) << text();
}

bool Shell::does(const std::string& line) {
  enter(line);
  return prompts();
}

bool Shell::tells_status(int status) {
  enter("echo status=$?.");
  return shows("status=" + std::to_string(status) + ".") && prompts();
}

bool Shell::tells_of_a_stopped_job() {
  const std::size_t from = text().size();
  return eventually([&] { return does("jobs -s") && text().find("Stopped", from) != std::string::npos; });
}

pid_t Shell::foreground_job() {
  pid_t group = 0;
  const bool found = eventually([&] {
    group = terminal_.foreground_group();
    return group > 0 && group != terminal_.pid();
  });
  return found ? group : 0;
}

}  // namespace tenure::tests
