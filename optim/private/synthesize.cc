#include "optim/private/synthesize.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/data/records.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "optim/private/private_gsd.h"

namespace plumb {
namespace {

constexpr int64_t kDefaultPrefixes = 1000, kDefaultWidth = 2;
constexpr double kMostCells = 1e7, kMostWhole = 9007199254740992;

bool IsCategorical(const SynthesisColumn& column) { return column.category_size() > 0; }

absl::Status CheckColumns(const SynthesisRecipe& recipe) {
  std::set<std::string> names;
  for (int i = 0; i < recipe.column_size(); ++i) {
    const SynthesisColumn& column = recipe.column(i);
    const auto error = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat("column[", i, "] (", column.name(), "): ", what));
    };
    if (!names.insert(column.name()).second) return error("comes twice");
    if (IsCategorical(column) == (column.has_lower() || column.has_upper())) {
      return error("expected either its categories, or lower and upper");
    }
    if (IsCategorical(column)) {
      if (column.whole()) return error("whole: is of numbers");
      const std::set<std::string> categories(column.category().begin(), column.category().end());
      if (static_cast<int>(categories.size()) < column.category_size())
        return error("a category comes twice");
      continue;
    }
    if (!column.has_lower() || !column.has_upper() || !std::isfinite(column.upper() - column.lower()) ||
        column.lower() >= column.upper()) {
      return error("expected lower < upper, finite");
    }
    for (const double bound : {column.lower(), column.upper()}) {
      if (column.whole() && (bound != std::round(bound) || std::abs(bound) > kMostWhole)) {
        return error("whole: expected lower and upper to be whole numbers of at most 2^53");
      }
    }
  }
  return absl::OkStatus();
}

// A value as text: of text itself, of others as JSON writes it.
std::string TextOf(const Record& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Rows as private_gsd.h wants them.
absl::StatusOr<at::Tensor> ReadTable(const SynthesisRecipe& recipe) {
  const int width = recipe.column_size();
  std::vector<std::map<std::string, double>> codes(width);
  for (int c = 0; c < width; ++c) {
    for (int k = 0; k < recipe.column(c).category_size(); ++k) codes[c][recipe.column(c).category(k)] = k;
  }
  std::vector<double> cells;
  int64_t rows = 0;
  const auto visit = [&](const Record& record, const std::string& where) -> absl::StatusOr<bool> {
    for (int c = 0; c < width; ++c) {
      const SynthesisColumn& column = recipe.column(c);
      const auto error = [&](absl::string_view what) {
        return absl::InvalidArgumentError(absl::StrCat(where, ": column '", column.name(), "': ", what));
      };
      const auto value = record.find(column.name());
      if (value == record.end() || value->is_null()) return error("is not there");
      if (IsCategorical(column)) {
        const auto code = codes[c].find(TextOf(*value));
        if (code == codes[c].end()) {
          return error(absl::StrCat("'", TextOf(*value),
                                    "' is none of its categories: ", absl::StrJoin(column.category(), ", ")));
        }
        cells.push_back(code->second);
        continue;
      }
      if (!value->is_number()) return error(absl::StrCat("expected a number, found ", value->type_name()));
      const double share = (value->get<double>() - column.lower()) / (column.upper() - column.lower());
      cells.push_back(std::clamp(share, 0.0, 1.0));
    }
    ++rows;
    return true;
  };
  PLUMB_RETURN_IF_ERROR(ForEachRecord(recipe.data(), visit));
  at::Tensor table = at::empty({rows, width}, at::kDouble);
  std::copy(cells.begin(), cells.end(), table.mutable_data_ptr<double>());
  return table;
}

// All sets of `size` of the columns.
void AppendSets(const std::vector<int64_t>& columns, int64_t size, size_t first, std::vector<int64_t>* set,
                std::vector<std::vector<int64_t>>* sets) {
  if (static_cast<int64_t>(set->size()) == size) {
    sets->push_back(*set);
    return;
  }
  for (size_t i = first; i < columns.size(); ++i) {
    set->push_back(columns[i]);
    AppendSets(columns, size, i + 1, set, sets);
    set->pop_back();
  }
}

absl::StatusOr<std::unique_ptr<QueryFamily>> Marginals(absl::Span<const Column> columns,
                                                       const std::vector<int64_t>& categorical,
                                                       int64_t size) {
  // Of all sets of so many of the columns so far: the sum of the products of their categories.
  std::vector<double> cells(size + 1);
  cells[0] = 1;
  for (const int64_t column : categorical) {
    for (int64_t k = size; k > 0; --k)
      cells[k] += cells[k - 1] * static_cast<double>(columns[column].categories);
  }
  if (cells[size] > kMostCells) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "queries.marginal_columns: %d makes marginals of %.3g cells in all, expected at most %g", size,
        cells[size], kMostCells));
  }
  std::vector<std::vector<int64_t>> sets;
  std::vector<int64_t> set;
  AppendSets(categorical, size, 0, &set, &sets);
  return MarginalQueries(columns, std::move(sets));
}

// What is asked for; default: kDefaultWidth, or all that there are.
absl::StatusOr<int64_t> Width(bool is_given, int64_t given, int64_t available, absl::string_view field,
                              absl::string_view what) {
  if (!is_given) return std::min(kDefaultWidth, available);
  if (given <= available) return given;
  return absl::InvalidArgumentError(
      absl::StrCat("queries.", field, ": ", given, ", but there are ", available, " ", what));
}

std::unique_ptr<QueryFamily> Prefixes(absl::Span<const Column> columns, int64_t width, int64_t count,
                                      const RandomStream& random) {
  const int64_t size = columns.size();
  std::vector<std::vector<PrefixCondition>> queries(count);
  for (int64_t q = 0; q < count; ++q) {
    const RandomStream draw = random.Child(q);
    const std::vector<int64_t> order = draw.Child("columns").Permutation(size);
    for (int64_t i = 0; i < width; ++i) {
      const int64_t categories = columns[order[i]].categories;
      const double threshold = categories > 0
                                   ? static_cast<double>(draw.Child("category").Below(i, categories))
                                   : draw.Child("threshold").Uniform(i);
      queries[q].push_back({order[i], threshold});
    }
  }
  return PrefixQueries(columns, std::move(queries));
}

std::unique_ptr<QueryFamily> HalfSpaces(int64_t size, const std::vector<int64_t>& numbers, int64_t count,
                                        const RandomStream& random) {
  const auto width = static_cast<int64_t>(numbers.size());
  const at::Tensor some = random.Child("weights").NormalTensor({count, width}, at::kDouble);
  const at::Tensor points = random.Child("points").UniformTensor({count, width}, at::kDouble);
  at::Tensor weights = at::zeros({count, size}, at::kDouble);
  for (int64_t i = 0; i < width; ++i) weights.select(1, numbers[i]).copy_(some.select(1, i));
  return HalfSpaceQueries(weights, (some * points).sum(1));
}

uint64_t SeedOfTheSystem() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

std::string RowsOf(const SynthesisRecipe& recipe, const at::Tensor& table) {
  std::string lines;
  const double* cell = table.const_data_ptr<double>();
  for (int64_t i = 0; i < table.size(0); ++i) {
    Record row = Record::object();
    for (const SynthesisColumn& column : recipe.column()) {
      const double value = *cell++;
      if (IsCategorical(column)) {
        row[column.name()] = column.category(static_cast<int>(value));
        continue;
      }
      const double number = column.lower() + value * (column.upper() - column.lower());
      row[column.name()] = number;
      if (column.whole()) row[column.name()] = std::llround(number);
    }
    absl::StrAppend(&lines, row.dump(), "\n");
  }
  return lines;
}

}  // namespace

absl::Status Synthesize(const SynthesisRecipe& recipe, std::ostream& log) {
  PLUMB_RETURN_IF_ERROR(CheckColumns(recipe));
  if (!absl::EndsWith(recipe.output_file(), ".jsonl")) {
    return absl::InvalidArgumentError(
        absl::StrCat("output_file: ", recipe.output_file(), ": expected a name that ends in .jsonl"));
  }
  std::vector<Column> columns;
  std::vector<int64_t> categorical, numbers;
  for (const SynthesisColumn& column : recipe.column()) {
    (IsCategorical(column) ? categorical : numbers).push_back(static_cast<int64_t>(columns.size()));
    columns.push_back({column.category_size()});
  }
  const SynthesisQueries& config = recipe.queries();
  const RandomStream random(recipe.has_seed() ? recipe.seed() : SeedOfTheSystem(), "synthesize");
  std::vector<std::unique_ptr<QueryFamily>> families;
  PLUMB_ASSIGN_OR_RETURN(
      const int64_t marginal_columns,
      Width(config.has_marginal_columns(), config.marginal_columns(),
            static_cast<int64_t>(categorical.size()), "marginal_columns", "categorical columns"));
  if (marginal_columns > 0) {
    PLUMB_ASSIGN_OR_RETURN(families.emplace_back(), Marginals(columns, categorical, marginal_columns));
  }
  PLUMB_ASSIGN_OR_RETURN(const int64_t width,
                         Width(config.has_width(), config.width(), recipe.column_size(), "width", "columns"));
  const int64_t prefixes = config.has_prefixes() ? config.prefixes() : numbers.empty() ? 0 : kDefaultPrefixes;
  if (prefixes > 0) families.push_back(Prefixes(columns, width, prefixes, random.Child("prefixes")));
  if (config.half_spaces() > 0 && numbers.empty()) {
    return absl::InvalidArgumentError("queries.half_spaces: no column is a number");
  }
  if (config.half_spaces() > 0) {
    families.push_back(
        HalfSpaces(recipe.column_size(), numbers, config.half_spaces(), random.Child("half spaces")));
  }
  if (families.empty()) return absl::InvalidArgumentError("queries: there are none");
  PLUMB_ASSIGN_OR_RETURN(const double rho, ZcdpRho(recipe.epsilon(), recipe.delta()));
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor table, ReadTable(recipe));

  const std::vector<double> targets = NoisyAnswers(families, table, rho, random.Child("noise"));
  const std::unique_ptr<QueryFamily> queries = JointQueries(std::move(families));
  log << absl::StrFormat("%d rows, %d queries: epsilon %.4g at delta %g\n", table.size(0), queries->Count(),
                         recipe.epsilon(), recipe.delta());
  PrivateGsdOptions options;
  options.rows = recipe.search().rows();
  options.elites = recipe.search().elites();
  options.candidates = recipe.search().candidates();
  options.max_generations = recipe.search().max_generations();
  options.tolerance = recipe.search().tolerance();
  PLUMB_ASSIGN_OR_RETURN(const PrivateGsdResult found,
                         PrivateGsd(columns, *queries, targets, options, random.Child("search")));
  log << absl::StrFormat(
      "%d synthetic rows after %d generations%s: answers differ from the noisy ones by %.4g (root mean "
      "square)\n",
      options.rows, found.generations, found.converged ? "" : ", cut off by search.max_generations",
      std::sqrt(found.error / static_cast<double>(queries->Count())));
  return WriteFileAtomically(recipe.output_file(), RowsOf(recipe, found.dataset));
}

}  // namespace plumb
