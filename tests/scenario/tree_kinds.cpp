#include "tests/scenario/tree_kinds.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace tenure::tests {
namespace {

constexpr std::uint32_t forker_children = 150;
constexpr std::uint32_t chain_hops = 400;
constexpr std::size_t large_bytes = std::size_t{96} << 20;

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

Journal::Visit& begin_life(Journal& journal) {
  Journal::Visit& visit = journal.visit[journal.visits.fetch_add(1) % Journal::visits_max];
  visit.last_ns = monotonic_ns();
  visit.first_ns = visit.last_ns.load();
  return visit;
}

// Writes all the time; or, one of many, as often as the others let it.
[[noreturn]] void live(Journal& journal, useconds_t pause_us = 0) {
  for (Journal::Visit& visit = begin_life(journal);;) {
    visit.last_ns = monotonic_ns();
    if (pause_us != 0) usleep(pause_us);
  }
}

template <class Body>
pid_t in_child(Body body) {
  const pid_t child = fork();
  if (child != 0) return child;
  body();
  _exit(0);
}

void close_everything() {
  for (int descriptor = 0; descriptor < 64; ++descriptor) close(descriptor);
}

[[noreturn]] void wait_for_ever() {
  for (;;) pause();
}

void grow_nothing(Journal& journal, const std::string&) { live(journal); }

void grow_in_background(Journal& journal, const std::string&) {
  for (int i = 0; i < 3; ++i) in_child([&] { live(journal, 50); });
  wait_for_ever();
}

void grow_in_sessions(Journal& journal, const std::string&) {
  in_child([&] {
    setsid();
    live(journal);
  });
  live(journal, 50);
}

void grow_daemon(Journal& journal, const std::string&) {
  in_child([&] {
    setsid();
    in_child([&] {
      close_everything();
      live(journal);
    });
  });
  wait_for_ever();
}

// A daemon that has inherited nothing: no descriptor, no variable.
void grow_bare_daemon(Journal&, const std::string& path) {
  in_child([&] {
    setsid();
    in_child([&] {
      const Arguments arguments = visitor(path);
      std::string words[3] = {arguments[0], arguments[1], arguments[2]};
      char* pointers[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
      char* nothing[] = {nullptr};
      close_everything();
      execve(pointers[0], pointers, nothing);
    });
  });
  wait_for_ever();
}

void grow_deaf(Journal& journal, const std::string&) {
  for (const int number : {SIGTERM, SIGHUP, SIGINT}) signal(number, SIG_IGN);
  in_child([&] { live(journal); });
  live(journal, 50);
}

void grow_stopped(Journal& journal, const std::string&) {
  for (const bool apart : {false, true}) {
    in_child([&] {
      if (apart) setsid();
      begin_life(journal);
      raise(SIGSTOP);
      live(journal);
    });
  }
  wait_for_ever();
}

// Its parent sleeps in the kernel until the child is gone.
void grow_by_vfork(Journal& journal, const std::string&) {
  const pid_t child = vfork();  // NOLINT: it is the point
  if (child == 0) live(journal);
  wait_for_ever();
}

void grow_forks(Journal& journal, const std::string&) {
  signal(SIGCHLD, SIG_IGN);
  for (std::uint32_t i = 0; i < forker_children; ++i) in_child([&] { live(journal, 2000); });
  wait_for_ever();
}

// Each forks the next and ends.
void grow_chain(Journal& journal, const std::string&) {
  in_child([&] {
    for (std::uint32_t hop = 0; hop < chain_hops; ++hop) {
      begin_life(journal);
      if (fork() != 0) _exit(0);
    }
    live(journal);
  });
  wait_for_ever();
}

void grow_large(Journal& journal, const std::string&) {
  in_child([&] {
    auto* memory = static_cast<char*>(mmap(nullptr, large_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    madvise(memory, large_bytes, MADV_NOHUGEPAGE);
    for (std::size_t at = 0; at < large_bytes; at += 4096) memory[at] = 1;
    live(journal);
  });
  wait_for_ever();
}

constexpr TreeKind kinds[] = {
    {"plain", 1, grow_nothing},
    {"background", 3, grow_in_background},
    {"setsid", 2, grow_in_sessions},
    {"daemon", 1, grow_daemon},
    {"bare_daemon", 1, grow_bare_daemon},
    {"deaf", 2, grow_deaf},
    {"stopped", 2, grow_stopped},
    {"vfork", 1, grow_by_vfork},
    {"forker", 20, grow_forks},
    {"chain", 20, grow_chain},
    {"large", 1, grow_large},
};

// By the time that it has looked, whoever runs beside it has had time to write.
int observe(const Journal& journal) {
  const std::uint64_t entered_ns = monotonic_ns();
  usleep(4000);
  for (const Journal::Visit& visit : journal.visit) {
    if (visit.last_ns > entered_ns) return 9;
  }
  return 0;
}

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace

std::span<const TreeKind> tree_kinds() { return kinds; }

Arguments grower(const TreeKind& kind, const std::string& journal_path) { return {own_program(), "--grow", journal_path, kind.name}; }
Arguments observer(const std::string& journal_path) { return {own_program(), "--observe", journal_path}; }

int run_tree_command(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--observe") == 0) return observe(*map_journal(argv[2]));
  if (argc != 4 || std::strcmp(argv[1], "--grow") != 0) return -1;
  for (const TreeKind& kind : kinds) {
    if (std::strcmp(kind.name, argv[3]) == 0) kind.grow(*map_journal(argv[2]), argv[2]);
  }
  return 1;
}

}  // namespace tenure::tests
