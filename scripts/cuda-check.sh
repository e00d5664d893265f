#!/bin/sh
# Everything that needs a GPU, in one command: the golden vectors on it, the quickstart, and the bench table against PyTorch.
#
#   scripts/cuda-check.sh [cuda:N]
#
# Leaves benches/peers/results/NAME-DATE.json, NAME being the GPU's. Needs a driver (nvidia-smi), a C++ compiler, cargo,
# python3 and the package registries; the toolkit comes with scripts/cuda-toolkit.sh, PyTorch with benches/peers/install.sh.
set -eu

cd "$(dirname "$0")/.."
device=${1:-cuda:0}
name=$(nvidia-smi --query-gpu=name --format=csv,noheader --id="${device#cuda:}") || {
    echo "cuda-check: nvidia-smi finds no GPU ${device#cuda:} here" >&2
    exit 1
}
if [ -z "${CUDA_COMPUTE_CAP:-}" ]; then
    CUDA_COMPUTE_CAP=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader --id="${device#cuda:}" | tr -d .)
fi
export CUDA_COMPUTE_CAP

echo "== build for $name"
scripts/cuda-toolkit.sh build --release --features cuda
# The libraries that the program loads when a device is asked for.
export LD_LIBRARY_PATH="$PWD/target/cuda/home/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
program=$PWD/target/cuda/build/release/guesswork

echo "== golden vectors in f32 on $device, at 1e-4"
GUESSWORK_TEST_DEVICE=$device scripts/cuda-toolkit.sh test --release --features cuda -p guesswork --test engine -- \
    golden::perceptrons golden::weight_directions golden::the_convolutional golden::the_mixer

echo "== quickstart on $device"
"$program" --batch quickstart --device "$device" --steps 500 --format none

echo "== speed against PyTorch on $device"
benches/peers/install.sh
mkdir -p benches/peers/results
target/peers/venv/bin/python benches/peers/run.py --device "$device" --program "$program" --part time \
    --engines guesswork,torch,torch-compile,torch-graphs \
    --json "benches/peers/results/$(echo "$name" | tr 'A-Z ' 'a-z-')-$(date +%F).json"
