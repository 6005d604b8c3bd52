#include "sim/commands/explanation.hpp"

#include <unistd.h>

#include <cstdlib>

#include "sim/commands/exit_status.hpp"
#include "sim/commands/small.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

int run(const Program& program, const Wishes& wishes) {
  int status = exit_ok;
  const std::optional<Small> small = small_run(program, explain_command, wishes, status);
  if (!small) return status;
  const Finding& finding = small->finding;
  if (!wishes.html_path.empty() && !write_file(program, wishes.html_path, to_html(finding.timeline))) return exit_cannot_make;
  TextOptions options;
  options.color = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  std::string text = to_text(finding.timeline, options) + '\n' + explanation(finding.timeline, small->stage->subject.target.summary);
  text += "\nrepro: " + finding.repro + '\n';
  if (!finding.shrunk_repro.empty() && finding.shrunk_repro != finding.repro) text += "small: " + finding.shrunk_repro + '\n';
  return print(text) ? exit_ok : exit_system;
}

constexpr Key options[]{Key::run_id, Key::tape, Key::tape_file, Key::budget, Key::html};

}  // namespace

const Command explain_command{
    "explain",
    "TARGET [--run ID | --tape TEXT | --tape-file FILE]",
    "tells in words what happens in a failing run",
    "Makes the run small, shows its timeline, and says what the property means, who did what, and where to look. Without a\n"
    "run, of the first one that fails.\n",
    options,
    "explain stale-takeover-unlink\nexplain stale-takeover-unlink --run pct3:99 --html failure.html\n",
    run,
};

}  // namespace tenure::sim::commands
