"""Times the same training steps in Guesswork, JAX and PyTorch, interleaved, and prints the table of ratios.

    benches/peers/install.sh                                     once
    cargo build --release
    target/peers/venv/bin/python benches/peers/run.py --json benches/peers/results/DATE.json

One process an engine; for each configuration and method the engines take turns, round by round, on the same parameters
and batches (exchanged as safetensors), pinned to the same processors. Before anything is timed the losses are compared:
the first step's for every method, twenty steps' for backpropagation. Compiled steps are cached under target/peers/cache,
so that a second run (`--warm` makes a first one that measures nothing) spends its time measuring. `--part time` and `--part
memory` measure one of both and leave the other's figures in the JSON file as they are.
"""

import argparse
import contextlib
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCRATCH = ROOT / "target" / "peers"
CLASSES, BATCHES = 10, 8
# Equal losses: relative difference.
AGREEMENT = 1e-4


@dataclass(frozen=True)
class Model:
    """Widths of an MLP's data and hidden layers, and the examples in a batch."""

    inputs: int
    width: int
    hidden: int
    batch: int

    def __str__(self):
        return f"{self.inputs}-{self.width}x{self.hidden} B={self.batch}"


@dataclass(frozen=True)
class Method:
    """A strategy at a scope with K guesses; the peers take K steps of one guess instead."""

    strategy: str
    scope: str | None = None
    guesses: int = 1
    # So small that nothing diverges while it is timed; backpropagation's lets the losses move.
    lr: float = 1e-12

    def __str__(self):
        scope = f"@{self.scope}" if self.scope else ""
        return f"{self.strategy}{scope}" + (f":{self.guesses}" if self.guesses > 1 else "")


MODELS = [Model(784, 256, 3, 128), Model(784, 1024, 3, 512), Model(3072, 1024, 6, 128)]
METHODS = [
    Method("backprop", lr=1e-3),
    Method("weight-perturbation", "batch"),
    Method("activity-perturbation", "example"),
    Method("weight-transpose", "example"),
    Method("activation-mixing", "example"),
    Method("weight-transpose", "batch"),
    Method("activation-mixing", "batch"),
    Method("activity-perturbation", "example", 8),
    Method("weight-transpose", "example", 8),
]


class Failed(Exception):
    """An engine's answer was an error."""


class Engine:
    """An engine's process."""

    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **environment}, text=True,
        )  # fmt: skip
        self.hello = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.name} ended with code {self.process.wait()}")
        found = json.loads(line)
        if "error" in found:
            raise Failed(f"{self.name}: {found['error']}")
        return found

    def ask(self, do, **fields):
        print(json.dumps({"do": do, **fields}), file=self.process.stdin, flush=True)
        return self.answer()

    def open(self, model, method, file):
        return self.ask(
            "open", method=method.strategy, scope=method.scope, guesses=method.guesses, lr=method.lr,
            inputs=model.inputs, hidden=[model.width] * model.hidden, classes=CLASSES, batch=model.batch, file=str(file),
        )  # fmt: skip

    def step(self, count):
        found = self.ask("step", count=count)
        return found["seconds"], found["losses"]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def engines(threads, program, device):
    """Command and environment of each engine."""
    python = sys.executable
    # PASSIVE: threads that spin at OpenMP's barriers slow PyTorch down many times over as soon as anything else runs.
    pools = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    jax = {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(SCRATCH / "cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        **pools,
    }
    torch = {"TORCHINDUCTOR_CACHE_DIR": str(SCRATCH / "cache" / "inductor"), **pools}
    torch_engine = [python, str(HERE / "torch_engine.py"), "--device", device]
    return {
        "guesswork": ([program, "bench", "--serve", "--threads", str(threads), "--device", device], {}),
        "jax": ([python, str(HERE / "jax_engine.py")], jax),
        "torch": (torch_engine, torch),
        "torch-compile": ([*torch_engine, "--compile"], torch),
        "torch-graphs": ([*torch_engine, "--graphs"], torch),
    }


def write_case(model):
    """Parameters (He) and batches of standard normal inputs with random labels, drawn anew each time from one seed."""
    random = numpy.random.default_rng(0)
    widths = [model.inputs, *[model.width] * model.hidden, CLASSES]
    tensors = {}
    for layer, (fan_in, fan_out) in enumerate(zip(widths, widths[1:]), 1):
        weight = random.standard_normal((fan_out, fan_in), numpy.float32) * numpy.float32(math.sqrt(2 / fan_in))
        tensors[f"fc{layer}.weight"] = weight
        tensors[f"fc{layer}.bias"] = numpy.zeros(fan_out, numpy.float32)
    tensors["x"] = random.standard_normal((BATCHES * model.batch, model.inputs), numpy.float32)
    tensors["labels"] = random.integers(0, CLASSES, BATCHES * model.batch)
    file = SCRATCH / "cases" / f"{model.inputs}-{model.width}x{model.hidden}-{model.batch}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)
    return file


def check(losses, method):
    """The largest relative difference between any two engines' losses."""
    worst = 0.0
    values = list(losses.values())
    for here in zip(*values):
        worst = max(worst, (max(here) - min(here)) / max(map(abs, here)))
    if not worst <= AGREEMENT:
        raise Failed(f"{method}: the engines' losses differ by {worst:.2e}: {losses}")
    return worst


def measure(running, model, method, file, options):
    """One row of the table: seconds a step of each engine in each round."""
    opened, row = {}, {}
    for name, engine in running.items():
        try:
            answer = engine.open(model, method, file)
            opened[name] = engine
            if name == "guesswork":
                row["flop"] = answer["flop"]
        except Failed as failure:
            print(f"  left out: {failure}", file=sys.stderr)
    count = 20 if method.strategy == "backprop" else 1
    losses = {name: engine.step(count)[1] for name, engine in opened.items()}
    row |= {"difference": check(losses, method), "seconds": {}}
    if "time" in options.part and not options.warm:
        steps = {}
        for name, engine in opened.items():
            seconds = max(engine.step(1)[0], 1e-6)
            # A peer's step of K guesses is K steps.
            steps[name] = max(2 if method.guesses == 1 else 1, math.ceil(options.seconds / seconds))
            row["seconds"][name] = []
        for turn in range(options.rounds):
            if "guesswork" in opened:
                row["peak"] = opened["guesswork"].ask("peak")["peak"]
            # Every other round backwards, so that none always follows the same neighbour.
            for name in list(opened)[:: -1 if turn % 2 else 1]:
                seconds, losses = opened[name].step(steps[name])
                if not all(map(math.isfinite, losses)):
                    raise Failed(f"{name}: {method} diverged")
                row["seconds"][name].append(seconds / steps[name])
    for engine in opened.values():
        engine.ask("close")
    return row


def measure_memory(commands, model, method, file):
    """MiB resident at the peak of five steps: all of it, and above what the fresh process with its libraries held."""
    found = {}
    for name, (command, environment) in commands.items():
        engine = Engine(name, command, environment)
        try:
            engine.open(model, method, file)
            engine.ask("memory")
            engine.step(5)
            peak = engine.ask("memory")["peak"]
            found[name] = {"peak": peak / 2**20, "step": (peak - engine.hello["resident"]) / 2**20}
        except Failed as failure:
            print(f"  memory left out: {failure}", file=sys.stderr)
        engine.close()
    return found


def machine(threads, device):
    """What it was measured on."""
    model = platform.processor()
    with contextlib.suppress(OSError, KeyError, ValueError), open("/proc/cpuinfo") as info:
        facts = dict(line.strip().split(":", 1) for line in info.read().split("\n\n")[0].splitlines())
        facts = {name.strip(): value.strip() for name, value in facts.items()}
        model = facts["model name"]
        # A cloud's name for a processor may say nothing of its generation.
        if "cpu family" in facts:
            model += f" (family {facts['cpu family']}, model {facts['model']})"
    found = {"processor": model, "processors": os.cpu_count(), "threads": threads, "system": platform.platform()}
    if device != "cpu":
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        found["gpu"] = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    return found


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def ratio(row, peer):
    """The median of the rounds' ratios of a peer's seconds to Guesswork's; none where one was left out."""
    if "guesswork" not in row["seconds"] or peer not in row["seconds"]:
        return None
    pairs = zip(row["seconds"][peer], row["seconds"]["guesswork"])
    return statistics.median(theirs / ours for theirs, ours in pairs)


def bound(row, peer):
    """The ratio that the same operations would have at the rate of Guesswork's best product; none where one was left out."""
    if "peak" not in row or peer not in row["seconds"]:
        return None
    return statistics.median(row["seconds"][peer]) * row["peak"] / row["flop"]


def table(report):
    """Steps a second and ratios as Markdown; the last rows of a method: geometric mean and minimum."""
    rows, lines = report["rows"], []
    names = [name for name in report["engines"] if any(name in row["seconds"] for row in rows)]
    peers = [name for name in names if name != "guesswork"]
    best = "guesswork" in names and len(peers) > 0
    head = ["method", "model", *[f"{name} steps/s" for name in names], *([f"/ {name}" for name in peers] if best else [])]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]

    def cell(value, digits):
        return "–" if value is None else f"{value:.{digits}f}"

    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        for row in mine:
            rates = [row["seconds"].get(name) for name in names]
            rates = [cell(rate and 1 / statistics.median(rate), 1) for rate in rates]
            ratios = [cell(ratio(row, peer), 2) for peer in peers] if best else []
            lines.append("| " + " | ".join([method, row["model"], *rates, *ratios]) + " |")
        if best:
            for word, of in [("geometric mean", geometric), ("minimum", min)]:
                found = [[r for row in mine if (r := ratio(row, peer))] for peer in peers]
                found = [f"**{of(values):.2f}**" if values else "–" for values in found]
                lines.append("| " + " | ".join([method, f"*{word}*", *[""] * len(names), *found]) + " |")
    memory = [row for row in rows if row.get("memory")]
    if memory:
        lines += ["", "Peak memory of a step above the libraries, MiB (whole process in brackets):", ""]
        lines += ["| method | model | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 2)]
        for row in memory:
            cells = [row["memory"].get(name) for name in names]
            cells = [f"{cell['step']:.0f} ({cell['peak']:.0f})" if cell else "–" for cell in cells]
            lines.append("| " + " | ".join([row["method"], row["model"], *cells]) + " |")
    return "\n".join(lines)


def summary(report, ratio=ratio):
    """Guesswork's steps a second over each peer's, by method: geometric mean over the models (minimum)."""
    rows = report["rows"]
    peers = [name for name in report["engines"] if name != "guesswork" and any(name in row["seconds"] for row in rows)]
    lines = ["| method | " + " | ".join(f"/ {name}" for name in peers) + " |", "|" + "---|" * (len(peers) + 1)]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = []
        for peer in peers:
            found = [r for row in rows if row["method"] == method and (r := ratio(row, peer))]
            cells.append(f"{geometric(found):.2f} ({min(found):.2f})" if found else "–")
        lines.append("| " + " | ".join([f"`{method}`", *cells]) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="processors, and threads of every engine [2]")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of interleaved turns [5]")
    parser.add_argument("--seconds", type=float, default=0.5, help="a turn takes about so long [0.5]")
    parser.add_argument("--engines", default="guesswork,jax,torch,torch-compile", help="comma-separated; also torch-graphs")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda:N for Guesswork and PyTorch [cpu]")
    parser.add_argument("--methods", help="comma-separated, as the table writes them [all]")
    parser.add_argument("--models", help="comma-separated, as the table writes them, up to the blank [all]")
    parser.add_argument("--program", default=str(ROOT / "target" / "release" / "guesswork"), help="the guesswork program")
    parser.add_argument("--json", type=Path, help="write everything that was measured here")
    parser.add_argument("--part", default="time,memory", help="what is measured [time,memory]")
    parser.add_argument("--warm", action="store_true", help="only compile, compare losses and fill the caches")
    options = parser.parse_args()

    processors = sorted(os.sched_getaffinity(0))[: options.threads]
    os.sched_setaffinity(0, processors)
    commands = engines(options.threads, options.program, options.device)
    commands = {name: commands[name] for name in options.engines.split(",")}
    report = {"rows": []}
    if options.json and options.json.exists():
        report = json.loads(options.json.read_text())
    report |= {
        "date": datetime.date.today().isoformat(),
        "machine": machine(options.threads, options.device),
        "rounds": options.rounds,
    }

    running = {name: Engine(name, *command) for name, command in commands.items()}
    report["engines"] = report.get("engines", {}) | {name: engine.hello["version"] for name, engine in running.items()}
    for model in MODELS:
        if options.models and str(model).split()[0] not in options.models.split(","):
            continue
        file = write_case(model)
        for method in METHODS:
            if options.methods and str(method) not in options.methods.split(","):
                continue
            print(f"{model}  {method}", file=sys.stderr, flush=True)
            row = {}
            if "time" in options.part or options.warm:
                row = measure(running, model, method, file, options)
            if "memory" in options.part and not options.warm:
                row["memory"] = measure_memory(commands, model, method, file)
            known = [known for known in report["rows"] if (known["model"], known["method"]) == (str(model), str(method))]
            if known:
                known[0].update(row)
            else:
                report["rows"].append({"model": str(model), "method": str(method), "seconds": {}, **row})
            if options.json and not options.warm:
                options.json.write_text(json.dumps(report, indent=1) + "\n")
    for engine in running.values():
        engine.close()

    if options.warm:
        return
    print(table(report), summary(report), sep="\n\n")
    if any("peak" in row for row in report["rows"]):
        print("\nAt most, with every operation at the rate of the best product of side 1024:\n")
        print(summary(report, bound))


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"error: {failure}")
