#!/usr/bin/env bash
# Checks spgd on an accelerator: its results against the golden vectors, the times and the memory of the networks
# against their bars and PyTorch, and what bfloat16 does to photographs, as tables.
#
# usage: scripts/gpu-check.sh [DEVICE]
#
# DEVICE is what --device takes, cuda if it is left out. With cpu, one small network is timed: to see that
# the command works. It builds the program with cgo, so it needs Go and a C compiler. The exit status is 0 if the
# golden vectors were met and every row could be measured, 10 if the device cannot be used, 1 otherwise. Bars that
# were not reached are marked, and do not change it.
#
# TORCH_DENOISER=FILE names a Python program that times the same denoiser with PyTorch, to compare with. It is
# called with --random NETWORK --size S --batch N --device cuda --layout nchw|nhwc --dtype f32|bf16
# [--compile], and prints JSON with "vjp_s": the seconds of a forward pass with its VJP. (float32 of PyTorch
# stands beside f32 and tf32 of spgd.)
# PHOTOS=FOLDER has photographs (PNG), such as crops of 256x256 pixels, of which f32 and bf16 restore the first six, in
# three tasks, with the embedded prior or PRIOR=FILE.
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

# calc EXPRESSION FORMAT prints what awk makes of numbers, - if one is missing.
calc() { awk "BEGIN { printf \"$2\", $1 }" 2>/dev/null || printf -- -; }

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

# Bars in ms an image for a step, by network, batch and precision; seconds an image for a restoration; GB of memory.
bar() {
  case "$1" in
  ffhq256/1/bf16) echo 6 3.5 2.9 ;;
  ffhq256/1/tf32) echo 10 - 2.9 ;;
  ffhq256/1/f32) echo - - 2.9 ;;
  ffhq256/8/bf16) echo 2.5 1.5 - ;;
  ffhq256/8/tf32) echo 5 - - ;;
  imagenet256/4/bf16) echo 12 - - ;;
  *) echo - - - ;;
  esac
}

# against VALUE BAR prints the value, and the bar if it is not reached.
against() {
  if [[ $2 == - || $1 == - ]]; then
    printf '%s' "$1"
  elif awk "BEGIN { exit !($1 <= $2) }"; then
    printf '%s ok' "$1"
  else
    printf '%s >%s' "$1" "$2"
  fi
}

# Every network's step is timed as restorations run it on the device, and with a program for each stage. 100 runs are a
# restoration with the released method, of 500 evaluations.
if [[ $device == cpu ]]; then
  rows=("natural-small 16 1 2" "natural-small 16 2 2") precisions=(f32)
else
  rows=("natural-small 256 1 100" "ffhq256 256 1 100" "ffhq256 256 8 100" "imagenet256 256 1 100" "imagenet256 256 4 100") precisions=(f32 tf32 bf16)
fi
printf '\ntimes an image: evaluations and a step of SPGD in ms, with a program for each outer step and for each stage; a restoration of T=100 and\nN=5 (fewer on the CPU) in s; PyTorch is forward + VJP; compiling in s, of a step and of a stage; memory in GB. A bar that is not reached stands behind >\n'
format='%-14s %5s %5s %-9s %8s %8s %10s %8s %10s %8s %9s %9s %9s %9s\n'
printf "$format" network size batch precision forward +VJP step staged restored PyTorch GFLOP/s compile staged memory
for row in "${rows[@]}"; do
  read -r network size batch runs <<<"$row"
  for precision in "${precisions[@]}"; do
    which=(--network "$network")
    [[ $network != natural-small ]] || which=(--prior natural-small)
    bench=("$work/spgd" bench engine --device "$device" --precision "$precision" "${which[@]}" --size "$size" --batch "$batch" --runs "$runs" --step --json --quiet)
    if ! "${bench[@]}" >"$work/row" 2>"$work/error" || ! "${bench[@]}" --programs stage >"$work/staged" 2>"$work/error"; then
      printf '%-14s %5s %5s %-9s %s\n' "$network" "$size" "$batch" "$precision" "$(head -n 1 "$work/error")"
      status=1
      continue
    fi
    other=
    [[ $network == natural-small ]] || other=$(torch "$network" "$size" "$batch" "$([[ $precision == bf16 ]] && echo bf16 || echo f32)")
    read -r step_bar run_bar memory_bar <<<"$(bar "$network/$batch/$precision")"
    memory=$(field device_bytes "$work/row")
    ms() { calc "1000*$1/$batch" %.2f; }
    vjp=$(ms "$(field vjp_s "$work/row")")
    torch_ms=-
    [[ -z $other ]] || torch_ms=$(ms "$other")
    if [[ $torch_ms != - ]] && awk "BEGIN { exit !($torch_ms < $vjp) }"; then
      torch_ms="$torch_ms <"
    fi
    printf "$format" "$network" "$size" "$batch" "$precision" "$(ms "$(field forward_s "$work/row")")" "$vjp" \
      "$(against "$(ms "$(field step_s "$work/row")")" "$step_bar")" "$(ms "$(field step_s "$work/staged")")" \
      "$(against "$(calc "$(field run_s "$work/row")/$batch" %.2f)" "$run_bar")" "$torch_ms" "$(field gflops "$work/row" | cut -d. -f1)" \
      "$(calc "$(field step_compile_s "$work/row")" %.1f)" "$(calc "$(field step_compile_s "$work/staged")" %.1f)" \
      "$(against "$(calc "${memory:-$(field peak_bytes "$work/row")}/1e9" %.2f)" "$memory_bar")"
  done
done

# psnr A B
psnr() { "$work/spgd" compare --json "$1" "$2" | sed -n 's/.*"psnr": *\([0-9.]*\).*/\1/p'; }

[[ -n ${PHOTOS:-} ]] || exit "$status"
prior=${PRIOR:-natural-small}
printf '\nbf16 against f32, PSNR in dB, prior %s (bar: 0.05)\n' "$prior"
printf '%-28s %-10s %8s %8s %8s\n' photo task f32 bf16 gain
tasks=("sr --scale 4" "inpaint --mask random:0.8" "deblur --kernel gaussian:3")
for photo in $(find "$PHOTOS" -name '*.png' | sort | head -n 6); do
  for task in "${tasks[@]}"; do
    read -ra flags <<<"$task"
    "$work/spgd" degrade --quiet --task "${flags[@]}" --noise 0.02 --seed 1 "$photo" -o "$work/y.safetensors" >/dev/null
    for precision in f32 bf16; do
      if ! "$work/spgd" restore --quiet --device "$device" --precision "$precision" --prior "$prior" --seed 1 "$work/y.safetensors" -o "$work/$precision.png" >/dev/null 2>"$work/error"; then
        printf '%-28s %-10s %s\n' "$(basename "$photo")" "${flags[0]}" "$(head -n 1 "$work/error")"
        status=1
        continue 2
      fi
    done
    f32=$(psnr "$photo" "$work/f32.png") bf16=$(psnr "$photo" "$work/bf16.png")
    gain=$(calc "$bf16-$f32" %.3f)
    mark=
    awk "BEGIN { exit !($gain < -0.05) }" && mark=' NOT MET'
    printf '%-28s %-10s %8.3f %8.3f %8s%s\n' "$(basename "$photo")" "${flags[0]}" "$f32" "$bf16" "$gain" "$mark"
  done
done
exit "$status"
