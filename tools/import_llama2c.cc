// Makes a Hugging Face folder of a llama2.c checkpoint and its tokenizer.

#include <cstdio>
#include <memory>

#include "common/data/llama2c_tokenizer.h"
#include "common/files/files.h"
#include "common/nn/llama2c.h"
#include "common/nn/pretrained.h"
#include "common/program/program.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

absl::Status Run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 3) {
    return absl::InvalidArgumentError(
        "three paths are expected: import_llama2c MODEL.bin TOKENIZER.bin FOLDER");
  }
  const std::string &model_path = arguments[0], &tokenizer_path = arguments[1], &folder = arguments[2];
  PLUMB_ASSIGN_OR_RETURN(const std::string model_bytes, ReadFile(model_path));
  PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<CausalLm> model, ReadLlama2c(model_bytes, model_path));
  PLUMB_ASSIGN_OR_RETURN(const std::string tokenizer_bytes, ReadFile(tokenizer_path));
  PLUMB_ASSIGN_OR_RETURN(const Llama2cTokenizerFiles tokenizer,
                         ConvertLlama2cTokenizer(tokenizer_bytes, tokenizer_path));
  if (FileExists(folder)) return absl::AlreadyExistsError(folder + ": is there already");
  PLUMB_RETURN_IF_ERROR(WriteFolderAtomically(folder, [&](const std::string& temporary) -> absl::Status {
    PLUMB_RETURN_IF_ERROR(SaveCausalLm(*model, temporary));
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(temporary + "/tokenizer.model", tokenizer.model));
    return WriteFileAtomically(temporary + "/tokenizer_config.json", tokenizer.config_json);
  }));
  std::printf("%s\n", folder.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunProgram(argc, argv,
                           "import_llama2c MODEL.bin TOKENIZER.bin FOLDER\n"
                           "Makes a Hugging Face folder of a llama2.c checkpoint and its tokenizer.",
                           plumb::Run);
}
