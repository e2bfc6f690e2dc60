// The programs of alignment as a user types them.

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/testing/subprocess.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

std::string Program(const std::string& name) { return Runfile("alignment/" + name); }
std::string Data(const std::string& path) { return Runfile("alignment/testdata/trl_dpo/" + path); }

Json ReadJson(const std::string& path) {
  const auto text = ReadFile(path);
  PLUMB_EXPECT_OK(text);
  return Json::parse(text.value_or("null"));
}

TEST(Loss, GivesLossRewardsAndGradients) {
  const Ended ended = RunCommand(absl::StrCat(
      R"(echo '{"policy_chosen_logps": -10, "policy_rejected_logps": -12, "reference_chosen_logps": -11,)",
      R"( "reference_rejected_logps": -11}' | )", Program("loss"), " --objective='dpo { beta: 0.5 }'"));
  ASSERT_EQ(ended.exit_code, 0) << ended.errors;
  const Json row = Json::parse(ended.output);
  EXPECT_NEAR(row.at("loss").get<double>(), std::log1p(std::exp(-1.0)), 1e-15);
  EXPECT_EQ(row.at("margin"), 1.0);
  EXPECT_NEAR(row.at("gradients").at("policy_chosen_logps").get<double>(), -0.5 / (1 + std::exp(1.0)), 1e-15);
}

TEST(Loss, NamesTheLineAndTheField) {
  const Ended ended = RunCommand(absl::StrCat("printf '\\n{\"policy_chosen_logp\": -10}\\n' | ",
                                              Program("loss"), " --objective='dpo {}'"));
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_EQ(ended.errors,
            "error: standard input:2: policy_chosen_logp: there is no such input; did you mean "
            "'policy_chosen_logps'?\n");
}

// Trains sft, reward and dpo, then asks the results.
class TrainedPrograms : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = TemporaryFolder();
    PLUMB_EXPECT_OK(WriteFileAtomically(
        folder_ + "/recipe.textproto",
        absl::StrCat("name: 'programs' description: 'A <test>.' model { pretrained: '", Data("model"),
                     "' } data { preference { path: '", Data("train.jsonl"), "' } eval_preference { path: '",
                     Data("eval.jsonl"), "' } max_length: 128 }",
                     "stage { name: 'sft' objective { sft {} } optimizer { adamw { learning_rate: 2e-3 } } ",
                     "  training { max_steps: 10 } samples { prompt: 'Q: Hi' max_new_tokens: 5 } }",
                     "stage { name: 'reward' objective { reward {} } training { max_steps: 3 } }",
                     "stage { name: 'dpo' objective { dpo { label_smoothing: 0.1 } } objective { sft {} "
                     "weight: 0.1 } ",
                     "  optimizer { adamw { learning_rate: 2e-3 } } training { max_steps: 10 } }")));
    trained_ = RunCommand(absl::StrCat(Program("train"), " --recipe=", folder_,
                                       "/recipe.textproto --set=output_dir=", folder_, "/run"));
  }

  static std::string folder_;
  static Ended trained_;
};
std::string TrainedPrograms::folder_;
Ended TrainedPrograms::trained_;

TEST_F(TrainedPrograms, TrainLeavesModelsFiguresAndAReport) {
  ASSERT_EQ(trained_.exit_code, 0) << trained_.errors;
  const std::string run = folder_ + "/run";
  for (const char* file : {"recipe.textproto", "metrics.jsonl", "samples.jsonl", "facts.json", "report.html",
                           "sft/model/config.json", "sft/model/model.safetensors", "sft/model/tokenizer.json",
                           "dpo/model/tokenizer_config.json"}) {
    EXPECT_TRUE(FileExists(absl::StrCat(run, "/", file))) << file;
  }
  EXPECT_EQ(ReadJson(run + "/reward/model/config.json").at("architectures")[0],
            "LlamaForSequenceClassification");
  EXPECT_THAT(trained_.output, HasSubstr("dpo, held out"));
  EXPECT_THAT(trained_.output, HasSubstr("rewards/accuracies"));
  EXPECT_THAT(ReadFile(run + "/report.html").value(), HasSubstr("A &lt;test&gt;."));
}

// Figures of evaluations by step, as metrics.jsonl has them.
std::vector<Json> Evaluations(const std::string& run, const std::string& stage) {
  std::vector<Json> evaluations;
  const std::string metrics = ReadFile(run + "/metrics.jsonl").value_or("");
  for (size_t begin = 0; begin < metrics.size(); begin = metrics.find('\n', begin) + 1) {
    const Json row = Json::parse(metrics.substr(begin, metrics.find('\n', begin) - begin));
    if (row.at("stage") == stage && row.count("eval_loss") > 0) evaluations.push_back(row);
  }
  return evaluations;
}

TEST_F(TrainedPrograms, ARewardStageLeavesThePolicyAsItWas) {
  ASSERT_EQ(trained_.exit_code, 0) << trained_.errors;
  const Ended evaluated =
      RunCommand(absl::StrCat(Program("evaluate"), " --set=model.pretrained=", folder_,
                              "/run/sft/model --set=data.preference.path=", Data("eval.jsonl"),
                              " --set=data.max_length=128 --set=output_file=", folder_, "/sft.json"));
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.errors;
  const double before = Evaluations(folder_ + "/run", "dpo").front().at("eval_logps/chosen").get<double>();
  EXPECT_NEAR(ReadJson(folder_ + "/sft.json").at("logps/chosen").get<double>(), before,
              1e-4 * std::abs(before));
}

TEST_F(TrainedPrograms, EvaluateComparesWithTheReference) {
  ASSERT_EQ(trained_.exit_code, 0) << trained_.errors;
  const std::string command =
      absl::StrCat(Program("evaluate"), " --set=model.pretrained=", folder_,
                   "/run/dpo/model --set=data.preference.path=", Data("eval.jsonl"),
                   " --set=data.max_length=128 --set=output_file=", folder_, "/figures.json");
  const Ended alone = RunCommand(command);
  ASSERT_EQ(alone.exit_code, 0) << alone.errors;
  EXPECT_EQ(ReadJson(folder_ + "/figures.json").count("rewards/margins"), 0u);
  const Ended ended =
      RunCommand(absl::StrCat(command, " --set=reference.pretrained=", folder_, "/run/sft/model"));
  ASSERT_EQ(ended.exit_code, 0) << ended.errors;
  const Json figures = ReadJson(folder_ + "/figures.json");
  // What the last evaluation of the training said, by another way.
  const Json last = Evaluations(folder_ + "/run", "dpo").back();
  for (const char* name : {"rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected"}) {
    const double expected = last.at(std::string("eval_") + name).get<double>();
    EXPECT_NEAR(figures.at(name).get<double>(), expected, 1e-4 * std::abs(expected) + 1e-5) << name;
  }
  EXPECT_GT(figures.at("kl/token").get<double>(), 0);
  EXPECT_EQ(figures.at("examples"), 12);
}

TEST_F(TrainedPrograms, GenerateContinuesPrompts) {
  ASSERT_EQ(trained_.exit_code, 0) << trained_.errors;
  const std::string command = absl::StrCat(Program("generate"), " --set=model.pretrained=", folder_,
                                           "/run/dpo/model --set=generation.max_new_tokens=6");
  const Ended one = RunCommand(command + " --set='prompt=Q: Hi'");
  ASSERT_EQ(one.exit_code, 0) << one.errors;
  EXPECT_EQ(one.output.rfind("Q: Hi", 0), 0u);
  const Ended two = RunCommand("printf 'Q: Hi\\nQ: What\\n' | " + command);
  ASSERT_EQ(two.exit_code, 0) << two.errors;
  EXPECT_THAT(two.output, HasSubstr("--- Q: Hi\n" + one.output.substr(5)));
  EXPECT_THAT(two.output, HasSubstr("--- Q: What\n"));
  const Ended file =
      RunCommand(absl::StrCat(command, " --set='prompt=Q: Hi' --set=output_file=", folder_, "/rows"));
  ASSERT_EQ(file.exit_code, 0) << file.errors;
  EXPECT_EQ(ReadJson(folder_ + "/rows").at("completion").get<std::string>() + "\n", one.output.substr(5));
  EXPECT_THAT(RunCommand(command + " </dev/null").errors, HasSubstr("error: no prompt"));
}

TEST_F(TrainedPrograms, AMistakeIsOneLine) {
  const struct {
    const char *arguments, *error;
  } cases[] = {
      {"--set=stage[0].objective[0]={dpo{bta:1}}", "has no field 'bta'; did you mean 'beta'?"},
      {"--set=stage[2].objective[0]={dpo{beta:-1}}", "stage[2].objective[0].dpo.beta: -1 is out of range"},
      {"--set=stage[0].reference.precompute=true",
       "stage[0].reference: no objective of this stage has a reference"},
      {"--set=stage[0].objective[1]={reward{}}", "do not go together"},
      {"--set=stage[1].name=sft", "stage[1].name: 'sft' is taken"},
      {"--set=data.eval_fraction=0.1", "data.eval_fraction: the held-out examples have files of their own"},
      {"--set=stage[0].objective[0]={kto{}}", "stage[0]: no data: data.unpaired names it"},
      {"--set=model.adapter=x --set=model.lora.target_modules=all-linear",
       "leave out the adapter of the model"},
      {"--set=data.preference.path=nowhere.jsonl", "nowhere.jsonl"},
      {"--set=model.pretrained=nowhere", "nowhere/config.json"},
      {"--set=data.max_length=2", "no example is left to train on"},
      {"--set=stage[2].objective[0]={tdpo{}} --set=stage[2].reference.precompute=true",
       "stage[2].reference.precompute"},
      {"--resume=maybe", "--resume: 'maybe': expected auto or never"},
  };
  for (const auto& wrong : cases) {
    const Ended ended = RunCommand(absl::StrCat(Program("train"), " --recipe=", folder_,
                                                "/recipe.textproto --set=output_dir=", folder_, "/wrong '",
                                                absl::StrReplaceAll(wrong.arguments, {{" ", "' '"}}), "'"));
    EXPECT_EQ(ended.exit_code, 2) << wrong.arguments << ended.errors;
    EXPECT_THAT(ended.errors, HasSubstr(wrong.error)) << wrong.arguments;
    PLUMB_ASSERT_OK(RemoveFolder(folder_ + "/wrong"));
  }
}

}  // namespace
}  // namespace plumb
