// The text in a ConfigMap, out of whatever a server sends.
#include "kube/config_map.h"

#include "base/utf8.h"
#include "fuzz/fuzz.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const char* key : {"", "rules"}) {
    const auto text = kube::text_of(bytes, {"shop", "weir", key});
    if (!text) {
      WEIR_HOLDS(text.error().code == base::Code::parse || text.error().code == base::Code::config);
      continue;
    }
    WEIR_HOLDS(text->exists);
    WEIR_HOLDS(!text->key.empty() || text->has_key);  // an object may have the key ""
    WEIR_HOLDS(text->has_key || text->text.empty());
    WEIR_HOLDS(text->text.size() <= size);
    WEIR_HOLDS(base::is_utf8(text->text));
    WEIR_HOLDS(*kube::text_of(bytes, {"shop", "weir", key}) == *text);
  }
  // A name that is read is one that could be written.
  const std::string place = std::string(kube::kConfigMapScheme) + std::string(bytes);
  if (const auto name = kube::parse_config_map(place); name) {
    const std::string again = std::string(kube::kConfigMapScheme) + name->object() + (name->key.empty() ? "" : "/" + name->key);
    WEIR_HOLDS(again == place);
  }
  return 0;
}
