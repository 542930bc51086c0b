#include "stages/line_regex.h"

#include "gotext/regex.h"
#include "logql/advice.h"

#include <utility>

namespace weir::stages {
namespace {

constexpr std::size_t kMostMessage = 160;  // bytes

class LineRegex final : public tail::LineMatcher {
 public:
  explicit LineRegex(gotext::Regex regex) : regex_(std::move(regex)) {}
  // The expression looks for what every match needs before it runs.
  [[nodiscard]] bool is_first(std::string_view line) const override { return regex_.matches(line); }

 private:
  const gotext::Regex regex_;
};

}  // namespace

base::Result<std::shared_ptr<const tail::LineMatcher>> make_line_regex(std::string_view pattern) {
  auto regex = gotext::Regex::compile(pattern);
  if (!regex) {
    base::Error error = std::move(regex).error();
    error.message = logql::clip(error.message, kMostMessage);  // it may have the whole expression
    return error;
  }
  return std::shared_ptr<const tail::LineMatcher>(std::make_shared<LineRegex>(std::move(*regex)));
}

}  // namespace weir::stages
