#include "tools/status_page.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
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

namespace {

struct Message {
  std::array<char, 256> rings{};
  iovec part{rings.data(), rings.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  Message() {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
};

void take_gift(Message& message, ipc::Descriptor& gift) {
  for (cmsghdr* at = CMSG_FIRSTHDR(&message.header); at != nullptr; at = CMSG_NXTHDR(&message.header, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(at), sizeof descriptor);
    gift = ipc::Descriptor(descriptor);
  }
}

}  // namespace

bool answer(int bell, ipc::Descriptor* gift) {
  for (;;) {
    Message message;
    if (gift == nullptr) message.header.msg_controllen = 0;
    const ssize_t count = recvmsg(bell, &message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count > 0 && gift != nullptr) take_gift(message, *gift);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    return count < 0 && errno == EAGAIN;
  }
}

bool give(int bell, int descriptor) {
  Message message;
  message.part.iov_len = 1;
  cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  return sendmsg(bell, &message.header, MSG_NOSIGNAL) == 1;
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
