"""Weights that torch's optimizers reach, transformers' learning rates and weight-decay groups, torch's clipping.

Makes optim/testdata/optimizers.json and common/train/testdata/schedules.json.

    python tools/goldens/make_optimizer_golden.py
"""

import golden_io
import torch
import transformers
from transformers import optimization

STEPS = 20
SIZE = 11

# Each: torch's class, its arguments, the same as our OptimizerConfig in text format.
OPTIMIZERS = {
    "adamw": (torch.optim.AdamW, dict(lr=1e-2, weight_decay=0.0), "adamw { learning_rate: 1e-2 }"),
    "adamw_decay": (
        torch.optim.AdamW,
        dict(lr=3e-2, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
        "adamw { learning_rate: 3e-2 beta1: 0.8 beta2: 0.95 epsilon: 1e-6 weight_decay: 0.1 }",
    ),
    "rmsprop": (torch.optim.RMSprop, dict(lr=1e-2), "rmsprop { learning_rate: 1e-2 }"),
    "rmsprop_momentum": (
        torch.optim.RMSprop,
        dict(lr=1e-3, alpha=0.9, eps=1e-6, momentum=0.7, weight_decay=0.05),
        "rmsprop { learning_rate: 1e-3 alpha: 0.9 epsilon: 1e-6 momentum: 0.7 weight_decay: 0.05 }",
    ),
    "rmsprop_centered": (
        torch.optim.RMSprop,
        dict(lr=1e-3, alpha=0.95, centered=True),
        "rmsprop { learning_rate: 1e-3 alpha: 0.95 centered: true }",
    ),
    "rmsprop_all": (
        torch.optim.RMSprop,
        dict(lr=1e-3, alpha=0.95, centered=True, momentum=0.9, weight_decay=0.01),
        "rmsprop { learning_rate: 1e-3 alpha: 0.95 centered: true momentum: 0.9 weight_decay: 0.01 }",
    ),
    "sgd": (torch.optim.SGD, dict(lr=1e-3), "sgd {}"),
    "sgd_decay": (torch.optim.SGD, dict(lr=1e-2, weight_decay=0.1), "sgd { learning_rate: 1e-2 weight_decay: 0.1 }"),
    "sgd_momentum": (
        torch.optim.SGD,
        dict(lr=1e-4, momentum=0.9, dampening=0.3, weight_decay=0.05),
        "sgd { learning_rate: 1e-4 momentum: 0.9 dampening: 0.3 weight_decay: 0.05 }",
    ),
    "sgd_nesterov": (
        torch.optim.SGD,
        dict(lr=1e-3, momentum=0.8, nesterov=True, weight_decay=0.01),
        "sgd { learning_rate: 1e-3 momentum: 0.8 nesterov: true weight_decay: 0.01 }",
    ),
}


def rate_factor(step):
    """The schedule of the runs: a warm-up, then a slope."""
    return step / 5 if step < 5 else (STEPS - step) / (STEPS - 5)


def run(optimizer_class, arguments, weights, gradients, dtype):
    weight = torch.nn.Parameter(weights.to(dtype))
    optimizer = optimizer_class([weight], foreach=False, **arguments)
    rows = []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = arguments["lr"] * rate_factor(step)
        weight.grad = gradients[step].to(dtype)
        optimizer.step()
        rows.append(weight.detach().double().tolist())
    return rows


def optimizers():
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(SIZE, generator=generator, dtype=torch.float64).float()
    scales = torch.logspace(-4, 2, SIZE)
    gradients = torch.randn(STEPS, SIZE, generator=generator, dtype=torch.float64).float() * scales
    gradients[:, 0] = 0
    # Rounded to bf16, so that the runs of every dtype see the same numbers.
    gradients = gradients.bfloat16()
    weights = weights.bfloat16()
    runs = []
    for name, (optimizer_class, arguments, config) in OPTIMIZERS.items():
        runs.append(
            {
                "name": name,
                "config": config,
                "float64": run(optimizer_class, arguments, weights, gradients, torch.float64),
                "float32": run(optimizer_class, arguments, weights, gradients, torch.float32),
            }
        )
    return {
        "weights": weights.double().tolist(),
        "gradients": gradients.double().tolist(),
        "rate_factors": [rate_factor(step) for step in range(STEPS)],
        "runs": runs,
        "weight_decay": weight_decay(),
    }


def weight_decay():
    """Which parameters of each family transformers' Trainer decays."""
    sizes = dict(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    configs = [
        transformers.LlamaConfig(**sizes, attention_bias=True, mlp_bias=True),
        transformers.Qwen2Config(**sizes),
        transformers.Qwen3Config(**sizes, head_dim=4),
        transformers.Gemma2Config(**sizes, num_key_value_heads=1, head_dim=4),
        transformers.GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=2, n_positions=8),
    ]
    decayed = {}
    for config in configs:
        model = transformers.AutoModelForCausalLM.from_config(config)
        names = set(transformers.Trainer.get_decay_parameter_names(None, model))
        decayed.update({name: name in names for name, _ in model.named_parameters()})
    return decayed


def schedule_table(config, factory, warmup, total, **arguments):
    """`warmup` as TrainingArguments.warmup_steps: a ratio when below 1."""
    warmup_steps = transformers.TrainingArguments(output_dir="", warmup_steps=warmup).get_warmup_steps(total)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scheduler = factory(optimizer, warmup_steps, total, **arguments)
    factors = []
    for _ in range(total):
        factors.append(float(scheduler.get_last_lr()[0]))
        optimizer.step()
        scheduler.step()
    return {"config": config, "total_steps": total, "factors": factors}


def schedules():
    def constant(optimizer, warmup_steps, total):
        return optimization.get_constant_schedule_with_warmup(optimizer, warmup_steps)

    linear = optimization.get_linear_schedule_with_warmup
    cosine = optimization.get_cosine_schedule_with_warmup
    cosine_min = optimization.get_cosine_with_min_lr_schedule_with_warmup
    return [
        schedule_table("", linear, 0, 10),
        schedule_table("constant {}", constant, 0, 5),
        schedule_table("constant { warmup_steps: 4 }", constant, 4, 9),
        schedule_table("linear {}", linear, 0, 7),
        schedule_table("linear { warmup_ratio: 0.1 }", linear, 0.1, 25),
        schedule_table("linear { warmup_ratio: 0.1 warmup_steps: 6 }", linear, 6, 25),
        schedule_table("linear { warmup_steps: 12 }", linear, 12, 9),
        schedule_table("linear { warmup_steps: 5 }", linear, 5, 5),
        schedule_table("cosine {}", cosine, 0, 11),
        schedule_table("cosine { warmup_ratio: 0.3 }", cosine, 0.3, 19),
        schedule_table("cosine { warmup_steps: 3 min_lr_ratio: 0.1 }", cosine_min, 3, 17, min_lr_rate=0.1),
        schedule_table("cosine { warmup_steps: 1 }", cosine, 1, 1),
    ]


def clipping():
    """Two gradients, their norm, and what clip_grad_norm_ makes of them."""
    generator = torch.Generator().manual_seed(2)
    gradients = [torch.randn(size, generator=generator) for size in (7, 5)]
    cases = []
    for max_norm in (0.5, 3.0, 100.0):
        parameters = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        clipped = [parameter.grad.double().tolist() for parameter in parameters]
        cases.append({"max_norm": max_norm, "norm": norm.item(), "clipped": clipped})
    return {"gradients": [gradient.double().tolist() for gradient in gradients], "cases": cases}


def main():
    peer = golden_io.peers("torch", "transformers")
    golden_io.save_json(golden_io.ROOT / "optim/testdata/optimizers.json", optimizers(), peer)
    schedule_path = golden_io.ROOT / "common/train/testdata/schedules.json"
    golden_io.save_json(schedule_path, {"schedules": schedules(), "clipping": clipping()}, peer)


if __name__ == "__main__":
    main()
