"""Opens a folder that our programs saved in transformers, or an adapter in PEFT, and compares the numbers.

The safetensors file holds input_ids [B, T] int64 and what our program computes from them: logits [B, T, V], or rewards [B]
for a model with a score head (//tools:write_logits writes it). The model must load without a missing or unexpected tensor; a
tokenizer in the folder must load too. Prints the largest absolute difference; exit code 1 when it is above the tolerance.

    python tools/goldens/check_saved_folders.py MODEL_FOLDER LOGITS.safetensors [--adapter ADAPTER_FOLDER]
"""

import argparse
import pathlib
import sys

import golden_io
import peft
import safetensors.torch
import torch
import transformers


def load_model(folder, with_score_head):
    auto = transformers.AutoModelForSequenceClassification if with_score_head else transformers.AutoModelForCausalLM
    model, info = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info.get(problem):
            sys.exit(f"{folder}: {problem}: {sorted(info[problem])}")
    return model


def load_adapter(model, folder):
    config = peft.PeftConfig.from_pretrained(folder)
    model = peft.get_peft_model(model, config)
    weights = peft.load_peft_weights(folder, device="cpu")
    result = peft.set_peft_model_state_dict(model, weights)
    missing = [name for name in result.missing_keys if "lora_" in name]
    if missing or result.unexpected_keys:
        sys.exit(f"{folder}: missing {missing}, unexpected {result.unexpected_keys}")
    return model


def check_tokenizer(folder):
    if not any((pathlib.Path(folder) / name).exists() for name in ("tokenizer.json", "tokenizer.model")):
        return "no tokenizer in the folder"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = "Hello, it's 2024.\n"
    back = tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"])
    if back != text:
        sys.exit(f"{folder}: the tokenizer turns {text!r} into {back!r}")
    return f"tokenizer of {len(tokenizer)} tokens, eos {tokenizer.eos_token!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_folder")
    parser.add_argument("logits")
    parser.add_argument("--adapter")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    flags = parser.parse_args()

    ours = safetensors.torch.load_file(flags.logits)
    name = "rewards" if "rewards" in ours else "logits"
    model = load_model(flags.model_folder, with_score_head=name == "rewards")
    if flags.adapter:
        model = load_adapter(model, flags.adapter)
    with torch.no_grad():
        theirs = model.eval()(ours["input_ids"]).logits
    if name == "rewards":
        theirs = theirs.reshape(-1)
    if theirs.shape != ours[name].shape:
        sys.exit(f"{flags.logits}: {name} is {tuple(ours[name].shape)}, transformers gives {tuple(theirs.shape)}")
    difference = (theirs - ours[name].float()).abs().max().item()
    print(f"{golden_io.peers('transformers', 'peft', 'torch')}: {flags.model_folder} {flags.adapter or ''}")
    print(f"{check_tokenizer(flags.model_folder)}; largest difference of {name} {difference:.3g}")
    sys.exit(0 if difference <= flags.tolerance else 1)


if __name__ == "__main__":
    main()
