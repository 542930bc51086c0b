// Follows the text of one ConfigMap, by a list and a watch of that one object (fieldSelector=metadata.name=NAME). Reads only: the
// rights get, list and watch of this one name are enough, and any number of processes may follow one object.
//
// States:
//   unknown   the API server has not answered since start(): version() is 0
//   known     text() is what the API server said last. It stays so while the server is away: whoever uses it goes on with it
//
// Events: a list ended (without the object: it does not exist), the object was made or changed, it was deleted.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "base/wake.h"
#include "kube/config_map.h"
#include "kube/resource_watch.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace weir::kube {

class ConfigMapWatch : private ResourceHandler {
 public:
  // Starts at once, with one thread and one connection. `clock` and `diagnostics` outlive it. A server that does not answer is no
  // error: it is asked again. Errors: those of ResourceWatch::start().
  static base::Result<std::unique_ptr<ConfigMapWatch>> start(ConfigMapName name, http::ClientConfig config, base::Clock& clock,
                                                             base::Diagnostics& diagnostics);
  ~ConfigMapWatch() override;
  ConfigMapWatch(const ConfigMapWatch&) = delete;  // the watch refers to it
  ConfigMapWatch& operator=(const ConfigMapWatch&) = delete;

  // -- from any thread --

  [[nodiscard]] const ConfigMapName& name() const { return name_; }
  // 0 while nothing is known; grows with each change of text().
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // A copy; errors: those of text_of(). What does not exist is empty.
  [[nodiscard]] base::Result<ConfigMapText> text() const;
  // Why the server was not heard; "" while it is.
  [[nodiscard]] std::string trouble() const;

  // `wake` is rung after every change of text(), and after each answer while nothing is known, until unlisten(). Opens nothing:
  // whoever calls has opened it.
  void listen(const base::Wake& wake);
  void unlisten();

 private:
  explicit ConfigMapWatch(ConfigMapName name) : name_(std::move(name)) {}

  void list_begins() override { listed_ = false; }
  bool item(std::string_view object) override;
  bool deleted(std::string_view object) override;
  void list_ends() override;
  base::Monotonic timer(base::Monotonic now) override;
  void set(base::Result<ConfigMapText> text);

  const ConfigMapName name_;
  bool listed_ = false;  // the list that runs has the object
  mutable std::mutex mutex_;
  base::Result<ConfigMapText> text_ = ConfigMapText();
  const base::Wake* listener_ = nullptr;
  std::atomic<std::uint64_t> version_{0};
  std::unique_ptr<ResourceWatch> watch_;  // last: its thread uses all above
};

}  // namespace weir::kube
