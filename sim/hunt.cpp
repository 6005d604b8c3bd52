#include <tenure/sim/hunt.hpp>

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <system_error>
#include <thread>

#include <tenure/sim/crash_guard.hpp>

#include "sim/wire.hpp"

namespace tenure::sim {

namespace {

using Clock = std::chrono::steady_clock;

// What a worker tells without a system call, and what is left of it when it dies.
struct WorkerPage {
  std::atomic<std::uint64_t> index;  // of the run under way
  std::atomic<std::uint32_t> horizon_steps;
  std::atomic<std::uint64_t> runs;
  std::atomic<std::uint64_t> steps;
  std::atomic<std::uint64_t> counts[4];  // ticks, kills, pauses, faults
};

class SharedPages {
 public:
  explicit SharedPages(std::size_t count) : bytes_(count * sizeof(WorkerPage)) {
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "no memory for the workers' pages");
  }
  ~SharedPages() { munmap(memory_, bytes_); }
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;
  WorkerPage& operator[](std::size_t i) { return static_cast<WorkerPage*>(memory_)[i]; }

 private:
  std::size_t bytes_;
  void* memory_;
};

Config config_of(const Target& target, Scenario& scenario) { return target.config ? *target.config : scenario.config(); }

// --- In a worker ----------------------------------------------------------------------------------------------------------------------

volatile std::sig_atomic_t stop_asked = 0;

bool process_is_spoilt(const std::string& property) { return property == "crash" || !can_be_shrunk(property); }

void add(std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

// Around fork(): a worker that is asked to stop before it listens would never hear of it.
class SignalsHeld {
 public:
  SignalsHeld() {
    const sigset_t stops = stop_signals();
    sigprocmask(SIG_BLOCK, &stops, &before_);
  }
  ~SignalsHeld() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

  // In the worker, when it listens.
  static void release() {
    const sigset_t stops = stop_signals();
    sigprocmask(SIG_UNBLOCK, &stops, nullptr);
  }

 private:
  static sigset_t stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
  }
  sigset_t before_{};
};

[[noreturn]] void work(const Target& target, const HuntOptions& options, std::uint64_t index, std::uint32_t stride, WorkerPage& page,
                       int out) {
  const CrashGuard guard(options.silent_seconds_max);
  signal(SIGTERM, [](int) { stop_asked = 1; });
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  SignalsHeld::release();
  page.index.store(index);
  const std::unique_ptr<Scenario> scenario = target.make();
  Runner runner(*scenario, config_of(target, *scenario));
  page.horizon_steps.store(runner.config().horizon_steps);
  std::map<std::string, bool> known;
  for (;; index += stride) {
    if (stop_asked != 0 || index - options.first_index >= options.runs_max) break;
    page.index.store(index, std::memory_order_relaxed);
    const RunId id = run_at(index, runner.config(), options.engine);
    const Verdict verdict = runner.run(id);
    add(page.runs, 1);
    add(page.steps, verdict.steps);
    add(page.counts[0], verdict.ticks);
    add(page.counts[1], verdict.kills);
    add(page.counts[2], verdict.pauses);
    add(page.counts[3], verdict.faults);
    if (verdict.failed && known.emplace(verdict.property, true).second) {
      wire::send_finding(out, index,
                         {verdict.property, verdict.detail, id, 0, verdict.hash, 1, runner.tape().decisions(), runner.config()});
      if (process_is_spoilt(verdict.property)) _exit(wire::spoilt);
    }
    if ((page.runs.load(std::memory_order_relaxed) & 1023) == 0 && wire::parent_is_gone(out)) _exit(wire::done);
  }
  wire::send_sometimes(out, runner.world().sometimes_counts());
  _exit(wire::done);
}

// --- In the hunter --------------------------------------------------------------------------------------------------------------------

struct Worker {
  pid_t pid = -1;
  int in = -1;
  std::string received;
};

class Hunter {
 public:
  Hunter(const Target& target, const HuntOptions& options)
      : target_(target),
        options_(options),
        jobs_(options.jobs != 0 ? options.jobs : std::max(1u, std::thread::hardware_concurrency())),
        pages_(jobs_),
        workers_(jobs_),
        started_(Clock::now()) {}
  ~Hunter() {
    for (Worker& worker : workers_) stop(worker);
  }
  Hunter(const Hunter&) = delete;
  Hunter& operator=(const Hunter&) = delete;

  Report hunt(const std::function<void(const HuntProgress&)>& progress);

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }
  void start(std::size_t number, std::uint64_t index);
  void stop(Worker& worker);
  void listen(int timeout_ms);
  void read_from(Worker& worker);
  void bury(std::size_t number);
  void tell_of_death(std::size_t number, int status);
  HuntProgress progress();
  Report report();

  const Target& target_;
  const HuntOptions& options_;
  std::uint32_t jobs_;
  SharedPages pages_;
  std::vector<Worker> workers_;
  Clock::time_point started_;
  std::uint32_t living_ = 0;
  bool asked_to_stop_ = false;
  std::map<std::string, std::pair<std::uint64_t, Failure>> findings_;  // by property: the index, and the failure
  std::map<std::string, std::uint64_t> sometimes_;
};

void Hunter::start(std::size_t number, std::uint64_t index) {
  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) throw std::system_error(errno, std::generic_category(), "no pipe for a worker");
  const SignalsHeld held;
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "no process for a worker");
  if (pid == 0) {
    close(pipe_fds[0]);
    work(target_, options_, index, jobs_, pages_[number], pipe_fds[1]);
  }
  close(pipe_fds[1]);
  workers_[number] = {pid, pipe_fds[0], {}};
  ++living_;
}

void Hunter::stop(Worker& worker) {
  if (worker.pid < 0) return;
  kill(worker.pid, SIGKILL);
  waitpid(worker.pid, nullptr, 0);
  close(worker.in);
  worker = {};
  --living_;
}

void Hunter::listen(int timeout_ms) {
  std::vector<pollfd> fds;
  for (const Worker& worker : workers_) fds.push_back({worker.in, POLLIN, 0});
  if (poll(fds.data(), fds.size(), timeout_ms) <= 0) return;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    if ((fds[i].revents & (POLLIN | POLLHUP)) == 0) continue;
    if (!wire::receive(workers_[i].in, workers_[i].received)) bury(i);
    wire::take(workers_[i].received, findings_, sometimes_);
  }
}

// A worker that spoilt itself is replaced by one that goes on behind the run that did it.
void Hunter::bury(std::size_t number) {
  Worker& worker = workers_[number];
  wire::take(worker.received, findings_, sometimes_);
  int status = 0;
  waitpid(worker.pid, &status, 0);
  close(worker.in);
  worker = {};
  --living_;
  if (WIFEXITED(status) && WEXITSTATUS(status) == wire::done) return;
  if (asked_to_stop_) return;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != wire::spoilt) tell_of_death(number, status);
  const std::uint64_t next = pages_[number].index.load() + jobs_;
  const bool enough = options_.stop_at_first && !findings_.empty();
  if (!enough && seconds() < options_.seconds_max) start(number, next);
}

void Hunter::tell_of_death(std::size_t number, int status) {
  const std::uint64_t index = pages_[number].index.load();
  const std::unique_ptr<Scenario> scenario = target_.make();
  Failure failure;
  failure.property = "crash";
  failure.detail = "the process that simulated this run ";
  failure.detail += WIFSIGNALED(status) ? "died of signal " + std::to_string(WTERMSIG(status))
                                        : "ended with status " + std::to_string(WEXITSTATUS(status));
  failure.config = config_of(target_, *scenario);
  failure.config.horizon_steps = pages_[number].horizon_steps.load();
  failure.id = run_at(index, failure.config, options_.engine);
  failure.count = 1;
  findings_.try_emplace(failure.property, index, failure);
}

HuntProgress Hunter::progress() {
  HuntProgress now{seconds(), 0, 0, findings_.size()};
  for (std::size_t i = 0; i < jobs_; ++i) {
    now.runs += pages_[i].runs.load();
    now.steps += pages_[i].steps.load();
  }
  return now;
}

Report Hunter::hunt(const std::function<void(const HuntProgress&)>& told) {
  for (std::uint32_t i = 0; i < jobs_; ++i) start(i, options_.first_index + i);
  double next_told = 1;
  const auto stopped = [this] { return options_.stop != nullptr && *options_.stop != 0; };
  while (living_ != 0 && !stopped() && seconds() < options_.seconds_max && !(options_.stop_at_first && !findings_.empty())) {
    const double wait = std::min({0.2, options_.seconds_max - seconds(), told ? next_told - seconds() : 1.0});
    listen(std::max(1, static_cast<int>(wait * 1000)));
    if (!told || seconds() < next_told) continue;
    next_told = seconds() + 1;
    told(progress());
  }
  // Those who still hunt say what they have seen when they are asked to stop.
  asked_to_stop_ = true;
  for (Worker& worker : workers_) {
    if (worker.pid > 0) kill(worker.pid, SIGTERM);
  }
  const auto deadline = Clock::now() + std::chrono::seconds(5);
  while (living_ != 0 && Clock::now() < deadline) listen(100);
  return report();
}

Report Hunter::report() {
  Report report;
  report.seconds = seconds();
  for (std::size_t i = 0; i < jobs_; ++i) {
    report.runs += pages_[i].runs.load();
    report.steps += pages_[i].steps.load();
    report.ticks += pages_[i].counts[0].load();
    report.kills += pages_[i].counts[1].load();
    report.pauses += pages_[i].counts[2].load();
    report.faults += pages_[i].counts[3].load();
  }
  std::vector<std::pair<std::uint64_t, Failure>> found;
  for (auto& [property, finding] : findings_) found.push_back(finding);
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [index, failure] : found) {
    failure.run = index - options_.first_index + 1;
    report.failures.push_back(std::move(failure));
  }
  report.sometimes.assign(sometimes_.begin(), sometimes_.end());
  return report;
}

}  // namespace

Report hunt(const Target& target, const HuntOptions& options, const std::function<void(const HuntProgress&)>& progress) {
  return Hunter(target, options).hunt(progress);
}

Verdict run_isolated(const Target& target, const Config& config, const std::vector<Decision>& tape, const HuntOptions& options) {
  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) throw std::system_error(errno, std::generic_category(), "no pipe for a worker");
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "no process for a worker");
  if (pid == 0) {
    close(pipe_fds[0]);
    const CrashGuard guard(options.silent_seconds_max);
    const std::unique_ptr<Scenario> scenario = target.make();
    Runner runner(*scenario, config);
    const Verdict verdict = runner.replay(tape);
    wire::send_finding(pipe_fds[1], verdict.steps,
                       {verdict.failed ? verdict.property : "", verdict.detail, {}, 0, verdict.hash, 1, {}, config});
    _exit(wire::done);
  }
  close(pipe_fds[1]);
  std::string received;
  while (wire::receive(pipe_fds[0], received)) {
  }
  close(pipe_fds[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  std::map<std::string, std::pair<std::uint64_t, Failure>> findings;
  std::map<std::string, std::uint64_t> sometimes;
  wire::take(received, findings, sometimes);
  Verdict verdict;
  if (findings.empty()) {
    verdict.failed = true;
    verdict.property = "crash";
    verdict.detail = "the process that simulated this run died";
    return verdict;
  }
  const auto& [steps, failure] = findings.begin()->second;
  verdict.failed = !failure.property.empty();
  verdict.property = failure.property;
  verdict.detail = failure.detail;
  verdict.hash = failure.hash;
  verdict.steps = static_cast<std::uint32_t>(steps);
  return verdict;
}

}  // namespace tenure::sim
