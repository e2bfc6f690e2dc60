"""Times M-FAC's inverse-vector products and steps of consensus-based optimisation by this project and by plain PyTorch, side by
side, and writes docs/benchmarks.md. Both are processes that stay up; rounds alternate, so that whatever else the machine does befalls
both. Both find the same products; of consensus-based optimisation, whose random numbers differ, the values found are shown."""

import argparse
import os
import statistics
from importlib.metadata import version

import benchmarks_page
from program import start_both

HERE = os.path.dirname(os.path.abspath(__file__))
PRODUCTS = [(64, 10_000), (256, 100_000), (512, 270_000)]


def requests(repetitions):
    for window, size in PRODUCTS:
        for push in (False, True):
            yield (f"M-FAC, {window} gradients of {size}: F^-1 x" + (" after a new gradient" if push else ""),
                   {"what": "product", "window": window, "size": size, "push": push, "repetitions": repetitions})
    yield ("consensus, 100 particles of 20: 500 steps on Ackley's function",
           {"what": "consensus", "particles": 100, "size": 20, "steps": 500, "repetitions": repetitions})


def report(rows, arguments):
    lines = [
        "## Solvers: plumb and plain PyTorch",
        "",
        f"Medians of {arguments.repetitions} rounds that alternate (least to most), {arguments.threads} threads of "
        f"{benchmarks_page.processor()}; torch {version('torch')}. M-FAC in f32 with a window that is full; PyTorch by Woodbury's identity, with "
        "a new Cholesky factor for each new gradient. Consensus in f64. Found: the norm of the product; the least value.",
        "",
        "| what | plumb, ms | PyTorch, ms | plumb is faster by | plumb found | PyTorch found |",
        "|---|---|---|---|---|---|",
    ]
    for name, ours, theirs in rows:
        cells = []
        for answers in (ours, theirs):
            seconds = [statistics.median(answer["seconds"]) * 1e3 for answer in answers]
            cells.append((statistics.median(seconds), f"{statistics.median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f})"))
        lines.append(f"| {name} | {cells[0][1]} | {cells[1][1]} | {cells[1][0] / cells[0][0]:.1f} | {ours[-1]['check']:.6g} | "
                     f"{theirs[-1]['check']:.6g} |")
    lines += ["", benchmarks_page.command("solvers_vs_torch")]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--ours", default=os.path.join(HERE, "solvers_vs_torch_ours"), help="our program (default: the one built beside)")
    arguments = parser.parse_args()
    ours, peer = start_both("solvers_vs_torch", "PyTorch", arguments)
    rows = []
    for name, request in requests(repetitions=5):
        answers = [(ours.ask(request), peer.ask(request)) for _ in range(arguments.repetitions)]
        rows.append((name, [a for a, _ in answers], [b for _, b in answers]))
        print(name, flush=True)
    ours.close()
    peer.close()
    benchmarks_page.write_section(arguments.docs, "solvers_vs_torch", report(rows, arguments))
    print(report(rows, arguments))


if __name__ == "__main__":
    main()
