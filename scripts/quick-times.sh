#!/usr/bin/env bash
# Runs the quick variant of every shipped workspace, prints the seconds that each takes, and fails where one takes 20 or more,
# or does not run. They need no data but what is embedded.
#
#   scripts/quick-times.sh
#
# Runs target/release/guesswork (`cargo build --release` makes it), or the program that GUESSWORK names.
set -euo pipefail

limit=20
root=$(cd "$(dirname "$0")/.." && pwd)
program=${GUESSWORK:-$root/target/release/guesswork}
if [ ! -x "$program" ]; then
    echo "quick-times: no program $program; build it with \`cargo build --release\`, or name one in GUESSWORK" >&2
    exit 2
fi
program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")

# Away from workspaces and data of one's own, which would be taken before those that ship.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
unset GUESSWORK_DATA

export LC_ALL=C
TIMEFORMAT=%R
"$program" workspaces >list
slow=0 broken=0 count=0
while read -r name _; do
    count=$((count + 1))
    state=0
    { time "$program" --batch "$name" --quick --format none </dev/null >/dev/null 2>said || state=$?; } 2>seconds
    seconds=$(cat seconds)
    if [ "$state" -ne 0 ]; then
        printf '%-24s %7s s  failed with exit code %s\n' "$name" "$seconds" "$state"
        tail -n 5 said >&2
        broken=$((broken + 1))
    elif awk -v seconds="$seconds" -v limit="$limit" 'BEGIN { exit !(seconds >= limit) }'; then
        printf '%-24s %7s s  too long\n' "$name" "$seconds"
        slow=$((slow + 1))
    else
        printf '%-24s %7s s\n' "$name" "$seconds"
    fi
done <list

if [ "$count" -eq 0 ]; then
    echo "quick-times: $program lists no workspaces" >&2
    exit 1
fi
if [ "$((slow + broken))" -gt 0 ]; then
    echo "quick-times: of $count workspaces $slow took $limit s or more and $broken failed" >&2
    exit 1
fi
echo "quick-times: all $count take less than $limit s"
