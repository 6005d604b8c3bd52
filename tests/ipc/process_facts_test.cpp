#include "ipc/process_facts.hpp"

#include <cstring>

#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;

TEST(ProcessFacts, are_those_of_this_process) {
  const ProcessFacts facts = own_process_facts();
  EXPECT_EQ(facts.pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(facts.uid, geteuid());
  char name_space[64] = {};
  ASSERT_GT(readlink("/proc/self/ns/pid", name_space, sizeof name_space - 1), 0);
  EXPECT_EQ("pid:[" + std::to_string(facts.pid_namespace) + "]", name_space);
  std::istringstream stat(text_of("/proc/self/stat").substr(text_of("/proc/self/stat").rfind(')') + 2));
  std::string field;
  for (int number = 3; number <= 22; ++number) stat >> field;
  EXPECT_EQ(std::to_string(facts.start_ticks), field);
}

TEST(ProcessFacts, a_name_full_of_parentheses_and_blanks_confuses_nobody) {
  EXPECT_EQ(in_child([] {
              const std::uint64_t ticks = own_process_facts().start_ticks;
              prctl(PR_SET_NAME, ") R 1 ) (");
              return ticks != 0 && own_process_facts().start_ticks == ticks ? 0 : 1;
            }),
            0);
}

TEST(ProcessFacts, a_shifted_clock_is_taken_out_of_the_start) {
  const std::int64_t tick_ns = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  EXPECT_EQ(own_process_facts(100 * tick_ns).start_ticks + 100, own_process_facts().start_ticks);
}

// Run by the next one with arguments that are made to annoy.
TEST(ProcessFactsAlone, DISABLED_prints_its_command) { std::printf("<%s>", own_process_facts().command.data()); }

TEST(ProcessFacts, the_command_is_one_clean_line_that_ends) {
  const TemporaryDirectory directory;
  const std::string output = directory / "output";
  ASSERT_EQ(in_child([&] {
              if (std::freopen(output.c_str(), "w", stdout) == nullptr) return 1;
              execl("/proc/self/exe", "ten\nure", "--gtest_also_run_disabled_tests",
                    "--gtest_filter=ProcessFactsAlone.DISABLED_prints_its_command", std::string(300, 'x').c_str(), nullptr);
              return 127;
            }),
            0);
  const std::string text = text_of(output);
  const std::size_t begin = text.find('<');
  ASSERT_NE(begin, std::string::npos);
  const std::string command = text.substr(begin + 1, text.find('>', begin) - begin - 1);
  EXPECT_EQ(command.substr(0, 10), "ten?ure --");
  EXPECT_EQ(command.size(), 127u);
  EXPECT_EQ(command.back(), 'x');
}

}  // namespace
}  // namespace tenure::ipc
