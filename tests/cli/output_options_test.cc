#include "cli/output_options.h"

#include "cli/value_error.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir::cli {
namespace {

using Format = stages::OutputOptions::Format;
using Color = stages::OutputOptions::Color;

TEST(OutputOptions, Success) {
  const auto f = [](const std::string& arguments, Format format, Color color) {
    CLI::App app;
    stages::OutputOptions options;
    declare_output(app, options);
    app.parse(arguments);
    EXPECT_EQ(options.format, format) << arguments;
    EXPECT_EQ(options.color, color) << arguments;
  };
  f("", Format::automatic, Color::automatic);
  f("-o auto --color auto", Format::automatic, Color::automatic);
  f("-o text --color always", Format::text, Color::always);
  f("--output raw --color=never", Format::raw, Color::never);
  f("-ojsonl", Format::jsonl, Color::automatic);
}

TEST(OutputOptions, Failure) {
  const auto f = [](const std::string& arguments, std::string_view message, std::string_view hint) {
    CLI::App app;
    stages::OutputOptions options;
    declare_output(app, options);
    try {
      app.parse(arguments);
      ADD_FAILURE() << arguments;
    } catch (const ValueError& error) {
      EXPECT_EQ(error.error.message, message);
      EXPECT_EQ(error.error.hint, hint);
    }
  };
  f("-o json", "cannot use 'json' for --output: it is one of auto, text, raw, jsonl", "did you mean 'jsonl'?");
  f("--color yes", "cannot use 'yes' for --color: it is one of auto, always, never", "");
}

}  // namespace
}  // namespace weir::cli
