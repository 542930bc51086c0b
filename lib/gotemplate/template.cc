#include "gotemplate/template.h"

#include "gotemplate/functions.h"
#include "gotemplate/parser.h"
#include "gotemplate/value.h"
#include "gotext/go_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::gotemplate {
namespace {

// One execution of a template.
class Run {
 public:
  Run(std::string_view source, std::string_view name, TemplateData& data, std::string& out, StringPool& pool)
      : source_(source), name_(name), data_(data), out_(out), pool_(pool), printed_(out.size()) {
    const Value* const dot = data.dot();
    dot_ = dot == nullptr ? root_marker() : *dot;
    variables_.emplace_back("$", dot_);
  }

  bool nodes(const std::vector<TemplateNode>& nodes) {
    return std::all_of(nodes.begin(), nodes.end(), [this](const TemplateNode& node) { return this->node(node); });
  }
  [[nodiscard]] std::string& error() { return error_; }

 private:
  enum class Jump { none, out, next };

  // Stands for the map of the record's labels. The map itself is built only when a template needs it whole.
  static Value root_marker() {
    Value value;
    value.kind = Value::Kind::map;
    return value;
  }
  static bool is_root(const Value& value) { return value.kind == Value::Kind::map && value.map == nullptr; }
  Value whole(const Value& value) {
    if (!is_root(value)) return value;
    if (labels_ == nullptr) {
      auto map = std::make_shared<Value::Map>();
      data_.each([&](std::string_view name, std::string_view text) { map->emplace_back(std::string(name), Value::of(text)); });
      std::sort(map->begin(), map->end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      labels_ = std::move(map);
    }
    Value out = value;
    out.map = labels_;
    out.boolean = true;  // a missing label is "", not nil
    return out;
  }

  bool fail(std::size_t offset, std::string_view at, std::string_view why) {
    if (error_.empty()) {
      error_ = fmt::format("template: {}:{}: executing \"{}\" at <{}>: {}", name_, template_place(source_, offset), name_, at, why);
    }
    return false;
  }

  bool node(const TemplateNode& node) {
    if (jump_ != Jump::none) return true;
    switch (node.kind) {
      case TemplateNode::Kind::text:
        out_ += node.text;
        break;
      case TemplateNode::Kind::action: {
        Value value;
        if (!pipeline(node.pipeline, value)) return false;
        if (!node.pipeline.variables.empty()) break;
        if (value.kind == Value::Kind::nil)
          out_ += "<no value>";
        else
          print_value(out_, whole(value));
        break;
      }
      case TemplateNode::Kind::if_:
      case TemplateNode::Kind::with:
        return choice(node);
      case TemplateNode::Kind::range:
        return range(node);
      case TemplateNode::Kind::break_:
        jump_ = Jump::out;
        break;
      case TemplateNode::Kind::continue_:
        jump_ = Jump::next;
        break;
    }
    const std::size_t made = out_.size() - printed_;
    printed_ = out_.size();
    if (pool_.budget->spend(made)) return true;
    const bool text = node.kind == TemplateNode::Kind::text;
    return fail(text ? 0 : node.pipeline.commands.front().offset, text ? "" : node.pipeline.commands.front().source, kTooMuchText);
  }

  bool choice(const TemplateNode& node) {
    const std::size_t variables = variables_.size();
    Value value;
    if (!pipeline(node.pipeline, value)) return false;
    const bool holds = truth(whole(value));
    const Value outer = dot_;
    if (holds && node.kind == TemplateNode::Kind::with) dot_ = value;
    const bool ok = nodes(holds ? node.body : node.otherwise);
    dot_ = outer;
    variables_.resize(variables);
    return ok;
  }

  bool range(const TemplateNode& node) {
    const std::size_t variables = variables_.size();
    const Value outer = dot_;
    Value value;
    if (!pipeline(node.pipeline, value, false)) return false;
    value = whole(value);
    bool ok = true;
    bool any = false;
    auto round = [&](const Value& key, const Value& element) {
      if (!pool_.budget->another_round()) {
        ok = fail(node.pipeline.commands.front().offset, node.pipeline.commands.front().source,
                  fmt::format("the templates of a query may run at most {} rounds of range for one record", Budget::kRounds));
        return false;
      }
      any = true;
      const auto& names = node.pipeline.variables;
      for (std::size_t i = 0; i < names.size(); ++i) {
        const Value& given = names.size() == 2 && i == 0 ? key : element;
        if (node.pipeline.assigns)
          assign(names[i], given);
        else
          variables_.emplace_back(names[i], given);
      }
      dot_ = element;
      ok = nodes(node.body);
      variables_.resize(variables);
      const bool stops = jump_ == Jump::out;
      jump_ = Jump::none;
      return ok && !stops;
    };
    switch (value.kind) {
      case Value::Kind::list:
        for (std::size_t i = 0; i < value.list->size(); ++i) {
          if (!round(Value::of(static_cast<std::int64_t>(i)), (*value.list)[i])) break;
        }
        break;
      case Value::Kind::map:
        for (const auto& [name, element] : *value.map) {
          if (!round(Value::of(std::string_view(name)), element)) break;
        }
        break;
      case Value::Kind::integer:
        for (std::int64_t i = 0; i < value.integer; ++i) {
          if (!round(Value::of(i), Value::of(i))) break;
        }
        break;
      case Value::Kind::nil:
        break;
      default: {
        // Go names the value that it evaluated last: of a function's arguments, the last field.
        const std::string why = fmt::format("range can't iterate over {}", printed(value));
        const TemplateTerm& last = node.pipeline.commands.back().terms.back();
        if (last.kind == TemplateTerm::Kind::dot && !last.fields.empty())
          return fail(last.offset, fmt::format(".{}", fmt::join(last.fields, ".")), why);
        return fail(node.pipeline.commands.front().offset, node.pipeline.commands.front().source, why);
      }
    }
    dot_ = outer;
    if (ok && !any) ok = nodes(node.otherwise);
    variables_.resize(variables);
    return ok;
  }

  static std::string printed(const Value& value) {
    std::string out;
    print_value(out, value);
    return out;
  }

  void assign(const std::string& name, const Value& value) {
    for (auto variable = variables_.rbegin(); variable != variables_.rend(); ++variable) {
      if (variable->first != name) continue;
      variable->second = value;
      return;
    }
  }

  bool pipeline(const TemplatePipeline& pipeline, Value& value, bool declares = true) {
    bool piped = false;
    for (const TemplateCommand& command : pipeline.commands) {
      Value result;
      if (!this->command(command, piped ? &value : nullptr, result)) return false;
      value = std::move(result);
      piped = true;
    }
    if (!declares) return true;
    for (const std::string& name : pipeline.variables) {
      if (pipeline.assigns)
        assign(name, value);
      else
        variables_.emplace_back(name, value);
    }
    return true;
  }

  bool command(const TemplateCommand& command, const Value* piped, Value& out) {
    const TemplateTerm& first = command.terms.front();
    if (first.kind == TemplateTerm::Kind::function && first.fields.empty()) return call(command, first, 1, piped, out);
    // Only a method of a time takes arguments.
    const bool has_arguments = command.terms.size() > 1 || piped != nullptr;
    if (has_arguments && !first.fields.empty() && first.fields.back() == "Format") {
      Value time;
      if (!base(first, time)) return false;
      if (time.kind == Value::Kind::time && first.fields.size() == 1) {
        Value layout;
        if (piped != nullptr)
          layout = *piped;
        else if (!term(command.terms[1], layout))
          return false;
        out = Value::of(pool_.add(gotext::format_go_time(time.integer, layout.text)));
        return true;
      }
    }
    if (has_arguments) {
      if (!first.fields.empty())
        return fail(first.offset, source_of(first), fmt::format("{} is not a method but has arguments", first.fields.back()));
      return fail(first.offset, source_of(first), fmt::format("can't give argument to non-function {}", source_of(first)));
    }
    if (first.kind == TemplateTerm::Kind::constant && first.constant.kind == Value::Kind::nil)
      return fail(first.offset, "nil", "nil is not a command");
    return term(first, out);
  }

  std::string_view source_of(const TemplateTerm& term) const {
    std::size_t end = term.offset;
    while (end < source_.size() && source_[end] != ' ' && source_[end] != '}' && source_[end] != '|' && source_[end] != ')') ++end;
    return source_.substr(term.offset, end - term.offset);
  }

  bool call(const TemplateCommand& command, const TemplateTerm& term, std::size_t first, const Value* piped, Value& out) {
    const Function& function = *term.function;
    const std::size_t given = command.terms.size() - first + (piped != nullptr ? 1 : 0);
    const bool few = given < static_cast<std::size_t>(function.least);
    if (few || (function.most >= 0 && given > static_cast<std::size_t>(function.most))) {
      return fail(term.offset, function.name,
                  fmt::format("wrong number of args for {}: want {}{} got {}", function.name,
                              function.most < 0 || function.least != function.most ? "at least " : "", function.least, given));
    }
    std::vector<Value> arguments;
    for (std::size_t i = first; i < command.terms.size(); ++i) {
      Value value;
      if (!this->term(command.terms[i], value)) return false;
      arguments.push_back(whole(value));
      if (function.call != nullptr) continue;
      // For and, or: the first argument that decides is the result.
      if (truth(arguments.back()) == (function.name == "or")) {
        out = arguments.back();
        return true;
      }
    }
    if (piped != nullptr) arguments.push_back(whole(*piped));
    if (function.call == nullptr) {
      out = arguments.back();
      return true;
    }
    FunctionCall call{.arguments = arguments, .line = {}, .timestamp = 0, .pool = pool_, .error = {}};
    if (function.most == 0) {
      call.line = data_.line();
      call.timestamp = data_.timestamp();
    }
    out = function.call(call);
    if (call.error.empty()) return true;
    return fail(term.offset, command.source,
                call.wrong_type ? call.error : fmt::format("error calling {}: {}", function.name, call.error));
  }

  // Evaluates the term without its fields.
  bool base(const TemplateTerm& term, Value& out) {
    switch (term.kind) {
      case TemplateTerm::Kind::dot:
        out = dot_;
        return true;
      case TemplateTerm::Kind::constant:
        out = term.constant;
        if (out.kind == Value::Kind::text) out.text = term.name;
        return true;
      case TemplateTerm::Kind::pipeline:
        return pipeline(*term.pipeline, out);
      case TemplateTerm::Kind::variable:
        for (auto variable = variables_.rbegin(); variable != variables_.rend(); ++variable) {
          if (variable->first != term.name) continue;
          out = variable->second;
          return true;
        }
        return false;
      case TemplateTerm::Kind::function: {
        TemplateCommand alone;
        alone.source = std::string(term.name);
        return call(alone, term, 0, nullptr, out);
      }
    }
    return false;
  }

  bool term(const TemplateTerm& term, Value& out) {
    if (!base(term, out)) return false;
    std::size_t offset = term.offset;
    for (const std::string& name : term.fields) {
      offset = source_.find("." + name, offset);
      if (is_root(out)) {
        std::string_view text;
        data_.find(name, text);
        out = Value::of(text);
      } else if (out.kind == Value::Kind::map) {
        const Value* found = find_in_map(*out.map, name);
        out = found != nullptr ? Value(*found) : out.boolean ? Value::of(std::string_view()) : Value();
      } else if (out.kind == Value::Kind::time) {
        if (!method(name, out))
          return fail(offset, source_of(term), fmt::format("can't evaluate field {} in type time.Time", name));
      } else if (out.kind == Value::Kind::nil) {
        return fail(offset, source_of(term), fmt::format("nil pointer evaluating interface {{}}.{}", name));
      } else {
        return fail(offset, source_of(term), fmt::format("can't evaluate field {} in type {}", name, type_name(out)));
      }
    }
    return true;
  }

  bool method(std::string_view name, Value& time) {
    const base::Timestamp at = time.integer;
    auto number = [&](std::string_view layout) {
      time = Value::of(static_cast<std::int64_t>(std::stoll(gotext::format_go_time(at, layout))));
    };
    if (name == "Unix")
      time = Value::of(at / base::kSecond);
    else if (name == "UnixMilli")
      time = Value::of(at / base::kMillisecond);
    else if (name == "UnixNano")
      time = Value::of(at);
    else if (name == "Year")
      number("2006");
    else if (name == "YearDay")
      number("002");
    else if (name == "Day")
      number("2");
    else if (name == "Hour")
      number("15");
    else if (name == "Minute")
      number("4");
    else if (name == "Second")
      number("05");
    else if (name == "Month")
      time = Value::of(pool_.add(gotext::format_go_time(at, "January")));
    else if (name == "Weekday")
      time = Value::of(pool_.add(gotext::format_go_time(at, "Monday")));
    else if (name == "String")
      time = Value::of(pool_.add(gotext::format_go_time(at, gotext::kGoTimeString)));
    else
      return name == "UTC" || name == "Local";
    return true;
  }

  std::string_view source_;
  std::string_view name_;
  TemplateData& data_;
  std::string& out_;
  StringPool& pool_;
  std::size_t printed_;  // bytes of out_ that the budget has paid for
  std::shared_ptr<const Value::Map> labels_;
  std::string error_;
  Value dot_;
  std::vector<std::pair<std::string, Value>> variables_;
  Jump jump_ = Jump::none;
};

}  // namespace

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
  Run run(compiled_->source, compiled_->name, data, out, pool);
  const bool ok = run.nodes(compiled_->parsed.nodes);
  if (!ok) error = std::move(run.error());
  pool.strings.clear();
  return ok;
}

const std::vector<std::string>& Template::names() const { return compiled_->parsed.names; }
bool Template::reads_everything() const { return compiled_->parsed.reads_everything; }

std::string_view Template::single_label() const {
  const auto& nodes = compiled_->parsed.nodes;
  if (nodes.size() != 1 || nodes[0].kind != TemplateNode::Kind::action || nodes[0].pipeline.commands.size() != 1) return {};
  const auto& terms = nodes[0].pipeline.commands[0].terms;
  const bool field = terms.size() == 1 && terms[0].kind == TemplateTerm::Kind::dot && terms[0].fields.size() == 1;
  return field ? std::string_view(terms[0].fields[0]) : std::string_view();
}

}  // namespace weir::gotemplate
