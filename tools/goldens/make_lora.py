"""PEFT adapters on the tiny models of make_models.py, with the logits that PEFT computes.

Makes common/nn/testdata/lora_<name>/: adapter_config.json, adapter_model.safetensors as PEFT writes them, and
golden.safetensors: input_ids [1, T], logits [1, T, V] with the adapter on, base_logits with it off. The name of the
base folder is in the header (`base`).

    python tools/goldens/make_lora.py
"""

import json
import shutil

import golden_io
import peft
import torch
import transformers

OUT = golden_io.ROOT / "common/nn/testdata"
PEER = golden_io.peers("peft", "transformers", "torch")

ADAPTERS = {
    "lora_llama": ("llama", dict(target_modules=["q_proj", "v_proj"])),
    "lora_llama_rslora": ("llama", dict(target_modules="all-linear", use_rslora=True)),
    "lora_gpt2": ("gpt2", dict(target_modules=["c_attn"], fan_in_fan_out=True)),
}


def tidy_config(folder, base):
    """A path that does not depend on where this ran, and keys and modules in one order."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = base
    config["target_modules"] = sorted(config["target_modules"])
    golden_io.save_json(path, config)


@torch.no_grad()
def write_adapter(name, base, options, seed):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(OUT / base)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, lora_dropout=0.05, **options)
    model = peft.get_peft_model(model, config)
    torch.manual_seed(seed)
    for parameter_name, parameter in model.named_parameters():
        if "lora_" in parameter_name:
            parameter.normal_(std=0.2)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    tidy_config(folder, base)

    reopened = transformers.AutoModelForCausalLM.from_pretrained(OUT / base)
    reopened = peft.PeftModel.from_pretrained(reopened, folder).eval()
    input_ids = torch.randint(3, 96, (1, 24), generator=torch.Generator().manual_seed(7))
    logits = reopened(input_ids).logits
    with reopened.disable_adapter():
        base_logits = reopened(input_ids).logits
    assert (logits - base_logits).abs().max() > 0.5
    tensors = {"input_ids": input_ids, "logits": logits, "base_logits": base_logits}
    golden_io.save_tensors(folder / "golden.safetensors", tensors, PEER, base=base)


def main():
    for seed, (name, (base, options)) in enumerate(ADAPTERS.items()):
        write_adapter(name, base, options, seed)


if __name__ == "__main__":
    main()
