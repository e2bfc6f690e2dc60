"""Twenty optimizer steps of TRL's KTOTrainer on answers of trl_dpo with labels, from its model.

Makes alignment/testdata/trl_kto/: train.jsonl and eval.jsonl (one answer of each pair of trl_dpo, with a label), golden.json
as in trl_dpo. Model and pairs are those of alignment/testdata/trl_dpo, so make_trl_dpo.py runs first.

    python tools/goldens/make_trl_kto.py
"""

import json
import warnings

import trl_runs  # first: sets the environment
import datasets
import golden_io
import transformers
import trl

INPUT = golden_io.ROOT / "alignment/testdata/trl_dpo"
OUT = golden_io.ROOT / "alignment/testdata/trl_kto"

RUNS = {
    "kto": {},
    "weights": {"beta": 0.5, "desirable_weight": 0.6, "undesirable_weight": 1.2},
    "apo_zero_unpaired": {"loss_type": "apo_zero_unpaired"},
}
NOTES = {
    "kto": "Warm-up begins at learning rate 0, so at steps 1 and 2 the policy is the reference: kl and rewards are 0. The "
    "evaluation is one batch; its mismatched answers still come from blocks of per_device_train_batch_size.",
}


def write_rows(name):
    """Of two in three pairs the chosen answer, of the third the rejected one."""
    rows = []
    for index, line in enumerate((INPUT / name).read_text("utf-8").splitlines()):
        pair = json.loads(line)
        label = index % 3 != 2
        rows.append({"prompt": pair["prompt"], "completion": pair["chosen" if label else "rejected"], "label": label})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / name).write_text(text, encoding="utf-8")
    batch_size = trl_runs.ARGUMENTS["per_device_train_batch_size"]
    for begin in range(0, len(rows), batch_size):  # answers to the same prompt would not be mismatched
        prompts = [row["prompt"] for row in rows[begin : begin + batch_size]]
        assert len(set(prompts)) == len(prompts)
    return datasets.Dataset.from_list(rows)


def main():
    warnings.simplefilter("ignore")
    datasets.disable_progress_bars()
    train, evaluation = write_rows("train.jsonl"), write_rows("eval.jsonl")
    runs = {}
    for name, changes in RUNS.items():
        common = {**trl_runs.ARGUMENTS, "per_device_eval_batch_size": len(evaluation)}
        options = {"beta": 0.1, "loss_type": "kto", **common, **changes}
        trainer = trl.KTOTrainer(
            model=str(INPUT / "model"),
            args=trl.KTOConfig(str(trl_runs.output_dir()), **options, **trl_runs.SILENT),
            train_dataset=train,
            eval_dataset=evaluation,
            processing_class=transformers.AutoTokenizer.from_pretrained(INPUT / "model"),
        )
        runs[name] = {"arguments": options, "note": NOTES.get(name, ""), "rows": len(trainer.train_dataset)}
        runs[name].update(trl_runs.record(trainer))
    golden_io.save_json(OUT / "golden.json", {"input": "../trl_dpo", "runs": runs}, trl_runs.PEER)


if __name__ == "__main__":
    main()
