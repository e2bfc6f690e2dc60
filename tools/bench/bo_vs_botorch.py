"""Times Bayesian optimisation by this project and by BoTorch, side by side, and writes docs/benchmarks.md.

Both are processes that stay up, with one run done to warm up; runs alternate, so that whatever else the machine does befalls both.
Runs of one seed start from the same points and have the same evaluations, restarts, raw samples and samples of the acquisition
(log expected improvement; of q points together, by samples, for q > 1). Timed is what an iteration takes besides the objective: fit
and acquisition. Simple regrets are compared by the one-sided Wilcoxon signed-rank test over the seeds.
"""

import argparse
import math
import os
import random
import statistics
from importlib.metadata import version

import benchmarks_page
from program import start_both

HERE = os.path.dirname(os.path.abspath(__file__))
BOXES = {"branin": ([-5, 0], [10, 15]), "hartmann6": ([0] * 6, [1] * 6), "ackley5": ([-32.768] * 5, [32.768] * 5)}
LEAST_REGRET = 1e-6  # below it the published minima have no digits


def start_points(function, count, seed):
    lower, upper = BOXES[function]
    generator = random.Random(f"{function} {seed}")
    return [generator.uniform(low, high) for _ in range(count) for low, high in zip(lower, upper)]


def signed_rank(ours, theirs):
    """P of differences as favourable to `theirs` as these, were both alike: Wilcoxon's signed ranks, exact without ties."""
    differences = [a - b for a, b in zip(ours, theirs) if a != b]
    order = sorted(range(len(differences)), key=lambda i: abs(differences[i]))
    statistic = sum(rank + 1 for rank, i in enumerate(order) if differences[i] > 0)
    counts = [1]  # of the subsets of the ranks with each sum
    for rank in range(1, len(differences) + 1):
        counts = [(counts[s] if s < len(counts) else 0) + (counts[s - rank] if s >= rank else 0) for s in range(len(counts) + rank)]
    return sum(counts[statistic:]) / 2 ** len(differences)


def measure(function, q, programs, arguments):
    iterations = max(1, arguments.evaluations // q)
    request = {"function": function, "q": q, "iterations": iterations, "num_restarts": arguments.num_restarts,
               "raw_samples": arguments.raw_samples, "samples": arguments.samples}
    runs = [[] for _ in programs]
    for seed in range(arguments.seeds + 1):
        start = start_points(function, arguments.initial_points, seed)
        for program, answers in zip(programs, runs):
            answer = program.ask(dict(request, seed=seed, start=start, iterations=min(2, iterations) if seed == 0 else iterations))
            if seed > 0:  # the first is to warm up
                answers.append(answer)
                print(f"{function} q={q} seed {seed}: {program.name}: {statistics.mean(answer['seconds']) * 1e3:.1f} ms an iteration, "
                      f"best {answer['best'][-1]:.4f}", flush=True)
    minimum = runs[0][0]["minimum"]
    rows = []
    for program, answers in zip(programs, runs):
        seconds = [statistics.mean(answer["seconds"]) for answer in answers]
        regrets = [max(answer["best"][-1] - minimum, LEAST_REGRET) for answer in answers]
        rows.append({"name": program.name, "seconds": statistics.median(seconds), "fastest": min(seconds), "slowest": max(seconds),
                     "regrets": regrets, "median_regret": statistics.median(regrets),
                     "log_regret": statistics.mean(math.log10(regret) for regret in regrets)})
    worse, better = signed_rank(rows[0]["regrets"], rows[1]["regrets"]), signed_rank(rows[1]["regrets"], rows[0]["regrets"])
    return {"function": function, "q": q, "iterations": iterations, "rows": rows, "p_worse": worse, "p_better": better}


def report(results, arguments):
    lines = [
        "## Bayesian optimisation: plumb and BoTorch",
        "",
        f"{arguments.initial_points} random points, then {arguments.evaluations} evaluations; log expected improvement (of q points "
        f"together by {arguments.samples} samples), {arguments.num_restarts} restarts of {arguments.raw_samples} raw samples; float64, "
        f"{arguments.threads} threads of {benchmarks_page.processor()}; torch {version('torch')}, BoTorch {version('botorch')}. "
        f"{arguments.seeds} seeds, both programs from the same points; runs alternate. Timed: fit and acquisition of an iteration, mean of "
        "a run, median (least to most) of the seeds. p: of Wilcoxon's signed-rank test that plumb's regret is worse, one-sided; exact.",
        "",
        "| function | q | program | ms an iteration | plumb is faster by | simple regret, median | mean of its log10 | p, plumb worse | p, plumb better |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        ours = result["rows"][0]
        for row in result["rows"]:
            lines.append(f"| {result['function']} | {result['q']} | {row['name']} | {row['seconds'] * 1e3:.1f} ({row['fastest'] * 1e3:.1f} to "
                         f"{row['slowest'] * 1e3:.1f}) | {row['seconds'] / ours['seconds']:.1f} | {row['median_regret']:.2e} | "
                         f"{row['log_regret']:.2f} | {result['p_worse']:.3f} | {result['p_better']:.3f} |")
    lines += ["", benchmarks_page.command("bo_vs_botorch")]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--functions", default="hartmann6", help=", ".join(BOXES))
    parser.add_argument("--batches", default="1,4", help="q, each a table row")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--initial_points", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=30, help="after the first points")
    parser.add_argument("--num_restarts", type=int, default=10)
    parser.add_argument("--raw_samples", type=int, default=512)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--ours", default=os.path.join(HERE, "bo_vs_botorch_ours"), help="our program (default: the one built beside)")
    arguments = parser.parse_args()
    programs = start_both("bo_vs_botorch", "BoTorch", arguments)
    results = []
    for function in arguments.functions.split(","):
        for q in arguments.batches.split(","):
            results.append(measure(function, int(q), programs, arguments))
            benchmarks_page.write_section(arguments.docs, "bo_vs_botorch", report(results, arguments))
    for program in programs:
        program.close()
    print(report(results, arguments))


if __name__ == "__main__":
    main()
