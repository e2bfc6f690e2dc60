"""docs/benchmarks.md: a section for each program that measures, between markers of its own."""

import os
import platform
import re
import shlex
import sys


def add_arguments(parser):
    """Those that all measurements have."""
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY", "")
    parser.add_argument("--venv", help="folder of the virtual environment (default ~/.cache/plumb/bench_venv)")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--docs", default=os.path.join(workspace, "docs/benchmarks.md") if workspace else "",
                        help="page that gets the section; empty: none")


def command(name):
    """What the user typed, but for where his virtual environment is."""
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--venv")]
    return "    " + shlex.join(["bazel", "run", f"//tools/bench:{name}"] + (["--"] + arguments if arguments else []))


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def read_section(path, name):
    """What stands between the markers of `name`; empty where they are not there."""
    if not path or not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        found = re.search(f"<!-- {name}: begin -->\n(.*?)\n<!-- {name}: end -->", file.read(), flags=re.S)
    return found.group(1) if found else ""


def write_section(path, name, text):
    """Puts `text` between the markers of `name`, which are added at the end of the file where it has none."""
    if not path:
        return
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = "# Benchmarks\n"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            page = file.read()
    section = f"{begin}\n{text}\n{end}"
    if begin in page:
        page = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: section, page, flags=re.S)
    else:
        page = page.rstrip("\n") + "\n\n" + section + "\n"
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(page)
    os.replace(path + ".new", path)
