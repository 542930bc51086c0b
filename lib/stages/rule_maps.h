// The ConfigMaps among the places of a rule book: each is followed, so that a change of it is a change of the rules.
//
// States of each:
//   unknown   the API server has not answered, and there is no text
//   kept      the API server has not answered yet; the text is the one that an earlier run kept
//   known     the text is what the API server said last, also while the server is away
//
// Without a ConfigMap among the places nothing is loaded or started.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "kube/access.h"
#include "kube/config_map_watch.h"
#include "pipeline/stage.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::stages {

// Whether all places that name a ConfigMap do so correctly. Reads nothing. Code::usage.
base::Result<void> check_rule_places(const std::vector<std::string>& places);

// What a start would find wrong with the ConfigMaps among `places`, without asking anybody; says of each that its rules were not
// looked at. Errors: usage, and config where it is not known where the API server is.
base::Result<void> rehearse_rule_places(const std::vector<std::string>& places, const kube::Access& access,
                                        const pipeline::Context& context);

// Not thread safe.
class RuleMaps {
 public:
  // How long a start waits for the API server: where an earlier run kept a text, and where none did.
  static constexpr base::Duration kPatienceWithText = 2 * base::kSecond;
  static constexpr base::Duration kPatience = 10 * base::kSecond;

  RuleMaps() = default;  // none
  // Begins to follow. Errors: usage, and config where it is not known where the API server is or a file of `access` cannot be used.
  static base::Result<RuleMaps> start(const std::vector<std::string>& places, const kube::Access& access,
                                      const pipeline::Context& context);

  [[nodiscard]] bool empty() const { return maps_.empty(); }
  // All of so many places are ConfigMaps.
  [[nodiscard]] bool covers(std::size_t places) const { return !maps_.empty() && maps_.size() == places; }
  [[nodiscard]] bool has(std::size_t place) const { return find(place) != nullptr; }

  // Until all are known, the chain is asked to end, or `patience` is over. `may_give_up`: also when the server could not be asked.
  void wait(base::Duration patience, bool may_give_up);
  [[nodiscard]] bool is_known(std::size_t place) const;
  [[nodiscard]] bool all_known() const;
  // For the time until it is known.
  void use_kept(std::size_t place, std::string_view text);
  // Of `place`, whose kept text is used: that there is no answer, or that a right is missing. Anything else the watch has said.
  [[nodiscard]] std::string trouble(std::size_t place) const;
  // Why `place`, which is unknown, is so. Asks the API server once more, for its words.
  [[nodiscard]] base::Error why_unknown(std::size_t place) const;

  // `wake` is rung by changes. It outlives the maps.
  base::Result<void> attach(base::Wake& wake);
  // Whether some text is another one than at the last take().
  [[nodiscard]] bool changed() const;
  // Takes what is known now. Says once that a ConfigMap does not exist.
  void take();
  // As taken. Errors: those of kube::text_of(). What does not exist is empty.
  [[nodiscard]] const base::Result<std::string>& text(std::size_t place) const { return find(place)->text; }

 private:
  struct Map {
    std::size_t place = 0;
    std::unique_ptr<kube::ConfigMapWatch> watch;
    base::Result<std::string> text = std::string();
    std::uint64_t taken = 0;  // version of `text`; 0: it is a kept one, or none
    bool is_missing = false;
  };
  [[nodiscard]] const Map* find(std::size_t place) const;  // null: not a ConfigMap

  std::vector<Map> maps_;
  http::ClientConfig config_;
  base::Clock* clock_ = nullptr;
  base::Diagnostics* diagnostics_ = nullptr;
  base::Stop* stop_ = nullptr;
};

}  // namespace weir::stages
