#!/bin/sh
# Measures what each crate alone costs, with its dependencies built: user time of check, debug and release, and lines of
# LLVM (`cargo install cargo-llvm-lines`). Usage: ./measure.sh [ours|tonic-peer]…
cd "$(dirname "$0")" || exit 1
for package in "${@:-ours}"; do
    directory=${package%-peer}
    for mode in "check" "build" "build --release"; do
        cargo $mode -q -p "$package" || exit 1
        for round in 1 2 3; do
            touch "$directory/src/main.rs"
            /usr/bin/env time -f "$package: cargo $mode: %U s of user time, %e s, %M KiB" cargo $mode -q -p "$package"
        done
    done
    for mode in "" "--release"; do
        touch "$directory/src/main.rs"
        cargo llvm-lines -q -p "$package" $mode 2>/dev/null | sed -n '1,5p' | sed "s/^/$package $mode: /"
    done
done
