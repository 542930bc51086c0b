// The three forms of a push request. Each throws PushRefused where it is none, and protozero's exceptions where protobuf ends too
// soon. What the taker gets are views into `bytes`, or into the decoder until its next call.
#pragma once

#include "loki/push_taker.h"

#include <memory>
#include <string>
#include <string_view>

namespace weir::loki {

// PushRequest of Loki's pkg/push/push.proto, unpacked.
void decode_push_protobuf(std::string_view bytes, PushTaker& taker);

class PushJsonDecoder {
 public:
  PushJsonDecoder();
  ~PushJsonDecoder();
  PushJsonDecoder(const PushJsonDecoder&) = delete;  // large buffers
  PushJsonDecoder& operator=(const PushJsonDecoder&) = delete;

  // `old_form`: that of /api/prom/push. `out`: for what has to be put together.
  // `padded`: kPadding bytes may be read behind the text, which is not copied then.
  void decode(std::string_view text, bool padded, bool old_form, PushTaker& taker, record::Batch& out);
  // Gives back what a large text took; true when one did.
  bool trim();
  static constexpr std::size_t kPadding = 64;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::loki
