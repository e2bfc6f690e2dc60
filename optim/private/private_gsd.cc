#include "optim/private/private_gsd.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/program/interrupt.h"
#include "optim/private/sampled_gaussian.h"

namespace plumb {
namespace {

// Queries that each row answers one by one.
template <typename Holds>
void ThresholdChanges(int64_t count, const double* before, const double* after, const Holds& holds,
                      std::vector<QueryFamily::Change>* changes) {
  for (int64_t query = 0; query < count; ++query) {
    const int change = int{holds(query, after)} - int{before != nullptr && holds(query, before)};
    if (change != 0) changes->emplace_back(query, change);
  }
}

class Marginals : public QueryFamily {
 public:
  Marginals(absl::Span<const Column> columns, std::vector<std::vector<int64_t>> sets)
      : sets_(std::move(sets)) {
    for (const Column& column : columns) categories_.push_back(column.categories);
    for (const std::vector<int64_t>& set : sets_) {
      first_.push_back(count_);
      int64_t cells = 1;
      for (const int64_t column : set) {
        TORCH_CHECK(categories_.at(column) > 0, "column ", column, " of a marginal is not categorical");
        cells *= categories_[column];
      }
      count_ += cells;
    }
  }
  int64_t Count() const override { return count_; }
  double Sensitivity() const override {
    return std::sqrt(2.0 * sets_.size());
  }  // a cell left, a cell entered
  void Changes(const double* before, const double* after, std::vector<Change>* changes) const override {
    for (size_t i = 0; i < sets_.size(); ++i) {
      const int64_t entered = Cell(i, after), left = before == nullptr ? -1 : Cell(i, before);
      if (entered == left) continue;
      changes->emplace_back(entered, 1);
      if (left >= 0) changes->emplace_back(left, -1);
    }
  }

 private:
  int64_t Cell(size_t set, const double* row) const {
    int64_t cell = 0;
    for (const int64_t column : sets_[set])
      cell = cell * categories_[column] + static_cast<int64_t>(row[column]);
    return first_[set] + cell;
  }

  std::vector<std::vector<int64_t>> sets_;
  std::vector<int64_t> categories_;
  std::vector<int64_t> first_;  // the first cell of each marginal
  int64_t count_ = 0;
};

class Prefixes : public QueryFamily {
 public:
  Prefixes(absl::Span<const Column> columns, std::vector<std::vector<PrefixCondition>> queries)
      : queries_(std::move(queries)) {
    for (const Column& column : columns) categorical_.push_back(column.categories > 0);
    for (const auto& query : queries_) {
      for (const PrefixCondition& condition : query) {
        TORCH_CHECK(0 <= condition.column && condition.column < static_cast<int64_t>(columns.size()),
                    "column ", condition.column, " of a prefix query does not exist");
      }
    }
  }
  int64_t Count() const override { return queries_.size(); }
  double Sensitivity() const override { return std::sqrt(queries_.size()); }
  void Changes(const double* before, const double* after, std::vector<Change>* changes) const override {
    ThresholdChanges(
        Count(), before, after,
        [&](int64_t query, const double* row) {
          return std::all_of(queries_[query].begin(), queries_[query].end(), [&](const PrefixCondition& c) {
            return categorical_[c.column] ? row[c.column] == c.threshold : row[c.column] <= c.threshold;
          });
        },
        changes);
  }

 private:
  std::vector<std::vector<PrefixCondition>> queries_;
  std::vector<bool> categorical_;
};

class HalfSpaces : public QueryFamily {
 public:
  HalfSpaces(const at::Tensor& weights, const at::Tensor& thresholds)
      : weights_(weights.to(at::kDouble).contiguous()), thresholds_(thresholds.to(at::kDouble).contiguous()) {
    TORCH_CHECK(weights_.dim() == 2 && thresholds_.sizes() == at::IntArrayRef({weights_.size(0)}),
                "half-spaces want weights [queries, columns] and thresholds [queries]");
  }
  int64_t Count() const override { return thresholds_.numel(); }
  double Sensitivity() const override { return std::sqrt(thresholds_.numel()); }
  void Changes(const double* before, const double* after, std::vector<Change>* changes) const override {
    const double* weights = weights_.const_data_ptr<double>();
    const double* thresholds = thresholds_.const_data_ptr<double>();
    const int64_t columns = weights_.size(1);
    ThresholdChanges(
        Count(), before, after,
        [&](int64_t query, const double* row) {
          return std::inner_product(row, row + columns, weights + query * columns, 0.0) <= thresholds[query];
        },
        changes);
  }

 private:
  at::Tensor weights_, thresholds_;
};

class Joint : public QueryFamily {
 public:
  explicit Joint(std::vector<std::unique_ptr<QueryFamily>> families) : families_(std::move(families)) {}

  int64_t Count() const override {
    int64_t count = 0;
    for (const auto& family : families_) count += family->Count();
    return count;
  }
  double Sensitivity() const override {
    double squares = 0;
    for (const auto& family : families_) squares += family->Sensitivity() * family->Sensitivity();
    return std::sqrt(squares);
  }
  void Changes(const double* before, const double* after, std::vector<Change>* changes) const override {
    int64_t first = 0;
    for (const auto& family : families_) {
      const size_t known = changes->size();
      family->Changes(before, after, changes);
      for (size_t i = known; i < changes->size(); ++i) (*changes)[i].first += first;
      first += family->Count();
    }
  }

 private:
  std::vector<std::unique_ptr<QueryFamily>> families_;
};

// Of the first error: what is left below is the rounding of its increments.
constexpr double kRounding = 1e-10;

struct Individual {
  std::vector<double> rows;    // [rows, columns]
  std::vector<double> counts;  // [queries] of rows for which each holds
  double error = 0;
};

struct Edit {
  int64_t elite = 0;
  int64_t row = 0;
  int64_t column = 0;
  double value = 0;
  double error = 0;  // after it
};

double DrawCell(const Column& column, const RandomStream& random, uint64_t index) {
  return column.categories > 0 ? static_cast<double>(random.Below(index, column.categories))
                               : random.Uniform(index);
}

}  // namespace

std::unique_ptr<QueryFamily> MarginalQueries(absl::Span<const Column> columns,
                                             std::vector<std::vector<int64_t>> sets) {
  return std::make_unique<Marginals>(columns, std::move(sets));
}

std::unique_ptr<QueryFamily> PrefixQueries(absl::Span<const Column> columns,
                                           std::vector<std::vector<PrefixCondition>> queries) {
  return std::make_unique<Prefixes>(columns, std::move(queries));
}

std::unique_ptr<QueryFamily> HalfSpaceQueries(const at::Tensor& weights, const at::Tensor& thresholds) {
  return std::make_unique<HalfSpaces>(weights, thresholds);
}

std::unique_ptr<QueryFamily> JointQueries(std::vector<std::unique_ptr<QueryFamily>> families) {
  return std::make_unique<Joint>(std::move(families));
}

std::vector<double> Answers(const QueryFamily& queries, const at::Tensor& dataset) {
  TORCH_CHECK(dataset.dim() == 2 && dataset.is_contiguous() && dataset.size(0) > 0,
              "a dataset must be a contiguous [rows, columns]");
  std::vector<double> answers(queries.Count());
  std::vector<QueryFamily::Change> changes;
  const double* rows = dataset.const_data_ptr<double>();
  for (int64_t i = 0; i < dataset.size(0); ++i) {
    changes.clear();
    queries.Changes(nullptr, rows + i * dataset.size(1), &changes);
    for (const auto& [query, change] : changes) answers[query] += change;
  }
  for (double& answer : answers) answer /= dataset.size(0);
  return answers;
}

absl::StatusOr<double> ZcdpRho(double epsilon, double delta) {
  if (!(epsilon > 0) || std::isinf(epsilon)) {
    return absl::InvalidArgumentError(absl::StrCat("epsilon ", epsilon, ": must be a number above 0"));
  }
  if (absl::Status status = CheckDelta(delta); !status.ok()) return status;
  const double log_delta = std::log(1 / delta);
  // (sqrt(epsilon + l) - sqrt(l))^2 without the difference.
  const double root = epsilon / (std::sqrt(epsilon + log_delta) + std::sqrt(log_delta));
  return root * root;
}

std::vector<double> NoisyAnswers(const QueryFamily& queries, const at::Tensor& dataset, double rho,
                                 const RandomStream& random) {
  std::vector<double> answers = Answers(queries, dataset);
  const double deviation = queries.Sensitivity() / dataset.size(0) / std::sqrt(2 * rho);
  for (size_t i = 0; i < answers.size(); ++i) answers[i] += deviation * random.Normal(i);
  return answers;
}

std::vector<double> NoisyAnswers(absl::Span<const std::unique_ptr<QueryFamily>> families,
                                 const at::Tensor& dataset, double rho, const RandomStream& random) {
  std::vector<double> answers;
  for (size_t i = 0; i < families.size(); ++i) {
    const std::vector<double> some =
        NoisyAnswers(*families[i], dataset, rho / static_cast<double>(families.size()), random.Child(i));
    answers.insert(answers.end(), some.begin(), some.end());
  }
  return answers;
}

absl::StatusOr<PrivateGsdResult> PrivateGsd(absl::Span<const Column> columns, const QueryFamily& queries,
                                            absl::Span<const double> targets,
                                            const PrivateGsdOptions& options, const RandomStream& random) {
  if (static_cast<int64_t>(targets.size()) != queries.Count()) {
    return absl::InvalidArgumentError(
        absl::StrCat(targets.size(), " targets for ", queries.Count(), " queries: must be as many"));
  }
  if (options.rows < 1 || options.elites < 1 || options.candidates < 1 || columns.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("rows ", options.rows, ", elites ", options.elites,
                                                   ", candidates ", options.candidates, ", columns ",
                                                   columns.size(), ": each must be at least 1"));
  }
  const int64_t width = columns.size();
  const double share = 1.0 / options.rows;
  std::vector<QueryFamily::Change> changes;

  // One random dataset, which all elites start from.
  Individual first;
  first.counts.resize(targets.size());
  const RandomStream start = random.Child("start");
  for (int64_t i = 0; i < options.rows; ++i) {
    for (int64_t j = 0; j < width; ++j) first.rows.push_back(DrawCell(columns[j], start, i * width + j));
    changes.clear();
    queries.Changes(nullptr, first.rows.data() + i * width, &changes);
    for (const auto& [query, change] : changes) first.counts[query] += change;
  }
  for (size_t q = 0; q < targets.size(); ++q) {
    const double difference = first.counts[q] * share - targets[q];
    first.error += difference * difference;
  }
  std::vector<std::shared_ptr<const Individual>> elites(options.elites,
                                                        std::make_shared<const Individual>(std::move(first)));

  PrivateGsdResult result;
  const int64_t patience = std::max<int64_t>(100, options.rows);
  std::vector<double> history = {elites[0]->error};
  std::vector<double> edited(width);
  while (result.generations < options.max_generations && !result.converged) {
    if (InterruptRequested()) {
      return absl::CancelledError(absl::StrCat("stopped after ", result.generations, " generations"));
    }
    const RandomStream generation = random.Child(result.generations);
    std::vector<Edit> edits;
    for (int64_t c = 0; c < options.candidates; ++c) {
      const RandomStream draw = generation.Child(c);
      Edit edit;
      edit.elite = draw.Below(0, options.elites);
      edit.row = draw.Below(1, options.rows);
      edit.column = draw.Below(2, width);
      const bool crossover = draw.Uniform(3) < 0.5;
      edit.value =
          crossover
              ? elites[draw.Below(4, options.elites)]->rows[draw.Below(5, options.rows) * width + edit.column]
              : DrawCell(columns[edit.column], draw, 6);
      const Individual& parent = *elites[edit.elite];
      const double* row = parent.rows.data() + edit.row * width;
      if (row[edit.column] == edit.value) continue;
      edited.assign(row, row + width);
      edited[edit.column] = edit.value;
      changes.clear();
      queries.Changes(row, edited.data(), &changes);
      // (e + change / rows)^2 - e^2 for each answer that changes.
      edit.error = parent.error;
      for (const auto& [query, change] : changes) {
        const double difference = parent.counts[query] * share - targets[query];
        edit.error += change * share * (2 * difference + change * share);
      }
      edits.push_back(edit);
    }
    // The best of both; an elite that survives stands before a candidate that is no better.
    std::vector<std::pair<double, int64_t>> order;
    for (int64_t i = 0; i < options.elites; ++i) order.emplace_back(elites[i]->error, i);
    for (size_t i = 0; i < edits.size(); ++i) order.emplace_back(edits[i].error, options.elites + i);
    std::sort(order.begin(), order.end());
    std::vector<std::shared_ptr<const Individual>> survivors;
    for (int64_t i = 0; i < options.elites; ++i) {
      const int64_t index = order[i].second;
      if (index < options.elites) {
        survivors.push_back(elites[index]);
        continue;
      }
      const Edit& edit = edits[index - options.elites];
      Individual child = *elites[edit.elite];
      double* row = child.rows.data() + edit.row * width;
      edited.assign(row, row + width);
      edited[edit.column] = edit.value;
      changes.clear();
      queries.Changes(row, edited.data(), &changes);
      for (const auto& [query, change] : changes) child.counts[query] += change;
      row[edit.column] = edit.value;
      child.error = edit.error;
      survivors.push_back(std::make_shared<const Individual>(std::move(child)));
    }
    elites = std::move(survivors);
    ++result.generations;
    history.push_back(elites[0]->error);
    if (elites[0]->error <= kRounding * history[0]) {
      result.converged = true;
    } else if (result.generations >= patience) {
      const double before = history[result.generations - patience];
      result.converged = before - elites[0]->error <= options.tolerance * before;
    }
  }

  // Counts are whole numbers, so that this error has none of the increments' rounding.
  for (size_t q = 0; q < targets.size(); ++q) {
    const double difference = elites[0]->counts[q] * share - targets[q];
    result.error += difference * difference;
  }
  result.dataset = at::empty({options.rows, width}, at::kDouble);
  std::memcpy(result.dataset.mutable_data_ptr<double>(), elites[0]->rows.data(),
              elites[0]->rows.size() * sizeof(double));
  return result;
}

}  // namespace plumb
