#include "sim/fiber.hpp"

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

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

// Where a restarted fiber begins.
struct Arrival {
  static void enter(boost::context::detail::transfer_t transfer) {
    const Fiber::Switch leaving = *static_cast<Fiber::Switch*>(transfer.data);
    leaving.from->context_ = transfer.fctx;
    leaving.to->entry_(leaving.to->argument_);
    std::abort();
  }
};

Fiber::~Fiber() {
  if (stack_ != nullptr) munmap(stack_, guard_bytes + stack_bytes);
}

void Fiber::restart(void (*entry)(void*), void* argument) {
  if (stack_ == nullptr) stack_ = map_stack();
  const std::size_t color = reinterpret_cast<std::uintptr_t>(this) / sizeof(Fiber) % colors;
  std::byte* const top = stack_ + guard_bytes + stack_bytes - color * color_bytes;
  entry_ = entry;
  argument_ = argument;
  context_ = boost::context::detail::make_fcontext(top, static_cast<std::size_t>(top - stack_) - guard_bytes, &Arrival::enter);
}

void Fiber::switch_over(Fiber& from, Fiber& to) {
  Switch leaving{&from, &to};
  const boost::context::detail::transfer_t back = boost::context::detail::jump_fcontext(to.context_, &leaving);
  static_cast<Switch*>(back.data)->from->context_ = back.fctx;
}

}  // namespace tenure::sim
