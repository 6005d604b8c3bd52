#include "tests/tools/program.hpp"

#ifdef TENURE_TREE_KINDS
#include "tests/scenario/tree_kinds.hpp"
#endif

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

namespace tenure::tests {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience(30);

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

int nameless_file() { return memfd_create("output", MFD_CLOEXEC); }

std::string content_of(int file) {
  std::string text;
  std::array<char, 4096> buffer{};
  off_t at = 0;
  for (ssize_t count = 0; (count = pread(file, buffer.data(), buffer.size(), at)) > 0; at += count) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

// Empty where there is none, or not any more: a process may end while its file is read.
std::string content_of(const std::string& path) {
  std::string text;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return text;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = read(file, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  close(file);
  return text;
}

template <class Use>
void each_process(Use use) {
  DIR* directory = opendir("/proc");
  while (const dirent* entry = readdir(directory)) {
    if (const int pid = std::atoi(entry->d_name); pid > 0) use(pid);
  }
  closedir(directory);
}

// The state and the parent of a process; '?' and 0 where there is none.
std::pair<char, pid_t> stat_of(pid_t pid) {
  const std::string stat = content_of("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t close = stat.rfind(')');
  if (close == std::string::npos || close + 4 > stat.size()) return {'?', 0};
  return {stat[close + 2], std::atoi(stat.c_str() + close + 4)};
}

int visit_journal(const char* path, bool briefly) {
  Journal* journal = map_journal(path);
  Journal::Visit& visit = journal->visit[journal->visits.fetch_add(1)];
  const std::uint64_t first_ns = monotonic_ns();
  visit.first_ns = first_ns;
  do {
    visit.last_ns = monotonic_ns();
  } while (!briefly || visit.last_ns < first_ns + 200'000);
  return 0;
}

// Pages that take long to be given back.
bool fill_memory() {
  constexpr std::size_t bytes = std::size_t{512} << 20;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  // A kernel without large pages refuses to do without them.
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  return madvise(memory, bytes, MADV_POPULATE_WRITE) == 0;
}

int count_signals(const char* path) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const auto note = [file](const std::string& line) { return write(file, line.data(), line.size()) > 0; };
  for (bool written = note("ready\n"); written;) {
    const int signal = sigwaitinfo(&all, nullptr);
    if (signal == SIGRTMIN) return 0;
    written = note(std::to_string(signal) + "\n");
  }
  return 1;
}

}  // namespace

Scratch::Scratch() {
  std::string name = (std::filesystem::temp_directory_path() / "tenure-test.XXXXXX").string();
  directory_ = mkdtemp(name.data());
}
Scratch::~Scratch() {
  std::error_code error;
  std::filesystem::remove_all(directory_, error);
}
void Scratch::open_to_all() const { EXPECT_EQ(chmod(directory_.c_str(), 01777), 0); }
std::string Scratch::read(const std::string& file) const { return content_of(path(file)); }
Arguments Scratch::tenure(const std::string& command, const Arguments& rest) const {
  return Arguments{TENURE_PROGRAM, command, "--space", space()} + rest;
}

Process::Process(const Arguments& arguments, std::string input, const std::function<void()>& prepare)
    : out_(nameless_file()), err_(nameless_file()) {
  const int in = nameless_file();
  EXPECT_EQ(write(in, input.data(), input.size()), static_cast<ssize_t>(input.size()));
  lseek(in, 0, SEEK_SET);
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    // A test that is killed for taking too long leaves nothing behind.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    dup2(in, 0);
    dup2(out_, 1);
    dup2(err_, 2);
    if (prepare) prepare();
    execvp(pointers[0], pointers.data());
    _exit(127);
  }
  close(in);
  EXPECT_GT(pid_, 0);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      status_(other.status_),
      reaped_(other.reaped_) {}

Process::~Process() {
  if (pid_ > 0 && !reaped_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const int file : {out_, err_}) {
    if (file >= 0) close(file);
  }
}

void Process::send(int signal) const { EXPECT_EQ(kill(pid_, signal), 0); }

bool Process::has_ended() {
  if (!reaped_) reaped_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return reaped_;
}

Ended Process::wait() {
  Ended ended;
  if (!eventually([this] { return has_ended(); })) {
    ADD_FAILURE() << "process " << pid_ << " has not ended; it said: " << content_of(err_);
    return ended;
  }
  ended.exit = WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  ended.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
  ended.out = content_of(out_);
  ended.err = content_of(err_);
  return ended;
}

pid_t Process::guard() const { return child_of(pid_); }

Ended run_to_end(const Arguments& arguments, std::string input, const std::function<void()>& prepare) {
  return Process(arguments, std::move(input), prepare).wait();
}

Pipe::Pipe() { EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }
Pipe::~Pipe() {
  close_reader();
  close_writer();
}
void Pipe::close_end(std::size_t end) {
  if (ends_.at(end) >= 0) close(ends_.at(end));
  ends_.at(end) = -1;
}
void Pipe::fill() const {
  fcntl(writer(), F_SETFL, O_NONBLOCK);
  const std::string much(4096, 'x');
  while (write(writer(), much.data(), much.size()) > 0) {
  }
  fcntl(writer(), F_SETFL, 0);
}
std::string Pipe::drain() const {
  std::string text;
  std::array<char, 4096> buffer{};
  fcntl(reader(), F_SETFL, O_NONBLOCK);
  for (ssize_t count = 0; (count = read(reader(), buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  return text;
}

void give_as(int descriptor, int as) {
  dup2(descriptor, as);
  // Where they are the same, it would be closed by the exec.
  fcntl(as, F_SETFD, 0);
}

bool eventually(const std::function<bool()>& condition) {
  for (const auto end = Clock::now() + patience; Clock::now() < end;) {
    if (condition()) return true;
    usleep(1000);
  }
  return condition();
}

std::string unique_sleep() {
  static int count = 0;
  return "1000." + std::to_string(getpid()) + std::to_string(++count);
}

std::vector<pid_t> processes_with(const std::string& argument) {
  std::vector<pid_t> found;
  each_process([&](pid_t pid) {
    const std::string command = content_of("/proc/" + std::to_string(pid) + "/cmdline");
    const std::string padded = '\0' + command;
    const bool has = padded.find('\0' + argument + '\0') != std::string::npos;
    if (has && !command.starts_with(TENURE_PROGRAM) && state_of(pid) != 'Z') found.push_back(pid);
  });
  return found;
}

int count_left(const std::string& argument) { return static_cast<int>(processes_with(argument).size()); }

char state_of(pid_t process) { return stat_of(process).first; }
pid_t parent_of(pid_t process) { return stat_of(process).second; }
bool has_pending(pid_t process, int signal) {
  const std::string status = content_of("/proc/" + std::to_string(process) + "/status");
  const std::size_t at = status.find("\nShdPnd:\t");
  if (at == std::string::npos) return false;
  return (std::strtoull(status.c_str() + at + 9, nullptr, 16) >> (signal - 1) & 1) != 0;
}
pid_t child_of(pid_t process) {
  pid_t child = 0;
  each_process([&](pid_t pid) {
    if (parent_of(pid) == process) child = pid;
  });
  return child;
}

Journal* map_journal(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof(Journal)) != 0) std::abort();
  void* memory = mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<Journal*>(memory);
}

void munmap_journal(Journal* journal) { munmap(journal, sizeof(Journal)); }

int overlaps(const Journal& journal) {
  int count = 0;
  const std::uint32_t visits = journal.visits;
  std::uint64_t last_ns = 0;
  for (std::uint32_t i = 0; i < visits; ++i) {
    const std::uint64_t first_ns = journal.visit[i].first_ns;
    if (first_ns == 0) continue;  // killed before it wrote
    if (first_ns < last_ns) ++count;
    last_ns = std::max(last_ns, journal.visit[i].last_ns.load());
  }
  return count;
}

Arguments visitor(const std::string& journal_path) { return {own_program(), "--visit", journal_path}; }
Arguments short_visitor(const std::string& journal_path) { return {own_program(), "--visit-briefly", journal_path}; }
Arguments large_visitor(const std::string& journal_path) { return {own_program(), "--visit-large", journal_path}; }
Arguments signal_counter(const std::string& path) { return {own_program(), "--count-signals", path}; }

std::string noted(const std::vector<int>& signals) {
  std::string text = "ready\n";
  for (const int signal : signals) text += std::to_string(signal) + "\n";
  return text;
}

Arguments operator+(Arguments left, const Arguments& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace tenure::tests

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--visit") == 0) return tenure::tests::visit_journal(argv[2], false);
  if (argc == 3 && std::strcmp(argv[1], "--visit-briefly") == 0) return tenure::tests::visit_journal(argv[2], true);
  if (argc == 3 && std::strcmp(argv[1], "--visit-large") == 0) {
    return tenure::tests::fill_memory() ? tenure::tests::visit_journal(argv[2], false) : 1;
  }
  if (argc == 3 && std::strcmp(argv[1], "--count-signals") == 0) return tenure::tests::count_signals(argv[2]);
#ifdef TENURE_TREE_KINDS
  if (const int status = tenure::tests::run_tree_command(argc, argv); status >= 0) return status;
#endif
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
