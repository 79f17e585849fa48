#!/usr/bin/env bash
# Fuzzes targets for so many seconds each: run.sh SECONDS [TARGET...]; all of them without a name. Needs a nightly compiler and cargo-fuzz.
# A file that does harm lies in fuzz/artifacts/TARGET: mend the fault, and keep the file below tests/regressions/TARGET.
set -euo pipefail
cd "$(dirname "$0")"
seconds="$1"
shift
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(ls targets | sed 's/\.rs$//')
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target"
    dictionary=()
    [ -f "dictionaries/$target.dict" ] && dictionary=("-dict=dictionaries/$target.dict")
    cargo +nightly fuzz run --fuzz-dir . "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 "${dictionary[@]}"
done
