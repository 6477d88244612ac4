#!/usr/bin/env bash
# Tests the NEON kernels: builds the tests of the kernels and some of the engine for arm64 and runs
# them, under qemu-user where the processor is another.
#
# usage: scripts/test-arm64.sh
#
# qemu-user is installed with apt-get if it is missing and that is possible without a question.
# Without it the tests are skipped, with a message that begins "skipped:", and the exit status is
# 0. Otherwise the exit status is that of the tests. It takes about a minute on two cores.
set -euo pipefail

cd "$(dirname "$0")/.."
# The engine's tests of what runs on the kernels; the others have no code of their own for arm64.
engine='Plan|Narrow|Convolution|Dot|Unary|Binary|GoBackend|BatchNorm|RNG'
GOOS=$(go env GOHOSTOS)
export GOOS GOARCH=arm64 CGO_ENABLED=0

install_qemu() {
	local apt=(apt-get)
	command -v apt-get >/dev/null || return 1
	if [ "$(id -u)" -ne 0 ]; then
		sudo -n true 2>/dev/null || return 1
		apt=(sudo -n apt-get)
	fi
	export DEBIAN_FRONTEND=noninteractive
	timeout 60 "${apt[@]}" install -y --no-install-recommends qemu-user && return
	timeout 60 "${apt[@]}" update && timeout 60 "${apt[@]}" install -y --no-install-recommends qemu-user
}

find_qemu() { command -v qemu-aarch64 || command -v qemu-aarch64-static; }

emulator=
if [ "$(go env GOHOSTARCH)" != arm64 ]; then
	if [ "$(go env GOHOSTOS)" != linux ]; then
		echo "skipped: qemu-user runs programs for Linux only"
		exit 0
	fi
	if ! find_qemu >/dev/null && ! install_qemu >/dev/null 2>&1; then
		echo "skipped: qemu-user is missing and apt-get cannot install it"
		exit 0
	fi
	if ! emulator=$(find_qemu) || ! "$emulator" --version >/dev/null; then
		echo "skipped: qemu-aarch64 does not start"
		exit 0
	fi
	"$emulator" --version | head -n 1
fi

for os in linux darwin windows; do
	GOOS=$os go vet ./engine/cpu/internal/kernel
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go test -c -o "$tmp/kernel.test" ./engine/cpu/internal/kernel
go test -c -o "$tmp/cpu.test" ./engine/cpu

# The tests find their testdata in the directory of their package.
(cd engine/cpu/internal/kernel && $emulator "$tmp/kernel.test" -test.short -test.timeout 170s) \
	>"$tmp/kernel.log" 2>&1 &
kernel=$!
status=0
for isa in neon portable; do
	echo "engine/cpu, SPGD_ISA=$isa:"
	(cd engine/cpu && SPGD_ISA=$isa $emulator "$tmp/cpu.test" -test.short -test.run "$engine" -test.timeout 80s) ||
		status=1
done
wait "$kernel" || status=1
echo "engine/cpu/internal/kernel, every instruction set:"
cat "$tmp/kernel.log"
exit "$status"
