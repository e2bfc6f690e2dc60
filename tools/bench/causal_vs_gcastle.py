"""Times the search for causal graphs by this project and by peers, and writes docs/benchmarks.md: NOTEARS beside gcastle's, without
l1; topological swaps (TOPO) beside the paper's algorithm on scikit-learn, which is written here (causal_vs_gcastle_peer.py says why).

Both are processes that stay up and alternate. Data: linear models on random graphs with two edges a node, weights of size 0.5 to 2,
noise of equal variance, 1000 samples, centred; both programs begin from the same random order. Compared are the scores, the least
squares of the acyclic graph's order with every weight refitted (NOTEARS' small weights go until no cycle is left), and the structural
Hamming distance from the truth of weights above 0.3. Standardised data show what is found without the variances, which give the
order of simulated data away.
"""

import argparse
import os
import statistics
from importlib.metadata import version

import numpy as np

import benchmarks_page
from program import start_both

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES, THRESHOLD, TOLERANCE = 1000, 0.3, 1e-8
PROBLEMS = [(10, False), (20, False), (20, True), (50, False), (100, False)]
NAMES = {"swaps": "topological swaps", "notears": "NOTEARS"}


def simulate(nodes, standardized, seed):
    """True weights in a random order of the nodes, data, and an order to begin from."""
    random = np.random.default_rng([seed, nodes])
    size = random.uniform(0.5, 2, (nodes, nodes)) * random.choice([-1, 1], (nodes, nodes))
    weights = np.triu(size * (random.random((nodes, nodes)) < 4 / (nodes - 1)), 1)
    shuffle = random.permutation(nodes)
    weights = weights[np.ix_(shuffle, shuffle)]
    data = random.standard_normal((SAMPLES, nodes)) @ np.linalg.inv(np.eye(nodes) - weights)
    data -= data.mean(0)
    if standardized:
        data /= data.std(0)
    return weights, data, [int(node) for node in random.permutation(nodes)]


def acyclic_order(weights):
    """An order of the graph that is left once small weights are gone until no cycle remains."""
    sizes = np.sort(np.unique(np.abs(weights)))
    for threshold in sizes:
        present, order = np.abs(weights) > threshold, []
        while len(order) < len(weights):
            free = [node for node in range(len(weights)) if node not in order and
                    not any(present[i, node] for i in range(len(weights)) if i not in order)]
            if not free:
                break
            order.append(free[0])
        if len(order) == len(weights):
            return order
    raise AssertionError("a graph without edges has an order")


def score(data, order):
    """The least squares of an order: half the squared diagonal of the Cholesky factor of the second moments."""
    moments = data.T @ data / len(data)
    return 0.5 * float(np.sum(np.diag(np.linalg.cholesky(moments[np.ix_(order, order)])) ** 2))


def distance(weights, truth):
    found, true = np.abs(weights) > THRESHOLD, truth != 0
    differs = (found != true) | (found.T != true.T)
    return int(np.triu(differs, 1).sum())


def measure(what, nodes, standardized, arguments, ours, peer):
    rows = []
    for seed in range(arguments.seeds):
        truth, data, order = simulate(nodes, standardized, seed)
        request = {"what": what, "data": data.tolist(), "order": order, "tolerance": TOLERANCE, "max_seconds": arguments.max_seconds}
        answers = [ours.ask(dict(request, repetitions=arguments.repetitions)), peer.ask(request)]
        rows.append({
            "seconds": [statistics.median(answer["seconds"]) for answer in answers],
            "scores": [score(data, acyclic_order(np.array(answer["weights"]))) for answer in answers],
            "distances": [distance(np.array(answer["weights"]), truth) for answer in answers],
            "cut": answers[1]["cut"]})
        print(f"{NAMES[what]}, {nodes} nodes, seed {seed}: {rows[-1]}; {answers[0]['report']}", flush=True)
    return rows


def report(results, arguments):
    lines = [
        "## Causal graphs: plumb, gcastle, and topological swaps on scikit-learn",
        "",
        f"Linear models on random graphs with two edges a node, {SAMPLES} samples; {arguments.seeds} seeds, {arguments.threads} threads of "
        f"{benchmarks_page.processor()}; gcastle {version('gcastle')}, scikit-learn {version('scikit-learn')}. NOTEARS' peer is gcastle's; that of the "
        "swaps is the paper's algorithm, written for this measurement. Seconds: medians over seeds (least to most); from the data to the "
        f"weights. Score: least squares of the order found, mean of the seeds. SHD: weights above {THRESHOLD}, for each seed.",
        "",
        "| method | nodes | plumb, s | peer, s | plumb is faster by | plumb's score | peer's score | plumb's SHD | peer's SHD |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (what, nodes, standardized), rows in results:
        seconds = [[row["seconds"][side] for row in rows] for side in (0, 1)]
        cells = [f"{statistics.median(times):.4f} ({min(times):.4f} to {max(times):.4f})" for times in seconds]
        ratio = statistics.median(seconds[1]) / statistics.median(seconds[0])
        cut = sum(row["cut"] for row in rows)
        at_least = f" or more ({cut} of {len(rows)} cut at {arguments.max_seconds:g} s)" if cut else ""
        scores = [f"{statistics.mean(row['scores'][side] for row in rows):.4f}" for side in (0, 1)]
        distances = [", ".join(str(row["distances"][side]) for row in rows) for side in (0, 1)]
        lines.append(f"| {NAMES[what]} | {nodes}{', standardised' if standardized else ''} | {cells[0]} | {cells[1]} | {ratio:.1f}{at_least} | "
                     f"{scores[0]} | {scores[1]} | {distances[0]} | {distances[1]} |")
    lines += ["", benchmarks_page.command("causal_vs_gcastle")]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max_nodes", type=int, default=100)
    parser.add_argument("--max_nodes_notears", type=int, default=20)
    parser.add_argument("--max_seconds", type=float, default=120, help="when the swaps' peer is cut")
    parser.add_argument("--ours", default=os.path.join(HERE, "causal_vs_gcastle_ours"), help="our program (default: the one built beside)")
    arguments = parser.parse_args()
    ours, peer = start_both("causal_vs_gcastle", "gcastle", arguments)
    results = []
    for what, most in (("swaps", arguments.max_nodes), ("notears", arguments.max_nodes_notears)):
        for nodes, standardized in PROBLEMS:
            if nodes <= most:
                results.append(((what, nodes, standardized), measure(what, nodes, standardized, arguments, ours, peer)))
    ours.close()
    peer.close()
    benchmarks_page.write_section(arguments.docs, "causal_vs_gcastle", report(results, arguments))
    print(report(results, arguments))


if __name__ == "__main__":
    main()
