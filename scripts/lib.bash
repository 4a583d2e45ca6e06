# lib.bash: what compare, matrix and the bats files share. Source it; it sets `top` and needs bash only.
# Environment: GOTRACE (default build/gotrace), GOTRACE_SHARED (default ../shared beside the checkout), GOTRACE_WORK (where
# build-workloads leaves its programs, default /tmp/gtbin/work), CHECK_GO (Go version of the `go tool trace` that judges).

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${GOTRACE:=$top/build/gotrace}"
: "${GOTRACE_SHARED:=$(cd "$top/.." && pwd)/shared}"
: "${GOTRACE_WORK:=/tmp/gtbin/work}"
judge_cache=${XDG_CACHE_HOME:-$HOME/.cache}/gotrace-check

# The foreign judges: check-trace and tracecheck. Fails with a sentence when they are not there.
have_judges() {
	if [ ! -x "$GOTRACE_SHARED/tools/check-trace" ]; then
		echo "no foreign judge: $GOTRACE_SHARED/tools/check-trace is missing (set GOTRACE_SHARED)"
		return 1
	fi
	if ! command -v go >/dev/null; then
		echo "no foreign judge: Go is not in the PATH"
		return 1
	fi
}

# Go version of the judging `go tool trace`: the installed Go, which needs no download.
judge_go() { echo "${CHECK_GO-$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//')}"; }

# check-trace keeps its tools and its scratch files in one cache directory: give each caller scratch of its own, so that
# two can judge at the same time, and share the tools.
judge() { # FILE... ; stdout and status of check-trace
	local own rc=0 t
	build_judges || return 2
	own=$(mktemp -d) || return 2
	mkdir "$own/gotrace-check"
	for t in "$judge_cache"/tracecheck "$judge_cache"/trace-*; do
		[ -e "$t" ] && ln -s "$t" "$own/gotrace-check/"
	done
	XDG_CACHE_HOME=$own GOCACHE=$(go env GOCACHE) CHECK_GO=$(judge_go) "$GOTRACE_SHARED/tools/check-trace" "$@" || rc=$?
	rm -rf "$own"
	return $rc
}

build_judges() {
	local v tool root
	have_judges || return 1
	mkdir -p "$judge_cache" || return 1
	(
		flock 9
		if [ ! -x "$judge_cache/tracecheck" ]; then
			(cd "$GOTRACE_SHARED/tools/tracecheck" && GOFLAGS=-mod=mod go build -o "$judge_cache/tracecheck" .) || exit 1
		fi
		for v in $(judge_go); do
			tool=$judge_cache/trace-$v
			[ -x "$tool" ] && continue
			root=$(GOTOOLCHAIN=go$v go env GOROOT) || exit 1
			if [ -x "$root/pkg/tool/linux_amd64/trace" ]; then cp "$root/pkg/tool/linux_amd64/trace" "$tool"
			else (cd "$root/src/cmd/trace" && GOTOOLCHAIN=go$v go build -o "$tool" .) || exit 1; fi
		done
	) 9>"$judge_cache/lock" >&2
}

tracecheck() { build_judges && "$judge_cache/tracecheck" "$@"; }

# The text of every event, by `go tool trace`.
parsed() { build_judges && "$judge_cache/trace-$(judge_go | awk '{print $NF}')" -d=parsed "$1"; }

# Wait until FILE holds a line that matches; 1 after SECONDS (default 10).
wait_for() { # FILE PATTERN [SECONDS]
	local i
	for ((i = 0; i < ${3:-10} * 20; i++)); do
		grep -qE "$2" "$1" 2>/dev/null && return 0
		sleep 0.05
	done
	return 1
}

wait_size() { # FILE [SECONDS]: until it holds something
	local i
	for ((i = 0; i < ${2:-10} * 20; i++)); do
		[ -s "$1" ] && return 0
		sleep 0.05
	done
	return 1
}

truth() { # OUTFILE NAME -> value, empty when there is none
	awk -v n="$2" '$1 == "truth" && $2 == n { print $3 }' "$1"
}

# Does what a workload said about itself hold together?
truth_holds() { # OUTFILE: prints what does not
	awk '
		$1 == "truth" { t[$2] = $3 }
		$1 == "done" { done = 1 }
		function same(a, b) { if ((a in t) && t[a] != t[b]) { print a "=" t[a] " " b "=" t[b]; bad = 1 } }
		END {
			for (k in t) if (k ~ /\.failed$/ && t[k] != 0) { print k "=" t[k]; bad = 1 }
			same("http.requests", "http.served")
			same("fanin.sends", "fanin.received")
			same("spawn.created", "spawn.ran")
			same("mutex.locks", "mutex.held")
			if (!done) { print "no truth was printed"; bad = 1 }
			exit bad
		}' "$1"
}

# What recording or `gotrace info` say about losses and repairs: "NAME VALUE" words; "?" when the trace tells none.
said() { # NAME FILE-OF-TEXT, NAME e.g. lost, repair
	local v
	v=$(grep -oiE "([0-9][0-9,]*) $1|$1[^0-9]{0,20}[0-9][0-9,]*" "$2" | grep -oE '[0-9][0-9,]*' | tr -d , | head -1)
	echo "${v:-?}"
}

# Nothing of gotrace may stay in the kernel: no uprobe of tracefs, and no BPF program, map or link of its names that no
# living process holds (other gotrace may be at work). Prints what is left; 0 = nothing.
probes_left() {
	local left=0 f tool held
	for f in /sys/kernel/tracing/uprobe_events /sys/kernel/debug/tracing/uprobe_events; do
		if grep -q . "$f" 2>/dev/null; then
			cat "$f"
			left=1
		fi
		[ -e "$f" ] && break
	done
	tool=$(command -v bpftool || echo /usr/sbin/bpftool)
	[ -x "$tool" ] || return $left
	# ids first, holders second: what begins in between is held
	local ids
	ids=$("$tool" -j prog list | jq -r '.[] | select(.name // "" | test("^on_(probe|exec|sample|sys)|^gotrace|^gt_")) | "prog_id \(.id) \(.name)"'
		"$tool" -j map list | jq -r '.[] | select(.name // "" | test("^gotrace")) | "map_id \(.id) \(.name)"')
	[ -n "$ids" ] || return $left
	held=$(cat /proc/[0-9]*/fdinfo/* 2>/dev/null | grep -E '^(prog|map)_id:')
	awk 'NR == FNR { sub(":", "", $1); held[$1 " " $2] = 1; next } !(($1 " " $2) in held) { print; left = 1 } END { exit left }' \
		<(echo "$held") <(echo "$ids") || left=1
	return $left
}
