#include "tail/restarts.h"

#include "base/path.h"
#include "record/pod_path.h"

#include <charconv>
#include <system_error>
#include <utility>

namespace weir::tail {

std::optional<Restart> restart_of(std::string_view key) {
  if (!record::parse_pod_path(key)) return std::nullopt;
  const std::string_view name = base::base_name(key);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || name.substr(static_cast<std::size_t>(end - name.data())) != ".log") return std::nullopt;
  return Restart{key.substr(0, key.size() - name.size()), number};
}

LogReader* Restarts::add(LogReader& reader) {
  const auto restart = restart_of(reader.key());
  if (!restart) return nullptr;
  const auto [known, first] = latest_.try_emplace(std::string(restart->folder), &reader);
  if (first) return nullptr;
  LogReader* older = &reader;
  if (restart_of(known->second->key())->number < restart->number) std::swap(known->second, older);
  return older;
}

void Restarts::remove(LogReader& reader) {
  const auto restart = restart_of(reader.key());
  if (!restart) return;
  const auto latest = latest_.find(std::string(restart->folder));
  if (latest != latest_.end() && latest->second == &reader) latest_.erase(latest);
}

}  // namespace weir::tail
