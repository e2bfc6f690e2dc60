"""The peers' half of causal_vs_gcastle: gcastle's NOTEARS, and topological swaps as the paper tells them, written here on scikit-learn
because the authors' program has no licence: a regression on the data for each node whose predecessors a swap changes. Lines of JSON
in, each answered by a line with the seconds taken, the weights found, and whether the time limit cut the search."""

import json
import logging
import sys
import time

import numpy as np
from sklearn.linear_model import LinearRegression
from threadpoolctl import threadpool_limits

SMALL_SET, LARGE_SET, TOLERANCE = 100, 400, 1e-10


def regress(data, order, first, last):
    """Weights of the nodes at positions first to last - 1 on all before them, a column each, and the losses that they leave."""
    columns, losses = [], []
    for position in range(first, last):
        target, parents = data[:, order[position]], order[:position]
        column = np.zeros(data.shape[1])
        if position > 0:
            column[parents] = LinearRegression(fit_intercept=False).fit(data[:, parents], target).coef_
        columns.append(column)
        losses.append(0.5 * np.mean((target - data @ column) ** 2))
    return columns, losses


def candidates(data, order, weights):
    """Pairs of positions whose later node's edge to the earlier one the order forbids; first those with the least gradient of
    h = -log det(I - |W|), among equals those with the largest of the least squares."""
    paths = np.linalg.inv(np.eye(len(order)) - np.abs(weights))
    slope = np.abs(data.T @ (data @ weights - data)) / len(data)
    pairs = [(a, b) for a in range(len(order)) for b in range(a + 1, len(order))]
    return sorted(pairs, key=lambda pair: (paths[order[pair[0]], order[pair[1]]], -slope[order[pair[1]], order[pair[0]]]))


def swaps(data, order, deadline):
    order = list(order)
    weights = np.zeros((len(order), len(order)))
    columns, losses = regress(data, order, 0, len(order))
    weights[:, order] = np.array(columns).T
    iterations = 0
    while True:
        best, best_gain = None, TOLERANCE * abs(sum(losses))
        for tried, (a, b) in enumerate(candidates(data, order, weights)):
            if (tried >= SMALL_SET and best) or tried >= LARGE_SET:
                break
            if time.perf_counter() > deadline:
                return weights, iterations, True
            swapped = list(order)
            swapped[a], swapped[b] = swapped[b], swapped[a]
            columns, changed = regress(data, swapped, a, b + 1)
            gain = sum(losses[a:b + 1]) - sum(changed)
            if gain > best_gain:
                best, best_gain = (a, b, swapped, columns, changed), gain
        if best is None:
            return weights, iterations, False
        a, b, order, columns, losses[a:b + 1] = best
        weights[:, order[a:b + 1]] = np.array(columns).T
        iterations += 1


def notears(data, tolerance):
    from castle.algorithms import Notears

    learner = Notears(lambda1=0.0, loss_type="l2", h_tol=tolerance, w_threshold=0.0)
    learner.learn(data)
    return np.asarray(learner.weight_causal_matrix)


def answer(request):
    data = np.array(request["data"])
    begin = time.perf_counter()
    iterations, cut = 0, False
    if request["what"] == "swaps":
        weights, iterations, cut = swaps(data, request["order"], begin + request["max_seconds"])
    else:
        weights = notears(data, request["tolerance"])
    return {"seconds": [time.perf_counter() - begin], "weights": weights.tolist(), "iterations": iterations, "cut": cut}


def main():
    logging.disable(logging.CRITICAL)  # gcastle's progress
    with threadpool_limits(int(sys.argv[1])):
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
