// What the fuzz targets share. A target is one file with one LLVMFuzzerTestOneInput: it runs under libFuzzer (preset `fuzz`, clang)
// and under driver.cc (any compiler, ctest label `fuzz`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weir::fuzz {

[[noreturn]] inline void broken(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: the property does not hold: %s\n", file, line, what);
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// Takes the first byte off `input`, 0 when there is none: what a target lets the input decide.
inline unsigned take_byte(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  return byte;
}

}  // namespace weir::fuzz

// Holds in every build.
#define WEIR_HOLDS(condition) ((condition) ? static_cast<void>(0) : weir::fuzz::broken(__FILE__, __LINE__, #condition))
