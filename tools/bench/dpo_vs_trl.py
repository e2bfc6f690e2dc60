"""Times DPO by this project and by TRL, side by side, and writes docs/benchmarks.md.

The same weights, pairs, batch size, threads and number of steps go to //alignment:train and to TRL's DPOTrainer, each run a process
of its own; runs alternate, so that whatever else the machine does befalls both. Timed is the work of DPO itself: the reference's
log-probabilities and the optimizer steps, not imports, loading or tokenization. Tokens are those of the pairs: prompt and chosen,
prompt and rejected, no padding. The losses of all programs are compared. Rows of models that are not measured this time stay.
"""

import argparse
import json
import math
import os
import pathlib
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version

import benchmarks_page
import models

HERE = pathlib.Path(__file__).absolute().parent
MAX_LENGTH = 512
LARGEST_LOSS_DIFFERENCE = {"f32": 2e-3, "bf16": 0.05}

# What TRL is asked for: its defaults (bf16 autocast, gradient checkpointing, the reference with each step), and what was found to
# be fastest of all that it offers on a CPU: --find_best tries the others again.
DEFAULTS = {"name": "TRL (defaults)"}
BEST = {"name": "TRL (best)", "bf16": False, "gradient_checkpointing": False, "precompute_ref_log_probs": True}
CANDIDATES = [dict(BEST, accumulate=accumulate) for accumulate in (8, 4, 2, 1)]


def make_pairs(count, path):
    """Pairs whose lengths are distributed as in hh-rlhf (log-normal, fitted to it); a letter is a token."""
    generator = random.Random(1)

    def text(median, deviation, longest):
        length = max(2, min(longest, round(math.exp(generator.gauss(math.log(median), deviation)))))
        return "".join(generator.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(length - 1))

    tokens = 0
    with open(path, "w") as file:
        for _ in range(count):
            row = {"prompt": text(69, 1.05, 300), "chosen": text(27, 1.0, 200), "rejected": text(27, 1.0, 200)}
            # The end-of-sequence token, which both add to an answer, is counted.
            tokens += 2 * len(row["prompt"]) + len(row["chosen"]) + 1 + len(row["rejected"]) + 1
            file.write(json.dumps(row) + "\n")
    return tokens


class Unfinished(Exception):
    """A run that was over its limit of time or memory: why, and the most memory that it had resident, in MiB."""

    def __init__(self, why, mib):
        super().__init__(why)
        self.why, self.mib = why, mib


def run(command, environment, time_limit=0, memory_limit=0):
    """Standard output and error of a process, and the most memory that it had resident, in MiB. Limits in seconds and bytes; 0: none."""

    def limit():
        if memory_limit:
            resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))

    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, preexec_fn=limit)
    late = threading.Event()

    def end():
        late.set()
        process.kill()

    timer = threading.Timer(time_limit, end)
    if time_limit:
        timer.start()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    mib = usage.ru_maxrss / 1024
    if late.is_set():
        raise Unfinished(f"over {time_limit} s", mib)
    if process.returncode != 0 and memory_limit and ("can't allocate memory" in output or "MemoryError" in output):
        raise Unfinished(f"over {memory_limit / 2**30:.0f} GiB", mib)
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with exit code {process.returncode}:\n{output[-3000:]}")
    return output, mib


class Bench:
    def __init__(self, shape, vocabulary, lora, arguments, folder):
        self.arguments, self.folder, self.lora = arguments, folder, lora
        self.model = folder / "model"
        self.parameters = models.make(shape, vocabulary, self.model)
        self.tokens = make_pairs(arguments.steps * arguments.batch_size, folder / "pairs.jsonl")
        self.environment = dict(os.environ, OMP_NUM_THREADS=str(arguments.threads), HF_HUB_OFFLINE="1",
                                TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="")

    def ours(self, settings):
        a = self.arguments
        dtype = "dtype: BFLOAT16" if settings.get("bf16") else ""
        lora = 'lora { r: 16 lora_alpha: 32 target_modules: "all-linear" }' if self.lora else ""
        recipe = f"""
            name: "bench"  seed: 1  threads: {a.threads}  output_dir: "{self.folder}/run"
            model {{ pretrained: "{self.model}" {dtype} {lora} }}
            data {{ preference {{ path: "{self.folder}/pairs.jsonl" }} eval_fraction: 0 max_length: {MAX_LENGTH} shuffle: false }}
            stage {{ name: "dpo" objective {{ dpo {{}} }} optimizer {{ adamw {{ learning_rate: 1e-6 }} }}
              training {{ max_steps: {a.steps} per_device_train_batch_size: {a.batch_size} logging_steps: 1 save_steps: 1000000 }}
              samples {{ from_eval: 0 }} }}"""
        (self.folder / "recipe.textproto").write_text(recipe)
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        output, mib = run([a.ours, f"--recipe={self.folder}/recipe.textproto"], self.environment)
        reference = float(re.search(r"reference log-probabilities of \d+ pairs in ([0-9.e+-]+) s", output).group(1))
        steps = [json.loads(line) for line in open(self.folder / "run/metrics.jsonl")]
        steps = [step for step in steps if "grad_norm" in step]
        seconds, before = 0, 0
        for step in steps:
            seconds += (step["num_tokens"] - before) / step["tokens_per_second"]
            before = step["num_tokens"]
        return {"seconds": reference + seconds, "reference": reference, "mib": mib, "losses": [step["loss"] for step in steps]}

    def trl(self, settings):
        a = self.arguments
        request = dict(settings, model=str(self.model), pairs=f"{self.folder}/pairs.jsonl", steps=a.steps, batch_size=a.batch_size,
                       max_length=MAX_LENGTH, lora=self.lora, threads=a.threads, output=str(self.folder / "trl"))
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        output, mib = run([sys.executable, HERE / "dpo_vs_trl_peer.py", json.dumps(request)], self.environment, a.time_limit,
                          int(0.8 * physical))
        answer = json.loads(output.rstrip("\n").rsplit("\n", 1)[-1])
        return dict(answer, mib=mib)


def largest_difference(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


def measure(shape, vocabulary, lora, arguments):
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(shape, vocabulary, lora, arguments, pathlib.Path(folder))
        best = CANDIDATES[0]
        if arguments.find_best:
            seconds = [bench.trl(candidate)["seconds"] for candidate in CANDIDATES]
            best = CANDIDATES[seconds.index(min(seconds))]
            print(f"{shape} {vocabulary}: tried {list(zip(CANDIDATES, seconds))}", flush=True)
        best_bf16 = dict(best, name="TRL (best, bf16)", bf16=True)
        programs = [("plumb", bench.ours, {}), ("plumb (bf16)", bench.ours, {"bf16": True})]
        programs += [(settings["name"], bench.trl, settings) for settings in (DEFAULTS, best, best_bf16)]
        if arguments.only:
            programs = [program for program in programs if program[0] in arguments.only.split(";")]
        runs, unfinished = [[] for _ in programs], [None] * len(programs)
        begin = time.monotonic()
        for repetition in range(arguments.repetitions):
            if repetition > 0 and arguments.model_seconds and time.monotonic() - begin > arguments.model_seconds:
                break
            for i, (name, program, settings) in enumerate(programs):
                if unfinished[i]:
                    continue
                said = f"{shape} {vocabulary} {'LoRA' if lora else 'full'}: {name}:"
                try:
                    runs[i].append(program(settings))
                    print(said, f"{runs[i][-1]['seconds']:.2f} s, {runs[i][-1]['mib']:.0f} MiB, losses {runs[i][-1]['losses']}", flush=True)
                except Unfinished as error:
                    unfinished[i] = error
                    print(said, error.why, flush=True)
        rows = []
        for (name, _, settings), results, error in zip(programs, runs, unfinished):
            if error:
                rows.append({"name": name, "unfinished": error.why, "mib": error.mib, "settings": settings})
                continue
            dtype = "f32" if name == "plumb" or settings.get("bf16") is False else "bf16"
            difference = largest_difference(results[0]["losses"], runs[0][0]["losses"])
            if difference > LARGEST_LOSS_DIFFERENCE[dtype]:
                sys.exit(f"{name}: losses differ by {difference}: {results[0]['losses']}, plumb's {runs[0][0]['losses']}")
            rows.append({"name": name, "seconds": statistics.median(r["seconds"] for r in results), "runs": len(results),
                         "mib": max(r["mib"] for r in results), "difference": difference, "settings": settings})
        return {"vocabulary": vocabulary, "training": "LoRA" if lora else "full", "tokens": bench.tokens, "rows": rows}


def introduction(arguments):
    return (
        f"{arguments.steps} steps of {arguments.batch_size} pairs whose lengths are distributed as in hh-rlhf (prompts of 69 tokens, "
        f"answers of 27, log-normal), {arguments.threads} threads of {benchmarks_page.processor()}; Llama models of random weights; "
        f"torch {version('torch')}, transformers {version('transformers')}, TRL {version('trl')}. Medians of runs that alternate. Timed: "
        "the reference's log-probabilities and the optimizer steps. Tokens: those of the pairs, prompts counted with each answer. Memory: "
        "the most that the process had resident. plumb trains in f32 or wholly in bf16 with f32 master weights; TRL by default in bf16 "
        f"autocast with gradient checkpointing, at its best in what the last column says; a run of it was given {arguments.time_limit} s, "
        "imports included.")


def table_rows(result):
    ours = min((row for row in result["rows"] if row["name"].startswith("plumb")), key=lambda row: row["seconds"])
    lines = []
    for row in result["rows"]:
        settings = ", ".join(f"{key}={value}" for key, value in row["settings"].items() if key != "name")
        line = f"| {result['vocabulary']} | {result['training']} | {row['name']} | "
        if "unfinished" in row:
            line += f"0 | {row['unfinished']} | | | {row['mib']:.0f} | {ours['mib'] / row['mib']:.2f} | | {settings} |"
        else:
            line += (f"{row['runs']} | {row['seconds']:.2f} | {result['tokens'] / row['seconds']:.0f} | "
                     f"{row['seconds'] / ours['seconds']:.1f} | {row['mib']:.0f} | {ours['mib'] / row['mib']:.2f} | "
                     f"{row['difference']:.1e} | {settings} |")
        lines.append(line)
    return lines


def report(shape, results, earlier, arguments):
    """The section of a shape: rows of `results`, and those of models not measured now in `earlier`, a section made the same way."""
    rows = {}
    if introduction(arguments) in earlier:
        for line in earlier.splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 3 and cells[1].isdigit():
                rows.setdefault((int(cells[1]), cells[2]), []).append(line)
    rows.update({(result["vocabulary"], result["training"]): table_rows(result) for result in results})
    return "\n".join([
        f"## DPO: plumb and TRL, {shape}", "", introduction(arguments), "",
        "| vocabulary | training | program | runs | seconds | tokens/s | plumb's fastest is faster by | MiB | of its memory | losses differ by | settings |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(line for model in sorted(rows, key=lambda model: (model[0], model[1] != "full")) for line in rows[model]), "",
        "Some rows alone: --vocabularies, --training, --only.", "",
        f"    bazel run //tools/bench:dpo_vs_trl -- --shapes={shape} --steps={arguments.steps} --repetitions={arguments.repetitions}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--shapes", default="5M,25M,110M", help="of what is no embedding")
    parser.add_argument("--vocabularies", default="4096,32000,128000")
    parser.add_argument("--training", default="full,lora")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--model_seconds", type=int, default=0, help="no further repetition of a model after so many seconds; 0: all")
    parser.add_argument("--time_limit", type=int, default=900, help="seconds that one run of TRL may take")
    parser.add_argument("--batch_size", type=int, default=8, help="pairs a step")
    parser.add_argument("--find_best", action="store_true", help="try TRL's settings for each row in place of those found best before")
    parser.add_argument("--only", help="some of \"plumb;plumb (bf16);TRL (defaults);TRL (best);TRL (best, bf16)\"")
    parser.add_argument("--ours", default=HERE.parents[1] / "alignment/train", help="our program (default: the one built beside)")
    arguments = parser.parse_args()
    for shape in arguments.shapes.split(","):
        name, results = f"dpo_vs_trl_{shape}", []
        earlier = benchmarks_page.read_section(arguments.docs, name)
        for vocabulary in arguments.vocabularies.split(","):
            for training in arguments.training.split(","):
                results.append(measure(shape, int(vocabulary), training == "lora", arguments))
                benchmarks_page.write_section(arguments.docs, name, report(shape, results, earlier, arguments))
        print(report(shape, results, earlier, arguments))


if __name__ == "__main__":
    main()
