#include "tests/ipc/process_harness.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

namespace tenure::test {

namespace {

using Clock = std::chrono::steady_clock;

// The mark of tokens lies in the user's home: not in the real one, where that can be helped.
class PrivateHome : public testing::Environment {
  void SetUp() override {
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) return;
    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=755");
    if (const passwd* user = getpwuid(0)) mount("tmpfs", user->pw_dir, "tmpfs", 0, "mode=700");
  }
};
[[maybe_unused]] const testing::Environment* const private_home = testing::AddGlobalTestEnvironment(new PrivateHome);

int status_of_ended(pid_t pid, nanoseconds within, bool& ended) {
  int status = 0;
  ended = eventually([&] { return waitpid(pid, &status, WNOHANG) == pid; }, within);
  return status;
}

}  // namespace

bool eventually(const std::function<bool()>& question, nanoseconds within) {
  const auto until = Clock::now() + within;
  for (;;) {
    if (question()) return true;
    if (Clock::now() >= until) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
}

std::string numbered(std::string_view prefix, long long number) {
  std::string text(prefix);
  return text += std::to_string(number);
}

double milliseconds_since(Clock::time_point since) { return std::chrono::duration<double, std::milli>(Clock::now() - since).count(); }

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  path_ = std::string(base != nullptr && *base == '/' ? base : "/tmp") + "/tenure-test-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) {
    std::perror(path_.c_str());
    std::abort();
  }
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void die_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

Child Child::run(const std::function<int()>& body) {
  std::fflush(nullptr);
  Child child;
  const pid_t parent = getpid();
  child.pid_ = fork();
  if (child.pid_ != 0) return child;
  die_with_parent();
  if (getppid() != parent) _exit(1);
  const int code = body();
  std::fflush(nullptr);
  _exit(testing::Test::HasFailure() ? failed_inside : code);
}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

void Child::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

std::optional<int> Child::ends(nanoseconds within) {
  if (pid_ <= 0) return std::nullopt;
  bool ended = false;
  const int status = status_of_ended(pid_, within, ended);
  if (!ended) return std::nullopt;
  pid_ = -1;
  return status;
}

int Child::exit_code(nanoseconds within) {
  const std::optional<int> status = ends(within);
  return status && WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
}

bool be_born_into(int namespaces, const std::function<bool()>& between, pid_t& born) {
  if (unshare(namespaces) != 0 || (between && !between())) return false;
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    die_with_parent();
    return true;
  }
  born = child;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

// ---- the actor's side ---------------------------------------------------------------------------------------------------------------

namespace {

bool has_opened(Self& self, Answer& answer) {
  if (self.space) return true;
  auto opened = Space::open(self.options);
  if (!opened) {
    answer.open_code = opened.error().code;
    std::snprintf(answer.message, sizeof answer.message, "%s", opened.error().message.c_str());
    answer.error = AcquireError::system;
    return false;
  }
  self.space.emplace(std::move(*opened));
  return true;
}

void tell(const Lease& lease, Answer& answer) {
  answer.token = lease.token();
  answer.state = lease.state();
  answer.remaining_ns = lease.remaining().count();
  answer.previous_holder_died = lease.previous_holder_died();
  answer.previous_holder_expired = lease.previous_holder_expired();
}

void keep(Self& self, const Order& order, Result<Lease, AcquireError> result, Answer& answer) {
  answer.ok = result.has_value();
  if (!answer.ok) {
    answer.error = result.error();
    std::snprintf(answer.message, sizeof answer.message, "%s", std::string(to_string(answer.error)).c_str());
    return;
  }
  tell(*result, answer);
  self.leases[order.name] = std::move(*result);
}

Terms terms_of(const Order& order) { return {nanoseconds(order.ttl_ns), order.renew}; }

void act_open(Self&, const Order&, Answer& answer) { answer.ok = true; }

void act_acquire(Self& self, const Order& order, Answer& answer) {
  if (order.timeout_ns < 0) return keep(self, order, self.space->acquire(order.name, terms_of(order)), answer);
  keep(self, order, self.space->acquire_for(order.name, nanoseconds(order.timeout_ns), terms_of(order)), answer);
}

void act_try(Self& self, const Order& order, Answer& answer) {
  keep(self, order, self.space->try_acquire(order.name, terms_of(order)), answer);
}

void act_release(Self& self, const Order& order, Answer& answer) {
  const auto found = self.leases.find(order.name);
  if (found == self.leases.end()) return;
  answer.ok = found->second.release();
  self.leases.erase(found);
}

void act_look(Self& self, const Order& order, Answer& answer) {
  const auto found = self.leases.find(order.name);
  if (found == self.leases.end()) return;
  tell(found->second, answer);
  answer.ok = found->second.still_held();
}

void act_extend(Self& self, const Order& order, Answer& answer) {
  const auto found = self.leases.find(order.name);
  answer.ok = found != self.leases.end() && found->second.extend(nanoseconds(order.ttl_ns));
  if (found != self.leases.end()) tell(found->second, answer);
}

void act_remove(Self& self, const Order& order, Answer& answer) {
  const auto removed = self.space->remove(order.name);
  answer.ok = removed.has_value();
  if (!answer.ok) answer.number = static_cast<std::int64_t>(removed.error());
}

void act_see(Self& self, const Order& order, Answer& answer) {
  const auto report = self.space->show(order.name);
  if (!report) {
    answer.error = report.error();
    answer.number = -1;
    return;
  }
  answer.ok = report->held;
  answer.number = static_cast<std::int64_t>(report->waiters.size());
  answer.token = report->last_token;
}

bool receive_whole(int socket, void* into, std::size_t bytes) {
  ssize_t got = 0;
  do {
    got = recv(socket, into, bytes, MSG_WAITALL);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(bytes);
}

int play(Space::Options options, int socket) {
  Self self{std::move(options), {}, {}, socket};
  Order order;
  while (receive_whole(socket, &order, sizeof order)) {
    Answer answer;
    if (order.act == nullptr) return 0;
    if (has_opened(self, answer)) order.act(self, order, answer);
    if (send(self.socket, &answer, sizeof answer, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof answer)) return 1;
  }
  return 0;
}

}  // namespace

// ---- the test's side ----------------------------------------------------------------------------------------------------------------

Actor::Actor(Role role) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  socket_ = Socket(ends[0]);
  child_ = Child::run([&]() -> int {
    ::close(ends[0]);
    if (role.before && !role.before(*born_)) return 1;
    return play(role.options, ends[1]);
  });
  ::close(ends[1]);
}

void Actor::send(const Order& order) {
  if (::send(socket_.get(), &order, sizeof order, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof order)) {
    ADD_FAILURE() << "the actor has left: " << std::strerror(errno);
  }
}

Order Actor::order(Act act, std::string_view name, Terms terms, nanoseconds timeout) {
  Order order;
  order.act = act;
  std::snprintf(order.name, sizeof order.name, "%.*s", static_cast<int>(name.size()), name.data());
  order.ttl_ns = terms.ttl.count();
  order.renew = terms.renew;
  order.timeout_ns = timeout.count();
  return order;
}

bool Actor::is_silent(nanoseconds during) {
  pollfd waited{socket_.get(), POLLIN, 0};
  return poll(&waited, 1, static_cast<int>(during.count() / 1'000'000)) == 0;
}

Answer Actor::answers(nanoseconds within) {
  Answer answer;
  if (is_silent(within)) {
    ADD_FAILURE() << "process " << pid() << " does not answer";
    return answer;
  }
  if (!receive_whole(socket_.get(), &answer, sizeof answer)) {
    const std::optional<int> status = child_.ends();
    ADD_FAILURE() << "the actor has left the stage, with wait status " << status.value_or(-1);
    return Answer{};
  }
  return answer;
}

void Actor::begins(Act act, std::string_view name, std::int64_t number) {
  Order what = order(act, name, {}, nanoseconds(-1));
  what.number = number;
  send(what);
}

Answer Actor::does(Act act, std::string_view name, std::int64_t number) {
  begins(act, name, number);
  return answers();
}

Answer Actor::opens() { return does(act_open); }
Answer Actor::releases(std::string_view name) { return does(act_release, name); }
Answer Actor::looks_at(std::string_view name) { return does(act_look, name); }
Answer Actor::removes(std::string_view name) { return does(act_remove, name); }
Answer Actor::sees(std::string_view name) { return does(act_see, name); }

Answer Actor::acquires(std::string_view name, Terms terms, nanoseconds timeout) {
  send(order(act_acquire, name, terms, timeout));
  return answers(2 * patience);
}

Answer Actor::tries(std::string_view name, Terms terms) {
  send(order(act_try, name, terms, {}));
  return answers();
}

Answer Actor::extends(std::string_view name, nanoseconds ttl) {
  send(order(act_extend, name, {ttl, true}, {}));
  return answers();
}

void Actor::begins_to_acquire(std::string_view name, Terms terms, nanoseconds timeout) { send(order(act_acquire, name, terms, timeout)); }

void Actor::dies() {
  ::kill(pid(), SIGKILL);
  child_.kill();
}

void Actor::stops() {
  ::kill(pid(), SIGSTOP);
  const std::string path = numbered("/proc/", pid()) + "/stat";
  EXPECT_TRUE(eventually([&] {
    char text[512] = "";
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t got = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) ::close(file);
    const char* end = got > 0 ? std::strrchr(text, ')') : nullptr;
    return end != nullptr && end[2] == 'T';
  }));
}

Stage::Stage() : Stage(Space::Options{}) {}

Stage::Stage(Space::Options options) : options_(std::move(options)) { options_.name = directory_.path(); }

Actor& Stage::observer() {
  if (!observer_) observer_.emplace(actor());
  return *observer_;
}

bool Stage::queue_of(std::string_view name, int waiters) {
  return eventually([&] { return observer().sees(name).number == waiters; });
}

std::string why_not_root() { return geteuid() == 0 ? "" : "needs root"; }

}  // namespace tenure::test
