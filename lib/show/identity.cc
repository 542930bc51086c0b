#include "show/identity.h"

#include "gotext/unicode.h"

#include <algorithm>
#include <array>

namespace weir::show {
namespace {

using record::Label;
using record::LabelSet;

// The labels that can stand for a record without a pod, in this order.
constexpr std::array<std::string_view, 7> kSourceLabels = {"app", "service_name", "unit",    "systemd_unit",
                                                           "job", "host",         "instance"};

}  // namespace

void append_quoted_value(std::string& out, std::string_view value) {
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_value(std::string& out, std::string_view value) {
  const bool bare = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > 0x20 && c != 0x7f && c != '"' && c != '=' && c != '\\';
  });
  if (bare) {
    out += value;
    return;
  }
  append_quoted_value(out, value);
}

bool is_internal(std::string_view name) { return name.starts_with("__") && name != "__name__"; }

bool goes_without_saying(const LabelSet& set, const Label& label) {
  if (is_internal(label.name)) return true;
  if (label.name == "stream") return label.value == "stdout";
  if (label.name == "filename") return !set.get("pod").empty();
  if (label.name != "service_name") return false;
  for (const std::string_view other : {"app", "container", "job", "namespace", "pod"}) {
    if (set.get(other) == label.value) return true;
  }
  return false;
}

bool names_the_source(const LabelSet& set, std::string_view name) {
  if (!set.get("pod").empty()) return name == "pod" || name == "container";
  if (!set.get("filename").empty()) return name == "filename";
  for (const std::string_view source : kSourceLabels) {
    if (!set.get(source).empty()) return name == source;
  }
  return false;
}

std::string source_of(const LabelSet& set, bool with_namespace) {
  std::string who;
  if (const std::string_view pod = set.get("pod"); !pod.empty()) {
    const std::string_view name_space = set.get("namespace"), container = set.get("container");
    if (with_namespace && !name_space.empty()) (who += name_space) += '/';
    who += pod;
    if (!container.empty()) (who += '/') += container;
    return who;
  }
  for (const Label& label : set.labels()) {
    if (names_the_source(set, label.name)) return std::string(label.value);
  }
  return who;
}

std::string selector_of(const LabelSet& set) {
  std::string text;
  for (const Label& label : set.labels()) {
    ((text += text.empty() ? "{" : ", ") += label.name) += '=';
    gotext::append_quoted(text, label.value);
  }
  if (!text.empty()) text += '}';
  return text;
}

}  // namespace weir::show
