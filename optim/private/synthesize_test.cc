#include "optim/private/synthesize.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/limits.h"
#include "common/config/recipe.h"
#include "common/config/recipe_testing.h"
#include "common/files/files.h"
#include "common/tensor/random.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class SynthesizeTest : public testing::Test {
 protected:
  // Whoever is older than 50 mostly does not work; incomes are those of people who do.
  std::vector<json> People(int count) const {
    std::vector<json> people;
    const RandomStream random(3, "people");
    for (int i = 0; i < count; ++i) {
      const RandomStream draw = random.Child(i);
      const double age = 20 + 60 * draw.Uniform(0);
      const bool works = draw.Uniform(1) < (age > 50 ? 0.1 : 0.8);
      people.push_back({{"age", std::floor(age)},
                        {"works", works},
                        {"town", draw.Uniform(2) < 0.3 ? "north" : "south"},
                        {"income", works ? 20000 + 30000 * draw.Uniform(3) : 0},
                        {"name", absl::StrCat("person ", i)}});
    }
    return people;
  }

  SynthesisRecipe Recipe(const std::vector<json>& rows, const std::string& more = "") const {
    std::string lines;
    for (const json& row : rows) absl::StrAppend(&lines, row.dump(), "\n");
    PLUMB_EXPECT_OK(WriteFileAtomically(folder_ + "/people.jsonl", lines));
    SynthesisRecipe recipe;
    PLUMB_EXPECT_OK(ParseRecipe(
        absl::StrCat("seed: 7 data { path: '", folder_, "/people.jsonl' } output_file: '", folder_,
                     "/synthetic.jsonl' ", "column { name: 'age' lower: 0 upper: 100 whole: true } ",
                     "column { name: 'works' category: 'true' category: 'false' } ",
                     "column { name: 'town' category: 'north' category: 'south' category: 'east' } ",
                     "column { name: 'income' lower: 0 upper: 50000 } ", more),
        "test", {}, &recipe));
    return recipe;
  }

  std::vector<json> Synthetic() const {
    std::vector<json> rows;
    const std::string text = ReadFile(folder_ + "/synthetic.jsonl").value_or("");
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      rows.push_back(json::parse(line));
    }
    return rows;
  }

  std::string Message(const SynthesisRecipe& recipe) {
    std::ostringstream log;
    return std::string(Synthesize(recipe, log).message());
  }

  std::string folder_ = TemporaryFolder();
};

double Share(const std::vector<json>& rows, const std::function<bool(const json&)>& holds) {
  return static_cast<double>(std::count_if(rows.begin(), rows.end(), holds)) /
         static_cast<double>(rows.size());
}

TEST_F(SynthesizeTest, TheTableIsLikeTheData) {
  const std::vector<json> people = People(4000);
  const SynthesisRecipe recipe =
      Recipe(people, "epsilon: 4 queries { prefixes: 300 half_spaces: 50 } search { rows: 300 }");
  std::ostringstream log;
  PLUMB_ASSERT_OK(Synthesize(recipe, log));
  const std::vector<json> rows = Synthetic();
  ASSERT_EQ(rows.size(), 300u);
  for (const json& row : rows) {
    ASSERT_EQ(row.size(), 4u);  // without the name
    EXPECT_TRUE(row.at("age").is_number_integer());
    EXPECT_GE(row.at("income"), 0);
    EXPECT_LE(row.at("income"), 50000);
    EXPECT_TRUE(row.at("works") == "true" || row.at("works") == "false");
  }
  const auto works = [](const json& row) { return row.at("works") == true || row.at("works") == "true"; };
  const std::vector<std::function<bool(const json&)>> queries = {
      works,
      [](const json& row) { return row.at("town") == "north"; },
      [&](const json& row) { return works(row) && row.at("town") == "south"; },
      [](const json& row) { return row.at("age") <= 50; },
      [&](const json& row) { return works(row) && row.at("age") <= 50; },
      [](const json& row) { return row.at("income") <= 10000; }};
  for (size_t q = 0; q < queries.size(); ++q) {
    EXPECT_NEAR(Share(rows, queries[q]), Share(people, queries[q]), 0.05) << q;
  }
  // (2 3 2-way cells) + 300 + 50.
  EXPECT_THAT(log.str(), HasSubstr("4000 rows, 356 queries: epsilon 4 at delta 1e-06"));
  // The same again.
  const std::string text = ReadFile(folder_ + "/synthetic.jsonl").value();
  PLUMB_ASSERT_OK(Synthesize(recipe, log));
  EXPECT_EQ(ReadFile(folder_ + "/synthetic.jsonl").value(), text);
  // Without a seed, other noise.
  SynthesisRecipe unseeded = recipe;
  unseeded.clear_seed();
  PLUMB_ASSERT_OK(Synthesize(unseeded, log));
  EXPECT_NE(ReadFile(folder_ + "/synthetic.jsonl").value(), text);
}

TEST_F(SynthesizeTest, NoiseFollowsEpsilon) {
  const std::vector<json> people = People(100);
  const auto error = [&](const std::string& epsilon) {
    SynthesisRecipe recipe =
        Recipe(people, absl::StrCat("epsilon: ", epsilon, " queries { prefixes: 0 } search { rows: 200 }"));
    std::ostringstream log;
    PLUMB_EXPECT_OK(Synthesize(recipe, log));
    const auto is_north = [](const json& row) { return row.at("town") == "north"; };
    double sum = std::abs(Share(Synthetic(), is_north) - Share(people, is_north));
    const auto works = [](const json& row) { return row.at("works") == true || row.at("works") == "true"; };
    return sum + std::abs(Share(Synthetic(), works) - Share(people, works));
  };
  EXPECT_LT(error("1000"), 0.02);
  EXPECT_GT(error("0.01"), 0.1);
}

TEST_F(SynthesizeTest, SaysWhatIsWrong) {
  std::vector<json> people = People(3);
  EXPECT_THAT(Message(Recipe(people, "column { name: 'age' category: 'a' }")),
              HasSubstr("column[4] (age): comes twice"));
  EXPECT_THAT(Message(Recipe(people, "column { name: 'name' }")),
              HasSubstr("column[4] (name): expected either its categories, or lower and upper"));
  EXPECT_THAT(Message(Recipe(people, "column { name: 'n' lower: 2 upper: 1 }")),
              HasSubstr("column[4] (n): expected lower < upper"));
  EXPECT_THAT(Message(Recipe(people, "column { name: 'n' category: 'a' category: 'a' }")),
              HasSubstr("a category comes twice"));
  EXPECT_THAT(Message(Recipe(people, "queries { marginal_columns: 0 prefixes: 0 }")),
              HasSubstr("queries: there are none"));
  EXPECT_THAT(Message(Recipe(people, "queries { marginal_columns: 3 }")),
              HasSubstr("queries.marginal_columns: 3, but there are 2 categorical columns"));
  EXPECT_THAT(Message(Recipe(people, "queries { width: 5 }")),
              HasSubstr("queries.width: 5, but there are 4 columns"));
  EXPECT_THAT(Message(Recipe(people, "column { name: 'n' lower: 0.5 upper: 2 whole: true }")),
              HasSubstr("column[4] (n): whole: expected lower and upper to be whole"));
  std::string many;
  for (int c = 0; c < 40; ++c) {
    absl::StrAppend(&many, "column { name: 'c", c, "' category: 'a' category: 'b' } ");
  }
  EXPECT_THAT(Message(Recipe(people, absl::StrCat(many, "queries { marginal_columns: 20 }"))),
              HasSubstr("queries.marginal_columns: 20 makes marginals of"));
  people[1]["town"] = "west";
  EXPECT_EQ(
      Message(Recipe(people)),
      absl::StrCat(folder_,
                   "/people.jsonl:2: column 'town': 'west' is none of its categories: north, south, east"));
  people[1].erase("town");
  EXPECT_THAT(Message(Recipe(people)), HasSubstr("people.jsonl:2: column 'town': is not there"));
  people = People(3);
  people[2]["age"] = "old";
  EXPECT_THAT(Message(Recipe(people)),
              HasSubstr("people.jsonl:3: column 'age': expected a number, found string"));
  SynthesisRecipe recipe = Recipe(People(3));
  recipe.set_output_file(folder_ + "/synthetic.csv");
  EXPECT_THAT(Message(recipe), HasSubstr("expected a name that ends in .jsonl"));
  EXPECT_FALSE(FileExists(folder_ + "/synthetic.jsonl"));
}

TEST(SynthesisRecipes, LoadAndKeepTheirLimits) {
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*SynthesisRecipe::descriptor()));
  ExpectRecipesLoadAgain<SynthesisRecipe>("optim/private/recipes/*.textproto");
}

}  // namespace
}  // namespace plumb
