#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "ipc/run_tag.hpp"
#include "tools/command.hpp"
#include "tools/exit_status.hpp"
#include "tools/json.hpp"
#include "tools/process_state.hpp"
#include "tools/reaper.hpp"
#include "tools/report_json.hpp"
#include "tools/space_access.hpp"
#include "tools/text.hpp"
#include "tools/tree.hpp"

namespace tenure::tools {
namespace {

enum Key : int { key_reap };
constexpr std::array specs{
    OptionSpec{key_reap, "--reap", "", "end what is left of commands whose tenure was killed"},
    space_option,
    json_option,
    help_option,
};
constexpr std::chrono::milliseconds reap_patience(5000);

enum class Verdict { good, weaker, bad };

struct Finding {
  std::string what;
  Verdict verdict;
  std::string says;
  std::string remedy;  // where it is not good
};
using Findings = std::vector<Finding>;

std::string_view text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::good: return "ok";
    case Verdict::weaker: return "weaker";
    case Verdict::bad: return "BAD";
  }
  return "";
}

// What is missing makes do with less (`weaker`) or without tenure (`bad`).
void add(Findings& findings, std::string what, bool there, Verdict without, std::string means, std::string remedy) {
  findings.push_back(
      {std::move(what), there ? Verdict::good : without, there ? "there" : std::move(means), there ? "" : std::move(remedy)});
}

bool is_known(long result) { return result >= 0 || (errno != ENOSYS && errno != EPERM); }

bool has_descriptor_locks() {
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct flock lock{};
  lock.l_type = F_RDLCK;
  const bool known = file >= 0 && fcntl(file, F_OFD_GETLK, &lock) == 0;
  if (file >= 0) close(file);
  return known;
}

bool wipes_on_fork() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  const bool able = madvise(memory, page, MADV_WIPEONFORK) == 0;
  munmap(memory, page);
  return able;
}

bool has_process_descriptors() {
  const long descriptor = syscall(SYS_pidfd_open, getpid(), 0);
  if (descriptor >= 0) close(static_cast<int>(descriptor));
  return descriptor >= 0;
}

void look_at_kernel(Findings& findings) {
  const std::string seccomp = "a newer kernel, or a container profile that allows it";
  void* head = nullptr;
  std::size_t length = 0;
  add(findings, "byte locks of open files", has_descriptor_locks(), Verdict::bad, "without them no session can prove that it lives",
      "Linux 3.15 or newer");
  add(findings, "robust lists", is_known(syscall(SYS_get_robust_list, 0, &head, &length)), Verdict::weaker,
      "deaths are noticed by the byte lock, within 100 ms and more", seccomp);
  add(findings, "futex_waitv", is_known(syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, 0)), Verdict::weaker,
      "waiters look every 4 ms instead of sleeping", "Linux 5.16 or newer, or " + seccomp);
  add(findings, "wipe on fork", wipes_on_fork(), Verdict::weaker, "a child of a bare clone(2) is not told from its parent", seccomp);
  add(findings, "pidfd_open", has_process_descriptors(), Verdict::weaker,
      "`tenure run` kills descendants by number, after a look at their parents", "Linux 5.3 or newer, or " + seccomp);
  add(findings, "children in /proc", access("/proc/thread-self/children", R_OK) == 0, Verdict::weaker,
      "`tenure run` looks through all processes to end a tree", "a kernel with CONFIG_PROC_CHILDREN");
  const char* no_tree = why_no_tree();
  add(findings, "/proc", no_tree == nullptr, Verdict::bad, no_tree == nullptr ? "" : no_tree, "mount -t proc proc /proc");
  rlimit tags{};
  getrlimit(RLIMIT_LOCKS, &tags);
  add(findings, "tags (ulimit -x)", tags.rlim_max == RLIM_INFINITY || core::run_tag::is_outermost(tags.rlim_max), Verdict::weaker,
      "only an inherited descriptor tells what belongs to a command", "ulimit -x unlimited, where `tenure run` is started");
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  add(findings, "descriptors (ulimit -n)", files.rlim_cur >= 32, Verdict::weaker, "only " + std::to_string(files.rlim_cur),
      "ulimit -n 1024");
}

std::string mode_text(const struct stat& status) {
  std::array<char, 16> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o", status.st_mode & 07777U);
  return std::string("mode ") + mode.data() + ", " + user_text(status.st_uid);
}

void look_at_path(Findings& findings, const std::string& what, const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    findings.push_back({what, Verdict::bad, clean(path) + ": " + std::strerror(errno),
                        "somebody deleted it while it is in use; end the processes of this space, then it is made anew"});
    return;
  }
  const bool open_to_all = (status.st_mode & S_IWOTH) != 0;
  findings.push_back({what, open_to_all ? Verdict::bad : Verdict::good, clean(path) + ", " + mode_text(status),
                      open_to_all ? "chmod o-w " + shell_word(path) : ""});
}

void look_at_fill(Findings& findings, const std::string& what, std::uint32_t used, std::uint32_t capacity, const std::string& remedy) {
  const bool nearly_full = used > capacity / 10 * 9;
  findings.push_back({what, nearly_full ? Verdict::weaker : Verdict::good, std::to_string(used) + " of " + std::to_string(capacity),
                      nearly_full ? remedy : ""});
}

// A run that is over, but for some of its processes, holds its name back.
void look_at_trees(Findings& findings, Space& space, const std::string& option) {
  for (const ipc::LeftTree& tree : ipc::left_trees(space)) {
    std::vector<pid_t> left = tree.carriers;
    left.insert(left.end(), tree.with_byte.begin(), tree.with_byte.end());
    const std::string why = tree.is_dead ? "its guard is dead" : tree.is_overdue ? "it is past its deadline" : "it was broken";
    findings.push_back({"left of a run", Verdict::weaker, quoted(tree.command) + ", " + user_text(tree.uid) + "; " + why,
                        "tenure doctor --reap" + option + "; or the next `tenure run` of the name does it"});
    for (const pid_t process : left) findings.push_back({"left of a run", Verdict::weaker, process_text(process), ""});
  }
}

void look_at_space(Findings& findings, Space& space, const std::string& name) {
  const SpaceReport report = space.report();
  const std::string option = space_argument(name);
  look_at_path(findings, "table", report.table_path);
  look_at_path(findings, "locks", report.lock_path);
  findings.push_back({"size", Verdict::good, std::to_string(report.size_bytes >> 10U) + " KiB", ""});
  look_at_fill(findings, "names", report.names_used, report.names_capacity,
               "room is made by itself; for more, make a larger space: tenure init --space NAME --names N");
  look_at_fill(findings, "sessions", report.sessions_used, report.sessions_capacity,
               "a larger space: tenure init --space NAME --sessions N");
  const std::vector<SessionReport> sessions = space.sessions();
  const auto dead = std::ranges::count_if(sessions, [](const SessionReport& session) { return !session.alive; });
  findings.push_back(
      {"dead sessions", Verdict::good, std::to_string(dead) + (dead == 0 ? "" : "; whoever needs what they left takes it"), ""});
  const auto mute = std::ranges::count_if(sessions, [](const SessionReport& session) { return session.alive && !session.has_bell; });
  if (mute > 0) {
    findings.push_back({"sessions without a bell", Verdict::weaker, std::to_string(mute) + "; their death is noticed later",
                        "allow set_robust_list(2) where they run"});
  }
  look_at_trees(findings, space, option);
  const std::vector<NameReport> names = space.list();
  const auto overdue = std::ranges::count_if(names, [](const NameReport& at) { return at.held && at.holder.alive && at.holder.expired; });
  if (overdue > 0) {
    findings.push_back({"holders past their time", Verdict::weaker, std::to_string(overdue), "see: tenure ls" + option});
  }
  add(findings, "tokens", !report.tokens_weak, Verdict::weaker, "weak: " + std::string(weak_tokens_meaning),
      "make one of the durable places writable: /var/lib/tenure/UID, or ~/.local/state/tenure");
  if (!report.token_mark_path.empty()) findings.push_back({"token mark", Verdict::good, clean(report.token_mark_path), ""});
}

std::string as_json(const Findings& findings, const std::string& space) {
  JsonWriter json;
  json.open_object();
  json.key("space").value(space);
  json.key("findings").open_array();
  for (const Finding& finding : findings) {
    json.open_object();
    json.key("what").value(finding.what);
    json.key("verdict").value(finding.verdict == Verdict::bad ? "bad" : text_of(finding.verdict));
    json.key("says").value(finding.says);
    json.key("remedy").value(finding.remedy);
    json.close_object();
  }
  json.close_array();
  json.close_object();
  return json.text() + "\n";
}

std::string as_text(const Findings& findings) {
  std::vector<std::vector<std::string>> rows;
  for (const Finding& finding : findings) {
    rows.push_back({std::string(text_of(finding.verdict)), finding.what, finding.says});
    if (!finding.remedy.empty()) rows.push_back({"", "", "remedy: " + finding.remedy});
  }
  return table_text(rows);
}

// The exit status is that of the first thing without which tenure cannot work, however much else there is to say.
int examine(const std::string& name, bool in_json) {
  Findings findings;
  look_at_kernel(findings);
  int status = exit_ok;
  Space::Options options;
  options.name = name;
  Result<Space, OpenError> space = Space::open(options);
  if (space) {
    look_at_space(findings, *space, name);
  } else {
    status = exit_status_of(space.error().code);
    findings.push_back({"space", Verdict::bad, refusal_text(space.error()), ""});
  }
  const bool bad = std::ranges::any_of(findings, [](const Finding& finding) { return finding.verdict == Verdict::bad; });
  if (!print(in_json ? as_json(findings, name) : as_text(findings))) return exit_system;
  return status == exit_ok && bad ? exit_configuration : status;
}

// Says what it has killed, and what could not be.
int reap(const std::string& name) {
  int status = exit_ok;
  std::optional<Space> space = open_space(name, true, status);
  if (!space) return status;
  const std::vector<ipc::LeftTree> trees = ipc::left_trees(*space);
  if (trees.empty()) return print("nothing is left of any run\n") ? exit_ok : exit_system;
  std::string said;
  for (const ipc::LeftTree& tree : trees) {
    Reaper reaper(*space);
    const bool ended = reaper.end(tree.slot, reap_patience);
    said += (ended ? "ended: " : "NOT ended: ") + quoted(tree.command) + ", " + user_text(tree.uid) + "\n";
    if (ended) continue;
    said += survivors_text(reaper.left()) + "\n";
    status = exit_no;
  }
  space->sweep();
  return print(said) ? status : exit_system;
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(specs, arguments, Operands::mixed);
  if (!parsed.error.empty()) return usage_error(doctor_command, parsed.error);
  std::string_view space;
  bool in_json = false;
  bool reaps = false;
  for (const Option& option : parsed.options) {
    if (option.key == help_key) return print_help(doctor_command);
    if (option.key == space_key) space = option.value;
    if (option.key == json_key) in_json = true;
    if (option.key == key_reap) reaps = true;
  }
  if (!parsed.operands.empty()) return usage_error(doctor_command, "it takes no operands");
  if (reaps && in_json) return usage_error(doctor_command, "--reap says what it did in words only");
  if (reaps) return reap(chosen_space(space));
  return examine(chosen_space(space), in_json);
}

}  // namespace

const Command doctor_command{
    "doctor",
    "[options]",
    "examines the kernel, the space and its files, and says how to mend what is wrong",
    "The exit status is 0 if tenure works here, perhaps weaker than it could.\n",
    specs,
    "  tenure doctor\n  tenure doctor --space /srv/team/locks --json\n",
    run,
};

}  // namespace tenure::tools
