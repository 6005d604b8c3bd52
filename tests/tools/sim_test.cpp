// `tenure sim`, through the programs that people have.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/sim/markup.hpp"
#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

constexpr const char* bug = "stale-takeover-unlink";
constexpr const char* failing_run = "sweep:7@9";  // of this bug

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

Ended sim(const Arguments& arguments, std::string input = {}) {
  return run_to_end(Arguments{TENURE_PROGRAM, "sim"} + arguments, std::move(input));
}
Ended outsider(const Arguments& arguments) { return run_to_end(Arguments{TENURE_SIM_OUTSIDER} + arguments); }

// What follows `before` up to the end of its line.
std::string after(const std::string& text, const std::string& before) {
  const std::size_t at = text.find(before);
  if (at == std::string::npos) return {};
  const std::size_t from = at + before.size();
  return text.substr(from, text.find('\n', from) - from);
}

bool has_jq() { return run_to_end({"/bin/sh", "-c", "command -v jq"}) == 0; }
std::string jq(const std::string& json, const std::string& filter) {
  const Ended ended = run_to_end({"jq", "--raw-output", "--exit-status", filter}, json);
  return ended == 0 ? ended.out.substr(0, ended.out.size() - 1) : "jq: " + std::to_string(ended.exit) + ' ' + ended.err;
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// That it is well-formed, but for its first line.
std::string mistakes_of(const std::string& xml) {
  const std::string page = "<!DOCTYPE html>" + xml.substr(std::min(xml.find('\n'), xml.size()));
  std::string mistakes;
  for (const std::string& mistake : sim::read_markup(page).mistakes) mistakes += mistake + '\n';
  return xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites ") ? mistakes : "no JUnit XML";
}

// In a shell, with the programs' own directory in front: as somebody does who pastes the line.
Ended paste(const std::string& line) {
  const std::string directory = std::filesystem::path(TENURE_PROGRAM).parent_path().string();
  return run_to_end({"/bin/sh", "-c", "PATH=" + directory + ":$PATH; " + line});
}

TEST(Sim, ShowsItsCommandsAndTheHelpOfEach) {
  const Ended help = sim({"--help"});
  EXPECT_EQ(help.exit, 0);
  for (const char* command : {"run", "hunt", "replay", "shrink", "explain", "catalogue", "targets"}) {
    EXPECT_TRUE(says(help.out, std::string("\n  ") + command)) << help.out;
    const Ended own = sim({command, "-h"});
    EXPECT_EQ(own.exit, 0);
    EXPECT_TRUE(own.out.starts_with(std::string("tenure sim ") + command + " ")) << own.out;
  }
  EXPECT_EQ(run_to_end({TENURE_PROGRAM, "help", "sim"}).out, help.out);
}

TEST(Sim, RunSaysWhatItDid) {
  const Ended ended = sim({"run", "strict", "--runs", "50"});
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_TRUE(says(ended.out, "strict: 50 runs, ")) << ended.out;
  EXPECT_TRUE(says(ended.out, "sometimes released")) << ended.out;
}

TEST(Sim, AFailureEndsWithTheLineThatShowsItAgain) {
  const Ended hunt = sim({"hunt", bug, "--runs", "2000"});
  EXPECT_EQ(hunt.exit, 1) << hunt.err;
  EXPECT_TRUE(says(hunt.out, "FAILED exclusion in stale-takeover-unlink")) << hunt.out;
  const std::string line = after(hunt.out, "repro: ");
  EXPECT_TRUE(line.starts_with("tenure sim replay stale-takeover-unlink --run ")) << line;
  EXPECT_LE(line.size(), 200U);

  const Ended again = paste(line);
  EXPECT_EQ(again.exit, 1) << again.err;
  EXPECT_TRUE(says(again.out, "FAILED exclusion")) << again.out;
  EXPECT_EQ(paste(line).out, again.out);

  const Ended small = paste(after(hunt.out, "small: "));
  EXPECT_EQ(small.exit, 1) << small.err;
  EXPECT_TRUE(says(small.out, "FAILED exclusion")) << small.out;
}

TEST(Sim, TheRunThatIsShownAgainIsTheSameStepForStep) {
  if (!has_jq()) GTEST_SKIP() << "without jq";
  const Ended hunt = sim({"hunt", bug, "--runs", "2000", "--json"});
  EXPECT_EQ(hunt.exit, 1) << hunt.err;
  const Ended again = paste(jq(hunt.out, ".[0].failures[0].repro") + " --json");
  EXPECT_EQ(jq(again.out, ".hash"), jq(hunt.out, ".[0].failures[0].hash"));
  EXPECT_EQ(jq(again.out, ".property"), "exclusion");
  const Ended by_tape = sim({"replay", bug, "--json", "--tape", jq(again.out, ".tape")});
  EXPECT_EQ(jq(by_tape.out, ".hash"), jq(again.out, ".hash"));
}

TEST(Sim, ARunThatDoesNotFailSaysSo) {
  const Ended ended = sim({"replay", std::string(bug) + "/sound", "--run", failing_run});
  EXPECT_EQ(ended.exit, 0) << ended.out;
  EXPECT_TRUE(says(ended.out, "ok: stale-takeover-unlink/sound")) << ended.out;
}

TEST(Sim, HuntsAreTheSameEveryTime) {
  const auto failing = [](const Ended& ended) { return ended.out.substr(ended.out.find("FAILED")); };
  EXPECT_EQ(failing(sim({"run", bug, "-e", "pct3"})), failing(sim({"run", bug, "-epct3"})));
}

// Bit 1 of SigCgt is SIGINT: the hunt has begun to listen.
TEST(Sim, AnInterruptedHuntSaysWhatItHasSeen) {
  const Ended ended = paste(
      "tenure sim hunt strict --budget 300s & until grep -q '^SigCgt:.*[2367abef]$' /proc/$!/status; do sleep 0.01; done; "
      "kill -INT $!; wait $!");
  EXPECT_EQ(ended.exit, 130) << ended.err;
  EXPECT_TRUE(ended.out.starts_with("strict: ")) << ended.out;
}

TEST(Sim, WritesReportsForMachines) {
  const Scratch scratch;
  const std::string xml = scratch.path("hunt.xml");
  const Ended hunt = sim({"hunt", "strict", bug, "leased", "-n", "1000", "-k", "--junit", xml});
  EXPECT_EQ(hunt.exit, 1) << hunt.err;
  const std::string report = content(xml);
  EXPECT_EQ(mistakes_of(report), "") << report;
  EXPECT_TRUE(says(report, "tests=\"3\" failures=\"1\"")) << report;
  EXPECT_TRUE(says(report, "<failure message=\"exclusion: two holders (tenure sim replay ")) << report;
  if (!has_jq()) GTEST_SKIP() << "without jq";
  const Ended json = sim({"hunt", "strict", "leased", "-n", "100", "--json"});
  EXPECT_EQ(json.exit, 0);
  EXPECT_EQ(jq(json.out, "map(.target) | join(\" \")"), "strict leased");
  EXPECT_EQ(jq(json.out, ".[0].runs"), "100");
  EXPECT_EQ(jq(sim({"targets", "--json"}).out, "map(select(.name == \"stale-takeover-unlink\"))[0].property"), "exclusion");
}

TEST(Sim, WritesOnePageThatNeedsNoOther) {
  const Scratch scratch;
  const std::string html = scratch.path("failure.html");
  EXPECT_EQ(sim({"replay", bug, "--run", failing_run, "--html", html}).exit, 1);
  const std::string page = content(html);
  EXPECT_TRUE(says(page, "<html") && says(page, "exclusion") && says(page, "--run sweep:7@9")) << page.substr(0, 1000);
  EXPECT_FALSE(says(page, "src=\"http") || says(page, "href=\"http"));
  const Ended refused = sim({"replay", bug, "--run", failing_run, "--html", scratch.path("none/failure.html")});
  EXPECT_EQ(refused.exit, 73);
  EXPECT_TRUE(says(refused.err, "none/failure.html\" cannot be written: No such file")) << refused.err;
}

TEST(Sim, ShrinksAndKeepsTheTape) {
  const Scratch scratch;
  const std::string tape = scratch.path("small.tape");
  const Ended shrunk = sim({"shrink", bug, "--run", failing_run, "-o", tape});
  EXPECT_EQ(shrunk.exit, 0) << shrunk.err;
  EXPECT_TRUE(says(shrunk.out, "before") && says(shrunk.out, "after")) << shrunk.out;
  EXPECT_EQ(sim({"replay", bug, "--tape-file", tape}).exit, 1);
  EXPECT_EQ(sim({"replay", bug, "--tape-file", "-"}, content(tape)).exit, 1);
  EXPECT_EQ(paste(after(shrunk.out, "repro: ")).exit, 1);
}

TEST(Sim, ExplainsInWords) {
  const Ended ended = sim({"explain", bug, "--run", failing_run});
  EXPECT_EQ(ended.exit, 0) << ended.err;
  EXPECT_TRUE(says(ended.out, "It means: Two believe")) << ended.out;
  EXPECT_TRUE(says(ended.out, "acted on the old answer")) << ended.out;
  EXPECT_TRUE(says(ended.out, "was killed at step")) << ended.out;
  EXPECT_TRUE(says(ended.out, "(lock_file.cpp:")) << "the place in the source: " << ended.out;
}

TEST(Sim, TheCatalogueTellsWhatItFound) {
  const Scratch scratch;
  const std::string xml = scratch.path("catalogue.xml");
  const Ended table = sim({"catalogue", bug, "two-upgraders-wait", "--junit", xml});
  EXPECT_EQ(table.exit, 0) << table.out;
  EXPECT_TRUE(says(table.out, "2 of 2 found")) << table.out;
  EXPECT_EQ(mistakes_of(content(xml)), "");
  EXPECT_TRUE(says(content(xml), "tests=\"4\" failures=\"0\""));
  EXPECT_EQ(sim({"catalogue", "bell-after-record", "--runs", "3"}).exit, 1) << "that is not enough to find it";
  if (!has_jq()) GTEST_SKIP() << "without jq";
  const Ended json = sim({"catalogue", bug, "--json"});
  EXPECT_EQ(
      jq(json.out,
         ".[0] | [.name, .property, .found, .engine, .seeds > 0, .source != \"\", .sound_runs >= 1000] | map(tostring) | join(\" \")"),
      "stale-takeover-unlink exclusion true uniform true true true");
  const Ended again = paste(jq(json.out, ".[0].repro") + " --json");
  EXPECT_EQ(jq(again.out, ".hash"), jq(json.out, ".[0].hash"));
}

struct Refusal {
  Arguments arguments;
  int exit;
  std::string words;
};

TEST(Sim, RefusesWithASentenceThatSaysWhatToDo) {
  const Scratch scratch;
  const std::string rubbish = scratch.path("rubbish");
  std::ofstream(rubbish) << "no tape!";
  const std::vector<Refusal> refusals{
      {{}, 64, "which command?"},
      {{"hint"}, 64, "near it: hunt"},
      {{"run"}, 64, "which target?"},
      {{"run", "stict"}, 64, "there is no target \"stict\"; near it: strict"},
      {{"run", "strict", "leased"}, 64, "one target at a time"},
      {{"run", "strict", "--budget", "5"}, 64, "`run` takes no --budget"},
      {{"run", "strict", "--frobnicate"}, 64, "there is no option --frobnicate"},
      {{"run", "strict", "--runs"}, 64, "needs a value"},
      {{"run", "strict", "--runs", "0"}, 64, "a number from 1"},
      {{"run", "strict", "--run", "pct9:1"}, 64, "no run; write"},
      {{"run", "strict", "--engine", "magic"}, 64, "no engine; there are"},
      {{"hunt", "strict", "--budget", "soon"}, 64, "no duration; write"},
      {{"hunt", "strict", "--budget", "0"}, 64, "no duration; write"},
      {{"replay", "strict"}, 64, "which run?"},
      {{"replay", "strict", "--tape", "!"}, 64, "that is no tape"},
      {{"replay", "strict", "--tape-file", rubbish}, 65, "that is no tape"},
      {{"replay", "strict", "--tape-file", scratch.path("none")}, 66, "No such file"},
      {{"replay", "strict", "--tape-file", scratch.path("")}, 66, "cannot be read"},
      {{"catalogue", "stale-takeover"}, 64, "near it: stale-takeover-unlink"},
      {{"catalogue", "strict"}, 64, "the catalogue has no bug"},
      {{"run", "\x1b[31m"}, 64, "there is no target \"?[31m\""},
  };
  for (const Refusal& refusal : refusals) {
    const Ended ended = sim(refusal.arguments);
    EXPECT_EQ(ended.exit, refusal.exit) << refusal.words << ": " << ended.err;
    EXPECT_TRUE(says(ended.err, refusal.words)) << refusal.words << ": " << ended.err;
    EXPECT_TRUE(ended.err.starts_with("tenure sim: ")) << ended.err;
    EXPECT_EQ(ended.out, "");
  }
}

TEST(Sim, SaysWhatToInstallWhereItIsMissing) {
  const Scratch scratch;
  std::filesystem::copy_file(TENURE_PROGRAM, scratch.path("tenure"));
  const Ended ended = run_to_end({scratch.path("tenure"), "sim", "targets"});
  EXPECT_EQ(ended.exit, 69);
  EXPECT_TRUE(says(ended.err, "the simulator is not installed")) << ended.err;
}

TEST(Sim, IsAProgramOfOnesOwnToo) {
  EXPECT_TRUE(outsider({"--help"}).out.starts_with(std::string(TENURE_SIM_OUTSIDER) + ": ")) << outsider({"--help"}).out;
  EXPECT_FALSE(says(outsider({"--help"}).out, "\n  catalogue"));
  EXPECT_EQ(outsider({"catalogue"}).exit, 64);
  const Ended hunt = outsider({"hunt", "--runs", "1000"});
  EXPECT_EQ(hunt.exit, 1);
  EXPECT_TRUE(says(hunt.out, "FAILED exclusion in test-and-set: two holders") || says(hunt.out, "FAILED exclusion in test-and-set"))
      << hunt.out;
  EXPECT_EQ(paste(after(hunt.out, "repro: ")).exit, 1);
}

}  // namespace
}  // namespace tenure::tests
