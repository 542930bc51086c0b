#include "smoke/queries.h"

#include <fmt/format.h>

namespace weir::smoke {
namespace {

std::uint64_t whole_seconds(base::Duration window) {
  return static_cast<std::uint64_t>((window + base::kSecond - 1) / base::kSecond);
}

}  // namespace

Queries::Queries(const Plan& plan, std::string selector) : selector_(std::move(selector)), form_(plan.spec().form) {
  filter_ = form_ == Form::metadata ? fmt::format(" | {}=\"{}\"", kRunName, plan.spec().run) : fmt::format(" |= `{}`", plan.mark());
}

std::string Queries::glance() const {
  // Lines stay different, so that no Loki takes two records at one time for repeats of each other.
  return form_ == Form::metadata ? list() + fmt::format(" | line_format \"{{{{.{}}}}}\"", kRecordName) : list();
}

std::string Queries::count(base::Duration window) const {
  return fmt::format("sum(count_over_time({} [{}s]))", list(), whole_seconds(window));
}

std::string Queries::stored_twice(base::Duration window) const {
  if (form_ != Form::metadata) return {};
  return fmt::format("topk(10, sum by ({}) (count_over_time({} [{}s])) > 1)", kRecordName, list(), whole_seconds(window));
}

std::vector<std::string> wider_selectors(std::string_view label_of_all) {
  std::vector<std::string> selectors;
  if (!label_of_all.empty()) selectors.push_back(fmt::format("{{{}=~\".+\"}}", label_of_all));
  selectors.emplace_back("{service_name=~\".+\"}");  // Loki gives it to every stream
  return selectors;
}

}  // namespace weir::smoke
