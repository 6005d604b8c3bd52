#include <algorithm>
#include <array>
#include <thread>

#include "tools/acquisition.hpp"
#include "tools/command.hpp"
#include "tools/hold_options.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::array specs{nonblock_option, wait_option, space_option, quiet_option, help_option};
// The library wakes those who queue, and this one does not.
constexpr milliseconds look_pause_min(5);
constexpr milliseconds look_pause_max(100);

struct Question {
  std::string name;
  std::string space;
  std::optional<nanoseconds> wait;
  bool quiet = false;
};

int not_free(const Question& question, Space& space, const NameReport& report) {
  if (question.quiet) return exit_no;
  const bool waited = question.wait->count() > 0;
  const std::string headline = quoted(question.name) + (waited ? " was not free within " + duration_text(*question.wait) : " is not free");
  complain(conflict_text(space, question.space, report, headline, report.waiters.size()));
  return exit_no;
}

int wait_until_free(const Question& question) {
  int status = exit_ok;
  std::optional<Space> space = open_space(question.space, true, status);
  if (!space) return status;
  const auto begin = Clock::now();
  for (nanoseconds pause = look_pause_min;; pause = std::min<nanoseconds>(2 * pause, look_pause_max)) {
    const Result<NameReport, AcquireError> report = space->show(question.name);
    if (!report) {
      complain(refusal_text(report.error(), question.name));
      return exit_status_of(report.error());
    }
    if (!is_held_now(*report)) return exit_ok;
    if (question.wait) {
      const nanoseconds left = *question.wait - (Clock::now() - begin);
      if (left.count() <= 0) return not_free(question, *space, *report);
      pause = std::min(pause, left);
    }
    std::this_thread::sleep_for(pause);
  }
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::mixed);
  if (!parsed.error.empty()) return usage_error(wait_command, parsed.error);
  Question question;
  std::string_view space;
  for (const Option& option : parsed.options) {
    if (option.key == help_key) return print_help(wait_command);
    if (option.key == space_key) space = option.value;
    if (option.key == quiet_key) question.quiet = true;
    if (option.key != nonblock_key && option.key != wait_key) continue;
    if (const std::string error = take_wait_option(option, question.wait); !error.empty()) return usage_error(wait_command, error);
  }
  if (parsed.operands.size() != 1) return usage_error(wait_command, "which NAME?");
  question.name = parsed.operands[0];
  question.space = chosen_space(space);
  return wait_until_free(question);
}

}  // namespace

const Command wait_command{
    "wait",
    "[options] NAME",
    "waits until nobody holds NAME, without taking it",
    "The status is 0 when it is free, 1 when it was not within -w. It stands in no queue: it looks 10\n"
    "times a second, and may miss the moment between two holders. To go on alone: tenure run, hold.\n",
    specs,
    "  tenure wait -w 10m backups/orders && shutdown now\n",
    run,
};

}  // namespace tenure::tools
