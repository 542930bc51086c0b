#include "tail/outlook.h"

#include "base/access.h"
#include "base/count.h"
#include "base/suggestion.h"
#include "record/pod_path.h"

#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

namespace weir::tail {
namespace {

using record::parse_pod_path;
using record::PodPath;

constexpr std::size_t kShown = 6;  // names of what is there
constexpr std::string_view kPods = "/var/log/pods";

using Files = std::map<std::string, std::vector<std::string>>;

std::vector<Pattern> patterns_of_all(const std::vector<std::string>& inputs) {
  std::vector<Pattern> patterns;
  for (const std::string& input : inputs) {
    for (Pattern& pattern : patterns_of(input)) patterns.push_back(std::move(pattern));
  }
  return patterns;
}

std::string places(const std::vector<std::string>& inputs) { return fmt::format("{}", fmt::join(inputs, ", ")); }

// "; did you mean 'x'?", or what there is. `workload`: web is a name for web-5d8f7c9b4-x2x7k.
std::string instead(std::string_view word, const std::set<std::string>& known, bool workload) {
  const std::vector<std::string> names(known.begin(), known.end());
  std::vector<std::string> candidates = names;
  for (const std::string& name : names) {
    for (auto dash = name.rfind('-'); workload && dash != std::string::npos && dash > 0; dash = name.rfind('-', dash - 1)) {
      candidates.push_back(name.substr(0, dash));
    }
  }
  if (const auto near = base::nearest(word, candidates); !near.empty()) return fmt::format("; did you mean '{}'?", near);
  const std::vector<std::string> first(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown)));
  std::string text = fmt::format("; there {} {}", names.size() == 1 ? "is" : "are", fmt::join(first, ", "));
  if (names.size() > kShown) text += fmt::format(" and {} more", base::grouped(names.size() - kShown));
  return text;
}

// `-n 5`, as other programs say it.
std::string lines_meant(const Selection& selection) {
  const bool number = selection.namespaces.size() == 1 && !selection.namespaces[0].empty() &&
                      selection.namespaces[0].find_first_not_of("0123456789") == std::string::npos;
  return number ? fmt::format("; for the last lines: --lines {}", selection.namespaces[0]) : std::string();
}

// Of an argument that names no log file whatever is selected.
std::string explain_input(const std::string& input) {
  if (is_glob(input) && !base::may_access(input, F_OK)) return fmt::format("no log file matches {}", input);
  struct stat status {};
  if (::stat(input.c_str(), &status) != 0) {
    const std::string text = fmt::format("there is no {}", input);
    return input == kPods ? text + ": this is no Kubernetes node, or its logs are elsewhere (weir tail PATH)" : text;
  }
  if (!S_ISDIR(status.st_mode)) return fmt::format("{} is not a log file", input);
  const auto entries = list_folder(input);
  const auto files = entries ? std::ranges::count_if(*entries, [](const Entry& entry) { return !entry.folder; }) : 0;
  if (files == 0) return fmt::format("there is no log file in {}", input);
  const std::string glob = input.ends_with('/') ? input + "*" : input + "/*";
  return fmt::format("none of {} in {} is named *.log: name them, for example '{}'",
                     base::count_of(static_cast<std::uint64_t>(files), "file"), input, glob);
}

// The names of one kind among `pods`, and the first of the patterns that takes none of them.
struct Kind {
  std::string_view noun;
  const std::vector<std::string>& wanted;
  bool workload;  // `web` takes web-… too
};

bool takes(const Kind& kind, const std::string& pattern, std::string_view name) {
  Selection one;
  (kind.workload ? one.pods : one.namespaces) = {pattern};
  const PodPath pod{kind.workload ? std::string_view() : name, kind.workload ? name : std::string_view(), {}, {}};
  return one.wants_pod(pod);
}

std::string explain_selection(const Files& logs, const Selection& selection, const std::vector<std::string>& inputs) {
  std::vector<PodPath> pods;
  for (const auto& [key, files] : logs) {
    if (const auto pod = parse_pod_path(key)) pods.push_back(*pod);
  }
  if (pods.empty()) {
    return fmt::format("no log file in {} belongs to a pod, and -n, -p and -c choose among pods{}", places(inputs),
                       lines_meant(selection));
  }
  const auto explain = [&](const Kind& kind, auto name_of, std::string_view where) -> std::string {
    if (kind.wanted.empty()) return {};
    std::set<std::string> known;
    for (const PodPath& pod : pods) known.emplace(name_of(pod));
    std::erase_if(pods, [&](const PodPath& pod) {
      return std::ranges::none_of(kind.wanted, [&](const std::string& pattern) { return takes(kind, pattern, name_of(pod)); });
    });
    if (!pods.empty()) return {};
    const std::string& wanted = kind.wanted.front();
    const auto text =
        is_glob(wanted) ? fmt::format("no {} matches '{}'", kind.noun, wanted) : fmt::format("no {} '{}'", kind.noun, wanted);
    const std::string others =
        kind.wanted.size() > 1 ? fmt::format(" or {}", base::count_of(kind.wanted.size() - 1, "other")) : std::string();
    const std::string lines = kind.noun == "namespace" ? lines_meant(selection) : std::string();
    return fmt::format("{}{} {}{}", text, others, where, lines.empty() ? instead(wanted, known, kind.workload) : lines);
  };
  const std::string place = fmt::format("in {}", places(inputs));
  std::string text = explain(
      {"namespace", selection.namespaces, false}, [](const PodPath& pod) { return pod.namespace_name; }, place);
  if (text.empty())
    text = explain(
        {"pod", selection.pods, true}, [](const PodPath& pod) { return pod.pod; },
        selection.namespaces.empty() ? place : "in this namespace");
  if (text.empty())
    text = explain(
        {"container", selection.containers, false}, [](const PodPath& pod) { return pod.container; }, "in these pods");
  if (text.empty()) text = fmt::format("--exclude-… leaves out every log file that was selected ({})", base::grouped(pods.size()));
  return text;
}

}  // namespace

std::string explain_no_log(const std::vector<std::string>& inputs, const Selection& selection) {
  const std::vector<Pattern> patterns = patterns_of_all(inputs);
  Unreadable ignored;
  if (!find_files(patterns, selection, ignored).empty()) return {};
  const Files all = find_files(patterns, Selection{}, ignored);
  if (!all.empty()) return explain_selection(all, selection, inputs);
  std::string text;
  for (const std::string& input : inputs) text += (text.empty() ? "" : "; ") + explain_input(input);
  return text;
}

Unreadable find_unreadable(const std::vector<std::string>& inputs, const Selection& selection, bool follow) {
  Unreadable unreadable;
  for (const std::string& input : inputs) {
    struct stat status {};
    if (!is_glob(input) && ::stat(input.c_str(), &status) != 0 && errno == ENOENT) {
      if (!follow) unreadable.add(input, Cause::of_system(ENOENT));
      continue;
    }
    for (const auto& [key, files] : find_files(patterns_of(input), selection, unreadable)) {
      for (const std::string& file : files) {
        if (!base::may_access(file, R_OK)) unreadable.add(file, Cause::of_system(errno));
      }
    }
  }
  return unreadable;
}

}  // namespace weir::tail
