#!/bin/sh
# Installs the peers, JAX and PyTorch, in a virtual environment: target/peers/venv (5 GB; nothing else is touched).
#
#   benches/peers/install.sh
#
# PyTorch's wheel for Linux links CUDA's libraries and does not import without them, so those that it links come along;
# triton, which only its GPU compiler uses, does not. JAX and everything else run on the CPU.
set -eu

cd "$(dirname "$0")/../.."
venv=${PEERS_VENV:-target/peers/venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
pip() {
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"
}
pip install jax==0.10.2 jaxlib==0.10.2 numpy safetensors==0.8.0
pip install --no-deps torch==2.15.0
# What torch's metadata asks for, less triton.
pip install typing-extensions filelock sympy networkx jinja2 fsspec 'setuptools>=77.0.3' \
    'cuda-toolkit[cublas,cudart,cufft,cufile,cupti,cusolver,cusparse,nvjitlink,nvrtc,nvtx]==13.2.2' \
    nvidia-cudnn-cu13==9.26.0.51 nvidia-cusparselt-cu13==0.8.1 nvidia-nccl-cu13==2.30.7 nvidia-nvshmem-cu13==3.7.2
# What compiles PyTorch's steps for a GPU.
if command -v nvidia-smi >/dev/null 2>&1; then
    pip install triton~=3.9.0
fi
"$venv/bin/python" -c 'import jax, torch; print("jax", jax.__version__, "· torch", torch.__version__)'
