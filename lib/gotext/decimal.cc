#include "gotext/decimal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace weir::gotext {
namespace {

// Whole numbers as digits, the last one first.

void trim(std::string& digits) {
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
}
int compare(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (std::size_t i = a.size(); i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}
void add_to(std::string& a, std::string_view b) {
  if (a.size() < b.size()) a.resize(b.size(), 0);
  int carry = 0;
  for (std::size_t i = 0; i < a.size() && (i < b.size() || carry > 0); ++i) {
    const int sum = a[i] + (i < b.size() ? b[i] : 0) + carry;
    a[i] = static_cast<char>(sum % 10);
    carry = sum / 10;
  }
  if (carry > 0) a += static_cast<char>(carry);
}
// `a` is not smaller than `b`.
void subtract_from(std::string& a, std::string_view b) {
  int borrow = 0;
  for (std::size_t i = 0; i < a.size() && (i < b.size() || borrow > 0); ++i) {
    const int difference = a[i] - (i < b.size() ? b[i] : 0) - borrow;
    borrow = difference < 0 ? 1 : 0;
    a[i] = static_cast<char>(difference + 10 * borrow);
  }
  trim(a);
}
std::string multiply(std::string_view a, std::string_view b) {
  std::string out(a.size() + b.size(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    int carry = 0;
    for (std::size_t k = 0; k < b.size() || carry > 0; ++k) {
      const int sum = out[i + k] + carry + (k < b.size() ? a[i] * b[k] : 0);
      out[i + k] = static_cast<char>(sum % 10);
      carry = sum / 10;
    }
  }
  trim(out);
  return out;
}
// `a` becomes the remainder.
std::string divide(std::string& a, std::string_view b) {
  std::string quotient;
  std::string rest;
  for (std::size_t i = a.size(); i-- > 0;) {
    rest.insert(rest.begin(), a[i]);
    trim(rest);
    char digit = 0;
    while (compare(rest, b) >= 0) {
      subtract_from(rest, b);
      ++digit;
    }
    quotient += digit;
  }
  std::reverse(quotient.begin(), quotient.end());
  trim(quotient);
  a = std::move(rest);
  return quotient;
}

}  // namespace

Decimal::Decimal(double value) {
  if (value == 0) return;
  const std::string text = fmt::format("{}", value);
  std::size_t point = std::string::npos;
  for (const char c : text) {
    if (c == '-' && digits_.empty()) {
      negative_ = true;
    } else if (c == '.') {
      point = digits_.size();
    } else if (c >= '0' && c <= '9') {
      digits_ += static_cast<char>(c - '0');
    } else {
      break;
    }
  }
  if (point != std::string::npos) exponent_ = -static_cast<std::int64_t>(digits_.size() - point);
  if (const std::size_t mark = text.find('e'); mark != std::string::npos) exponent_ += std::atoi(text.c_str() + mark + 1);
  std::reverse(digits_.begin(), digits_.end());
  trim(digits_);
}

// Makes the exponent smaller.
void Decimal::scale_to(std::int64_t exponent) {
  if (!digits_.empty() && exponent_ > exponent) digits_.insert(0, static_cast<std::size_t>(exponent_ - exponent), '\0');
  exponent_ = exponent;
}

void Decimal::add(const Decimal& other, bool negative) {
  if (other.is_zero()) return;
  Decimal addend = other;
  if (is_zero()) exponent_ = addend.exponent_;
  const std::int64_t exponent = std::min(exponent_, addend.exponent_);
  scale_to(exponent);
  addend.scale_to(exponent);
  if (negative_ == negative) return add_to(digits_, addend.digits_);
  if (compare(digits_, addend.digits_) >= 0) return subtract_from(digits_, addend.digits_);
  subtract_from(addend.digits_, digits_);
  digits_ = std::move(addend.digits_);
  negative_ = negative;
}

Decimal& Decimal::operator+=(const Decimal& other) {
  add(other, other.negative_);
  return *this;
}
Decimal& Decimal::operator-=(const Decimal& other) {
  add(other, !other.negative_);
  return *this;
}
Decimal& Decimal::operator*=(const Decimal& other) {
  digits_ = multiply(digits_, other.digits_);
  exponent_ += other.exponent_;
  negative_ = negative_ != other.negative_;
  return *this;
}

Decimal& Decimal::operator/=(const Decimal& other) {
  constexpr std::int64_t kPrecision = 16;
  std::string divisor = other.digits_;
  const std::int64_t shift = exponent_ - other.exponent_ + kPrecision;
  std::string& longer = shift < 0 ? divisor : digits_;
  if (!longer.empty()) longer.insert(0, static_cast<std::size_t>(std::abs(shift)), '\0');
  std::string rest = std::move(digits_);
  digits_ = divide(rest, divisor);
  add_to(rest, std::string(rest));
  if (compare(rest, divisor) >= 0) add_to(digits_, std::string(1, 1));
  exponent_ = -kPrecision;
  negative_ = negative_ != other.negative_;
  return *this;
}

double Decimal::to_double() const {
  if (digits_.empty()) return 0;
  std::string text = negative_ ? "-" : "";
  for (std::size_t i = digits_.size(); i-- > 0;) text += static_cast<char>('0' + digits_[i]);
  text += fmt::format("e{}", exponent_);
  return std::strtod(text.c_str(), nullptr);
}

}  // namespace weir::gotext
