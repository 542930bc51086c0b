// The stages that change what is shown: line_format, label_format, drop, keep, decolorize.
#pragma once

#include "base/result.h"
#include "gotemplate/template.h"
#include "gotext/regex.h"
#include "logql/ast.h"
#include "logql/matcher.h"
#include "logql/scope.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::logql {

// When the template fails the line stays and __error__ is TemplateFormatErr.
class LineFormat : public Stage {
 public:
  static base::Result<LineFormat> compile(const LineFormatExpr& expr);
  [[nodiscard]] bool process(Scope& scope) const override;
  [[nodiscard]] const gotemplate::Template& text() const { return template_; }

 private:
  explicit LineFormat(gotemplate::Template text) : template_(std::move(text)) {}
  gotemplate::Template template_;
  mutable std::string out_;
  mutable std::string error_;
};

class LabelFormat : public Stage {
 public:
  static base::Result<LabelFormat> compile(const LabelFormatExpr& expr);
  [[nodiscard]] bool process(Scope& scope) const override;

  // Labels read by renames and templates, and whether a template reads all of them.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool reads_everything() const;

 private:
  struct Item {
    std::string name;
    std::string source;  // of a rename
    std::optional<gotemplate::Template> template_;
  };
  std::vector<Item> items_;
  std::size_t templates_ = 0;
  mutable std::string out_;
  mutable std::string error_;
};

// drop and keep.
class LabelSelection : public Stage {
 public:
  static base::Result<LabelSelection> compile(const LabelSelectionExpr& expr);
  [[nodiscard]] bool process(Scope& scope) const override;

 private:
  struct Item {
    std::string name;
    std::optional<Matcher> matcher;
  };
  void drop(Scope& scope) const;
  bool keep_ = false;
  std::vector<Item> items_;
};

// Removes the escape sequences with which programs colour their output.
class Decolorize : public Stage {
 public:
  Decolorize();
  [[nodiscard]] bool process(Scope& scope) const override;

 private:
  gotext::Regex sequence_;
  mutable std::vector<std::string_view> groups_;
};

}  // namespace weir::logql
