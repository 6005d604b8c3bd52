// Rules that take a compiler to judge: every public header compiles alone, with both compilers, and no function has more than 60 lines.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/rules/rules.hpp"

namespace tenure::rules {
namespace {

struct Outcome {
  int status = -1;
  std::string output;
};

Outcome run(const std::string& command) {
  Outcome outcome;
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer{};
  for (std::size_t n = 1; n > 0;) {
    n = std::fread(buffer.data(), 1, buffer.size(), pipe);
    outcome.output.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

// A file of its own, gone with the object.
class Scratch {
 public:
  Scratch(const std::string& suffix, const std::string& text)
      : path_((std::filesystem::temp_directory_path() / "tenure-XXXXXX").string() + suffix) {
    const int fd = mkstemps(path_.data(), static_cast<int>(suffix.size()));
    EXPECT_GE(fd, 0);
    std::ofstream(path_) << text;
  }
  ~Scratch() { std::filesystem::remove(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Outcome compile(const std::string& compiler, const std::string& source) {
  const std::string root = TENURE_SOURCE_DIR;
  const Scratch file(".cpp", source);
  return run(compiler + " -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I" + root + "/core/include -I" +
             root + "/ipc/include -I" + root + "/sim/include " + file.path());
}

class Compiler : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()).empty()) GTEST_SKIP() << "this compiler is not installed";
  }
};

TEST_P(Compiler, TakesEachPublicHeaderAlone) {
  for (const std::string& header : public_headers(read_tree(TENURE_SOURCE_DIR))) {
    // Twice: it also stands being included again.
    const Outcome outcome = compile(GetParam(), "#include <" + header + ">\n#include <" + header + ">\n");
    EXPECT_EQ(outcome.status, 0) << header << "\n" << outcome.output;
  }
}

TEST_P(Compiler, RefusesAHeaderThatNeedsAnother) {
  const Outcome outcome = compile(GetParam(), "inline std::string f() { return {}; }\n");
  EXPECT_GT(outcome.status, 0) << outcome.output;
}

INSTANTIATE_TEST_SUITE_P(Both, Compiler, testing::Values(TENURE_GCC, TENURE_CLANG),
                         [](const testing::TestParamInfo<const char*>& compiler) { return compiler.index == 0 ? "Gcc" : "Clang"; });

std::string function_of(int statements) {
  std::string text = "int f(int x) {\n";
  for (int i = 0; i < statements; ++i) text += "  ++x;\n";
  return text + "  return x;\n}\n";
}

Outcome tidy(const std::string& source) {
  const Scratch file(".cpp", source);
  return run(std::string(TENURE_CLANG_TIDY) + " --quiet --config-file=" + TENURE_SOURCE_DIR + "/.clang-tidy " + file.path() +
             " -- -std=c++20");
}

// The linter judges the sources in `tools/check --part tidy`; this shows that it would refuse.
TEST(Refused, FunctionOfMoreThan60Lines) {
  if (std::string(TENURE_CLANG_TIDY).empty()) GTEST_SKIP() << "clang-tidy-19 is not installed";
  EXPECT_EQ(tidy(function_of(55)).status, 0);
  const Outcome outcome = tidy(function_of(65));
  EXPECT_GT(outcome.status, 0);
  EXPECT_NE(outcome.output.find("readability-function-size"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace tenure::rules
