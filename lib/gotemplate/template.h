// Go's text/template, as line_format and label_format use it.
//
//   {{ .level | upper }} {{ if gt (len .msg) 80 }}{{ trunc 80 .msg }}…{{ else }}{{ .msg }}{{ end }}
//
// A label that is absent prints as nothing. What differs from Go: complex numbers are refused; templates nest up to 200 deep,
// blocks and parentheses up to 100; JSON nests up to 1,000 deep; and the Budget.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "gotemplate/budget.h"
#include "gotemplate/functions.h"
#include "gotemplate/value.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotemplate {

// The record that a template is executed on.
class TemplateData {
 public:
  virtual ~TemplateData() = default;
  virtual bool find(std::string_view name, std::string_view& value) = 0;
  virtual void each(const std::function<void(std::string_view name, std::string_view value)>& visit) = 0;
  [[nodiscard]] virtual std::string_view line() = 0;
  [[nodiscard]] virtual base::Timestamp timestamp() = 0;
  // The outermost dot, where that is no map of labels: of templates that are not about a record. Lives as long as the execution.
  [[nodiscard]] virtual const Value* dot() { return nullptr; }
  // The Go type of dot() where that is a struct: other fields than its own are errors. "" of a map.
  [[nodiscard]] virtual std::string_view dot_type() { return {}; }
};

// Immutable once compiled. But execute() keeps scratch memory and is not thread safe.
class Template {
 public:
  // `name` goes into messages ("line" or "label"). The error is Go's, "template: line:1: unclosed action", with Code::parse.
  static base::Result<Template> compile(std::string_view text, std::string_view name, FindFunction find = find_function);

  // Appends the output. False when a function failed or `budget` is used up. Then `error` says what happened, in Go's form, and
  // `out` is useless.
  bool execute(TemplateData& data, Budget& budget, std::string& out, std::string& error) const;

  // The labels that the template reads. `reads_everything`: it reads all of them (`{{ . }}`, or a range over them).
  [[nodiscard]] const std::vector<std::string>& names() const;
  [[nodiscard]] bool reads_everything() const;
  // The label, when the template is only `{{ .label }}` or `{{ $x := .label }}`; otherwise "". Loki prints it in both cases.
  [[nodiscard]] std::string_view single_label() const;

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

 private:
  struct Compiled;
  explicit Template(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace weir::gotemplate
