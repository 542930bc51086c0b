#include "stages/line_regex.h"

#include "gotext/regex.h"
#include "gotext/regex_head.h"
#include "logql/advice.h"

#include <utility>

namespace weir::stages {
namespace {

constexpr std::size_t kMostMessage = 160;  // bytes

class LineRegex final : public tail::LineMatcher {
 public:
  LineRegex(gotext::Regex regex, std::string_view pattern) : regex_(std::move(regex)), head_(pattern) {}
  [[nodiscard]] bool is_first(std::string_view line) const override {
    const gotext::RegexHead::Answer answer = head_.test(line);
    return answer == gotext::RegexHead::Answer::unsure ? regex_.matches(line) : answer == gotext::RegexHead::Answer::yes;
  }

 private:
  const gotext::Regex regex_;
  const gotext::RegexHead head_;
};

}  // namespace

base::Result<std::shared_ptr<const tail::LineMatcher>> make_line_regex(std::string_view pattern) {
  auto regex = gotext::Regex::compile(pattern);
  if (!regex) {
    base::Error error = std::move(regex).error();
    error.message = logql::clip(error.message, kMostMessage);  // it may have the whole expression
    return error;
  }
  return std::shared_ptr<const tail::LineMatcher>(std::make_shared<LineRegex>(std::move(*regex), pattern));
}

}  // namespace weir::stages
