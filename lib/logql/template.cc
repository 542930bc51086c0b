#include "logql/template.h"

namespace weir::logql {

struct Template::Compiled {
  std::vector<std::string> names;
};

Template::Template(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

base::Result<Template> Template::compile(std::string_view, std::string_view) {
  return base::fail(base::Code::parse, "templates are not supported");
}
bool Template::execute(TemplateData&, std::string&, std::string&) const { return false; }
const std::vector<std::string>& Template::names() const { return compiled_->names; }
bool Template::reads_everything() const { return true; }

}  // namespace weir::logql
