// Decimal numbers of any size, exact in addition, subtraction and multiplication. 0.1 + 0.2 is 0.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::gotext {

class Decimal {
 public:
  // The shortest decimal number that reads back as `value`, which is finite.
  explicit Decimal(double value);
  Decimal& operator+=(const Decimal& other);
  Decimal& operator-=(const Decimal& other);
  Decimal& operator*=(const Decimal& other);
  // `other` is not 0. Rounded to 16 digits behind the point; half a digit is rounded away from 0.
  Decimal& operator/=(const Decimal& other);
  [[nodiscard]] double to_double() const;  // the nearest
  [[nodiscard]] bool is_zero() const { return digits_.empty(); }
  [[nodiscard]] std::size_t size() const { return digits_.size(); }

 private:
  void scale_to(std::int64_t exponent);
  void add(const Decimal& other, bool negative);
  // The number is digits times ten to the exponent. The last digit comes first, and no 0 comes last.
  bool negative_ = false;
  std::string digits_;  // values 0 to 9, not characters
  std::int64_t exponent_ = 0;
};

}  // namespace weir::gotext
