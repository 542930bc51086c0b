// Records of every shape, the same for the same seed, and a text by which two records compare.
#pragma once

#include "record/json.h"
#include "record/record.h"

#include <random>
#include <string>
#include <vector>

namespace weir::test {

// Everything a record keeps when it is stored; the line decoded, `source` and `raw` left out.
inline std::string describe(const record::Record& record) {
  std::string line(record.line.data);
  if (!record.line.decoded()) line.resize(record::unescape(line.data(), record.line.data));
  std::string text =
      std::to_string(record.timestamp) + " " + std::string(record.labels->json()) + " '" + std::string(record.tenant) + "' {";
  for (const record::Label& label : record.metadata) text += std::string(label.name) + "=" + std::string(label.value) + ";";
  text += "}";
  if (record.held) text += " held";
  if (record.invalid) text += " invalid";
  if (record.extra != nullptr) text += " " + std::string(record.extra->unknown) + "|" + std::string(record.extra->rejected);
  return text + " <" + line + ">";
}

inline void add_random_records(record::Batch& batch, unsigned seed, std::size_t count) {
  std::mt19937 random(seed);
  const auto below = [&random](unsigned limit) { return random() % limit; };
  const auto bytes = [&](unsigned max, bool text) {
    std::string out(below(max + 1), '\0');
    for (char& c : out) c = static_cast<char>(text ? 'a' + below(26) : below(256));
    return out;
  };
  base::Timestamp now = 1'760'000'000'000'000'000;
  const unsigned streams = 1 + below(12);
  for (std::size_t i = 0; i < count; ++i) {
    record::Record& record = batch.records.emplace_back();
    now += static_cast<base::Timestamp>(below(2'000'000'000)) - 100'000'000;
    record.timestamp = below(50) == 0 ? static_cast<base::Timestamp>(std::uint64_t{random()} * random()) : now;
    const std::string pod = "pod-" + std::to_string(below(streams));
    record.labels = batch.hold(
        below(20) == 0
            ? record::LabelSet::empty()
            : record::LabelSet::intern({{"namespace", "shop"}, {"pod", pod}, {"stream", below(2) == 0 ? "stdout" : "stderr"}}));
    const bool text = below(4) != 0;
    record.line = record::Text::bytes(batch.copy(bytes(below(30) == 0 ? 5000 : 120, text)));
    if (text && record::is_clean(record.line.data)) record.line.form = record::Text::Form::clean;
    if (below(3) == 0) record.tenant = batch.copy("team-" + std::to_string(below(3)));
    const auto metadata = batch.allocate_labels(below(4));
    for (std::size_t m = 0; m < metadata.size(); ++m) {
      metadata[m] = {batch.copy("key" + std::to_string(below(5))),
                     batch.copy(below(3) == 0 ? bytes(20, true) : "v" + std::to_string(below(3)))};
    }
    record.metadata = metadata;
    record.held = below(9) == 0;
    record.invalid = below(30) == 0;
    if (below(10) == 0) {
      auto* extra = batch.make<record::Extra>();
      extra->unknown = below(3) != 0 ? batch.copy("\"k\":" + std::to_string(below(1000))) : std::string_view();
      extra->rejected = extra->unknown.empty() ? std::string_view("{\"reason\":\"too old\"}") : std::string_view();
      record.extra = extra;
    }
  }
}

}  // namespace weir::test
