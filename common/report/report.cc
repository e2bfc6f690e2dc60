#include "common/report/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/report/chart_js.h"
#include "common/report/plot.h"
#include "common/report/report_page_css.h"
#include "common/report/report_page_js.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr absl::string_view kEvalPrefix = "eval_";

// In the order in which they first logged.
std::vector<std::string> Stages(const std::vector<MetricsRow>& rows) {
  std::vector<std::string> stages;
  for (const MetricsRow& row : rows) {
    if (std::find(stages.begin(), stages.end(), row.stage) == stages.end()) stages.push_back(row.stage);
  }
  return stages;
}

// JSON that is safe inside a <script> element.
std::string InScript(absl::string_view json) {
  return absl::StrReplaceAll(json, {{"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}});
}

std::string ScriptData(const std::vector<MetricsRow>& rows) {
  nlohmann::json data = nlohmann::json::array();
  for (const MetricsRow& row : rows) {
    nlohmann::json values = nlohmann::json::object();
    for (const auto& [name, value] : row.values) {
      if (std::isfinite(value)) values[name] = value;
    }
    data.push_back({{"stage", row.stage}, {"step", row.step}, {"values", values}});
  }
  return InScript(data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string Number(double value) {
  return std::isfinite(value) ? absl::StrFormat("%.5g", value) : std::string("not a number");
}

std::string ComparisonTable(const std::vector<Comparison>& comparisons) {
  std::string html =
      "<div class=\"card scroll\"><table><thead><tr><th>held-out</th><th class=\"number\">before</th>"
      "<th class=\"number\">after</th><th class=\"number\">change</th></tr></thead><tbody>";
  for (const Comparison& row : comparisons) {
    absl::StrAppend(&html, "<tr><td>", EscapeHtml(row.name), "</td><td class=\"number\">", Number(row.before),
                    "</td><td class=\"number\">", Number(row.after), "</td><td class=\"number\">",
                    absl::StrFormat("%+.4g", row.after - row.before), "</td></tr>\n");
  }
  return html + "</tbody></table></div>\n";
}

std::string SampleCards(const std::vector<Sample>& samples, const std::string& stage) {
  // One card a prompt, before and after side by side.
  std::vector<std::pair<std::string, std::map<std::string, std::string>>> cards;
  for (const Sample& sample : samples) {
    if (sample.stage != stage) continue;
    auto card = std::find_if(cards.begin(), cards.end(),
                             [&](const auto& known) { return known.first == sample.prompt; });
    if (card == cards.end()) card = cards.insert(cards.end(), {sample.prompt, {}});
    card->second[sample.when] = sample.completion;
  }
  if (cards.empty()) return "";
  std::string html = "<h3>Generations</h3>\n";
  for (const auto& [prompt, completions] : cards) {
    absl::StrAppend(&html, "<div class=\"card sample\"><p class=\"prompt text\">", EscapeHtml(prompt),
                    "</p><div class=\"pair\">");
    for (const char* when : {"before", "after"}) {
      const auto found = completions.find(when);
      if (found == completions.end()) continue;
      absl::StrAppend(&html, "<div><p class=\"label\">", when, "</p><p class=\"text\">",
                      EscapeHtml(found->second), "</p></div>");
    }
    absl::StrAppend(&html, "</div></div>\n");
  }
  return html;
}

std::string FactsTable(const Facts& facts) {
  if (facts.empty()) return "";
  std::string html = "<h2>Run</h2><div class=\"card scroll\"><table class=\"facts\"><tbody>";
  for (const auto& [name, value] : facts) {
    absl::StrAppend(&html, "<tr><th>", EscapeHtml(name), "</th><td>", EscapeHtml(value), "</td></tr>\n");
  }
  return html + "</tbody></table></div>\n";
}

// Removes a fact and gives its value.
std::optional<std::string> TakeFact(absl::string_view name, Facts* facts) {
  const auto found =
      std::find_if(facts->begin(), facts->end(), [&](const auto& fact) { return fact.first == name; });
  if (found == facts->end()) return std::nullopt;
  std::string value = std::move(found->second);
  facts->erase(found);
  return value;
}

}  // namespace

std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::vector<Comparison> CompareEvaluations(const std::vector<MetricsRow>& rows, const std::string& stage) {
  std::vector<Comparison> comparisons;
  for (const MetricsRow& row : rows) {
    if (row.stage != stage) continue;
    for (const auto& [name, value] : row.values) {
      if (!absl::StartsWith(name, kEvalPrefix)) continue;
      const std::string plain = name.substr(kEvalPrefix.size());
      auto known = std::find_if(comparisons.begin(), comparisons.end(),
                                [&](const Comparison& comparison) { return comparison.name == plain; });
      if (known == comparisons.end()) {
        comparisons.push_back({plain, value, value});
      } else {
        known->after = value;
      }
    }
  }
  return comparisons;
}

absl::Status WriteReport(const std::string& run_folder) {
  PLUMB_ASSIGN_OR_RETURN(const std::vector<MetricsRow> rows, ReadMetrics(run_folder));
  PLUMB_ASSIGN_OR_RETURN(const std::vector<Sample> samples, ReadSamples(run_folder));
  PLUMB_ASSIGN_OR_RETURN(const std::vector<Plot> plots, ReadPlots(run_folder));
  PLUMB_ASSIGN_OR_RETURN(Facts facts, ReadFacts(run_folder));
  const std::string title = TakeFact("name", &facts).value_or("Run");
  const std::string description = TakeFact("description", &facts).value_or("");
  std::string html = absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>",
      EscapeHtml(title), "</title><style>", kReportPageCss, "</style></head><body><main>\n<h1>",
      EscapeHtml(title), "</h1><p class=\"lead\">", EscapeHtml(description), "</p>\n");
  for (const std::string& stage : Stages(rows)) {
    absl::StrAppend(&html, "<h2>Stage ", EscapeHtml(stage), "</h2>\n");
    const std::vector<Comparison> comparisons = CompareEvaluations(rows, stage);
    if (!comparisons.empty()) absl::StrAppend(&html, ComparisonTable(comparisons), "<p></p>\n");
    absl::StrAppend(&html, "<div class=\"charts\" data-stage=\"", EscapeHtml(stage), "\"></div><p></p>\n",
                    SampleCards(samples, stage));
  }
  if (!plots.empty()) absl::StrAppend(&html, "<div class=\"charts\" id=\"plots\"></div>\n");
  if (rows.empty() && plots.empty())
    absl::StrAppend(&html, "<p class=\"lead\">Nothing has been logged yet.</p>\n");
  absl::StrAppend(&html, FactsTable(facts));
  if (FileExists(run_folder + "/recipe.textproto")) {
    PLUMB_ASSIGN_OR_RETURN(const std::string recipe, ReadFile(run_folder + "/recipe.textproto"));
    absl::StrAppend(&html,
                    "<h2>Recipe</h2><details class=\"card\"><summary>recipe.textproto, every default filled "
                    "in</summary><pre>",
                    EscapeHtml(recipe), "</pre></details>\n");
  }
  absl::StrAppend(
      &html,
      "<footer>Written by Plumb. The figures are in metrics.jsonl beside this page.</footer>\n</main>\n",
      "<script type=\"application/json\" id=\"metrics\">", ScriptData(rows),
      "</script>\n<script type=\"application/json\" id=\"plot-data\">", InScript(PlotsAsJson(plots)),
      "</script>\n<script>", kChartJs, "</script>\n<script>", kReportPageJs, "</script>\n</body></html>\n");
  return WriteFileAtomically(run_folder + "/report.html", html);
}

}  // namespace plumb
