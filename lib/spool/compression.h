// zstd frames, with the memory of the compressor kept from one to the next.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::spool {

enum class Effort : std::uint8_t {
  fast,      // 400 MB/s: where much comes at once
  thorough,  // a quarter of that speed, a sixth smaller on the small blocks of live following, where writing costs more than
             // packing
  lasting,   // a little slower still, a tenth smaller on lines with random numbers in them: for held records, which few ever read
};

// Not thread safe.
class Compressor {
 public:
  explicit Compressor(Effort effort);
  ~Compressor();
  Compressor(Compressor&&) noexcept;

  // Appends one frame that holds all of `bytes`.
  void append(std::string& out, std::string_view bytes);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

// Not thread safe.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;

  // Exactly `size` bytes into `out`; false when the frame is damaged or of another size.
  [[nodiscard]] bool read(std::string_view frame, char* out, std::size_t size);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

}  // namespace weir::spool
