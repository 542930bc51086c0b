// The execution of a template.
#pragma once

#include "gotemplate/template.h"
#include "gotemplate/tree.h"
#include "gotemplate/value.h"

#include <string>
#include <string_view>

namespace weir::gotemplate {

struct TemplateText {
  std::string_view source;
  std::string_view name;
};

// Appends the output to `out`. False: `error` says why, in Go's form.
[[nodiscard]] bool run_template(const ParsedTemplate& parsed, TemplateText text, TemplateData& data, StringPool& pool,
                                std::string& out, std::string& error);

// The label of an action that is only {{ .label }} or {{ $x := .label }}; otherwise "".
[[nodiscard]] std::string_view lone_field(const Node& action);

}  // namespace weir::gotemplate
