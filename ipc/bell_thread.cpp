#include "ipc/bell_thread.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <mutex>
#include <new>

#include "core/layout.hpp"
#include "ipc/fork_watch.hpp"
#include "ipc/kernel.hpp"

namespace tenure::ipc {
namespace {

using std::uint32_t;
using std::uint64_t;
using std::uintptr_t;

constexpr std::size_t head_bytes = 4096;  // of the shadow; the nodes follow
constexpr std::size_t stack_bytes = 65536;
constexpr uint64_t for_ever = ~uint64_t{0};
// The thread is asked and answers within microseconds. Counted in slices, not by the clock, which runs on while a process is stopped.
constexpr uint64_t answer_slice_ns = 20'000'000;
constexpr int answer_slices_max = 100;

// What the thread and the one who asks it say to each other: one word, and both sleep on it.
enum Turn : uint32_t { not_started, starting, idle, link_request, end_request, failed, adopted };

// A link of the list, as the kernel reads it: an address of 8 bytes. Bells lie 4 bytes apart, so a node is not aligned to 8 and its
// store would not be atomic. But the upper half of every link is the same, as the shadow never crosses a multiple of 4 GiB: it is
// written before the node is linked, and from then on the lower half says it all. So the kernel finds the list whole at any instant.
static_assert(std::endian::native == std::endian::little && sizeof(void*) == 8, "which half of a link comes first");

std::atomic_ref<uint32_t> lower_half(uintptr_t node) {
  return std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(node));  // NOLINT(performance-no-int-to-ptr)
}
uint64_t upper_half(uintptr_t address) { return address & ~uint64_t{0xFFFF'FFFF}; }

// Address space for `bytes` of a shadow that doesn't cross a multiple of 4 GiB; nullptr when there is none.
char* reserve_shadow(std::size_t bytes) {
  const auto reserve = [bytes] {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
  };
  const auto crosses = [bytes](const char* at) {
    const auto address = reinterpret_cast<uintptr_t>(at);
    return upper_half(address) != upper_half(address + bytes - 1);
  };
  char* first = reserve();
  if (first == nullptr || !crosses(first)) return first;
  char* second = reserve();  // while the first is still there, so somewhere else
  munmap(first, bytes);
  if (second == nullptr || !crosses(second)) return second;
  munmap(second, bytes);
  return nullptr;
}

}  // namespace

// Everything here is of one process, and left alone in its children.
//
// Why the thread itself links a bell, and not whoever asks: when the process is killed, the thread may have ended, and the kernel have
// walked its list, while another thread still runs its last instructions. A bell that this one linked then would never ring, and its
// session, live by now, would look alive for ever. What the thread links, it links before its own end.
struct BellThread::Chain {
  std::mutex mutex;  // one question at a time
  Chain* inherited;  // of the process that this one was forked from; kept reachable, never used
  uint64_t generation;
  char* base;
  std::size_t bytes;
  char* shadow = nullptr;
  std::atomic<uint32_t> turn{not_started};
  bool broken = false;  // the thread didn't answer in time
  uint32_t armed = 0;
  uint32_t thread_id = 0;                      // written by the thread
  std::atomic<uint32_t>* requested = nullptr;  // read by the thread during link_request
  pthread_t thread{};
  void* list_before = nullptr;  // of an adopted thread

  Chain(Chain* before, uint64_t of_generation, char* bells, std::size_t bells_bytes)
      : inherited(before), generation(of_generation), base(bells), bytes(bells_bytes) {}

  [[nodiscard]] uintptr_t head() const { return reinterpret_cast<uintptr_t>(shadow); }
  [[nodiscard]] uintptr_t node_of(const std::atomic<uint32_t>& bell) const {
    return head() + head_bytes + static_cast<uintptr_t>(reinterpret_cast<const char*>(&bell) - base);
  }
  [[nodiscard]] uintptr_t next_of(uintptr_t node) const { return upper_half(head()) | lower_half(node).load(std::memory_order_relaxed); }
  [[nodiscard]] bool contains(const std::atomic<uint32_t>& bell) const {
    const char* at = reinterpret_cast<const char*>(&bell);
    return at >= base && at + sizeof bell <= base + bytes;
  }

  bool start();
  bool adopt();
  bool make_shadow();
  void free_shadow();
  void run();
  void link(std::atomic<uint32_t>& bell);
  bool unlink(const std::atomic<uint32_t>& bell);
  [[nodiscard]] bool overlaps(uintptr_t node) const;
  [[nodiscard]] bool ask_to_link(std::atomic<uint32_t>& bell);
  void end();

  static void* main(void* chain) {
    static_cast<Chain*>(chain)->run();
    return nullptr;
  }
};

bool BellThread::Chain::make_shadow() {
  shadow = reserve_shadow(head_bytes + bytes + sizeof(uint64_t));  // the last node reaches 4 bytes further than its bell
  if (shadow == nullptr) return false;
  auto* list = new (shadow) RobustListHead;
  list->first = head();
  list->futex_offset = static_cast<std::int64_t>(reinterpret_cast<uintptr_t>(base) - (head() + head_bytes));
  return true;
}

void BellThread::Chain::free_shadow() {
  munmap(shadow, head_bytes + bytes + sizeof(uint64_t));
  shadow = nullptr;
}

// REQUIRES: the mutex.
bool BellThread::Chain::adopt() {
  if (turn.load(std::memory_order_relaxed) != not_started) return false;
  turn.store(failed, std::memory_order_relaxed);
  if (!make_shadow()) return false;
  std::size_t length = 0;
  syscall(SYS_get_robust_list, 0, &list_before, &length);
  if (!register_robust_list(reinterpret_cast<RobustListHead*>(shadow))) {
    free_shadow();
    return false;
  }
  thread_id = static_cast<uint32_t>(syscall(SYS_gettid));
  turn.store(adopted, std::memory_order_relaxed);
  return true;
}

// REQUIRES: the mutex.
bool BellThread::Chain::start() {
  if (turn.load(std::memory_order_relaxed) != not_started) return shadow != nullptr;
  turn.store(failed, std::memory_order_relaxed);
  if (!make_shadow()) return false;

  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);  // blocked, it would end the process before bus_guard.hpp sees it
  pthread_sigmask(SIG_SETMASK, &all, &before);
  turn.store(starting, std::memory_order_relaxed);  // pthread_create publishes it
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  int error = pthread_create(&thread, &attributes, main, this);
  if (error != 0) error = pthread_create(&thread, nullptr, main, this);  // a program with much thread-local data needs more stack
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) return true;
  turn.store(failed, std::memory_order_relaxed);
  free_shadow();
  return false;
}

// The thread. Its orders of `turn` pair with those of ask_to_link(): release before a wake-up, acquire after a sleep.
void BellThread::Chain::run() {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  thread_id = static_cast<uint32_t>(syscall(SYS_gettid));
  const bool registered = register_robust_list(reinterpret_cast<RobustListHead*>(shadow));
  uint32_t seen = starting;
  if (!registered) {
    turn.store(failed, std::memory_order_release);
    wake_sleepers(turn, 1);
  } else {
    turn.compare_exchange_strong(seen, idle, std::memory_order_acq_rel);  // fails when somebody has already asked
  }
  pthread_setname_np(pthread_self(), "tenure-bell");
  for (;;) {
    seen = turn.load(std::memory_order_acquire);
    if (seen == end_request) return;
    if (seen == link_request) {
      link(*requested);
      turn.store(idle, std::memory_order_release);
      wake_sleepers(turn, 1);
      continue;
    }
    (void)sleep_on(turn, seen, for_ever);
  }
}

// By the thread only, while the one who asked holds the mutex.
void BellThread::Chain::link(std::atomic<uint32_t>& bell) {
  const uintptr_t node = node_of(bell);
  const uintptr_t first = next_of(head());
  bell.store(thread_id | FUTEX_WAITERS, std::memory_order_relaxed);
  lower_half(node + 4).store(static_cast<uint32_t>(first >> 32), std::memory_order_relaxed);
  lower_half(node).store(static_cast<uint32_t>(first), std::memory_order_relaxed);
  // Release: partner is the kernel's walk, which must find the node whole behind the head.
  lower_half(head()).store(static_cast<uint32_t>(node), std::memory_order_release);
}

// REQUIRES: the mutex. One store takes a node off the list.
bool BellThread::Chain::unlink(const std::atomic<uint32_t>& bell) {
  const uintptr_t node = node_of(bell);
  uintptr_t previous = head();
  for (uint32_t i = 0; i <= armed; ++i) {
    const uintptr_t at = next_of(previous);
    if (at == head()) return false;
    if (at == node) {
      lower_half(previous).store(static_cast<uint32_t>(next_of(node)), std::memory_order_release);  // partner: the kernel's walk
      return true;
    }
    previous = at;
  }
  return false;
}

// REQUIRES: the mutex.
bool BellThread::Chain::overlaps(uintptr_t node) const {
  for (uintptr_t at = next_of(head()); at != head(); at = next_of(at)) {
    if (at < node + sizeof(uint64_t) && node < at + sizeof(uint64_t)) return true;
  }
  return false;
}

// REQUIRES: the mutex, and a started thread.
bool BellThread::Chain::ask_to_link(std::atomic<uint32_t>& bell) {
  if (turn.load(std::memory_order_relaxed) == adopted) {
    if (thread_id != static_cast<uint32_t>(syscall(SYS_gettid))) return false;
    link(bell);
    return true;
  }
  requested = &bell;
  uint32_t seen = idle;
  while (!turn.compare_exchange_strong(seen, link_request, std::memory_order_acq_rel)) {
    if (seen != starting && seen != idle) return false;
  }
  wake_sleepers(turn, 1);
  for (int slice = 0; slice < answer_slices_max; ++slice) {
    seen = turn.load(std::memory_order_acquire);
    if (seen == idle) return true;
    if (seen != link_request) return false;
    (void)sleep_on(turn, link_request, answer_slice_ns);
  }
  // It may still link the bell later; a session without a bell isn't judged by it, so that does no harm.
  broken = true;
  return false;
}

// REQUIRES: the mutex is nobody's.
void BellThread::Chain::end() {
  if (shadow == nullptr || broken) return;
  lower_half(head()).store(static_cast<uint32_t>(head()), std::memory_order_release);  // partner: the kernel's walk
  if (turn.load(std::memory_order_relaxed) == adopted) {
    // Another thread can't take the list back; empty, it does no harm.
    if (thread_id != static_cast<uint32_t>(syscall(SYS_gettid))) return;
    (void)register_robust_list(static_cast<RobustListHead*>(list_before));
    return free_shadow();
  }
  turn.store(end_request, std::memory_order_release);
  wake_sleepers(turn, 1);
  pthread_join(thread, nullptr);
  free_shadow();
}

BellThread::BellThread(void* base, std::size_t bytes, bool able) : base_(static_cast<char*>(base)), bytes_(bytes), able_(able) {}

BellThread::~BellThread() {
  Chain* chain = chain_.load(std::memory_order_acquire);
  if (chain == nullptr) return;
  const bool ours = chain->generation == process_generation();
  if (ours) chain->end();
  // What belonged to the parent, or to a thread that didn't answer, may be in use still, as far as this process can tell.
  if (ours && !chain->broken) delete chain;
}

BellThread::Chain* BellThread::chain_of_this_process() {
  const uint64_t generation = process_generation();
  Chain* seen = chain_.load(std::memory_order_acquire);
  if (generation == 0 || !able_) return nullptr;
  if (seen != nullptr && seen->generation == generation) return seen;
  auto* fresh = new (std::nothrow) Chain(seen, generation, base_, bytes_);
  if (fresh == nullptr) return nullptr;
  // Acquire and release: partner is the same exchange by another thread that came first.
  if (chain_.compare_exchange_strong(seen, fresh, std::memory_order_acq_rel)) return fresh;
  delete fresh;
  return seen;
}

bool BellThread::adopt_this_thread() {
  Chain* chain = chain_of_this_process();
  if (chain == nullptr) return false;
  const std::lock_guard lock(chain->mutex);
  return chain->adopt();
}

bool BellThread::arm(std::atomic<uint32_t>& bell) {
  Chain* chain = chain_of_this_process();
  if (chain == nullptr || !chain->contains(bell)) return false;
  const std::lock_guard lock(chain->mutex);
  if (!chain->start() || chain->broken || chain->armed >= bells_max || chain->overlaps(chain->node_of(bell))) return false;
  if (!chain->ask_to_link(bell)) return false;
  ++chain->armed;
  return true;
}

void BellThread::disarm(std::atomic<uint32_t>& bell) {
  Chain* chain = chain_.load(std::memory_order_acquire);
  if (chain == nullptr || chain->generation != process_generation() || !chain->contains(bell)) return;
  const std::lock_guard lock(chain->mutex);
  if (chain->shadow != nullptr && chain->unlink(bell)) --chain->armed;
}

uint32_t BellThread::armed() const {
  Chain* chain = chain_.load(std::memory_order_acquire);
  if (chain == nullptr || chain->generation != process_generation()) return 0;
  const std::lock_guard lock(chain->mutex);
  return chain->armed;
}

}  // namespace tenure::ipc
