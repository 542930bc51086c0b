#include "stages/expectation.h"

#include "base/count.h"
#include "record/age.h"

#include <fmt/format.h>

#include <utility>

namespace weir::stages {

Expectation::Verdict Expectation::judge(bool over) {
  const std::uint64_t before = std::exchange(found_before_, found_);
  if (verdict_ != Verdict::open) return verdict_;
  if (exceeded()) return verdict_ = Verdict::missed;
  const bool enough = found_ >= bounds_.least;
  if (over) return verdict_ = enough ? Verdict::met : Verdict::missed;
  if (!enough || bounds_.least == 0) return Verdict::open;
  const bool exact = bounds_.least == bounds_.most;
  if (bounds_.most == Bounds::kNoMost || (exact && before == found_)) verdict_ = Verdict::met;
  return verdict_;
}

std::string Expectation::text() const {
  std::string expected;
  if (bounds_.least == bounds_.most) {
    expected = bounds_.least == 0 ? "no record" : base::count_of(bounds_.least, "record");
  } else if (bounds_.most == Bounds::kNoMost) {
    expected = "at least " + base::count_of(bounds_.least, "record");
  } else if (bounds_.least == 0) {
    expected = "at most " + base::count_of(bounds_.most, "record");
  } else {
    expected = fmt::format("{} to {}", base::grouped(bounds_.least), base::count_of(bounds_.most, "record"));
  }
  const std::string found = found_ == 0 ? "none" : base::grouped(found_);
  // Reading ends where there are too many.
  return fmt::format("expected {}, found {}{}{}", expected, exceeded() ? "at least " : "", found,
                     wait_ > 0 && verdict_ == Verdict::missed && !exceeded() ? " in " + record::in_words(wait_) : "");
}

}  // namespace weir::stages
