#!/bin/sh
# Builds guesswork for CUDA with a toolkit from Python wheels; no root, no system packages but a C++ compiler.
#
#   scripts/cuda-toolkit.sh                     the toolkit, then the release build with --features cuda
#   scripts/cuda-toolkit.sh CARGO-ARGUMENTS     the toolkit, then cargo with these: check --features cuda --tests
#
# Everything lies under target/cuda: the virtual environment `venv`, the toolkit's layout `home`, `candle-core`, and the
# build. candle-core links CUDA's libraries so that a program cannot start without them. The copy here, made from cargo's
# own registry, has that one word changed: the program then starts anywhere and loads the libraries when a device is asked
# for. CUDA_COMPUTE_CAP chooses the GPUs, 80 (Ampere and later) when it is not set; 90 gives code for Hopper alone.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
place=$root/target/cuda
toolkit=13.0.2
candle=$(sed -n '/^name = "candle-core"$/{n;s/^version = "\(.*\)"$/\1/p;}' "$root/Cargo.lock")

fail() {
    echo "cuda-toolkit: $*" >&2
    exit 1
}

# The wheels, and one CUDA_HOME of links into them.
home=$place/home
if [ "$(cat "$home/version" 2>/dev/null)" != "$toolkit" ]; then
    command -v python3 >/dev/null || fail "python3 is needed: the toolkit comes as Python wheels"
    [ -x "$place/venv/bin/python" ] || python3 -m venv "$place/venv" || fail "python3 cannot make a virtual environment"
    "$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        "cuda-toolkit[nvcc,cudart,cccl,crt,nvvm,curand,cublas,nvrtc]==$toolkit" || fail "the wheels cannot be installed"
    wheels=$("$place/venv/bin/python" -c 'import nvidia; print(list(nvidia.__path__)[0])')/cu13
    [ -x "$wheels/bin/nvcc" ] || fail "no nvcc in $wheels/bin"
    rm -rf "$home"
    mkdir -p "$home/lib64"
    for part in bin include nvvm; do
        ln -s "$wheels/$part" "$home/$part"
    done
    for library in "$wheels"/lib/*; do
        name=$(basename "$library")
        case $name in
            # Without a shared one the runtime is linked in.
            libcudart.so*) ;;
            libcudart_static.a)
                ln -s "$library" "$home/lib64/$name"
                ln -s "$library" "$home/lib64/libcudart.a"
                ;;
            *.so.[0-9]*)
                ln -s "$library" "$home/lib64/$name"
                ln -sf "$library" "$home/lib64/${name%%.so.*}.so"
                ;;
            *) ln -s "$library" "$home/lib64/$name" ;;
        esac
    done
    ln -s lib64 "$home/lib"
    echo "$toolkit" >"$home/version"
fi

# candle-core with cudarc loading CUDA's libraries when they are needed.
copy=$place/candle-core
if [ "$(cat "$copy/.copied" 2>/dev/null)" != "$candle" ]; then
    cargo fetch --locked --manifest-path "$root/Cargo.toml"
    source=$(cd "$root" && cargo metadata --format-version 1 --locked --offline | "${PYTHON:-python3}" -c '
import json, os, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == "candle-core":
        print(os.path.dirname(package["manifest_path"]))')
    [ -f "$source/Cargo.toml" ] || fail "candle-core $candle is not in the registry's cache"
    rm -rf "$copy"
    mkdir -p "$copy"
    cp -R "$source/." "$copy/"
    chmod -R u+w "$copy"
    sed 's/"dynamic-linking"/"dynamic-loading"/' "$source/Cargo.toml" >"$copy/Cargo.toml"
    cmp -s "$source/Cargo.toml" "$copy/Cargo.toml" && fail "candle-core $candle no longer asks cudarc for dynamic-linking"
    # A workspace of its own, since it lies in the folder of another.
    printf '\n[workspace]\n' >>"$copy/Cargo.toml"
    echo "$candle" >"$copy/.copied"
fi

export CUDA_HOME="$home" CUDA_PATH="$home" CUDA_ROOT="$home" CUDA_TOOLKIT_ROOT_DIR="$home"
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-80}"
export PATH="$home/bin:$PATH"
export RUSTFLAGS="${RUSTFLAGS:-} -L native=$home/lib64"
export CARGO_TARGET_DIR="$place/build"
[ $# -gt 0 ] || set -- build --release --features cuda

# The change of source is no business of the lock file in the repository.
lock=$(mktemp)
cp "$root/Cargo.lock" "$lock"
trap 'cp "$lock" "$root/Cargo.lock"; rm -f "$lock"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$root"
cargo "$@" --config "patch.crates-io.candle-core.path=\"$copy\""
