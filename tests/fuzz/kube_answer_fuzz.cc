// What a Kubernetes API server, a kubelet and our own cache may hold. The first byte is l: a list, e: events, p: one pod, c: the
// cache of pods; any other is a list too. In lists and events the second byte says how large the pieces are.
#include "fuzz/fuzz.h"
#include "kube/json_splitter.h"
#include "kube/pod_cache.h"
#include "kube/pod_parser.h"

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace weir;

constexpr std::size_t kMost = 200;

void pod(std::string_view text, kube::PodParser& parser) {
  const auto pod = parser.parse(text);
  if (!pod) return;
  WEIR_HOLDS(!pod->uid.empty() && !pod->namespace_name.empty() && !pod->name.empty());
  WEIR_HOLDS(pod->uid.size() <= text.size() && pod->labels.size() <= parser.wanted().labels.size());
  WEIR_HOLDS(std::is_sorted(pod->labels.begin(), pod->labels.end()));
  for (const auto& [name, value] : pod->annotations) WEIR_HOLDS(value.size() <= kube::PodParser::kMostValue);
  (void)kube::workload_of(*pod);
}

class Parts : public kube::JsonParts {
 public:
  void item(std::string_view text) override {
    add('i', text);
    pod(text, parser_);
  }
  void member(std::string_view name, std::string_view text) override {
    WEIR_HOLDS(name.size() <= 256);
    add('m', name);
    add('v', text);
    if (name == "object") pod(text, parser_);
  }
  void object_ends() override { all += "e;"; }
  void skipped(std::string_view name, std::size_t size) override {
    WEIR_HOLDS(size > kMost);
    add('s', name);
    bytes += size;
  }
  std::string all;
  std::size_t bytes = 0;

 private:
  void add(char kind, std::string_view text) {
    if (kind != 'm' && kind != 's') WEIR_HOLDS(!text.empty() && text.size() <= kMost);
    bytes += kind == 's' ? 0 : text.size();
    all += kind;
    all += text;
    all += ';';
  }
  kube::PodParser parser_{{{"app", "a"}, {"b"}}};
};

void split(kube::JsonSplitter::Form form, std::string_view input) {
  const std::size_t piece = 1 + fuzz::take_byte(input) % 40;
  Parts whole, parts;
  kube::JsonSplitter at_once(form, kMost, whole), in_pieces(form, kMost, parts);
  const bool good = at_once.feed(input);
  bool still = true;
  for (std::size_t at = 0; at < input.size(); at += piece) {
    // A buffer of its own, so that AddressSanitizer sees a look beyond it.
    const std::vector<char> copy(input.begin() + static_cast<std::ptrdiff_t>(at),
                                 input.begin() + static_cast<std::ptrdiff_t>(std::min(input.size(), at + piece)));
    still = in_pieces.feed({copy.data(), copy.size()});
    WEIR_HOLDS(in_pieces.held() < 4 * kMost + 1024);
  }
  WEIR_HOLDS(whole.bytes <= input.size());
  WEIR_HOLDS(good == still && whole.all == parts.all);
  WEIR_HOLDS(at_once.complete() == in_pieces.complete() && at_once.objects() == in_pieces.objects());
  WEIR_HOLDS(good || !at_once.complete());
}

void cache(std::string_view input) {
  const kube::PodCache cache("file", "node", {{"app"}, {}});
  const auto pods = cache.parse(input);
  if (!pods) {
    WEIR_HOLDS(!pods.error().message.empty());
    return;
  }
  const auto again = cache.parse(cache.text_of(*pods));
  WEIR_HOLDS(again && again->size() == pods->size());
  for (std::size_t i = 0; i < pods->size(); ++i) {
    WEIR_HOLDS(*(*pods)[i].pod == *(*again)[i].pod && (*pods)[i].gone_since == (*again)[i].gone_since);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  const unsigned kind = fuzz::take_byte(input);
  if (kind == 'e') {
    split(kube::JsonSplitter::Form::events, input);
  } else if (kind == 'p') {
    static kube::PodParser parser({{"app", "a"}, {"b"}});
    pod(input, parser);
  } else if (kind == 'c') {
    cache(input);
  } else {
    split(kube::JsonSplitter::Form::list, input);
  }
  return 0;
}
