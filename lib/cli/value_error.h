// How a wrong value of an option gets out of CLI11, which knows exceptions only. Thrown and caught within lib/cli.
#pragma once

#include "base/result.h"

#include <CLI/Error.hpp>

#include <string>

namespace weir::cli {

struct ValueError : CLI::Error {
  ValueError(std::string of_option, std::string wrong, base::Error what)
      : CLI::Error("ValueError", what.message), option(std::move(of_option)), value(std::move(wrong)), error(std::move(what)) {}
  std::string option;  // as it is shown: "--wait", "URL"
  std::string value;
  base::Error error;  // Code::usage, with the whole message; the hint may be empty
};

}  // namespace weir::cli
