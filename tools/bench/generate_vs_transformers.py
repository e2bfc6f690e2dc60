"""Times text generation by this project and by transformers, side by side, and writes docs/benchmarks.md.

Both are processes that stay up, with the model loaded and one round done to warm up; rounds alternate, so that
whatever else the machine does befalls both. Greedy tokens are compared: where a sequence parts, the two tokens'
logits must be equal within what rounding explains.
"""

import argparse
import os
import random
import re
import statistics
import sys
import tempfile
from importlib.metadata import version

import benchmarks_page
import models
from program import Program

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST_TIE = 1e-3  # difference of two logits that rounding may turn round


class Generator(Program):
    """One that generates, and its rounds."""

    def __init__(self, name, command, threads):
        super().__init__(name, command, threads)
        self.rounds = []

    def seconds(self):
        return statistics.median(answer["seconds"] for answer in self.rounds)

    def peak_mib(self):
        # Not getrusage(): it remembers what the parent had.
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def compare_tokens(ours, theirs, peer, prompts):
    """How many sequences are the same; ends the program where one parts without a tie."""
    same = 0
    for index, (a, b) in enumerate(zip(ours, theirs)):
        if a == b:
            same += 1
            continue
        step = next(i for i, (x, y) in enumerate(zip(a, b)) if x != y)
        answer = peer.ask({"ids": prompts[index] + b[:step], "tokens": [a[step], b[step]]})
        difference = abs(answer["logits"][0] - answer["logits"][1])
        if difference > LARGEST_TIE:
            sys.exit(f"sequence {index} parts at new token {step} where the logits differ by {difference}")
    return same


def measure(shape, arguments, folder):
    vocabulary = arguments.vocabulary
    # Weights wide enough that the likeliest token is seldom a tie; no end of sequence, so that all lengths are equal.
    parameters = models.make(shape, vocabulary, folder, initializer_range=0.05, tie_word_embeddings=True, eos_token_id=None)
    generator = random.Random(1)
    lengths = [generator.randint(arguments.prompt_tokens // 2, arguments.prompt_tokens * 3 // 2)
               for _ in range(arguments.prompts)]
    prompts = [[generator.randrange(vocabulary) for _ in range(length)] for length in lengths]
    ours = Generator("plumb", [arguments.ours, folder, str(arguments.threads)], arguments.threads)
    script = os.path.join(HERE, "generate_vs_transformers_peer.py")
    theirs = [Generator(f"transformers, {cache} cache", [sys.executable, script, folder, cache], arguments.threads)
              for cache in arguments.caches.split(",")]
    for round_number in range(arguments.repetitions + 1):
        for peer in [ours] + theirs:
            answer = peer.ask({"prompts": prompts, "max_new_tokens": arguments.new_tokens})
            if round_number > 0:
                peer.rounds.append(answer)
    tokens = arguments.prompts * arguments.new_tokens
    result = {"shape": shape, "parameters": parameters, "rows": [], "same": None}
    for peer in theirs:
        same = compare_tokens(ours.rounds[0]["tokens"], peer.rounds[0]["tokens"], peer, prompts)
        result["same"] = same if result["same"] is None else min(same, result["same"])
    for peer in [ours] + theirs:
        result["rows"].append((peer.name, peer.seconds(), tokens / peer.seconds(),
                               peer.seconds() / ours.seconds(), peer.peak_mib()))
        peer.close()
    return result


def report(results, arguments):
    lines = [
        "## Generation: plumb and transformers",
        "",
        f"{arguments.prompts} prompts of {arguments.prompt_tokens // 2} to {arguments.prompt_tokens * 3 // 2} tokens, "
        f"{arguments.new_tokens} new tokens each, greedy, f32, threads: {arguments.threads} of {benchmarks_page.processor()}; Llama models of "
        f"random weights; torch {version('torch')}, transformers {version('transformers')}. Medians of "
        f"{arguments.repetitions} rounds that alternate; loading is not timed. Memory: the most that the process had "
        "resident. Both have the prompts' token ids; what transformers gets is padded on the left.",
        "",
        "| model | program | seconds | new tokens/s | time, plumb = 1 | MiB |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        for name, seconds, speed, ratio, mib in result["rows"]:
            lines.append(f"| {result['shape']} | {name} | {seconds:.2f} | {speed:.0f} | {ratio:.2f} | {mib:.0f} |")
    same = ", ".join(f"{result['same']} of {arguments.prompts} ({result['shape']})" for result in results)
    lines += ["", f"Sequences with the same tokens throughout: {same}; where one parts, the logits of the two tokens "
              f"differ by less than {LARGEST_TIE}.", "",
              benchmarks_page.command("generate_vs_transformers")]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--shapes", default="5M,25M,110M", help="of what is no embedding")
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--prompt_tokens", type=int, default=64, help="of the middle one; half to one and a half")
    parser.add_argument("--new_tokens", type=int, default=128)
    parser.add_argument("--caches", default="dynamic,static", help="of transformers; each is a peer of its own")
    parser.add_argument("--ours", default=os.path.join(HERE, "generate_vs_transformers_ours"),
                        help="our program (default: the one built beside)")
    arguments = parser.parse_args()
    results = []
    for shape in arguments.shapes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            results.append(measure(shape, arguments, folder))
    text = report(results, arguments)
    print(text)
    benchmarks_page.write_section(arguments.docs, "generate_vs_transformers", text)


if __name__ == "__main__":
    main()
