"""Twenty optimizer steps of TRL's SFTTrainer on the prompts and chosen answers of trl_dpo, from its model.

Makes alignment/testdata/trl_sft/golden.json. Model and rows are those of alignment/testdata/trl_dpo (`completion` is
`chosen`), so make_trl_dpo.py runs first.

    python tools/goldens/make_trl_sft.py
"""

import json
import warnings

import trl_runs  # first: sets the environment
import datasets
import golden_io
import transformers
import trl

INPUT = golden_io.ROOT / "alignment/testdata/trl_dpo"
OUT = golden_io.ROOT / "alignment/testdata/trl_sft"

RUNS = {
    "completion_only": {},
    "whole": {"completion_only_loss": False},
    "accumulation": {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
    "truncated": {"max_length": 40},
}
NOTES = {
    "whole": "The prompt is learnt as well.",
    "accumulation": "The loss is a mean over the tokens of the whole optimizer step: equal to completion_only but for last digits. "
    "entropy and mean_token_accuracy are means of the micro-batches' means.",
    "truncated": "keep_start. Rows left without a token to learn are dropped; later rows move up. The 18th step begins the "
    "second epoch.",
}


def rows_of(name):
    rows = [json.loads(line) for line in (INPUT / name).read_text("utf-8").splitlines()]
    return datasets.Dataset.from_list([{"prompt": row["prompt"], "completion": row["chosen"]} for row in rows])


def main():
    warnings.simplefilter("ignore")
    datasets.disable_progress_bars()
    runs = {}
    for name, changes in RUNS.items():
        options = {"completion_only_loss": True, **trl_runs.ARGUMENTS, **changes}
        trainer = trl.SFTTrainer(
            model=str(INPUT / "model"),
            args=trl.SFTConfig(str(trl_runs.output_dir()), **options, **trl_runs.SILENT),
            train_dataset=rows_of("train.jsonl"),
            eval_dataset=rows_of("eval.jsonl"),
            processing_class=transformers.AutoTokenizer.from_pretrained(INPUT / "model"),
        )
        runs[name] = {"arguments": options, "note": NOTES.get(name, ""), "rows": len(trainer.train_dataset)}
        runs[name].update(trl_runs.record(trainer))
    golden_io.save_json(OUT / "golden.json", {"input": "../trl_dpo", "runs": runs}, trl_runs.PEER)


if __name__ == "__main__":
    main()
