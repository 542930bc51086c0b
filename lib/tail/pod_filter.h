// Whether a pod wants its logs read, asked before a file of it is opened. Who knows the pods implements it; tail knows only paths.
//
// A log that is left alone is not opened, and no position of it is kept. What becomes of it when the answer changes:
//
//   leave -> read   It is read from then on: what was written before was not to be read. Where it has a stored position, that moves
//                   to the place where reading begins.
//   later -> read   As if it was found just now: from its stored position, or from where the user asked for.
//   read  -> leave  Its reader ends, and its files are closed. Its position stays, until it is read again or its files are gone.
#pragma once

#include "base/clock.h"
#include "base/wake.h"
#include "record/pod_path.h"

#include <cstdint>

namespace weir::tail {

// Any thread may call any method.
class PodFilter {
 public:
  enum class Answer : std::uint8_t {
    read,
    leave,  // not now; it may change
    later,  // nobody knows yet: ask again at `ask_at`, or when something changed
  };
  struct Verdict {
    Answer answer = Answer::read;
    base::Monotonic ask_at = base::kNever;  // of `later`
    friend bool operator==(const Verdict&, const Verdict&) = default;
  };

  virtual ~PodFilter() = default;
  [[nodiscard]] virtual Verdict ask(const record::PodPath& pod, base::Monotonic now) = 0;

  // `wake` is rung when an answer may have changed, until unlisten().
  virtual void listen(const base::Wake& wake) = 0;
  virtual void unlisten(const base::Wake& wake) = 0;
};

// Of a path that is no pod's: read.
[[nodiscard]] inline PodFilter::Verdict verdict_of(PodFilter* filter, std::string_view path, base::Monotonic now) {
  if (filter == nullptr) return {};
  const auto pod = record::parse_pod_path(path);
  return pod ? filter->ask(*pod, now) : PodFilter::Verdict();
}

}  // namespace weir::tail
