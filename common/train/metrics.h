#ifndef PLUMB_COMMON_TRAIN_METRICS_H_
#define PLUMB_COMMON_TRAIN_METRICS_H_

#include <map>
#include <string>
#include <utility>

namespace plumb {

// Weighted means that add up over micro-batches. Names are those that TRL logs.
class MetricSums {
 public:
  void Add(const std::string& name, double sum, double weight) {
    auto& entry = sums_[name];
    entry.first += sum;
    entry.second += weight;
  }
  void Merge(const MetricSums& other) {
    for (const auto& [name, entry] : other.sums_) Add(name, entry.first, entry.second);
  }
  std::map<std::string, double> Means() const {
    std::map<std::string, double> means;
    for (const auto& [name, entry] : sums_) {
      if (entry.second != 0) means[name] = entry.first / entry.second;
    }
    return means;
  }

  // By name: sum and weight.
  const std::map<std::string, std::pair<double, double>>& sums() const { return sums_; }

 private:
  std::map<std::string, std::pair<double, double>> sums_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_METRICS_H_
