// tenure::Result: a value or the reason why there is none. No exceptions, no allocation of its own.
//
//   if (auto lease = space.try_acquire("backups/orders")) { use(*lease); } else { complain(lease.error()); }
//
// Thread safety: as that of the value.
#pragma once

#include <cassert>
#include <memory>
#include <type_traits>
#include <utility>

namespace tenure {

// REQUIRES of value(), operator* and operator->: has_value(). Of error(): !has_value(). Checked by assert.
template <class T, class E>
class [[nodiscard]] Result {
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_constructible_v<E>);

 public:
  Result(T value) noexcept : has_value_(true), value_(std::move(value)) {}
  // The value is made in place: nothing is moved.
  template <class... Arguments>
  explicit Result(std::in_place_t, Arguments&&... arguments) : has_value_(true), value_(std::forward<Arguments>(arguments)...) {}
  Result(E error) noexcept : has_value_(false), error_(std::move(error)) {}
  Result(const Result& other) : has_value_(other.has_value_) {
    if (has_value_) {
      std::construct_at(&value_, other.value_);
    } else {
      std::construct_at(&error_, other.error_);
    }
  }
  Result(Result&& other) noexcept : has_value_(other.has_value_) {
    if (has_value_) {
      std::construct_at(&value_, std::move(other.value_));
    } else {
      std::construct_at(&error_, std::move(other.error_));
    }
  }
  Result& operator=(Result&& other) noexcept {
    if (this == &other) return *this;
    std::destroy_at(this);
    std::construct_at(this, std::move(other));
    return *this;
  }
  Result& operator=(const Result& other) {
    *this = Result(other);
    return *this;
  }
  ~Result() {
    if (has_value_) {
      std::destroy_at(&value_);
    } else {
      std::destroy_at(&error_);
    }
  }

  [[nodiscard]] bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }

  [[nodiscard]] T& value() & {
    assert(has_value_);
    return value_;
  }
  [[nodiscard]] const T& value() const& {
    assert(has_value_);
    return value_;
  }
  [[nodiscard]] T&& value() && {
    assert(has_value_);
    return std::move(value_);
  }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }

  [[nodiscard]] const E& error() const {
    assert(!has_value_);
    return error_;
  }

 private:
  bool has_value_;
  union {
    T value_;
    E error_;
  };
};

}  // namespace tenure
