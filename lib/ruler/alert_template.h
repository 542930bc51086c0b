// The templates in labels and annotations of alerts: Go's text/template with the functions and variables that Prometheus and Loki's
// ruler give it.
//
//   {{ $labels.namespace }} logs {{ $value | humanize }} lines a second
//
// Not supported, because there is no server to ask: query, and what works on its results alone (first, label, value, strvalue,
// sortByLabel). They are an error of compile(). (Prometheus has tmpl in its consoles only.)
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "gotemplate/template.h"
#include "record/label_set.h"
#include "ruler/rule_file.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::ruler {

// What an alert's templates are about.
struct AlertData {
  const record::LabelSet* labels = nullptr;  // of the sample; not null
  double value = 0;
  base::Timestamp time = 0;                // of the evaluation
  const Pairs* external_labels = nullptr;  // null: none
  std::string_view external_url;
};

// Movable. Not thread safe.
class AlertTemplate {
 public:
  // Errors: Code::config with Go's text, "template: __alert_NAME:1: function "foo" not defined", and a hint.
  static base::Result<AlertTemplate> compile(std::string_view text, std::string_view alert);

  // A template that fails gives "<error expanding template: …>", as in Prometheus.
  [[nodiscard]] std::string expand(const AlertData& data) const;
  // Whether it has nothing to expand.
  [[nodiscard]] bool is_constant() const { return !compiled_; }

 private:
  std::string text_;
  std::string name_;
  std::optional<gotemplate::Template> compiled_;
};

// A function of these templates; null for an unknown name.
[[nodiscard]] const gotemplate::Function* find_alert_function(std::string_view name);

// Whether Prometheus has a function of that name, which this module does not have.
[[nodiscard]] bool is_left_out(std::string_view name);

}  // namespace weir::ruler
