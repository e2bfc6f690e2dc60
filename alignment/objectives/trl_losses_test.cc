// Every loss that TRL has too, against TRL's own values (alignment/testdata/losses;
// tools/goldens/make_losses.py and make_trainer_losses.py). What TRL mixes into its losses and we have no
// objective for is left out by name.

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/objectives/objective_testing.h"
#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Json = nlohmann::json;

Json Golden(const std::string& name) {
  const auto text = ReadFile(Runfile("alignment/testdata/losses/" + name));
  PLUMB_EXPECT_OK(text);
  return Json::parse(text.value_or("{}"));
}

// "beta: 0.1 label_smoothing: 0.2" of what the case has.
std::string Fields(const Json& golden, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (golden.contains(name)) absl::StrAppend(&text, name, ": ", golden[name].dump(), " ");
  }
  return text;
}

// The objective of a case of DPOTrainer; empty where we have none.
std::string DpoTrainerObjective(const Json& golden) {
  const std::string type = golden["loss_type"], beta = Fields(golden, {"beta"});
  const std::string with_smoothing = Fields(golden, {"beta", "label_smoothing"});
  if (golden.contains("use_weighting")) return "";  // WPO
  if (golden.contains("ld_alpha")) {
    return type == "sigmoid" ? absl::StrCat("ld_dpo { ", Fields(golden, {"beta", "ld_alpha"}), "}") : "";
  }
  if (golden.contains("f_divergence_type")) {
    if (type != "sigmoid") return "";  // other losses under other divergences
    const std::string divergence = golden["f_divergence_type"];
    if (divergence == "forward_kl") return absl::StrCat("f_dpo { divergence: FORWARD_KL ", beta, "}");
    if (divergence == "js_divergence") return absl::StrCat("f_dpo { divergence: JENSEN_SHANNON ", beta, "}");
    return absl::StrCat("f_dpo { divergence: ALPHA ", beta,
                        "alpha_trl: ", golden.value("f_alpha_divergence_coef", 0.5), "}");
  }
  if (type == "cdpo") {
    return absl::StrCat("dpo { ", Fields(golden, {"beta", "label_smoothing", "reference_free"}), "}");
  }
  if (type == "sigmoid") return absl::StrCat("dpo { ", beta, "}");  // TRL ignores its label_smoothing
  if (type == "hinge") return absl::StrCat("hinge { ", beta, "}");
  if (type == "ipo") return absl::StrCat("ipo { ", beta, "}");
  if (type == "exo_pair") return absl::StrCat("exo { ", with_smoothing, "}");
  if (type == "nca_pair") return absl::StrCat("nca { ", beta, "}");
  if (type == "robust") {
    return absl::StrCat("robust_dpo { ", beta, "label_smoothing: ", golden.value("label_smoothing", 0.0),
                        "}");
  }
  if (type == "bco_pair") return absl::StrCat("bco_pair { ", beta, "}");
  if (type == "sppo_hard") return absl::StrCat("sppo { ", beta, "}");
  if (type == "aot") return absl::StrCat("aot { ", with_smoothing, "}");
  if (type == "aot_unpaired") return absl::StrCat("aot { pairing: UNPAIRED ", with_smoothing, "}");
  if (type == "apo_zero") return absl::StrCat("anchored_po { anchor: ZERO ", beta, "}");
  if (type == "apo_down") return absl::StrCat("anchored_po { anchor: DOWN ", beta, "}");
  if (type == "discopop") {
    return absl::StrCat("discopop { ", beta, "tau: ", golden.value("discopop_tau", 0.05), "}");
  }
  if (type == "sigmoid_norm") return absl::StrCat("normalized_dpo { ", beta, "}");
  if (type == "sft") return "sft {}";
  ADD_FAILURE() << "no objective for " << type;
  return "";
}

// The objective of a case of another trainer.
std::string TrainerObjective(const Json& golden) {
  const std::string trainer = golden["trainer"], type = golden.value("loss_type", "");
  if (trainer == "cpo" && type == "simpo") {
    return absl::StrCat("simpo { gamma: ", golden["simpo_gamma"].dump(), " ",
                        Fields(golden, {"beta", "alpha"}), "}");
  }
  if (trainer == "cpo") {
    return absl::StrCat("cpo { ", Fields(golden, {"beta", "cpo_alpha", "label_smoothing"}), "}");
  }
  if (trainer == "orpo") return absl::StrCat("orpo { ", Fields(golden, {"beta"}), "}");
  if (trainer == "tpo") {
    return absl::StrCat("tpo { version: ", type == "tpo-l" ? "TPO_L " : "TPO ",
                        Fields(golden, {"beta", "tpo_alpha", "tpo_l_gamma"}), "}");
  }
  if (trainer == "kto") {
    return absl::StrCat(type, " { ", Fields(golden, {"beta", "desirable_weight", "undesirable_weight"}), "}");
  }
  return absl::StrCat("reward { ", Fields(golden, {"center_rewards_coefficient"}), "}");
}

// The numbers of a number or an array, behind `values`.
void Append(const Json& numbers, std::vector<double>* values) {
  if (numbers.is_number()) values->push_back(numbers.get<double>());
  if (numbers.is_array()) {
    for (const Json& one : numbers) Append(one, values);
  }
}

// What the examples say of each input, example after example.
PreferenceLogps Inputs(const std::vector<Json>& examples) {
  PreferenceLogps logps;
  for (const PreferenceInput& input : PreferenceInputs()) {
    if (!examples[0].contains(input.name)) continue;
    std::vector<double> values;
    for (const Json& example : examples) Append(example[input.name], &values);
    logps.*input.tensor = at::tensor(values, at::kDouble).set_requires_grad(true);
  }
  return logps;
}

void ExpectNear(double value, double expected, double tolerance, const std::string& what) {
  EXPECT_NEAR(value, expected, tolerance * (1 + std::abs(expected))) << what;
}

// Loss and gradients of the mean over the examples of `logps`.
void ExpectLike(const Objective& objective, const PreferenceLogps& logps, double loss, const Json& gradients,
                double tolerance, const std::string& what) {
  const at::Tensor losses = objective.Compute(logps).loss;
  const at::Tensor mean = objective.traits().mean_over_tokens
                              ? (losses * logps.chosen_length).sum() / logps.chosen_length.sum()
                              : losses.mean();
  ExpectNear(mean.item<double>(), loss, tolerance, what);
  mean.backward();
  for (const PreferenceInput& input : PreferenceInputs()) {
    if (!gradients.contains(input.name)) continue;
    const at::Tensor& tensor = logps.*input.tensor;
    std::vector<double> expected;
    Append(gradients[input.name], &expected);
    ASSERT_EQ(static_cast<int64_t>(expected.size()), tensor.numel()) << what << ", " << input.name;
    for (size_t i = 0; i < expected.size(); ++i) {
      ExpectNear(tensor.grad().defined() ? At(tensor.grad(), static_cast<int64_t>(i)) : 0, expected[i],
                 tolerance, absl::StrCat(what, ", d loss / d ", input.name, "[", i, "]"));
    }
  }
}

TEST(TrlLosses, OfDpoTrainer) {
  const Json golden = Golden("dpo.json");
  int compared = 0, left_out = 0;
  for (const Json& one : golden["cases"]) {
    const std::string text = DpoTrainerObjective(one);
    if (text.empty()) {
      ++left_out;
      continue;
    }
    ++compared;
    const Objective objective = MakeObjective(text);
    // TRL rounds EXO's label_smoothing to f32, whatever the rest is computed in.
    const double in_f64 = one["loss_type"] == "exo_pair" ? 5e-8 : 1e-10;
    const double tolerance = one["dtype"] == "float64" ? in_f64 : 2e-5;
    const auto examples = golden["sets"][one["set"].get<std::string>()].get<std::vector<Json>>();
    const std::string what = absl::StrCat(text, " on ", one["set"].get<std::string>());
    if (one.contains("batch_gradients")) {
      ExpectLike(objective, Inputs(examples), one["batch_loss"], one["batch_gradients"], tolerance, what);
    }
    for (size_t i = 0; i < examples.size(); ++i) {
      const Json& expected = one["examples"][i];
      ExpectLike(objective, Inputs({examples[i]}), expected["loss"], expected["gradients"], tolerance,
                 absl::StrCat(what, ", example ", i));
    }
  }
  EXPECT_EQ(compared, 57);
  EXPECT_EQ(left_out, 23);
}

TEST(TrlLosses, OfTheOtherTrainers) {
  const Json golden = Golden("trainers.json");
  const auto examples = golden["examples"].get<std::vector<Json>>();
  int overflowed = 0;
  for (const Json& one : golden["cases"]) {
    const std::string text = TrainerObjective(one);
    const Objective objective = MakeObjective(text);
    for (size_t i = 0; i < examples.size(); ++i) {
      const Json& expected = one["examples"][i];
      if (expected.is_null()) {
        ++overflowed;
        continue;
      }
      PreferenceLogps logps = Inputs({examples[i]});
      if (!one.value("with_margin", false)) logps.margin = at::Tensor();
      ExpectLike(objective, logps, expected["loss"], expected["gradients"], 1e-10,
                 absl::StrCat(one["trainer"].get<std::string>(), ": ", text, ", example ", i));
    }
  }
  EXPECT_EQ(golden["cases"].size(), 17u);
  EXPECT_EQ(overflowed, 3);  // AlphaPO's powers of probabilities; ours are of their logarithms
}

}  // namespace
}  // namespace plumb
