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
  f("-o csv", Format::csv, Color::automatic);
  f("-o table", Format::table, Color::automatic);
}

TEST(OutputOptions, WhatAnAnswerHas) {
  const auto f = [](const std::string& arguments, OutputKind kind, bool histogram, bool wrap, const std::string& zone) {
    CLI::App app;
    stages::OutputOptions options;
    declare_output(app, options, kind);
    app.parse(arguments);
    EXPECT_EQ(options.histogram, histogram) << arguments;
    EXPECT_EQ(options.ends, kind == OutputKind::answer) << arguments;
    EXPECT_EQ(options.wrap, wrap) << arguments;
    EXPECT_EQ(options.zone, zone) << arguments;
  };
  f("", OutputKind::stream, false, true, "");
  f("--no-wrap --utc", OutputKind::stream, false, false, "UTC0");
  f("", OutputKind::answer, true, true, "");
  f("--no-histogram --timezone Europe/Berlin", OutputKind::answer, false, true, ":Europe/Berlin");
  f("--timezone utc", OutputKind::answer, true, true, "UTC0");
  f("--timezone Local", OutputKind::answer, true, true, "");
}

TEST(OutputOptions, AZoneIsOneOfTheSystem) {
  for (const char* name : {"", "Nowhere/Town", "../zoneinfo/UTC", "/usr/share/zoneinfo/UTC", "Europe", "zone.tab"}) {
    const auto zone = read_zone(name);
    ASSERT_FALSE(zone.ok()) << name;
    EXPECT_EQ(zone.error().code, base::Code::usage);
    EXPECT_EQ(zone.error().message, "/usr/share/zoneinfo has no time zone of this name");
  }
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
  f("-o json", "cannot use 'json' for --output: it is one of auto, text, raw, jsonl, csv, table", "did you mean 'jsonl'?");
  f("--color yes", "cannot use 'yes' for --color: it is one of auto, always, never", "");
}

}  // namespace
}  // namespace weir::cli
