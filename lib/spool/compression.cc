#include "spool/compression.h"

#include "base/last_words.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <utility>

namespace weir::spool {

void Compressor::Free::operator()(void* context) const { ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(context)); }
void Decompressor::Free::operator()(void* context) const { ZSTD_freeDCtx(static_cast<ZSTD_DCtx*>(context)); }

Compressor::Compressor(Effort effort) : context_(ZSTD_createCCtx()) {
  auto* context = static_cast<ZSTD_CCtx*>(context_.get());
  if (context == nullptr) base::end_out_of_memory();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
  if (effort == Effort::fast) return;
  // Smaller than level 6 leaves it, with tables that fit a block of a MiB: 1.3 MB of memory instead of 3.7.
  constexpr std::pair<ZSTD_cParameter, int> parameters[] = {{ZSTD_c_windowLog, 20}, {ZSTD_c_hashLog, 17},
                                                            {ZSTD_c_chainLog, 16},  {ZSTD_c_searchLog, 4},
                                                            {ZSTD_c_minMatch, 5},   {ZSTD_c_strategy, ZSTD_lazy2}};
  for (const auto& [parameter, value] : parameters) ZSTD_CCtx_setParameter(context, parameter, value);
  if (effort == Effort::thorough) return;
  // A match of five bytes within random digits costs more than it saves. 2 MB of memory.
  constexpr std::pair<ZSTD_cParameter, int> larger[] = {
      {ZSTD_c_windowLog, 21}, {ZSTD_c_hashLog, 18}, {ZSTD_c_chainLog, 17}, {ZSTD_c_minMatch, 6}};
  for (const auto& [parameter, value] : larger) ZSTD_CCtx_setParameter(context, parameter, value);
}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;

void Compressor::append(std::string& out, std::string_view bytes) {
  const std::size_t bound = ZSTD_compressBound(bytes.size());
  // The bound is larger than the input. The buffer is not filled, so that only the pages that are written take memory.
  const auto frame = std::make_unique_for_overwrite<char[]>(bound);
  const std::size_t written =
      ZSTD_compress2(static_cast<ZSTD_CCtx*>(context_.get()), frame.get(), bound, bytes.data(), bytes.size());
  if (ZSTD_isError(written) != 0) base::end_out_of_memory();  // the bound was kept, so this is memory that ran out
  out.append(frame.get(), written);
}

Decompressor::Decompressor() : context_(ZSTD_createDCtx()) {
  if (context_ == nullptr) base::end_out_of_memory();
}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;

bool Decompressor::read(std::string_view frame, char* out, std::size_t size) {
  const std::size_t got = ZSTD_decompressDCtx(static_cast<ZSTD_DCtx*>(context_.get()), out, size, frame.data(), frame.size());
  // Not taken for damage: the frame may be whole.
  if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation) base::end_out_of_memory();
  return ZSTD_isError(got) == 0 && got == size;
}

}  // namespace weir::spool
