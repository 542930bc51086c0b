#include "loki/push_decoding.h"

#include <fmt/format.h>
#include <protozero/pbf_reader.hpp>

#include <limits>

namespace weir::loki {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using record::Label;

std::string_view text_of(const protozero::data_view& view) { return {view.data(), view.size()}; }

void expect(const pbf_reader& message, pbf_wire_type type, std::string_view field) {
  if (message.wire_type() == type) return;
  throw PushRefused{400, fmt::format("proto: wrong wireType = {} for field {}", static_cast<unsigned>(message.wire_type()), field)};
}

pbf_reader inner_of(pbf_reader& message, std::string_view field) {
  expect(message, pbf_wire_type::length_delimited, field);
  return pbf_reader(message.get_view());
}

// google.protobuf.Timestamp in the years 1 to 9999.
void read_time(pbf_reader message, PushedEntry& entry) {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  while (message.next()) {
    if (message.tag() == 1) {
      expect(message, pbf_wire_type::varint, "Seconds");
      seconds = message.get_int64();
    } else if (message.tag() == 2) {
      expect(message, pbf_wire_type::varint, "Nanos");
      nanos = message.get_int32();
    } else {
      message.skip();
    }
  }
  constexpr std::int64_t kYearOne = -62'135'596'800, kYearTenThousand = 253'402'300'800;
  const auto refuse = [&](std::string_view why) {
    throw PushRefused{400, fmt::format("timestamp: &types.Timestamp{{Seconds: {},\nNanos: {},\n}}: {}", seconds, nanos, why)};
  };
  if (seconds < kYearOne) refuse("before 0001-01-01");
  if (seconds >= kYearTenThousand) refuse("after 10000-01-01");
  if (nanos < 0 || nanos >= base::kSecond) refuse("nanos not in range [0, 1e9)");
  constexpr std::int64_t kMost = std::numeric_limits<base::Timestamp>::max() / base::kSecond;
  if (seconds >= kMost || seconds <= -kMost) {
    entry.beyond = seconds;
    return;
  }
  entry.time = seconds * base::kSecond + nanos;
}

class Reader {
 public:
  explicit Reader(PushTaker& taker) : taker_(taker) {}

  void read(pbf_reader request) {
    while (!request.data().empty()) {
      refuse_group(request.data());
      if (!request.next()) break;
      if (request.tag() == 1) {
        read_stream(inner_of(request, "Streams"));
      } else {
        request.skip();
      }
    }
  }

 private:
  // protozero takes groups, which nobody writes any more, for the end of what it can read.
  static void refuse_group(const protozero::data_view& rest) {
    const unsigned type = static_cast<unsigned char>(*rest.data()) & 7U;
    if (type == 3 || type == 4) throw PushRefused{400, fmt::format("proto: wrong wireType = {} for field Streams", type)};
  }

  void read_stream(pbf_reader message) {
    // The labels may come behind the entries, although nobody writes them there.
    std::string_view labels;
    for (pbf_reader look = message; look.next();) {
      if (look.tag() == 1) {
        expect(look, pbf_wire_type::length_delimited, "Labels");
        labels = text_of(look.get_view());
      } else {
        look.skip();
      }
    }
    taker_.stream(labels);
    while (message.next()) {
      if (message.tag() == 2) {
        read_entry(inner_of(message, "Entries"));
      } else {
        message.skip();
      }
    }
  }

  void read_entry(pbf_reader message) {
    PushedEntry entry;
    entry.has_time = false;
    metadata_.clear();
    while (message.next()) {
      switch (message.tag()) {
        case 1:
          read_time(inner_of(message, "Timestamp"), entry);
          entry.has_time = true;
          break;
        case 2:
          expect(message, pbf_wire_type::length_delimited, "Line");
          entry.line = text_of(message.get_view());
          break;
        case 3:
          metadata_.push_back(read_pair(inner_of(message, "StructuredMetadata")));
          break;
        default:
          message.skip();
      }
    }
    entry.metadata = metadata_;
    taker_.entry(entry);
  }

  static Label read_pair(pbf_reader message) {
    Label pair;
    while (message.next()) {
      if (message.tag() > 2) {
        message.skip();
        continue;
      }
      const bool is_name = message.tag() == 1;
      expect(message, pbf_wire_type::length_delimited, is_name ? "Name" : "Value");
      (is_name ? pair.name : pair.value) = text_of(message.get_view());
    }
    return pair;
  }

  PushTaker& taker_;
  std::vector<Label> metadata_;
};

}  // namespace

void decode_push_protobuf(std::string_view bytes, PushTaker& taker) { Reader(taker).read(pbf_reader(bytes.data(), bytes.size())); }

}  // namespace weir::loki
