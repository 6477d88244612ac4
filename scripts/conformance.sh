#!/usr/bin/env bash
# Runs the tests of GoMLX's graph package on this module's CPU backend ("spgd").
#
# usage: scripts/conformance.sh [PATTERN]
#
# Only the tests whose names match PATTERN (a regular expression, all by default) are run, each
# in a process of its own, because a panic in one ends its process. A table of the results is
# printed. The exit status is 1 if a test fails that engine/cpu/conformance-skip.txt does not
# name, or if a test that it names passes.
#
# GoMLX's released source comes from the module cache and is copied to a temporary directory,
# where XLA is taken out of the two files that import it. JOBS (default 2) tests run at a time,
# for at most LIMIT (default 120) seconds each.
set -euo pipefail

cd "$(dirname "$0")/.."
pattern=${1:-.}
jobs=${JOBS:-2}
limit=${LIMIT:-120}
skip=engine/cpu/conformance-skip.txt
module=github.com/gomlx/gomlx
backend=$(go list ./engine/cpu)

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

go mod download "$module"
cp -R "$(go list -m -f '{{.Dir}}' "$module")" "$tmp/gomlx"
chmod -R u+w "$tmp/gomlx"
graph=$tmp/gomlx/pkg/core/graph

# The import of XLA becomes that of our backend, and the calls that install XLA go away.
for file in "$graph/graph_test.go" "$graph/graphtest/graphtest.go"; do
	awk -v backend="$backend" '
		/"github.com\/gomlx\/gomlx\/backends\/default"/ { next }
		/"github.com\/gomlx\/gomlx\/backends\/xla"/ { print "\t_ \"" backend "\""; next }
		/DefaultConfig = "xla:cpu"/ { next }
		FILENAME ~ /graphtest/ && /k8s.io\/klog/ { next } # used for XLA only
		/xla\.AutoInstall\(\)/ { skip = 4 } # the call and the test of its error
		skip > 0 { skip--; next }
		{ print }
	' "$file" >"$tmp/patched.go"
	mv "$tmp/patched.go" "$file"
done

# A copy of go.mod that takes GoMLX from there, with the checksums of what its tests need.
cp go.mod "$tmp/go.mod"
cat go.sum "$tmp/gomlx/go.sum" >"$tmp/go.sum"
go mod edit -replace "$module=$tmp/gomlx" "$tmp/go.mod"
CGO_ENABLED=0 go test -modfile="$tmp/go.mod" -mod=mod -c -o "$tmp/graph.test" "$module/pkg/core/graph"

cat >"$tmp/one" <<'END'
#!/usr/bin/env bash
# Runs one test and prints its result and name.
cd "$GRAPH"
if timeout "$LIMIT" "$TMP/graph.test" -test.run "^$1\$" >"$TMP/logs/$1" 2>&1; then
	if grep -q -- '--- SKIP' "$TMP/logs/$1"; then echo "skipped $1"; else echo "passed $1"; fi
elif [ $? -eq 124 ]; then
	echo "timeout $1"
else
	echo "failed $1"
fi
END
chmod +x "$tmp/one"
mkdir "$tmp/logs"

export GRAPH=$graph TMP=$tmp LIMIT=$limit GOMLX_BACKEND=spgd
(cd "$graph" && "$tmp/graph.test" -test.list "$pattern") | grep '^Test' | sort >"$tmp/names"
xargs -P "$jobs" -n 1 "$tmp/one" <"$tmp/names" | sort -k 2 >"$tmp/results"

status=0
while read -r result name; do
	reason=$(awk -v name="$name" '$1 == name { $1 = ""; print substr($0, 2) }' "$skip" 2>/dev/null || true)
	case $result:${reason:+known} in
	failed: | timeout:)
		status=1
		echo "$result   $name"
		sed 's/^/    /' "$tmp/logs/$name" | grep -v -e '^    ==' | tail -n "${TAIL:-25}"
		;;
	failed:known | timeout:known) echo "known    $name: $reason" ;;
	passed:known)
		status=1
		echo "passed   $name, though $skip names it"
		;;
	*) echo "$result  $name" ;;
	esac
done <"$tmp/results"
awk '{ n[$1]++ } END { printf "passed %d, failed %d, timed out %d, skipped by the test itself %d, of %d\n",
	n["passed"], n["failed"], n["timeout"], n["skipped"], NR }' "$tmp/results"
exit $status
