#include "gotemplate/print.h"

#include "base/utf8.h"
#include "gotemplate/printer.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::gotemplate {
namespace {

// Reads a format and the numbers of its arguments.
class Formatter {
 public:
  Formatter(std::string_view format, const std::vector<Value>& arguments, std::size_t first)
      : format_(format), arguments_(arguments), first_(first), count_(arguments.size() - first) {}

  std::string run(std::size_t limit) {
    limit_ = limit;
    while (position_ < format_.size() && out_.size() <= limit) {
      const std::size_t percent = std::min(format_.find('%', position_), format_.size());
      out_ += format_.substr(position_, percent - position_);
      position_ = percent + 1;
      if (percent >= format_.size() || !directive()) break;
    }
    if (!reordered_ && next_ < count_) extra(limit);
    return std::move(out_);
  }

 private:
  [[nodiscard]] char peek() const { return position_ < format_.size() ? format_[position_] : '\0'; }

  bool directive() {
    Printer printer(out_, limit_);
    Flags& flags = printer.flags;
    good_ = true;
    for (;; ++position_) {
      const char c = peek();
      bool* const flag = c == '#'   ? &flags.sharp
                         : c == '0' ? &flags.zero
                         : c == '+' ? &flags.plus
                         : c == '-' ? &flags.minus
                         : c == ' ' ? &flags.space
                                    : nullptr;
      if (flag == nullptr) break;
      *flag = true;
    }
    after_index_ = index();
    if (peek() == '*') {
      ++position_;
      flags.width = star();
      if (!flags.width) out_ += "%!(BADWIDTH)";
      if (flags.width && *flags.width < 0) {
        flags.width = -*flags.width;
        flags.minus = true;
        flags.zero = false;
      }
      after_index_ = false;
    } else {
      flags.width = number();
      if (after_index_ && flags.width) good_ = false;
    }
    if (position_ + 1 < format_.size() && format_[position_] == '.') precision(flags);
    if (!after_index_) after_index_ = index();
    if (position_ >= format_.size()) {
      out_ += "%!(NOVERB)";
      return false;
    }
    std::size_t length = 0;
    const char32_t verb = base::decode_utf8(format_.substr(position_), length);
    position_ += length;
    verb_of(printer, verb);
    return true;
  }

  void precision(Flags& flags) {
    ++position_;
    if (after_index_) good_ = false;
    after_index_ = index();
    if (peek() != '*') {
      flags.precision = number().value_or(0);
      return;
    }
    ++position_;
    flags.precision = star();
    if (flags.precision && *flags.precision < 0) flags.precision.reset();
    if (!flags.precision) out_ += "%!(BADPREC)";
    after_index_ = false;
  }

  void verb_of(Printer& printer, char32_t verb) {
    if (verb == '%') {
      out_ += '%';
    } else if (!good_) {
      printer.bad_number(verb);
    } else if (next_ >= count_) {
      printer.missing(verb);
    } else {
      if (verb == 'v') {
        printer.flags.go_syntax = std::exchange(printer.flags.sharp, false);
        printer.flags.plus = false;
      }
      printer.argument(arguments_[first_ + next_++], verb);
    }
  }

  // [3]
  bool index() {
    if (peek() != '[') return false;
    reordered_ = true;
    const std::size_t close = format_.find(']', position_ + 1);
    if (format_.size() - position_ < 3 || close == std::string_view::npos) {
      ++position_;
      good_ = false;
      return false;
    }
    ++position_;
    const auto value = number();
    const bool whole = value && position_ == close;
    position_ = close + 1;
    if (whole && *value >= 1 && static_cast<std::size_t>(*value) <= count_) {
      next_ = static_cast<std::size_t>(*value) - 1;
      return true;
    }
    good_ = false;
    return whole;
  }

  // A width or precision that an argument gives.
  std::optional<int> star() {
    if (next_ >= count_) return std::nullopt;
    const Value& value = arguments_[first_ + next_++];
    constexpr std::int64_t kMost = 1'000'000;
    if (!value.is_integral() || value.integer > kMost || value.integer < -kMost) return std::nullopt;
    return static_cast<int>(value.integer);
  }

  // A number of a million and more digits the format.
  std::optional<int> number() {
    const std::size_t begin = position_;
    int value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++position_) {
      if (value > 1'000'000) {
        position_ = format_.size();
        return std::nullopt;
      }
      value = value * 10 + (peek() - '0');
    }
    return position_ > begin ? std::optional(value) : std::nullopt;
  }

  void extra(std::size_t limit) {
    out_ += "%!(EXTRA ";
    for (std::size_t i = next_; i < count_ && out_.size() <= limit; ++i) {
      if (i > next_) out_ += ", ";
      const Value& value = arguments_[first_ + i];
      if (value.is_nothing()) {
        out_ += "<nil>";
        continue;
      }
      out_ += type_name(value);
      out_ += '=';
      print_value(out_, value);
    }
    out_ += ')';
  }

  std::string_view format_;
  const std::vector<Value>& arguments_;
  std::size_t first_;
  std::size_t count_;
  std::size_t position_ = 0;
  std::size_t next_ = 0;  // argument
  bool reordered_ = false;
  bool good_ = true;  // the number of the argument
  bool after_index_ = false;
  std::size_t limit_ = 0;
  std::string out_;
};

}  // namespace

void print_value(std::string& out, const Value& value) {
  switch (value.kind) {
    case Value::Kind::text:
      out += value.text;
      return;
    case Value::Kind::integer:
    case Value::Kind::integer64:
      out += fmt::format_int(value.integer).c_str();
      return;
    case Value::Kind::real:
      out += gotext::print_float_g(value.real);
      return;
    default:
      Printer(out).argument(value, 'v');
  }
}

std::string print_verb(const Value& value, char verb) {
  std::string out;
  Printer(out).argument(value, static_cast<char32_t>(verb));
  return out;
}

std::string go_printf(std::string_view format, const std::vector<Value>& arguments, std::size_t first, std::size_t limit) {
  return Formatter(format, arguments, first).run(limit);
}

}  // namespace weir::gotemplate
