#include "common/train/train.h"

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/testing/testing.h"
#include "common/train/checkpoint.h"
#include "common/train/folder_lock.h"
#include "common/train/metrics_sink.h"
#include "common/train/tiny_task.h"
#include "common/train/train.pb.h"
#include "optim/make_optimizer.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// Rows in memory; stops the training (as Ctrl-C would) after the row of step `interrupt_at`.
class MemorySink : public MetricsSink {
 public:
  struct Row {
    int64_t step;
    std::map<std::string, double> values;
  };

  absl::Status Write(int64_t step, const std::map<std::string, double>& values) override {
    rows.push_back({step, values});
    rows.back().values.erase("tokens_per_second");
    if (step == interrupt_at) SetInterruptRequested(true);
    return absl::OkStatus();
  }
  absl::StatusOr<int64_t> Position() override { return rows.size(); }
  absl::Status Rewind(int64_t position) override {
    EXPECT_LE(position, rows.size());
    rows.resize(position);
    return absl::OkStatus();
  }

  // Values of one name, NaN where a row has none.
  std::vector<double> Column(const std::string& name) const {
    std::vector<double> column;
    for (const Row& row : rows) {
      if (row.values.count(name) > 0) column.push_back(row.values.at(name));
    }
    return column;
  }

  std::vector<Row> rows;
  int64_t interrupt_at = -1;
};

bool operator==(const MemorySink::Row& a, const MemorySink::Row& b) {
  return a.step == b.step && a.values == b.values;
}

// One process's attempt at a training: a task and an optimizer of its own; folder and sink may be shared.
struct Attempt {
  std::string training = "max_steps: 12 logging_steps: 1 save_steps: 2";
  std::string eval = "every_steps: 3";
  std::string optimizer = "adamw { learning_rate: 0.05 weight_decay: 0.01 }";
  std::string schedule = "cosine { warmup_steps: 2 }";
  std::string folder = TemporaryFolder();
  TinyTask task{at::kFloat};
  MemorySink own_sink;
  MemorySink* sink = &own_sink;
  TrainContext context;
  std::string log;  // what the user saw

  absl::StatusOr<TrainResult> Run() {
    auto made = MakeOptimizer(Parse<OptimizerConfig>(optimizer), task.TrainableParameters()).value();
    const std::string log_path = TemporaryFolder() + "/log";
    std::FILE* log_file = std::fopen(log_path.c_str(), "w");
    context.name = "tiny";
    context.folder = folder;
    context.metrics = sink;
    context.progress = log_file;
    const auto result = Train(&task, made.get(), Parse<Schedule>(schedule), Parse<TrainingOptions>(training),
                              Parse<EvalOptions>(eval), context);
    std::fclose(log_file);
    log = ReadFile(log_path).value();
    return result;
  }
};

class TrainTest : public testing::Test {
 protected:
  ~TrainTest() override { SetInterruptRequested(false); }
};

// --- Steps ---

std::vector<double> FinalWeights(at::ScalarType dtype, int batch_size, int accumulation_steps) {
  Attempt attempt;
  attempt.task = TinyTask(dtype);
  attempt.training = absl::StrCat("num_train_epochs: 4 per_device_train_batch_size: ", batch_size,
                                  " gradient_accumulation_steps: ", accumulation_steps);
  const TrainResult result = attempt.Run().value();
  EXPECT_EQ(result.steps, 12);  // 21 examples: 8, 8 and 5 an epoch
  std::vector<double> weights;
  for (const NamedParameter& parameter : attempt.task.TrainableParameters()) {
    for (int64_t i = 0; i < parameter.tensor.numel(); ++i) {
      weights.push_back(parameter.tensor[i].item<double>());
    }
  }
  return weights;
}

TEST_F(TrainTest, AccumulationGivesWhatOneBatchGives) {
  for (const auto& [dtype, tolerance] : {std::pair{at::kDouble, 1e-12}, std::pair{at::kFloat, 1e-6}}) {
    const std::vector<double> whole = FinalWeights(dtype, 8, 1);
    EXPECT_GT(std::abs(whole[0]), 0.05);
    EXPECT_THAT(FinalWeights(dtype, 4, 2), testing::Pointwise(testing::DoubleNear(tolerance), whole));
    EXPECT_THAT(FinalWeights(dtype, 1, 8), testing::Pointwise(testing::DoubleNear(tolerance), whole));
  }
}

TEST_F(TrainTest, WithoutShufflingExamplesComeInOrderAndTheLastStepTakesWhatIsLeft) {
  Attempt attempt;
  attempt.context.shuffle = false;
  attempt.training = "num_train_epochs: 1 per_device_train_batch_size: 4 gradient_accumulation_steps: 2";
  attempt.Run().value();
  EXPECT_THAT(attempt.task.micro_batches,
              ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(4, 5, 6, 7), ElementsAre(8, 9, 10, 11),
                          ElementsAre(12, 13, 14, 15), ElementsAre(16, 17, 18, 19), ElementsAre(20)));
}

TEST_F(TrainTest, PoissonSamplingDrawsEachStepByItself) {
  const auto run = [](const std::string& training) {
    Attempt attempt;
    attempt.context.poisson_sampling = true;
    attempt.training = training;
    EXPECT_EQ(attempt.Run().value().steps, 60);
    return attempt.task.micro_batches;
  };
  // 4 of 21 examples a step on average, of which none is there twice.
  const std::string four = "max_steps: 60 per_device_train_batch_size: 4";
  const auto micro_batches = run(four);
  std::vector<int64_t> counts(21);
  int64_t drawn = 0;
  for (const std::vector<int64_t>& examples : micro_batches) {
    for (const int64_t example : examples) ++counts[example];
    drawn += examples.size();
    EXPECT_THAT(std::set<int64_t>(examples.begin(), examples.end()), SizeIs(examples.size()));
  }
  EXPECT_NEAR(drawn, 60 * 4, 5 * std::sqrt(60 * 4));
  EXPECT_GT(*std::max_element(counts.begin(), counts.end()), *std::min_element(counts.begin(), counts.end()));
  EXPECT_EQ(run(four), micro_batches);
  // Steps without an example are steps too.
  EXPECT_LT(run("max_steps: 60 per_device_train_batch_size: 1").size(), 60u);
}

TEST_F(TrainTest, StepsFollowFromEpochsUnlessGiven) {
  const auto steps = [](const std::string& training) {
    Attempt attempt;
    attempt.training = training + " per_device_train_batch_size: 8";
    return attempt.Run().value().steps;
  };
  EXPECT_EQ(steps("num_train_epochs: 2"), 6);
  EXPECT_EQ(steps("num_train_epochs: 0.5"), 2);  // rounded up
  EXPECT_EQ(steps("num_train_epochs: 2 max_steps: 4"), 4);
  EXPECT_EQ(steps("max_steps: 0"), 0);
}

TEST_F(TrainTest, LogsWhatTransformersLogs) {
  Attempt attempt;
  attempt.training = "max_steps: 5 per_device_train_batch_size: 8 logging_steps: 2 max_grad_norm: 0";
  attempt.schedule = "linear { warmup_steps: 2 }";
  attempt.eval = "every_steps: 4";
  attempt.Run().value();
  std::vector<int64_t> steps;
  for (const auto& row : attempt.sink->rows) steps.push_back(row.step);
  EXPECT_THAT(steps, ElementsAre(0, 2, 4, 4, 5, 5));
  EXPECT_THAT(attempt.sink->Column("eval_loss"), SizeIs(3));
  EXPECT_THAT(attempt.sink->Column("learning_rate"),
              testing::Pointwise(testing::DoubleEq(), {0.025, 0.05 * 2 / 3, 0.05 / 3}));
  EXPECT_THAT(attempt.sink->Column("epoch"),
              testing::Pointwise(testing::DoubleEq(), {2 / 3., 4 / 3., 5 / 3.}));
  EXPECT_THAT(attempt.sink->Column("loss"), SizeIs(3));
  EXPECT_GT(attempt.sink->Column("grad_norm")[0], 1);
  EXPECT_THAT(attempt.log, HasSubstr("tiny: step 2/5  loss "));
  EXPECT_THAT(attempt.log, HasSubstr("tiny: step 4/5  eval_loss "));
}

TEST_F(TrainTest, TheLoggedLossIsTheMeanOverAllExamplesSinceTheLastLine) {
  const auto losses = [](int logging_steps) {
    Attempt attempt;
    attempt.training =
        absl::StrCat("num_train_epochs: 1 per_device_train_batch_size: 8 logging_steps: ", logging_steps);
    attempt.Run().value();
    return attempt.sink->Column("loss");
  };
  const std::vector<double> each = losses(1);
  ASSERT_THAT(each, SizeIs(3));
  EXPECT_THAT(losses(3),
              ElementsAre(testing::DoubleNear((8 * each[0] + 8 * each[1] + 5 * each[2]) / 21, 1e-9)));
}

TEST_F(TrainTest, ClippingShortensTheStep) {
  const auto weights = [](const std::string& max_grad_norm) {
    Attempt attempt;
    attempt.optimizer = "rmsprop { learning_rate: 0.05 epsilon: 1e6 }";  // as good as plain descent
    attempt.schedule = "constant {}";
    attempt.training = "max_steps: 1 max_grad_norm: " + max_grad_norm;
    attempt.Run().value();
    EXPECT_GT(attempt.sink->Column("grad_norm")[0], 2);  // before clipping
    double sum = 0;
    for (const auto& parameter : attempt.task.TrainableParameters()) {
      sum += parameter.tensor.detach().square().sum().item<double>();
    }
    return std::sqrt(sum);
  };
  EXPECT_NEAR(weights("0.5") * 1e6 / 0.05, 0.5, 1e-4);
  EXPECT_GT(weights("0") * 1e6 / 0.05, 2);
}

TEST_F(TrainTest, EvaluatingDoesNotChangeTheTraining) {
  Attempt often, never;
  often.eval = "every_steps: 1";
  never.eval = "every_steps: 1000";
  often.Run().value();
  never.Run().value();
  EXPECT_GT(often.task.evaluations, never.task.evaluations);
  EXPECT_EQ(often.task.Bytes(), never.task.Bytes());
}

TEST_F(TrainTest, SixteenBitWeightsLearnAsF32OnesDo) {
  Attempt half, full;
  half.task = TinyTask(at::kBFloat16);
  for (Attempt* attempt : {&half, &full}) {
    attempt->optimizer = "adamw { learning_rate: 0.001 }";  // steps that bf16 weights alone would round away
    attempt->training =
        "max_steps: 400 per_device_train_batch_size: 2 gradient_accumulation_steps: 2 save_steps: 1000";
    attempt->schedule = "constant {}";
    attempt->Run().value();
  }
  const double half_loss = half.sink->Column("eval_loss").back();
  const double full_loss = full.sink->Column("eval_loss").back();
  EXPECT_LT(full_loss, 0.8 * full.sink->Column("eval_loss").front());
  EXPECT_NEAR(half_loss, full_loss, 0.03 * full_loss);
}

// --- Faults ---

TEST_F(TrainTest, ALossThatIsNotANumberStopsBeforeTheStep) {
  Attempt attempt, shorter;
  attempt.task.nan_loss_at = 5;
  const absl::Status status = attempt.Run().status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("tiny: step 6 of 12: loss is nan; try a lower learning rate (here 0.0"));
  // The weights are those after five steps.
  shorter.sink->interrupt_at = 5;
  EXPECT_EQ(shorter.Run().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(attempt.task.Bytes(), shorter.task.Bytes());
}

TEST_F(TrainTest, AGradientThatIsNotANumberIsNamed) {
  Attempt attempt;
  attempt.task.nan_gradient_at = 2;
  EXPECT_THAT(std::string(attempt.Run().status().message()),
              HasSubstr("step 3 of 12: the gradient of linear.bias is not finite"));
}

TEST_F(TrainTest, StoppedAtAnyStepItEndsAsIfItHadNotBeen) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const std::string optimizer :
         {"adamw { learning_rate: 0.05 }", "rmsprop { momentum: 0.9 learning_rate: 0.01 }"}) {
      Attempt undisturbed;
      undisturbed.task = TinyTask(dtype);
      undisturbed.optimizer = optimizer;
      undisturbed.training = "max_steps: 8 logging_steps: 3 save_steps: 100";
      undisturbed.eval = "every_steps: 1 metric_for_best_model: 'eval_loss'";
      const TrainResult expected = undisturbed.Run().value();
      for (int64_t step = 1; step < 8; ++step) {
        SCOPED_TRACE(step);
        Attempt first, second;
        for (Attempt* attempt : {&first, &second}) {
          attempt->task = TinyTask(dtype);
          attempt->optimizer = undisturbed.optimizer;
          attempt->training = undisturbed.training;
          attempt->eval = undisturbed.eval;
          attempt->folder = first.folder;
          attempt->sink = &first.own_sink;
        }
        first.sink->interrupt_at = step;
        const absl::Status status = first.Run().status();
        EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
        EXPECT_EQ(status.message(),
                  absl::StrCat("tiny: stopped after step ", step, " of 8; saved ", first.folder,
                               "/checkpoint-", step, "; the same command goes on from there"));
        SetInterruptRequested(false);
        first.sink->interrupt_at = -1;
        first.sink->rows.push_back({99, {}});  // written after the checkpoint by a run that was then killed

        const TrainResult result = second.Run().value();
        EXPECT_EQ(result.resumed_at_step, step);
        EXPECT_EQ(second.task.Bytes(), undisturbed.task.Bytes());
        EXPECT_EQ(second.sink->rows, undisturbed.sink->rows);
        EXPECT_EQ(result.best_step, expected.best_step);
        EXPECT_EQ(result.first_evaluation, expected.first_evaluation);
        EXPECT_EQ(result.last_evaluation, expected.last_evaluation);
      }
    }
  }
}

TEST_F(TrainTest, InterruptedBeforeTheFirstStepNothingIsSaved) {
  Attempt attempt;
  attempt.sink->interrupt_at = 0;
  EXPECT_EQ(attempt.Run().status(), absl::CancelledError("tiny: stopped before the first step"));
  EXPECT_THAT(ListCheckpoints(attempt.folder), SizeIs(0));
}

TEST_F(TrainTest, AFinishedTrainingLoadsItsResult) {
  Attempt first, second;
  const TrainResult expected = first.Run().value();
  second.folder = first.folder;
  second.sink = first.sink;
  first.sink->rows.push_back({1, {}});  // of a stage after this one
  const TrainResult result = second.Run().value();
  EXPECT_EQ(second.task.Bytes(), first.task.Bytes());
  EXPECT_THAT(second.task.micro_batches, SizeIs(0));
  EXPECT_EQ(result.resumed_at_step, 12);
  EXPECT_EQ(result.metrics_position, expected.metrics_position);
  EXPECT_EQ(result.last_evaluation, expected.last_evaluation);
  EXPECT_EQ(first.sink->rows.size(), expected.metrics_position + 1);
  EXPECT_THAT(second.log, HasSubstr("tiny: already trained"));
}

TEST_F(TrainTest, StartingAfreshRemovesCheckpointsAndRewindsTheMetrics) {
  Attempt first, second;
  first.sink->interrupt_at = 7;
  first.sink->rows.push_back({100, {}});  // of a stage before this one
  first.context.metrics_start = 1;
  EXPECT_FALSE(first.Run().ok());
  SetInterruptRequested(false);
  first.sink->interrupt_at = -1;
  second.context.metrics_start = 1;
  second.folder = first.folder;
  second.sink = first.sink;
  second.context.resume = "never";
  EXPECT_EQ(second.Run().value().resumed_at_step, 0);
  EXPECT_THAT(second.task.micro_batches, SizeIs(12));
  EXPECT_EQ(first.sink->rows[0].step, 100);
  EXPECT_EQ(first.sink->rows[1].step, 0);
  EXPECT_THAT(second.log, HasSubstr("tiny: removing " + first.folder + "/checkpoint-7\n"));
}

TEST_F(TrainTest, ANamedCheckpointOfAnotherFolderIsResumed) {
  Attempt first, second;
  first.training += " save_total_limit: 100";
  first.Run().value();
  second.context.resume = CheckpointPath(first.folder, 4);
  second.training = first.training;
  EXPECT_EQ(second.Run().status().code(), absl::StatusCode::kOk);
  EXPECT_EQ(second.task.Bytes(), first.task.Bytes());
  EXPECT_THAT(second.task.micro_batches, SizeIs(8));
  EXPECT_EQ(second.sink->rows.front().step, 5);  // the other folder's figures are not this one's
  Attempt third;
  third.context.resume = "/no/such/checkpoint";
  EXPECT_THAT(std::string(third.Run().status().message()), HasSubstr("/no/such/checkpoint"));
}

TEST_F(TrainTest, AnotherRecipeIsRefusedByTheFieldThatDiffers) {
  const auto resume = [](const std::string& before, const std::string& after) {
    Attempt first, second;
    const auto first_recipe = Parse<TrainingOptions>(before);
    const auto second_recipe = Parse<TrainingOptions>(after);
    first.context.recipe = &first_recipe;
    second.context.recipe = &second_recipe;
    second.context.fields_that_may_differ = {"plumb.TrainingOptions.logging_steps"};
    second.folder = first.folder;
    second.sink = first.sink;
    first.Run().value();
    const absl::StatusOr<TrainResult> result = second.Run();
    return std::string(result.status().message());
  };
  EXPECT_EQ(resume("save_steps: 1 logging_steps: 1", "save_steps: 1 logging_steps: 2"), "");
  const std::string refused = resume("save_steps: 1", "save_steps: 2");
  EXPECT_THAT(refused, HasSubstr("checkpoint-12 was made by a different recipe: save_steps: 1 -> 2"));
  EXPECT_THAT(refused, HasSubstr("--resume=never"));
}

TEST_F(TrainTest, OtherDataOrAnotherLengthIsRefused) {
  Attempt first, data, length, model;
  for (Attempt* attempt : {&data, &length, &model}) {
    attempt->folder = first.folder;
    attempt->sink = first.sink;
  }
  first.Run().value();
  data.task = TinyTask(at::kFloat, 22);
  EXPECT_THAT(std::string(data.Run().status().message()),
              HasSubstr("its data has 21 examples, this one's 22"));
  length.training = "max_steps: 13";
  EXPECT_THAT(std::string(length.Run().status().message()), HasSubstr("it plans 12 steps, this one 13"));
  model.task = TinyTask(at::kFloat, 21, 6);
  EXPECT_THAT(std::string(model.Run().status().message()),
              HasSubstr("linear.weight is [5] float32, this model's is [6] float32"));
}

TEST_F(TrainTest, TwoProcessesDoNotTrainInOneFolder) {
  Attempt attempt;
  const FolderLock lock = FolderLock::Take(attempt.folder).value();
  EXPECT_THAT(std::string(attempt.Run().status().message()), HasSubstr("another process trains in"));
}

TEST_F(TrainTest, SaysWhatItCannotTrain) {
  Attempt attempt;
  attempt.task = TinyTask(at::kFloat, 0);
  EXPECT_THAT(std::string(attempt.Run().status().message()), HasSubstr("tiny: no training examples"));
}

// --- Damaged checkpoints ---

// A training stopped at step 7, with checkpoints 6 and 7.
std::string StoppedTraining() {
  Attempt attempt;
  attempt.sink->interrupt_at = 7;
  EXPECT_FALSE(attempt.Run().ok());
  SetInterruptRequested(false);
  EXPECT_THAT(ListCheckpoints(attempt.folder), ElementsAre(7, 6));
  return attempt.folder;
}

void ChangeFile(const std::string& path, const std::function<void(std::string*)>& change) {
  std::string contents = ReadFile(path).value();
  change(&contents);
  PLUMB_ASSERT_OK(WriteFileAtomically(path, contents));
}

const char* const kFiles[] = {"parameters.safetensors", "optimizer.safetensors", "train_state.json",
                              "recipe.textproto", "checksums.json"};

TEST_F(TrainTest, ADamagedCheckpointIsPassedOverForTheOneBefore) {
  Attempt undisturbed;
  undisturbed.Run().value();
  const auto recipe = Parse<TrainingOptions>("");
  for (const std::string file : kFiles) {
    for (const std::string damage : {"flipped", "cut", "missing"}) {
      if (file == "recipe.textproto" && damage != "missing") continue;  // empty here
      SCOPED_TRACE(file + " " + damage);
      Attempt attempt;
      attempt.folder = StoppedTraining();
      attempt.sink->rows.resize(100);
      const std::string path = CheckpointPath(attempt.folder, 7) + "/" + file;
      if (damage == "missing") {
        ASSERT_EQ(std::remove(path.c_str()), 0);
      } else if (damage == "cut") {
        ChangeFile(path, [](std::string* text) { text->resize(text->size() / 2); });
      } else {
        ChangeFile(path, [](std::string* text) { (*text)[text->size() / 2] ^= 1; });
      }
      EXPECT_EQ(attempt.Run().value().resumed_at_step, 6);
      EXPECT_EQ(attempt.task.Bytes(), undisturbed.task.Bytes());
      EXPECT_THAT(attempt.log, HasSubstr("checkpoint-7 is damaged and is passed over: "));
      if (file != "checksums.json") {
        EXPECT_THAT(attempt.log, HasSubstr("checkpoint-7/" + file));
      }
    }
  }
}

TEST_F(TrainTest, EveryFlippedBitOfAStateIsNoticed) {
  const std::string checkpoint = CheckpointPath(StoppedTraining(), 7);
  const std::string path = checkpoint + "/optimizer.safetensors";
  const std::string contents = ReadFile(path).value();
  PLUMB_EXPECT_OK(VerifyCheckpoint(checkpoint));
  for (size_t bit = 0; bit < 8 * contents.size(); bit += 97) {
    std::string flipped = contents;
    flipped[bit / 8] ^= 1 << bit % 8;
    PLUMB_ASSERT_OK(WriteFileAtomically(path, flipped));
    EXPECT_EQ(VerifyCheckpoint(checkpoint).code(), absl::StatusCode::kDataLoss) << bit;
  }
}

TEST_F(TrainTest, WhenNoCheckpointIsWholeTheUserDecides) {
  Attempt attempt;
  attempt.folder = StoppedTraining();
  for (const int64_t step : {6, 7}) {
    ChangeFile(CheckpointPath(attempt.folder, step) + "/train_state.json",
               [](std::string* text) { text->resize(3); });
  }
  EXPECT_THAT(std::string(attempt.Run().status().message()), HasSubstr("--resume=never"));
  attempt.context.resume = CheckpointPath(attempt.folder, 7);
  EXPECT_THAT(std::string(attempt.Run().status().message()), HasSubstr("train_state.json has 3 bytes"));
}

TEST_F(TrainTest, LeftoversOfAKilledWriterAreRemoved) {
  Attempt attempt;
  attempt.folder = StoppedTraining();
  for (const std::string name : {"checkpoint-8.tmp.123", "checkpoint-2.old.123"}) {
    PLUMB_ASSERT_OK(MakeFolders(attempt.folder + "/" + name));
  }
  PLUMB_ASSERT_OK(MakeFolders(attempt.folder + "/samples.tmp.1"));
  attempt.sink->rows.resize(100);
  attempt.Run().value();
  EXPECT_FALSE(FileExists(attempt.folder + "/checkpoint-8.tmp.123"));
  EXPECT_FALSE(FileExists(attempt.folder + "/checkpoint-2.old.123"));
  EXPECT_TRUE(FileExists(attempt.folder + "/samples.tmp.1"));  // not ours
}

// --- Best model, early stop, which checkpoints stay ---

TEST_F(TrainTest, OldCheckpointsGo) {
  Attempt attempt;
  attempt.training = "max_steps: 9 save_steps: 2 save_total_limit: 3";
  attempt.Run().value();
  EXPECT_THAT(ListCheckpoints(attempt.folder), ElementsAre(9, 8, 6));
}

TEST_F(TrainTest, TheBestModelIsKeptAndTakenAtTheEnd) {
  Attempt best, stopped;
  best.training = "max_steps: 9 save_steps: 2 save_total_limit: 2";
  best.eval = "every_steps: 1 metric_for_best_model: 'score' load_best_model_at_end: true";
  best.task.scores = {9, 1, 2, 7, 3, 4, 5, 6, 6, 6};  // the first is before training
  const TrainResult result = best.Run().value();
  EXPECT_EQ(result.best_step, 3);
  EXPECT_EQ(result.best_metric, 7);
  EXPECT_THAT(ListCheckpoints(best.folder), ElementsAre(9, 3));
  EXPECT_THAT(best.log, HasSubstr("taking the best model, " + best.folder + "/checkpoint-3\n"));
  // What it has now is what three steps give.
  stopped.training = best.training;
  stopped.sink->interrupt_at = 3;
  EXPECT_FALSE(stopped.Run().ok());
  EXPECT_EQ(best.task.Bytes(), stopped.task.Bytes());
  // And once more, from the finished training.
  SetInterruptRequested(false);
  Attempt again;
  again.training = best.training;
  again.eval = best.eval;
  again.folder = best.folder;
  EXPECT_EQ(again.Run().value().best_step, 3);
  EXPECT_EQ(again.task.Bytes(), stopped.task.Bytes());
}

TEST_F(TrainTest, StopsEarly) {
  Attempt attempt;
  attempt.training = "max_steps: 9 logging_steps: 4";
  attempt.eval = "every_steps: 1 metric_for_best_model: 'score' early_stopping_patience: 2";
  attempt.task.scores = {0, 1, 2, 1, 1, 5, 5};
  const TrainResult result = attempt.Run().value();
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.steps, 4);
  EXPECT_EQ(result.best_step, 2);
  EXPECT_THAT(attempt.log, HasSubstr("tiny: stopped early: no gain in 2 evaluations"));
  EXPECT_THAT(attempt.sink->Column("loss"), SizeIs(1));
  // Going on finds nothing to do.
  Attempt again;
  again.training = attempt.training;
  again.eval = attempt.eval;
  again.folder = attempt.folder;
  EXPECT_TRUE(again.Run().value().stopped_early);
  EXPECT_EQ(again.task.Bytes(), attempt.task.Bytes());
}

TEST_F(TrainTest, SaysWhatIsToBeSaidOfEvaluationsAfterTheFirst) {
  Attempt attempt;
  attempt.training = "max_steps: 3 logging_steps: 1";
  attempt.eval = "every_steps: 1";
  attempt.task.scores = {3, 4, 5, 6};
  attempt.context.evaluation_warning = [](const auto& first, const auto& last) {
    return last.at("eval_score") == 5 ? absl::StrCat(first.at("eval_score"), " became 5") : "";
  };
  attempt.Run().value();
  EXPECT_THAT(attempt.log, HasSubstr("tiny: step 2: 3 became 5\n"));
  EXPECT_THAT(attempt.log, Not(HasSubstr("tiny: step 1:")));
  EXPECT_THAT(attempt.log, Not(HasSubstr("tiny: step 3:")));
}

TEST_F(TrainTest, AnUnknownMetricIsToldBeforeTheFirstStep) {
  Attempt attempt;
  attempt.eval = "metric_for_best_model: 'eval_los'";
  EXPECT_THAT(std::string(attempt.Run().status().message()), HasSubstr("did you mean 'eval_loss'?"));
  EXPECT_THAT(attempt.task.micro_batches, SizeIs(0));
}

}  // namespace
}  // namespace plumb
