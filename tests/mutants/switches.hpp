// The switches in core/'s mutated headers: each mutant has a number, and the program chooses which one is on.
//
// In a constant expression all are off: what the compiler works out is the original.
#pragma once

#include <atomic>
#include <cstdint>

namespace tenure::mutants {

inline constexpr std::uint32_t mutants_max = 8192;

inline std::uint32_t chosen = 0;             // 0: none
inline std::uint8_t reached[mutants_max]{};  // places that some run has come to

constexpr bool on(std::uint32_t mutant) {
  if (__builtin_is_constant_evaluated()) return false;
  reached[mutant] = 1;
  return chosen == mutant && mutant != 0;
}
constexpr bool stays(std::uint32_t mutant) { return !on(mutant); }

constexpr bool condition(std::uint32_t always, std::uint32_t never, bool value) {
  if (on(always)) return true;
  return on(never) ? false : value;
}
constexpr bool flip(std::uint32_t mutant, bool value) { return on(mutant) != value; }
template <class Second>
constexpr bool both(std::uint32_t mutant, bool first, Second second) {
  return on(mutant) ? first || second() : first && second();
}
template <class Second>
constexpr bool either(std::uint32_t mutant, bool first, Second second) {
  return on(mutant) ? first && second() : first || second();
}
template <class T>
constexpr bool negated(std::uint32_t mutant, const T& value) {
  return on(mutant) == !value ? false : true;
}
template <class T>
constexpr T complement(std::uint32_t mutant, T value) {
  return on(mutant) ? value : ~value;
}
template <class T>
constexpr T number(std::uint32_t mutant, T value) {
  return on(mutant) ? static_cast<T>(value + 1) : value;
}
template <class T>
constexpr T pick(std::uint32_t mutant, T value, T other) {
  return on(mutant) ? other : value;
}

// clang-format off
#define TENURE_RELATIONAL(name, op, boundary, opposite)                                             \
  template <class A, class B>                                                                       \
  constexpr bool name(std::uint32_t first, std::uint32_t second, const A& a, const B& b) {          \
    if (on(first)) return a boundary b;                                                             \
    return on(second) ? a opposite b : a op b;                                                      \
  }
#define TENURE_BINARY(name, op, other)                                                              \
  template <class A, class B>                                                                       \
  constexpr auto name(std::uint32_t mutant, const A& a, const B& b) -> decltype(a op b) {           \
    if (on(mutant)) return static_cast<decltype(a op b)>(a other b);                                \
    return a op b;                                                                                  \
  }
TENURE_RELATIONAL(less, <, <=, >=)
TENURE_RELATIONAL(less_equal, <=, <, >)
TENURE_RELATIONAL(greater, >, >=, <=)
TENURE_RELATIONAL(greater_equal, >=, >, <)
TENURE_BINARY(equal, ==, !=)
TENURE_BINARY(not_equal, !=, ==)
TENURE_BINARY(plus, +, -)
TENURE_BINARY(minus, -, +)
TENURE_BINARY(times, *, +)
TENURE_BINARY(over, /, *)
TENURE_BINARY(modulo, %, /)
TENURE_BINARY(left, <<, >>)
TENURE_BINARY(right, >>, <<)
TENURE_BINARY(bit_or, |, &)
TENURE_BINARY(bit_and, &, |)
TENURE_BINARY(bit_xor, ^, |)
#undef TENURE_RELATIONAL
#undef TENURE_BINARY
// clang-format on

template <class Word, class T, class Value, class... Orders>
bool cas(std::uint32_t blind, std::uint32_t steps, Word& word, T& expected, Value desired, Orders... orders) {
  if (on(blind)) {
    word.store(static_cast<T>(desired), std::memory_order_seq_cst);
    return true;
  }
  if (on(steps)) {
    const T seen = word.load(std::memory_order_seq_cst);
    if (seen == expected) word.store(static_cast<T>(desired), std::memory_order_seq_cst);
    const bool equal = seen == expected;
    expected = seen;
    return equal;
  }
  return word.compare_exchange_strong(expected, static_cast<T>(desired), orders...);
}

template <class Word, class Value>
auto fetch_add(std::uint32_t mutant, Word& word, Value value, std::memory_order order) {
  if (!on(mutant)) return word.fetch_add(value, order);
  const auto seen = word.load(std::memory_order_seq_cst);
  word.store(static_cast<decltype(word.fetch_add(value, order))>(seen + value), std::memory_order_seq_cst);
  return seen;
}

}  // namespace tenure::mutants
