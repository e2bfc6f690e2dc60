"""Times hypergradients, the derivatives of a held-out loss by the penalties of a logistic regression, by this project and by jaxopt, and
writes docs/benchmarks.md.

Each takes the penalties (one for each weight), fits the weights from zero until the gradient is at most 1e-6, and differentiates the
held-out loss through the solution by the implicit function theorem. This project does so in closed form (Newton's method, and the
Cholesky factor of its last Hessian) and from the objective's formula alone (L-BFGS-B and conjugate gradients through autograd); jaxopt
by compiled L-BFGS with either of its usual line searches. The first call holds jaxopt's compilation, which comes with each new shape.
All are processes that stay up; rounds alternate.
"""

import argparse
import os
import statistics
from importlib.metadata import version

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

import benchmarks_page
from program import start_both

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-6
WAYS = [("plumb", "closed form"), ("plumb", "autograd"), ("jaxopt", "zoom"), ("jaxopt", "backtracking")]


def problems():
    """Name, inputs, labels of +-1, how many rows to fit; the other rows are held out."""
    inputs, labels = load_breast_cancer(return_X_y=True)
    yield "breast cancer, 300 rows of 30", inputs, 2.0 * labels - 1, 300
    inputs, labels = load_digits(return_X_y=True)
    yield "digits, odd or even, 1000 rows of 64", inputs, 2.0 * (labels % 2) - 1, 1000


def split(inputs, labels, rows):
    deviation = inputs.std(0)
    inputs = (inputs - inputs.mean(0)) / np.where(deviation > 0, deviation, 1)
    shuffled = np.random.default_rng(0).permutation(len(labels))
    parts = {"train": shuffled[:rows], "held_out": shuffled[rows:]}
    return {name: {"inputs": inputs[part].tolist(), "labels": labels[part].tolist()} for name, part in parts.items()}


def measure(name, data, log_penalty, ours, peer, arguments):
    # As a search over penalties moves: no two calls are alike.
    thetas = [log_penalty + 0.01 * k for k in range(arguments.calls)]
    rows = []
    for program, how in WAYS:
        side = ours if program == "plumb" else peer
        first = side.ask(dict(data, how=how, tolerance=TOLERANCE, thetas=thetas[:1], fresh=True))["seconds"][0]
        rows.append({"way": (program, how), "first": first, "rounds": []})
    for _ in range(arguments.repetitions):
        for row in rows:
            side = ours if row["way"][0] == "plumb" else peer
            answer = side.ask(dict(data, how=row["way"][1], tolerance=TOLERANCE, thetas=thetas, fresh=False))
            row["rounds"].append(statistics.median(answer["seconds"]))
            row["value"], row["gradient"] = answer["value"], np.array(answer["gradient"])
    for row in rows:
        row["difference"] = float(np.abs(row["gradient"] - rows[0]["gradient"]).max() / np.abs(rows[0]["gradient"]).max())
        print(f"{name}, {row['way']}: {statistics.median(row['rounds']) * 1e3:.3f} ms, first {row['first'] * 1e3:.1f} ms, differs by "
              f"{row['difference']:.1e}", flush=True)
    return rows


def report(results, arguments):
    lines = [
        "## Hypergradients: plumb and jaxopt",
        "",
        f"Of a held-out loss by the penalties of a logistic regression, f64, {arguments.threads} threads of {benchmarks_page.processor()}; "
        f"jaxopt {version('jaxopt')}, jax {version('jax')}. Medians of {arguments.calls} calls with different penalties, of {arguments.repetitions} "
        "rounds that alternate (least to most). First: the first call, with jaxopt's compilation for this shape. Differs: largest "
        "difference from the first row's hypergradient, over its largest element.",
        "",
        "| problem | penalties | program | how | ms | plumb's closed form is faster by | first call, ms | differs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (name, log_penalty), rows in results:
        base = statistics.median(rows[0]["rounds"])
        for row in rows:
            middle, least, most = (f(row["rounds"]) * 1e3 for f in (statistics.median, min, max))
            lines.append(f"| {name} | exp({log_penalty:g}) | {row['way'][0]} | {row['way'][1]} | {middle:.3f} ({least:.3f} to {most:.3f}) | "
                         f"{middle / 1e3 / base:.2f} | {row['first'] * 1e3:.1f} | {row['difference']:.1e} |")
    lines += ["", benchmarks_page.command("hypergradients_vs_jaxopt")]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--calls", type=int, default=30, help="hypergradients in a round")
    parser.add_argument("--ours", default=os.path.join(HERE, "hypergradients_vs_jaxopt_ours"),
                        help="our program (default: the one built beside)")
    arguments = parser.parse_args()
    ours, peer = start_both("hypergradients_vs_jaxopt", "jaxopt", arguments)
    results = []
    for name, inputs, labels, rows in problems():
        for log_penalty in (-3.0, -6.0):
            data = split(inputs, labels, rows)
            results.append(((name, log_penalty), measure(name, data, log_penalty, ours, peer, arguments)))
    ours.close()
    peer.close()
    benchmarks_page.write_section(arguments.docs, "hypergradients_vs_jaxopt", report(results, arguments))
    print(report(results, arguments))


if __name__ == "__main__":
    main()
