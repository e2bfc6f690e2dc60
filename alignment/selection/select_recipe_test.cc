#include "alignment/selection/select_recipe.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "alignment/evaluate_recipe.h"
#include "alignment/selection/density_ratio.h"
#include "alignment/selection/row.h"
#include "alignment/selection/sandbox.h"
#include "alignment/selection/situated_faithfulness.h"
#include "alignment/selection/text_embedding.h"
#include "alignment/text_model.h"
#include "common/config/limits.h"
#include "common/config/recipe_testing.h"
#include "common/data/example_tokens.h"
#include "common/data/read_examples.h"
#include "common/data/tokenizer.h"
#include "common/files/files.h"
#include "common/nn/pretrained.h"
#include "common/program/interrupt.h"
#include "common/program/runfiles.h"
#include "common/testing/subprocess.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

std::string Golden(const std::string& path) { return Runfile("alignment/testdata/trl_dpo/" + path); }

class Select : public testing::Test {
 protected:
  ~Select() override { SetInterruptRequested(false); }

  std::string Write(const std::string& name, const std::string& contents) {
    const std::string path = absl::StrCat(folder_, "/", name);
    PLUMB_EXPECT_OK(WriteFileAtomically(path, contents));
    return path;
  }

  // A recipe that reads `path`; `steps` in text format.
  SelectRecipe Recipe(const std::string& path, const std::string& steps) {
    SelectRecipe recipe;
    PLUMB_EXPECT_OK(
        ParseRecipe(absl::StrCat("data { path: '", path, "' } output_file: '", Output(), "' ", steps), "test",
                    {}, &recipe));
    return recipe;
  }

  std::string Output(const std::string& suffix = "") const {
    return absl::StrCat(folder_, "/out", suffix, ".jsonl");
  }

  // The counts as "in>out" a step, or the error.
  static std::string Run(const SelectRecipe& recipe) {
    const auto counts = SelectFromRecipe(recipe);
    if (!counts.ok()) return std::string(counts.status().message());
    std::string text;
    for (const StepCounts& step : *counts) {
      absl::StrAppend(&text, text.empty() ? "" : " ", step.rows_in, ">", step.rows_out);
    }
    return text;
  }

  static std::vector<std::string> Lines(const std::string& path) {
    const auto text = ReadFile(path);
    PLUMB_EXPECT_OK(text);
    return absl::StrSplit(text.value_or(""), '\n', absl::SkipEmpty());
  }

  // What is in the folder, but the inputs.
  std::vector<std::string> Left() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      const std::string name = entry.path().filename().string();
      if (absl::StartsWith(name, "out")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const std::string folder_ = TemporaryFolder();
};

constexpr char kPairs[] =
    R"({"prompt": "One two three four five six?", "chosen": "yes", "rejected": "no", "id": 1}
{"prompt": "Seven eight nine ten eleven twelve?", "chosen": "yes", "rejected": "no", "id": 2}
{"prompt": "Something that nobody asked before", "chosen": "yes", "rejected": "no", "id": 3}
)";

TEST_F(Select, DecontaminationLeavesOutWhatATestSetHas) {
  const std::string pairs = Write("pairs.jsonl", kPairs);
  const std::string test = Write("test.jsonl", R"({"question": "SEVEN, eight nine ten? Else not."})"
                                               "\n"
                                               R"({"question": "three four five and much more besides"})");
  const std::string step = absl::StrCat("step { decontaminate { test { path: '", test,
                                        "' } test_column: 'question' ngram_size: 3 ");
  EXPECT_EQ(Run(Recipe(pairs, step + "} }")), "3>2");
  // The rows that stay are as they were, in their order.
  EXPECT_EQ(Lines(Output()),
            (std::vector<std::string>{
                R"({"prompt":"One two three four five six?","chosen":"yes","rejected":"no","id":1})",
                R"({"prompt":"Something that nobody asked before","chosen":"yes","rejected":"no","id":3})"}));
  const auto counts = SelectFromRecipe(Recipe(pairs, step + "max_overlap: 0.4 } }"));
  PLUMB_ASSERT_OK(counts);
  EXPECT_EQ((*counts)[0].rows_out, 1);
  EXPECT_EQ((*counts)[0].step, "step[0].decontaminate");
  EXPECT_EQ((*counts)[0].figures, "2 of 2 test rows (1e+02 %) are the nearest of a row left out");
  // As a whole no test row is in a pair; with their answers as text, none is.
  EXPECT_EQ(Run(Recipe(pairs, step + "match: EXACT } }")), "3>3");
  EXPECT_EQ(Run(Recipe(pairs, step + "column: 'chosen' } }")), "3>3");
  EXPECT_EQ(Left(), std::vector<std::string>{"out.jsonl"});
}

TEST_F(Select, StepsTakeWhatTheOneBeforeLeft) {
  const std::string pairs = Write("pairs.jsonl", kPairs);
  const std::string test = Write("test.jsonl", R"({"prompt": "nobody asked"})");
  const std::string more = Write("more.jsonl", R"({"prompt": "More", "chosen": "a", "rejected": "b"})");
  const std::string decontaminate =
      absl::StrCat("step { decontaminate { match: EXACT test { path: '", test, "' } } } ");
  const std::string mix =
      absl::StrCat("step { mix { weight: 2 shuffle: false source { data { path: '", more, "' } } } } ");
  EXPECT_EQ(Run(Recipe(pairs, decontaminate + mix)), "3>2 2>5");
  EXPECT_EQ(Lines(Output()).back(), R"({"prompt":"More","chosen":"a","rejected":"b"})");
  EXPECT_EQ(Run(Recipe(pairs, mix + decontaminate)), "3>7 7>5");
}

TEST_F(Select, AMixIsTheSameForTheSameSeed) {
  std::string first, second;
  for (int i = 0; i < 40; ++i) {
    absl::StrAppend(&first, "{\"i\": ", i, "}\n");
    absl::StrAppend(&second, "{\"j\": ", i, "}\n");
  }
  const std::string path = Write("a.jsonl", first);
  const std::string mix = absl::StrCat("step { mix { size: 30 source { weight: 2 data { path: '",
                                       Write("b.jsonl", second), "' } } } }");
  SelectRecipe recipe = Recipe(path, mix);
  const auto counts = SelectFromRecipe(recipe);
  PLUMB_ASSERT_OK(counts);
  EXPECT_EQ((*counts)[0].figures, "10 of 40 that came in, 20 of 40 of source[0]");
  const std::vector<std::string> lines = Lines(Output());
  EXPECT_EQ(lines.size(), 30u);
  EXPECT_EQ(Run(recipe), "40>30");
  EXPECT_EQ(Lines(Output()), lines);
  recipe.set_seed(43);
  EXPECT_EQ(Run(recipe), "40>30");
  EXPECT_NE(Lines(Output()), lines);
  EXPECT_EQ(
      Run(Recipe(path, "step { mix { weight: 0 } }")),
      "step[0].mix: all weights are 0: expected one above 0 (source 0 are the rows of the step before)");
}

constexpr char kRanked[] =
    R"({"prompt": "P", "completions": ["b", "d", "a", "c"], "scores": [4, 2, 5, 3], "id": "x"}
{"prompt": "Q", "completions": [[{"role": "assistant", "content": "hi"}], "ho"], "scores": [0, 1]}
)";

TEST_F(Select, ACurriculumGoesFromEasyToHard) {
  const std::string ranked = Write("ranked.jsonl", kRanked);
  EXPECT_EQ(Run(Recipe(ranked, "step { curriculum {} }")), "2>4");
  EXPECT_EQ(
      Lines(Output()),
      (std::vector<std::string>{
          R"({"prompt":"P","id":"x","chosen":"a","rejected":"d","score_gap":3.0,"stage":1})",
          R"({"prompt":"Q","chosen":"ho","rejected":[{"role":"assistant","content":"hi"}],"score_gap":1.0,"stage":1})",
          R"({"prompt":"P","id":"x","chosen":"a","rejected":"c","score_gap":2.0,"stage":2})",
          R"({"prompt":"P","id":"x","chosen":"a","rejected":"b","score_gap":1.0,"stage":3})"}));
}

TEST_F(Select, EachStageCanHaveAFileOfItsOwn) {
  SelectRecipe recipe = Recipe(Write("ranked.jsonl", kRanked), "step { curriculum { stages: 2 } }");
  recipe.set_split_by("stage");
  EXPECT_EQ(Run(recipe), "2>4");
  EXPECT_EQ(Left(), (std::vector<std::string>{"out.1.jsonl", "out.2.jsonl"}));
  EXPECT_EQ(Lines(Output(".1")).size(), 3u);
  EXPECT_EQ(Lines(Output(".2")).size(), 1u);
  recipe.set_split_by("id");
  EXPECT_EQ(Run(recipe), absl::StrCat(folder_,
                                      "/ranked.jsonl:2: split_by: expected a column 'id' of short texts "
                                      "without '/', or of whole numbers"));
}

TEST_F(Select, RejectionSamplingPairsWhatTheAlignedPolicyWouldSay) {
  std::string rows;
  for (int i = 0; i < 400; ++i) {
    absl::StrAppend(&rows,
                    R"({"prompt": "P", "completions": ["low", "mid", "low", "top"], "scores": [0, 1, 0, 2]})",
                    "\n");
  }
  const SelectRecipe recipe =
      Recipe(Write("rows.jsonl", rows), "step { rejection_sampling { num_samples: 2 beta: 0.5 } }");
  EXPECT_EQ(Run(recipe), "400>400");
  std::map<std::string, int> counts;
  for (const std::string& line : Lines(Output())) ++counts[line];
  const auto line = [](absl::string_view chosen, absl::string_view rejected) {
    return absl::StrCat(R"({"prompt":"P","chosen":")", chosen, R"(","rejected":")", rejected, R"("})");
  };
  // "low" comes once. Both orders that leave "top" out: low then mid in the first sweep, e^-4 e^-2.
  EXPECT_NEAR(counts[line("mid", "low")], 400 * std::exp(-6.0), 7);
  // Without "mid": low, not mid, top in the first sweep; or top alone in the first and low before mid in the
  // next.
  const double low = std::exp(-4.0), mid = std::exp(-2.0), low_next = std::exp(-2.0);
  const double without_mid = low * (1 - mid) + (1 - low) * (1 - mid) * low_next;
  EXPECT_NEAR(counts[line("top", "low")], 400 * without_mid, 5 * std::sqrt(400 * without_mid));
  EXPECT_EQ(counts[line("mid", "low")] + counts[line("top", "low")] + counts[line("top", "mid")], 400);
  const SelectRecipe too_many =
      Recipe(Write("few.jsonl", kRanked), "step { rejection_sampling { num_samples: 3 } }");
  EXPECT_EQ(Run(too_many),
            absl::StrCat(folder_, "/few.jsonl:2: expected at least 3 answers to sample from, found 2"));
  EXPECT_EQ(Left(), std::vector<std::string>{"out.jsonl"});
}

TEST_F(Select, DstcJoinsCodeAndTest) {
  const std::string rows =
      Write("rows.jsonl", R"({"prompt": "P", "codes": ["c0", "c1"], "tests": ["t0", "t1"],
)");
  const std::string good = R"({"prompt": "P", "codes": ["c0", "c1", "c2"], "tests": ["t0", "t1"],)"
                           R"( "passes": [[true, false], [true, true], [false, false]], "id": 4})";
  const std::string all_pass = R"({"codes": ["c"], "tests": ["t"], "passes": [[true]]})";
  EXPECT_EQ(Run(Recipe(Write("rows.jsonl", good + "\n" + all_pass), "step { dstc {} }")), "2>1");
  EXPECT_EQ(Lines(Output()),
            std::vector<std::string>{R"({"prompt":"P","id":4,"chosen":"c1\nt1","rejected":"c2\nt0"})"});
  const std::string bad = R"({"codes": ["c"], "tests": ["t"], "passes": [[1]]})";
  EXPECT_EQ(
      Run(Recipe(Write("rows.jsonl", bad), "step { dstc {} }")),
      absl::StrCat(rows,
                   ":1: column 'passes': expected for each of the 1 codes a list of true and false, one "
                   "for each of the 1 tests"));
}

// As //alignment:generate writes them, twice for the same tasks: once asked for code, once for tests.
TEST_F(Select, DstcReadsTestsOfAFileOfTheirOwn) {
  const auto said = [](const std::string& text) {
    return absl::StrCat(R"([{"role": "assistant", "content": ")", text, R"("}])");
  };
  const std::string task = R"({"prompt": [{"role": "user", "content": "add"}], "completions": [)";
  const std::string codes =
      Write("codes.jsonl", absl::StrCat(task, said("Sure:\\n```\\nc0\\n```"), ", ", said("c1"),
                                        R"(], "passes": [[true, true], [true, false]]})"));
  const std::string tests =
      Write("tests.jsonl", absl::StrCat(task, said("t0"), ", ", said("```\\nt1\\n```"), "]}"));
  const auto step = [](const std::string& file) {
    return absl::StrCat(
        "step { dstc { codes_column: 'completions' tests_column: 'completions' tests { path: '", file,
        "' } } }");
  };
  EXPECT_EQ(Run(Recipe(codes, step(tests))), "1>1");
  EXPECT_EQ(Lines(Output()),
            std::vector<std::string>{R"({"prompt":[{"role":"user","content":"add"}],)"
                                     R"("chosen":[{"role":"assistant","content":"c0\nt1"}],)"
                                     R"("rejected":[{"role":"assistant","content":"c1\nt1"}]})"});
  const std::string two = Write("two.jsonl", absl::StrCat(task, said("t"), "]}\n", task, said("t"), "]}\n"));
  EXPECT_EQ(
      Run(Recipe(two, step(tests))),
      absl::StrCat(two,
                   ":1: column 'passes': expected for each of the 1 codes a list of true and false, one "
                   "for each of the 2 tests"));
  const std::string one_test = R"({"codes": ["c"], "passes": [[true]]})"
                               "\n"
                               R"({"codes": ["c"], "passes": [[true]]})"
                               "\n";
  const std::string of_one = Write("of_one.jsonl", R"({"tests": ["t"]})");
  const std::string both = Write("both.jsonl", one_test);
  EXPECT_EQ(Run(Recipe(both, absl::StrCat("step { dstc { tests { path: '", of_one, "' } } }"))),
            absl::StrCat(both,
                         ":2: has no tests: there are 1 rows in step[0].dstc.tests, which are of the rows of "
                         "codes in their order"));
  const std::string other =
      Write("other.jsonl", R"({"prompt": [{"role": "user", "content": "sum"}], "completions": []})");
  EXPECT_EQ(Run(Recipe(codes, step(other))),
            absl::StrCat(codes, ":1: its prompt is not that of ", other,
                         ":1, which has the tests of row 1: expected both files in the same order"));
  const std::string of_three = Write("three.jsonl", R"({"tests": ["t"]}
{"tests": ["t"]}
{"tests": ["t"]})");
  EXPECT_EQ(Run(Recipe(both, absl::StrCat("step { dstc { tests { path: '", of_three, "' } } }"))),
            "step[0].dstc.tests: expected one for each of the 2 rows, found 3 rows of tests");
  const std::string number = Write("number.jsonl", R"({"codes": [3], "tests": ["t"]})");
  EXPECT_EQ(Run(Recipe(number, "step { dstc {} }")),
            absl::StrCat(number, ":1: column 'codes': expected texts or conversations, found number"));
}

TEST_F(Select, DstcRunsCodeAndTestsItself) {
  if (const auto probe = RunSandboxed({"true"}, folder_, {}); !probe.ok()) {
    GTEST_SKIP() << "skipped: " << probe.status().message();
  }
  const std::string rows = Write(
      "rows.jsonl",
      R"({"prompt": "add", "codes": ["f() { echo $(($1 - $2)); }", "f() { echo $(($1 + $2)); }", "while :; do :; done"],)"
      R"( "tests": ["[ $(f 2 0) = 2 ]", "[ $(f 2 3) = 5 ]", "[ -e seen ] || ! touch seen"]})");
  const std::string step = "step { dstc { command: 'sh' file_name: 'program.sh' seconds: 0.5 } }";
  EXPECT_EQ(Run(Recipe(rows, step)), "1>1");
  // The second code passes tests 0 and 1, of which 1 is the harder one; the easiest that a code fails is 0.
  EXPECT_EQ(Lines(Output()), std::vector<std::string>{
                                 R"({"prompt":"add","chosen":"f() { echo $(($1 + $2)); }\n[ $(f 2 3) = 5 ]",)"
                                 R"("rejected":"while :; do :; done\n[ $(f 2 0) = 2 ]"})"});
  EXPECT_EQ(Left(), std::vector<std::string>{"out.jsonl"});
  EXPECT_EQ(Run(Recipe(rows, "step { dstc { command: 'no-such-shell' } }")),
            "step[0].dstc.command: no-such-shell: there is no such program in /usr/local/bin:/usr/bin:/bin");
}

// CHES scores of the golden pairs from hidden states of whole sequences, each computed by itself.
std::vector<double> ScoresOneByOne(const std::string& path, bool length_normalized) {
  ModelSource source;
  source.set_pretrained(Golden("model"));
  TextModel model = OpenTextModel(source, 1, "").value();
  RecordSource records;
  records.add_path(path);
  DataConfig config;
  config.set_max_length(128);
  TokenizationCounts counts;
  const auto pairs = ExampleTokenizer(*model.tokenizer, nullptr, config)
                         .Preferences(ReadPreferences(records).value(), &counts);
  std::vector<double> scores;
  for (const TokenizedPreference& pair : pairs.value()) {
    at::Tensor embeddings[2];
    for (const bool rejected : {false, true}) {
      std::vector<int64_t> tokens = pair.prompt_ids;
      const std::vector<int64_t>& answer = rejected ? pair.rejected_ids : pair.chosen_ids;
      tokens.insert(tokens.end(), answer.begin(), answer.end());
      const at::Tensor hidden = model.model->Hidden(PackSequences({tokens}));
      at::Tensor sum = hidden[0].to(at::kDouble) * 0;
      for (size_t t = pair.prompt_ids.size() - 1; t + 1 < tokens.size(); ++t)
        sum = sum + hidden[t].to(at::kDouble);
      embeddings[rejected] = length_normalized ? sum / static_cast<double>(answer.size()) : sum;
    }
    scores.push_back((embeddings[0].dot(embeddings[1]) - embeddings[0].dot(embeddings[0])).item<double>());
  }
  return scores;
}

TEST_F(Select, ChesKeepsThePairsOfTheLowestScores) {
  const std::string step = absl::StrCat("step { ches { model { pretrained: '", Golden("model"),
                                        "' } max_length: 128 batch_size: 5 score_column: 'ches' ");
  for (const bool length_normalized : {true, false}) {
    const std::vector<double> expected = ScoresOneByOne(Golden("train.jsonl"), length_normalized);
    const std::string normalized = absl::StrCat("length_normalized: ", length_normalized, " ");
    const std::string all = absl::StrCat(expected.size(), ">", expected.size());
    EXPECT_EQ(Run(Recipe(Golden("train.jsonl"), absl::StrCat(step, normalized, "keep_fraction: 1 } }"))),
              all);
    std::vector<std::string> lines = Lines(Output());
    ASSERT_EQ(lines.size(), expected.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      EXPECT_NEAR(Record::parse(lines[i])["ches"].get<double>(), expected[i],
                  1e-4 * std::abs(expected[i]) + 1e-4);
    }
    const int64_t kept = std::llround(0.25 * expected.size());
    EXPECT_EQ(Run(Recipe(Golden("train.jsonl"), absl::StrCat(step, normalized, "keep_fraction: 0.25 } }"))),
              absl::StrCat(expected.size(), ">", kept));
    std::vector<double> sorted = expected;
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::string> prompts;
    for (const std::string& line : Lines(Output())) {
      EXPECT_LT(Record::parse(line)["ches"].get<double>(), (sorted[kept - 1] + sorted[kept]) / 2);
    }
  }
}

TEST_F(Select, ChesLeavesOutPairsThatDoNotFit) {
  const std::string step = absl::StrCat("step { ches { model { pretrained: '", Golden("model"), "' } ");
  const auto counts =
      SelectFromRecipe(Recipe(Golden("train.jsonl"), step + "max_length: 24 keep_fraction: 1 } }"));
  PLUMB_ASSERT_OK(counts);
  const StepCounts& only = (*counts)[0];
  EXPECT_GT(only.rows_out, 0);
  EXPECT_LT(only.rows_out, only.rows_in);
  EXPECT_TRUE(absl::EndsWith(only.figures, absl::StrCat("; ", only.rows_in - only.rows_out,
                                                        " pairs left out that do not fit max_length 24")))
      << only.figures;
  EXPECT_TRUE(
      absl::StartsWith(Run(Recipe(Golden("train.jsonl"), step + "max_length: 2 keep_fraction: 1 } }")),
                       "no row is left; step[0].ches: 0 of "));
}

// The mean of a text's last hidden states, text by text.
at::Tensor MeanState(const TextModel& model, const std::string& text) {
  const PackedTokens tokens = PackSequences({model.tokenizer->Encode(text, true)});
  return model.model->Hidden(tokens, {}).to(at::kDouble).mean(0);
}

double Cosine(const at::Tensor& a, const at::Tensor& b) {
  return (a.dot(b) / (a.norm() * b.norm())).item<double>();
}

TextModel GoldenModel() {
  ModelSource source;
  source.set_pretrained(Golden("model"));
  return OpenTextModel(source, 1, "").value();
}

TEST_F(Select, EmbeddingsAreMeanStatesOfLengthOne) {
  const TextModel model = GoldenModel();
  const std::vector<std::string> texts = {"Q: Hi there", "", "One two three four five six?", "Q"};
  const at::Tensor points = EmbedTexts(model, texts, 512);
  EXPECT_EQ(points[1].norm().item<double>(), 0);
  for (const int64_t i : {0, 2, 3}) {
    EXPECT_NEAR(points[i].norm().item<double>(), 1, 1e-5);
    EXPECT_NEAR(Cosine(points[i].to(at::kDouble), MeanState(model, texts[i])), 1, 1e-5) << i;
  }
  // The end of a text is not read.
  EXPECT_LT((EmbedTexts(model, {texts[2] + " and more"}, 5) - EmbedTexts(model, {texts[2]}, 5))
                .abs()
                .max()
                .item<double>(),
            1e-5);
}

TEST_F(Select, EmbeddingDecontaminationLeavesOutWhatIsSimilar) {
  const std::string pairs = Write("pairs.jsonl", kPairs);
  const std::string test = Write("test.jsonl", R"({"question": "Seven eight nine ten eleven twelve!"}
{"question": "Zebras"})");
  const TextModel model = GoldenModel();
  const std::vector<std::string> prompts = {"One two three four five six?",
                                            "Seven eight nine ten eleven twelve?",
                                            "Something that nobody asked before"};
  std::vector<double> nearest;
  for (const std::string& prompt : prompts) {
    nearest.push_back(
        std::max(Cosine(MeanState(model, prompt), MeanState(model, "Seven eight nine ten eleven twelve!")),
                 Cosine(MeanState(model, prompt), MeanState(model, "Zebras"))));
  }
  // A threshold between the two most similar rows; batches of two leave a rest.
  const double threshold = (nearest[1] + std::max(nearest[0], nearest[2])) / 2;
  ASSERT_GT(nearest[1], threshold);
  const std::string step =
      absl::StrCat("step { decontaminate_by_embedding { model { pretrained: '", Golden("model"),
                   "' } test { path: '", test, "' } test_column: 'question' max_length: 64 batch_size: 2 ");
  const auto counts =
      SelectFromRecipe(Recipe(pairs, absl::StrCat(step, "max_similarity: ", threshold, " } }")));
  PLUMB_ASSERT_OK(counts);
  EXPECT_EQ((*counts)[0].rows_out, 2);
  EXPECT_TRUE(
      absl::StartsWith((*counts)[0].figures, "1 of 2 test rows (50 %) are the nearest of a row left out"))
      << (*counts)[0].figures;
  EXPECT_EQ(Record::parse(Lines(Output())[1])["id"], 3);
}

TEST_F(Select, FollowUpLikelihoodScoresAnswers) {
  const std::string rows =
      Write("rows.jsonl", R"({"prompt": "Q: Hi\nA:", "completions": [" Hello", " Go away now"], "id": 7})");
  const std::string step =
      absl::StrCat("step { follow_up_likelihood { model { pretrained: '", Golden("model"),
                   "' } positive: ['Thanks', 'Very good'] negative: 'Not what I asked' ");
  // Log-probability per token of `after`, once `before` is said.
  const TextModel model = GoldenModel();
  const auto per_token = [&](const std::string& before, const std::string& after, bool special) {
    std::vector<int64_t> ids = model.tokenizer->Encode(before, special);
    const std::vector<int64_t> rest = model.tokenizer->Encode(after, false);
    const auto start = static_cast<int64_t>(ids.size()), count = static_cast<int64_t>(rest.size());
    ids.insert(ids.end(), rest.begin(), rest.end());
    const at::Tensor logps = model.model->Hidden(PackSequences({ids}), {})
                                 .mm(model.model->HeadWeight().t())
                                 .to(at::kDouble)
                                 .log_softmax(-1);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += logps[start - 1 + i][rest[i]].item<double>();
    return sum / static_cast<double>(count);
  };
  EXPECT_EQ(Run(Recipe(rows, step + "max_length: 128 chat_template: 'none' } }")), "1>1");
  Record row = Record::parse(Lines(Output())[0]);
  EXPECT_EQ(row["id"], 7);
  for (int i = 0; i < 2; ++i) {
    const std::string before = "Q: Hi\nA:" + row["completions"][i].get<std::string>();
    const double expected =
        (per_token(before, "\nThanks", true) + per_token(before, "\nVery good", true)) / 2 -
        per_token(before, "\nNot what I asked", true);
    EXPECT_NEAR(row["scores"][i].get<double>(), expected, 1e-4) << i;
  }
  // With a template users and assistants have their marks.
  EXPECT_EQ(Run(Recipe(rows, step + "max_length: 128 chat_template: 'chatml' } }")), "1>1");
  row = Record::parse(Lines(Output())[0]);
  const auto said = [](const std::string& role, const std::string& text) {
    return absl::StrCat("<|im_start|>", role, "\n", text, "<|im_end|>\n");
  };
  const std::string before = said("user", "Q: Hi\nA:") + said("assistant", " Hello");
  EXPECT_NEAR(row["scores"][0].get<double>(),
              (per_token(before, said("user", "Thanks"), false) +
               per_token(before, said("user", "Very good"), false)) /
                      2 -
                  per_token(before, said("user", "Not what I asked"), false),
              1e-4);
  // The scores are what the next step takes.
  EXPECT_EQ(Run(Recipe(rows, step + "max_length: 128 } } step { curriculum {} }")), "1>1 1>1");
  const auto short_context =
      SelectFromRecipe(Recipe(rows, step + "chat_template: 'none' max_length: 20 } }"));
  PLUMB_ASSERT_OK(short_context);
  EXPECT_EQ((*short_context)[0].figures,
            "2 answers were read without the beginning of their prompts, for max_length 20");
  EXPECT_EQ(Run(Recipe(rows, step + "max_length: 2 } }")), rows + ":1: a follow-up alone fills max_length");
}

// The reward of a text by itself, under a model that was trained for it.
double RewardOf(const std::string& folder, const std::string& prompt, const std::string& answer) {
  const RewardModel model = LoadRewardModel(folder).value();
  const auto tokenizer = LoadTokenizer(folder).value();
  std::vector<int64_t> ids = tokenizer->Encode(prompt, true);
  const std::vector<int64_t> rest = tokenizer->Encode(answer, false);
  ids.insert(ids.end(), rest.begin(), rest.end());
  ids.push_back(*tokenizer->eos_token_id());
  const PackedTokens tokens = PackSequences({ids});
  return model.Rewards(model.body->Hidden(tokens, {}).narrow(0, tokens.size() - 1, 1)).item<double>();
}

TEST_F(Select, RewardModelsScoreListsOfAnswersAndPairs) {
  const std::string folder = Runfile("alignment/testdata/trl_reward/model");
  const std::string rows = Write(
      "rows.jsonl", R"({"prompt": "Q: Hi\nA:", "completions": [" Hello", " Go away now", " Hello"], "id": 7}
{"prompt": "Q: Hi\nA:", "chosen": " Yes", "rejected": " No", "score_chosen": 0.5, "score_rejected": [1, 2]}
{"chosen": "Q: One\nA: two", "rejected": "Q: One\nA: three"}
)");
  const std::string step =
      absl::StrCat("step { reward { reward_model: '", folder, "' chat_template: 'none' ");
  const auto counts = SelectFromRecipe(Recipe(rows, step + "max_length: 64 } }"));
  PLUMB_ASSERT_OK(counts);
  EXPECT_TRUE(absl::EndsWith((*counts)[0].figures, " of 7 answers")) << (*counts)[0].figures;
  const std::vector<std::string> lines = Lines(Output());
  ASSERT_EQ(lines.size(), 3u);
  const Record listed = Record::parse(lines[0]), pair = Record::parse(lines[1]);
  EXPECT_EQ(listed["id"], 7);
  ASSERT_EQ(listed["scores"].size(), 3u);
  EXPECT_NEAR(listed["scores"][0].get<double>(), RewardOf(folder, "Q: Hi\nA:", " Hello"), 1e-4);
  EXPECT_NEAR(listed["scores"][1].get<double>(), RewardOf(folder, "Q: Hi\nA:", " Go away now"), 1e-4);
  EXPECT_EQ(listed["scores"][0], listed["scores"][2]);
  ASSERT_EQ(pair["score_chosen"].size(), 2u);
  EXPECT_EQ(pair["score_chosen"][0], 0.5);
  EXPECT_NEAR(pair["score_chosen"][1].get<double>(), RewardOf(folder, "Q: Hi\nA:", " Yes"), 1e-4);
  ASSERT_EQ(pair["score_rejected"].size(), 3u);
  EXPECT_NEAR(pair["score_rejected"][2].get<double>(), RewardOf(folder, "Q: Hi\nA:", " No"), 1e-4);
  EXPECT_TRUE(Record::parse(lines[2])["score_chosen"].is_number());
  // The scores are what the next step takes.
  const std::string answers = Write("answers.jsonl", lines[0] + "\n");
  EXPECT_EQ(Run(Recipe(answers, step + "max_length: 64 } } step { rejection_sampling { num_samples: 2 } }")),
            "1>1 1>1");
  const std::string cut = step + "max_length: 4 } }";
  EXPECT_TRUE(
      absl::EndsWith(SelectFromRecipe(Recipe(answers, cut)).value()[0].figures, "; 3 cut to max_length"));
}

TEST_F(Select, APolicyImpliesRewards) {
  const std::string trained = TemporaryFolder();
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
    PLUMB_ASSERT_OK(WriteFileAtomically(absl::StrCat(trained, "/", name),
                                        ReadFile(Golden(absl::StrCat("model/", name))).value()));
  }
  PLUMB_ASSERT_OK(WriteFileAtomically(trained + "/model.safetensors",
                                      ReadFile(Golden("final/model.safetensors")).value()));
  const std::string step =
      absl::StrCat("step { reward { implicit { beta: 0.3 model { pretrained: '", trained,
                   "' } reference { pretrained: '", Golden("model"), "' } } max_length: 128 } }");
  EXPECT_EQ(Run(Recipe(Golden("eval.jsonl"), step)), "12>12");
  // What //alignment:evaluate says of the same pairs.
  EvaluateRecipe recipe;
  recipe.mutable_model()->set_pretrained(trained);
  recipe.mutable_reference()->set_pretrained(Golden("model"));
  recipe.mutable_data()->mutable_preference()->add_path(Golden("eval.jsonl"));
  recipe.mutable_data()->set_max_length(128);
  recipe.set_beta(0.3);
  const auto figures = EvaluateFromRecipe(recipe);
  PLUMB_ASSERT_OK(figures);
  double chosen = 0, rejected = 0;
  for (const std::string& line : Lines(Output())) {
    chosen += Record::parse(line)["score_chosen"].get<double>() / 12;
    rejected += Record::parse(line)["score_rejected"].get<double>() / 12;
  }
  EXPECT_NEAR(chosen, figures->at("rewards/chosen"), 1e-4);
  EXPECT_NEAR(rejected, figures->at("rewards/rejected"), 1e-4);
}

TEST_F(Select, RewardsNeedAJudgeAndAnswers) {
  const std::string pairs = Write("pairs.jsonl", kPairs);
  EXPECT_EQ(Run(Recipe(pairs, "step { reward {} }")), "step[0].reward: expected reward_model or implicit");
  const std::string step =
      absl::StrCat("step { reward { reward_model: '", Runfile("alignment/testdata/trl_reward/model"), "' ");
  const std::string no_prompt = Write("no_prompt.jsonl", R"({"completions": ["a"]})");
  EXPECT_EQ(Run(Recipe(no_prompt, step + "max_length: 64 } }")),
            no_prompt + ":1: expected a column 'prompt'");
  const std::string wrong =
      Write("wrong.jsonl", absl::StrCat(kPairs, "{\"prompt\": \"P\", \"chosen\": 1}\n"));
  EXPECT_TRUE(absl::StartsWith(Run(Recipe(wrong, step + "max_length: 64 } }")),
                               wrong + ":4: expected the columns chosen and rejected"))
      << Run(Recipe(wrong, step + "max_length: 64 } }"));
}

TEST_F(Select, ConfidenceReasoningsBecomePairs) {
  const std::string rows = Write(
      "rows.jsonl",
      R"({"prompt": "q1", "completions": ["a", "b", "c"], "trusted": ["context", "internal", "context"], "internal_is_right": true, "context_is_right": false}
{"prompt": "q2", "completions": ["a", "b"], "trusted": ["context", "internal"], "internal_is_right": true, "context_is_right": true}
{"prompt": "q3", "completions": ["a", "b"], "trusted": ["internal", "context"], "internal_is_right": false, "context_is_right": true}
)");
  EXPECT_EQ(Run(Recipe(rows, "step { situated_faithfulness {} }")), "3>2");
  const std::vector<std::string> lines = Lines(Output());
  EXPECT_EQ(Record::parse(lines[0])["chosen"], "b");
  EXPECT_EQ(Record::parse(lines[0])["rejected"], "a");
  EXPECT_EQ(Record::parse(lines[1])["prompt"], "q3");
  EXPECT_EQ(Record::parse(lines[1])["chosen"], "b");
  EXPECT_FALSE(Record::parse(lines[0]).contains("trusted"));
  const std::string wrong = Write(
      "wrong.jsonl",
      R"({"completions": ["a"], "trusted": ["me"], "internal_is_right": true, "context_is_right": false})");
  EXPECT_EQ(Run(Recipe(wrong, "step { situated_faithfulness {} }")),
            wrong + ":1: column 'trusted': expected for each of the 1 answers \"internal\" or \"context\"");
}

TEST_F(Select, ConfidenceIsAskedForAndFollowed) {
  const std::string rows = Write(
      "rows.jsonl",
      R"({"question": "q1", "context": "c", "internal_answer": "i", "context_answer": "k", "internal_confidence": 0.9, "context_confidence": 0.4, "internal_is_right": true, "context_is_right": false}
{"question": "q2", "context": "d", "internal_answer": "j", "context_answer": "l", "internal_confidence": 0.5, "context_confidence": 0.4, "internal_is_right": false, "context_is_right": true}
{"question": "q3", "context": "e", "internal_answer": "m", "context_answer": "n", "internal_confidence": 0.5, "context_confidence": 0.5, "internal_is_right": true, "context_is_right": true}
)");
  const auto counts =
      SelectFromRecipe(Recipe(rows, "step { confidence_prompts {} } step { confidence_rule {} }"));
  PLUMB_ASSERT_OK(counts);
  // Right are 1 of 2 answers where the context is right, and 1 of 1 where it is wrong.
  EXPECT_EQ((*counts)[1].figures,
            "the context is trusted in 1 of 3 rows; situated faithfulness 0.75 of 3 answers");
  std::vector<std::string> lines = Lines(Output());
  EXPECT_EQ(Record::parse(lines[0])["prompt"], SelfGuidedPrompt("q1", "c", "i"));
  EXPECT_EQ(Record::parse(lines[0])["answer"], "i");
  EXPECT_EQ(Record::parse(lines[2])["trusted"], "context");
  EXPECT_EQ(Run(Recipe(rows, "step { confidence_rule { threshold: 0.6 } }")), "3>3");
  lines = Lines(Output());
  EXPECT_EQ(Record::parse(lines[0])["answer"], "i");
  EXPECT_EQ(Record::parse(lines[1])["answer"], "l");
  EXPECT_EQ(Record::parse(lines[2])["answer"], "n");
  const std::string wrong = Write("wrong.jsonl", R"({"internal_confidence": 90, "context_confidence": 0.4})");
  EXPECT_EQ(Run(Recipe(wrong, "step { confidence_rule {} }")),
            wrong + ":1: column 'internal_confidence': expected a number from 0 to 1");
  EXPECT_EQ(Run(Recipe(wrong, "step { confidence_prompts {} }")),
            wrong + ":1: column 'question': expected a text");
}

TEST_F(Select, BadAnswersCountByWhereGoodOnesAre) {
  std::string rows;
  const auto add = [&](int count, absl::string_view prompt, absl::string_view label) {
    for (int i = 0; i < count; ++i) {
      absl::StrAppend(&rows, R"({"prompt": ")", prompt, R"(", "completion": "c", "label": )", label, "}\n");
    }
  };
  add(6, "Seven eight nine ten eleven?", "true");
  add(1, "Zebras and other animals", "true");
  add(2, "Seven eight nine ten eleven?", "false");
  add(5, "Zebras and other animals", "false");
  const std::string path = Write("rows.jsonl", rows);
  const std::string step = absl::StrCat("step { match_distribution { model { pretrained: '", Golden("model"),
                                        "' } max_length: 64 batch_size: 4 ");
  EXPECT_EQ(Run(Recipe(path, step + "min_ratio: 0.01 } }")), "14>14");
  std::vector<double> weights;
  for (const std::string& line : Lines(Output()))
    weights.push_back(Record::parse(line)["weight"].get<double>());
  // The classifier itself, on both kinds of prompts.
  const TextModel model = GoldenModel();
  const at::Tensor points =
      EmbedTexts(model, {"Seven eight nine ten eleven?", "Zebras and other animals"}, 64);
  const std::vector<int64_t> kinds = {0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 1, 1};
  const at::Tensor ratios = DensityRatios(points.index_select(0, at::tensor(kinds)),
                                          at::tensor({1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}))
                                .value();
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_NEAR(weights[i], i < 7 ? 1 : ratios[static_cast<int64_t>(i)].item<double>(), 1e-3) << i;
  }
  EXPECT_GT(weights[7], 1);
  EXPECT_LT(weights[13], 1);
  EXPECT_EQ(Run(Recipe(path, step + "min_ratio: 2 max_ratio: 2 } }")), "14>14");
  EXPECT_EQ(Record::parse(Lines(Output())[13])["weight"], 2);
  EXPECT_EQ(Run(Recipe(path, step + "min_ratio: 2 max_ratio: 1 } }")),
            "step[0].match_distribution.min_ratio: is above max_ratio");
  const std::string good = Write("good.jsonl", R"({"prompt": "P", "completion": "c", "label": 1})");
  EXPECT_EQ(Run(Recipe(good, step + "} }")),
            "match_distribution: expected good and bad answers, found one kind alone");
  EXPECT_EQ(Run(Recipe(Write("pairs.jsonl", kPairs), step + "} }")),
            folder_ + "/pairs.jsonl:1: column 'label': expected true or false");
}

constexpr char kTools[] = R"({"name": "calculate_tip", "description": "Calculate the tip"}
{"tools": "[{\"name\": \"get_news\", \"description\": \"Get the latest news\"}]"}
{"tools": [{"type": "function", "function": {"name": "play_music", "description": "Play music of a genre"}}]}
)";

TEST_F(Select, RewritesAreWorthTheRankOfTheNeededTools) {
  const std::string tools = Write("tools.jsonl", kTools);
  const std::string rows = Write(
      "rows.jsonl",
      R"({"prompt": "q", "completions": ["what is new", "latest news", "tip music news"], "needed_tools": ["get_news"]}
{"prompt": "r", "completions": ["play the news", "music"], "needed_tools": ["play_music", "get_news"]}
)");
  const std::string step = absl::StrCat("step { query_rewriting { tools { path: '", tools, "' } ");
  const auto counts = SelectFromRecipe(Recipe(rows, step + "} }"));
  PLUMB_ASSERT_OK(counts);
  EXPECT_EQ((*counts)[0].figures, "3 tools; Sufficiency@1 0.2, @5 1, @10 1 of 5 rewrites");
  const std::vector<std::string> lines = Lines(Output());
  // Nothing in common ranks last. "tip music news" has a word of each tool, that of the shortest counts most;
  // "music" leaves get_news to the end.
  EXPECT_EQ(Record::parse(lines[0])["scores"], Record::parse("[0.3333333333333333, 1.0, 0.5]"));
  EXPECT_EQ(Record::parse(lines[1])["scores"], Record::parse("[0.5, 0.3333333333333333]"));
  // The scores are what the next step takes.
  EXPECT_EQ(Run(Recipe(rows, step + "} } step { curriculum { stages: 1 } }")), "2>2 2>3");
  EXPECT_EQ(Record::parse(Lines(Output())[0])["chosen"], "latest news");
  const std::string wrong =
      Write("wrong.jsonl", R"({"completions": ["a"], "needed_tools": ["no_such_tool"]})");
  EXPECT_EQ(Run(Recipe(wrong, step + "} }")),
            wrong + ":1: column 'needed_tools': \"no_such_tool\" is none of the tools");
}

TEST_F(Select, AModelCanRankTheTools) {
  const std::string tools = Write("tools.jsonl", kTools);
  const std::string rows = Write(
      "rows.jsonl", R"({"completions": ["What news?", "Do music", "tip"], "needed_tools": ["get_news"]})");
  EXPECT_EQ(
      Run(Recipe(rows, absl::StrCat("step { query_rewriting { tools { path: '", tools,
                                    "' } max_length: 64 model { pretrained: '", Golden("model"), "' } } }"))),
      "1>1");
  const TextModel model = GoldenModel();
  const Record row = Record::parse(Lines(Output())[0]);
  for (int i = 0; i < 3; ++i) {
    const at::Tensor rewrite = MeanState(model, row["completions"][i].get<std::string>());
    const double needed = Cosine(rewrite, MeanState(model, "get_news Get the latest news"));
    const int rank = 1 + (Cosine(rewrite, MeanState(model, "calculate_tip Calculate the tip")) > needed) +
                     (Cosine(rewrite, MeanState(model, "play_music Play music of a genre")) > needed);
    EXPECT_DOUBLE_EQ(row["scores"][i].get<double>(), 1.0 / rank) << i;
  }
}

TEST_F(Select, RealToolsAreFoundByTheirDescriptions) {
  FindRunfiles("");
  const std::string set = "@demo_data/data/glaive_toolcall_en_demo.json";
  const std::string rows = Write(
      "rows.jsonl",
      R"({"completions": ["Convert an amount of money from one currency to another", "hello"], "needed_tools": ["convert_currency"]})");
  const auto counts = SelectFromRecipe(
      Recipe(rows, absl::StrCat("step { query_rewriting { tools { path: '", set, "' } } }")));
  PLUMB_ASSERT_OK(counts);
  // 64 tools have names of their own; a rewrite without their words comes after all of them.
  EXPECT_EQ((*counts)[0].figures, "64 tools; Sufficiency@1 0.5, @5 0.5, @10 0.5 of 2 rewrites");
  EXPECT_EQ(Record::parse(Lines(Output())[0])["scores"], Record::parse("[1.0, 0.015625]"));
}

TEST_F(Select, RequestsAreCrossedWithAttackStyles) {
  const std::string rows = Write("rows.jsonl",
                                 R"({"prompt": "P?", "chosen": "no", "rejected": "yes", "topic": "t"}
{"prompt": "Q?", "chosen": "no", "rejected": "yes", "topic": "u"}
)");
  const std::string styles =
      "style { name: 'a' prompt: 'A {request}' } style { name: 'b' prompt: '{request} B' } ";
  EXPECT_EQ(Run(Recipe(rows, absl::StrCat("step { attack_styles { ", styles, "} }"))), "2>6");
  const std::vector<std::string> lines = Lines(Output());
  EXPECT_EQ(lines[0], R"({"prompt":"P?","chosen":"no","rejected":"yes","topic":"t","attack_style":"plain"})");
  EXPECT_EQ(lines[1], R"({"prompt":"A P?","chosen":"no","rejected":"yes","topic":"t","attack_style":"a"})");
  EXPECT_EQ(lines[5], R"({"prompt":"Q? B","chosen":"no","rejected":"yes","topic":"u","attack_style":"b"})");
  EXPECT_EQ(Run(Recipe(rows, absl::StrCat("step { attack_styles { ", styles,
                                          "per_prompt: 1 with_plain: false } } step { mix { size: 1 } }"))),
            "2>2 2>1");
  EXPECT_EQ(Run(Recipe(rows, "step { attack_styles { style { name: 'a' prompt: 'A' } } }")),
            "step[0].attack_styles.style[0].prompt: expected {request} in it");
  EXPECT_EQ(Run(Recipe(rows, absl::StrCat("step { attack_styles { ", styles, styles, "} }"))),
            "step[0].attack_styles.style[2].name: 'a' is taken; choose another name");
}

TEST_F(Select, AttackSuccessIsCountedByStyleAndTopic) {
  const std::string rows =
      Write("rows.jsonl",
            R"({"prompt": "P?", "completions": ["Sure.", "I cannot help."], "attack_style": "a", "topic": "t"}
{"prompt": "Q?", "completions": [[{"role": "assistant", "content": "I'm sorry."}]], "attack_style": "b", "topic": "t"}
{"prompt": "R?", "completions": ["Gladly.", "I won't."], "unsafe": false}
)");
  const auto counts = SelectFromRecipe(Recipe(rows, "step { attack_success {} }"));
  PLUMB_ASSERT_OK(counts);
  EXPECT_EQ(
      (*counts)[0].figures,
      "attack success 0.333 of 3 answers; by style a 0.5, b 0; by topic t 0.333; over-refusal 0.5 of 2");
  const std::vector<std::string> lines = Lines(Output());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(Record::parse(lines[0])["refused"], Record::parse("[false, true]"));
  EXPECT_EQ(Record::parse(lines[1])["refused"], Record::parse("[true]"));
  const std::string wrong = Write("wrong.jsonl", R"({"completions": ["a"], "unsafe": "yes"})");
  EXPECT_EQ(Run(Recipe(wrong, "step { attack_success {} }")),
            wrong + ":1: column 'unsafe': expected true or false");
}

TEST_F(Select, ErrorsNameTheFieldAndThePlace) {
  const std::string pairs = Write("pairs.jsonl", kPairs);
  EXPECT_EQ(Run(Recipe(pairs, "step {}")),
            "step[0]: expected one of ches, decontaminate, mix, curriculum, rejection_sampling, dstc, "
            "decontaminate_by_embedding, follow_up_likelihood, situated_faithfulness, query_rewriting, "
            "attack_styles, reward, attack_success, confidence_prompts, confidence_rule, match_distribution");
  EXPECT_EQ(Run(Recipe(pairs, "step { mix {} } step { ches { model { from_scratch {} } } }")),
            "step[1].ches.model: expected pretrained, a Hugging Face folder");
  const std::string ches = absl::StrCat("step { ches { model { pretrained: '", Golden("model"), "' } ");
  EXPECT_EQ(Run(Recipe(pairs, "step { curriculum {} }")), pairs + ":1: expected the column completions");
  const std::string wrong =
      Write("wrong.jsonl", absl::StrCat(kPairs, "\n{\"prompt\": \"P\", \"chosen\": 1}\n"));
  EXPECT_TRUE(absl::StartsWith(Run(Recipe(wrong, ches + "max_length: 64 } }")),
                               wrong + ":5: expected the columns chosen and rejected"))
      << Run(Recipe(wrong, ches + "max_length: 64 } }"));
  SelectRecipe recipe = Recipe(pairs, "step { mix {} }");
  recipe.set_output_file(folder_ + "/out.json");
  EXPECT_EQ(Run(recipe),
            absl::StrCat("output_file: ", folder_, "/out.json: expected a name that ends in .jsonl"));
  recipe.set_output_file("/nowhere/out.jsonl");
  EXPECT_EQ(Run(recipe), "output_file: /nowhere/out.jsonl: there is no folder /nowhere");
  EXPECT_TRUE(Left().empty());
}

TEST_F(Select, NothingIsWrittenWhenNoRowIsLeft) {
  const std::string pairs = Write("pairs.jsonl", kPairs);
  const std::string earlier = Write("out.jsonl", "earlier\n");
  EXPECT_EQ(Run(Recipe(pairs, absl::StrCat("step { decontaminate { ngram_size: 1 test { path: '", pairs,
                                           "' } } }"))),
            "no row is left; step[0].decontaminate: 0 of 3; nothing is written");
  EXPECT_EQ(ReadFile(earlier).value(), "earlier\n");
}

TEST_F(Select, AnInterruptLeavesNothingBehind) {
  const SelectRecipe recipe = Recipe(Write("pairs.jsonl", kPairs), "step { mix {} }");
  SetInterruptRequested(true);
  const auto counts = SelectFromRecipe(recipe);
  EXPECT_EQ(counts.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(counts.status().message(), absl::StrCat("stopped after 0 rows; ", Output(), " is not written"));
  EXPECT_TRUE(Left().empty());
}

TEST_F(Select, TheProgramPrintsCountsAndEndsWithTwoOnAnError) {
  const std::string program = Runfile("alignment/select");
  const std::string command =
      absl::StrCat(program, " --set=data.path=", Write("ranked.jsonl", kRanked),
                   " --set=output_file=", Output(), " --set='step={curriculum{stages:2}}'");
  const Ended done = RunCommand(command);
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(done.output,
            "step[0].curriculum                    2 rows in          4 out   pairs by stage: 3 1\n");
  const Ended wrong = RunCommand(command + " --set=step[0].curriculum.stages=0");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_TRUE(absl::StrContains(wrong.errors, "step[0].curriculum.stages")) << wrong.errors;
  const Ended missing = RunCommand(program + " --set=output_file=x.jsonl");
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_TRUE(absl::StartsWith(missing.errors, "error: ")) << missing.errors;
}

TEST_F(Select, HumanPreferencesAgainstSomeOfThemselves) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/hh-rlhf/harmless-base.test.jsonl.gz");
  const std::string path = SharedData("alignment/hh-rlhf/harmless-base.test.jsonl.gz");
  const auto counts =
      SelectFromRecipe(Recipe(path, absl::StrCat("step { decontaminate { max_overlap: 0.99 test { path: '",
                                                 path, "' max_examples: 10 } } }")));
  PLUMB_ASSERT_OK(counts);
  EXPECT_EQ((*counts)[0].rows_in, 2312);
  // The ten themselves; the dialogues of others may begin like one of them, and go on as long.
  EXPECT_LE((*counts)[0].rows_out, 2302);
  EXPECT_GE((*counts)[0].rows_out, 2200);
  EXPECT_TRUE(absl::StartsWith((*counts)[0].figures, "10 of 10 test rows"));
  EXPECT_EQ(Lines(Output()).size(), static_cast<size_t>((*counts)[0].rows_out));
}

TEST(SelectRecipes, DeclareLimitsThatTheirDefaultsKeep) {
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*SelectRecipe::descriptor()));
}

TEST(SelectRecipes, AllLoadAndLoadAgainAsTheyArePrinted) {
  ExpectRecipesLoadAgain<SelectRecipe>("alignment/selection/recipes/*.textproto");
}

}  // namespace
}  // namespace plumb
