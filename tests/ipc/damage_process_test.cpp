// What somebody does to the segment who may write to it, while others use it: garbage, truncation, holes. Never a crash, an endless
// loop, or two holders; an error that says so, and a way out of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <random>
#include <vector>

#include "core/layout.hpp"
#include "tests/ipc/process_harness.hpp"

namespace tenure::test {
namespace {

constexpr std::uint32_t sessions = 16;
constexpr int users_count = 3;
constexpr core::Geometry geometry = core::geometry_of({core::group_entries, sessions});

struct Board {
  std::atomic<bool> stop{false};
  std::atomic<bool> exclusion_counts{true};
  std::atomic<int> inside{0};  // the one who holds "shared"
  std::atomic<int> two_inside{0};
  std::array<std::atomic<std::uint64_t>, users_count> operations{};
  std::atomic<std::uint64_t> granted{0};
  std::atomic<std::uint64_t> damaged{0};
};

Space::Options small_space(const std::string& directory) {
  Space::Options options;
  options.name = directory;
  options.names = core::group_entries;
  options.sessions = sessions;
  return options;
}

void note(Board& board, AcquireError error) {
  if (error == AcquireError::damaged) ++board.damaged;
}

// One visit to the critical section of a name that all users share.
void enter_and_leave(Board& board, Result<Lease, AcquireError> lease) {
  if (!lease) return note(board, lease.error());
  ++board.granted;
  int nobody = 0;
  const bool alone = board.inside.compare_exchange_strong(nobody, getpid());
  if (!alone && board.exclusion_counts) ++board.two_inside;
  (void)lease->still_held();
  (void)lease->remaining();
  if (alone) board.inside = 0;
}

void use_once(Space& space, Board& board, std::minstd_rand& random) {
  const std::string other = numbered("other/", static_cast<int>(random() % 20)) + (random() % 4 == 0 ? std::string(100, 'x') : "");
  switch (random() % 10) {
    case 0:
    case 1:
    case 2: return enter_and_leave(board, space.try_acquire("shared"));
    case 3:
    case 4: return enter_and_leave(board, space.acquire_for("shared", milliseconds(5)));
    case 5:
      if (auto lease = space.acquire_for(other, milliseconds(2), {milliseconds(50), true}); !lease) note(board, lease.error());
      return;
    case 6:
      if (auto name = space.resolve(other); !name) note(board, name.error());
      return;
    case 7: (void)space.remove(other); return;
    case 8: (void)space.list(); return;
    default:
      (void)space.sweep();
      (void)space.show("shared");
      (void)space.sessions();
      return;
  }
}

int use(const std::string& directory, Board& board, unsigned user) {
  auto space = Space::open(small_space(directory));
  if (!space) return 0;  // the header was hit before this user came
  std::minstd_rand random(user + 1);
  while (!board.stop) {
    use_once(*space, board, random);
    ++board.operations[user];
  }
  return 0;
}

std::vector<Child> users_of(const std::string& directory, Board& board) {
  std::vector<Child> users;
  users.reserve(users_count);
  for (unsigned i = 0; i < users_count; ++i) users.push_back(Child::run([&, i] { return use(directory, board, i); }));
  return users;
}

// The segment's bytes, for whoever means harm.
class Peer {
 public:
  explicit Peer(const std::string& path) : file_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    struct stat facts{};
    if (file_ < 0 || fstat(file_, &facts) != 0) return;
    bytes_ = static_cast<std::size_t>(facts.st_size);
    void* at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (at != MAP_FAILED) base_ = static_cast<unsigned char*>(at);
  }
  ~Peer() {
    if (base_ != nullptr) munmap(base_, bytes_);
    if (file_ >= 0) close(file_);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] bool ready() const { return base_ != nullptr; }
  [[nodiscard]] int file() const { return file_; }

  void scribble(std::mt19937_64& random) {
    const std::size_t word = random() % (bytes_ / 8);
    auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(base_);
    switch (random() % 8) {
      case 0:
        for (std::size_t i = word / 512 * 512; i < word / 512 * 512 + 512; ++i) words[i] = random();
        return;
      case 1: words[word] = random(); return;
      case 2: words[word] = random() % 4096; return;                        // a number that is nearly plausible
      case 3: words[word] = words[random() % (bytes_ / 8)].load(); return;  // true of something else
      default: words[word].fetch_xor(std::uint64_t{1} << random() % 64); return;
    }
  }

 private:
  int file_;
  unsigned char* base_ = nullptr;
  std::size_t bytes_ = 0;
};

// Runs the users for a moment, then `harm`, then waits for them to end of their own accord.
void play(const std::string& directory, Board& board, const std::function<void(Peer&)>& harm) {
  std::vector<Child> users = users_of(directory, board);
  const std::string path = directory + "/default.table";
  ASSERT_TRUE(eventually([&] { return board.granted > 20; }));
  Peer peer(path);
  ASSERT_TRUE(peer.ready());
  harm(peer);
  board.stop = true;
  for (Child& user : users) {
    const std::optional<int> status = user.ends();
    ASSERT_TRUE(status.has_value()) << "a user is in an endless loop or wait";
    ASSERT_EQ(*status, 0) << "a user has crashed";
  }
}

// What the message says: when nobody uses the space, it is replaced; one whose header is sound is to be removed first.
void expect_that_it_can_be_made_anew(const std::string& directory, Token above) {
  std::remove((directory + "/default.table").c_str());
  Actor next({small_space(directory)});
  const Answer held = next.acquires("shared");
  EXPECT_TRUE(held.ok) << held.message;
  EXPECT_GT(held.token, above);
}

TEST(Damage, RandomGarbageIsSurvived) {
  constexpr unsigned rounds = sanitized ? 8 : 30;
  std::uint64_t operations = 0, damaged = 0;
  const char* wanted = std::getenv("TENURE_SEED");  // the first one, to hunt further or to see a failure again
  const unsigned first = wanted == nullptr ? 1 : static_cast<unsigned>(std::strtoul(wanted, nullptr, 10));
  for (unsigned seed = first; seed < first + rounds && !testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE(numbered("seed ", seed));
    const TemporaryDirectory directory;
    const Shared<Board> board;
    board->exclusion_counts = false;  // whoever can write to the table can let anybody in
    play(directory.path(), *board, [&](Peer& peer) {
      std::mt19937_64 random(seed);
      const int harms = 1 << seed % 10;
      for (int i = 0; i < harms; ++i) {
        peer.scribble(random);
        const std::uint64_t before = board->operations[0];
        (void)eventually([&] { return board->operations[0] > before; }, milliseconds(5));
      }
      (void)eventually([&] { return board->damaged > 0; }, milliseconds(50));
    });
    for (const auto& count : board->operations) operations += count;
    damaged += board->damaged;
    expect_that_it_can_be_made_anew(directory.path(), 0);
  }
  EXPECT_GT(damaged, 0U) << "nobody has noticed anything";
  std::printf("%llu operations under garbage, %llu of them said \"damaged\"\n", static_cast<unsigned long long>(operations),
              static_cast<unsigned long long>(damaged));
}

struct Part {
  const char* name;
  std::uint64_t begin;
  std::uint64_t end;
};
void PrintTo(const Part& printed, std::ostream* out) { *out << printed.name; }
constexpr Part parts[] = {
    {"header", 0, geometry.group_offset},
    {"groups", geometry.group_offset, geometry.slot_offset},
    {"slots", geometry.slot_offset, geometry.hold_offset},
    {"holds", geometry.hold_offset, geometry.wait_key_offset},
    {"wait_keys", geometry.wait_key_offset, geometry.wait_cell_offset},
    {"wait_cells", geometry.wait_cell_offset, geometry.entry_offset},
    {"entries", geometry.entry_offset, geometry.size_bytes},
};

class Hole : public testing::TestWithParam<Part> {};

TEST_P(Hole, IsDamageAndNoSecondHolder) {
  const TemporaryDirectory directory;
  const Shared<Board> board;
  play(directory.path(), *board, [&](Peer& peer) {
    const auto begin = static_cast<off_t>(GetParam().begin);
    const auto bytes = static_cast<off_t>(GetParam().end - GetParam().begin);
    ASSERT_EQ(fallocate(peer.file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, bytes), 0);
    (void)eventually([&] { return board->damaged > 100; }, milliseconds(500));
  });
  EXPECT_EQ(board->two_inside, 0);
  std::printf("%s: %llu grants, %llu errors \"damaged\"\n", GetParam().name, static_cast<unsigned long long>(board->granted),
              static_cast<unsigned long long>(board->damaged));
  expect_that_it_can_be_made_anew(directory.path(), 0);
}

// Neither a holder inside nor a waiter outside is where it was: the waiter must hear so, and not sleep for ever or come in.
TEST_P(Hole, EndsAWaitWithAnErrorWhileTheHolderLives) {
  Stage stage(small_space("."));
  Actor a = stage.actor(), b = stage.actor();
  const Answer held = a.acquires("x");
  ASSERT_TRUE(held.ok);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  {
    Peer const peer(stage.table_path());
    ASSERT_TRUE(peer.ready());
    ASSERT_EQ(fallocate(peer.file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(GetParam().begin),
                        static_cast<off_t>(GetParam().end - GetParam().begin)),
              0);
  }
  if (!b.is_silent(seconds(1))) {
    const Answer answer = b.answers();
    EXPECT_FALSE(answer.ok) << "a second holder";
    EXPECT_TRUE(answer.error == AcquireError::damaged || answer.error == AcquireError::session_lost) << answer.message;
    return;
  }
  // It has noticed nothing, as nothing that it needs is gone. Then it comes in when the holder goes, and not before.
  a.releases("x");
  const Answer answer = b.answers();
  EXPECT_TRUE(answer.ok || answer.error == AcquireError::damaged) << answer.message;
}

INSTANTIATE_TEST_SUITE_P(Of, Hole, testing::ValuesIn(parts), [](const auto& described) { return std::string(described.param.name); });

class Truncation : public testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override {
    if (thread_sanitized) GTEST_SKIP() << "the thread sanitizer deadlocks with itself on a SIGBUS in an atomic operation";
  }
};

TEST_P(Truncation, IsDamageAndNoSecondHolder) {
  const TemporaryDirectory directory;
  const Shared<Board> board;
  Actor newcomer({small_space(directory.path())});
  play(directory.path(), *board, [&](Peer& peer) {
    ASSERT_EQ(ftruncate(peer.file(), static_cast<off_t>(GetParam())), 0);
    (void)eventually([&] { return board->damaged > 100; }, milliseconds(500));
    const Answer opened = newcomer.opens();
    EXPECT_FALSE(opened.ok) << "while others live on the old one";
    EXPECT_EQ(opened.open_code, OpenCode::data) << opened.message;
    EXPECT_NE(std::strstr(opened.message, "still used by process"), nullptr) << opened.message;
  });
  EXPECT_EQ(board->two_inside, 0);
  EXPECT_GT(board->damaged, 0U);
  const Answer held = newcomer.acquires("shared");  // as the message says: when they have ended, it is replaced
  EXPECT_TRUE(held.ok) << held.message;
}

TEST_P(Truncation, EndsAWaitWithAnErrorOrNotAtAll) {
  Stage stage(small_space("."));
  Actor a = stage.actor(), b = stage.actor();
  ASSERT_TRUE(a.acquires("x", {seconds(30), true}).ok);
  b.begins_to_acquire("x");
  ASSERT_TRUE(stage.queue_of("x", 1));
  ASSERT_EQ(truncate(stage.table_path().c_str(), static_cast<off_t>(GetParam())), 0);
  if (!b.is_silent(seconds(2))) {
    EXPECT_EQ(b.answers().error, AcquireError::damaged);
    EXPECT_FALSE(a.looks_at("x").ok);
    EXPECT_FALSE(a.releases("x").ok);
    return;
  }
  EXPECT_TRUE(a.looks_at("x").ok) << "nothing that these two need is gone";
  EXPECT_TRUE(a.releases("x").ok);
  EXPECT_TRUE(b.answers().ok);
}

INSTANTIATE_TEST_SUITE_P(To, Truncation,
                         testing::Values(0, core::page_bytes, geometry.slot_offset,
                                         core::round_up(geometry.size_bytes / 2, core::page_bytes), geometry.entry_offset));

}  // namespace
}  // namespace tenure::test
