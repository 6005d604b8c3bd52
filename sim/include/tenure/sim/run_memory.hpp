// The memory in which a run lives beside its threads' stacks: what the search over states compares, and goes back to.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

#include <tenure/sim/state_set.hpp>

namespace tenure::sim {

// Pieces that stay in place for as long as the scenario lives. Whatever a run changes must be in one.
class RunMemory {
 public:
  // The future of a run depends on it: it is part of what makes two states different.
  template <class T>
  void add(T& object) {
    static_assert(std::is_trivially_copyable_v<T>, "a search copies it byte by byte");
    add(&object, sizeof(object));
  }
  void add(void* data, std::size_t bytes) { pieces_.push_back({static_cast<std::byte*>(data), bytes, true}); }
  // Statistics and the like, on which nothing depends: only brought back.
  template <class T>
  void keep(T& object) {
    static_assert(std::is_trivially_copyable_v<T>, "a search copies it byte by byte");
    pieces_.push_back({reinterpret_cast<std::byte*>(&object), sizeof(object), false});
  }

  bool empty() const { return pieces_.empty(); }
  void clear() { pieces_.clear(); }
  void add_to(StateHash& hash) const {
    for (const Piece& piece : pieces_) {
      if (piece.compared) hash.add_bytes(piece.data, piece.bytes);
    }
  }
  void save(std::vector<std::byte>& to) const {
    for (const Piece& piece : pieces_) to.insert(to.end(), piece.data, piece.data + piece.bytes);
  }
  // Takes back what save() appended; returns what follows it.
  const std::byte* restore(const std::byte* from) const {
    for (const Piece& piece : pieces_) {
      std::memcpy(piece.data, from, piece.bytes);
      from += piece.bytes;
    }
    return from;
  }

 private:
  struct Piece {
    std::byte* data;
    std::size_t bytes;
    bool compared;
  };
  std::vector<Piece> pieces_;
};

}  // namespace tenure::sim
