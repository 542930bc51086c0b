#include "gotemplate/template.h"

#include "gotemplate/run.h"
#include "gotemplate/tree.h"

#include <utility>

namespace weir::gotemplate {

struct Template::Compiled {
  std::string source;
  std::string name;
  ParsedTemplate parsed;
  StringPool pool;
};

Template::Template(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

base::Result<Template> Template::compile(std::string_view text, std::string_view name, FindFunction find) {
  auto parsed = parse_template(text, name, find);
  if (!parsed) return std::move(parsed).error();
  auto compiled = std::make_unique<Compiled>();
  compiled->source = std::string(text);
  compiled->name = std::string(name);
  compiled->parsed = std::move(*parsed);
  return Template(std::move(compiled));
}

bool Template::execute(TemplateData& data, Budget& budget, std::string& out, std::string& error) const {
  StringPool& pool = compiled_->pool;
  pool.budget = &budget;
  pool.exhausted = false;
  const bool ok = run_template(compiled_->parsed, {compiled_->source, compiled_->name}, data, pool, out, error);
  pool.strings.clear();
  return ok;
}

const std::vector<std::string>& Template::names() const { return compiled_->parsed.names; }
bool Template::reads_everything() const { return compiled_->parsed.reads_everything; }

std::string_view Template::single_label() const {
  const std::vector<Node>& nodes = compiled_->parsed.defined.find(compiled_->name)->second.children;
  return nodes.size() == 1 && nodes[0].kind == Node::Kind::action ? lone_field(nodes[0]) : std::string_view();
}

}  // namespace weir::gotemplate
