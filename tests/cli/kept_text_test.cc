#include "cli/kept_text.h"

#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace weir::cli {
namespace {

const char* nothing_set(const char*) { return nullptr; }

class KeptText : public testing::Test {
 protected:
  [[nodiscard]] PipelineSource source(const std::string& text) const {
    return {dir_ / "node.weir", text, PipelineSource::Kind::file};
  }
  void keep(const std::string& text) { keep_text(source(text), {dir_ / "spool.db"}, diagnostics_); }
  [[nodiscard]] std::string good() const { return fmt::format("tail -f | buffer {} | push\n", dir_ / "spool.db"); }

  test::TempDir dir_;
  test::RememberingDiagnostics diagnostics_;
};

TEST_F(KeptText, IsFoundByTheSpoolThatABrokenTextNames) {
  keep(good());
  for (const std::string& broken :
       {fmt::format("tail -f | bufer {} | push", dir_ / "spool.db"), fmt::format("tail -f | buffer '{} | push", dir_ / "spool.db"),
        fmt::format("tail -f --checkpoint={}|", dir_ / "spool.db")}) {
    const auto kept = find_kept_text(source(broken), nothing_set);
    ASSERT_TRUE(kept) << broken;
    EXPECT_TRUE(kept->text().ends_with(good())) << kept->text();
    EXPECT_EQ(kept->name(), dir_ / "spool.db-pipeline");
    EXPECT_TRUE(kept->parse(nothing_set)) << "the line that names the file is a comment";
  }
}

TEST_F(KeptText, BelongsToOneFile) {
  keep_text({dir_ / "other.weir", good(), PipelineSource::Kind::file}, {dir_ / "spool.db"}, diagnostics_);
  EXPECT_FALSE(find_kept_text(source(good() + "|"), nothing_set));
}

TEST_F(KeptText, IsNoneWhereNothingRanOrTheSameTextIsBroken) {
  EXPECT_FALSE(find_kept_text(source(good()), nothing_set));
  keep(good());
  EXPECT_FALSE(find_kept_text(source(good()), nothing_set));
}

TEST_F(KeptText, IsFoundBesideTheSpoolOfTheEnvironment) {
  keep(good());
  static std::string spool;
  spool = dir_ / "spool.db";
  const auto environment = [](const char* name) -> const char* {
    return std::string_view(name) == "WEIR_SPOOL" || std::string_view(name) == "NODE_SPOOL" ? spool.c_str() : nullptr;
  };
  EXPECT_TRUE(find_kept_text(source(""), environment));
  EXPECT_TRUE(find_kept_text(source("tail | bufer ${NODE_SPOOL}"), environment));
}

TEST_F(KeptText, AFailureIsReported) {
  keep_text(source(good()), {dir_ / "no/such/spool.db"}, diagnostics_);
  ASSERT_EQ(diagnostics_.said().size(), 1U);
  EXPECT_NE(diagnostics_.said().front().find("cannot replace it"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
