"""Twenty optimizer steps of TRL's RewardTrainer.

Makes alignment/testdata/trl_reward/: model/ (LlamaForSequenceClassification with one label: its head is score.weight),
train.jsonl and eval.jsonl (with a margin column), golden.json as in trl_dpo, and first.json: the rewards the untrained model
gives to the first rows.

    python tools/goldens/make_trl_reward.py
"""

import warnings

import trl_runs  # first: sets the environment
import datasets
import golden_io
import torch
import transformers
import trl

OUT = golden_io.ROOT / "alignment/testdata/trl_reward"

RUNS = {
    "margin_centered": {"center_rewards_coefficient": 0.01},
    "plain": {},  # the margin column is taken away
    "accumulation": {"center_rewards_coefficient": 0.01, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
    "filtered": {"max_length": 90},
}
NOTES = {
    "plain": "No margin column.",
    "accumulation": "Equal to margin_centered but for last digits; min_reward and max_reward are means over the micro-batches.",
    "filtered": "Rows with an answer that makes more than max_length tokens are dropped, not cut: 65 are left, so the last "
    "batch of an epoch (the 17th step) holds one row. No margin column.",
}


def dataset(rows, with_margin):
    rows = datasets.Dataset.from_list(rows)
    return rows if with_margin else rows.remove_columns("margin")


@torch.no_grad()
def first_rewards(rows):
    """Scores of whole sequences, read at the last token."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(OUT / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(OUT / "model")
    result = []
    for row in rows:
        for answer in (row["chosen"], row["rejected"]):
            ids = tokenizer(row["prompt"] + answer + tokenizer.eos_token)["input_ids"]
            result.append({"input_ids": ids, "reward": model(torch.tensor([ids])).logits.item()})
    return result


def main():
    warnings.simplefilter("ignore")
    datasets.disable_progress_bars()
    auto_class = transformers.AutoModelForSequenceClassification
    trl_runs.write_model(OUT / "model", auto_class, seed=1, num_labels=1)
    train, evaluation = trl_runs.write_pairs(OUT, with_margin=True)
    golden_io.save_json(OUT / "first.json", {"rows": first_rewards(train[:3])}, trl_runs.PEER)
    runs = {}
    for name, changes in RUNS.items():
        options = {**trl_runs.ARGUMENTS, **changes}
        with_margin = name in ("margin_centered", "accumulation")
        trainer = trl.RewardTrainer(
            model=str(OUT / "model"),
            args=trl.RewardConfig(str(trl_runs.output_dir()), **options, **trl_runs.SILENT),
            train_dataset=dataset(train, with_margin),
            eval_dataset=dataset(evaluation, with_margin),
            processing_class=transformers.AutoTokenizer.from_pretrained(OUT / "model"),
        )
        runs[name] = {"arguments": options, "note": NOTES.get(name, ""), "margin_column": with_margin}
        runs[name].update(rows=len(trainer.train_dataset), **trl_runs.record(trainer))
    golden_io.save_json(OUT / "golden.json", {"runs": runs}, trl_runs.PEER)


if __name__ == "__main__":
    main()
