"""Opacus' half of ghost_vs_opacus: the runs that come as lines of JSON, each answered by a line with the seconds of every step,
the most bytes of tensors that a step had, and the loss after the last."""

import json
import sys
import time
import warnings

import torch
from opacus import PrivacyEngine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# Of Opacus' example for MNIST, and a multilayer perceptron.
MODELS = {
    "mlp": ((784,), lambda: nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))),
    "cnn": ((1, 28, 28), lambda: nn.Sequential(
        nn.Conv2d(1, 16, 8, 2, padding=3), nn.ReLU(), nn.MaxPool2d(2, 1), nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.MaxPool2d(2, 1),
        nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10))),
}


def numbers(k, sizes, scale):
    """What both programs compute: element i of tensor k is sin((k + 1)(i + 1)) * scale."""
    count = torch.Size(sizes).numel()
    return (torch.sin(torch.arange(1, count + 1, dtype=torch.float64) * float(k + 1)) * scale).float().view(sizes)


def make_model(name):
    sizes, make = MODELS[name]
    model = make()
    with torch.no_grad():
        for index, parameter in enumerate(model.parameters()):
            scale = (4 / parameter[0].numel()) ** 0.5 if parameter.dim() > 1 else 0.1
            parameter.copy_(numbers(index, parameter.shape, scale))
    return sizes, model


def most_bytes(step, live):
    """The most bytes of tensors during a step that begins with `live` ones, by torch's profiler."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = live
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def answer(request):
    batch, mode = request["batch"], request["mode"]
    sizes, model = make_model(request["model"])
    x, labels = numbers(100, (batch, *sizes), 1), torch.arange(batch) % 10
    plain = model
    optimizer = torch.optim.SGD(model.parameters(), lr=request["learning_rate"])
    criterion = nn.CrossEntropyLoss()
    if mode != "plain":
        loader = DataLoader(TensorDataset(x, labels), batch_size=batch)
        private = PrivacyEngine().make_private(
            module=model, optimizer=optimizer, criterion=criterion, data_loader=loader, poisson_sampling=False,
            noise_multiplier=request["noise_multiplier"], max_grad_norm=request["max_grad_norm"], grad_sample_mode=mode)
        model, optimizer = private[0], private[1]
        if mode == "ghost":
            criterion = private[2]

    def step():
        criterion(model(x), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    seconds = []
    for index in range(-request["warm_up"], request["steps"]):
        begin = time.perf_counter()
        step()
        if index >= 0:
            seconds.append(time.perf_counter() - begin)
    with torch.no_grad():
        loss = nn.functional.cross_entropy(plain(x), labels).item()
    live = sum(tensor.nbytes for tensor in [x, labels, *plain.parameters()])
    return {"seconds": seconds, "bytes": most_bytes(step, live), "loss": loss}


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(1)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
