#ifndef PLUMB_OPTIM_ZEROTH_ORDER_GENERATION_SEARCH_H_
#define PLUMB_OPTIM_ZEROTH_ORDER_GENERATION_SEARCH_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "optim/core/ask_tell.h"
#include "optim/zeroth_order/options.pb.h"

namespace plumb {

// A black-box method that judges its points a generation at a time. They are handed out in turn, in batches
// of any size; whoever asks for more than are left ends the generation, and what was not told by then counts
// as failed. So batches should divide a generation, or each be told before the next is asked for: then
// nothing is lost. What is told of other points, or too late, may be the best, but moves nothing.
class GenerationSearch : public AskTell {
 protected:
  GenerationSearch(at::Tensor lower, at::Tensor upper) : AskTell(std::move(lower), std::move(upper)) {}

  // Generation `index`, from 0, of points within the box [N, D], when the one before was `points` with
  // `values` [N], NaN where it failed; of the first these are undefined.
  virtual absl::StatusOr<at::Tensor> Next(int64_t index, const at::Tensor& points,
                                          const at::Tensor& values) = 0;
  // What else a resumed run needs.
  virtual std::map<std::string, at::Tensor> OwnState() const { return {}; }
  virtual absl::Status LoadOwnState(const std::map<std::string, at::Tensor>& state) {
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<at::Tensor> Propose(int64_t count) override;
  absl::Status Learn(int64_t count) override;
  std::map<std::string, at::Tensor> MethodState() const override;
  absl::Status LoadMethodState(const std::map<std::string, at::Tensor>& state) override;

  int64_t generations_ = 0;            // begun
  int64_t handed_out_ = 0;             // of the last one
  at::Tensor generation_, judgement_;  // its points [N, D] and values [N]; NaN: not told
};

// Both begin in the box: consensus with particles drawn uniformly, anew while all fail; rank search in its
// middle. Error: the box, or options that contradict one another.
absl::StatusOr<std::unique_ptr<AskTell>> MakeConsensusSearch(at::Tensor lower, at::Tensor upper,
                                                             const ConsensusSearchOptions& options,
                                                             uint64_t seed);
absl::StatusOr<std::unique_ptr<AskTell>> MakeRankSearch(at::Tensor lower, at::Tensor upper,
                                                        const RankSearchOptions& options, uint64_t seed);

}  // namespace plumb

#endif  // PLUMB_OPTIM_ZEROTH_ORDER_GENERATION_SEARCH_H_
