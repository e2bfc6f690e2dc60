"""Every loss of TRL's DPOTrainer, with gradients, in float64 on made-up log-probabilities; cDPO from its formula.

Makes alignment/testdata/losses/dpo.json:
    sets      name -> examples: policy_*_logps, reference_*_logps (sums), *_length, and the policy's *_token_logps,
              reference_*_token_logps (they sum to those) and *_log_sum_sq_probs (for WPO)
    cases     loss_type, TRL's arguments, `set`, `dtype`; `examples`: for each example alone its loss and the gradient of
              it with respect to the four sums (or, where the loss reads tokens, with respect to the policy's tokens);
              `batch_loss`: the loss of all examples as one batch; `batch_gradients`, for those that mix examples

The numbers come from TRL's own _compute_loss, called with a model that returns the given token log-probabilities. TRL's
alpha divergence knows no float64: those cases are float32.

    python tools/goldens/make_losses.py
"""

import collections
import types

import golden_io
import numpy
import torch
import trl

OUT = golden_io.ROOT / "alignment/testdata/losses"
PEER = golden_io.peers("trl", "torch")
SIDES = ("chosen", "rejected")
SUMS = ("policy_chosen_logps", "policy_rejected_logps", "reference_chosen_logps", "reference_rejected_logps")

SEQUENCE_CASES = [
    *({"loss_type": "sigmoid", "beta": beta} for beta in (0.01, 0.1, 0.5, 2.0)),
    {"loss_type": "sigmoid", "label_smoothing": 0.2},  # TRL ignores it
    {"loss_type": "hinge"},
    {"loss_type": "hinge", "beta": 0.02},
    {"loss_type": "ipo"},
    {"loss_type": "ipo", "beta": 0.5},
    {"loss_type": "exo_pair", "label_smoothing": 1e-3},
    {"loss_type": "exo_pair", "label_smoothing": 0.2},
    {"loss_type": "nca_pair"},
    {"loss_type": "robust"},
    {"loss_type": "robust", "label_smoothing": 0.1},
    {"loss_type": "robust", "label_smoothing": 0.4, "beta": 0.3},
    {"loss_type": "bco_pair"},
    {"loss_type": "sppo_hard"},
    {"loss_type": "sppo_hard", "beta": 0.01},
    {"loss_type": "aot"},
    {"loss_type": "aot", "label_smoothing": 0.1},
    {"loss_type": "aot_unpaired"},
    {"loss_type": "aot_unpaired", "label_smoothing": 0.1},
    {"loss_type": "apo_zero"},
    {"loss_type": "apo_down"},
    {"loss_type": "discopop"},
    {"loss_type": "discopop", "discopop_tau": 0.2, "beta": 0.3},
    {"loss_type": "sigmoid_norm", "beta": 5.0},
    {"loss_type": "sft"},
]
DIVERGENCES = [
    {"f_divergence_type": "forward_kl"},
    {"f_divergence_type": "js_divergence"},
    *({"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": a} for a in (0.5, 0.25, 2.0, 1.0)),
]
SEQUENCE_CASES += [
    {"loss_type": loss_type, **divergence}
    for loss_type in ("sigmoid", "hinge", "ipo", "sigmoid_norm")
    for divergence in DIVERGENCES
]
# With use_weighting TRL 1.16 multiplies the loss in place, which fails for hinge (backward) and sft (an expanded tensor).
TOKEN_CASES = [
    *({"loss_type": "sigmoid", "ld_alpha": alpha} for alpha in (0.0, 0.5, 1.0)),
    {"loss_type": "ipo", "ld_alpha": 0.5},
    {"loss_type": "sft"},
    *({"loss_type": loss_type, "use_weighting": True} for loss_type in ("sigmoid", "ipo", "sppo_hard")),
    {"loss_type": "sigmoid", "use_weighting": True, "ld_alpha": 0.5},
]
MIXES_EXAMPLES = ("aot", "aot_unpaired", "sft")


def make_example(generator, log_ratios=None):
    """Token log-probabilities of a pair; `log_ratios` fixes the two log-ratios, else they are of order 3."""
    example = {}
    for index, side in enumerate(SIDES):
        length = int(generator.integers(2, 12))
        reference = -generator.exponential(2.0, length)
        shift = generator.normal(0, 3) if log_ratios is None else log_ratios[index]
        noise = generator.normal(0, 0.5, length)
        policy = reference + (noise - noise.mean()) + shift / length
        example[f"{side}_length"] = length
        example[f"policy_{side}_token_logps"] = policy.tolist()
        example[f"reference_{side}_token_logps"] = reference.tolist()
        example[f"policy_{side}_log_sum_sq_probs"] = (-generator.exponential(1.0, length)).tolist()
        example[f"policy_{side}_logps"] = float(policy.sum())
        example[f"reference_{side}_logps"] = float(reference.sum())
    return example


def make_sets():
    generator = numpy.random.default_rng(3)
    ordinary = [make_example(generator) for _ in range(6)]
    # Ties, tiny and huge log-ratios: where a naive formula overflows or loses digits.
    extreme = [(0.0, 0.0), (1e-6, 0.0), (40.0, -40.0), (-40.0, 40.0), (900.0, -700.0), (-700.0, 900.0)]
    return {"ordinary": ordinary, "extreme": [make_example(generator, ratios) for ratios in extreme]}


def padded(rows, dtype):
    """[2B, T]: one prompt position first, zeros after the end."""
    result = torch.zeros(len(rows), 1 + max(map(len, rows)), dtype=dtype)
    for row, values in zip(result, rows, strict=True):
        row[1 : 1 + len(values)] = torch.tensor(values, dtype=dtype)
    return result


def both_sides(examples, pattern):
    return [example[pattern.format(side)] for side in SIDES for example in examples]


def fake_trainer(case):
    """What _compute_loss reads of a trainer."""
    one_process = types.SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    return types.SimpleNamespace(
        model=types.SimpleNamespace(training=True),
        accelerator=one_process,
        args=types.SimpleNamespace(discopop_tau=case.get("discopop_tau", 0.05)),
        loss_types=[case["loss_type"]],
        loss_weights=[1.0],
        beta=case.get("beta", 0.1),
        label_smoothing=case.get("label_smoothing", 0.0),
        ld_alpha=case.get("ld_alpha"),
        f_divergence_type=case.get("f_divergence_type", "reverse_kl"),
        f_alpha_divergence_coef=case.get("f_alpha_divergence_coef", 0.5),
        use_weighting=case.get("use_weighting", False),
        precompute_ref_logps=True,
        aux_loss_enabled=False,
        _metrics=collections.defaultdict(lambda: collections.defaultdict(list)),
        _total_train_tokens=0,
        _tp_size=1,
    )


def reference_sums(examples, ld_alpha, dtype):
    """[2B] sums over the reference's tokens; with ld_alpha, tokens beyond the shorter answer count that much."""
    if ld_alpha is None:
        return torch.tensor(both_sides(examples, "reference_{}_logps"), dtype=dtype)
    sums = []
    for side in SIDES:
        for example in examples:
            tokens = example[f"reference_{side}_token_logps"]
            shared = min(example["chosen_length"], example["rejected_length"])
            sums.append(sum(tokens[:shared]) + ld_alpha * sum(tokens[shared:]))
    return torch.tensor(sums, dtype=dtype)


def run_trl(case, examples, dtype):
    """(loss, policy sums, token log-probabilities, reference sums): leaves of the graph carry the gradients."""
    mask = padded([[1] * n for n in both_sides(examples, "{}_length")], torch.long)
    tokens = padded(both_sides(examples, "policy_{}_token_logps"), dtype)[:, 1:]
    policy = torch.tensor(both_sides(examples, "policy_{}_logps"), dtype=dtype, requires_grad=True)
    if case.get("ld_alpha") is not None or case.get("use_weighting"):
        tokens.requires_grad_()
        used = tokens
    else:  # each token gets its share of the sum, so that the gradient is that of the sum
        used = mask[:, 1:].to(dtype) / mask.sum(1, keepdim=True) * policy[:, None]
    reference = reference_sums(examples, case.get("ld_alpha"), dtype).requires_grad_()
    inputs = {
        "input_ids": torch.zeros_like(mask),
        "attention_mask": torch.ones_like(mask),
        "completion_mask": mask,
        "ref_chosen_logps": reference[: len(examples)],
        "ref_rejected_logps": reference[len(examples) :],
    }
    zeros = torch.zeros_like(tokens)
    outputs = types.SimpleNamespace(
        log_probs=used,
        entropy=zeros,
        mean_logits=zeros,
        is_top1=zeros.bool(),
        log_sum_sq_probs=padded(both_sides(examples, "policy_{}_log_sum_sq_probs"), dtype)[:, 1:],
    )
    loss = trl.DPOTrainer._compute_loss(fake_trainer(case), lambda **_: outputs, inputs, False)
    return loss, policy, tokens, reference


def gradients_of_sums(loss, policy, reference):
    loss.backward()
    grads = [torch.zeros_like(x) if x.grad is None else x.grad for x in (policy, reference)]
    parts = [part.tolist() for grad in grads for part in grad.chunk(2)]
    return dict(zip(SUMS, parts, strict=True))


def gradients_of_tokens(loss, tokens, examples):
    loss.backward()
    grads = torch.zeros_like(tokens) if tokens.grad is None else tokens.grad
    lengths = both_sides(examples, "{}_length")
    rows = [row[:length].tolist() for row, length in zip(grads, lengths, strict=True)]
    return {f"policy_{side}_token_logps": rows[i * len(examples) : (i + 1) * len(examples)] for i, side in enumerate(SIDES)}


def gradients(case, examples, dtype):
    loss, policy, tokens, reference = run_trl(case, examples, dtype)
    if tokens.requires_grad:
        return loss.item(), gradients_of_tokens(loss, tokens, examples)
    return loss.item(), gradients_of_sums(loss, policy, reference)


def trl_case(case, set_name, examples):
    is_alpha = case.get("f_divergence_type") == "alpha_divergence"
    dtype = torch.float32 if is_alpha else torch.float64
    result = {"method": "trl", **case, "beta": case.get("beta", 0.1), "set": set_name, "dtype": str(dtype)[6:]}
    result["examples"] = []
    for example in examples:
        loss, grads = gradients(case, [example], dtype)
        result["examples"].append({"loss": loss, "gradients": {name: values[0] for name, values in grads.items()}})
    result["batch_loss"], grads = gradients(case, examples, dtype)
    if case["loss_type"] in MIXES_EXAMPLES:
        result["batch_gradients"] = grads
    return result


def log_sigmoid(x):
    return -numpy.logaddexp(0.0, -x)


def cdpo_case(beta, smoothing, reference_free, set_name, examples):
    """Mitchell 2023, "A note on DPO with noisy preferences": -(1-e) log s(beta d) - e log s(-beta d)."""
    result = {
        "method": "formula",
        "loss_type": "cdpo",
        "beta": beta,
        "label_smoothing": smoothing,
        "reference_free": reference_free,
        "set": set_name,
        "dtype": "float64",
        "examples": [],
    }
    for example in examples:
        log_ratio = {side: example[f"policy_{side}_logps"] for side in SIDES}
        if not reference_free:
            log_ratio = {side: log_ratio[side] - example[f"reference_{side}_logps"] for side in SIDES}
        x = beta * (log_ratio["chosen"] - log_ratio["rejected"])
        loss = -(1 - smoothing) * log_sigmoid(x) - smoothing * log_sigmoid(-x)
        slope = beta * (smoothing * numpy.exp(log_sigmoid(x)) - (1 - smoothing) * numpy.exp(log_sigmoid(-x)))
        reference_slope = 0.0 if reference_free else slope
        grads = dict(zip(SUMS, map(float, (slope, -slope, -reference_slope, reference_slope)), strict=True))
        result["examples"].append({"loss": float(loss), "gradients": grads})
    result["batch_loss"] = float(numpy.mean([example["loss"] for example in result["examples"]]))
    return result


def main():
    sets = make_sets()
    cases = [trl_case(case, "ordinary", sets["ordinary"]) for case in SEQUENCE_CASES + TOKEN_CASES]
    for loss_type in ("sigmoid", "hinge", "ipo", "robust", "nca_pair", "bco_pair", "sppo_hard", "apo_zero", "apo_down"):
        cases.append(trl_case({"loss_type": loss_type}, "extreme", sets["extreme"]))
    for divergence in ("js_divergence", "alpha_divergence"):
        cases.append(trl_case({"loss_type": "sigmoid", "f_divergence_type": divergence}, "extreme", sets["extreme"]))
    for set_name, examples in sets.items():
        for beta, smoothing, reference_free in ((0.1, 0.0, False), (0.1, 0.1, False), (0.5, 0.3, False), (0.1, 0.1, True)):
            cases.append(cdpo_case(beta, smoothing, reference_free, set_name, examples))
    golden_io.save_json(OUT / "dpo.json", {"sets": sets, "cases": cases}, PEER)


if __name__ == "__main__":
    main()
