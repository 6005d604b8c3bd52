// Storms: processes that acquire, release, wait, try and give up, on few names, while one is killed every 5 ms and replaced.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "tests/ipc/process_harness.hpp"

#ifndef TENURE_STORM_SECONDS
#define TENURE_STORM_SECONDS 20
#endif

namespace tenure::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int crew_count = 8, threads_count = 2, names_count = 3;
constexpr std::uint32_t lives_max = 1 << 17;  // processes in a storm
constexpr milliseconds kill_pause{5};
constexpr seconds wait_bound{10};  // the tick is 100 ms; this is for a machine that is busy with something else

struct NameBoard {
  std::atomic<std::uint32_t> inside{0};  // life * threads_count + thread + 1
  std::atomic<Token> last_token{0};
  std::atomic<std::uint64_t> grants{0}, told_of_death{0};
};
struct Board {
  std::atomic<bool> stop{false};
  std::array<NameBoard, names_count> names{};
  std::array<std::array<std::atomic<std::int64_t>, threads_count>, crew_count> waiting_since{};  // 0: not waiting
  std::array<std::atomic<bool>, lives_max> doomed{};  // set before the kill: its last instructions may still run after its bell
  std::atomic<int> two_inside{0}, old_tokens{0}, untold{0}, lost{0}, errors{0};
  std::atomic<std::int64_t> longest_wait_ns{0};
};

std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

void raise(std::atomic<std::int64_t>& most, std::int64_t value) {
  std::int64_t seen = most;
  while (seen < value && !most.compare_exchange_weak(seen, value)) {
  }
}

struct Role {
  std::uint32_t life;
  unsigned seat;  // which of the crew
  unsigned thread;
  [[nodiscard]] std::uint32_t mark() const { return life * threads_count + thread + 1; }
};
std::uint32_t life_of(std::uint32_t mark) { return (mark - 1) / threads_count; }

// The critical section: whoever is alive must be alone in here, with a token larger than all before.
void be_inside(Board& board, NameBoard& name, const Role& role, const Lease& lease, std::chrono::microseconds stay) {
  const std::uint32_t before = name.inside.exchange(role.mark());
  Token last = name.last_token;
  while (last < lease.token() && !name.last_token.compare_exchange_weak(last, lease.token())) {
  }
  const bool alive = !board.doomed[role.life];
  if (before != 0 && !board.doomed[life_of(before)] && alive) ++board.two_inside;
  if (before != 0 && !lease.previous_holder_died() && alive) ++board.untold;
  if (last >= lease.token() && alive) ++board.old_tokens;
  ++name.grants;
  if (lease.previous_holder_died()) ++name.told_of_death;
  if (stay.count() != 0) std::this_thread::sleep_for(stay);
  if (!lease.still_held() && !board.doomed[role.life]) ++board.lost;
  std::uint32_t mine = role.mark();
  if (!name.inside.compare_exchange_strong(mine, 0) && !board.doomed[role.life]) ++board.two_inside;
}

Result<Lease, AcquireError> ask(Space& space, const Name& resolved, unsigned way) {
  switch (way % 8) {
    case 0: return space.try_acquire(resolved.text());
    case 1: return resolved.try_acquire();
    case 2: return resolved.acquire_for(milliseconds(2));
    case 3: return resolved.acquire_for(milliseconds(20), {seconds(60), false});
    case 4: return resolved.acquire({seconds(60), true});
    case 5: return space.acquire(resolved.text());
    default: return resolved.acquire();
  }
}

bool is_no_conflict(AcquireError error) { return error != AcquireError::busy && error != AcquireError::timed_out; }

void work(Space& space, const std::vector<Name>& names, Board& board, const Role& role) {
  std::minstd_rand random(role.mark());
  auto& waiting_since = board.waiting_since[role.seat][role.thread];
  while (!board.stop) {
    const unsigned which = static_cast<unsigned>(random()) / 7 % names_count;
    const std::int64_t began = now_ns();
    waiting_since = began;
    auto lease = ask(space, names[which], static_cast<unsigned>(random()) / 7);
    waiting_since = 0;
    raise(board.longest_wait_ns, now_ns() - began);
    if (!lease) {
      if (is_no_conflict(lease.error()) && !board.doomed[role.life]) ++board.errors;
      continue;
    }
    const unsigned long chance = random() / 7 % 64;  // mostly short, so that there is much to do; sometimes long, so that a queue forms
    be_inside(board, board.names[which], role, *lease, std::chrono::microseconds(chance < 8 ? 100 * chance : 0));
    if (!lease->release() && !board.doomed[role.life]) ++board.lost;
  }
}

int live(const Space::Options& options, Board& board, std::uint32_t life, unsigned seat) {
  auto space = Space::open(options);
  if (!space) {
    std::fprintf(stderr, "%s\n", space.error().message.c_str());
    return 1;
  }
  std::vector<Name> names;
  for (unsigned i = 0; i < names_count; ++i) {
    auto name = space->resolve(numbered("storm/", i));
    if (!name) return 2;
    names.push_back(*name);
  }
  std::vector<std::thread> threads;
  threads.reserve(threads_count);
  for (unsigned thread = 0; thread < threads_count; ++thread) {
    threads.emplace_back([&, thread] { work(*space, names, board, {life, seat, thread}); });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

// The longest that anybody of the crew is waiting at this moment.
std::int64_t longest_wait_now_ns(const Board& board) {
  std::int64_t longest = 0;
  for (const auto& seat : board.waiting_since) {
    for (const auto& since : seat) {
      const std::int64_t began = since;
      if (began != 0) longest = std::max(longest, now_ns() - began);
    }
  }
  return longest;
}

class Storm : public testing::Test {
 protected:
  void board_a_new_one(unsigned seat) {
    const std::uint32_t life = lives_++;
    for (auto& since : board_->waiting_since[seat]) since = 0;
    crew_[seat] = Child::run([this, life, seat] { return live(stage_.options(), *board_, life, seat); });
    life_in_[seat] = life;
  }
  void kill(unsigned seat) {
    board_->doomed[life_in_[seat]] = true;
    crew_[seat].kill();
    ++kills_;
  }
  void rage() {
    std::minstd_rand random(1);
    const auto until = Clock::now() + seconds(TENURE_STORM_SECONDS);
    while (Clock::now() < until && lives_ < lives_max && !HasFailure()) {
      std::this_thread::sleep_for(kill_pause);
      const unsigned seat = static_cast<unsigned>(random()) / 7 % crew_count;
      kill(seat);
      board_a_new_one(seat);
      const std::int64_t waited = longest_wait_now_ns(*board_);
      EXPECT_LT(waited, nanoseconds(wait_bound).count()) << "somebody waits for ever";
    }
  }
  void expect_a_whole_table() {
    Actor last = stage_.actor();
    for (unsigned i = 0; i < names_count; ++i) {
      const std::string name = numbered("storm/", i);
      const Answer seen = last.sees(name);
      EXPECT_EQ(seen.number, 0) << "somebody who is not there waits for " << name;
      const Answer held = last.tries(name);
      EXPECT_TRUE(held.ok) << name << ": " << held.message;
      EXPECT_GT(held.token, board_->names[i].last_token.load());
      EXPECT_TRUE(last.releases(name).ok);
    }
    const Answer swept = last.does([](Self& self, const Order&, Answer& answer) {
      self.space->sweep();
      answer.number = static_cast<std::int64_t>(self.space->sessions().size());
    });
    EXPECT_EQ(swept.number, 1) << "sessions of the dead are left";
  }

  Stage stage_;
  Shared<Board> board_;
  std::array<Child, crew_count> crew_;
  std::array<std::uint32_t, crew_count> life_in_{};
  std::uint32_t lives_ = 0;
  int kills_ = 0;
};

TEST_F(Storm, OneKilledEveryFiveMilliseconds) {
  for (unsigned seat = 0; seat < crew_count; ++seat) board_a_new_one(seat);
  rage();
  board_->stop = true;
  for (Child& child : crew_) EXPECT_EQ(child.exit_code(), 0) << "it hangs, or has crashed";
  EXPECT_EQ(board_->two_inside, 0);
  EXPECT_EQ(board_->old_tokens, 0);
  EXPECT_EQ(board_->untold, 0) << "of a death before them";
  EXPECT_EQ(board_->lost, 0) << "leases of the living";
  EXPECT_EQ(board_->errors, 0);
  expect_a_whole_table();
  std::uint64_t grants = 0, told = 0;
  for (const NameBoard& name : board_->names) {
    EXPECT_GT(name.grants, 0U);
    grants += name.grants;
    told += name.told_of_death;
  }
  std::printf("%d s: %d kills, %llu grants, %llu told of a death, longest call %.1f ms\n", TENURE_STORM_SECONDS, kills_,
              static_cast<unsigned long long>(grants), static_cast<unsigned long long>(told),
              static_cast<double>(board_->longest_wait_ns) / 1e6);
}

// ---- two hundred at one door --------------------------------------------------------------------------------------------------------

constexpr int guests_count = 200, victims_count = 40;

struct Door {
  std::atomic<bool> open{false};
  std::atomic<int> entered{0};
  std::array<std::atomic<pid_t>, guests_count + victims_count> order{};
  std::array<pid_t, guests_count + victims_count> queue{};
  int queue_length = 0;
};

TEST(Door, TwoHundredEnterOnceEachInTheirOrder) {
  Stage stage;
  const Shared<Door> door;
  Actor doorkeeper = stage.actor();
  ASSERT_TRUE(doorkeeper.acquires("door").ok);
  const auto guest = [&](bool stays) -> int {
    while (!door->open) std::this_thread::yield();
    auto space = Space::open(stage.options());
    auto lease = space ? space->acquire("door") : AcquireError::system;
    if (!lease) return 1;
    door->order[static_cast<std::size_t>(door->entered++)] = getpid();
    if (!stays) return 0;
    for (;;) pause();
  };
  std::vector<Child> guests, victims;
  for (int i = 0; i < guests_count; ++i) guests.push_back(Child::run([&] { return guest(false); }));
  for (int i = 0; i < victims_count; ++i) victims.push_back(Child::run([&] { return guest(true); }));
  door->open = true;
  ASSERT_TRUE(stage.queue_of("door", guests_count + victims_count));
  Child look = Child::run([&] {
    auto space = Space::open(stage.options());
    const auto report = space->show("door");
    for (const WaiterReport& waiter : report->waiters)
      door->queue[static_cast<std::size_t>(door->queue_length++)] = static_cast<pid_t>(waiter.pid);
    return 0;
  });
  ASSERT_EQ(look.exit_code(), 0);
  ASSERT_EQ(door->queue_length, guests_count + victims_count);

  ASSERT_TRUE(doorkeeper.releases("door").ok);
  std::shuffle(victims.begin(), victims.end(), std::minstd_rand(1));
  std::vector<pid_t> killed;
  for (Child& victim : victims) {
    std::this_thread::sleep_for(kill_pause);
    killed.push_back(victim.pid());
    victim.kill();
  }
  std::vector<pid_t> expected, entered;
  const auto is_guest = [&](pid_t pid) { return std::find(killed.begin(), killed.end(), pid) == killed.end(); };
  for (Child& one : guests) EXPECT_EQ(one.exit_code(), 0);
  std::copy_if(door->queue.begin(), door->queue.end(), std::back_inserter(expected), is_guest);
  std::copy_if(door->order.begin(), door->order.begin() + door->entered, std::back_inserter(entered), is_guest);
  EXPECT_EQ(entered, expected);
}

}  // namespace
}  // namespace tenure::test
