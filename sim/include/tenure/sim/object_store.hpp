// A simulated object store of the kind of S3: whole objects, entity tags, conditional writes. What some stores get wrong is a switch.
#pragma once

#include <cstdint>
#include <vector>

#include <tenure/sim/hosted_server.hpp>

namespace tenure::sim {

struct ObjectRequest {
  enum class Op : std::uint8_t {
    get,
    put,
    put_if_absent,    // If-None-Match: *
    put_if_match,     // If-Match: etag
    remove,           // whatever is there
    remove_if_match,  // If-Match: etag
  };
  Op op;
  std::uint64_t key = 0;
  std::uint64_t value = 0;
  std::uint64_t etag = 0;
};

enum class ObjectStatus : std::uint16_t { ok = 200, not_found = 404, precondition_failed = 412, internal_error = 500 };

struct ObjectReply {
  ObjectStatus status = ObjectStatus::ok;
  std::uint64_t value = 0;
  std::uint64_t etag = 0;  // of the object that is there after the request
};

class ObjectStore : public HostedServer<ObjectRequest, ObjectReply> {
 public:
  struct Deviations {
    bool ignores_if_none_match = false;
    bool ignores_if_match = false;
    std::uint32_t errors_after_writing_max = 0;  // so many writes may be made, and answered with an internal error
  };
  Deviations deviations;  // set before start()

  ObjectReply answer(World& world, ThreadId client, const ObjectRequest& request) override;

 protected:
  void clear() override;

 private:
  using Op = ObjectRequest::Op;
  struct Object {
    std::uint64_t key;
    std::uint64_t value;
    std::uint64_t etag;
  };

  ObjectStatus judge(const ObjectRequest& request, const Object* there) const;

  std::vector<Object> objects_;
  std::uint64_t writes_ = 0;
  std::uint32_t errors_ = 0;
};

}  // namespace tenure::sim
