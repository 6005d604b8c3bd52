#include "sim/wire.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace tenure::sim::wire {

namespace {

static_assert(std::is_trivially_copyable_v<Config> && std::is_trivially_copyable_v<Decision> && std::is_trivially_copyable_v<RunId>);

enum class What : std::uint32_t { finding, sometimes };

template <class T>
void put(std::string& message, const T& value) {
  message.append(reinterpret_cast<const char*>(&value), sizeof(value));
}
void put_text(std::string& message, std::string_view text) {
  put(message, static_cast<std::uint32_t>(text.size()));
  message += text;
}

// Its length stands before each message.
void send(int out, const std::string& message) {
  std::string framed;
  put(framed, static_cast<std::uint64_t>(message.size()));
  framed += message;
  std::size_t sent = 0;
  while (sent < framed.size()) {
    const ssize_t written = write(out, framed.data() + sent, framed.size() - sent);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(done);
    sent += static_cast<std::size_t>(written);
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  template <class T>
  T get() {
    T value{};
    std::copy_n(text_.begin(), sizeof(value), reinterpret_cast<char*>(&value));
    text_.remove_prefix(sizeof(value));
    return value;
  }
  std::string text() {
    const auto size = get<std::uint32_t>();
    std::string text(text_.substr(0, size));
    text_.remove_prefix(size);
    return text;
  }
  bool empty() const { return text_.empty(); }

 private:
  std::string_view text_;
};

}  // namespace

void send_finding(int out, std::uint64_t index, const Failure& failure) {
  std::string message;
  put(message, What::finding);
  put(message, index);
  put_text(message, failure.property);
  put_text(message, failure.detail);
  put(message, failure.id.has_value());
  put(message, failure.id.value_or(RunId{}));
  put(message, failure.hash);
  put(message, failure.config);
  put(message, static_cast<std::uint64_t>(failure.tape.size()));
  message.append(reinterpret_cast<const char*>(failure.tape.data()), failure.tape.size() * sizeof(Decision));
  send(out, message);
}

void send_sometimes(int out, std::span<const World::Sometimes> counts) {
  std::string message;
  put(message, What::sometimes);
  for (const World::Sometimes& count : counts) {
    put_text(message, count.what);
    put(message, count.count);
  }
  send(out, message);
}

bool parent_is_gone(int out) {
  pollfd fd{out, 0, 0};
  return poll(&fd, 1, 0) > 0 && (fd.revents & POLLERR) != 0;
}

bool receive(int in, std::string& received) {
  std::array<char, 64 * 1024> buffer;
  const ssize_t got = read(in, buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;
  received.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

void take(std::string& received, std::map<std::string, std::pair<std::uint64_t, Failure>>& findings,
          std::map<std::string, std::uint64_t>& sometimes) {
  std::uint64_t size = 0;
  while (received.size() >= sizeof(size)) {
    std::memcpy(&size, received.data(), sizeof(size));
    if (received.size() - sizeof(size) < size) return;
    const std::string message = received.substr(sizeof(size), size);
    received.erase(0, sizeof(size) + size);
    Reader reader(message);
    if (reader.get<What>() == What::sometimes) {
      while (!reader.empty()) {
        const std::string what = reader.text();
        sometimes[what] += reader.get<std::uint64_t>();
      }
      continue;
    }
    const auto index = reader.get<std::uint64_t>();
    Failure failure;
    failure.property = reader.text();
    failure.detail = reader.text();
    const bool has_id = reader.get<bool>();
    const auto id = reader.get<RunId>();
    if (has_id) failure.id = id;
    failure.hash = reader.get<std::uint64_t>();
    failure.config = reader.get<Config>();
    failure.count = 1;
    for (auto left = reader.get<std::uint64_t>(); left != 0; --left) failure.tape.push_back(reader.get<Decision>());
    const auto [at, is_new] = findings.try_emplace(failure.property, index, failure);
    if (is_new) continue;
    const std::uint64_t count = at->second.second.count + 1;
    if (index < at->second.first) at->second = {index, failure};
    at->second.second.count = count;
  }
}

}  // namespace tenure::sim::wire
