// Many at once on one name.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <random>
#include <sstream>

#include <tenure/tenure.hpp>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

std::vector<pid_t> numbers_in(const std::string& text) {
  std::istringstream stream(text);
  std::vector<pid_t> numbers;
  for (pid_t number = 0; stream >> number;) numbers.push_back(number);
  return numbers;
}

// Two hundred wait, and every 5 ms one of them is killed. Each that lives gets its turn once, in the order of the tickets.
TEST(Queue, ServesInOrderOfTicketsWhoeverDies) {
  constexpr std::size_t processes = is_sanitized ? 40 : 200;
  const Scratch scratch;
  Space::Options options;
  options.name = scratch.space();
  Result<Space, OpenError> space = Space::open(options);
  ASSERT_TRUE(space);
  Result<Lease, AcquireError> blocker = space->acquire("n");
  ASSERT_TRUE(blocker);

  // The parent of a command is its guard, whose session waits in the queue.
  const Arguments command = scratch.run({"n", "sh", "-c", "echo $PPID >> " + scratch.path("turns")});
  std::vector<std::unique_ptr<Process>> waiting;
  for (std::size_t i = 0; i < processes; ++i) waiting.push_back(std::make_unique<Process>(command));
  ASSERT_TRUE(eventually([&] { return space->show("n")->waiters.size() == processes; }));
  std::vector<pid_t> queue;
  const Result<NameReport, AcquireError> report = space->show("n");
  for (const WaiterReport& waiter : report->waiters) queue.push_back(static_cast<pid_t>(waiter.pid));
  std::map<pid_t, std::size_t> guards;
  for (std::size_t i = 0; i < processes; ++i) guards[waiting[i]->guard()] = i;
  ASSERT_EQ(guards.size(), processes);

  blocker->release();
  std::mt19937 random(11);
  std::vector<bool> killed(processes);
  const auto all_have_ended = [&] { return std::ranges::all_of(waiting, [](const auto& process) { return process->has_ended(); }); };
  for (int i = 0; i < 60 && !all_have_ended(); ++i) {
    const std::size_t victim = std::uniform_int_distribution<std::size_t>(0, processes - 1)(random);
    if (!waiting[victim]->has_ended()) {
      waiting[victim]->send(SIGKILL);
      killed[victim] = true;
    }
    usleep(5000);
  }
  ASSERT_TRUE(eventually(all_have_ended));
  EXPECT_EQ(run_to_end(scratch.run({"-w", "20", "n", "true"})).exit, 0);

  const std::vector<pid_t> turns = numbers_in(scratch.read("turns"));
  std::size_t at = 0;
  for (const pid_t guard : queue) {
    const bool had_turn = at < turns.size() && turns[at] == guard;
    if (had_turn) ++at;
    EXPECT_TRUE(had_turn || killed[guards.at(guard)]) << "guard " << guard << " had no turn, or not in its place";
  }
  EXPECT_EQ(at, turns.size()) << "a turn out of order, or a second one";
}

TEST(Queue, NeverLetsTwoIn) {
  constexpr int processes = is_sanitized ? 20 : 100;
  const Scratch scratch;
  const Journal* journal = map_journal(scratch.path("journal"));
  const Arguments command = scratch.run(Arguments{"n", "--"} + short_visitor(scratch.path("journal")));
  std::vector<std::unique_ptr<Process>> waiting;
  for (int i = 0; i < processes; ++i) waiting.push_back(std::make_unique<Process>(command));
  for (const auto& process : waiting) EXPECT_EQ(process->wait().exit, 0);
  EXPECT_EQ(journal->visits, static_cast<std::uint32_t>(processes));
  EXPECT_EQ(overlaps(*journal), 0);
}

}  // namespace
}  // namespace tenure::tests
