// Design law 9: whatever came into a stage is accounted for.
#pragma once

#include "pipeline/counters.h"
#include "pipeline/stage.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

namespace weir::test {

inline std::string printed(const pipeline::Counters& counters) {
  std::string text =
      fmt::format("in {} + added {}, out {}, held {}, rejected {}, in flight {}", counters.records_in, counters.records_added,
                  counters.records_out, counters.held, counters.rejected, counters.in_flight);
  for (const auto& [reason, count] : counters.dropped) text += fmt::format(", dropped {}: {}", reason, count);
  return text + fmt::format("; invalid {}, lost {}", counters.invalid, counters.lost);
}

inline void expect_balance(const pipeline::Counters& counters) { EXPECT_EQ(counters.unaccounted(), 0) << printed(counters); }

// What a scrape of the whole process would say, also of stages that are gone.
inline void expect_balance(const metrics::Registry& registry) {
  const auto samples = registry.read();
  expect_balance(pipeline::counters_of(samples, {}));
}

// What a scrape would show; a failure where the metric is not there.
inline std::uint64_t value_of(const metrics::Registry& registry, std::string_view name, std::string_view label_value = {}) {
  for (const metrics::Sample& sample : registry.read())
    if (sample.metric->name == name && sample.label_value == label_value) return sample.value;
  ADD_FAILURE() << name << " is not there";
  return 0;
}

}  // namespace weir::test
