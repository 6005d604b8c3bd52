// Messages between simulated processes and servers. A server is a state machine of the scenario's own on a host elsewhere: it handles one
// request at a time, each in one step.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tenure::sim {

class World;
using ProcessId = std::uint32_t;
using ThreadId = std::uint32_t;
using HostId = std::uint32_t;
using ServerId = std::uint32_t;
constexpr std::uint32_t nobody = ~std::uint32_t{0};

constexpr std::size_t message_bytes_max = 64;
using MessageBytes = std::array<std::byte, message_bytes_max>;

template <class T>
concept Sendable = std::is_trivially_copyable_v<T> && sizeof(T) <= message_bytes_max;

// What may become of a message. The first is what happens without faults.
enum class Fate : std::uint8_t {
  delivered,
  delayed,  // comes much later, perhaps when its addressee no longer waits for it
  lost,
  broken,   // the connection breaks: after the server has handled the request, before the client has the reply
  doubled,  // a request that the server sees twice
  count_
};

// What a client learns of its request. After the last two it does not know whether the server has handled it, or will.
enum class Answer : std::uint8_t { replied, timed_out, broken };

class Server {
 public:
  virtual ~Server() = default;
  virtual void handle(World& world, ThreadId client, const MessageBytes& request, MessageBytes& reply) = 0;
  // The server was killed and started again: what isn't durable is gone.
  virtual void restarted(World&) {}
  // Its replica serves from now on.
  virtual void failed_over(World&) {}
  // A timer that it set is due.
  virtual void timer(World&, std::uint64_t /*cookie*/) {}
};

// A server of one kind of request.
template <Sendable Request, Sendable Reply>
class ServerOf : public Server {
 public:
  virtual Reply answer(World& world, ThreadId client, const Request& request) = 0;

  void handle(World& world, ThreadId client, const MessageBytes& request, MessageBytes& reply) final {
    Request typed;
    std::memcpy(&typed, request.data(), sizeof(typed));
    const Reply answered = answer(world, client, typed);
    std::memcpy(reply.data(), &answered, sizeof(answered));
  }
};

}  // namespace tenure::sim
