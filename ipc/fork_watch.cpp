#include "ipc/fork_watch.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mutex>
#include <new>

#include "ipc/kernel.hpp"

namespace tenure::ipc {
namespace {

constinit std::atomic<std::uint64_t> plain_word{0};  // where there is no page that the kernel wipes
constinit std::atomic<std::atomic<std::uint64_t>*> own_word{&plain_word};
constinit std::atomic<std::uint64_t> last_generation{0};  // survives a fork, so that a child's generation is a new one
constinit std::atomic<bool> wiped_by_kernel{false};
constinit std::mutex list_mutex;  // held over every fork, so that a child finds the list whole

}  // namespace

namespace detail {
constinit std::atomic<const std::atomic<std::uint64_t>*> generation_word{&plain_word};
}

struct ForkClosedList {
  static constinit ForkClosedDescriptor* first;

  static void link(ForkClosedDescriptor* descriptor) {
    descriptor->next_ = first;
    descriptor->previous_ = nullptr;
    if (first != nullptr) first->previous_ = descriptor;
    first = descriptor;
  }
  static void unlink(ForkClosedDescriptor* descriptor) {
    if (descriptor->next_ != nullptr) descriptor->next_->previous_ = descriptor->previous_;
    if (descriptor->previous_ != nullptr) descriptor->previous_->next_ = descriptor->next_;
    if (first == descriptor) first = descriptor->next_;
    descriptor->next_ = descriptor->previous_ = nullptr;
  }
  static void close_all() {
    while (first != nullptr) {
      ForkClosedDescriptor* descriptor = first;
      unlink(descriptor);
      ::close(descriptor->number_.exchange(-1, std::memory_order_relaxed));
    }
  }
};
constinit ForkClosedDescriptor* ForkClosedList::first = nullptr;

namespace {

void before_fork() { list_mutex.lock(); }
void after_fork_in_parent() { list_mutex.unlock(); }
void after_fork_in_child() {
  own_word.load(std::memory_order_relaxed)->store(0, std::memory_order_relaxed);
  ForkClosedList::close_all();
  list_mutex.unlock();
}

std::atomic<std::uint64_t>* make_wiped_word() {
  if (!kernel_abilities().wipe_on_fork) return nullptr;
  const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* page = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (madvise(page, page_bytes, MADV_WIPEONFORK) != 0) {
    munmap(page, page_bytes);
    return nullptr;
  }
  return new (page) std::atomic<std::uint64_t>(0);
}

// Keeps the program or shared object that the library is linked into from being unloaded: its threads and handlers stay to the end.
void stay_loaded() {
  Dl_info facts{};
  if (dladdr(&list_mutex, &facts) == 0 || facts.dli_fname == nullptr) return;
  (void)dlopen(facts.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);  // no handle for the program itself, which needs none
}

void set_up() {
  stay_loaded();
  if (std::atomic<std::uint64_t>* word = make_wiped_word()) {
    own_word.store(word, std::memory_order_relaxed);
    wiped_by_kernel.store(true, std::memory_order_relaxed);
  }
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  renew_after_fork();
  // Release: partner is the dependent load through this pointer in process_generation(), which must find the word filled.
  detail::generation_word.store(own_word.load(std::memory_order_relaxed), std::memory_order_release);
}

}  // namespace

void watch_forks() {
  static std::once_flag once;
  std::call_once(once, set_up);
}

std::uint64_t renew_after_fork() {
  std::atomic<std::uint64_t>* word = own_word.load(std::memory_order_relaxed);
  std::uint64_t seen = word->load(std::memory_order_relaxed);
  if (seen != 0) return seen;
  const std::uint64_t next = last_generation.load(std::memory_order_relaxed) + 1;
  // Relaxed: threads of a child that meet here all bring the same number.
  if (!word->compare_exchange_strong(seen, next, std::memory_order_relaxed)) return seen;
  last_generation.store(next, std::memory_order_relaxed);
  return next;
}

bool kernel_wipes_on_fork() { return wiped_by_kernel.load(std::memory_order_relaxed); }

bool ForkClosedDescriptor::open_at(int directory, const char* name, int flags, mode_t mode) {
  const std::lock_guard lock(list_mutex);
  const int number = ::openat(directory, name, flags | O_CLOEXEC, mode);
  if (number < 0) return false;
  number_.store(number, std::memory_order_relaxed);
  ForkClosedList::link(this);
  return true;
}

void ForkClosedDescriptor::reset() {
  if (!is_open()) return;
  const std::lock_guard lock(list_mutex);
  ForkClosedList::unlink(this);
  ::close(number_.exchange(-1, std::memory_order_relaxed));
}

}  // namespace tenure::ipc
