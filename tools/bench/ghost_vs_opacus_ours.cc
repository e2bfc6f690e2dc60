// Our half of ghost_vs_opacus: the runs that come as lines of JSON, each answered by a line with the seconds
// of every step, the most bytes of tensors that a step had, and the loss after the last.

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sin.h>
#include <c10/core/Allocator.h>
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/status/status_macros.h"
#include "optim/private/dp_sgd.h"
#include "optim/private/ghost_clipping.h"
#include "tools/bench/answer_lines.h"

namespace plumb {
namespace {

// Counts the bytes of tensors, now and at the most.
class CountingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    void* data = std::aligned_alloc(64, (size + 63) / 64 * 64);
    TORCH_CHECK(data != nullptr, "no memory for ", size, " bytes");
    now_ += malloc_usable_size(data);
    most_ = std::max<int64_t>(most_, now_);
    return {data, data, &Free, at::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Free; }
  void copy_data(void* to, const void* from, size_t size) const override {
    default_copy_data(to, from, size);
  }
  int64_t now() const { return now_; }
  // The most since the last call.
  int64_t TakeMost() {
    const int64_t most = most_;
    most_ = now_.load();
    return most;
  }

 private:
  static void Free(void* data) {
    now_ -= malloc_usable_size(data);
    std::free(data);
  }
  static std::atomic<int64_t> now_;
  std::atomic<int64_t> most_ = 0;
};
std::atomic<int64_t> CountingAllocator::now_ = 0;

CountingAllocator& TensorMemory() {
  static auto& allocator = *new CountingAllocator;
  return allocator;
}

// What both programs compute: element i of tensor k is sin((k + 1)(i + 1)) * scale.
at::Tensor Numbers(int64_t k, at::IntArrayRef sizes, double scale) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return (at::sin(at::arange(1, count + 1, at::kDouble) * static_cast<double>(k + 1)) * scale)
      .to(at::kFloat)
      .view(sizes);
}

class Model {
 public:
  explicit Model(std::vector<std::vector<int64_t>> shapes) {
    for (const std::vector<int64_t>& shape : shapes) {
      const int64_t weights = parameters_.size();
      int64_t fan_in = 1;
      for (size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
      for (const auto& sizes : {shape, std::vector<int64_t>{shape[0]}}) {
        const int64_t index = parameters_.size();
        parameters_.push_back(
            {std::to_string(index),
             Numbers(index, sizes, index == weights ? std::sqrt(4.0 / fan_in) : 0.1).requires_grad_(true)});
      }
    }
  }
  virtual ~Model() = default;
  virtual std::vector<int64_t> InputSizes() const = 0;
  // By GhostClipping, or by LibTorch where it is null.
  virtual at::Tensor Forward(GhostClipping* clipping, const at::Tensor& x) const = 0;
  const std::vector<NamedParameter>& parameters() const { return parameters_; }

 protected:
  at::Tensor Linear(GhostClipping* clipping, const at::Tensor& x, int64_t layer) const {
    const at::Tensor &weight = parameters_[2 * layer].tensor, &bias = parameters_[2 * layer + 1].tensor;
    return clipping == nullptr ? at::linear(x, weight, bias) : clipping->Linear(x, weight, bias);
  }
  at::Tensor Convolution(GhostClipping* clipping, const at::Tensor& x, int64_t layer,
                         const ConvolutionShape& shape) const {
    const at::Tensor &weight = parameters_[2 * layer].tensor, &bias = parameters_[2 * layer + 1].tensor;
    return clipping == nullptr ? at::conv2d(x, weight, bias, shape.stride, shape.padding)
                               : clipping->Convolution(x, weight, bias, shape);
  }

 private:
  std::vector<NamedParameter> parameters_;
};

class Mlp : public Model {
 public:
  Mlp() : Model({{256, 784}, {256, 256}, {10, 256}}) {}
  std::vector<int64_t> InputSizes() const override { return {784}; }
  at::Tensor Forward(GhostClipping* clipping, const at::Tensor& x) const override {
    const at::Tensor hidden = at::relu(Linear(clipping, x, 0));
    return Linear(clipping, at::relu(Linear(clipping, hidden, 1)), 2);
  }
};

// That of Opacus' example for MNIST.
class Cnn : public Model {
 public:
  Cnn() : Model({{16, 1, 8, 8}, {32, 16, 4, 4}, {32, 512}, {10, 32}}) {
    first_.kernel = {8, 8};
    first_.stride = {2, 2};
    first_.padding = {3, 3};
    second_.kernel = {4, 4};
    second_.stride = {2, 2};
  }
  std::vector<int64_t> InputSizes() const override { return {1, 28, 28}; }
  at::Tensor Forward(GhostClipping* clipping, const at::Tensor& x) const override {
    at::Tensor hidden = at::relu(Convolution(clipping, x, 0, first_));
    hidden = at::max_pool2d(hidden, {2, 2}, {1, 1});
    hidden = at::relu(Convolution(clipping, hidden, 1, second_));
    hidden = at::max_pool2d(hidden, {2, 2}, {1, 1}).flatten(1);
    return Linear(clipping, at::relu(Linear(clipping, hidden, 2)), 3);
  }

 private:
  ConvolutionShape first_, second_;
};

class Sgd : public Optimizer {
 public:
  Sgd(std::vector<NamedParameter> parameters, double learning_rate)
      : parameters_(std::move(parameters)), learning_rate_(learning_rate) {}
  double learning_rate() const override { return learning_rate_; }
  void Step(double learning_rate) override {
    const at::NoGradGuard no_grad;
    for (NamedParameter& parameter : parameters_) {
      parameter.tensor.sub_(parameter.tensor.grad(), learning_rate);
      parameter.tensor.mutable_grad() = at::Tensor();
    }
  }
  std::map<std::string, at::Tensor> State() const override { return {}; }
  absl::Status LoadState(const std::map<std::string, at::Tensor>&) override { return absl::OkStatus(); }

 private:
  std::vector<NamedParameter> parameters_;
  double learning_rate_;
};

absl::StatusOr<nlohmann::json> Answer(const nlohmann::json& request) {
  const bool ghost = request.at("mode") == "ghost";
  const int64_t batch = request.at("batch"), warm_up = request.at("warm_up"), steps = request.at("steps");
  const double max_grad_norm = request.at("max_grad_norm"), learning_rate = request.at("learning_rate");
  std::unique_ptr<Model> model;
  if (request.at("model") == "mlp") model = std::make_unique<Mlp>();
  if (request.at("model") == "cnn") model = std::make_unique<Cnn>();
  std::vector<int64_t> sizes = model->InputSizes();
  sizes.insert(sizes.begin(), batch);
  const at::Tensor x = Numbers(100, sizes, 1), labels = at::arange(batch, at::kLong).remainder(10);

  std::unique_ptr<Optimizer> optimizer = std::make_unique<Sgd>(model->parameters(), learning_rate);
  if (ghost) {
    DpSgdOptions options;
    options.noise_multiplier = request.at("noise_multiplier");
    options.max_grad_norm = max_grad_norm;
    options.sampling_rate = 0.01;
    options.examples = 100 * batch;
    PLUMB_ASSIGN_OR_RETURN(optimizer, DpSgd::Create(options, model->parameters(), std::move(optimizer),
                                                    RandomStream(1, "noise")));
  }
  const auto losses = [&](GhostClipping* clipping, at::Reduction::Reduction reduction) {
    return at::cross_entropy_loss(model->Forward(clipping, x), labels, {}, reduction);
  };
  nlohmann::json answer;
  for (int64_t step = -warm_up; step < steps; ++step) {
    TensorMemory().TakeMost();
    const auto begin = std::chrono::steady_clock::now();
    if (ghost) {
      GhostClipping clipping(batch);
      clipping.Backward(losses(&clipping, at::Reduction::None), max_grad_norm);
    } else {
      losses(nullptr, at::Reduction::Mean).backward();
    }
    optimizer->Step(learning_rate);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (step < 0) continue;
    answer["seconds"].push_back(seconds.count());
    answer["bytes"] = TensorMemory().TakeMost();
  }
  const at::NoGradGuard no_grad;
  answer["loss"] = losses(nullptr, at::Reduction::Mean).item<double>();
  return answer;
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  c10::SetAllocator(at::kCPU, &plumb::TensorMemory(), /*priority=*/1);
  return plumb::RunLineProgram(argc, argv, "ghost_vs_opacus_ours THREADS\nOur half of ghost_vs_opacus.",
                               plumb::Answer);
}
