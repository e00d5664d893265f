"""The line protocol that every engine speaks: one JSON object a line on stdin, one in answer on stdout.

    {"do": "open", "method": "weight-transpose", "scope": "example", "guesses": 1, "batch": 128, "lr": 1e-12,
     "file": "case.safetensors"}                    parameters, batches of the file; the step is built and runs twice
    {"do": "step", "count": 20}                     → {"seconds": 0.31, "losses": [2.41, …]}
    {"do": "restart"}                               parameters as in the file again, batches from the first
    {"do": "memory"}                                → {"peak": …, "resident": …} bytes; the peak starts anew
    {"do": "close"}                                 drops what was opened

`guesswork bench --serve` answers the same commands. An engine of Python gives `open(request) → step`, where
`step(batch number) → loss` need not wait for its result and `step.wait()` does.
"""

import json
import sys
import time
import traceback


def memory():
    """Resident bytes now and at their peak since the last call (Linux)."""
    found = {}
    with open("/proc/self/status") as status:
        for line in status:
            key, _, value = line.partition(":")
            if key in ("VmHWM", "VmRSS"):
                found[key] = int(value.split()[0]) * 1024
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    return {"peak": found["VmHWM"], "resident": found["VmRSS"]}


def serve(name, version, open_case):
    """Answers commands until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    case, taken = None, 0

    def answer(**fields):
        print(json.dumps(fields), file=answers, flush=True)

    answer(engine=name, version=version, **memory())
    for line in sys.stdin:
        request = json.loads(line)
        try:
            match request["do"]:
                case "open":
                    case, taken = None, 0
                    case = open_case(request)
                    # Compiles and warms up.
                    for number in range(2):
                        case.step(number)
                    case.wait()
                    case.restart()
                    answer(opened=request["method"])
                case "restart":
                    case.restart()
                    taken = 0
                    answer(restarted=True)
                case "step":
                    start = time.perf_counter()
                    losses = [case.step(taken + i) for i in range(request["count"])]
                    case.wait()
                    seconds = time.perf_counter() - start
                    taken += request["count"]
                    answer(seconds=seconds, losses=[float(loss) for loss in losses])
                case "memory":
                    answer(**memory())
                case "close":
                    case = None
                    answer(closed=True)
                case other:
                    answer(error=f"no command `{other}`")
        except Exception as error:
            traceback.print_exc()
            answer(error=f"{type(error).__name__}: {error}")


def layers(file):
    """The tensors of a case: weights (n_l × n_{l−1}) and biases in order, inputs and labels of all its batches."""
    from safetensors.numpy import load_file

    tensors = load_file(file)
    names = sorted((name for name in tensors if name.endswith(".weight")), key=lambda name: int(name[2 : -len(".weight")]))
    parameters = [(tensors[name], tensors[name.replace(".weight", ".bias")]) for name in names]
    return parameters, tensors["x"], tensors["labels"]
