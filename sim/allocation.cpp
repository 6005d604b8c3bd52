// The heap of the code under test: what a simulated thread allocates is charged to its run, and a run that allocates without end fails with
// "memory". Whatever is linked with the simulator gets these operators; outside of simulated threads they are malloc and free.
#include <cstdlib>
#include <new>

#include <tenure/sim/world.hpp>

namespace {

void* allocate(std::size_t bytes) {
  if (tenure::sim::World* const world = tenure::sim::World::active(); world != nullptr) world->charge_heap(bytes);
  return std::malloc(bytes == 0 ? 1 : bytes);
}

}  // namespace

void* operator new(std::size_t bytes) {
  if (void* const memory = allocate(bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
