#include "tools/options.hpp"

#include <gtest/gtest.h>

#include <array>

namespace tenure::tools {
namespace {

constexpr std::array specs{
    OptionSpec{1, "-n --nb --nonblock", "", "fails"},
    OptionSpec{2, "-w --wait", "D", "waits"},
    OptionSpec{3, "--label", "TEXT", ""},
};

struct Read {
  std::string options;   // "1 2=5"
  std::string operands;  // "a|b"
  std::string error;
};

Read read(std::vector<std::string> words, Operands operands = Operands::end_options) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  const ParsedOptions parsed = parse_options(specs, pointers, operands);
  Read result;
  for (const Option& option : parsed.options) {
    result.options += (result.options.empty() ? "" : " ") + std::to_string(option.key);
    if (!option.value.empty()) result.options += "=" + std::string(option.value);
  }
  for (const char* operand : parsed.operands) result.operands += (result.operands.empty() ? "" : "|") + std::string(operand);
  result.error = parsed.error;
  return result;
}

TEST(Options, AcceptsEveryWayToGiveAValue) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"-w", "5"}, {"-w5"}, {"--wait", "5"}, {"--wait=5"}}) {
    EXPECT_EQ(read(words).options, "2=5") << words[0];
  }
}

TEST(Options, LettersMayStandTogether) { EXPECT_EQ(read({"-nw5", "name"}).options, "1 2=5"); }

TEST(Options, StopAtTheFirstOperand) {
  const Read result = read({"-n", "name", "-w", "5"});
  EXPECT_EQ(result.options, "1");
  EXPECT_EQ(result.operands, "name|-w|5");
}

TEST(Options, MayBeMixedWithOperands) {
  const Read result = read({"a", "-n", "b", "--wait", "5", "--", "-c"}, Operands::mixed);
  EXPECT_EQ(result.options, "1 2=5");
  EXPECT_EQ(result.operands, "a|b|-c");
}

TEST(Options, TwoDashesEndThem) {
  const Read result = read({"--", "-n", "--"});
  EXPECT_EQ(result.options, "");
  EXPECT_EQ(result.operands, "-n|--");
}

TEST(Options, ASingleDashIsAnOperand) { EXPECT_EQ(read({"-"}).operands, "-"); }

TEST(Options, SayWhatIsWrong) {
  EXPECT_EQ(read({"--nope"}).error, "there is no option --nope");
  EXPECT_EQ(read({"-nz"}).error, "there is no option -z");
  EXPECT_EQ(read({"--nb=1"}).error, "option --nb takes no value");
  EXPECT_EQ(read({"-w"}).error, "option -w needs a value: -w D");
  EXPECT_EQ(read({"--\x1b[31m"}).error, "there is no option --?[31m");
}

TEST(Options, AnEmptyValueIsAValue) { EXPECT_EQ(read({"--label="}).error, ""); }

TEST(Options, TablesCanBeJoined) {
  constexpr auto both = joined(specs, std::array{OptionSpec{9, "-z", "", ""}});
  static_assert(both.size() == 4 && both[0].key == 1 && both[3].key == 9);
}

TEST(Options, HelpLeavesOutWhatHasNoLine) {
  const std::string help = options_help(specs);
  EXPECT_NE(help.find("-w --wait D"), std::string::npos);
  EXPECT_EQ(help.find("--label"), std::string::npos);
}

}  // namespace
}  // namespace tenure::tools
