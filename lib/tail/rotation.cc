#include "tail/rotation.h"

#include "record/pod_path.h"

#include <algorithm>

namespace weir::tail {
namespace {

using record::live_name_of;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string_view rotation_of(std::string_view name, std::string_view live) {
  if (live.empty() || !name.starts_with(live)) return {};
  name.remove_prefix(live.size());
  if (name.empty() || (name[0] != '.' && name[0] != '-')) return {};
  if (name.ends_with(".gz")) name.remove_suffix(3);
  while (!name.empty() && (name[0] == '.' || name[0] == '-')) name.remove_prefix(1);
  return name;
}

std::string_view inner_rotation_of(std::string_view name, std::string_view live) {
  if (name.ends_with(".gz")) name.remove_suffix(3);
  const std::size_t dot = live.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() <= live.size() + 1) return {};
  const std::string_view stem = live.substr(0, dot), extension = live.substr(dot);
  if (!name.starts_with(stem) || !name.ends_with(extension)) return {};
  std::string_view rotation = name.substr(stem.size(), name.size() - live.size());
  if (rotation[0] != '-' && rotation[0] != '.' && rotation[0] != '_') return {};
  rotation.remove_prefix(1);
  return is_rotation_order(rotation) ? rotation : std::string_view();
}

std::string rotation_shape(std::string_view name) {
  if (name.ends_with(".gz")) name.remove_suffix(3);
  std::string shape;
  for (const char c : name) {
    if (!is_digit(c))
      shape += c;
    else if (!shape.ends_with('9'))
      shape += '9';
  }
  return shape;
}

bool is_rotation_order(std::string_view rotation) { return rotation == "old" || (!rotation.empty() && is_digit(rotation[0])); }

bool is_rotation_count(std::string_view rotation) {
  return !rotation.empty() && rotation.size() <= 4 && std::all_of(rotation.begin(), rotation.end(), is_digit);
}

bool rotation_before(std::string_view a, std::string_view b) {
  if (is_rotation_count(a) && is_rotation_count(b)) {
    if (a.size() != b.size()) return a.size() > b.size();
    return a > b;
  }
  return a < b;
}

bool rotated_before(std::string_view a, std::string_view b) {
  return rotation_before(rotation_of(a, live_name_of(a)), rotation_of(b, live_name_of(b)));
}

}  // namespace weir::tail
