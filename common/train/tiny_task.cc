#include "common/train/tiny_task.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/train/gradients.h"

namespace plumb {

TinyTask::TinyTask(at::ScalarType dtype, int64_t examples, int64_t features) {
  const RandomStream random(5, "tiny");
  inputs_ = random.Child("inputs").NormalTensor({examples, features}, at::kDouble).to(dtype);
  const at::Tensor truth = random.Child("truth").NormalTensor({features}, at::kDouble).to(dtype);
  targets_ = inputs_.matmul(truth).add(0.5);
  weight_ = at::zeros({features}, dtype).requires_grad_();
  bias_ = at::zeros({1}, dtype).requires_grad_();
}

at::Tensor TinyTask::Loss(at::Tensor inputs, const at::Tensor& targets) const {
  return inputs.matmul(weight_).add(bias_).sub(targets).square();
}

absl::Status TinyTask::AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                           MetricSums* metrics) {
  micro_batches.emplace_back(micro_batch.begin(), micro_batch.end());
  std::vector<at::Tensor> noise;
  for (const int64_t example : micro_batch) {
    noise.push_back(step.random.Child(example).NormalTensor({inputs_.size(1)}, at::kDouble).mul(0.01));
  }
  const at::Tensor rows =
      at::tensor(at::ArrayRef<int64_t>(micro_batch.data(), micro_batch.size()), at::kLong);
  const at::Tensor inputs = inputs_.index_select(0, rows).add(at::stack(noise).to(inputs_.scalar_type()));
  at::Tensor losses = Loss(inputs, targets_.index_select(0, rows));
  if (step.index == nan_loss_at) losses = losses.mul(std::numeric_limits<double>::quiet_NaN());
  Backward(losses.sum().div(static_cast<double>(step.examples.size())));
  if (step.index == nan_gradient_at) bias_.mutable_grad().mul_(std::numeric_limits<double>::quiet_NaN());
  metrics->Add("loss", losses.detach().sum().item<double>(), micro_batch.size());
  return absl::OkStatus();
}

absl::StatusOr<MetricSums> TinyTask::Evaluate(int64_t) {
  const at::NoGradGuard no_grad;
  MetricSums sums;
  sums.Add("loss", Loss(inputs_.mul(-1), targets_.mul(-1)).sum().item<double>(), inputs_.size(0));
  if (evaluations < scores.size()) sums.Add("score", scores[evaluations], 1);
  ++evaluations;
  return sums;
}

absl::Status TinyTask::SaveModel(const std::string& folder) {
  return WriteFileAtomically(absl::StrCat(folder, "/weights"), Bytes());
}

std::string TinyTask::Bytes() const {
  std::string bytes;
  for (const at::Tensor& tensor : {weight_, bias_}) {
    bytes.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  }
  return bytes;
}

}  // namespace plumb
