// Locks that are an object in a store of the kind of S3.
#include <tenure/sim/object_store.hpp>

#include "sim/catalogue/lease_protocol.hpp"

namespace tenure::sim::protocols {

namespace {

class ObjectProtocol : public LeaseProtocol {
 public:
  using LeaseProtocol::LeaseProtocol;
  void setup(World& in) override {
    objects_.deviations = deviations(in);
    objects_.start(in, "objects");
    LeaseProtocol::setup(in);
  }

 protected:
  using Op = ObjectRequest::Op;
  static constexpr std::uint64_t key = 1;
  virtual ObjectStore::Deviations deviations(World&) const { return {}; }
  ObjectReply ask(const ObjectRequest& request) const { return *objects_.ask(request); }

  ObjectStore objects_;
};

// A lock that only its holder removes; one that a dead holder left stays.
class ObjectLock : public ObjectProtocol {
 public:
  using ObjectProtocol::ObjectProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint64_t client = 1; client <= 2; ++client) start_client(in, [this, client] { work(client); });
  }
  virtual bool take(std::uint64_t client) = 0;
  bool create(std::uint64_t client) const { return ask({.op = Op::put_if_absent, .key = key, .value = client}).status == ObjectStatus::ok; }

 private:
  void work(std::uint64_t client) {
    for (int tries = 0; tries < 4; ++tries) {
      if (take(client) && begin_hold(look(), never_ns)) {
        nap(2 * ms);
        end_hold();
        ask({.op = Op::remove, .key = key});
      }
      nap(2 * ms);
    }
  }
};

// Row 40. A look, then a write. The remedy: one conditional write.
class CheckThenPut : public ObjectLock {
 public:
  using ObjectLock::ObjectLock;

 protected:
  bool take(std::uint64_t client) override {
    if (!broken()) return create(client);
    if (ask({.op = Op::get, .key = key}).status != ObjectStatus::not_found) return false;
    ask({.op = Op::put, .key = key, .value = client});
    return true;
  }
};

// Row 40. A look, a write, and another look some time later, which is to verify that nobody else has written. It sees those only who were
// faster. The remedy: one conditional write.
class ReadBack : public ObjectLock {
 public:
  using ObjectLock::ObjectLock;

 protected:
  bool take(std::uint64_t client) override {
    if (!broken()) return create(client);
    if (ask({.op = Op::get, .key = key}).status != ObjectStatus::not_found) return false;
    ask({.op = Op::put, .key = key, .value = client});
    nap(ms / 2);
    return ask({.op = Op::get, .key = key}).value == client;
  }
};

// Row 41. Some stores accept the condition and ignore it. The remedy: to try it on another object before anything depends on it, and to
// refuse such a store.
class ConditionIgnored : public ObjectLock {
 public:
  using ObjectLock::ObjectLock;

 protected:
  ObjectStore::Deviations deviations(World& in) const override { return {.ignores_if_none_match = in.choose(2) == 1}; }
  bool take(std::uint64_t client) override { return (broken() || store_is_fit(client)) && create(client); }

 private:
  bool store_is_fit(std::uint64_t client) const {
    const std::uint64_t probe = key + client;
    ask({.op = Op::put_if_absent, .key = probe});
    const bool fit = ask({.op = Op::put_if_absent, .key = probe}).status == ObjectStatus::precondition_failed;
    ask({.op = Op::remove, .key = probe});
    world().sometimes(fit ? "store accepted" : "store refused");
    return fit;
  }
};

// The store makes a write, and answers that it failed. The client sends it again, and is told that the object is there: it waits for
// itself. The remedy: a look whose it is.
class OwnWriteRefused : public ObjectProtocol {
 public:
  using ObjectProtocol::ObjectProtocol;

 protected:
  ObjectStore::Deviations deviations(World&) const override { return {.errors_after_writing_max = 1}; }
  void begin(World& in) override {
    // An object has no end of its own: what a killed client holds is lost to the others, whoever is right.
    for (std::uint64_t client = 1; client <= 2; ++client) {
      const ProcessId process = in.spawn_process(false, in.add_host());
      in.spawn(process, [this, client] { work(client); });
    }
  }

 private:
  static constexpr std::uint64_t bound_ns = 40 * ms;

  void work(std::uint64_t client) {
    world().begin_wait();
    while (!take(client)) {
      world().end_wait(bound_ns);
      nap(3 * ms);
    }
    nap(ms);
    for (int tries = 0; tries < 2 && ask({.op = Op::remove, .key = key}).status == ObjectStatus::internal_error; ++tries) continue;
  }
  bool take(std::uint64_t client) const {
    for (;;) {
      const ObjectStatus status = ask({.op = Op::put_if_absent, .key = key, .value = client}).status;
      if (status == ObjectStatus::ok) return true;
      if (status == ObjectStatus::precondition_failed) break;
    }
    return !broken() && ask({.op = Op::get, .key = key}).value == client;
  }
};

// Row 42. A blob is leased by whoever writes its name into it. Who has made the blob and didn't get the lease cleans up, and removes it
// from under the one that did. The remedy: to remove what one has made, and nothing else.
class CleanupRemovesLeased : public ObjectProtocol {
 public:
  using ObjectProtocol::ObjectProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint64_t client = 1; client <= 3; ++client) start_client(in, [this, client] { work(client); });
  }

 private:
  static constexpr std::uint64_t unleased = 0;

  void work(std::uint64_t client) {
    for (int tries = 0; tries < 4; ++tries) {
      const ObjectReply made = ask({.op = Op::put_if_absent, .key = key, .value = unleased});
      const ObjectReply seen = made.status == ObjectStatus::ok ? made : ask({.op = Op::get, .key = key});
      if (seen.status == ObjectStatus::ok && seen.value == unleased) lease(client, seen.etag, made.status == ObjectStatus::ok);
      nap(ms);
    }
  }
  void lease(std::uint64_t client, std::uint64_t etag, bool made) {
    const ObjectReply leased = ask({.op = Op::put_if_match, .key = key, .value = client, .etag = etag});
    if (leased.status == ObjectStatus::ok && begin_hold(look(), never_ns)) {
      nap(3 * ms);
      end_hold();
      ask({.op = Op::remove_if_match, .key = key, .etag = leased.etag});
    } else if (made) {
      ask({.op = broken() ? Op::remove : Op::remove_if_match, .key = key, .etag = etag});
    }
  }
};

}  // namespace

std::vector<Bug> object_store_bugs() {
  return {
      {.id = "s3-check-then-put",
       .rows = "40",
       .property = "exclusion",
       .source = "carina#483, terraform#27070",
       .summary = "a look whether the lock object is there, and then a write",
       .config = {},
       .make = make<CheckThenPut>},
      {.id = "s3-read-back",
       .rows = "40",
       .property = "exclusion",
       .source = "carina#483, terraform#27070",
       .summary = "a write that is verified by reading it back, which another overwrites afterwards",
       .config = {.pauses_max = 2},
       .make = make<ReadBack>},
      {.id = "s3-condition-ignored",
       .rows = "41",
       .property = "exclusion",
       .source = "incus#3651, mountx#19",
       .summary = "the store ignores If-None-Match: everybody's conditional write succeeds",
       .config = {},
       .make = make<ConditionIgnored>},
      {.id = "s3-own-write-refused",
       .rows = "P",
       .property = "liveness",
       .source = "aws-sdk-java-v2#6580, hudi#14373",
       .summary = "a write that was made is answered by an error, and its retry by 412: the client waits for itself",
       .config = {},
       .make = make<OwnWriteRefused>},
      {.id = "blob-cleanup-removes-leased",
       .rows = "42",
       .property = "exclusion",
       .source = "DistributedLock#228 (4460986)",
       .summary = "whoever made a blob and did not get its lease removes it, from under the one that did",
       .config = {.pauses_max = 1},
       .make = make<CleanupRemovesLeased>},
  };
}

}  // namespace tenure::sim::protocols
