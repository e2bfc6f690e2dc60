#ifndef PLUMB_OPTIM_CAUSAL_SORT_N_REGRESS_H_
#define PLUMB_OPTIM_CAUSAL_SORT_N_REGRESS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace plumb {

// The baseline that a method must beat: Reisach, Seiler and Weichwald 2021, "Beware of the Simulated DAG!"
// (arXiv 2102.13647). The order by increasing variance, [D] from second moments [D, D]; each node is then
// regressed on those before it (MakeLinearScore(..)->Weights(order); the paper selects by the BIC of a lasso,
// here a threshold does).
std::vector<int64_t> VarianceOrder(const at::Tensor& second_moments);

// How far the variances give the graph away: of all pairs (i, j) and lengths for which a directed path of
// that length leads from i to j, the share with a smaller variance at i, equal ones counting half. 1: sorting
// finds the order; 1/2: variances say nothing. NaN for a graph without edges.
double Varsortability(const at::Tensor& second_moments, const at::Tensor& weights);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CAUSAL_SORT_N_REGRESS_H_
