#include "tools/status_page.hpp"

#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <mutex>
#include <new>

namespace tenure::tools {

StatusPage* map_status_page() {
  void* memory = mmap(nullptr, sizeof(StatusPage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : new (memory) StatusPage;
}

bool make_bells(BellPair& bells) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) return false;
  bells = {ends[0], ends[1]};
  return true;
}

void ring(int bell) {
  // A full bell has not been answered yet: it rings anyway.
  static_cast<void>(send(bell, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

bool answer(int bell) {
  std::array<char, 256> rings{};
  for (;;) {
    const ssize_t count = recv(bell, rings.data(), rings.size(), MSG_DONTWAIT);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    return count < 0 && errno == EAGAIN;
  }
}

void say(StatusPage& page, int bell, std::string_view text) {
  static std::mutex mutex;
  {
    const std::lock_guard lock(mutex);
    // Relaxed: under the mutex. The store releases the text to the supervisor's acquiring load.
    std::uint64_t end = page.text_end.load(std::memory_order_relaxed);
    // Acquire: what was taken has been read.
    const std::uint64_t used = end - page.text_taken.load(std::memory_order_acquire);
    if (text.size() + 1 > StatusPage::text_bytes - used) return;
    for (const char c : text) page.text[end++ % StatusPage::text_bytes] = c;
    page.text[end++ % StatusPage::text_bytes] = '\n';
    page.text_end.store(end, std::memory_order_release);
  }
  ring(bell);
}

std::string take_text(StatusPage& page) {
  const std::uint64_t end = page.text_end.load(std::memory_order_acquire);
  std::string text;
  for (std::uint64_t at = page.text_taken.load(std::memory_order_relaxed); at < end; ++at) {
    text += page.text[at % StatusPage::text_bytes];
  }
  page.text_taken.store(end, std::memory_order_release);
  return text;
}

}  // namespace tenure::tools
