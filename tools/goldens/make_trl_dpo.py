"""Twenty optimizer steps of TRL's DPOTrainer, in several settings, from the same weights on the same pairs.

Makes alignment/testdata/trl_dpo/: model/ (HF folder with tokenizer), train.jsonl, eval.jsonl, golden.json (for each run the
TRL arguments, what is logged at each step, the metrics of the evaluation at the end, and [sum, L2 norm] of each final tensor),
final/model.safetensors of the first run, lora_initial/ and lora_final/ (PEFT folders).

    python tools/goldens/make_trl_dpo.py
"""

import json
import shutil
import warnings

import trl_runs  # first: sets the environment
import datasets
import golden_io
import peft
import safetensors.torch
import transformers
import trl

OUT = golden_io.ROOT / "alignment/testdata/trl_dpo"
LORA = dict(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["q_proj", "v_proj"])

# What each run changes of the common arguments.
RUNS = {
    "sigmoid": {},
    "beta": {"beta": 0.5},
    "label_smoothing": {"label_smoothing": 0.2},
    "sigmoid_sft": {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]},
    "precompute": {"precompute_ref_log_probs": True},
    "accumulation": {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
    "sigmoid_sft_accumulation": {
        "loss_type": ["sigmoid", "sft"],
        "loss_weights": [1.0, 0.2],
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
    },
    "weight_decay_cosine": {"weight_decay": 0.1, "lr_scheduler_type": "cosine", "max_grad_norm": 0.25},
    "truncated": {"max_length": 40},
    "keep_end": {"max_length": 40, "truncation_mode": "keep_end"},
    "lora": {"learning_rate": 2e-2},
}
NOTES = {
    "sigmoid": "Warm-up begins at learning rate 0, so at steps 1 and 2 the policy is the reference: rewards are 0 and "
    "rewards/accuracies is a tie (0 here; by rounding anything elsewhere).",
    "label_smoothing": "TRL 1.16 ignores label_smoothing under loss_type sigmoid: every number equals the run sigmoid. "
    "It is not cDPO.",
    "precompute": "Equal to the run sigmoid but for the last digits.",
    "sigmoid_sft_accumulation": "The sft part is a mean over the tokens of each micro-batch, and the two means are averaged: "
    "not the mean over the tokens of all four rows that the run sigmoid_sft has.",
    "weight_decay_cosine": "transformers does not decay biases and norms; embeddings are decayed.",
    "truncated": "Rows whose prompt alone fills max_length are dropped; later rows move up. The 18th step begins the second epoch.",
    "lora": "The reference is the model with the adapter off. No dropout. Starts from lora_initial.",
}


def trainer_for(name, train, evaluation):
    options = {"beta": 0.1, "loss_type": ["sigmoid"], **trl_runs.ARGUMENTS, **RUNS[name]}
    args = trl.DPOConfig(str(trl_runs.output_dir()), **options, **trl_runs.SILENT)
    trainer = trl.DPOTrainer(
        model=str(OUT / "model"),
        args=args,
        train_dataset=datasets.Dataset.from_list(train),
        eval_dataset=datasets.Dataset.from_list(evaluation),
        processing_class=transformers.AutoTokenizer.from_pretrained(OUT / "model"),
        peft_config=peft.LoraConfig(task_type="CAUSAL_LM", **LORA) if name == "lora" else None,
    )
    return trainer, options


def save_adapter(trainer, folder):
    shutil.rmtree(folder, ignore_errors=True)
    trainer.model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = "model"
    config["target_modules"] = sorted(config["target_modules"])
    golden_io.save_json(path, config)


def main():
    warnings.simplefilter("ignore")
    datasets.disable_progress_bars()
    trl_runs.write_model(OUT / "model")
    train, evaluation = trl_runs.write_pairs(OUT)
    runs = {}
    for name in RUNS:
        trainer, options = trainer_for(name, train, evaluation)
        if name == "lora":
            save_adapter(trainer, OUT / "lora_initial")
            options["peft"] = LORA
        runs[name] = {"arguments": options, "note": NOTES.get(name, ""), "rows": len(trainer.train_dataset)}
        runs[name].update(trl_runs.record(trainer))
        if name == "sigmoid":
            (OUT / "final").mkdir(exist_ok=True)
            safetensors.torch.save_model(trainer.model, OUT / "final/model.safetensors", metadata={"format": "pt"})
        if name == "lora":
            save_adapter(trainer, OUT / "lora_final")
    assert runs["label_smoothing"]["steps"] == runs["sigmoid"]["steps"]
    golden_io.save_json(OUT / "golden.json", {"runs": runs}, trl_runs.PEER)


if __name__ == "__main__":
    main()
