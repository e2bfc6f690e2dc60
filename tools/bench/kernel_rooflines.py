"""Runs the benchmark of every kernel and writes docs/benchmarks.md: what it does, and the share of what this machine could do at best.

common/kernels/roofline.h says how the machine's peaks are measured; the benchmarks themselves say which bytes and operations they count.
"""

import argparse
import json
import os
import pathlib
import subprocess

import benchmarks_page

HERE = pathlib.Path(__file__).absolute().parent
KERNELS = ["common/kernels/rms_norm", "common/kernels/rotary", "common/kernels/swiglu", "common/kernels/packed_attention",
           "common/kernels/linear_logprob", "common/kernels/few_rows_product", "common/kernels/paged_attention", "optim/adamw"]


def measure(kernel, arguments):
    command = [HERE.parents[1] / f"{kernel}_benchmark", "--benchmark_format=json", f"--benchmark_repetitions={arguments.repetitions}",
               f"--benchmark_min_time={arguments.min_time}", "--benchmark_enable_random_interleaving=true",
               "--benchmark_report_aggregates_only=true"]
    output = subprocess.run(command, check=True, capture_output=True, text=True,
                            env=dict(os.environ, OMP_NUM_THREADS=str(arguments.threads))).stdout
    return [run for run in json.loads(output)["benchmarks"] if run["aggregate_name"] == "median"]


def cell(run, counter, scale, digits):
    return f"{run[counter] / scale:.{digits}f}" if counter in run else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--min_time", type=float, default=0.2, help="seconds that a repetition takes at least")
    arguments = parser.parse_args()
    lines = ["## Kernels against the machine's peaks", "",
             f"Google Benchmark, medians of {arguments.repetitions} repetitions in random order, {arguments.threads} threads of "
             f"{benchmarks_page.processor()}. Roofline: the least time that the machine could take, by its measured peaks of multiply-adds "
             "and of copies in memory, by the time taken; what stays in a cache may exceed 1. Rows named Unfused, Plain and Linear are "
             "LibTorch's own operators for the same.", "",
             "| kernel | microseconds | Gflop/s | GB/s | roofline |", "|---|---|---|---|---|"]
    units = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}
    for kernel in KERNELS:
        for run in measure(kernel, arguments):
            name = run["run_name"].removesuffix("/real_time").removeprefix("BM_")
            lines.append(f"| {kernel.split('/')[-1]} {name} | {run['real_time'] * units[run['time_unit']]:.0f} | {cell(run, 'flops', 1e9, 1)} | "
                         f"{cell(run, 'bytes', 1e9, 1)} | {cell(run, 'roofline', 1, 2)} |")
            print(lines[-1], flush=True)
    lines += ["", benchmarks_page.command("kernel_rooflines")]
    benchmarks_page.write_section(arguments.docs, "kernel_rooflines", "\n".join(lines))


if __name__ == "__main__":
    main()
