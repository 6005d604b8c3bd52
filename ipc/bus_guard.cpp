#include "ipc/bus_guard.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <utility>

namespace tenure::ipc {
namespace {

// One mapping that is watched. `bytes` 0: the place is free. Written under `registry_mutex`, except `replaced`.
struct Watched {
  std::atomic<std::uintptr_t> base{0};
  std::atomic<std::size_t> bytes{0};  // stored last, with release; partner: the acquire load in the handler
  std::atomic<bool> replaced{false};
};

constinit Watched registry[BusGuard::mappings_max];
constinit std::mutex registry_mutex;
struct sigaction previous_action;  // written once, before the handler is installed

bool replace_by_zeros(std::uintptr_t address) {
  for (Watched& mapping : registry) {
    const std::size_t bytes = mapping.bytes.load(std::memory_order_acquire);
    const std::uintptr_t base = mapping.base.load(std::memory_order_relaxed);
    if (bytes == 0 || address < base || address - base >= bytes) continue;
    // An integer is all that is known of the mapping here.
    void* const begin = reinterpret_cast<void*>(base);  // NOLINT(performance-no-int-to-ptr)
    if (mmap(begin, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) return false;
    mapping.replaced.store(true, std::memory_order_release);  // partner: has_replaced()
    return true;
  }
  return false;
}

// Runs inside a signal handler: mmap(2) and sigaction(2) are plain system calls.
void on_bus_error(int signal_number, siginfo_t* information, void* context) {
  const int saved_errno = errno;
  const bool from_memory = information->si_code > 0;  // not sent by a process
  if (from_memory && replace_by_zeros(reinterpret_cast<std::uintptr_t>(information->si_addr))) {
    errno = saved_errno;
    return;
  }
  errno = saved_errno;
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) return previous_action.sa_sigaction(signal_number, information, context);
  if (previous_action.sa_handler == SIG_IGN && !from_memory) return;
  if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) return previous_action.sa_handler(signal_number);
  // The default: the instruction is repeated, or the signal sent again, and ends the process this time.
  struct sigaction default_action{};
  default_action.sa_handler = SIG_DFL;
  sigaction(signal_number, &default_action, nullptr);
  if (!from_memory) raise(signal_number);
}

void install_handler() {
  struct sigaction action{};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, nullptr, &previous_action);  // before ours runs, so that it always finds the one to hand on to
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

BusGuard::BusGuard(void* base, std::size_t bytes) {
  static std::once_flag once;
  std::call_once(once, install_handler);
  const std::lock_guard lock(registry_mutex);
  for (int i = 0; i < mappings_max; ++i) {
    if (registry[i].bytes.load(std::memory_order_relaxed) != 0) continue;
    registry[i].base.store(reinterpret_cast<std::uintptr_t>(base), std::memory_order_relaxed);
    registry[i].replaced.store(false, std::memory_order_relaxed);
    registry[i].bytes.store(bytes, std::memory_order_release);
    index_ = i;
    return;
  }
}

BusGuard::BusGuard(BusGuard&& other) noexcept : index_(std::exchange(other.index_, -1)) {}

BusGuard& BusGuard::operator=(BusGuard&& other) noexcept {
  std::swap(index_, other.index_);
  return *this;
}

BusGuard::~BusGuard() {
  if (index_ < 0) return;
  const std::lock_guard lock(registry_mutex);
  registry[index_].bytes.store(0, std::memory_order_release);
}

bool BusGuard::has_replaced() const {
  return index_ >= 0 && registry[index_].replaced.load(std::memory_order_acquire);  // partner: replace_by_zeros
}

}  // namespace tenure::ipc
