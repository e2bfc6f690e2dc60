"""The halves of a measurement that stay up and answer."""

import json
import os
import subprocess
import sys


class Program:
    """A process that answers a line of JSON with a line of JSON."""

    def __init__(self, name, command, threads):
        self.name = name
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), CUDA_VISIBLE_DEVICES="",
                           HF_HUB_OFFLINE="1")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name}: ended with exit code {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start_both(name, peer, arguments):
    """plumb's half, `arguments.ours`, and NAME_peer.py beside this, which stands for `peer`; both get the number of threads."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}_peer.py")
    threads = str(arguments.threads)
    return (Program("plumb", [arguments.ours, threads], arguments.threads),
            Program(peer, [sys.executable, "-W", "ignore", script, threads], arguments.threads))
