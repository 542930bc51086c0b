#include "stages/enrich_check.h"

#include "base/utf8.h"
#include "names/label_name.h"
#include "names/level.h"
#include "record/own_name.h"
#include "stages/enrich.h"

#include <set>

namespace weir::stages {
namespace {

using base::Code;
using base::Result;

// Loki's defaults for labels: max_label_name_length, max_label_value_length.
constexpr std::size_t kMaxName = 1024;
constexpr std::size_t kMaxValue = 2048;

constexpr std::string_view kPodUid = "pod_uid";

Result<void> check_name(std::string_view what, std::string_view name) {
  if (!names::is_label_name(name)) {
    return base::fail(Code::usage, "{} \"{}\" is no label name", what, base::escape_control(name))
        .with_hint("a name has letters, digits and _, and no digit in front");
  }
  if (name.size() > kMaxName) return base::fail(Code::usage, "{} has {} bytes; Loki takes {}", what, name.size(), kMaxName);
  if (name.starts_with("__")) {
    return base::fail(Code::usage, "{} \"{}\" is reserved: names that begin with __ are never sent to Loki", what, name);
  }
  if (name == names::kDetectedLevel) {
    return base::fail(Code::usage, "{} \"{}\" is Loki's own metadata and never a label", what, name)
        .with_hint("--level writes it as metadata, --level label:level makes a label of another name");
  }
  return {};
}

// A label that an option sets.
Result<void> check_new_label(std::string_view what, std::string_view name) {
  if (record::is_own_name(name)) {
    return base::fail(Code::usage, "{} \"{}\" is reserved: names that begin with {} are weir's own", what,
                      base::escape_control(name), record::kOwnPrefix);
  }
  return check_name(what, name);
}

// What an option makes of pods.
Result<void> check_pod_labels(const PodLabelsSpec& spec) {
  for (const auto* const names : {&spec.labels, &spec.annotations}) {
    for (const PodName& one : *names) {
      if (auto ok = check_new_label("label", one.as); !ok) return ok;
    }
  }
  for (const PodName& one : spec.metadata) {
    if (record::is_own_name(one.as)) {
      return base::fail(Code::usage, "metadata \"{}\" is reserved: names that begin with {} are weir's own",
                        base::escape_control(one.as), record::kOwnPrefix)
          .with_hint("give another name behind an =");
    }
    if (!names::is_metadata_name(one.as)) {
      return base::fail(Code::usage, "Loki would change the name \"{}\" of metadata to \"{}\"", base::escape_control(one.as),
                        names::metadata_name(one.as))
          .with_hint("give that name, or another one, behind an =");
    }
    if (one.as == names::kDetectedLevel || one.as == kPodUid) {
      return base::fail(Code::usage, "metadata \"{}\" has a meaning of its own", one.as).with_hint("give another name behind an =");
    }
  }
  return {};
}

}  // namespace

Result<void> check_label_value(std::string_view name, std::string_view value) {
  if (value.empty()) return base::fail(Code::usage, "label \"{}\" has no value", name).with_hint("Loki drops empty labels");
  if (value.size() > kMaxValue) {
    return base::fail(Code::usage, "the value of label \"{}\" has {} bytes; Loki takes {}", name, value.size(), kMaxValue);
  }
  if (!base::is_utf8(value)) return base::fail(Code::usage, "the value of label \"{}\" is not UTF-8", name);
  return {};
}

Result<void> check(const EnrichSpec& spec) {
  std::set<std::string_view> seen;
  const auto once = [&seen](std::string_view name) -> Result<void> {
    if (seen.insert(name).second) return {};
    return base::fail(Code::usage, "label \"{}\" is set twice", name);
  };
  for (const auto& [name, value] : spec.labels) {
    if (auto ok = check_new_label("label", name); !ok) return ok;
    if (auto ok = check_label_value(name, value); !ok) return ok;
    if (auto ok = once(name); !ok) return ok;
  }
  for (const auto& [name, variable] : spec.labels_from_environment) {
    if (auto ok = check_new_label("label", name); !ok) return ok;
    if (variable.empty()) return base::fail(Code::usage, "label \"{}\" names no environment variable", name);
    if (auto ok = once(name); !ok) return ok;
  }
  if (spec.level == EnrichSpec::Level::label) {
    if (auto ok = check_new_label("the level's label", spec.level_label); !ok) return ok;
    if (auto ok = once(spec.level_label); !ok) return ok;
  }
  if (auto ok = check_pod_labels(spec.pod_labels); !ok) return ok;
  // Several labels and annotations of a pod may stand for one label: the first that there is.
  for (const auto* const names : {&spec.pod_labels.labels, &spec.pod_labels.annotations}) {
    for (const PodName& one : *names) {
      if (seen.contains(one.as)) return base::fail(Code::usage, "label \"{}\" is set twice", one.as);
    }
  }
  if (spec.keep_labels) {
    for (const std::string& name : *spec.keep_labels) {
      if (auto ok = check_name("label to keep", name); !ok) return ok;
    }
  }
  // Before the labels that fields become: one that is no field is told so.
  if (auto ok = check(spec.fields); !ok) return ok;
  for (const LineFieldsSpec::Field& field : spec.fields.to_labels) {
    if (auto ok = check_new_label("label", field.as); !ok) return ok;
    if (auto ok = once(field.as); !ok) return ok;
  }
  for (const ValueBudgetSpec::Limit& limit : spec.budget.limits) {
    if (auto ok = check_name("label of --max-values", limit.label); !ok) return ok;
  }
  return check(spec.budget);
}

}  // namespace weir::stages
