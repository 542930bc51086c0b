#include "tail/pod_path.h"

#include <algorithm>
#include <filesystem>

namespace weir::tail {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
bool is_name(std::string_view text) {  // RFC 1123 subdomain, as Kubernetes names are
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
  });
}

}  // namespace

std::optional<PodPath> parse_pod_folder(std::string_view name) {
  const std::size_t first = name.find('_');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = name.find('_', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  PodPath path;
  path.namespace_name = name.substr(0, first);
  path.pod = name.substr(first + 1, second - first - 1);
  path.uid = name.substr(second + 1);
  if (!is_name(path.namespace_name) || !is_name(path.pod) || !is_name(path.uid)) return std::nullopt;
  return path;
}

std::optional<PodPath> parse_container_name(std::string_view name) {
  constexpr std::size_t kIdSize = 64;
  if (!name.ends_with(".log")) return std::nullopt;
  name.remove_suffix(4);
  if (name.size() <= kIdSize + 1 || name[name.size() - kIdSize - 1] != '-') return std::nullopt;
  const std::string_view id = name.substr(name.size() - kIdSize);
  if (!std::all_of(id.begin(), id.end(), is_hex)) return std::nullopt;
  name.remove_suffix(kIdSize + 1);
  const std::size_t first = name.find('_');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = name.find('_', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  PodPath path;
  path.pod = name.substr(0, first);
  path.namespace_name = name.substr(first + 1, second - first - 1);
  path.container = name.substr(second + 1);
  if (!is_name(path.namespace_name) || !is_name(path.pod) || !is_name(path.container)) return std::nullopt;
  return path;
}

std::optional<PodPath> parse_pod_path(std::string_view path) {
  const std::string_view name = base_name(path);
  if (auto link = parse_container_name(name)) return link;
  const std::string_view live = live_name_of(name);
  if (!name.ends_with(".log") && live.empty()) return std::nullopt;
  const std::string_view folder = folder_of(path);
  auto pod = parse_pod_folder(base_name(folder_of(folder)));
  if (!pod || !is_name(base_name(folder))) return std::nullopt;
  pod->container = base_name(folder);
  return pod;
}

std::string_view live_name_of(std::string_view name) {
  const std::size_t at = name.find(".log.");
  if (at != std::string_view::npos && at > 0 && name.size() > at + 5) return name.substr(0, at + 4);
  const std::size_t dash = name.find(".log-");
  if (dash != std::string_view::npos && dash > 0 && name.size() > dash + 5) return name.substr(0, dash + 4);
  return {};
}

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
    if (!is_digit(c)) shape += c;
    else if (!shape.ends_with('9')) shape += '9';
  }
  return shape;
}

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

bool is_rotation_order(std::string_view rotation) {
  return rotation == "old" || (!rotation.empty() && is_digit(rotation[0]));
}

std::string_view base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || path == "/" ? path : path.substr(slash + 1);
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder == "/") folder = {};
  std::string path;
  path.reserve(folder.size() + 1 + name.size());  // there are thousands of them, for as long as a follower runs
  path += folder;
  path += '/';
  path += name;
  return path;
}

std::string_view folder_of(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string absolute_path(std::string_view path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  std::string text = (error ? std::filesystem::path(path) : absolute).lexically_normal().string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace weir::tail
