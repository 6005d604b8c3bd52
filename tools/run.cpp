#include <cerrno>
#include <cstring>

#include <tenure/version.hpp>

#include "tools/command.hpp"
#include "tools/event_stream.hpp"
#include "tools/run_options.hpp"
#include "tools/supervisor.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

// The arguments lie one behind the other, as the kernel has put them, from the program's own name on.
ArgumentArea area_of(std::span<char*> arguments) {
  char* const first = program_invocation_name;
  char* const last = arguments.back();
  return {first, static_cast<std::size_t>(last + std::strlen(last) + 1 - first)};
}

int run(std::span<char*> arguments) {
  const RunArguments read = read_run_arguments(arguments);
  if (read.help) return print_help(run_command);
  if (read.version) return print(std::string("tenure ") + version() + "\n") ? exit_ok : exit_system;
  if (!read.error.empty()) return usage_error(run_command, read.error);
  EventStream events(read.plan.status_descriptor, read.plan.name);
  return supervise(read.plan, events, area_of(arguments));
}

}  // namespace

const Command run_command{
    "run",
    "[options] NAME [--] COMMAND [ARG...]   or: NAME -c STRING",
    "runs COMMAND while it holds NAME",
    "Nothing that COMMAND starts outlives the hold, not even with kill -9. It finds TENURE_NAME, _TOKEN,\n"
    "_SPACE and _ABANDONED. The status is its own, or 1 (-E), or 79 (--lost-exit-code); see: tenure help\n",
    run_specs,
    "  tenure run -n backups/orders -- ./backup.sh --full   skips this backup if another one runs\n"
    "  tenure run -v -w 5m -t 30s --max 1h deploy make      gives up after 5 min; ended after 1 h\n"
    "  tenure run -n --status-fd 9 n -c 'a && b' 9>events   tells a conflict from a status 1 of a\n",
    run,
};

}  // namespace tenure::tools
