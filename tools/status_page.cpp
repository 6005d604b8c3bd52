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
    const std::uint32_t end = page.text_end.load(std::memory_order_relaxed);
    if (text.size() + 1 > StatusPage::text_bytes - end) return;
    text.copy(page.text.data() + end, text.size());
    page.text[end + text.size()] = '\n';
    page.text_end.store(static_cast<std::uint32_t>(end + text.size() + 1), std::memory_order_release);
  }
  ring(bell);
}

}  // namespace tenure::tools
