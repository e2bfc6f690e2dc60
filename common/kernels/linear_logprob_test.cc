#include "common/kernels/linear_logprob.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "common/kernels/bf16_product.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

at::Tensor Targets(int64_t rows, int64_t vocabulary) {
  return (at::arange(rows, at::kLong) * 7 + 3) % vocabulary;
}

// A batch and what is asked of it; M = 7 tokens, V = 13 tokens in the vocabulary.
struct Batch {
  explicit Batch(double scale = 1)
      : hidden(Numbers({7, 5}, 0, scale)),
        weight(Numbers({13, 5}, 1, scale)),
        reference_hidden(Numbers({7, 4}, 2, scale)),
        reference_weight(Numbers({13, 4}, 3, scale)),
        targets(Targets(7, 13)) {}

  LinearLogProbs Compute(LinearLogProbOptions options = {}) const {
    options.statistics = true;
    options.top_k = 3;
    options.reference_hidden = reference_hidden;
    options.reference_weight = reference_weight;
    return LinearLogProb(hidden, weight, targets, options);
  }

  // The same by formula.
  LinearLogProbs Plain() const {
    const at::Tensor logits = at::linear(hidden, weight);
    const at::Tensor logps = at::log_softmax(logits, -1);
    const at::Tensor reference_logps = at::log_softmax(at::linear(reference_hidden, reference_weight), -1);
    LinearLogProbs plain;
    plain.logps = logps.gather(1, targets.unsqueeze(1)).squeeze(1);
    plain.entropy = -(at::exp(logps) * logps).sum(1);
    plain.mean_logit = logits.mean(1);
    plain.top1 = at::argmax(logits, 1).eq(targets).to(logits.scalar_type());
    plain.log_sum_squares = at::logsumexp(2 * logps, {1});
    const at::Tensor top = std::get<0>(at::topk(at::exp(logps), 3, 1));
    plain.top_k_mass = top.sum(1);
    const at::Tensor among_top = top / plain.top_k_mass.unsqueeze(1);
    plain.top_k_entropy = -(among_top * at::log(among_top)).sum(1);
    plain.token_kl = (at::exp(reference_logps) * (reference_logps - logps)).sum(1);
    return plain;
  }

  Batch To(at::ScalarType dtype) const {
    Batch batch;
    for (at::Tensor Batch::*tensor :
         {&Batch::hidden, &Batch::weight, &Batch::reference_hidden, &Batch::reference_weight}) {
      batch.*tensor = (this->*tensor).detach().to(dtype, /*non_blocking=*/false, /*copy=*/true);
    }
    return batch;
  }

  void RequireGradients() {
    hidden.requires_grad_(true);
    weight.requires_grad_(true);
  }

  at::Tensor hidden, weight, reference_hidden, reference_weight, targets;
};

LinearLogProbOptions SmallTiles(int64_t max_kept_logits = 0) {
  LinearLogProbOptions options;
  options.tile_rows = 3;
  options.tile_columns = 4;
  options.max_kept_logits = max_kept_logits;
  return options;
}

// A scalar that weighs every row of logps and token_kl differently, one of them by zero.
at::Tensor Weigh(const LinearLogProbs& probs) {
  const at::Tensor weights = at::arange(7, probs.logps.options()) - 2;
  return (probs.logps * weights + probs.token_kl * at::sin(weights)).sum();
}

void ExpectNear(const LinearLogProbs& a, const LinearLogProbs& b, double tolerance) {
  EXPECT_LE(Difference(a.logps, b.logps), tolerance);
  EXPECT_LE(Difference(a.entropy, b.entropy), tolerance);
  EXPECT_LE(Difference(a.mean_logit, b.mean_logit), tolerance);
  EXPECT_LE(Difference(a.token_kl, b.token_kl), tolerance);
  EXPECT_LE(Difference(a.log_sum_squares, b.log_sum_squares), tolerance);
  EXPECT_LE(Difference(a.top_k_mass, b.top_k_mass), tolerance);
  EXPECT_LE(Difference(a.top_k_entropy, b.top_k_entropy), tolerance);
  EXPECT_EQ(Difference(a.top1, b.top1), 0);
}

TEST(LinearLogProbTest, IsThePlainFormula) {
  const Batch batch;
  ExpectNear(batch.Compute(), batch.Plain(), 1e-12);
  const Batch narrow = batch.To(at::kFloat);
  const LinearLogProbs probs = narrow.Compute();
  EXPECT_EQ(probs.logps.scalar_type(), at::kFloat);
  ExpectNear(probs, batch.Plain(), 1e-5);
  EXPECT_GT(batch.Plain().top1.sum().item<double>(), 0);
}

TEST(LinearLogProbTest, TilesDoNotMatter) {
  Batch batch;
  ExpectNear(batch.Compute(SmallTiles()), batch.Plain(), 1e-12);
  // A vocabulary that is a whole number of tiles, and tiles of one.
  LinearLogProbOptions options = SmallTiles();
  options.tile_columns = 13;
  options.tile_rows = 7;
  ExpectNear(batch.Compute(options), batch.Plain(), 1e-12);
  options.tile_columns = options.tile_rows = 1;
  ExpectNear(batch.Compute(options), batch.Plain(), 1e-12);
}

TEST(LinearLogProbTest, GradientsAreThoseOfThePlainFormula) {
  for (const int64_t max_kept_logits : {0, 7 * 13}) {
    Batch tiled, plain;
    tiled.RequireGradients();
    plain.RequireGradients();
    Weigh(tiled.Compute(SmallTiles(max_kept_logits))).backward();
    Weigh(plain.Plain()).backward();
    EXPECT_LE(Difference(tiled.hidden.grad(), plain.hidden.grad()), 1e-12);
    EXPECT_LE(Difference(tiled.weight.grad(), plain.weight.grad()), 1e-12);
  }
}

TEST(LinearLogProbTest, GradientsAreFiniteDifferences) {
  Batch batch;
  batch.RequireGradients();
  for (at::Tensor LinearLogProbs::*output : {&LinearLogProbs::logps, &LinearLogProbs::token_kl}) {
    ExpectGradientsAreFiniteDifferences({batch.hidden, batch.weight},
                                        [&] { return batch.Compute(SmallTiles()).*output; });
  }
}

TEST(LinearLogProbTest, Bf16InputsGiveF32ProbabilitiesAndGradientsRoundedOnce) {
  Batch bf16 = Batch(4).To(at::kBFloat16);
  Batch wide = bf16.To(at::kFloat);
  bf16.RequireGradients();
  wide.RequireGradients();
  LinearLogProbOptions options = SmallTiles();
  options.bf16_products = false;
  const LinearLogProbs probs = bf16.Compute(options);
  EXPECT_EQ(probs.logps.scalar_type(), at::kFloat);
  ExpectNear(probs, wide.Plain(), 1e-4);  // logits reach 50
  Weigh(probs).backward();
  Weigh(wide.Compute()).backward();
  EXPECT_EQ(bf16.hidden.grad().scalar_type(), at::kBFloat16);
  for (at::Tensor Batch::*tensor : {&Batch::hidden, &Batch::weight}) {
    const at::Tensor exact = (wide.*tensor).grad(), rounded = (bf16.*tensor).grad();
    // Half of bf16's last place, and f32's own rounding.
    EXPECT_LE(((exact - rounded.to(at::kFloat)).abs() - exact.abs() / 256).max().item<float>(), 1e-5);
  }
}

TEST(LinearLogProbTest, Bf16ProductsKeepLogitsAndRoundTheirGradients) {
  if (!HasBf16Products()) GTEST_SKIP() << "skipped: this processor has no AVX512_BF16";
  for (const int64_t max_kept_logits : {0, 7 * 13}) {
    Batch bf16 = Batch(2).To(at::kBFloat16);
    Batch wide = bf16.To(at::kFloat);
    bf16.RequireGradients();
    wide.RequireGradients();
    const LinearLogProbs probs = bf16.Compute(SmallTiles(max_kept_logits));
    ExpectNear(probs, wide.Plain(), 1e-5);
    Weigh(probs).backward();
    Weigh(wide.Compute()).backward();
    for (at::Tensor Batch::*tensor : {&Batch::hidden, &Batch::weight}) {
      const at::Tensor exact = (wide.*tensor).grad(), rounded = (bf16.*tensor).grad().to(at::kFloat);
      // Each term to half of bf16's last place.
      EXPECT_LE((exact - rounded).abs().max().item<float>(), exact.abs().max().item<float>() / 128);
      EXPECT_GT(exact.abs().max().item<float>(), 0.1);
    }
  }
}

TEST(LinearLogProbTest, LargeLogitsStayFinite) {
  Batch batch = Batch(100).To(at::kFloat);  // logits reach +-1e4
  batch.RequireGradients();
  const LinearLogProbs probs = batch.Compute(SmallTiles());
  EXPECT_GT(at::linear(batch.hidden, batch.weight).abs().max().item<double>(), 1e4);
  const Batch wide = batch.To(at::kDouble);
  for (at::Tensor LinearLogProbs::*output : {&LinearLogProbs::logps, &LinearLogProbs::entropy,
                                             &LinearLogProbs::mean_logit, &LinearLogProbs::token_kl}) {
    EXPECT_LE(Difference(probs.*output, wide.Plain().*output), 0.01);
  }
  Weigh(probs).backward();
  EXPECT_TRUE(batch.hidden.grad().isfinite().all().item<bool>());
  EXPECT_TRUE(batch.weight.grad().isfinite().all().item<bool>());
}

TEST(LinearLogProbTest, NotANumberIsSeen) {
  Batch batch = Batch().To(at::kFloat);
  batch.hidden[2][1] = std::numeric_limits<float>::quiet_NaN();
  const LinearLogProbs probs = batch.Compute(SmallTiles());
  EXPECT_TRUE(probs.logps[2].isnan().item<bool>());
  EXPECT_EQ(probs.logps.isnan().sum().item<int64_t>(), 1);
}

TEST(LinearLogProbTest, ATensorWithoutGradientGetsNone) {
  Batch batch, both;
  both.RequireGradients();
  Weigh(both.Compute()).backward();
  batch.hidden.requires_grad_(true);
  Weigh(batch.Compute(SmallTiles())).backward();
  EXPECT_FALSE(batch.weight.grad().defined());
  EXPECT_LE(Difference(batch.hidden.grad(), both.hidden.grad()), 1e-12);

  Batch head;
  head.weight.requires_grad_(true);
  Weigh(head.Compute(SmallTiles())).backward();
  EXPECT_FALSE(head.hidden.grad().defined());
  EXPECT_LE(Difference(head.weight.grad(), both.weight.grad()), 1e-12);
}

TEST(LinearLogProbTest, StatisticsAndTheReferenceHaveNoGradient) {
  Batch batch;
  batch.RequireGradients();
  batch.reference_hidden.requires_grad_(true);
  batch.reference_weight.requires_grad_(true);
  const LinearLogProbs probs = batch.Compute();
  for (const at::Tensor& statistic : {probs.entropy, probs.mean_logit, probs.top1}) {
    EXPECT_FALSE(statistic.requires_grad());
  }
  Weigh(probs).backward();
  EXPECT_FALSE(batch.reference_hidden.grad().defined());
  EXPECT_FALSE(batch.reference_weight.grad().defined());
}

TEST(LinearLogProbTest, OnlyWhatIsAskedForIsThere) {
  const Batch batch;
  const LinearLogProbs probs = LinearLogProb(batch.hidden, batch.weight, batch.targets);
  EXPECT_TRUE(probs.logps.defined());
  EXPECT_FALSE(probs.logps.requires_grad());
  EXPECT_FALSE(probs.entropy.defined() || probs.mean_logit.defined() || probs.top1.defined());
  EXPECT_FALSE(probs.log_sum_squares.defined() || probs.top_k_mass.defined());
  EXPECT_FALSE(probs.token_kl.defined());
}

TEST(LinearLogProbTest, LogpsAloneHaveTheirGradient) {
  Batch batch, plain;
  batch.RequireGradients();
  plain.RequireGradients();
  LinearLogProb(batch.hidden, batch.weight, batch.targets).logps.sum().backward();
  plain.Plain().logps.sum().backward();
  EXPECT_LE(Difference(batch.hidden.grad(), plain.hidden.grad()), 1e-12);
  EXPECT_LE(Difference(batch.weight.grad(), plain.weight.grad()), 1e-12);
}

TEST(LinearLogProbTest, TheBackwardPassCanBeRepeated) {
  for (const int64_t max_kept_logits : {0, 7 * 13}) {
    Batch batch;
    batch.RequireGradients();
    const at::Tensor loss = Weigh(batch.Compute(SmallTiles(max_kept_logits)));
    loss.backward({}, /*retain_graph=*/true);
    const at::Tensor once = batch.hidden.grad().clone();
    loss.backward();
    EXPECT_LE(Difference(batch.hidden.grad(), once * 2), 1e-14);
    EXPECT_THROW(loss.backward(), c10::Error);
  }
}

TEST(LinearLogProbTest, AHeadThatChangedSinceIsAnError) {
  Batch batch;
  batch.RequireGradients();
  const at::Tensor loss = Weigh(batch.Compute());
  {
    at::NoGradGuard no_grad;
    batch.weight.add_(1);
  }
  EXPECT_THROW(loss.backward(), c10::Error);
}

TEST(LinearLogProbTest, StridesDoNotMatter) {
  const Batch batch;
  const at::Tensor hidden = batch.hidden.t().contiguous().t(), weight = batch.weight.t().contiguous().t();
  const at::Tensor leaf = hidden.detach().requires_grad_(true), head = weight.detach().requires_grad_(true);
  const at::Tensor logps = LinearLogProb(leaf, head, batch.targets, SmallTiles()).logps;
  EXPECT_LE(Difference(logps.detach(), batch.Plain().logps), 1e-12);
  Batch plain;
  plain.RequireGradients();
  // The gradient of a sum is one number repeated with stride 0.
  logps.sum().backward();
  plain.Plain().logps.sum().backward();
  EXPECT_LE(Difference(leaf.grad(), plain.hidden.grad()), 1e-12);
  EXPECT_LE(Difference(head.grad(), plain.weight.grad()), 1e-12);
}

TEST(LinearLogProbTest, NoTokens) {
  const at::Tensor hidden = at::zeros({0, 5}, at::kFloat).requires_grad_(true);
  const at::Tensor weight = at::ones({13, 5}, at::kFloat).requires_grad_(true);
  LinearLogProbOptions options;
  options.statistics = true;
  const LinearLogProbs probs = LinearLogProb(hidden, weight, at::zeros({0}, at::kLong), options);
  EXPECT_EQ(probs.logps.sizes(), at::IntArrayRef({0}));
  EXPECT_EQ(probs.entropy.sizes(), at::IntArrayRef({0}));
  probs.logps.sum().backward();
  EXPECT_EQ(hidden.grad().sizes(), at::IntArrayRef({0, 5}));
  EXPECT_EQ(weight.grad().abs().sum().item<double>(), 0);
}

TEST(LinearLogProbTest, TiesAreAllLikeliest) {
  LinearLogProbOptions options;
  options.statistics = true;
  const LinearLogProbs probs =
      LinearLogProb(at::ones({3, 2}), at::ones({4, 2}), at::arange(3, at::kLong), options);
  EXPECT_EQ(probs.top1.sum().item<double>(), 3);
}

TEST(LinearLogProbTest, ThreadsDoNotMatter) {
  // Whole numbers, so that products are exact whatever the order of their sum.
  const at::Tensor hidden = (Numbers({300, 8}, 0, 4).round() / 2).to(at::kFloat);
  const at::Tensor weight = (Numbers({500, 8}, 1, 4).round() / 2).to(at::kFloat);
  const int threads = at::get_num_threads();
  LinearLogProbOptions options = SmallTiles();
  options.tile_rows = 128;
  options.tile_columns = 192;
  options.statistics = true;
  options.reference_hidden = hidden + 1;
  options.reference_weight = weight;
  const auto compute = [&](int count) {
    at::set_num_threads(count);
    return LinearLogProb(hidden, weight, Targets(300, 500), options);
  };
  const LinearLogProbs one = compute(1), three = compute(3);
  at::set_num_threads(threads);
  for (at::Tensor LinearLogProbs::*output :
       {&LinearLogProbs::logps, &LinearLogProbs::entropy, &LinearLogProbs::mean_logit, &LinearLogProbs::top1,
        &LinearLogProbs::token_kl}) {
    EXPECT_TRUE((one.*output).equal(three.*output));
  }
}

TEST(LinearLogProbTest, WhatDoesNotFitIsAnError) {
  const Batch batch;
  for (const int64_t target : {-1, 13}) {
    at::Tensor targets = batch.targets.clone();
    targets[4] = target;
    EXPECT_THROW(LinearLogProb(batch.hidden, batch.weight, targets), c10::Error);
  }
  EXPECT_THROW(LinearLogProb(batch.hidden, batch.weight, batch.targets.to(at::kInt)), c10::Error);
  EXPECT_THROW(LinearLogProb(batch.hidden, batch.weight, batch.targets.narrow(0, 0, 6)), c10::Error);
  EXPECT_THROW(LinearLogProb(batch.hidden, batch.reference_weight, batch.targets), c10::Error);
  LinearLogProbOptions options;
  options.reference_hidden = batch.reference_hidden;
  EXPECT_THROW(LinearLogProb(batch.hidden, batch.weight, batch.targets, options), c10::Error);
  options.reference_weight = batch.reference_weight.narrow(0, 0, 12);
  EXPECT_THROW(LinearLogProb(batch.hidden, batch.weight, batch.targets, options), c10::Error);
}

}  // namespace
}  // namespace plumb
