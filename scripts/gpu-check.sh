#!/usr/bin/env bash
# Checks spgd on an accelerator: its results against the golden vectors, and the times and the memory of
# the networks, as one table.
#
# usage: scripts/gpu-check.sh [DEVICE]
#
# DEVICE is what --device takes, cuda if it is left out. With cpu, one small network is timed: to see that
# the command works. It builds the program with cgo, so it needs Go and a C compiler. The exit status is 0 if the
# golden vectors were met and every row could be measured, 10 if the device cannot be used, 1 otherwise.
#
# For comparison: TORCH_DENOISER=FILE names a Python program that times the same denoiser with PyTorch. It is
# called with --random NETWORK --size S --batch N --device cuda --layout nchw|nhwc --dtype f32|bf16
# [--compile], and prints JSON with "vjp_s": the seconds of a forward pass with its VJP. (float32 of PyTorch
# stands beside f32 and tf32 of spgd.)
set -euo pipefail
cd "$(dirname "$0")/.."
device=${1:-cuda}
export CGO_ENABLED=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/spgd" ./cmd/spgd
"$work/spgd" version
"$work/spgd" devices

# The smallest evaluation there is: it ends with the program's message and status if the device cannot be used.
"$work/spgd" bench engine --device "$device" --size 16 --runs 1 --quiet >/dev/null || exit

# field NAME FILE prints a number of a JSON object.
field() { sed -n "s/^ *\"$1\": *\([-0-9.e+]*\),*\$/\1/p" "$2"; }

# ms SECONDS
ms() { awk -v s="$1" 'BEGIN { if (s == "") print "-"; else printf "%.2f", 1000 * s }'; }

# torch NETWORK SIZE BATCH DTYPE prints the least of PyTorch's times in seconds, over both layouts, compiled or not.
torch() {
  [[ -n ${TORCH_DENOISER:-} && $device == cuda* ]] || return 0
  local layout compile
  for layout in nchw nhwc; do
    for compile in "" --compile; do
      python3 "$TORCH_DENOISER" --random "$1" --size "$2" --batch "$3" --device cuda --layout "$layout" --dtype "$4" $compile 2>>"$work/torch" |
        sed -n 's/.*"vjp_s": *\([0-9.e-]*\).*/\1/p' || true
    done
  done | sort -g | head -n 1
}

status=0
printf '\nresults against PyTorch, float32 (golden vectors: 1e-4, trajectories: 1e-2)\n'
for package in ./prior ./sampler; do
  if SPGD_TEST_DEVICE=$device go test "$package" -run '^TestGoldenOnDevice$' -count=1 -timeout 60m -v >"$work/golden" 2>&1; then
    printf '%-10s met\n' "$package"
  else
    printf '%-10s NOT MET\n' "$package"
    grep -E 'want at most|FAIL|panic|error' "$work/golden" | head -n 20 || true
    status=1
  fi
done

if [[ $device == cpu ]]; then
  rows=("natural-small 64 1" "natural-small 64 2") precisions=(f32) runs=3
else
  rows=("natural-small 256 1" "ffhq256 256 1" "ffhq256 256 8" "imagenet256 256 1" "imagenet256 256 4") precisions=(f32 tf32 bf16) runs=20
fi
printf '\ntimes in ms for the whole batch; step: a warm-up step of SPGD, all included; memory in MiB\n'
format='%-14s %5s %5s %-9s %9s %9s %9s %9s %9s %9s %9s\n'
printf "$format" network size batch precision forward +VJP step PyTorch GFLOP/s compile_s memory
for row in "${rows[@]}"; do
  read -r network size batch <<<"$row"
  for precision in "${precisions[@]}"; do
    which=(--network "$network")
    [[ $network != natural-small ]] || which=(--prior natural-small)
    if ! "$work/spgd" bench engine --device "$device" --precision "$precision" "${which[@]}" --size "$size" --batch "$batch" --runs "$runs" --step --json --quiet >"$work/row" 2>"$work/error"; then
      printf '%-14s %5s %5s %-9s %s\n' "$network" "$size" "$batch" "$precision" "$(head -n 1 "$work/error")"
      status=1
      continue
    fi
    other=
    [[ $network == natural-small ]] || other=$(torch "$network" "$size" "$batch" "$([[ $precision == bf16 ]] && echo bf16 || echo f32)")
    memory=$(field device_bytes "$work/row")
    printf "$format" "$network" "$size" "$batch" "$precision" "$(ms "$(field forward_s "$work/row")")" "$(ms "$(field vjp_s "$work/row")")" "$(ms "$(field step_s "$work/row")")" \
      "$(ms "$other")" "$(field gflops "$work/row" | cut -d. -f1)" "$(field compile_s "$work/row" | cut -c1-6)" "$(awk -v b="${memory:-$(field peak_bytes "$work/row")}" 'BEGIN { printf "%.0f", b / 1048576 }')"
  done
done
exit "$status"
