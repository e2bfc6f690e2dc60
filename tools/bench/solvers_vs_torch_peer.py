"""PyTorch's half of solvers_vs_torch: the same in the plainest tensor operations. Lines of JSON in, each answered by a line with
the seconds of every repetition and a number that both programs must find."""

import json
import math
import sys
import time

import torch


def numbers(k, *sizes):
    """What both programs compute: element i of tensor k is the rest of (i + 1)(i + 3)(k + 7) by 10007, within -0.5 and 0.5."""
    i = torch.arange(1, math.prod(sizes) + 1)
    return ((i * (i + 2) * (k + 7) % 10007).double() / 10007 - 0.5).view(sizes)


def timed(repetitions, run):
    seconds = []
    for i in range(-1, repetitions):
        begin = time.perf_counter()
        run()
        if i >= 0:  # the first is to warm up
            seconds.append(time.perf_counter() - begin)
    return seconds


def inverse_vector_product(request):
    """M-FAC by Woodbury's identity, F^-1 x = (x - G^T (m damp I + G G^T)^-1 G x) / damp. The Gram matrix gets a new row and column
    for a gradient that comes in; its Cholesky factor, which torch cannot update, is made anew."""
    window, size, damp = request["window"], request["size"], 1e-3
    gradients, x = torch.stack([numbers(k, size).float() for k in range(window)]), numbers(window, size).float()
    gram = (gradients @ gradients.T).double() + window * damp * torch.eye(window, dtype=torch.float64)
    factor = torch.linalg.cholesky(gram)
    pushed = 0

    def push():
        nonlocal factor, pushed
        row = pushed % window
        gradients[row] = x
        gram[row] = gram[:, row] = (gradients @ x).double()
        gram[row, row] += window * damp
        factor = torch.linalg.cholesky(gram)
        pushed += 1

    def multiply():
        solved = torch.cholesky_solve((gradients @ x).double().unsqueeze(1), factor).squeeze(1)
        return (x - gradients.T @ solved.float()) / damp

    check = multiply().norm().item()

    def run():
        if request["push"]:
            push()
        multiply()

    return {"seconds": timed(request["repetitions"], run), "check": check}


def consensus(request):
    """Consensus-based optimisation, anisotropic, of Ackley's function; lambda 1, sigma 5.1, alpha 30, dt 0.01."""
    particles, size, steps = request["particles"], request["size"], request["steps"]

    def ackley(x):
        return -20 * (-0.2 * x.square().mean(1).sqrt()).exp() - (2 * math.pi * x).cos().mean(1).exp() + 20 + math.e

    value = 0.0

    def run():
        nonlocal value
        x = 6 * numbers(0, particles, size)
        for _ in range(steps):
            center = torch.softmax(-30 * ackley(x), 0) @ x
            difference = x - center
            x = x - 0.01 * difference + 5.1 * 0.1 * difference * torch.randn_like(x)
        value = ackley(x).min().item()

    return {"seconds": timed(request["repetitions"], run), "check": value}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(1)
    with torch.no_grad():
        for line in sys.stdin:
            request = json.loads(line)
            answer = consensus(request) if request["what"] == "consensus" else inverse_vector_product(request)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
