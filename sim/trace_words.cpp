#include "sim/trace_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tenure::sim {

namespace {

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> digits{};
  return "0x" + std::string(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr);
}
std::string value_text(std::uint64_t value) {
  constexpr std::uint64_t decimal_max = 9999;
  return value <= decimal_max ? std::to_string(value) : hexadecimal(value);
}

bool changes_memory(Op op) { return op == Op::exchange || op == Op::cas || op == Op::fetch_add; }

}  // namespace

std::string TraceWords::word(const void* address) {
  if (address == nullptr) return {};
  if (const std::string_view name = world_.word_name(address); !name.empty()) return std::string(name);
  const auto [known, is_new] = words_.try_emplace(address, words_.size() + 1);
  return "w" + std::to_string(known->second);
}

std::string TraceWords::robust_list(const TraceLine& line) {
  constexpr std::uint64_t removes = 0;
  constexpr std::uint64_t adds = 1;
  if (line.word == nullptr) return "robust list: nothing pending";
  const char* what = line.first == adds ? "add " : line.first == removes ? "remove " : "pending ";
  return std::string("robust list: ") + what + word(line.word);
}

std::string TraceWords::lock(const void* oracle) {
  if (const std::string_view name = world_.word_name(oracle); !name.empty()) return std::string(name);
  const auto known = std::ranges::find(locks_, oracle);
  const auto number = known - locks_.begin() + 1;
  if (known == locks_.end()) locks_.push_back(oracle);
  return number == 1 ? "lock" : "lock " + std::to_string(number);
}

std::string TraceWords::label(const TraceLine& line) {
  std::string text(name_of(line.op));
  constexpr std::string_view kernel_prefix = "kernel ";
  if (text.starts_with(kernel_prefix)) text.erase(0, kernel_prefix.size());
  if (line.word != nullptr) text += ' ' + word(line.word);
  switch (line.op) {
    case Op::note: text = line.text == nullptr ? "note" : line.text; [[fallthrough]];
    case Op::load:
    case Op::store:
    case Op::drain:
    case Op::arm_bell:
    case Op::claim_byte:
    case Op::free_byte:
    case Op::probe_byte:
    case Op::set_tag:
    case Op::find_tag:
    case Op::token_mark:
    case Op::kernel_mark: text += ' ' + value_text(line.first); break;
    case Op::robust_list: text = robust_list(line); break;
    case Op::kernel_free_bytes: text = "frees the bytes of"; [[fallthrough]];
    case Op::send_kill: text += ' ' + world_.process_name(static_cast<ProcessId>(line.first)); break;
    case Op::cas_failed: text += ", it is " + value_text(line.first); break;
    case Op::wait: text += ", it is " + value_text(line.first) + " and not " + value_text(line.second); break;
    case Op::wake: text += ", " + std::to_string(line.second) + " woken"; break;
    default: break;
  }
  if (changes_memory(line.op)) text += ' ' + value_text(line.first) + " -> " + value_text(line.second);
  if (line.op == Op::claim_byte || line.op == Op::probe_byte) text += line.second != 0 ? ": held" : ": free";
  return text;
}

}  // namespace tenure::sim
