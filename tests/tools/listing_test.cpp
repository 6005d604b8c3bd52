// ls, show, break, rm, doctor and init.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

class Listing : public testing::Test {
 protected:
  Process hold(const std::string& name, const Arguments& options = {}) {
    Process process(scratch_.run(options + Arguments{name, "sleep", mark_}));
    const int before = held_;
    EXPECT_TRUE(eventually([&] { return count_left(mark_) == before + 1; }));
    ++held_;
    return process;
  }
  Ended tenure(const std::string& command, const Arguments& rest = {}) { return run_to_end(scratch_.tenure(command, rest)); }
  std::string token_of(const std::string& name) {
    const std::string shown = tenure("show", {"--json", name}).out;
    const std::size_t at = shown.find("\"token\":\"") + 9;
    return shown.substr(at, shown.find('"', at) - at);
  }
  Scratch scratch_;
  std::string mark_ = unique_sleep();
  int held_ = 0;
};

TEST_F(Listing, OfAnEmptySpaceIsEmpty) {
  const Ended ended = tenure("ls");
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_TRUE(says(tenure("ls", {"--json"}).out, "\"names\":[]"));
}

TEST_F(Listing, ShowsWhatIsHeldAndMatches) {
  const Process one = hold("backups/a");
  const Process two = hold("backups/b/c", {"--ttl", "60"});
  const Process three = hold("other");
  const std::string all = tenure("ls").out;
  EXPECT_TRUE(says(all, "backups/a") && says(all, "backups/b/c") && says(all, "other")) << all;
  const std::string some = tenure("ls", {"backups/*"}).out;
  EXPECT_TRUE(says(some, "backups/a") && says(some, "backups/b/c") && !says(some, "other")) << some;
  EXPECT_TRUE(says(some, "s left")) << some;
}

TEST_F(Listing, ShowsFreeNamesOnRequest) {
  EXPECT_EQ(run_to_end(scratch_.run({"once", "true"})).exit, 0);
  EXPECT_EQ(tenure("ls").out, "");
  EXPECT_TRUE(says(tenure("ls", {"--all"}).out, "once"));
  EXPECT_EQ(tenure("rm", {"once"}).exit, 0);
  EXPECT_FALSE(says(tenure("ls", {"-a"}).out, "once"));
  EXPECT_EQ(tenure("rm", {"once"}).exit, 1);
}

TEST_F(Listing, ShowTellsTheHolderAndTheQueue) {
  const Process holder = hold("n", {"--label", "first"});
  const Process second(scratch_.run({"--label", "second", "n", "true"}));
  ASSERT_TRUE(eventually([&] { return says(tenure("show", {"n"}).out, "waiting 1"); }));
  const Process third(scratch_.run({"n", "true"}));
  ASSERT_TRUE(eventually([&] { return says(tenure("show", {"n"}).out, "waiting 2"); }));
  const std::string text = tenure("show", {"n"}).out;
  EXPECT_TRUE(says(text, "n: held\n")) << text;
  EXPECT_TRUE(says(text, "PID " + std::to_string(holder.pid()))) << text;
  EXPECT_TRUE(says(text, "PID " + std::to_string(second.pid()))) << text;
  EXPECT_TRUE(says(text, "PID " + std::to_string(third.pid()))) << text;
  EXPECT_TRUE(says(text, "first") && says(text, "\"second\"") && says(text, "strict")) << text;
  EXPECT_TRUE(says(text, "tenure break n --space " + scratch_.space() + " --token " + token_of("n"))) << text;
}

TEST_F(Listing, ShowOfAFreeOrBadName) {
  EXPECT_TRUE(says(tenure("show", {"never"}).out, "never: free"));
  EXPECT_EQ(tenure("show", {""}).exit, 64);
  EXPECT_EQ(tenure("show").exit, 64);
  EXPECT_EQ(tenure("show", {"a", "b"}).exit, 64);
}

TEST_F(Listing, ShowTellsThatTheLastHolderDied) {
  Process holder = hold("n");
  kill(holder.guard(), SIGKILL);
  EXPECT_EQ(holder.wait().exit, 71);
  EXPECT_TRUE(says(tenure("show", {"n"}).out, "died")) << tenure("show", {"n"}).out;
}

TEST_F(Listing, BreakNeedsTheToken) {
  Process holder = hold("n");
  EXPECT_EQ(tenure("break", {"n"}).exit, 64);
  EXPECT_EQ(tenure("break", {"n", "--token", "x"}).exit, 64);
  EXPECT_EQ(tenure("break", {"n", "--token", "0"}).exit, 64);
  EXPECT_EQ(tenure("break", {"n", "--token", "9223372036854775808"}).exit, 64);
  EXPECT_EQ(tenure("break", {"n", "--token", "12345"}).exit, 1);
  EXPECT_EQ(tenure("break", {"free", "--token", "12345"}).exit, 1);
  EXPECT_EQ(tenure("rm", {"n"}).exit, 1);
  EXPECT_FALSE(holder.has_ended());
  EXPECT_EQ(tenure("break", {"n", "--token", token_of("n")}).exit, 0);
  EXPECT_EQ(holder.wait().exit, 79);
}

TEST_F(Listing, TheShownCommandBreaksIt) {
  Process holder = hold("it's -n");
  const std::string text = tenure("show", {"it's -n"}).out;
  const std::string marker = "to break it  tenure ";
  const std::size_t at = text.find(marker);
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_EQ(run_to_end({"sh", "-c", TENURE_PROGRAM " " + text.substr(at + marker.size())}).exit, 0);
  EXPECT_EQ(holder.wait().exit, 79);
}

TEST_F(Listing, DoctorFindsAHealthySpace) {
  const Ended ended = tenure("doctor");
  EXPECT_EQ(ended.exit, 0) << ended.out << ended.err;
  EXPECT_TRUE(says(ended.out, scratch_.space())) << ended.out;
  EXPECT_TRUE(says(tenure("doctor", {"--json"}).out, "\"what\":\"sessions\""));
}

TEST_F(Listing, DoctorSaysWhyASpaceCannotBeOpened) {
  const Ended ended = run_to_end({TENURE_PROGRAM, "doctor", "--space", "/no/such/directory/at/all"});
  EXPECT_NE(ended.exit, 0);
  EXPECT_TRUE(says(ended.out, "/no/such/directory")) << ended.out;
}

TEST_F(Listing, InitMakesASpaceOfTheSizeAskedFor) {
  const Ended ended = tenure("init", {"--names", "100", "--sessions", "10"});
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_TRUE(says(ended.out, scratch_.space())) << ended.out;
  EXPECT_TRUE(says(ended.out, " 10 sessions")) << ended.out;
  EXPECT_EQ(tenure("init", {"--names", "0"}).exit, 64);
  EXPECT_EQ(tenure("init", {"--group", "no-such-group-at-all"}).exit, 78);
}

TEST_F(Listing, AFullOutputIsAnError) {
  const Process holder = hold("n");
  EXPECT_EQ(run_to_end({"sh", "-c", TENURE_PROGRAM " ls --space " + scratch_.space() + " > /dev/full"}).exit, 71);
}

}  // namespace
}  // namespace tenure::tests
