"""Times a step of DP-SGD by this project and by Opacus, side by side, and writes docs/benchmarks.md.

Both are processes that stay up; each way of stepping is warmed up, and rounds of all of them alternate, so that whatever else the
machine does befalls all. Models, weights and batches are the same. A step is forward, backward, clipping, noise and SGD's update of
one batch that is already a tensor; sampling is not timed. Memory is what tensors took at the most, weights and batch included, by an
allocator that counts (plumb) and by torch's profiler (torch and Opacus). That all clip alike is seen from the losses after a few
steps without noise worth the name.
"""

import argparse
import os
import statistics
from importlib.metadata import version

import benchmarks_page
from program import start_both

HERE = os.path.dirname(os.path.abspath(__file__))
WAYS = [("plumb", "plain"), ("plumb", "ghost"), ("torch", "plain"), ("Opacus", "hooks"), ("Opacus", "ghost")]
NAMES = {"mlp": "MLP 784-256-256-10", "cnn": "CNN of Opacus' MNIST example"}


def measure(model, ours, peer, arguments):
    request = {"model": model, "batch": arguments.batch, "warm_up": arguments.warm_up, "steps": arguments.steps,
               "noise_multiplier": 1.0, "max_grad_norm": 1.0, "learning_rate": 0.1}
    quiet = dict(request, noise_multiplier=1e-9, warm_up=0, steps=5)
    # Asked first: no program is timed while the other one starts.
    losses = {way: (ours if way[0] == "plumb" else peer).ask(dict(quiet, mode=way[1]))["loss"] for way in WAYS}
    answers = {way: [] for way in WAYS}
    for _ in range(arguments.repetitions):
        for way in WAYS:
            program = ours if way[0] == "plumb" else peer
            answers[way].append(program.ask(dict(request, mode=way[1])))
            print(f"{model}: {way[0]} {way[1]}: {statistics.median(answers[way][-1]['seconds']) * 1e3:.2f} ms", flush=True)
    rows = []
    for way in WAYS:
        rounds = [statistics.median(answer["seconds"]) for answer in answers[way]]
        rows.append({"way": way, "seconds": statistics.median(rounds), "fastest": min(rounds), "slowest": max(rounds),
                     "bytes": max(answer["bytes"] for answer in answers[way]), "loss": losses[way]})
    return {"model": model, "rows": rows}


def report(results, arguments):
    lines = [
        "## DP-SGD: plumb and Opacus",
        "",
        f"A step of {arguments.batch} examples in f32: forward, backward, clipping, noise, SGD; {arguments.threads} threads of "
        f"{benchmarks_page.processor()}; torch {version('torch')}, Opacus {version('opacus')}. Medians of {arguments.steps} steps, of "
        f"{arguments.repetitions} rounds that alternate (least to most). plain: no clipping, no noise. ghost: ghost clipping. hooks: "
        "Opacus' per-example gradients. MiB: of tensors at the most, weights and batch included. Loss: after 5 steps with noise of 1e-9.",
        "",
        "| model | program | step | ms | of plumb's plain step | plumb's ghost step is faster by | MiB | of plumb's plain step | loss |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        plain, ghost = result["rows"][0], result["rows"][1]
        for row in result["rows"]:
            lines.append(
                f"| {NAMES[result['model']]} | {row['way'][0]} | {row['way'][1]} | {row['seconds'] * 1e3:.2f} ({row['fastest'] * 1e3:.2f} to "
                f"{row['slowest'] * 1e3:.2f}) | {row['seconds'] / plain['seconds']:.2f} | {row['seconds'] / ghost['seconds']:.2f} | "
                f"{row['bytes'] / 2**20:.2f} | {row['bytes'] / plain['bytes']:.2f} | {row['loss']:.5f} |")
    lines += ["", benchmarks_page.command("ghost_vs_opacus")]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--models", default="mlp,cnn", help=", ".join(NAMES))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--warm_up", type=int, default=10, help="steps of each round that are not counted")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--ours", default=os.path.join(HERE, "ghost_vs_opacus_ours"), help="our program (default: the one built beside)")
    arguments = parser.parse_args()
    ours, peer = start_both("ghost_vs_opacus", "Opacus", arguments)
    results = []
    for model in arguments.models.split(","):
        results.append(measure(model, ours, peer, arguments))
    ours.close()
    peer.close()
    benchmarks_page.write_section(arguments.docs, "ghost_vs_opacus", report(results, arguments))
    print(report(results, arguments))


if __name__ == "__main__":
    main()
