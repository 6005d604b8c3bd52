// Poor surroundings and bad input, for every command: a clear error, never a crash, a hang, or a damaged table.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

constexpr std::size_t argument_bytes_max = 131'071;  // of one argument, without its end: MAX_ARG_STRLEN

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

class Surroundings : public testing::Test {
 protected:
  Surroundings() {
    EXPECT_TRUE(eventually([this] { return count_left(mark_) == 1; }));
  }
  // Each with the exit status that it has while "held" is.
  [[nodiscard]] std::vector<std::pair<Arguments, int>> commands() const {
    return {{scratch_.run({"free", "sh", "-c", "exit 5"}), 5},
            {scratch_.run({"-n", "held", "true"}), 1},
            {scratch_.run({"-v", "-w", "0.02", "held", "true"}), 1},
            {scratch_.run({"a\nb", "true"}), 64},
            {scratch_.tenure("hold", {"-n", "held"}), 1},
            {scratch_.tenure("wait", {"-n", "held"}), 1},
            {scratch_.tenure("wait", {"free"}), 0},
            {scratch_.tenure("break", {"held", "--token", "5"}), 1},
            {scratch_.tenure("rm", {"held"}), 1},
            {{TENURE_PROGRAM, "nope"}, 64}};
  }
  Scratch scratch_;
  std::string mark_ = unique_sleep();
  Process holder_{scratch_.run({"held", "sleep", mark_})};
};

TEST_F(Surroundings, AnySetOfClosedDescriptors) {
  const Pipe input;
  for (unsigned set = 0; set < 8; ++set) {
    const auto close_them = [&] {
      give_as(input.reader(), 0);
      for (int descriptor = 0; descriptor <= 2; ++descriptor) {
        if ((set >> descriptor & 1U) != 0) close(descriptor);
      }
    };
    for (const auto& [arguments, status] : commands()) {
      // Without an input there is nothing that could end a hold.
      const int expected = arguments[1] == "hold" && (set & 1U) != 0 ? 64 : status;
      const Ended ended = run_to_end(arguments, "", close_them);
      EXPECT_EQ(ended.exit, expected) << arguments[1] << " with closed descriptors " << set << ": " << ended.err;
    }
  }
  EXPECT_EQ(run_to_end(scratch_.tenure("doctor", {})).exit, 0);
  EXPECT_TRUE(says(run_to_end(scratch_.tenure("show", {"held"})).out, "held: held"));
}

TEST_F(Surroundings, AFullPipeAsStandardError) {
  const Pipe input;
  const Pipe errors;
  errors.fill();
  for (const auto& [arguments, status] : commands()) {
    const auto prepare = [&] {
      give_as(input.reader(), 0);
      give_as(errors.writer(), 2);
    };
    EXPECT_EQ(run_to_end(arguments, "", prepare).exit, status) << arguments[1];
  }
}

TEST_F(Surroundings, AStandardErrorThatNobodyReads) {
  const Pipe input;
  Pipe errors;
  errors.close_reader();
  for (const auto& [arguments, status] : commands()) {
    const auto prepare = [&] {
      give_as(input.reader(), 0);
      give_as(errors.writer(), 2);
    };
    EXPECT_EQ(run_to_end(arguments, "", prepare).exit, status) << arguments[1];
  }
}

TEST_F(Surroundings, SixteenDescriptorsAndNoHome) {
  const Pipe input;
  for (const auto& [arguments, status] : commands()) {
    const auto prepare = [&] {
      give_as(input.reader(), 0);
      unsetenv("HOME");
      const rlimit limit{16, 16};
      setrlimit(RLIMIT_NOFILE, &limit);
    };
    EXPECT_EQ(run_to_end(arguments, "", prepare).exit, status) << arguments[1];
  }
}

// With fewer than it needs: an error, and no second worker.
TEST_F(Surroundings, HardlyAnyDescriptors) {
  for (rlim_t count = 3; count < 16; ++count) {
    const auto few = [count] {
      const rlimit limit{count, count};
      setrlimit(RLIMIT_NOFILE, &limit);
    };
    const Ended free = run_to_end(scratch_.run({"free", "sh", "-c", "exit 5"}), "", few);
    EXPECT_TRUE(free.exit == 5 || !free.err.empty()) << count << ": " << free.exit;
    EXPECT_EQ(free.signal, 0) << count;
    const Ended held = run_to_end(scratch_.run({"-w", "0.02", "held", "touch", scratch_.path("entered")}), "", few);
    EXPECT_NE(held.exit, 0) << count;
    EXPECT_EQ(held.signal, 0) << count;
  }
  EXPECT_NE(access(scratch_.path("entered").c_str(), F_OK), 0);
}

TEST_F(Surroundings, ArgumentsUpToTheKernelsLimit) {
  const std::string longest(argument_bytes_max, 'x');
  const Arguments count{"n", "sh", "-c", "echo $# ${#1}", "sh"};
  EXPECT_EQ(run_to_end(scratch_.run(count + Arguments{longest})).out, "1 131071\n");
  // Two megabytes are the limit for all of them with the environment, where the stack may have eight.
  const Arguments many(12, longest);
  EXPECT_EQ(run_to_end(scratch_.run(count + many)).out, "12 131071\n");
  EXPECT_EQ(run_to_end(scratch_.run({"n", "-c", "exit 3 #" + std::string(argument_bytes_max - 8, 'x')})).exit, 3);
  EXPECT_EQ(run_to_end(scratch_.run({"--label", longest, "n", "true"})).exit, 0);
}

TEST_F(Surroundings, WhatIsMuchTooLongIsRefusedInFewWords) {
  const std::string longest(argument_bytes_max, 'x');
  const std::vector<std::pair<Arguments, int>> cases{{scratch_.run({longest, "true"}), 64},
                                                     {scratch_.run({"n", longest}), 69},
                                                     {scratch_.run({"-w", longest, "n", "true"}), 64},
                                                     {scratch_.run({"-E", longest, "n", "true"}), 64},
                                                     {scratch_.run({"--status-fd", longest, "n", "true"}), 64},
                                                     {scratch_.run({"n", "-c", "true", longest}), 64},
                                                     {scratch_.run({"--" + longest.substr(2), "n", "true"}), 64},
                                                     {scratch_.tenure("wait", {longest}), 64},
                                                     {scratch_.tenure("show", {longest}), 64},
                                                     {scratch_.tenure("break", {longest, "--token", "5"}), 64},
                                                     {scratch_.tenure("rm", {longest}), 64},
                                                     {{TENURE_PROGRAM, longest}, 64},
                                                     {{TENURE_PROGRAM, "run", "--space", longest, "n", "true"}, 78},
                                                     {{TENURE_PROGRAM, "run", "--space", "/" + longest.substr(1), "n", "true"}, 71}};
  for (const auto& [arguments, status] : cases) {
    const Ended ended = run_to_end(arguments);
    EXPECT_EQ(ended.exit, status) << arguments[1].substr(0, 10) << ' ' << ended.err.substr(0, 200);
    EXPECT_FALSE(ended.err.empty());
    EXPECT_LT(ended.err.size(), 1500U) << ended.err.substr(0, 200);
  }
}

TEST_F(Surroundings, NothingReachesATerminalUncleaned) {
  const std::string evil = "\x1b[2J\x1b]0;x\x07\xc2\x9b\n";
  const Pipe input;
  const Process dirty(scratch_.run({"--label", evil, "dirty", "sh", "-c", "exec sleep " + mark_, evil}));
  ASSERT_TRUE(eventually([this] { return count_left(mark_) == 2; }));
  const std::vector<Arguments> cases{scratch_.run({evil, "true"}),
                                     scratch_.run({"free", evil}),
                                     scratch_.run({"-n", "dirty", "true"}),
                                     scratch_.run({"-w", evil, "n", "true"}),
                                     scratch_.run({"--" + evil, "n", "true"}),
                                     scratch_.run({"n", "-c", "true", evil}),
                                     scratch_.tenure("wait", {"-n", "dirty"}),
                                     scratch_.tenure("wait", {evil}),
                                     scratch_.tenure("show", {"dirty"}),
                                     scratch_.tenure("ls", {}),
                                     scratch_.tenure("break", {"dirty", "--token", "5"}),
                                     {TENURE_PROGRAM, evil},
                                     {TENURE_PROGRAM, "run", "--space", evil, "n", "true"}};
  for (const Arguments& arguments : cases) {
    const Ended ended = run_to_end(arguments);
    const std::string text = ended.out + ended.err;
    EXPECT_FALSE(text.empty()) << arguments[1];
    const bool is_clean =
        std::ranges::none_of(text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; });
    EXPECT_TRUE(is_clean && !says(text, "\xc2\x9b")) << arguments[1] << ": " << text;
  }
}

// Start-up is decided by what has to be linked. A sanitizer brings a runtime of its own.
TEST_F(Surroundings, NeedsNoLibraryButThatOfC) {
  if (is_sanitized) return;
  std::istringstream lines(run_to_end({"readelf", "--dynamic", TENURE_PROGRAM}).out);
  int needed = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("(NEEDED)") == std::string::npos) continue;
    ++needed;
    EXPECT_TRUE(line.find("[libc.so") != std::string::npos || line.find("[ld-linux") != std::string::npos) << line;
  }
  EXPECT_GE(needed, 1);
}

TEST_F(Surroundings, HelpFitsOnAScreen) {
  for (const char* command : {"run", "hold", "check", "wait", "ls", "show", "break", "rm", "doctor", "init"}) {
    const Ended ended = run_to_end({TENURE_PROGRAM, command, "--help"});
    EXPECT_EQ(ended.exit, 0);
    EXPECT_TRUE(says(ended.out, "Examples:\n")) << command;
    EXPECT_LE(std::ranges::count(ended.out, '\n'), 24) << command;
    for (std::size_t begin = 0; begin < ended.out.size();) {
      const std::size_t end = ended.out.find('\n', begin);
      EXPECT_LE(end - begin, 100U) << command << ": " << ended.out.substr(begin, end - begin);
      begin = end + 1;
    }
  }
}

}  // namespace
}  // namespace tenure::tests
