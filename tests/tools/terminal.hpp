// A terminal with somebody at its keys, who reads before he types: for what depends on job control, on the terminal's own signals, and on
// its size.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/tools/program.hpp"

namespace tenure::tests {

inline constexpr const char* ctrl_c = "\x03";
inline constexpr const char* ctrl_z = "\x1a";

// A program on a terminal of its own, 24 x 80, whose session it leads, as below `ssh -t`. The destructor hangs up, and kills it.
class Terminal {
 public:
  explicit Terminal(const Arguments& arguments);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(const std::string& keys);
  void resize();
  void hang_up();
  // Whether the words appear, behind those that were seen before.
  [[nodiscard]] bool shows(const std::string& words);
  // The status of the program, as of wait(2); -1: it has not ended within half a minute.
  int wait();
  [[nodiscard]] bool has_ended();
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] pid_t foreground_group() const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void drain();

  pid_t pid_ = -1;
  int master_ = -1;
  int status_ = -1;
  bool has_ended_ = false;
  std::string text_;
  std::size_t seen_ = 0;
};

// An interactive bash at a terminal. `prompts` is true once it waits for the next line.
class Shell {
 public:
  Shell();
  Terminal& terminal() { return terminal_; }
  void type(const std::string& keys) { terminal_.type(keys); }
  void enter(const std::string& line) { terminal_.type(line + "\n"); }
  [[nodiscard]] bool shows(const std::string& words) { return terminal_.shows(words); }
  [[nodiscard]] bool prompts() { return terminal_.shows("READY "); }
  // Enters the line, and waits until the shell is ready for another one.
  [[nodiscard]] bool does(const std::string& line);
  // Whether the last command's exit status was this.
  [[nodiscard]] bool tells_status(int status);
  [[nodiscard]] const std::string& text() const { return terminal_.text(); }
  // Whether the shell knows of a stopped job before long.
  [[nodiscard]] bool tells_of_a_stopped_job();
  // Waits until a job is in the foreground; the job's process group, 0 if there is none.
  [[nodiscard]] pid_t foreground_job();

 private:
  Terminal terminal_{{"bash", "--norc", "--noprofile", "--noediting", "-i"}};
};

}  // namespace tenure::tests
