#include "loki/push_body.h"

#include "loki/push_encoder.h"

#include <snappy-sinksource.h>
#include <snappy.h>
#include <protozero/pbf_reader.hpp>

#include <array>
#include <exception>
#include <utility>

namespace weir::loki {
namespace {

// The request as a sequence of pieces of memory, so the uncompressed request is never built in one piece.
class Pieces : public snappy::Source {
 public:
  void add(std::string_view piece) {
    if (piece.empty()) return;
    pieces_.push_back(piece);
    left_ += piece.size();
  }
  [[nodiscard]] size_t Available() const override { return left_; }
  const char* Peek(size_t* length) override {
    if (at_ == pieces_.size()) {
      *length = 0;
      return nullptr;
    }
    *length = pieces_[at_].size() - offset_;
    return pieces_[at_].data() + offset_;
  }
  void Skip(size_t count) override {
    left_ -= count;
    while (count > 0) {
      const size_t step = std::min(count, pieces_[at_].size() - offset_);
      offset_ += step;
      count -= step;
      if (offset_ == pieces_[at_].size()) {
        ++at_;
        offset_ = 0;
      }
    }
  }

 private:
  std::vector<std::string_view> pieces_;
  std::size_t at_ = 0, offset_ = 0, left_ = 0;
};

class Output : public snappy::Sink {
 public:
  explicit Output(std::string& out) : out_(out) {}
  void Append(const char* bytes, size_t count) override { out_.append(bytes, count); }

 private:
  std::string& out_;
};

DecodedEntry decode_entry(std::string_view field, protozero::pbf_reader message) {
  DecodedEntry entry;
  entry.field = field;
  while (message.next()) {
    switch (message.tag()) {
      case 1: {
        protozero::pbf_reader time = message.get_message();
        while (time.next()) {
          if (time.tag() == 1) {
            entry.timestamp += time.get_int64() * base::kSecond;
          } else if (time.tag() == 2) {
            entry.timestamp += time.get_int32();
          } else {
            time.skip();
          }
        }
        break;
      }
      case 2: {
        const auto view = message.get_view();
        entry.line = {view.data(), view.size()};
        break;
      }
      case 3: {
        record::Label pair;
        protozero::pbf_reader inner = message.get_message();
        while (inner.next()) {
          std::string_view& part = inner.tag() == 1 ? pair.name : pair.value;
          const auto view = inner.get_view();
          part = {view.data(), view.size()};
        }
        entry.metadata.push_back(pair);
        break;
      }
      default:
        message.skip();
    }
  }
  return entry;
}

DecodedStream decode_stream(protozero::pbf_reader message) {
  DecodedStream stream;
  const char* before = message.data().data();
  while (message.next()) {
    if (message.tag() == 1) {
      const auto view = message.get_view();
      stream.labels = {view.data(), view.size()};
    } else if (message.tag() == 2) {
      const auto view = message.get_view();
      const std::string_view field(before, static_cast<std::size_t>(view.data() + view.size() - before));
      stream.entries.push_back(decode_entry(field, protozero::pbf_reader(view)));
    } else {
      message.skip();
    }
    before = message.data().data();
  }
  return stream;
}

}  // namespace

std::size_t DecodedEntry::raw() const {
  std::size_t size = line.size();
  for (const record::Label& pair : metadata) size += pair.name.size() + pair.value.size();
  return size;
}

std::string encode_body(std::span<const BodyStream> streams) {
  std::string scratch;
  return encode_body(streams, scratch);
}

std::string encode_body(std::span<const BodyStream> streams, std::string& scratch) {
  std::string heads;
  std::vector<std::pair<std::size_t, std::size_t>> cuts;  // offset and size in `heads`, because `heads` may move while it grows
  for (const BodyStream& stream : streams) {
    const std::size_t labels = 1 + varint_size(stream.labels.size()) + stream.labels.size();
    std::array<char, 24> head;
    char* at = head.data();
    *at++ = (1 << 3) | 2;
    at = write_varint(at, labels + stream.entries->size());
    *at++ = (1 << 3) | 2;
    at = write_varint(at, stream.labels.size());
    const std::size_t offset = heads.size();
    heads.append(head.data(), static_cast<std::size_t>(at - head.data()));
    heads += stream.labels;
    cuts.emplace_back(offset, heads.size() - offset);
  }
  Pieces pieces;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    pieces.add(std::string_view(heads).substr(cuts[i].first, cuts[i].second));
    for (std::size_t k = 0; k < streams[i].entries->fragments(); ++k) pieces.add(streams[i].entries->fragment(k));
  }
  scratch.clear();
  scratch.reserve(pieces.Available() / 3);  // the usual ratio of logs
  Output output(scratch);
  snappy::Compress(&pieces, &output);
  return {scratch.data(), scratch.size()};
}

base::Result<DecodedBody> decode_body(std::string_view body) {
  DecodedBody decoded;
  if (!snappy::Uncompress(body.data(), body.size(), &decoded.bytes))
    return base::fail(base::Code::parse, "cannot read a push request: it is no snappy block");
  try {
    protozero::pbf_reader request(decoded.bytes);
    while (request.next()) {
      if (request.tag() == 1) {
        decoded.streams.push_back(decode_stream(request.get_message()));
      } else {
        request.skip();
      }
    }
  } catch (const std::exception& error) {
    return base::fail(base::Code::parse, "cannot read a push request: {}", error.what());
  }
  return decoded;
}

}  // namespace weir::loki
