// The states along the run in progress that the search over states can go back to, so that it need not come there again from the start.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

namespace tenure::sim {

// A stack of them, in one piece of memory. Each knows how many decisions of the tape led to it.
class Checkpoints {
 public:
  // What is appended to the result until the next call belongs to it.
  std::vector<std::byte>& push(std::size_t position) {
    marks_.push_back({position, bytes_.size()});
    return bytes_;
  }
  // The newest one that no more than `position` decisions led to; those after it are dropped. Null: there is none.
  const std::byte* newest_before(std::size_t position) {
    while (!marks_.empty() && marks_.back().position > position) {
      bytes_.resize(marks_.back().from);
      marks_.pop_back();
    }
    return marks_.empty() ? nullptr : bytes_.data() + marks_.back().from;
  }
  // Of the newest one.
  std::size_t position() const { return marks_.back().position; }

 private:
  struct Mark {
    std::size_t position;
    std::size_t from;
  };
  std::vector<Mark> marks_;
  std::vector<std::byte> bytes_;
};

// Pieces of such memory.
inline void append(std::vector<std::byte>& to, const void* data, std::size_t bytes) {
  const auto* const from = static_cast<const std::byte*>(data);
  to.insert(to.end(), from, from + bytes);
}
template <class T>
void append(std::vector<std::byte>& to, const T& object) {
  static_assert(std::is_trivially_copyable_v<T>);
  append(to, &object, sizeof(object));
}
inline void take(const std::byte*& from, void* data, std::size_t bytes) {
  std::memcpy(data, from, bytes);
  from += bytes;
}
template <class T>
void take(const std::byte*& from, T& object) {
  static_assert(std::is_trivially_copyable_v<T>);
  take(from, &object, sizeof(object));
}

}  // namespace tenure::sim
