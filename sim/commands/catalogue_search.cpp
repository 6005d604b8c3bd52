#include "sim/commands/catalogue_search.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>

#include <tenure/sim/crash_guard.hpp>

#include "sim/commands/options.hpp"
#include "sim/commands/program.hpp"

namespace tenure::sim::commands {

namespace {

constexpr std::uint64_t sound_runs_min = 1000;
constexpr std::uint64_t engine_runs_max = 100'000;

// --- In the worker -----------------------------------------------------------------------------------------------------------------------

Budget budget_of(std::uint64_t runs_max, double seconds_max, std::string_view wanted = {}) {
  Budget budget;
  budget.wanted = wanted;
  budget.runs_max = runs_max;
  budget.seconds_max = seconds_max;
  return budget;
}

void search_twin(BugResult& result) {
  const std::optional<Subject> twin = sound_twin(*result.bug);
  if (!twin) return;
  Stage stage(*twin);
  const Report report = stage.runner.explore(budget_of(std::max(result.seeds, sound_runs_min), 1e9));
  result.sound_runs = report.runs;
  if (!report.failed()) return;
  const Failure& failure = report.failures[0];
  result.sound_failure = failure.property + (failure.id ? " in " + to_text(*failure.id) : "");
}

BugResult search(const Target& bug, const CatalogueOptions& options, double seconds_max) {
  BugResult result{&bug};
  const Subject subject = subject_of(bug);
  Stage stage(subject);
  const Report report = stage.runner.explore(budget_of(options.runs_max, seconds_max, bug.property));
  result.seconds = report.seconds;
  result.seeds = report.runs;
  if (const Failure* failure = report.failure(bug.property)) {
    result.found = true;
    result.id = failure->id;
    result.hash = failure->hash;
    result.seeds = failure->run;
  }
  search_twin(result);
  if (!options.engines) return result;
  const std::vector<RunId> engines = all_engines();
  for (const RunId& engine : engines) {
    Budget budget = budget_of(engine_runs_max, seconds_max / static_cast<double>(engines.size()), bug.property);
    budget.engine = engine;
    const Report alone = stage.runner.explore(budget);
    const Failure* failure = alone.failure(bug.property);
    result.engines.push_back(failure == nullptr ? std::nullopt : std::optional(failure->run));
  }
  return result;
}

// --- Between the two: a line of words
// ------------------------------------------------------------------------------------------------------

std::string to_line(const BugResult& result) {
  std::ostringstream out;
  out << result.found << ' ' << (result.id ? to_text(*result.id) : "-") << ' ' << result.seeds << ' ' << result.hash << ' '
      << result.seconds << ' ' << result.sound_runs << ' ' << result.engines.size();
  for (const std::optional<std::uint64_t>& runs : result.engines) out << ' ' << runs.value_or(0);
  out << ' ' << result.sound_failure;
  return out.str() + '\n';
}

bool from_line(const std::string& line, BugResult& result) {
  std::istringstream in(line);
  std::string id;
  std::size_t engines = 0;
  in >> result.found >> id >> result.seeds >> result.hash >> result.seconds >> result.sound_runs >> engines;
  if (!in || engines > all_engines().size()) return false;
  if (id != "-") result.id = run_id_from(id);
  for (; engines > 0; --engines) {
    std::uint64_t runs = 0;
    in >> runs;
    result.engines.push_back(runs == 0 ? std::nullopt : std::optional(runs));
  }
  if (!in) return false;
  in.get();
  std::getline(in, result.sound_failure);
  return true;
}

// --- In the parent -----------------------------------------------------------------------------------------------------------------------

class Workers {
 public:
  Workers(std::span<const Target* const> bugs, const CatalogueOptions& options,
          const std::function<void(const BugResult&, std::size_t)>& done)
      : bugs_(bugs), options_(options), done_(done), results_(bugs.size()), started_(std::chrono::steady_clock::now()) {}

  std::vector<BugResult> run() {
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const std::size_t jobs = options_.jobs != 0 ? options_.jobs : static_cast<std::size_t>(std::max(processors, 1L));
    std::size_t next = 0;
    while (next < bugs_.size() || !workers_.empty()) {
      while (next < bugs_.size() && workers_.size() < jobs) {
        start(next, share(bugs_.size() - next, jobs));
        ++next;
      }
      read_some();
    }
    return std::move(results_);
  }

 private:
  struct Worker {
    pid_t process;
    int pipe;
    std::size_t index;
    std::string line;
  };

  // What is left of the time, divided among those that are left.
  double share(std::size_t bugs_left, std::size_t jobs) const {
    const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    const double left = std::max(options_.seconds_max - spent, 0.0);
    return std::max(left * static_cast<double>(std::min(jobs, bugs_left)) / static_cast<double>(bugs_left), 0.01);
  }

  void start(std::size_t index, double seconds_max) {
    results_[index].bug = bugs_[index];
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return finish(index, std::string("no pipe: ") + std::strerror(errno));
    std::fflush(nullptr);
    const pid_t parent = getpid();
    const pid_t process = fork();
    if (process == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      close(ends[0]);
      work(ends[1], *bugs_[index], seconds_max);
    }
    close(ends[1]);
    if (process < 0) {
      close(ends[0]);
      return finish(index, std::string("no process: ") + std::strerror(errno));
    }
    workers_.push_back({process, ends[0], index, {}});
  }

  [[noreturn]] void work(int pipe, const Target& bug, double seconds_max) const {
    const CrashGuard guard;
    const std::string line = to_line(search(bug, options_, seconds_max));
    std::string_view rest = line;
    while (!rest.empty()) {
      const ssize_t written = write(pipe, rest.data(), rest.size());
      if (written <= 0) _exit(1);
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    _exit(0);
  }

  void read_some() {
    std::vector<pollfd> waits;
    waits.reserve(workers_.size());
    for (const Worker& worker : workers_) waits.push_back({worker.pipe, POLLIN, 0});
    if (waits.empty() || poll(waits.data(), waits.size(), -1) <= 0) return;
    std::array<char, 4096> bytes{};
    for (std::size_t i = waits.size(); i-- > 0;) {
      if (waits[i].revents == 0) continue;
      const ssize_t got = read(workers_[i].pipe, bytes.data(), bytes.size());
      if (got > 0) {
        workers_[i].line.append(bytes.data(), static_cast<std::size_t>(got));
      } else {
        reap(i);
      }
    }
  }

  void reap(std::size_t i) {
    const Worker worker = std::move(workers_[i]);
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
    close(worker.pipe);
    int status = 0;
    while (waitpid(worker.process, &status, 0) < 0 && errno == EINTR) {
    }
    std::string trouble;
    if (WIFSIGNALED(status)) trouble = std::string("its process was ended by a signal: ") + strsignal(WTERMSIG(status));
    if (trouble.empty() && !from_line(worker.line, results_[worker.index])) trouble = "its process ended without a result";
    finish(worker.index, std::move(trouble));
  }

  void finish(std::size_t index, std::string trouble) {
    results_[index].trouble = std::move(trouble);
    if (done_) done_(results_[index], ++finished_);
  }

  std::span<const Target* const> bugs_;
  const CatalogueOptions& options_;
  const std::function<void(const BugResult&, std::size_t)>& done_;
  std::vector<BugResult> results_;
  std::vector<Worker> workers_;
  std::chrono::steady_clock::time_point started_;
  std::size_t finished_ = 0;
};

}  // namespace

std::vector<BugResult> search_catalogue(std::span<const Target* const> bugs, const CatalogueOptions& options,
                                        const std::function<void(const BugResult&, std::size_t)>& done) {
  return Workers(bugs, options, done).run();
}

}  // namespace tenure::sim::commands
