"""What the golden training runs of TRL share: the tiny model, the pairs, the arguments, and a record of every step."""

import json
import os
import pathlib
import shutil
import tempfile

os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()
os.environ["TQDM_DISABLE"] = "1"

import golden_io
import make_tokenizers
import torch
import transformers

PEER = golden_io.peers("trl", "transformers", "peft", "torch")
TRAIN_ROWS, EVAL_ROWS = 80, 12
STEPS = 20

# Arguments of every run, as TRL names them. Rows come in the file's order.
ARGUMENTS = dict(
    max_steps=STEPS,
    per_device_train_batch_size=4,
    per_device_eval_batch_size=4,
    gradient_accumulation_steps=1,
    learning_rate=2e-3,
    lr_scheduler_type="linear",
    warmup_steps=4,
    optim="adamw_torch",
    adam_beta1=0.9,
    adam_beta2=0.999,
    adam_epsilon=1e-8,
    weight_decay=0.0,
    max_grad_norm=1.0,
    max_length=128,
    train_sampling_strategy="sequential",
    seed=42,
)
# These change no number, only the speed or the files.
SILENT = dict(
    bf16=False,
    use_cpu=True,
    gradient_checkpointing=False,
    logging_steps=1,
    logging_first_step=True,
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
    dataloader_pin_memory=False,
)


def write_tokenizer(folder):
    """A byte-level BPE of 400 tokens with a pad token of its own."""
    pre_tokenizer = make_tokenizers.tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    merges = make_tokenizers.merges_of(make_tokenizers.english(), pre_tokenizer, 142)
    tokens = sorted(make_tokenizers.tokenizers.pre_tokenizers.ByteLevel.alphabet()) + [a + b for a, b in merges]
    byte_level = make_tokenizers.byte_level(False, True, True)
    tokenizer = make_tokenizers.tokenizer_json(
        {token: index for index, token in enumerate(tokens)},
        merges,
        make_tokenizers.added(len(tokens), ["<|eos|>", "<|pad|>"]),
        None,
        byte_level,
        None,
        byte_level,
        False,
    )
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n", encoding="utf-8")
    config = {
        "bos_token": None,
        "eos_token": "<|eos|>",
        "pad_token": "<|pad|>",
        "clean_up_tokenization_spaces": False,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    golden_io.save_json(folder / "tokenizer_config.json", config)


def write_model(folder, auto_class=transformers.AutoModelForCausalLM, seed=0, **options):
    """A Llama of two layers whose first logits are neither flat nor sharp."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_tokenizer(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **options,
    )
    torch.manual_seed(seed)
    model = auto_class.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(std=0.15)
            if parameter.ndim == 1:
                parameter.add_(1.0)
        if hasattr(model, "lm_head"):  # a mean logit that is not near zero, for a comparison by relative error
            model.lm_head.weight.add_(0.2 * torch.randn(1, config.hidden_size))
    model.save_pretrained(folder)


def shortened(text, length):
    """The start of a text, cut at a space."""
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0]


def write_pairs(folder, with_margin=False):
    """train.jsonl and eval.jsonl: pairs of the demo set, cut to short texts. Returns both as lists of rows."""
    path = golden_io.shared_data() / "alignment/llamafactory/dpo_en_demo.json"
    rows = []
    for source in json.loads(path.read_text("utf-8")):
        row = {
            "prompt": "Q: " + shortened(source["conversations"][-1]["value"], 60) + "\nA:",
            "chosen": " " + shortened(source["chosen"]["value"], 70),
            "rejected": " " + shortened(source["rejected"]["value"], 90),
        }
        if row["chosen"] == row["rejected"]:
            continue
        if with_margin:
            row["margin"] = len(rows) % 5 / 4
        rows.append(row)
    rows = rows[: TRAIN_ROWS + EVAL_ROWS]
    for name, part in (("train", rows[:TRAIN_ROWS]), ("eval", rows[TRAIN_ROWS:])):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return rows[:TRAIN_ROWS], rows[TRAIN_ROWS:]


def summary(model):
    """[sum, L2 norm] of every trained tensor at the end, in float64; adapters named as in PEFT's files."""
    return {
        name.replace(".default.", "."): [parameter.double().sum().item(), parameter.double().norm().item()]
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def record(trainer):
    """Trains, evaluates, and returns the numbers of each step."""
    trainer.train()
    trainer.evaluate()
    drop = ("total_flos", "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss")
    drop += ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "epoch", "step")
    logs = [{k: v for k, v in log.items() if k not in drop} for log in trainer.state.log_history]
    steps = [log for log in logs if "loss" in log]
    evaluation = [log for log in logs if "eval_loss" in log]
    assert len(steps) == STEPS and len(evaluation) == 1
    return {"steps": steps, "eval": evaluation[0], "final": summary(trainer.model)}


def output_dir():
    return pathlib.Path(tempfile.mkdtemp())
