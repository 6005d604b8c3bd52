#include <tenure/sim/crash_guard.hpp>

#include <signal.h>
#include <sys/time.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <tenure/sim/world.hpp>

namespace tenure::sim {

namespace {

constexpr std::array crash_signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr long tick_us = 100'000;

std::array<struct sigaction, crash_signals.size()> old_actions;
struct sigaction old_profile_action;
stack_t old_stack;
alignas(16) std::array<std::byte, 64 * 1024> handler_stack;
std::array<char, 160> detail;

std::uint32_t silent_ticks_max = 20;
std::uint32_t silent_ticks = 0;
std::uint64_t last_progress = 0;

const char* name_of_signal(int number) {
  switch (number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    default: return "SIGABRT";
  }
}

// A handler may not call printf: digits by hand.
void append_hex(char* out, std::uintptr_t number) {
  static constexpr char digits[] = "0123456789abcdef";
  std::array<char, 20> text{};
  std::size_t i = text.size() - 1;
  do {
    text[--i] = digits[number & 15];
    number >>= 4;
  } while (number != 0);
  std::strcat(out, "0x");
  std::strcat(out, text.data() + i);
}

void on_crash(int number, siginfo_t* info, void*) {
  World* const world = World::active();
  if (world != nullptr && world->in_thread()) {
    std::strcpy(detail.data(), name_of_signal(number));
    if (number == SIGSEGV || number == SIGBUS) {
      std::strcat(detail.data(), " at address ");
      append_hex(detail.data(), reinterpret_cast<std::uintptr_t>(info->si_addr));
    }
    world->crash("crash", detail.data());
  }
  // Ours, not the run's: as if there were no handler.
  signal(number, SIG_DFL);
  raise(number);
}

void on_tick(int, siginfo_t*, void*) {
  World* const world = World::active();
  if (world == nullptr || !world->in_thread()) return;
  const std::uint64_t progress = world->progress();
  silent_ticks = progress == last_progress ? silent_ticks + 1 : 0;
  last_progress = progress;
  if (silent_ticks < silent_ticks_max) return;
  silent_ticks = 0;
  world->crash("stuck", "a thread goes on and on without a step");
}

void set_timer(long us) {
  const timeval interval{us / 1'000'000, us % 1'000'000};
  const itimerval timer{interval, interval};
  setitimer(ITIMER_PROF, &timer, nullptr);
}

}  // namespace

CrashGuard::CrashGuard(double silent_seconds_max) {
  silent_ticks_max = static_cast<std::uint32_t>(silent_seconds_max * 1e6 / static_cast<double>(tick_us)) + 1;
  const stack_t stack{handler_stack.data(), 0, handler_stack.size()};
  sigaltstack(&stack, &old_stack);
  struct sigaction action = {};
  action.sa_sigaction = &on_crash;
  // Not deferred: the handler never returns, and the next crash must find it again.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (std::size_t i = 0; i < crash_signals.size(); ++i) sigaction(crash_signals[i], &action, &old_actions[i]);
  action.sa_sigaction = &on_tick;
  action.sa_flags |= SA_RESTART;
  sigaction(SIGPROF, &action, &old_profile_action);
  set_timer(tick_us);
}

CrashGuard::~CrashGuard() {
  set_timer(0);
  sigaction(SIGPROF, &old_profile_action, nullptr);
  for (std::size_t i = 0; i < crash_signals.size(); ++i) sigaction(crash_signals[i], &old_actions[i], nullptr);
  sigaltstack(&old_stack, nullptr);
}

}  // namespace tenure::sim
