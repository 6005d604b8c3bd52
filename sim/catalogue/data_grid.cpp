// A lock of a data grid: members that hold copies of it, and what they do when they don't hear of each other.
#include "sim/catalogue/lease_protocol.hpp"

namespace tenure::sim::protocols {

namespace {

struct GridRequest {
  bool take;
  std::uint64_t attempt;
};
struct GridReply {
  bool done;
};

class GridMember : public HostedServer<GridRequest, GridReply> {
 public:
  GridReply answer(World&, ThreadId, const GridRequest& request) override {
    if (request.take && holder_ == 0) holder_ = request.attempt;
    const bool own = holder_ == request.attempt;
    if (!request.take && own) holder_ = 0;
    return {own};
  }

 protected:
  void clear() override { holder_ = 0; }

 private:
  std::uint64_t holder_ = 0;
};

// Row 36. Members that don't answer are taken to have left the grid, and the majority of the others decides: on each side of a partition.
// The remedy: a majority of all.
class SplitBrain : public LeaseProtocol {
 public:
  using LeaseProtocol::LeaseProtocol;

 protected:
  void begin(World& in) override {
    for (GridMember& member : members_) member.start(in, "member");
    for (std::uint64_t client = 1; client <= 2; ++client) start_client(in, [this, client] { work(client); });
  }

 private:
  static constexpr std::size_t members = 2;

  void work(std::uint64_t client) {
    for (std::uint64_t attempt = 0; attempt < 3; ++attempt) {
      const std::uint64_t number = client << 8 | attempt;
      if (take(number) && begin_hold(look(), never_ns)) nap(5 * ms);
      end_hold();
      for (const GridMember& member : members_) member.ask({false, number}, timeout_ns);
      nap(ms);
    }
  }
  bool take(std::uint64_t attempt) {
    std::size_t answered = 0;
    std::size_t agreed = 0;
    for (const GridMember& member : members_) {
      const std::optional<GridReply> reply = member.ask({true, attempt}, timeout_ns);
      answered += reply ? 1 : 0;
      agreed += reply && reply->done ? 1 : 0;
    }
    if (answered < members) world().sometimes("a member is missing");
    return agreed * 2 > (broken() ? answered : members);
  }

  static constexpr std::uint64_t timeout_ns = 2 * ms;
  GridMember members_[members];
};

}  // namespace

std::vector<Bug> data_grid_bugs() {
  return {
      {.id = "grid-split-brain",
       .rows = "36",
       .property = "exclusion",
       .source = "Jepsen Hazelcast 3.8.3, Jepsen Redis-Raft",
       .summary = "members that don't answer count as gone, and each side of a partition grants",
       .config = {.partitions_max = 4},
       .make = make<SplitBrain>},
  };
}

}  // namespace tenure::sim::protocols
