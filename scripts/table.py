#!/usr/bin/env python3
"""Prints the lanes of a run's summary as a Markdown table: scripts/table.py RUN/summary.json"""
import json
import sys

FIGURES = [
    ("train loss", "train_split_loss", "{:.3f}", 1),
    ("train acc %", "train_split_accuracy", "{:.1f}", 100),
    ("test loss", "test_loss", "{:.3f}", 1),
    ("test acc %", "test_accuracy", "{:.1f}", 100),
    ("mean cos(ĝ, g)", "mean_cosine", "{:.4f}", 1),
]


def cell(figure, form, factor):
    if not figure or not isinstance(figure["mean"], (int, float)):
        return "–"
    mean = form.format(factor * figure["mean"])
    error = figure.get("error")
    return mean if not isinstance(error, (int, float)) else f"{mean} ± {form.format(factor * error)}"


def main(path):
    with open(path, encoding="utf-8") as file:
        summary = json.load(file)
    print("| strategy | scope | scaling | η | " + " | ".join(name for name, *_ in FIGURES) + " | seeds done |")
    print("|---|---|---|---|" + "---|" * (len(FIGURES) + 1))
    for group in summary["groups"]:
        cells = [cell(group["figures"].get(key), form, factor) for _, key, form, factor in FIGURES]
        done = group["reasons"].get("done", 0)
        if done == 0:
            cells = ["diverged"] * (len(FIGURES) - 1) + ["–"]
        scope = (group["scope"] or "–").replace("_", "-")
        rate = group["chosen"].get("lr", "–") if done else "none"
        scaling = next((way for way in ("raw", "unit") if f"scaling={way}" in group["name"]), "–")
        print(f"| `{group['strategy']}` | {scope} | {scaling} | {rate} | " + " | ".join(cells) + f" | {done} of {group['seeds']} |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
