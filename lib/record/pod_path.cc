#include "record/pod_path.h"

#include "base/path.h"

#include <algorithm>

namespace weir::record {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
bool is_name(std::string_view text) {  // RFC 1123 subdomain, as Kubernetes names are
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
  });
}

// A_B_C, each of which is a name.
bool split_names(std::string_view text, std::string_view& a, std::string_view& b, std::string_view& c) {
  const std::size_t first = text.find('_');
  if (first == std::string_view::npos) return false;
  const std::size_t second = text.find('_', first + 1);
  if (second == std::string_view::npos) return false;
  a = text.substr(0, first);
  b = text.substr(first + 1, second - first - 1);
  c = text.substr(second + 1);
  return is_name(a) && is_name(b) && is_name(c);
}

}  // namespace

std::optional<PodPath> parse_pod_folder(std::string_view name) {
  PodPath path;
  if (!split_names(name, path.namespace_name, path.pod, path.uid)) return std::nullopt;
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
  PodPath path;
  if (!split_names(name, path.pod, path.namespace_name, path.container)) return std::nullopt;
  return path;
}

std::optional<PodPath> parse_pod_path(std::string_view path) {
  const std::string_view name = base::base_name(path);
  if (auto link = parse_container_name(name)) return link;
  const std::string_view live = live_name_of(name);
  if (!name.ends_with(".log") && live.empty()) return std::nullopt;
  const std::string_view folder = base::folder_of(path);
  auto pod = parse_pod_folder(base::base_name(base::folder_of(folder)));
  if (!pod || !is_name(base::base_name(folder))) return std::nullopt;
  pod->container = base::base_name(folder);
  return pod;
}

std::string_view live_name_of(std::string_view name) {
  const std::size_t at = name.find(".log.");
  if (at != std::string_view::npos && at > 0 && name.size() > at + 5) return name.substr(0, at + 4);
  const std::size_t dash = name.find(".log-");
  if (dash != std::string_view::npos && dash > 0 && name.size() > dash + 5) return name.substr(0, dash + 4);
  return {};
}

}  // namespace weir::record
