#!/usr/bin/env bash
# Checks spgd on an accelerator: the times and the memory of the networks against their bars and PyTorch, its results
# against the golden vectors, and what bfloat16 does to photographs, as tables.
#
# usage: scripts/gpu-check.sh [DEVICE [PART...]]
#        scripts/gpu-check.sh --build FOLDER
#
# DEVICE is what --device takes, cuda if it is left out. With cpu, one small network is timed: to see that
# the command works. The parts, in the order in which they are made if none is named, those with bars first:
#
#   stages       steps and restorations of the networks with a program for each stage, which compile soonest
#   steps        the same with a program for each outer step, as restorations run on the device
#   golden       golden vectors and trajectories in float32
#   photos       bf16 against f32 on photographs, if PHOTOS names some
#   evaluations  forward passes, and with their VJP
#   torch        PyTorch's times of these, if TORCH_DENOISER names its program
#
# A line is printed as soon as it is known, and one that fails does not keep the others from being made. All takes LIMIT
# seconds at most, 540 without it and any time with 0, and a line a third of what is left: what does not fit says so, and
# can be asked for in another call, part by part, or line by line with ROWS='ffhq256/1/bf16 imagenet256/4/bf16'. What XLA
# learns by timing kernels it keeps for the next call. SIZE and RUNS are the side of the images and the outer steps, for a trial.
#
# With --build, the program and the tests are built into FOLDER, for a machine without Go: GPU_CHECK_BIN=FOLDER uses them
# there, beside this repository. Otherwise they are built with cgo first, which takes Go and a C compiler.
#
# The exit status is 0 if every line could be made and the golden vectors were met, 10 if the device cannot be used, 1
# otherwise. Bars that were not reached are marked, and do not change it.
#
# TORCH_DENOISER=FILE names a Python program that times the same denoiser with PyTorch, to compare with. It is
# called with --random NETWORK --size S --batch N --device cuda --layout nchw|nhwc --dtype f32|bf16
# [--compile], and prints JSON with "vjp_s": the seconds of a forward pass with its VJP. (float32 of PyTorch
# stands beside f32 and tf32 of spgd.)
# PHOTOS=FOLDER has photographs (PNG), such as crops of 256x256 pixels, of which f32 and bf16 restore the first six, in
# three tasks, with the embedded prior or PRIOR=FILE.
set -uo pipefail
began=$SECONDS
root=$(cd "$(dirname "$0")/.." && pwd)

# build FOLDER builds what is needed.
build() {
  mkdir -p "$1" && (cd "$root" && export CGO_ENABLED=1 &&
    go build -trimpath -ldflags '-s -w' -o "$1/spgd" ./cmd/spgd &&
    go test -c -trimpath -ldflags '-s -w' -o "$1/" ./prior ./sampler)
}

if [[ ${1:-} == --build ]]; then
  [[ -n ${2:-} ]] || { echo "usage: scripts/gpu-check.sh --build FOLDER" >&2; exit 2; }
  mkdir -p "$2" && build "$(cd "$2" && pwd)"
  exit
fi
device=${1:-cuda}
shift $(($# > 0))
parts=("$@")
[[ $# -gt 0 ]] || parts=(stages steps golden photos evaluations torch)
for part in "${parts[@]}"; do
  [[ " stages steps golden photos evaluations torch " == *" $part "* ]] || { echo "unknown part $part" >&2; exit 2; }
done
limit=${LIMIT:-540}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ -n ${GPU_CHECK_BIN:-} ]]; then
  bin=$(cd "$GPU_CHECK_BIN" && pwd) || exit 2
else
  bin=$work/bin
  build "$bin" || exit 1
  began=$SECONDS # building is not of the device's time
fi
spgd=$bin/spgd
"$spgd" version || exit
"$spgd" devices

status=0

# within ERRORS COMMAND... runs a command for a third of the time that is left, a minute if there is. Its status is 124 if
# that was too short.
within() {
  local errors=$1 left=0
  shift
  if ((limit > 0)); then
    left=$((limit - (SECONDS - began)))
    ((left > 5)) || return 124
    ((left < 60)) || left=$((left > 180 ? left / 3 : 60))
  fi
  timeout "$left" "$@" 2>"$errors"
}

# why STATUS ERRORS says in a line why a command came to nothing.
why() {
  if (($1 == 124)); then
    echo "not done in its share of LIMIT=$limit s"
  elif [[ -s $2 ]]; then
    grep -m 1 '^spgd: ' "$2" || tail -n 1 "$2"
  else
    echo "exit status $1"
  fi
}

# field NAME FILE prints a number of a JSON object.
field() { sed -n "s/^ *\"$1\": *\([-0-9.e+]*\),*\$/\1/p" "$2"; }

# calc EXPRESSION FORMAT prints what awk makes of numbers, - if one is missing.
calc() { awk "BEGIN { printf \"$2\", $1 }" 2>/dev/null || printf -- -; }

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

if [[ $device == cpu ]]; then
  size=${SIZE:-16} runs=${RUNS:-2} rows=(natural-small/1/f32 natural-small/2/f32) more=()
else
  # 100 runs are a restoration with the released method, of 500 evaluations.
  size=${SIZE:-256} runs=${RUNS:-100} rows=(ffhq256/1/bf16 ffhq256/8/bf16 ffhq256/1/tf32 ffhq256/8/tf32 imagenet256/4/bf16)
  more=(ffhq256/1/f32 imagenet256/1/bf16 natural-small/1/bf16 natural-small/1/tf32 natural-small/1/f32)
fi
if [[ -n ${ROWS:-} ]]; then
  read -ra rows <<<"$ROWS"
  more=()
fi

# bench ROW OUTPUT FLAGS... runs spgd bench engine.
bench() {
  local network batch precision which output=$2
  IFS=/ read -r network batch precision <<<"$1"
  shift 2
  which=(--network "$network")
  [[ $network != natural-small ]] || which=(--prior natural-small)
  within "$work/error" "$spgd" bench engine --device "$device" --precision "$precision" "${which[@]}" --size "$size" --batch "$batch" \
    --json --quiet "$@" >"$output"
}

# unusable STATUS ends the script where the device cannot be used at all.
unusable() {
  if (($1 == 10)); then
    cat "$work/error" >&2
    exit 10
  fi
}

# steps PROGRAMS prints a table of steps and restorations.
steps() {
  printf '\nan outer step with a program for each %s, times an image: one of 5 inner steps of SPGD (forward, VJP, ADM, update) in ms, a restoration of\n%s in s, compiling in s; memory in GB. A bar that is not reached stands behind >\n' "$1" "T=$runs and N=5"
  local format='%-24s %10s %10s %12s %9s %9s\n' row code batch s r memory step_bar run_bar memory_bar
  printf "$format" row step restored memory compile GFLOP/s
  for row in "${rows[@]}"; do
    code=0
    [[ $device == cpu ]] && programs=auto || programs=$1
    bench "$row" "$work/row" --step-only --programs "$programs" --runs "$runs" || code=$?
    if ((code)); then
      unusable "$code"
      printf '%-24s %s\n' "$row" "$(why "$code" "$work/error")"
      status=1
      continue
    fi
    batch=$(field batch "$work/row") memory=$(field device_bytes "$work/row")
    read -r step_bar run_bar memory_bar <<<"$(bar "$row")"
    s=$(field step_s "$work/row") r=$(field run_s "$work/row")
    printf "$format" "$row" "$(against "$(calc "1000*$s/$batch" %.2f)" "$step_bar")" "$(against "$(calc "$r/$batch" %.2f)" "$run_bar")" \
      "$(against "$(calc "${memory:-$(field peak_bytes "$work/row")}/1e9" %.2f)" "$memory_bar")" "$(calc "$(field step_compile_s "$work/row")" %.1f)" "$(calc "$(field gflops "$work/row")" %.0f)"
  done
}

# evaluations prints a table of evaluations of the networks.
evaluations() {
  printf '\nevaluations, times an image in ms; compiling of both in s\n'
  local format='%-24s %9s %9s %9s %9s\n' row code batch
  printf "$format" row forward +VJP compile GFLOP/s
  for row in "${rows[@]}" ${more[@]+"${more[@]}"}; do
    code=0
    bench "$row" "$work/vjp.${row//\//.}" --runs 20 || code=$?
    if ((code)); then
      unusable "$code"
      printf '%-24s %s\n' "$row" "$(why "$code" "$work/error")"
      status=1
      rm -f "$work/vjp.${row//\//.}"
      continue
    fi
    local file=$work/vjp.${row//\//.}
    batch=$(field batch "$file")
    printf "$format" "$row" "$(calc "1000*$(field forward_s "$file")/$batch" %.2f)" "$(calc "1000*$(field vjp_s "$file")/$batch" %.2f)" \
      "$(calc "$(field compile_s "$file")" %.1f)" "$(calc "$(field gflops "$file")" %.0f)"
  done
}

# compare_torch prints PyTorch's times of the evaluations: first as it is, and compiled, which takes longest, at the end.
compare_torch() {
  [[ -n ${TORCH_DENOISER:-} && $device == cuda* ]] || return 0
  printf '\nPyTorch, forward + VJP, times an image in ms; < where it is faster than spgd above\n'
  local compile layout row network batch precision code mine theirs
  printf '%-24s %-8s %-9s %9s %9s\n' row layout compiled PyTorch spgd
  for compile in "" --compile; do
    for row in "${rows[@]}"; do
      IFS=/ read -r network batch precision <<<"$row"
      [[ $network != natural-small ]] || continue
      mine=-
      [[ ! -s $work/vjp.${row//\//.} ]] || mine=$(calc "1000*$(field vjp_s "$work/vjp.${row//\//.}")/$batch" %.2f)
      for layout in nhwc nchw; do
        code=0
        within "$work/error" python3 "$TORCH_DENOISER" --random "$network" --size "$size" --batch "$batch" --device cuda --layout "$layout" \
          --dtype "$([[ $precision == bf16 ]] && echo bf16 || echo f32)" $compile >"$work/torch" || code=$?
        theirs=$(sed -n 's/.*"vjp_s": *\([0-9.e-]*\).*/\1/p' "$work/torch")
        if ((code)) || [[ -z $theirs ]]; then
          printf '%-24s %-8s %-9s %s\n' "$row" "$layout" "${compile:+yes}" "$(why "$code" "$work/error")"
          status=1
          continue
        fi
        theirs=$(calc "1000*$theirs/$batch" %.2f)
        [[ $mine == - ]] || ! awk "BEGIN { exit !($theirs < $mine) }" || theirs="$theirs <"
        printf '%-24s %-8s %-9s %9s %9s\n' "$row" "$layout" "${compile:+yes}" "$theirs" "$mine"
      done
    done
  done
}

# golden holds results to PyTorch's, task by task.
golden() {
  printf '\nresults against PyTorch, float32 (golden vectors: 1e-4, trajectories: 1e-2)\n'
  local package code
  for package in prior sampler; do
    code=0
    (cd "$root/$package" && SPGD_TEST_DEVICE=$device within "$work/error" "$bin/$package.test" -test.run '^TestGoldenOnDevice$' -test.count=1 -test.timeout=0 -test.v >"$work/golden") || code=$?
    sed -n "s|^ *--- PASS: TestGoldenOnDevice/\(.*\) (\(.*\))|$package: \1 met, \2|p; s|^ *--- FAIL: TestGoldenOnDevice/\(.*\) (\(.*\))|$package: \1 NOT MET, \2|p" "$work/golden"
    if ((code == 124)); then
      echo "$package: the others: $(why "$code" "$work/error")"
      status=1
    elif ((code)); then
      grep -hE 'want at most|panic|error|Fatal|SIG' "$work/golden" "$work/error" | head -n 10
      echo "$package: NOT MET (exit status $code)"
      status=1
    fi
  done
}

# psnr A B
psnr() { "$spgd" compare --json "$1" "$2" | sed -n 's/.*"psnr": *\([0-9.]*\).*/\1/p'; }

# photos restores photographs with both precisions, all of them at once.
photos() {
  [[ -n ${PHOTOS:-} ]] || return 0
  local prior=${PRIOR:-natural-small} task flags photo name precision code list f32 bf16 gain mark
  printf '\nbf16 against f32, PSNR in dB, prior %s (bar: 0.05)\n' "$prior"
  printf '%-28s %-10s %8s %8s %8s\n' photo task f32 bf16 gain
  mapfile -t list < <(find "$PHOTOS" -name '*.png' | sort | head -n 6)
  for task in "sr --scale 4" "inpaint --mask random:0.8" "deblur --kernel gaussian:3"; do
    read -ra flags <<<"$task"
    rm -rf "$work/y" "$work/f32" "$work/bf16"
    mkdir "$work/y"
    for photo in "${list[@]}"; do
      name=$(basename "$photo" .png)
      "$spgd" degrade --quiet --task "${flags[@]}" --noise 0.02 --seed 1 "$photo" -o "$work/y/$name.safetensors" >/dev/null || status=1
    done
    for precision in f32 bf16; do
      code=0
      within "$work/error" "$spgd" restore --quiet --device "$device" --programs "$([[ $device == cpu ]] && echo auto || echo stage)" --precision "$precision" --prior "$prior" --seed 1 \
        "$work/y" -o "$work/$precision/" >/dev/null || code=$?
      if ((code)); then
        unusable "$code"
        printf '%-28s %-10s %s\n' "$precision" "${flags[0]}" "$(why "$code" "$work/error")"
        status=1
        continue 2
      fi
    done
    for photo in "${list[@]}"; do
      name=$(basename "$photo" .png)
      f32=$(psnr "$photo" "$work/f32/$name.png") bf16=$(psnr "$photo" "$work/bf16/$name.png")
      gain=$(calc "$bf16-$f32" %.3f)
      mark=
      awk "BEGIN { exit !($gain < -0.05 || $gain > 0.05) }" && mark=' NOT MET'
      printf '%-28s %-10s %8.3f %8.3f %8s%s\n' "$name" "${flags[0]}" "$f32" "$bf16" "$gain" "$mark"
    done
  done
}

for part in "${parts[@]}"; do
  case $part in
  stages) steps stage ;;
  steps) [[ $device == cpu ]] || steps step ;;
  golden) golden ;;
  photos) photos ;;
  evaluations) evaluations ;;
  torch) compare_torch ;;
  esac
done
printf '\n%d s\n' $((SECONDS - began))
exit "$status"
