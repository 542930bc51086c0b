#include "kube/config_map_watch.h"

#include "kube/object_name.h"

#include <utility>

namespace weir::kube {
namespace {

using base::Result;

constexpr std::size_t kMostObject = 16 << 20;  // 1 MiB of text, each byte of which may be an escape of six, and what others add

// Two answers that mean the same. Of two mistakes nobody knows.
bool same(const Result<ConfigMapText>& a, const Result<ConfigMapText>& b) {
  return a.ok() && b.ok() && a->exists == b->exists && a->key == b->key && a->has_key == b->has_key && a->text == b->text;
}

}  // namespace

Result<std::unique_ptr<ConfigMapWatch>> ConfigMapWatch::start(ConfigMapName name, http::ClientConfig config, base::Clock& clock,
                                                              base::Diagnostics& diagnostics) {
  std::unique_ptr<ConfigMapWatch> out(new ConfigMapWatch(std::move(name)));
  const ConfigMapName& what = out->name_;
  auto watch = ResourceWatch::start({.path = what.collection(),
                                     .field_selector = "metadata.name=" + field_value(what.name),
                                     .starter_tells = true,
                                     .max_object = kMostObject},
                                    std::move(config), *out, clock, diagnostics);
  if (!watch) return std::move(watch).error();
  out->watch_ = *std::move(watch);
  return out;
}

ConfigMapWatch::~ConfigMapWatch() { watch_.reset(); }

Result<ConfigMapText> ConfigMapWatch::text() const {
  const std::scoped_lock lock(mutex_);
  return text_;
}

std::string ConfigMapWatch::trouble() const { return watch_->status().trouble; }

void ConfigMapWatch::listen(const base::Wake& wake) {
  const std::scoped_lock lock(mutex_);
  listener_ = &wake;
}

void ConfigMapWatch::unlisten() {
  const std::scoped_lock lock(mutex_);
  listener_ = nullptr;
}

// A change of labels or managed fields is none of the text.
void ConfigMapWatch::set(Result<ConfigMapText> text) {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t version = version_.load(std::memory_order_relaxed);
  if (version != 0 && same(text, text_)) return;
  text_ = std::move(text);
  version_.store(version + 1, std::memory_order_release);
  if (listener_ != nullptr) listener_->ring();
}

bool ConfigMapWatch::item(std::string_view object) {
  auto text = text_of(object, name_);
  if (!text && text.error().code == base::Code::parse) return false;
  listed_ = true;
  set(std::move(text));
  return true;
}

bool ConfigMapWatch::deleted(std::string_view object) {
  if (const auto last = text_of(object, name_); !last && last.error().code == base::Code::parse) return false;
  set(ConfigMapText{.key = name_.key.empty() ? std::string(kUsualKey) : name_.key});
  return true;
}

void ConfigMapWatch::list_ends() {
  if (!listed_) set(ConfigMapText{.key = name_.key.empty() ? std::string(kUsualKey) : name_.key});
}

base::Monotonic ConfigMapWatch::timer(base::Monotonic) {
  if (version() == 0) {
    const std::scoped_lock lock(mutex_);
    if (listener_ != nullptr) listener_->ring();
  }
  return base::kNever;
}

}  // namespace weir::kube
