// What may befall a training, and what must be left: a kill at any instant, a full disk, damaged files.

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/tensor/random.h"
#include "common/testing/mutate.h"
#include "common/testing/subprocess.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kInterrupted = 130;
constexpr int kKilled = 128 + SIGKILL;

std::string Data(const std::string& path) { return Runfile("alignment/testdata/trl_dpo/" + path); }

// SFT and DPO of the tiny model on the tiny pairs.
std::string RecipeText(const std::string& model, const std::string& train) {
  return absl::StrCat(
      "name: 'faults'\nmodel { pretrained: '", model, "' }\ndata { preference { path: '", train,
      "' } eval_preference { path: '", Data("eval.jsonl"),
      "' } max_length: 128 }\nstage { name: 'sft' objective { sft {} } training { max_steps: 8 ",
      "save_steps: 3 logging_steps: 2 } samples { max_new_tokens: 4 } }\n",
      "stage { name: 'dpo' objective { dpo { beta: 0.1 } } training { max_steps: 30 save_steps: "
      "4 logging_steps: 2 } eval { every_steps: 10 } samples { max_new_tokens: 4 } }\n");
}

// One folder with a recipe, and runs of it.
class Training {
 public:
  Training() : folder_(TemporaryFolder()) { SetRecipe(RecipeText(Data("model"), Data("train.jsonl"))); }

  void SetRecipe(const std::string& text) {
    PLUMB_EXPECT_OK(WriteFileAtomically(folder_ + "/recipe.textproto", text));
  }

  std::string Command(const std::string& output, const std::string& more = "") const {
    return absl::StrCat(Runfile("alignment/train"), " --recipe=", folder_,
                        "/recipe.textproto --set=output_dir=", output, " --set=threads=1 ", more);
  }

  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

std::string Weights(const std::string& output, const std::string& stage) {
  const auto bytes = ReadFile(absl::StrCat(output, "/", stage, "/model/model.safetensors"));
  PLUMB_EXPECT_OK(bytes);
  return bytes.value_or("");
}

// The figures, without what depends on the clock.
std::vector<std::string> Losses(const std::string& output) {
  std::vector<std::string> losses;
  const std::string text = ReadFile(output + "/metrics.jsonl").value_or("");
  for (size_t at = text.find("\"loss\":"); at != std::string::npos; at = text.find("\"loss\":", at + 1)) {
    losses.push_back(text.substr(at, text.find_first_of(",}", at) - at));
  }
  return losses;
}

TEST(TrainFaults, AKilledRunEndsAsTheUndisturbedOne) {
  const Training training;
  const std::string undisturbed = training.folder() + "/undisturbed", killed = training.folder() + "/killed";
  const auto start = std::chrono::steady_clock::now();
  const Ended ended = RunCommand(training.Command(undisturbed));
  const std::chrono::duration<double, std::milli> duration = std::chrono::steady_clock::now() - start;
  ASSERT_EQ(ended.exit_code, 0) << ended.errors;
  const RandomStream random(fs::file_size(undisturbed + "/dpo/model/model.safetensors"), "kill");
  int kills = 0, resumed_sft = 0, resumed_dpo = 0;
  // Ten kills, and more while no run has gone on from a checkpoint of each stage.
  const auto enough = [&] { return kills >= 10 && resumed_sft > 0 && resumed_dpo > 0; };
  for (int i = 0; i < 400 && !enough(); ++i) {
    // Most land after start-up; when a run comes to its end, the next starts afresh.
    const auto milliseconds = static_cast<int>(duration.count() * (0.1 + 0.9 * random.Uniform(i)));
    const Ended run = RunAndSignal(training.Command(killed), milliseconds, SIGKILL);
    ASSERT_THAT(run.exit_code, testing::AnyOf(0, kKilled)) << run.errors;
    if (run.exit_code == kKilled) ++kills;
    resumed_sft += absl::StrContains(run.errors, "sft: going on from");
    resumed_dpo += absl::StrContains(run.errors, "dpo: going on from");
    if (run.exit_code == 0 && !enough()) {
      PLUMB_ASSERT_OK(RemoveFolder(killed));
    }
  }
  EXPECT_TRUE(enough()) << kills << " kills, resumed " << resumed_sft << " and " << resumed_dpo << " times";
  const Ended last = RunCommand(training.Command(killed));
  ASSERT_EQ(last.exit_code, 0) << last.errors;
  for (const char* stage : {"sft", "dpo"}) {
    EXPECT_TRUE(Weights(killed, stage) == Weights(undisturbed, stage)) << stage;
  }
  EXPECT_EQ(Losses(killed), Losses(undisturbed));
}

TEST(TrainFaults, AnInterruptedRunSavesAndGoesOn) {
  const Training training;
  const std::string undisturbed = training.folder() + "/undisturbed",
                    stopped = training.folder() + "/stopped";
  const std::string longer = "--set=stage[1].training.max_steps=200";
  Ended run;
  for (int milliseconds = 900; milliseconds < 20000; milliseconds += 300) {
    run = RunAndSignal(training.Command(stopped, longer), milliseconds, SIGINT);
    if (absl::StrContains(run.errors, "dpo: stopped after step")) break;
  }
  ASSERT_EQ(run.exit_code, kInterrupted) << run.errors;
  EXPECT_THAT(run.errors, HasSubstr("the same command goes on from there"));
  EXPECT_TRUE(FileExists(stopped + "/report.html"));
  ASSERT_EQ(RunCommand(training.Command(stopped, longer)).exit_code, 0);
  ASSERT_EQ(RunCommand(training.Command(undisturbed, longer)).exit_code, 0);
  EXPECT_TRUE(Weights(stopped, "dpo") == Weights(undisturbed, "dpo"));
}

TEST(TrainFaults, AnotherRecipeInTheSameFolderIsRefused) {
  const Training training;
  const std::string output = training.folder() + "/run";
  ASSERT_EQ(RunCommand(training.Command(output)).exit_code, 0);
  const std::string recipe = ReadFile(output + "/recipe.textproto").value();
  const Ended refused =
      RunCommand(training.Command(output, "--set=stage[0].optimizer.adamw.learning_rate=1e-3"));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("learning_rate"));
  EXPECT_EQ(ReadFile(output + "/recipe.textproto").value(), recipe);
  // A later stage's too, before the first is touched.
  const Ended later = RunCommand(training.Command(output, "--set=stage[1].objective[0]={dpo{beta:0.3}}"));
  EXPECT_EQ(later.exit_code, 2);
  EXPECT_THAT(later.errors, HasSubstr("stage[1].objective[0].dpo.beta: 0.1 -> 0.3"));
  EXPECT_EQ(ReadFile(output + "/recipe.textproto").value(), recipe);
  // What does not decide the result may change.
  const Ended done = RunCommand(training.Command(output, "--set=stage[0].training.logging_steps=5"));
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_THAT(done.errors, HasSubstr("already trained"));
}

TEST(TrainFaults, OtherDataInTheSameFolderIsRefusedAndStartingAfreshForgetsAll) {
  Training training;
  const std::string output = training.folder() + "/run", train = training.folder() + "/train.jsonl";
  std::string rows = ReadFile(Data("train.jsonl")).value();
  PLUMB_ASSERT_OK(WriteFileAtomically(train, rows));
  training.SetRecipe(RecipeText(Data("model"), train));
  ASSERT_EQ(RunCommand(training.Command(output)).exit_code, 0);
  const size_t word = rows.find("tips");
  ASSERT_NE(word, std::string::npos);
  PLUMB_ASSERT_OK(WriteFileAtomically(train, rows.replace(word, 4, "cats")));
  const Ended refused = RunCommand(training.Command(output));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("the training data is not what it was"));
  // Stopped within the first stage, nothing of the second is left that the old data made.
  Ended stopped;
  for (int milliseconds = 400; milliseconds < 20000; milliseconds += 60) {
    stopped = RunAndSignal(training.Command(output, "--resume=never"), milliseconds, SIGKILL);
    if (absl::StrContains(stopped.errors, "sft: step 0/")) break;
  }
  EXPECT_EQ(stopped.exit_code, kKilled);
  if (!absl::StrContains(stopped.errors, "dpo: ")) {
    EXPECT_FALSE(FileExists(output + "/dpo/model"));
  }
  const Ended again = RunCommand(training.Command(output));
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_THAT(again.errors, testing::Not(HasSubstr("dpo: already trained")));
}

// A file system of its own, with so much room. Needs to be root.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& size) : folder_(TemporaryFolder()) {
    mounted_ = mount("tmpfs", folder_.c_str(), "tmpfs", 0, absl::StrCat("size=", size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount(folder_.c_str());
  }
  bool mounted() const { return mounted_; }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  bool mounted_;
};

TEST(TrainFaults, AFullDiskIsToldAndLeavesNothingHalfWritten) {
  const Training training;
  const std::string whole = training.folder() + "/whole";
  ASSERT_EQ(RunCommand(training.Command(whole)).exit_code, 0);
  // From nothing to nearly enough: each size ends at another write.
  for (const char* size : {"8k", "60k", "300k", "500k", "700k"}) {
    const SmallDisk disk(size);
    if (!disk.mounted()) GTEST_SKIP() << "skipped: mounting a small tmpfs needs root";
    const std::string output = disk.folder() + "/run";
    const Ended ended = RunCommand(training.Command(output));
    EXPECT_EQ(ended.exit_code, 2) << size << ended.errors;
    EXPECT_THAT(ended.errors, HasSubstr("No space left on device")) << size;
    for (const char* stage : {"sft", "dpo"}) {
      const std::string model = absl::StrCat(output, "/", stage, "/model");
      if (FileExists(model)) {
        EXPECT_TRUE(Weights(output, stage) == Weights(whole, stage)) << size;
      }
    }
    // With room again the run goes on.
    ASSERT_EQ(mount("tmpfs", disk.folder().c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
    const Ended again = RunCommand(training.Command(output));
    EXPECT_EQ(again.exit_code, 0) << size << again.errors;
    EXPECT_TRUE(Weights(output, "dpo") == Weights(whole, "dpo")) << size;
  }
}

// Readers have mutation tests of their own; here what a user sees of it.
TEST(TrainFaults, DamagedFilesGiveOneClearLine) {
  Training training;
  const std::string model = training.folder() + "/model", train = training.folder() + "/train.jsonl";
  const std::string recipe = RecipeText(model, train);
  const std::vector<std::string> files = {"model.safetensors", "config.json", "tokenizer.json", "train.jsonl",
                                          "recipe.textproto"};
  int refused = 0;
  for (size_t i = 0; i < 10; ++i) {
    PLUMB_ASSERT_OK(RemoveFolder(model));
    fs::copy(fs::canonical(Data("model/config.json")).parent_path(), model);
    fs::copy_file(Data("train.jsonl"), train, fs::copy_options::overwrite_existing);
    training.SetRecipe(recipe);
    const std::string& name = files[i % files.size()];
    const std::string path = (name == "train.jsonl" || name == "recipe.textproto")
                                 ? absl::StrCat(training.folder(), "/", name)
                                 : absl::StrCat(model, "/", name);
    const std::string original = ReadFile(path).value();
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
    fs::remove(path);
    const Mutation mutation = i < files.size() ? Mutation{original.substr(0, original.size() * 2 / 3), "cut"}
                                               : Mutate(original, i, 200);
    PLUMB_ASSERT_OK(WriteFileAtomically(path, mutation.bytes));
    const Ended ended = RunCommand(training.Command(training.folder() + "/run", "--resume=never"));
    EXPECT_THAT(ended.exit_code, testing::AnyOf(0, 2)) << name << ": " << mutation.what << ended.errors;
    if (ended.exit_code == 0) continue;
    ++refused;
    const size_t error = ended.errors.find("error: ");
    ASSERT_NE(error, std::string::npos) << ended.errors;
    EXPECT_EQ(ended.errors.find('\n', error), ended.errors.size() - 1) << ended.errors;
  }
  EXPECT_GE(refused, 4);
}

}  // namespace
}  // namespace plumb
