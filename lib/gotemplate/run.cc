#include "gotemplate/run.h"

#include "gotemplate/functions.h"
#include "gotemplate/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::gotemplate {
namespace {

using Kind = Node::Kind;

// Templates within templates. Go allows 100,000.
constexpr int kMaxDepth = 200;
constexpr char kAnyType = '\0';  // where an argument's type is not checked

// The type that an element of an interface has, and what an interface without a value is.
void open_box(Value& value) {
  value.boxed = false;
  if (value.kind == Value::Kind::nil) value = Value();
}

// One execution of a template. Functions return false once error_ is set.
class Run {
 public:
  Run(const ParsedTemplate& parsed, TemplateText text, TemplateData& data, StringPool& pool, std::string& out)
      : parsed_(parsed), text_(text), executing_(text.name), data_(data), pool_(pool), out_(out), printed_(out.size()) {
    if (const Value* const dot = data.dot()) {
      dot_ = *dot;
    } else {
      dot_.kind = Value::Kind::map;
      dot_.labels = true;
    }
    dollar_ = dot_;
  }

  bool whole() {
    const Node& root = parsed_.defined.find(text_.name)->second;
    // Most templates are text and labels.
    for (const Node& node : root.children) {
      if (!walk(node)) return false;
    }
    return true;
  }
  [[nodiscard]] std::string& error() { return error_; }

 private:
  enum class Jump { none, out, next };

  // The map of the record's labels is built only when a template needs it whole.
  static bool is_labels(const Value& value) { return value.labels && value.map == nullptr; }
  void make_whole(Value& value) {
    if (!is_labels(value)) return;
    if (labels_ == nullptr) {
      auto map = std::make_shared<Value::Map>();
      data_.each([&](std::string_view name, std::string_view text) { map->emplace_back(std::string(name), Value::of(text)); });
      std::sort(map->begin(), map->end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      labels_ = std::move(map);
    }
    value.map = labels_;
  }

  void at(const Node& node) { at_ = &node; }
  static std::string source(const Node& node) {
    std::string out;
    print_node(out, node);
    return out;
  }
  bool fail(std::string_view why) {
    if (!error_.empty()) return false;
    error_ = fmt::format("template: {}:{}: executing \"{}\" at <{}>: {}", text_.name, template_place(text_.source, at_->offset),
                         executing_, source(*at_), why);
    return false;
  }

  // Pays for what was printed.
  bool pay() {
    const std::size_t made = out_.size() - printed_;
    printed_ = out_.size();
    return pool_.budget->spend(made) || fail(kTooMuchText);
  }

  // ---- nodes

  bool walk(const Node& node) {
    if (jump_ != Jump::none) return true;
    at(node);
    switch (node.kind) {
      case Kind::text:
        out_ += node.text;
        return pay();
      case Kind::action:
        return action(node);
      case Kind::if_:
      case Kind::with:
        return choice(node);
      case Kind::range:
        return range(node);
      case Kind::template_:
        return call_template(node);
      case Kind::break_:
        jump_ = Jump::out;
        return true;
      case Kind::continue_:
        jump_ = Jump::next;
        return true;
      default:
        return list(node);
    }
  }
  bool list(const Node& node) {
    at(node);
    return std::all_of(node.children.begin(), node.children.end(), [this](const Node& child) { return walk(child); });
  }

  bool action(const Node& node) {
    if (is_labels(dot_) && node.pipe->names.empty()) {
      if (const std::string_view label = lone_field(node); !label.empty()) {
        std::string_view text;
        if (data_.find(label, text)) out_ += text;
        return pay();
      }
    }
    Value value;
    if (!pipeline(*node.pipe, value)) return false;
    if (!node.pipe->names.empty()) return true;
    at(node);
    make_whole(value);
    if (value.is_nothing())
      out_ += "<no value>";
    else
      print_value(out_, value);
    return pay();
  }

  bool choice(const Node& node) {
    const std::size_t variables = variables_.size();
    Value value;
    if (!pipeline(*node.pipe, value)) return false;
    make_whole(value);
    const bool holds = truth(value);
    bool ok = true;
    if (holds && node.kind == Kind::with) {
      std::swap(dot_, value);
      ok = list(*node.body);
      std::swap(dot_, value);
    } else if (holds || node.otherwise != nullptr) {
      ok = list(holds ? *node.body : *node.otherwise);
    }
    variables_.resize(variables);
    return ok;
  }

  bool range(const Node& node) {
    const std::size_t variables = variables_.size();
    Value value;
    if (!pipeline(*node.pipe, value)) return false;
    make_whole(value);
    const Value outer = dot_;
    bool any = false;
    const bool ok = rounds(node, value, any);
    dot_ = outer;
    if (!ok) return false;
    const bool good = any || node.otherwise == nullptr || list(*node.otherwise);
    variables_.resize(variables);
    return good;
  }
  bool rounds(const Node& node, const Value& value, bool& any) {
    bool goes_on = true;
    switch (value.kind) {
      case Value::Kind::list:
        for (std::size_t i = 0; i < value.list->size() && goes_on; ++i) {
          if (!round(node, Value::of(static_cast<std::int64_t>(i)), (*value.list)[i], goes_on)) return false;
          any = true;
        }
        return true;
      case Value::Kind::map:
        for (const auto& [name, element] : *value.map) {
          if (!goes_on) break;
          if (!round(node, Value::of(std::string_view(name)), element, goes_on)) return false;
          any = true;
        }
        return true;
      case Value::Kind::absent:
      case Value::Kind::nil:
        return true;
      default:
        break;
    }
    if (!value.is_integral()) return fail(fmt::format("range can't iterate over {}", print_verb(value, 'v')));
    if (node.pipe->names.size() > 1)
      return fail(fmt::format("can't use {} to iterate over more than one variable", print_verb(value, 'v')));
    for (std::int64_t i = 0; i < value.integer && goes_on; ++i) {
      if (!round(node, Value(), Value::of(value.kind, i), goes_on)) return false;
      any = true;
    }
    return true;
  }
  bool round(const Node& node, const Value& key, const Value& element, bool& goes_on) {
    if (!pool_.budget->another_round()) {
      return fail(fmt::format("the templates of a query may run at most {} rounds of range for one record", Budget::kRounds));
    }
    const std::vector<std::string>& names = node.pipe->names;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Value& given = names.size() == 2 && i == 0 ? key : element;
      if (node.pipe->assigns)
        assign(names[i], given);
      else
        variables_[variables_.size() - names.size() + i].second = given;
    }
    const std::size_t variables = variables_.size();
    dot_ = element;
    const bool ok = list(*node.body);
    variables_.resize(variables);
    goes_on = jump_ != Jump::out;
    jump_ = Jump::none;
    return ok;
  }

  bool call_template(const Node& node) {
    const auto found = parsed_.defined.find(node.text);
    if (found == parsed_.defined.end()) return fail(fmt::format("template \"{}\" not defined", node.text));
    if (depth_ == kMaxDepth) return fail(fmt::format("exceeded maximum template depth ({})", kMaxDepth));
    if (!pool_.budget->another_round())
      return fail(fmt::format("the templates of a query may run at most {} templates for one record", Budget::kRounds));
    Value dot;
    if (node.pipe != nullptr && !pipeline(*node.pipe, dot)) return false;
    std::vector<std::pair<std::string_view, Value>> variables;
    std::swap(dot_, dot);
    std::swap(variables_, variables);
    Value dollar = std::exchange(dollar_, dot_);
    const std::string_view outer = std::exchange(executing_, node.text);
    ++depth_;
    const bool ok = list(found->second);
    --depth_;
    executing_ = outer;
    dollar_ = std::move(dollar);
    std::swap(variables_, variables);
    std::swap(dot_, dot);
    return ok;
  }

  // ---- variables

  Value* variable(std::string_view name) {
    for (auto one = variables_.rbegin(); one != variables_.rend(); ++one) {
      if (one->first == name) return &one->second;
    }
    return name == "$" ? &dollar_ : nullptr;
  }
  bool assign(std::string_view name, const Value& value) {
    Value* const found = variable(name);
    if (found == nullptr) return fail(fmt::format("undefined variable: {}", name));
    *found = value;
    return true;
  }

  // ---- pipelines

  bool pipeline(const Node& pipe, Value& value) {
    at(pipe);
    bool piped = false;
    for (const Node& command : pipe.children) {
      Value result;
      if (!this->command(command, piped ? &value : nullptr, result)) return false;
      open_box(result);
      value = std::move(result);
      piped = true;
    }
    for (const std::string& name : pipe.names) {
      if (!pipe.assigns)
        variables_.emplace_back(name, value);
      else if (!assign(name, value))
        return false;
    }
    return true;
  }

  bool no_arguments(const Node& command, const Value* piped) {
    return (command.children.size() == 1 && piped == nullptr) ||
           fail(fmt::format("can't give argument to non-function {}", source(command.children.front())));
  }

  bool command(const Node& command, const Value* piped, Value& out) {
    const Node& first = command.children.front();
    switch (first.kind) {
      case Kind::field:
      case Kind::chain:
      case Kind::variable:
        return fields(first, &command, piped, out);
      case Kind::identifier:
        at(first);
        return call(*first.function, command, &command, piped, nullptr, out);
      case Kind::pipe:
        return no_arguments(command, piped) && pipeline(first, out);
      default:
        break;
    }
    at(first);
    if (!no_arguments(command, piped)) return false;
    if (first.kind == Kind::nil) return fail("nil is not a command");
    return constant(first, out);
  }

  // A value whose type nothing else decides.
  bool constant(const Node& node, Value& out) {
    at(node);
    switch (node.kind) {
      case Kind::dot:
        out = dot_;
        return true;
      case Kind::boolean:
        out = Value::of(node.truth);
        return true;
      case Kind::string:
        out = Value::of(std::string_view(node.text));
        return true;
      default:
        break;
    }
    const std::string_view text = node.source;
    const bool hex = text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == 'x' && text.find_first_of("pP") == text.npos;
    if (node.is_real && !hex && text[0] != '\'' && text.find_first_of(".eEpP") != text.npos) {
      out = Value::of(node.real);
      return true;
    }
    if (!node.is_integer && node.is_unsigned) return fail(fmt::format("{} overflows int", text));
    if (node.is_integer) out = Value::of(node.integer);
    return true;
  }

  // A field, a variable or a chain, with what its last field takes when that is a method.
  bool fields(const Node& node, const Node* command, const Value* piped, Value& out) {
    at(node);
    std::size_t next = 0;
    if (node.kind == Kind::field) {
      if (node.names.size() == 1 && is_labels(dot_) && piped == nullptr && (command == nullptr || command->children.size() == 1)) {
        std::string_view text;
        data_.find(node.names.front(), text);
        out = Value::of(text);
        return true;
      }
      out = dot_;
    } else if (node.kind == Kind::chain) {
      if (!argument(node.children.front(), kAnyType, out)) return false;
    } else {
      const Value* const found = variable(node.names.front());
      if (found == nullptr) return fail(fmt::format("undefined variable: {}", node.names.front()));
      out = *found;
      next = 1;
      if (node.names.size() == 1) return command == nullptr || no_arguments(*command, piped);
    }
    for (; next < node.names.size(); ++next) {
      const bool last = next + 1 == node.names.size();
      if (!field(node, node.names[next], last ? command : nullptr, last ? piped : nullptr, out)) return false;
    }
    return true;
  }

  bool field(const Node& node, const std::string& name, const Node* command, const Value* piped, Value& value) {
    if (value.kind == Value::Kind::absent) return true;
    const std::string_view type = static_type_name(value);
    if (value.kind == Value::Kind::nil) return fail(fmt::format("nil pointer evaluating {}.{}", type, name));
    if (const Function* method = find_method(value.kind, name)) {
      if (method->name[0] >= 'a') return fail(method->complaint);  // a field
      const Value receiver = std::move(value);
      return call(*method, node, command, piped, &receiver, value);
    }
    if (value.kind != Value::Kind::map) {
      if (value.kind == Value::Kind::location && (name == "name" || name == "zone" || name == "tx" || name == "extend" ||
                                                  name == "cacheStart" || name == "cacheEnd" || name == "cacheZone"))
        return fail(fmt::format("{} is an unexported field of struct type {}", name, type));
      return fail(fmt::format("can't evaluate field {} in type {}", name, type));
    }
    if (piped != nullptr || (command != nullptr && command->children.size() > 1))
      return fail(fmt::format("{} is not a method but has arguments", name));
    if (is_labels(value)) {
      std::string_view text;
      data_.find(name, text);
      value = Value::of(text);
      return true;
    }
    const Value* const found = find_in_map(*value.map, name);
    if (found == nullptr && data_.dot() != nullptr && value.map == data_.dot()->map && !data_.dot_type().empty())
      return fail(fmt::format("can't evaluate field {} in type {}", name, data_.dot_type()));
    Value element = found != nullptr ? *found : value.labels ? Value::of(std::string_view()) : Value::nothing();
    value = std::move(element);
    return true;
  }

  // ---- calls

  // `node` is what an error of the function is reported at. `command` has the arguments behind its first word.
  bool call(const Function& function, const Node& node, const Node* command, const Value* piped, const Value* receiver,
            Value& out) {
    const std::size_t words = command == nullptr ? 0 : command->children.size() - 1;
    const std::size_t given = words + (piped != nullptr ? 1 : 0);
    if (function.is_variadic() && given < function.fixed())
      return fail(fmt::format("wrong number of args for {}: want at least {} got {}", function.name, function.fixed(), words));
    if (!function.is_variadic() && given != function.fixed())
      return fail(fmt::format("wrong number of args for {}: want {} got {}", function.name, function.fixed(), given));
    if (!function.complaint.empty()) return fail(function.complaint);
    if (function.call == nullptr) return first_that_decides(function, command, piped, out);
    std::vector<Value> arguments;
    arguments.reserve(given + 1);
    if (receiver != nullptr) arguments.push_back(*receiver);
    for (std::size_t i = 0; i < words; ++i) {
      Value value;
      if (!argument(command->children[i + 1], function.parameter(i), value)) return false;
      arguments.push_back(std::move(value));
    }
    if (piped != nullptr) {
      arguments.push_back(*piped);
      if (!validate(arguments.back(), function.parameter(words))) return false;
    }
    for (Value& value : arguments) make_whole(value);
    FunctionCall call{.arguments = arguments, .line = {}, .timestamp = 0, .pool = pool_, .error = {}};
    std::string callee;
    if (function.parameters.empty()) {
      call.line = data_.line();
      call.timestamp = data_.timestamp();
    }
    if (function.name == "call") {
      callee = words > 0 ? source(command->children[1]) : print_verb(arguments[0], 'v');
      call.line = callee;
    }
    out = function.call(call);
    if (call.error.empty() && !pool_.exhausted) return true;
    at(node);
    return fail(fmt::format("error calling {}: {}", function.name, call.error.empty() ? kTooMuchText : call.error));
  }

  // and, or
  bool first_that_decides(const Function& function, const Node* command, const Value* piped, Value& out) {
    for (std::size_t i = 1; command != nullptr && i < command->children.size(); ++i) {
      if (!argument(command->children[i], 'v', out)) return false;
      make_whole(out);
      if (truth(out) == (function.name == "or")) return true;
    }
    if (piped != nullptr) out = *piped;
    return true;
  }

  // Whether a function may take the value for a parameter.
  bool validate(Value& value, char type) {
    if (type == kAnyType || type == 'v') return true;
    if (value.kind == Value::Kind::absent) {
      if (type != 'a' && type != 'l') return fail(fmt::format("invalid value; expected {}", parameter_type(type)));
      value = Value::nothing();
      return true;
    }
    if (type == 'a' || (value.kind != Value::Kind::nil && type_name(value) == parameter_type(type))) return true;
    return fail(fmt::format("wrong type for value; expected {}; got {}", parameter_type(type), type_name(value)));
  }

  bool argument(const Node& node, char type, Value& out) {
    at(node);
    switch (node.kind) {
      case Kind::dot:
        out = dot_;
        return validate(out, type);
      case Kind::nil:
        if (type != 'a' && type != 'v' && type != 'l') return fail(fmt::format("cannot assign nil to {}", parameter_type(type)));
        out = type == 'v' ? Value() : Value::nothing();
        return true;
      case Kind::field:
      case Kind::variable:
      case Kind::chain:
        return fields(node, nullptr, nullptr, out) && validate(out, type);
      case Kind::pipe:
        return pipeline(node, out) && validate(out, type);
      case Kind::identifier:
        return call(*node.function, node, nullptr, nullptr, nullptr, out) && validate(out, type);
      default:
        break;
    }
    switch (type) {
      case 's':
        if (node.kind != Kind::string) return fail("expected string; found " + source(node));
        break;
      case 'i':
      case 'd':
        if (node.kind != Kind::number || !node.is_integer) return fail("expected integer; found " + source(node));
        out = Value::of(type == 'd' ? Value::Kind::duration : Value::Kind::integer, node.integer);
        return true;
      case 'f':
        if (node.kind != Kind::number || !node.is_real) return fail("expected float; found " + source(node));
        out = Value::of(node.real);
        return true;
      case 't':
      case 'l':
        return fail(fmt::format("can't handle {} for arg of type {}", source(node), parameter_type(type)));
      default:
        break;
    }
    return constant(node, out);
  }

  const ParsedTemplate& parsed_;
  TemplateText text_;
  std::string_view executing_;  // the name of the template
  TemplateData& data_;
  StringPool& pool_;
  std::string& out_;
  std::size_t printed_;  // bytes of out_ that the budget has paid for
  std::shared_ptr<const Value::Map> labels_;
  std::string error_;
  const Node* at_ = nullptr;  // what errors are reported at
  Value dot_;
  Value dollar_;
  std::vector<std::pair<std::string_view, Value>> variables_;
  Jump jump_ = Jump::none;
  int depth_ = 0;
};

}  // namespace

std::string_view lone_field(const Node& action) {
  const Node& pipe = *action.pipe;
  if (pipe.children.size() != 1 || pipe.children[0].children.size() != 1) return {};
  const Node& word = pipe.children[0].children[0];
  return word.kind == Kind::field && word.names.size() == 1 ? std::string_view(word.names[0]) : std::string_view();
}

bool run_template(const ParsedTemplate& parsed, TemplateText text, TemplateData& data, StringPool& pool, std::string& out,
                  std::string& error) {
  Run run(parsed, text, data, pool, out);
  if (run.whole()) return true;
  error = std::move(run.error());
  return false;
}

}  // namespace weir::gotemplate
