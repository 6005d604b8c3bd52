#include <csignal>

#include <tenure/sim/hunt.hpp>

#include "sim/commands/exit_status.hpp"
#include "sim/commands/outcome.hpp"
#include "sim/commands/progress.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

constexpr double seconds_by_default = 60;

// Those that are named, or all that are no known bugs.
std::optional<std::vector<Subject>> subjects_of(const Program& program, const Wishes& wishes) {
  std::vector<Subject> subjects;
  for (const std::string& name : wishes.operands) {
    std::optional<Subject> subject = find_subject(program, name);
    if (!subject) return {};
    subjects.push_back(std::move(*subject));
  }
  for (const Target& target : program.targets) {
    if (wishes.operands.empty() && !target.is_bug()) subjects.push_back(subject_of(target));
  }
  return subjects;
}

std::string progress_text(const Subject& subject, std::size_t number, std::size_t count, const HuntProgress& progress) {
  const double seconds = progress.seconds > 0 ? progress.seconds : 1;
  const auto rate = [&](std::uint64_t done) { return grouped(static_cast<std::uint64_t>(static_cast<double>(done) / seconds)); };
  std::string text = subject.name + " (" + std::to_string(number) + " of " + std::to_string(count) + "): " + grouped(progress.runs) +
                     " runs, " + rate(progress.runs) + " runs/s, " + rate(progress.steps) + " steps/s";
  if (progress.failures != 0) text += ", " + counted(progress.failures, "failure");
  return text;
}

volatile std::sig_atomic_t stop_signal = 0;

// While it lives, the first SIGINT or SIGTERM asks for a stop, and the second one is its usual self.
class StopSignals {
 public:
  StopSignals() {
    struct sigaction action{};
    action.sa_handler = [](int number) { stop_signal = number; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
  }
  ~StopSignals() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  struct sigaction interrupt_{};
  struct sigaction terminate_{};
};

class Hunt {
 public:
  Hunt(const Program& program, const Wishes& wishes) : program_(program), wishes_(wishes), progress_(wishes.quiet) {}

  int run(const std::vector<Subject>& subjects) {
    // A number of runs alone has no limit in time.
    seconds_left_ = wishes_.budget_seconds.value_or(wishes_.runs ? 1e9 : seconds_by_default);
    for (std::size_t i = 0; i < subjects.size() && stop_signal == 0; ++i) {
      hunt_one(subjects[i], i + 1, subjects.size());
      if (outcomes_.back().report.failed() && !wishes_.keep_going) break;
    }
    return finish();
  }

 private:
  void hunt_one(const Subject& subject, std::size_t number, std::size_t count) {
    HuntOptions options;
    options.seconds_max = seconds_left_ / static_cast<double>(count - number + 1);
    options.jobs = wishes_.jobs;
    options.engine = wishes_.engine;
    options.stop_at_first = !wishes_.keep_going;
    options.stop = &stop_signal;
    if (wishes_.runs) options.runs_max = *wishes_.runs;
    Report report =
        hunt(subject.target, options, [&](const HuntProgress& at) { progress_.show(progress_text(subject, number, count, at)); });
    seconds_left_ -= report.seconds;
    outcomes_.push_back(outcome_of(program_, subject, std::move(report)));
    progress_.clear();
    if (wishes_.json) return;
    const Outcome& outcome = outcomes_.back();
    std::string text = report_text(outcome);
    for (const Finding& finding : outcome.findings) text += '\n' + finding_text(outcome, finding);
    printed_ = print(text) && printed_;
  }

  int finish() {
    bool failed = false;
    const Finding* first = nullptr;
    std::vector<TestCase> cases;
    JsonWriter json;
    json.open_array();
    for (const Outcome& outcome : outcomes_) {
      failed |= outcome.report.failed();
      for (const Finding& finding : outcome.findings) {
        if (first == nullptr && finding.shrunk) first = &finding;
      }
      cases.push_back(test_case_of(outcome));
      write_json(json, outcome);
    }
    json.close_array();
    if (wishes_.json) printed_ = print(json.text() + "\n") && printed_;
    bool written = true;
    if (!wishes_.junit_path.empty()) written = write_file(program_, wishes_.junit_path, junit_xml(program_.name + " hunt", cases));
    if (!wishes_.html_path.empty() && first != nullptr)
      written = write_file(program_, wishes_.html_path, to_html(first->timeline)) && written;
    if (failed) return exit_failed;
    if (!written) return exit_cannot_make;
    if (stop_signal != 0) return 128 + stop_signal;  // as a shell says it
    return printed_ ? exit_ok : exit_system;
  }

  const Program& program_;
  const Wishes& wishes_;
  StopSignals signals_;
  Progress progress_;
  double seconds_left_ = 0;
  bool printed_ = true;
  std::vector<Outcome> outcomes_;
};

int run(const Program& program, const Wishes& wishes) {
  const std::optional<std::vector<Subject>> subjects = subjects_of(program, wishes);
  if (!subjects) return exit_usage;
  if (subjects->empty()) return usage_error(program, hunt_command, "which target? all of them: " + program.name + " targets");
  return Hunt(program, wishes).run(*subjects);
}

constexpr Key options[]{Key::budget, Key::runs, Key::engine, Key::jobs, Key::keep_going, Key::html, Key::junit, Key::json, Key::quiet};

}  // namespace

const Command hunt_command{
    "hunt",
    "[TARGET...] [options]",
    "looks for failures until the budget is spent",
    "Hunts in every target that is named, or in all that are no known bugs; they share the budget, by default 60 s. A\n"
    "failure ends the hunt and is shown: what failed, the smallest run that fails in this way, and the line that shows the\n"
    "run again. Interrupted, it says what it has seen so far.\n",
    options,
    "hunt --budget 10m\nhunt strict leased --budget 30s --junit hunt.xml --html failure.html\n",
    run,
};

}  // namespace tenure::sim::commands
