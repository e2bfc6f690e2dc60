"""Tiny random HF folders with the logits that transformers computes from them.

Makes common/nn/testdata/<name>/: config.json, generation_config.json, model.safetensors as save_pretrained writes
them, golden.safetensors (input_ids [1, T] int64, logits [1, T, V] f32) and, for some, generate.json (greedy ids).
The header of golden.safetensors also says how far float32 is from float64 here: the floor for a comparison.

    python tools/goldens/make_models.py
"""

import copy
import json
import shutil

import golden_io
import safetensors.torch
import torch
import transformers

OUT = golden_io.ROOT / "common/nn/testdata"
PEER = golden_io.peers("transformers", "torch")
VOCAB = 96
LENGTH = 24

LLAMA = dict(
    vocab_size=VOCAB,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
)
# Eight frequencies and a small theta, so that each scaling meets positions below, between and above its bounds.
ROPE = dict(LLAMA, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, hidden_size=24, head_dim=16)

ROPE_PARAMETERS = {
    "linear": {"rope_type": "linear", "factor": 2.5},
    "dynamic": {"rope_type": "dynamic", "factor": 2.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
    "yarn_mscale": {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 32,
        "beta_fast": 8.0,
        "beta_slow": 0.5,
        "mscale": 0.7,
        "mscale_all_dim": 0.4,
        "truncate": False,
    },
    "llama3": {
        "rope_type": "llama3",
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
}


def random_model(config, seed):
    """A model whose weights, biases and norms are all random, and large enough for logits that are not flat."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(std=0.3)
            if name.endswith("weight") and parameter.ndim == 1:  # a norm's scale
                parameter.add_(1.0)
    return model.eval()


def token_ids(length, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, VOCAB, (1, length), generator=generator)


@torch.no_grad()
def write_golden(folder, model, extra=None):
    """Reopens the folder, so that what is compared is what the files say."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    input_ids = token_ids(LENGTH, seed=7)
    logits = model(input_ids).logits
    exact = copy.deepcopy(model).double()(input_ids).logits
    golden_io.save_tensors(
        folder / "golden.safetensors",
        {"input_ids": input_ids, "logits": logits, **(extra or {})},
        PEER,
        max_abs_diff_float64=f"{(logits - exact).abs().max():.3g}",
    )


def write_folder(name, config, seed, **save_options):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model = random_model(config, seed)
    model.save_pretrained(folder, **save_options)
    write_golden(folder, model)
    return model


def read_config(folder):
    return json.loads((folder / "config.json").read_text())


def spell_as_transformers_4(config):
    """rope_parameters -> rope_theta and rope_scaling; dtype -> torch_dtype."""
    config = dict(config)
    rope = dict(config.pop("rope_parameters"))
    config["rope_theta"] = rope.pop("rope_theta")
    if rope["rope_type"] == "default":
        config["rope_scaling"] = None
    else:
        if rope["rope_type"] in ("linear", "dynamic"):  # the oldest spelling of the key
            rope["type"] = rope.pop("rope_type")
        config["rope_scaling"] = rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    return config


def write_with_old_config(name):
    """The same folder with the config.json that transformers 4 wrote; transformers must read both alike."""
    new, old = OUT / name, OUT / f"{name}_old_config"
    shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(new, old)
    golden_io.save_json(old / "config.json", spell_as_transformers_4(read_config(new)))
    write_golden(old, None)
    logits = [safetensors.torch.load_file(folder / "golden.safetensors")["logits"] for folder in (new, old)]
    assert torch.equal(*logits), name


def write_gpt2_hub_names():
    """The names of the first published GPT-2: no "transformer." and the causal masks kept as tensors."""
    source, folder = OUT / "gpt2", OUT / "gpt2_hub_names"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    (folder / "generate.json").unlink(missing_ok=True)
    weights = safetensors.torch.load_file(source / "model.safetensors")
    renamed = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    for layer in range(2):
        renamed[f"h.{layer}.attn.bias"] = torch.ones(64, 64).tril().reshape(1, 1, 64, 64)
    safetensors.torch.save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    write_golden(folder, None)
    logits = [safetensors.torch.load_file(f / "golden.safetensors")["logits"] for f in (source, folder)]
    assert torch.equal(*logits)


def write_bf16():
    folder = OUT / "llama_bf16"
    shutil.rmtree(folder, ignore_errors=True)
    model = random_model(transformers.LlamaConfig(**LLAMA), seed=3).to(torch.bfloat16)
    model.save_pretrained(folder)
    with torch.no_grad():
        logits = model(token_ids(LENGTH, seed=7)).logits
    write_golden(folder, model, {"logits_bf16": logits})


@torch.no_grad()
def write_generation(name):
    """Greedy continuations of three prompts, plain and with a repetition penalty. No step is a near tie."""
    folder = OUT / name
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    cases = []
    for penalty in (1.0, 1.3):
        for seed, length in ((11, 1), (12, 6), (13, 10)):
            prompt = token_ids(length, seed)
            out = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=False,
                max_new_tokens=20,
                repetition_penalty=penalty,
                pad_token_id=0,
                return_dict_in_generate=True,
                output_scores=True,
            )
            best = torch.stack(out.scores).topk(2).values
            gap = (best[..., 0] - best[..., 1]).min().item()
            assert gap > 1e-3, f"{name}: near tie ({gap})"
            cases.append(
                {
                    "prompt_ids": prompt[0].tolist(),
                    "max_new_tokens": 20,
                    "repetition_penalty": penalty,
                    "output_ids": out.sequences[0, length:].tolist(),
                }
            )
    golden_io.save_json(folder / "generate.json", {"eos_token_id": model.generation_config.eos_token_id, "cases": cases}, PEER)


def write_logits_processors():
    """Scores after generate's own processors for sampling, in generate's order."""
    torch.manual_seed(5)
    rows, vocab, length = 4, 50, 12
    scores = torch.randn(rows, vocab) * 3
    previous = torch.randint(0, vocab, (rows, length))
    model = random_model(transformers.LlamaConfig(**LLAMA), seed=1)
    settings = [
        {"temperature": 0.7},
        {"temperature": 1.8},
        {"top_k": 5},
        {"top_k": 200},
        {"top_p": 0.9},
        {"top_p": 0.3},
        {"top_p": 0.01},
        {"repetition_penalty": 1.3},
        {"repetition_penalty": 0.8},
        {"temperature": 0.7, "top_k": 8, "top_p": 0.9},
        {"temperature": 1.5, "top_k": 20, "top_p": 0.6, "repetition_penalty": 1.2},
    ]
    neutral = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0}
    tensors = {"scores": scores, "previous_ids": previous}
    cases = []
    for index, setting in enumerate(settings):
        config = transformers.GenerationConfig(do_sample=True, **{**neutral, **setting})
        processors = model._get_logits_processor(generation_config=config, input_ids_seq_length=length)
        tensors[f"case_{index}"] = processors(previous, scores.clone())
        cases.append({"name": f"case_{index}", **{**neutral, **setting}})
    golden_io.save_tensors(OUT / "logits_processors/golden.safetensors", tensors, PEER, cases=json.dumps(cases))


def main():
    llama = transformers.LlamaConfig
    write_folder("llama", llama(**LLAMA), seed=1)
    write_with_old_config("llama")
    write_folder("llama_tied", llama(**LLAMA, tie_word_embeddings=True), seed=2)
    write_folder("llama_sharded", llama(**LLAMA), seed=4, max_shard_size="50KB")
    write_folder("llama_bias", llama(**LLAMA, attention_bias=True, mlp_bias=True), seed=5)
    write_folder("llama_head_dim", llama(**dict(LLAMA, head_dim=12)), seed=6)
    write_bf16()
    for name, parameters in ROPE_PARAMETERS.items():
        limit = 16 if name == "dynamic" else 128
        config = dict(ROPE, max_position_embeddings=limit, rope_parameters={**parameters, "rope_theta": 100.0})
        write_folder(f"llama_rope_{name}", llama(**config), seed=8)
        write_with_old_config(f"llama_rope_{name}")
    write_folder("mistral", transformers.MistralConfig(**LLAMA, sliding_window=8), seed=9)
    write_folder("qwen2", transformers.Qwen2Config(**LLAMA, bos_token_id=1, eos_token_id=2), seed=10)
    gpt2 = dict(vocab_size=VOCAB, n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2)
    write_folder("gpt2", transformers.GPT2Config(**gpt2), seed=11)
    write_gpt2_hub_names()
    for name in ("llama", "llama_tied", "mistral", "qwen2", "gpt2"):
        write_generation(name)
    write_logits_processors()


if __name__ == "__main__":
    main()
