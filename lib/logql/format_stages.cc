#include "logql/format_stages.h"

#include "base/byte_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace weir::logql {
namespace {

// What an unusual record took of the memory of a result.
void give_back(std::string& out) {
  if (out.capacity() > 1 << 20) out = std::string();
}

// The labels of a record as they are now, errors among them.
class ScopeData : public gotemplate::TemplateData {
 public:
  explicit ScopeData(Scope& scope) : scope_(scope) {}
  bool find(std::string_view name, std::string_view& value) override {
    if (scope_.find(name, value)) return true;
    value = name == kErrorLabel ? scope_.error() : name == kErrorDetailsLabel ? scope_.error_details() : std::string_view();
    return !value.empty();
  }
  void each(const std::function<void(std::string_view, std::string_view)>& visit) override {
    scope_.each(visit);
    if (scope_.errored()) visit(kErrorLabel, scope_.error());
    if (!scope_.error_details().empty()) visit(kErrorDetailsLabel, scope_.error_details());
  }
  std::string_view line() override { return scope_.line(); }
  base::Timestamp timestamp() override { return scope_.timestamp(); }

 private:
  Scope& scope_;
};

// The labels as they were when the first template of a label_format ran.
class SnapshotData : public gotemplate::TemplateData {
 public:
  explicit SnapshotData(Scope& scope) : scope_(scope) {
    ScopeData(scope).each([this](std::string_view name, std::string_view value) { labels_.push_back({name, value}); });
    if (many()) std::ranges::stable_sort(labels_, {}, &record::Label::name);
  }
  bool find(std::string_view name, std::string_view& value) override {
    const auto found = many() ? std::ranges::lower_bound(labels_, name, {}, &record::Label::name)
                              : std::ranges::find(labels_, name, &record::Label::name);
    if (found == labels_.end() || found->name != name) return false;
    value = found->value;
    return true;
  }
  void each(const std::function<void(std::string_view, std::string_view)>& visit) override {
    for (const record::Label& label : labels_) visit(label.name, label.value);
  }
  std::string_view line() override { return scope_.line(); }
  base::Timestamp timestamp() override { return scope_.timestamp(); }

 private:
  Scope& scope_;
  [[nodiscard]] bool many() const { return labels_.size() > 16; }
  std::vector<record::Label> labels_;
};

}  // namespace

base::Result<LineFormat> LineFormat::compile(const LineFormatExpr& expr) {
  auto text = gotemplate::Template::compile(expr.text, "line");
  if (!text) return base::fail(base::Code::parse, "invalid line template: {}", text.error().message);
  return LineFormat(std::move(*text));
}

bool LineFormat::process(Scope& scope) const {
  // A lone label is looked up without the template: so it is in Loki, where errors are no labels then.
  if (const std::string_view name = template_.single_label(); !name.empty()) {
    scope.set_line(scope.get(name));
    return true;
  }
  out_.clear();
  error_.clear();
  ScopeData data(scope);
  if (template_.execute(data, scope.budget(), out_, error_)) {
    scope.set_line(scope.scratch().copy(out_));
  } else {
    scope.set_error(kTemplateError, error_);
  }
  give_back(out_);
  return true;
}

base::Result<LabelFormat> LabelFormat::compile(const LabelFormatExpr& expr) {
  LabelFormat format;
  for (const LabelFormatExpr::Item& item : expr.items) {
    if (item.name == kErrorLabel) return base::fail(base::Code::parse, "{} cannot be formatted", item.name);
    if (std::any_of(format.items_.begin(), format.items_.end(), [&](const Item& other) { return other.name == item.name; })) {
      return base::fail(base::Code::parse, "multiple label name '{}' not allowed in a single format operation", item.name);
    }
    Item compiled;
    compiled.name = item.name;
    if (item.is_rename) {
      compiled.source = item.value;
    } else {
      auto text = gotemplate::Template::compile(item.value, "label");
      if (!text) return base::fail(base::Code::parse, "invalid template for label '{}': {}", item.name, text.error().message);
      compiled.template_ = std::move(*text);
      ++format.templates_;
    }
    format.items_.push_back(std::move(compiled));
  }
  return format;
}

bool LabelFormat::process(Scope& scope) const {
  std::optional<SnapshotData> snapshot;
  ScopeData live(scope);
  for (const Item& item : items_) {
    if (!item.template_) {
      std::string_view value;
      if (!scope.find(item.source, value)) continue;
      scope.put(item.name, value);
      scope.remove(item.source);
      continue;
    }
    if (templates_ > 1 && !snapshot) snapshot.emplace(scope);
    gotemplate::TemplateData& data = snapshot ? static_cast<gotemplate::TemplateData&>(*snapshot) : live;
    out_.clear();
    error_.clear();
    if (item.template_->execute(data, scope.budget(), out_, error_)) {
      scope.put(item.name, scope.scratch().copy(out_));
    } else {
      scope.set_error(kTemplateError, error_);
    }
    give_back(out_);
  }
  return true;
}

std::vector<std::string> LabelFormat::names() const {
  std::vector<std::string> names;
  for (const Item& item : items_) {
    if (item.template_) {
      names.insert(names.end(), item.template_->names().begin(), item.template_->names().end());
    } else {
      names.push_back(item.source);
    }
  }
  return names;
}

bool LabelFormat::reads_everything() const {
  return std::any_of(items_.begin(), items_.end(),
                     [](const Item& item) { return item.template_ && item.template_->reads_everything(); });
}

base::Result<LabelSelection> LabelSelection::compile(const LabelSelectionExpr& expr) {
  LabelSelection selection;
  selection.keep_ = expr.keep;
  for (const LabelSelectionExpr::Item& item : expr.items) {
    Item compiled;
    compiled.name = item.matcher.name;
    if (item.has_value) {
      auto matcher = Matcher::compile(item.matcher);
      if (!matcher) return std::move(matcher).error();
      compiled.matcher = std::move(*matcher);
    }
    selection.items_.push_back(std::move(compiled));
  }
  return selection;
}

bool LabelSelection::process(Scope& scope) const {
  if (!keep_) {
    drop(scope);
    return true;
  }
  scope.retain([this](std::string_view name, std::string_view value) {
    return std::any_of(items_.begin(), items_.end(),
                       [&](const Item& item) { return item.name == name && (!item.matcher || item.matcher->matches(value)); });
  });
  return true;
}

void LabelSelection::drop(Scope& scope) const {
  for (const Item& item : items_) {
    if (item.name == kErrorLabel) {
      if (!item.matcher || item.matcher->matches(scope.error())) scope.clear_error();
      continue;
    }
    if (item.name == kErrorDetailsLabel) {
      if (!item.matcher || item.matcher->matches(scope.error_details())) scope.clear_error_details();
      continue;
    }
    std::string_view value;
    if (!scope.find(item.name, value)) continue;
    if (!item.matcher || item.matcher->matches(value)) scope.remove(item.name);
  }
}

Decolorize::Decolorize()
    : sequence_(*gotext::Regex::compile(
          "[\\x1b\\x{9b}][\\[\\]()#;?]*(?:[;0-9A-Za-z]*\\x07|(?:\\d{1,4}(?:;\\d{0,4})*)?[0-9A-PRZcf-nqrty=><~])")) {}

bool Decolorize::process(Scope& scope) const {
  const std::string_view line = scope.line();
  if (!base::contains_bytes(line, "\x1b") && !base::contains_bytes(line, "\xc2\x9b")) return true;
  char* out = scope.scratch().allocate(line.size());
  std::size_t size = 0;
  std::size_t from = 0;
  const gotext::Regex::Subject subject(line);
  while (sequence_.find(subject, from, groups_)) {
    const auto begin = static_cast<std::size_t>(groups_[0].data() - line.data());
    std::memcpy(out + size, line.data() + from, begin - from);
    size += begin - from;
    from = begin + groups_[0].size();
  }
  std::memcpy(out + size, line.data() + from, line.size() - from);
  size += line.size() - from;
  scope.scratch().shrink(out, size);
  scope.set_line({out, size});
  return true;
}

}  // namespace weir::logql
