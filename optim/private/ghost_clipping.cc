#include "optim/private/ghost_clipping.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/native_group_norm.h>
#include <ATen/ops/native_group_norm_backward.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "common/kernels/graph_leaves.h"
#include "common/kernels/record_backward.h"
#include "optim/private/dp_sgd.h"

namespace plumb {
namespace {

std::optional<at::Tensor> Optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor.detach()) : std::nullopt;
}

at::Tensor Widened(const at::Tensor& tensor) {
  return tensor.element_size() < 4 ? tensor.to(at::kFloat) : tensor;
}

// The sum over b of factors[b] gradients[b].
at::Tensor WeightedSum(const at::Tensor& gradients, const at::Tensor& factors) {
  const at::Tensor rows = gradients.view({gradients.size(0), -1});
  return at::mv(rows.t(), factors.to(rows.scalar_type())).view(gradients.sizes().slice(1));
}

}  // namespace

GhostClipping::GhostClipping(int64_t examples)
    : examples_(examples),
      anchor_(at::zeros({}).requires_grad_(true)),
      squared_norms_(at::zeros({examples}, at::kDouble)) {
  TORCH_CHECK(examples > 0, "there must be an example; a step that drew none goes without");
}

GhostClipping::GhostClipping(std::vector<int64_t> offsets)
    : GhostClipping(static_cast<int64_t>(offsets.size()) - 1) {
  offsets_ = std::move(offsets);
}

std::vector<int64_t> GhostClipping::Offsets(int64_t count) const {
  if (!offsets_.empty()) return offsets_;
  TORCH_CHECK(count % examples_ == 0, "a layer has ", count, " rows: they must be as many for each of the ",
              examples_, " examples");
  return RowOffsets(examples_, count / examples_);
}

GhostClipping::Parameter* GhostClipping::Find(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.requires_grad()) return nullptr;
  for (Parameter& parameter : parameters_) {
    if (parameter.tensor.is_same(tensor)) return &parameter;
  }
  TORCH_CHECK(tensor.is_leaf(), "a layer's parameter must be a leaf, not the result of an operation");
  parameters_.push_back({tensor, 0, {}});
  return &parameters_.back();
}

at::Tensor GhostClipping::Recorded(const char* name, const at::Tensor& x,
                                   const std::vector<at::Tensor>& parameters, const Saved& saved,
                                   const at::Tensor& output, LayerBackward backward) {
  if (!at::GradMode::is_enabled()) return output;
  bool asked = x.requires_grad();
  for (const at::Tensor& tensor : parameters) {
    Parameter* parameter = Find(tensor);
    if (parameter == nullptr) continue;
    ++parameter->layers;
    asked = true;
  }
  if (!asked) return output;
  RecordBackward(name, {x, anchor_}, saved, output,
                 [backward = std::move(backward)](const BackwardPass& pass) -> std::vector<at::Tensor> {
                   return {backward(pass.saved, pass.gradient, pass.needed[0]), at::Tensor()};
                 });
  return output;
}

at::Tensor GhostClipping::Linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto backward = [this, weight, bias](const Saved& saved, const at::Tensor& gradient,
                                             bool input_needed) {
    const at::Tensor &input = saved[0], &w = saved[1];
    const at::Tensor rows = gradient.view({-1, w.size(0)});
    UseLinear(weight, input.reshape({-1, w.size(1)}), rows);
    if (bias.defined()) UseGradients(bias, ExampleSums(rows, Offsets(rows.size(0))));
    return input_needed ? at::mm(rows, w).view(input.sizes()) : at::Tensor();
  };
  const at::Tensor input = x.detach(), w = weight.detach();
  return Recorded("GhostLinear", x, {weight, bias}, {input, w}, at::linear(input, w, Optional(bias)),
                  backward);
}

at::Tensor GhostClipping::Convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                      const ConvolutionShape& shape) {
  TORCH_CHECK(offsets_.empty() && x.size(0) == examples_, "a convolution reads [", examples_,
              " examples, channels, height, width], not ", x.sizes());
  const auto backward = [this, weight, bias, shape](const Saved& saved, const at::Tensor& gradient,
                                                    bool input_needed) {
    const at::Tensor &input = saved[0], &w = saved[1];
    UseConvolution(weight, input, gradient, shape);
    if (bias.defined()) UseGradients(bias, gradient.sum({2, 3}));
    if (!input_needed) return at::Tensor();
    return std::get<0>(at::convolution_backward(gradient, input, w, std::nullopt, shape.stride, shape.padding,
                                                shape.dilation, /*transposed=*/false, {0, 0}, shape.groups,
                                                {true, false, false}));
  };
  const at::Tensor input = x.detach(), w = weight.detach();
  return Recorded("GhostConvolution", x, {weight, bias}, {input, w},
                  at::convolution(input, w, Optional(bias), shape.stride, shape.padding, shape.dilation,
                                  /*transposed=*/false, {0, 0}, shape.groups),
                  backward);
}

at::Tensor GhostClipping::Embedding(const at::Tensor& ids, const at::Tensor& weight, int64_t padding_id) {
  const auto backward = [this, weight, padding_id](const Saved& saved, const at::Tensor& gradient, bool) {
    UseEmbedding(weight, saved[0].reshape(-1), gradient.view({saved[0].numel(), -1}), padding_id);
    return at::Tensor();
  };
  return Recorded("GhostEmbedding", ids, {weight}, {ids}, at::embedding(weight.detach(), ids), backward);
}

at::Tensor GhostClipping::LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                    double epsilon) {
  const at::Tensor input = x.detach().contiguous();
  const int64_t size = x.size(-1);
  const auto [output, mean, rstd] =
      at::native_layer_norm(input, {size}, Optional(weight), Optional(bias), epsilon);
  const auto backward = [this, weight, bias, size](const Saved& saved, const at::Tensor& gradient,
                                                   bool input_needed) {
    const at::Tensor &input = saved[0], &mean = saved[1], &rstd = saved[2];
    const at::Tensor rows = gradient.view({-1, size});
    if (Find(weight) != nullptr) {
      const at::Tensor normalized = ((input - mean) * rstd).view({-1, size});
      UseGradients(weight, ExampleSums(normalized * rows, Offsets(rows.size(0))));
    }
    if (bias.defined()) UseGradients(bias, ExampleSums(rows, Offsets(rows.size(0))));
    if (!input_needed) return at::Tensor();
    return std::get<0>(at::native_layer_norm_backward(gradient, input, {size}, mean, rstd, Optional(weight),
                                                      Optional(bias), {true, false, false}));
  };
  return Recorded("GhostLayerNorm", x, {weight, bias}, {input, mean, rstd}, output, backward);
}

at::Tensor GhostClipping::RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const auto backward = [this, weight](const Saved& saved, const at::Tensor& gradient, bool input_needed) {
    const at::Tensor &input = saved[0], &scale = saved[1];
    if (Find(weight) != nullptr) {
      const at::Tensor rows = (input * scale * gradient).view({-1, input.size(-1)});
      UseGradients(weight, ExampleSums(rows, Offsets(rows.size(0))));
    }
    if (!input_needed) return at::Tensor();
    const at::Tensor d = weight.defined() ? gradient * weight.detach() : gradient;
    return scale * (d - input * scale.square() * (input * d).mean(-1, /*keepdim=*/true));
  };
  const at::Tensor input = x.detach();
  const at::Tensor scale = at::rsqrt(input.square().mean(-1, /*keepdim=*/true) + epsilon);
  at::Tensor output = input * scale;
  if (weight.defined()) output = output * weight.detach();
  return Recorded("GhostRmsNorm", x, {weight}, {input, scale}, output, backward);
}

at::Tensor GhostClipping::GroupNorm(const at::Tensor& x, int64_t groups, const at::Tensor& weight,
                                    const at::Tensor& bias, double epsilon) {
  TORCH_CHECK(offsets_.empty() && x.size(0) == examples_, "group norm reads [", examples_,
              " examples, channels, ...], not ", x.sizes());
  const at::Tensor input = x.detach().contiguous();
  const int64_t channels = x.size(1), places = x.numel() / (examples_ * channels);
  const auto [output, mean, rstd] = at::native_group_norm(input, Optional(weight), Optional(bias), examples_,
                                                          channels, places, groups, epsilon);
  const auto backward = [this, weight, bias, groups, channels, places](
                            const Saved& saved, const at::Tensor& gradient, bool input_needed) {
    const at::Tensor &input = saved[0], &mean = saved[1], &rstd = saved[2];
    const at::Tensor by_channel = gradient.view({examples_, channels, places});
    if (Find(weight) != nullptr) {
      const at::Tensor normalized =
          (input.view({examples_, groups, -1}) - mean.unsqueeze(-1)) * rstd.unsqueeze(-1);
      UseGradients(weight, (normalized.view({examples_, channels, places}) * by_channel).sum(2));
    }
    if (bias.defined()) UseGradients(bias, by_channel.sum(2));
    if (!input_needed) return at::Tensor();
    return std::get<0>(at::native_group_norm_backward(gradient, input, mean, rstd, Optional(weight),
                                                      examples_, channels, places, groups,
                                                      {true, false, false}));
  };
  return Recorded("GhostGroupNorm", x, {weight, bias}, {input, mean, rstd}, output, backward);
}

at::Tensor GhostClipping::SelfAttention(const at::Tensor& x, const AttentionParameters& parameters,
                                        int64_t heads, bool causal) {
  const at::IntArrayRef sizes = x.sizes();  // [examples, T, size]
  TORCH_CHECK(offsets_.empty() && sizes.size() == 3 && sizes[0] == examples_, "self-attention reads [",
              examples_, " examples, T, size], not ", sizes);
  const auto split = [&](const at::Tensor& weight, const at::Tensor& bias) {
    return Linear(x, weight, bias).view({sizes[0], sizes[1], heads, -1}).transpose(1, 2);
  };
  const at::Tensor query = split(parameters.query, parameters.query_bias);
  const at::Tensor key = split(parameters.key, parameters.key_bias);
  const at::Tensor value = split(parameters.value, parameters.value_bias);
  const at::Tensor context =
      at::scaled_dot_product_attention(query, key, value, /*attn_mask=*/{}, /*dropout_p=*/0, causal);
  return Linear(context.transpose(1, 2).reshape({sizes[0], sizes[1], -1}), parameters.output,
                parameters.output_bias);
}

void GhostClipping::UseLinear(const at::Tensor& weight, const at::Tensor& activations,
                              const at::Tensor& gradients) {
  Parameter* parameter = Find(weight);
  if (parameter == nullptr) return;
  const at::Tensor a = Widened(activations), d = Widened(gradients);
  std::vector<int64_t> offsets = Offsets(a.size(0));
  if (parameter->layers == 1 &&
      CheaperForm(a.size(0) / std::max<int64_t>(1, examples_), a.size(1), d.size(1)) == GhostForm::kDirect) {
    return UseGradients(weight, LinearExampleGradients(a, d, offsets));
  }
  const at::Tensor squared_norms = LinearSquaredNorms(a, {d}, offsets, GhostForm::kGram);
  const auto weighted = [a, d, offsets](const at::Tensor& factors) {
    // Whichever has fewer numbers is scaled.
    return a.size(1) < d.size(1) ? at::mm(d.t(), ScaleByExample(a, factors, offsets))
                                 : at::mm(ScaleByExample(d, factors, offsets).t(), a);
  };
  AddUse(parameter, {a, d, std::move(offsets), weighted}, squared_norms);
}

void GhostClipping::UseConvolution(const at::Tensor& weight, const at::Tensor& x, const at::Tensor& gradients,
                                   const ConvolutionShape& shape) {
  Parameter* parameter = Find(weight);
  if (parameter == nullptr) return;
  if (parameter->layers > 1 || weight.numel() * examples_ <= x.numel() + gradients.numel()) {
    return UseGradients(weight, ConvolutionExampleGradients(x, gradients, shape));
  }
  const at::Tensor w = weight.detach();
  const auto weighted = [=](const at::Tensor& factors) {
    const at::Tensor scaled = gradients * factors.to(gradients.scalar_type()).view({-1, 1, 1, 1});
    return std::get<1>(at::convolution_backward(scaled, x, w, std::nullopt, shape.stride, shape.padding,
                                                shape.dilation, /*transposed=*/false, {0, 0}, shape.groups,
                                                {false, true, false}));
  };
  AddUse(parameter, {{}, gradients, {}, weighted}, ConvolutionSquaredNorms(x, gradients, shape));
}

void GhostClipping::UseEmbedding(const at::Tensor& weight, const at::Tensor& ids, const at::Tensor& gradients,
                                 int64_t padding_id) {
  Parameter* parameter = Find(weight);
  if (parameter == nullptr) return;
  const at::Tensor d =
      padding_id < 0 ? Widened(gradients) : Widened(gradients) * ids.ne(padding_id).unsqueeze(1);
  std::vector<int64_t> offsets = Offsets(ids.numel());
  const at::Tensor squared_norms = EmbeddingSquaredNorms(ids, d, offsets);
  const auto weighted = [ids, d, offsets, sizes = weight.sizes().vec()](const at::Tensor& factors) {
    return at::zeros(sizes, d.options()).index_add_(0, ids, ScaleByExample(d, factors, offsets));
  };
  AddUse(parameter, {ids, d, std::move(offsets), weighted}, squared_norms);
}

void GhostClipping::UseGradients(const at::Tensor& tensor, const at::Tensor& gradients) {
  Parameter* parameter = Find(tensor);
  if (parameter == nullptr) return;
  const at::Tensor wide = Widened(gradients).contiguous();
  const auto weighted = [wide](const at::Tensor& factors) { return WeightedSum(wide, factors); };
  AddUse(parameter, {{}, wide, {}, weighted}, RowSquaredNorms(wide));
}

void GhostClipping::AddUse(Parameter* parameter, Use use, const at::Tensor& squared_norms) {
  squared_norms_.add_(squared_norms);
  // With each earlier use twice the product of both gradients.
  for (const Use& other : parameter->uses) {
    if (!use.activations.defined() && !other.activations.defined()) {
      squared_norms_.add_((use.gradients * other.gradients).flatten(1).sum(1, false, at::kDouble), 2);
      continue;
    }
    const bool embeds = use.activations.dim() == 1, other_embeds = other.activations.dim() == 1;
    const Use& first = embeds ? use : other;
    const Use& second = embeds ? other : use;
    const auto terms = embeds && other_embeds   ? EmbeddingCrossTerms
                       : embeds || other_embeds ? TiedEmbeddingCrossTerms
                                                : LinearCrossTerms;
    squared_norms_.add_(embeds != other_embeds ? terms(first.activations, first.gradients, second.activations,
                                                       second.gradients, first.offsets, second.offsets)
                                               : terms(use.activations, use.gradients, other.activations,
                                                       other.gradients, use.offsets, other.offsets));
  }
  parameter->uses.push_back(std::move(use));
}

at::Tensor GhostClipping::Backward(const at::Tensor& losses, double max_grad_norm) {
  TORCH_CHECK(losses.dim() == 1 && losses.size(0) == examples_, "there must be a loss for each of the ",
              examples_, " examples, not ", losses.sizes());
  for (const at::Tensor& leaf : GraphLeaves(losses)) {
    TORCH_CHECK(leaf.is_same(anchor_), "a leaf ", leaf.sizes(),
                " is read outside the layers of GhostClipping, where its gradient would not be clipped");
  }
  if (losses.requires_grad()) losses.sum().backward();
  const at::NoGradGuard no_grad;
  const at::Tensor factors = ClippingFactors(squared_norms_, max_grad_norm).to(Widened(losses).scalar_type());
  // From the last layer, whose activations are then freed before the first layers', mostly larger, gradients
  // are made.
  for (auto parameter = parameters_.rbegin(); parameter != parameters_.rend(); ++parameter) {
    at::Tensor& gradient = parameter->tensor.mutable_grad();
    for (Use& use : parameter->uses) {
      const at::Tensor added = use.weighted(factors).to(parameter->tensor.scalar_type());
      use = Use();
      if (gradient.defined()) {
        gradient.add_(added);
      } else {
        gradient = added;
      }
    }
    parameter->uses.clear();
  }
  return squared_norms_.sqrt();
}

}  // namespace plumb
