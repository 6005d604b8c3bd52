// A server of one kind of request on a host of its own, and its clients' side.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <tenure/sim/message.hpp>
#include <tenure/sim/process.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

template <Sendable Request, Sendable Reply>
class HostedServer : public ServerOf<Request, Reply> {
 public:
  // In setup(): nothing of the run before is left.
  void start(World& world, std::string_view name) {
    host_ = world.add_host();
    id_ = world.add_server(*this, host_);
    world.name_server(id_, name);
    clear();
  }
  ServerId id() const { return id_; }
  HostId host() const { return host_; }

  // Nothing: no reply came in time, or the connection broke. The server may have acted, or may act yet.
  std::optional<Reply> ask(const Request& request, std::uint64_t timeout_ns = never_ns) const {
    Reply reply;
    if (here().call(id_, request, reply, timeout_ns) != Answer::replied) return std::nullopt;
    return reply;
  }

 protected:
  virtual void clear() = 0;
  // The server's own clock.
  std::uint64_t now_ns(const World& world) const { return world.boottime_ns(host_); }

 private:
  ServerId id_ = 0;
  HostId host_ = 0;
};

}  // namespace tenure::sim
