// Byte locks: open-file-description locks on single bytes, claimed, probed, freed, inherited by fork and by a descriptor that is sent, on
// the simulated kernel and on the real one.
//
// Each process has a description of its own, through which it claims, and those that it was given, which it only keeps open.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <tenure/sim/atomic.hpp>
#include "ipc/descriptor.hpp"
#include "tests/sim/byte_lock_case.hpp"
#include "tests/sim/conformance.hpp"
#include "tests/sim/real_kernel.hpp"

namespace tenure::sim::conformance::byte_locks {
namespace {

// --- On the simulated kernel
// --------------------------------------------------------------------------------------------------------------

class Simulated {
 public:
  Outcome play(const Case& c, std::uint64_t of_run) {
    const Verdict verdict = host_.by_seed(of_run, [&](World& world) { conduct(world, c); });
    EXPECT_FALSE(verdict.failed) << verdict.property << ": " << verdict.detail;
    return outcome_;
  }

 private:
  // Each process is one thread that rests until the process ends, and one for each action.
  void conduct(World& world, const Case& c) {
    outcome_.clear();
    for (Atomic<std::uint32_t>& word : leave_) word.store(0);
    for (std::uint32_t i = 0; i < c.first; ++i) {
      processes_[i] = world.spawn_process();
      let_live(world, i);
    }
    settle();
    for (const Action& action : c.actions) {
      if (action.what == Action::What::kill) {
        world.send_kill(processes_[action.process]);
      } else if (action.what == Action::What::exit) {
        leave_[action.process].store(1);
        world.futex_wake(leave_[action.process].address(), 1);
      } else {
        world.spawn(processes_[action.process], [this, &action] { act(*World::active(), action); });
      }
      settle();
    }
    for (std::uint32_t i = 0; i < processes_max; ++i) leave_[i].store(1);
    for (std::uint32_t i = 0; i < processes_max; ++i) world.futex_wake(leave_[i].address(), 1);
  }

  void let_live(World& world, std::uint32_t i) {
    world.spawn(processes_[i], [this, i] {
      const FutexWatch watch{leave_[i].address(), 0};
      World::active()->futex_wait({&watch, 1}, never_ns);
    });
  }

  void act(World& world, const Action& action) {
    using enum Action::What;
    switch (action.what) {
      case claim: outcome_.push_back(static_cast<std::uint32_t>(world.claim_byte(action.target))); break;
      case free: world.free_byte(action.target); break;
      case probe: {
        std::uint32_t held = 0;
        for (std::uint32_t byte = 0; byte < bytes_max; ++byte) held |= (world.byte_is_held(byte) ? 1U : 0U) << byte;
        outcome_.push_back(held);
        break;
      }
      case fork:
        processes_[action.target] = world.spawn_child();
        let_live(world, action.target);
        break;
      case send: world.hand_over_bytes(processes_[action.target]); break;
      case close: world.close_inherited_bytes(); break;
      case kill:
      case exit: break;
    }
  }

  Conducted host_;
  std::array<Atomic<std::uint32_t>, processes_max> leave_;
  std::array<ProcessId, processes_max> processes_{};
  Outcome outcome_;
};

// --- On the real kernel
// -------------------------------------------------------------------------------------------------------------------

// A file that no name leads to any more; each open() of /proc/self/fd/N makes a description of its own.
class LockFile {
 public:
  LockFile() {
    std::array<char, 32> path{};
    std::strcpy(path.data(), "/tmp/tenure-bytes-XXXXXX");
    file_ = ipc::Descriptor(mkostemp(path.data(), O_CLOEXEC));
    unlink(path.data());
  }
  [[nodiscard]] ipc::Descriptor open_anew() const {
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", file_.get());
    return ipc::Descriptor(::open(path.data(), O_RDWR | O_CLOEXEC));
  }

 private:
  ipc::Descriptor file_;
};

// A way to send a descriptor to a process; everybody has both ends.
class Inbox {
 public:
  Inbox() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
    in_ = ipc::Descriptor(ends[0]);
    out_ = ipc::Descriptor(ends[1]);
  }
  [[nodiscard]] bool send(int descriptor) const {
    Envelope envelope;
    cmsghdr* const header = CMSG_FIRSTHDR(&envelope.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    return sendmsg(in_.get(), &envelope.message, 0) == 1;
  }
  [[nodiscard]] ipc::Descriptor receive() const {
    Envelope envelope;
    int descriptor = -1;
    if (recvmsg(out_.get(), &envelope.message, MSG_CMSG_CLOEXEC) == 1) {
      std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&envelope.message)), sizeof descriptor);
    }
    return ipc::Descriptor(descriptor);
  }

 private:
  struct Envelope {
    Envelope() {
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
    }
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
  };
  ipc::Descriptor in_;
  ipc::Descriptor out_;
};

constexpr std::uint32_t order_to_receive = 100;

class Real {
 public:
  // Children are nobody's to reap: those of the dead come to init.
  Real() : chld_before_(signal(SIGCHLD, SIG_IGN)) {}
  ~Real() { signal(SIGCHLD, chld_before_); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;

  Outcome play(const Case& c) {
    Outcome outcome;
    for (std::uint32_t i = 0; i < c.first; ++i) be_born(i);
    for (const Action& action : c.actions) {
      const std::uint32_t id = action.process;
      if (action.what == Action::What::kill || action.what == Action::What::exit) {
        die(id, action.what == Action::What::kill);
        continue;
      }
      if (action.what == Action::What::fork) prepare(action.target);
      const std::uint32_t answer = ask(id, static_cast<std::uint32_t>(action.what), action.target);
      if (answers(action.what)) outcome.push_back(answer);
      if (action.what == Action::What::fork) meet(action.target);
      if (action.what == Action::What::send) ask(action.target, order_to_receive, 0);
    }
    for (std::uint32_t i = 0; i < processes_max; ++i) die(i, true);
    return outcome;
  }

 private:
  using Lines = std::array<real::Line, processes_max>;

  void prepare(std::uint32_t id) {
    for (real::Word* word : {&lines_->at(id).asked, &lines_->at(id).answered, &lines_->at(id).pid}) word->store(0);
  }
  void be_born(std::uint32_t id) {
    prepare(id);
    if (fork() == 0) live(id);
    meet(id);
  }
  void meet(std::uint32_t id) {
    const real::Word& pid = lines_->at(id).pid;
    ASSERT_TRUE(real::await([&] { return pid.load() != 0; })) << "process " << id << " is not born";
    handles_[id] = ipc::Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid.load(), 0)));
    ASSERT_TRUE(handles_[id].is_open());
  }

  std::uint32_t ask(std::uint32_t id, std::uint32_t what, std::uint32_t target) {
    real::Line& line = lines_->at(id);
    give(line, {.what = what, .arguments = {target}});
    EXPECT_TRUE(real::await([&] { return has_answered(line); })) << "process " << id << " does not answer";
    return line.answer.load();
  }

  // Until nothing of it is left, its descriptors included.
  void die(std::uint32_t id, bool by_signal) {
    if (!handles_[id].is_open()) return;
    if (by_signal) {
      (void)syscall(SYS_pidfd_send_signal, handles_[id].get(), SIGKILL, nullptr, 0);
    } else {
      give(lines_->at(id), {.what = static_cast<std::uint32_t>(Action::What::exit)});
    }
    constexpr int patience_ms = 30'000;
    pollfd end{handles_[id].get(), POLLIN, 0};
    EXPECT_EQ(poll(&end, 1, patience_ms), 1) << "process " << id << " does not end";
    handles_[id].close();
  }

  // --- In a process of the case ---

  [[noreturn]] void live(std::uint32_t id) {
    id_ = id;
    own_ = file_.open_anew();
    serve(lines_->at(id), [this](const real::Order& order) { return act(order.what, order.arguments[0]); }, test_);
  }

  std::uint32_t act(std::uint32_t what, std::uint32_t target) {
    using enum Action::What;
    if (what == order_to_receive) {
      given_.push_back(inboxes_[id_].receive());
      return given_.back().is_open() ? 0 : 1;
    }
    switch (static_cast<Action::What>(what)) {
      case claim: {
        constexpr std::array<core::ByteClaim, 3> claims{core::ByteClaim::claimed, core::ByteClaim::held_by_other, core::ByteClaim::failed};
        const auto result = claims[static_cast<std::size_t>(ipc::lock_byte(own_.get(), target, ipc::LockKind::write))];
        mine_[target] |= result == core::ByteClaim::claimed;
        return static_cast<std::uint32_t>(result);
      }
      case free: mine_[target] = false; return static_cast<std::uint32_t>(ipc::lock_byte(own_.get(), target, ipc::LockKind::none));
      case probe: {
        std::uint32_t held = 0;
        for (std::uint32_t byte = 0; byte < bytes_max; ++byte) {
          held |= (mine_[byte] || ipc::is_write_locked(own_.get(), byte) ? 1U : 0U) << byte;
        }
        return held;
      }
      case fork:
        if (::fork() != 0) return 0;
        given_.push_back(std::exchange(own_, {}));
        mine_ = {};
        live(target);
      case send: return inboxes_[target].send(own_.get()) ? 0 : 1;
      case close: given_.clear(); return 0;
      case kill:
      case exit: break;
    }
    _exit(0);
  }

  real::OneProcessor one_processor_;
  pid_t test_ = getpid();
  void (*chld_before_)(int);
  LockFile file_;
  std::array<Inbox, processes_max> inboxes_;
  real::Shared<Lines> lines_;
  std::array<ipc::Descriptor, processes_max> handles_;

  std::uint32_t id_ = 0;
  ipc::Descriptor own_;
  std::vector<ipc::Descriptor> given_;
  std::array<bool, bytes_max> mine_{};
};

TEST(Conformance, ByteLocksAreHeldOnTheSimulatedKernelAsOnTheRealOne) {
  if (!ipc::kernel_abilities().ofd_locks) GTEST_SKIP() << "open-file-description locks are missing or forbidden";
  Random random(seed);
  Simulated simulated;
  Real kernel;
  std::uint32_t played = 0;
  std::array<std::uint32_t, 8> actions{};
  for (; played < byte_lock_cases && !testing::Test::HasFailure(); ++played) {
    const Case c = make_case(random);
    const Outcome world = kernel.play(c);
    for (std::uint64_t i = 1; i <= 3; ++i) {
      const Outcome model = simulated.play(c, i);
      EXPECT_EQ(model, world) << "case " << played << ": " << text_of(c) << "\nmodel: " << text_of(model) << "\nLinux: " << text_of(world);
    }
    for (const Action& action : c.actions) ++actions[static_cast<std::size_t>(action.what)];
  }
  EXPECT_EQ(played, byte_lock_cases);
  std::printf("byte locks: %u cases; %u claims, %u probes, %u forks, %u descriptors sent, %u deaths\n", played, actions[0], actions[2],
              actions[3], actions[4], actions[6] + actions[7]);
}

}  // namespace
}  // namespace tenure::sim::conformance::byte_locks
