#include "tools/options.hpp"

#include <algorithm>

#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr std::size_t help_column = 34;

bool has_name(const OptionSpec& spec, std::string_view name) {
  for (std::string_view rest = spec.names; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == name) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

const OptionSpec* find_option(std::span<const OptionSpec> specs, std::string_view name) {
  const auto found = std::ranges::find_if(specs, [name](const OptionSpec& spec) { return has_name(spec, name); });
  return found == specs.end() ? nullptr : &*found;
}

class Parser {
 public:
  Parser(std::span<const OptionSpec> specs, std::span<char*> arguments) : specs_(specs), arguments_(arguments) {}

  ParsedOptions parse(Operands operands) {
    std::vector<char*> kept;
    while (next_ < arguments_.size() && parsed_.error.empty()) {
      const std::string_view argument = arguments_[next_];
      if (argument == "--") {
        ++next_;
        break;
      }
      if (argument.size() >= 2 && argument[0] == '-') {
        ++next_;
        argument[1] == '-' ? read_long(argument) : read_letters(argument);
      } else if (operands == Operands::mixed) {
        kept.push_back(arguments_[next_++]);
      } else {
        break;
      }
    }
    // Those before "--" or the end come directly before those behind it.
    const std::size_t first = next_ - kept.size();
    std::ranges::copy(kept, arguments_.begin() + static_cast<std::ptrdiff_t>(first));
    parsed_.operands = arguments_.subspan(first);
    return std::move(parsed_);
  }

 private:
  void read_long(std::string_view argument) {
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const OptionSpec* spec = find_option(specs_, name);
    if (spec == nullptr) return fail("there is no option " + clean(clipped(name)));
    if (equals == std::string_view::npos) return take(*spec, name);
    if (spec->value.empty()) return fail("option " + clean(clipped(name)) + " takes no value");
    parsed_.options.push_back({spec->key, name, argument.substr(equals + 1)});
  }

  void read_letters(std::string_view argument) {
    for (std::size_t i = 1; i < argument.size() && parsed_.error.empty(); ++i) {
      const char name[] = {'-', argument[i], '\0'};
      const OptionSpec* spec = find_option(specs_, std::string_view(name, 2));
      if (spec == nullptr) return fail("there is no option -" + clean(argument.substr(i, 1)));
      // A view of what the specification says: `name` is gone after this round.
      const std::string_view stable = spec->names.substr(spec->names.find(std::string_view(name, 2)), 2);
      if (!spec->value.empty() && i + 1 < argument.size()) {
        parsed_.options.push_back({spec->key, stable, argument.substr(i + 1)});
        return;
      }
      take(*spec, stable);
    }
  }

  // An option whose value, if it has one, is the next argument.
  void take(const OptionSpec& spec, std::string_view name) {
    if (spec.value.empty()) {
      parsed_.options.push_back({spec.key, name, {}});
    } else if (next_ < arguments_.size()) {
      parsed_.options.push_back({spec.key, name, arguments_[next_++]});
    } else {
      fail("option " + std::string(name) + " needs a value: " + std::string(name) + " " + std::string(spec.value));
    }
  }

  void fail(std::string text) { parsed_.error = std::move(text); }

  std::span<const OptionSpec> specs_;
  std::span<char*> arguments_;
  std::size_t next_ = 0;
  ParsedOptions parsed_;
};

}  // namespace

ParsedOptions parse_options(std::span<const OptionSpec> specs, std::span<char*> arguments, Operands operands) {
  return Parser(specs, arguments).parse(operands);
}

std::string options_help(std::span<const OptionSpec> specs) {
  std::string text;
  for (const OptionSpec& spec : specs) {
    if (spec.help.empty()) continue;
    std::string line = "  ";
    line += spec.names;
    if (!spec.value.empty()) (line += ' ') += spec.value;
    line.append(line.size() < help_column ? help_column - line.size() : 1, ' ');
    (text += line) += spec.help;
    text += '\n';
  }
  return text;
}

}  // namespace tenure::tools
