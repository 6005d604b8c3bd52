#include <tenure/sim/object_store.hpp>

#include <algorithm>

namespace tenure::sim {

void ObjectStore::clear() {
  objects_.clear();
  writes_ = 0;
  errors_ = 0;
}

// What becomes of the condition, if the request has one.
ObjectStatus ObjectStore::judge(const ObjectRequest& request, const Object* there) const {
  if (request.op == Op::put_if_absent) {
    return there != nullptr && !deviations.ignores_if_none_match ? ObjectStatus::precondition_failed : ObjectStatus::ok;
  }
  const bool conditional = request.op == Op::put_if_match || request.op == Op::remove_if_match;
  if (!conditional || deviations.ignores_if_match) return ObjectStatus::ok;
  if (there == nullptr) return ObjectStatus::not_found;
  return there->etag == request.etag ? ObjectStatus::ok : ObjectStatus::precondition_failed;
}

ObjectReply ObjectStore::answer(World& world, ThreadId, const ObjectRequest& request) {
  const auto there = std::find_if(objects_.begin(), objects_.end(), [&](const Object& object) { return object.key == request.key; });
  const bool exists = there != objects_.end();
  if (request.op == Op::get)
    return exists ? ObjectReply{ObjectStatus::ok, there->value, there->etag} : ObjectReply{ObjectStatus::not_found, 0, 0};
  ObjectReply reply{judge(request, exists ? &*there : nullptr), 0, 0};
  if (reply.status != ObjectStatus::ok) return reply;
  if (request.op == Op::remove || request.op == Op::remove_if_match) {
    if (exists) objects_.erase(there);
  } else {
    const Object written{request.key, request.value, ++writes_};
    if (exists)
      *there = written;
    else
      objects_.push_back(written);
    reply = {ObjectStatus::ok, written.value, written.etag};
  }
  if (errors_ < deviations.errors_after_writing_max && world.choose(3) == 1) {
    ++errors_;
    return {ObjectStatus::internal_error, 0, 0};
  }
  return reply;
}

}  // namespace tenure::sim
