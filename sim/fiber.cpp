#include <tenure/sim/fiber.hpp>

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define TENURE_FIBERS_UNDER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define TENURE_FIBERS_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TENURE_FIBERS_UNDER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define TENURE_FIBERS_UNDER_TSAN 1
#endif
#endif

#if defined(TENURE_FIBERS_UNDER_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(TENURE_FIBERS_UNDER_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace tenure::sim {

namespace {

constexpr std::size_t guard_bytes = 4096;
constexpr std::size_t stack_bytes = 256 * 1024;

// Stacks whose tops differ by a power of two fight over the same cache sets; each one starts a few lines lower than the one before.
constexpr std::size_t color_bytes = 832;
constexpr std::size_t colors = 16;

std::byte* map_stack() {
  void* const memory = mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, guard_bytes, PROT_NONE) != 0) {
    std::fputs("sim: no memory for a fiber's stack\n", stderr);
    std::abort();
  }
  return static_cast<std::byte*>(memory);
}

}  // namespace

// Lives on the stack of the fiber that is being left, until the other side has read it.
struct Fiber::Switch {
  Fiber* from;
  Fiber* to;
};

// What a sanitizer is told of the changes of stacks, lest it take them for overflows, or for races of one thread with itself.
struct Sanitizer {
#if defined(TENURE_FIBERS_UNDER_ASAN)
  // The frames that a dropped fiber left are still poisoned. Its fake stack serves on: what lies there is beyond use, and small.
  static void restarts(Fiber& fiber) {
    fiber.watched_.bottom = fiber.stack_ + guard_bytes;
    fiber.watched_.bytes = stack_bytes;
    __asan_unpoison_memory_region(fiber.stack_ + guard_bytes, stack_bytes);
  }
  static void ends(Fiber& fiber) { __asan_unpoison_memory_region(fiber.stack_ + guard_bytes, stack_bytes); }
  static void leaves(Fiber& from, Fiber& to) {
    __sanitizer_start_switch_fiber(&from.watched_.state, to.watched_.bottom, to.watched_.bytes);
  }
  // The stack of the thread that runs the world is learnt here, when it has been left for the first time.
  static void arrives(Fiber& from, Fiber& to) {
    __sanitizer_finish_switch_fiber(to.watched_.state, &from.watched_.bottom, &from.watched_.bytes);
  }
#elif defined(TENURE_FIBERS_UNDER_TSAN)
  // The calls of a dropped fiber never return, and pile up in the sanitizer's own stack of 64 Ki calls. A new fiber has an empty one, but
  // takes it a millisecond to make.
  static void restarts(Fiber& fiber) {
    constexpr unsigned restarts_max = 500;
    if (fiber.watched_.restarts++ % restarts_max != 0) return;
    ends(fiber);
    fiber.watched_.state = __tsan_create_fiber(0);
  }
  static void ends(Fiber& fiber) {
    if (fiber.watched_.state != nullptr) __tsan_destroy_fiber(fiber.watched_.state);
  }
  static void leaves(Fiber& from, Fiber& to) {
    if (from.stack_ == nullptr) from.watched_.state = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.watched_.state, 0);
  }
  static void arrives(Fiber&, Fiber&) {}
#else
  static void restarts(Fiber&) {}
  static void ends(Fiber&) {}
  static void leaves(Fiber&, Fiber&) {}
  static void arrives(Fiber&, Fiber&) {}
#endif
};

// Where a restarted fiber begins.
struct Arrival {
  static void enter(boost::context::detail::transfer_t transfer) {
    const Fiber::Switch leaving = *static_cast<Fiber::Switch*>(transfer.data);
    leaving.from->context_ = transfer.fctx;
    Sanitizer::arrives(*leaving.from, *leaving.to);
    leaving.to->entry_(leaving.to->argument_);
    std::abort();
  }
};

Fiber::~Fiber() {
  if (stack_ == nullptr) return;
  Sanitizer::ends(*this);
  munmap(stack_, guard_bytes + stack_bytes);
}

void Fiber::restart(void (*entry)(void*), void* argument) {
  if (stack_ == nullptr) stack_ = map_stack();
  Sanitizer::restarts(*this);
  const std::size_t color = reinterpret_cast<std::uintptr_t>(this) / sizeof(Fiber) % colors;
  top_ = stack_ + guard_bytes + stack_bytes - color * color_bytes;
  entry_ = entry;
  argument_ = argument;
  constexpr std::size_t first_frame_bytes = 128;  // of which it doesn't write all
  std::memset(top_ - first_frame_bytes, 0, first_frame_bytes);
  context_ = boost::context::detail::make_fcontext(top_, static_cast<std::size_t>(top_ - stack_) - guard_bytes, &Arrival::enter);
}

std::span<const std::byte> Fiber::saved() const { return {static_cast<const std::byte*>(context_), top_}; }

#if defined(TENURE_FIBERS_UNDER_ASAN) || defined(TENURE_FIBERS_UNDER_TSAN)
const bool Fiber::can_go_back = false;
#else
const bool Fiber::can_go_back = true;
#endif

void Fiber::go_back(std::span<const std::byte> saved) {
  std::byte* const low = top_ - saved.size();
  std::memcpy(low, saved.data(), saved.size());
  context_ = low;
}

void Fiber::forget() {
  constexpr std::size_t used_bytes = 4 * 1024;
  if (can_go_back) std::memset(static_cast<std::byte*>(context_) - used_bytes, 0, used_bytes);
}

void Fiber::switch_over(Fiber& from, Fiber& to) {
  Switch leaving{&from, &to};
  Sanitizer::leaves(from, to);
  const boost::context::detail::transfer_t back = boost::context::detail::jump_fcontext(to.context_, &leaving);
  Fiber& other = *static_cast<Switch*>(back.data)->from;
  other.context_ = back.fctx;
  Sanitizer::arrives(other, from);
}

}  // namespace tenure::sim
