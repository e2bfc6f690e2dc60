"""How time and memory of DPO grow with sequence length, vocabulary and batch, and writes docs/benchmarks.md.

Each row is a run of //alignment:train on pairs of one length each: a prompt of half the sequence and two answers of the other half.
"""

import argparse
import json
import math
import os
import pathlib
import random
import tempfile

import benchmarks_page
import dpo_vs_trl
import models

HERE = pathlib.Path(__file__).absolute().parent
STEPS = 3


def make_pairs(count, length, path):
    generator = random.Random(1)
    with open(path, "w") as file:
        for _ in range(count):
            row = {name: "".join(generator.choice("abcdefghij ") for _ in range(size))
                   for name, size in (("prompt", length // 2), ("chosen", length // 2 - 1), ("rejected", length // 2 - 1))}
            file.write(json.dumps(row) + "\n")


def measure(shape, length, vocabulary, batch_size, arguments):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        weights = models.make(shape, vocabulary, folder / "model")
        make_pairs(STEPS * batch_size, length, folder / "pairs.jsonl")
        (folder / "recipe.textproto").write_text(f"""
            name: "cost"  threads: {arguments.threads}  output_dir: "{folder}/run"
            model {{ pretrained: "{folder}/model" }}
            data {{ preference {{ path: "{folder}/pairs.jsonl" }} eval_fraction: 0 max_length: {length} }}
            stage {{ name: "dpo" objective {{ dpo {{}} }}
              training {{ max_steps: {STEPS} per_device_train_batch_size: {batch_size}
                          logging_steps: 1 save_steps: 1000000 max_tokens_per_micro_batch: {arguments.max_tokens} }}
              samples {{ from_eval: 0 }} }}""")
        _, mib = dpo_vs_trl.run([arguments.ours, f"--recipe={folder}/recipe.textproto"], os.environ)
        lines = [json.loads(line) for line in open(folder / "run/metrics.jsonl")]
        steps = [line for line in lines if "grad_norm" in line]
        # The first step warms up.
        seconds = [(b["num_tokens"] - a["num_tokens"]) / b["tokens_per_second"] for a, b in zip(steps, steps[1:])]
        # Weights, gradients, two moments of AdamW; the rest is what a batch needs, and the program itself.
        return min(seconds), mib, mib - 16 * weights / 2**20


def attention_share(shape, length, vocabulary):
    """Of a step's arithmetic, that of attention: a pair's prompt sees itself, its answers the prompt and themselves."""
    hidden, layers, _, _, mlp = models.SHAPES[shape]
    prompt = answer = length / 2
    pairs_of_tokens = prompt**2 / 2 + 2 * (answer * prompt + answer**2 / 2)
    attention = layers * 4 * hidden * pairs_of_tokens
    products = 2 * (prompt + 2 * answer) * (layers * (4 * hidden**2 + 3 * hidden * mlp)) + 2 * 2 * answer * hidden * vocabulary
    return attention / (attention + products)


def growth(rows, shape):
    """Where each series stops being linear: the first row that takes a quarter more time a token than the best before it."""
    lines = []
    for what, why in (("sequence", "attention, whose work a token has grows with the length"), ("batch", "")):
        series = [row for row in rows if row["what"] == what]
        best, bend = math.inf, None
        for row in series:
            rate = row["seconds"] / row["tokens"]
            if bend is None and rate > 1.25 * best:
                bend = row
            best = min(best, rate)
        if not series:
            continue
        key = "length" if what == "sequence" else "batch_size"
        if bend is None:
            lines.append(f"- {what}: time is linear (within a quarter) up to {series[-1][key]}.")
        else:
            lines.append(f"- {what}: time stops being linear at {bend[key]}{': ' + why if why else ''}.")
        if what == "sequence":
            shares = ", ".join(f"{100 * attention_share(shape, row['length'], row['vocabulary']):.0f} % at {row['length']}" for row in series)
            lines.append(f"  Attention's share of the arithmetic: {shares}.")
    series = [row for row in rows if row["what"] == "vocabulary"]
    if len(series) > 1:
        lines.append(f"- vocabulary: from {series[0]['vocabulary']} to {series[-1]['vocabulary']} the memory without weights grows by a "
                     f"factor of {series[-1]['rest'] / series[0]['rest']:.2f}, time by {series[-1]['seconds'] / series[0]['seconds']:.1f}: the "
                     "head's products and the update of its weights and of the embeddings grow with it, and no logits are kept.")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--ours", default=HERE.parents[1] / "alignment/train", help="our program (default: the one built beside)")
    parser.add_argument("--shape", default="5M")
    parser.add_argument("--lengths", default="256,512,1024,2048,4096,8192")
    parser.add_argument("--vocabularies", default="4096,32000,128000")
    parser.add_argument("--batch_sizes", default="1,2,4,8,16,32")
    parser.add_argument("--max_tokens", type=int, default=512, help="max_tokens_per_micro_batch")
    arguments = parser.parse_args()

    def numbers(text):
        return [int(number) for number in text.split(",") if number]

    rows = [("sequence", length, 4096, 2) for length in numbers(arguments.lengths)]
    rows += [("vocabulary", 512, vocabulary, 8) for vocabulary in numbers(arguments.vocabularies)]
    rows += [("batch", 512, 4096, batch_size) for batch_size in numbers(arguments.batch_sizes)]
    lines = ["## How the cost of DPO grows", "",
             f"The {arguments.shape} shape, full fine-tuning in f32, {arguments.threads} threads of {benchmarks_page.processor()}; pairs of one "
             "length, half of it the prompt, whose 1.5 lengths of tokens are computed once each. Seconds of a step; the most memory that the "
             "process had resident, and that without weights, gradients and moments (16 bytes a weight).", "",
             "| grows | length | vocabulary | pairs a step | seconds | ms per 1,000 tokens | MiB | without weights |",
             "|---|---|---|---|---|---|---|---|"]
    measured = []
    for what, length, vocabulary, batch_size in rows:
        seconds, mib, rest = measure(arguments.shape, length, vocabulary, batch_size, arguments)
        tokens = 1.5 * length * batch_size
        measured.append({"what": what, "length": length, "vocabulary": vocabulary, "batch_size": batch_size, "seconds": seconds,
                         "tokens": tokens, "rest": rest})
        lines.append(f"| {what} | {length} | {vocabulary} | {batch_size} | {seconds:.2f} | {1e6 * seconds / tokens:.0f} | {mib:.0f} | "
                     f"{rest:.0f} |")
        print(lines[-1], flush=True)
    lines += [""] + growth(measured, arguments.shape) + ["", benchmarks_page.command("cost_growth")]
    benchmarks_page.write_section(arguments.docs, "cost_growth", "\n".join(lines))


if __name__ == "__main__":
    main()
