// The LogQL that finds the records of a run. Pure.
#pragma once

#include "smoke/plan.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::smoke {

class Queries {
 public:
  // `selector` is a stream selector, filters may follow: `{job="weir-smoke"}`.
  Queries(const Plan& plan, std::string selector);

  // All records of the run, as they are.
  [[nodiscard]] std::string list() const { return selector_ + filter_; }
  // The same with short lines where that is possible, for a look that needs no lines.
  [[nodiscard]] std::string glance() const;
  // How many there are in the time before the moment that is asked for; Loki counts whole seconds of it.
  [[nodiscard]] std::string count(base::Duration window) const;
  // The numbers of records that are stored more than once, a few of them; "" where the number is no metadata.
  [[nodiscard]] std::string stored_twice(base::Duration window) const;

 private:
  std::string selector_, filter_;
  Form form_;
};

// Selectors of streams that may hold records which are missing under the right one, since a label was changed on the way.
[[nodiscard]] std::vector<std::string> wider_selectors(std::string_view label_of_all);

}  // namespace weir::smoke
