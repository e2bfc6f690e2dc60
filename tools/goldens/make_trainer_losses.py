"""The losses of TRL's trainers other than DPOTrainer, with gradients, in float64 on made-up log-probabilities.

Makes alignment/testdata/losses/trainers.json:
    examples  of every case the same: policy_*_logps (sums), *_length, of the chosen, the rejected and the gold answer,
              reference_chosen_logps, label, baseline, rewards_chosen, rewards_rejected, margin; ties, answers of one token,
              log-ratios of +-1e4 among them
    cases     trainer, TRL's arguments, `examples`: of each example alone its loss and the gradient of it with respect to
              the inputs that it reads; null where TRL overflows (AlphaPO takes powers of probabilities)

The numbers come from the trainers' own methods, called with a model that returns what the example says: CPOTrainer (CPO,
SimPO, AlphaPO), ORPOTrainer, TPOTrainer, KTOTrainer (KTO, APO-zero unpaired) and RewardTrainer. ORPOTrainer casts to float32;
here its cast goes to float64. OnlineDPOTrainer's loss stands in the middle of its training step, after generation, and can't be
called alone; BCO, XPO and Nash-MD are gone from TRL 1.16.

    python tools/goldens/make_trainer_losses.py
"""

import collections
import contextlib
import math
import types
import unittest.mock

import golden_io
import numpy
import torch
import trl
import trl.experimental.cpo
import trl.experimental.orpo
import trl.experimental.tpo

OUT = golden_io.ROOT / "alignment/testdata/losses"
PEER = golden_io.peers("trl", "torch")

CASES = [
    {"trainer": "cpo", "loss_type": "sigmoid"},
    {"trainer": "cpo", "loss_type": "sigmoid", "beta": 0.5, "cpo_alpha": 0.3, "label_smoothing": 0.1},
    {"trainer": "cpo", "loss_type": "sigmoid", "cpo_alpha": 0.0},
    {"trainer": "cpo", "loss_type": "simpo", "beta": 2.0, "cpo_alpha": 0.0, "simpo_gamma": 0.5},
    {"trainer": "cpo", "loss_type": "simpo", "beta": 10.0, "cpo_alpha": 0.0, "simpo_gamma": 3.0},
    {"trainer": "cpo", "loss_type": "simpo", "beta": 2.5, "cpo_alpha": 0.0, "simpo_gamma": 0.1, "alpha": 0.25},
    {"trainer": "orpo"},
    {"trainer": "orpo", "beta": 1.0},
    {"trainer": "tpo", "loss_type": "sigmoid", "beta": 0.01},
    {"trainer": "tpo", "loss_type": "sigmoid", "beta": 0.1, "tpo_alpha": 0.0},
    {"trainer": "tpo", "loss_type": "tpo-l", "beta": 2.0, "tpo_alpha": 0.5, "tpo_l_gamma": 0.7},
    {"trainer": "kto", "loss_type": "kto"},
    {"trainer": "kto", "loss_type": "kto", "beta": 0.5, "desirable_weight": 0.6, "undesirable_weight": 1.2},
    {"trainer": "kto", "loss_type": "apo_zero_unpaired"},
    {"trainer": "kto", "loss_type": "apo_zero_unpaired", "beta": 0.02, "desirable_weight": 0.5, "undesirable_weight": 2.0},
    {"trainer": "reward"},
    {"trainer": "reward", "with_margin": True, "center_rewards_coefficient": 0.01},
]


def make_examples():
    generator = numpy.random.default_rng(5)
    examples = []
    for index in range(20):
        example = {"label": float(index % 3 != 2), "baseline": float(generator.uniform(0, 3))}
        for side in ("chosen", "rejected", "gold"):
            length = 1 if index == 0 else int(generator.integers(1, 9))
            example[f"{side}_length"] = length
            example[f"policy_{side}_logps"] = float(-generator.exponential(2.0, length).sum())
        example["reference_chosen_logps"] = float(example["policy_chosen_logps"] + generator.normal(0, 3))
        for name in ("rewards_chosen", "rewards_rejected"):
            example[name] = float(generator.normal(0, 3))
        example["margin"] = float(generator.uniform(0, 1))
        examples.append(example)
    examples[1].update(policy_rejected_logps=examples[1]["policy_chosen_logps"], reference_chosen_logps=examples[1]["policy_chosen_logps"])
    examples[1].update(rejected_length=examples[1]["chosen_length"], rewards_rejected=examples[1]["rewards_chosen"])
    for index, shift in ((2, -1e4), (3, -1e4)):  # 2 has a bad label, 3 a good one
        examples[index]["policy_chosen_logps"] = examples[index]["reference_chosen_logps"] + shift
    for index in (4, 5):
        examples[index]["reference_chosen_logps"] = examples[index]["policy_chosen_logps"] - 1e4
    examples[6]["policy_rejected_logps"] = -1e4
    examples[7].update(rewards_chosen=1e4, rewards_rejected=-1e4)
    examples[8].update(rewards_chosen=-1e4, rewards_rejected=1e4)
    return examples


def fake_trainer(**attributes):
    """What the loss methods read of a trainer."""
    one_process = types.SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    return types.SimpleNamespace(
        accelerator=one_process,
        model=types.SimpleNamespace(training=True),
        aux_loss_enabled=False,
        _metrics=collections.defaultdict(lambda: collections.defaultdict(list)),
        _total_train_tokens=0,
        _tp_size=1,
        **attributes,
    )


def cpo(case, x):
    trainer_class = trl.experimental.cpo.CPOTrainer
    average = case["loss_type"] == "simpo"
    logps = [x[f"policy_{side}_logps"] / (x[f"{side}_length"] if average else 1) for side in ("chosen", "rejected")]
    nll = -(x["policy_chosen_logps"] / x["chosen_length"]).sum()
    trainer = fake_trainer(
        beta=case.get("beta", 0.1),
        alpha=case.get("alpha", 0.0),
        loss_type=case["loss_type"],
        simpo_gamma=case.get("simpo_gamma", 0.5),
        cpo_alpha=case.get("cpo_alpha", 1.0),
        label_smoothing=case.get("label_smoothing", 0.0),
        concatenated_forward=lambda *_: (*logps, *logps, nll),
    )
    trainer.cpo_loss = types.MethodType(trainer_class.cpo_loss, trainer)
    return trainer_class.get_batch_loss_metrics(trainer, None, None)[0]


def orpo(case, x):
    trainer_class = trl.experimental.orpo.ORPOTrainer
    logps = [x[f"policy_{side}_logps"] / x[f"{side}_length"] for side in ("chosen", "rejected")]
    trainer = fake_trainer(beta=case.get("beta", 0.1), concatenated_forward=lambda *_: (*logps, *logps, -logps[0].sum()))
    trainer.odds_ratio_loss = types.MethodType(trainer_class.odds_ratio_loss, trainer)
    return trainer_class.get_batch_loss_metrics(trainer, None, None)[0]


def log1mexp(x):
    return torch.where(x < -0.69, torch.log1p(-torch.exp(x)), torch.log(-torch.expm1(x)))


def logits_of(answers):
    """[B, T, 2]: at each place of an answer token 1 has its share of the answer's log-probability."""
    longest = max(length for _, length in answers)
    rows = []
    for logps, length in answers:
        share = (logps / length).expand(longest)
        rows.append(torch.stack([log1mexp(share), share], dim=-1))
    return torch.stack(rows)


def tpo(case, x):
    sides = ("chosen", "rejected", "gold") if case.get("tpo_alpha", 1.0) else ("chosen", "rejected")
    answers = [(x[f"policy_{side}_logps"][0], int(x[f"{side}_length"])) for side in sides]
    logits = logits_of(answers)
    padding = torch.zeros(len(sides), 1, 2, dtype=logits.dtype)
    mask = torch.zeros(logits.shape[:2], dtype=torch.long)
    for row, (_, length) in zip(mask, answers, strict=True):
        row[:length] = 1
    mask = torch.nn.functional.pad(mask, (1, 0))  # one token of a prompt
    trainer = fake_trainer(
        beta=case["beta"],
        loss_type=case["loss_type"],
        tpo_alpha=case.get("tpo_alpha", 1.0),
        tpo_l_gamma=case.get("tpo_l_gamma", 0.5),
        label_smoothing=0.0,
    )
    outputs = types.SimpleNamespace(logits=torch.cat([logits, padding], dim=1))
    inputs = {"input_ids": torch.ones_like(mask), "attention_mask": torch.ones_like(mask), "completion_mask": mask}
    return trl.experimental.tpo.TPOTrainer._compute_loss(trainer, lambda **_: outputs, inputs, False)


def kto(case, x):
    logps = x["policy_chosen_logps"][:, None]
    ones = torch.ones(1, 2, dtype=torch.long)
    trainer = fake_trainer(
        beta=case.get("beta", 0.1),
        loss_type=case["loss_type"],
        desirable_weight=case.get("desirable_weight", 1.0),
        undesirable_weight=case.get("undesirable_weight", 1.0),
        calculate_KL=case["loss_type"] == "kto",
        precompute_ref_logps=True,
        _compute_kl_logps=lambda *_: x["baseline"],
    )
    batch = {
        "label": x["label"] > 0.5,
        "input_ids": ones,
        "attention_mask": ones,
        "completion_mask": ones,
        "ref_logps": x["reference_chosen_logps"],
        "ref_KL_logps": torch.zeros_like(x["baseline"]),
    }
    outputs = types.SimpleNamespace(log_probs=logps, entropy=torch.zeros_like(logps), mean_logits=torch.zeros_like(logps))
    return trl.KTOTrainer._compute_loss(trainer, lambda **_: outputs, batch, False)


def reward(case, x):
    trainer = fake_trainer(args=types.SimpleNamespace(center_rewards_coefficient=case.get("center_rewards_coefficient")))
    logits = torch.cat([x["rewards_chosen"], x["rewards_rejected"]])[:, None]
    inputs = {"attention_mask": torch.ones(2, 1)}
    if case.get("with_margin"):
        inputs["margin"] = x["margin"]
    model = lambda **_: types.SimpleNamespace(logits=logits)  # noqa: E731
    return trl.RewardTrainer.compute_loss(trainer, model, inputs)


LOSSES = {"cpo": cpo, "orpo": orpo, "tpo": tpo, "kto": kto, "reward": reward}


def run(case, example):
    x = {name: torch.tensor([value], dtype=torch.float64, requires_grad=True) for name, value in example.items()}
    casts = contextlib.nullcontext()
    if case["trainer"] == "orpo":
        casts = unittest.mock.patch.object(torch.Tensor, "float", torch.Tensor.double)
    with casts:
        loss = LOSSES[case["trainer"]](case, x)
    loss.backward()
    constants = ("label", "baseline", "margin")
    gradients = {
        name: value.grad.item()
        for name, value in x.items()
        if value.grad is not None and name not in constants and not name.endswith("_length")
    }
    result = {"loss": loss.item(), "gradients": gradients}
    return result if all(map(math.isfinite, [result["loss"], *gradients.values()])) else None


def main():
    examples = make_examples()
    cases = [{**case, "examples": [run(case, example) for example in examples]} for case in CASES]
    golden_io.save_json(OUT / "trainers.json", {"examples": examples, "cases": cases}, PEER)


if __name__ == "__main__":
    main()
