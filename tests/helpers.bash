# What the bats files of cli/ and live/ share.
# shellcheck source=../scripts/lib.bash
. "$BATS_TEST_DIRNAME/../../scripts/lib.bash"
bats_require_minimum_version 1.5.0

T=$BATS_TEST_TMPDIR
target= tracer=

# Two real traces of the corpus: one with user annotations, one of Go 1.26.
corpus=$BATS_TEST_DIRNAME/../corpus
# shellcheck disable=SC2034
user=$corpus/real/user-22.trace timers=$corpus/real/timers-26.trace

need_binary() {
	[ -x "$GOTRACE" ] || skip "$GOTRACE is missing: make builds it"
}

need_jq() { command -v jq >/dev/null || skip "jq is missing"; }

# A live test needs root, BTF, tracefs and a gotrace with its BPF half; say which of them is missing.
need_live() {
	need_binary
	[ "$(id -u)" = 0 ] || skip "not root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "the kernel has no BTF (/sys/kernel/btf/vmlinux)"
	[ -e /sys/kernel/tracing/events/raw_syscalls ] || [ -e /sys/kernel/debug/tracing/events/raw_syscalls ] ||
		skip "tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing"
	command -v go >/dev/null || skip "Go is missing: the workloads cannot be built"
}

# The workloads of the installed Go, built once per file (setup_file) and only when older than their sources.
build_local() {
	command -v go >/dev/null || return 0
	"$BATS_TEST_DIRNAME/../../scripts/build-workloads" -v default "$GOTRACE_WORK" local >&2
}
program() { echo "$GOTRACE_WORK/$1-local-default"; }

# start WORKLOADS [ARG...]: runs demo (or $PROGRAM) in the background; sets target, what it prints goes to $T/out.
start() {
	local w=$1
	shift
	"$(program "${PROGRAM:-demo}")" -w "$w" "$@" >"$T/out" 2>"$T/out.err" 3>&- &
	target=$!
	wait_for "$T/out" ready || { echo "the workload did not start:"; cat "$T/out.err"; return 1; }
}

# The workload begins only when the tracer is there, so its whole truth is in the trace.
start_waiting() { start "$@" -wait -linger 30s; }

# target_ends [STATUS]: it ends by itself with that status (0), its truth holds.
target_ends() {
	local rc=0
	wait "$target" || rc=$?
	target=
	[ "$rc" = "${1:-0}" ] || { echo "the target ended with $rc:"; head -20 "$T/out.err"; return 1; }
	truth_holds "$T/out"
}

# attach [OPTION...]: gotrace in the background on $target, writing $T/trace; returns when it records.
attach() {
	env --default-signal=INT "$GOTRACE" record -p "$target" -o "$T/trace" "$@" >"$T/gotrace.out" 2>"$T/gotrace.err" 3>&- &
	tracer=$!
	wait_size "$T/trace" 10 || { echo "gotrace wrote nothing:"; cat "$T/gotrace.err"; return 1; }
	sleep 0.5
}

# detach [STATUS]: Ctrl-C; gotrace ends with that status (0).
detach() {
	local rc=0
	kill -INT "$tracer"
	wait "$tracer" || rc=$?
	tracer=
	[ "$rc" = "${1:-0}" ] || { echo "gotrace ended with $rc:"; cat "$T/gotrace.err"; return 1; }
}

# whole WORKLOAD [ARG...]: records a whole run of the workload: attached before its first step, detached after its last.
whole() {
	start_waiting "$@"
	attach
	kill -USR2 "$target"
	wait_for "$T/out" '^done' 60
	sleep 0.3
	detach
	kill "$target"
	wait "$target" || true
	target=
	truth_holds "$T/out"
}

# part TIME WORKLOAD [ARG...]: records that much of a run; the trace is valid and the target works on to its end.
part() {
	local time=$1
	shift
	start "$@"
	run -0 "$GOTRACE" record -p "$target" -d "$time" -o "$T/trace"
	valid "$T/trace"
	target_ends
}

# valid FILE: so say the foreign judges. Without them the test is skipped, not passed.
valid() {
	local why
	why=$(have_judges) || skip "$why"
	judge "$1" && return
	tracecheck -strict "$1" 2>&1 | grep -E 'strict:|INVALID|after:' | head -5
	return 1
}

# What the oracle says about FILE: counts FILE JQ-FILTER [JQ-ARG...]
counts() {
	local f=$1 why
	shift
	why=$(have_judges) || skip "$why"
	tracecheck -json "$f" | jq -r "$@"
}

# Goroutines in FILE whose start function ends in NAME.
group() { counts "$1" --arg n "$2" '[.groups[] | select(.name | endswith($n)) | .count] | add // 0'; }

equal() { # WHAT GOT WANTED
	[ "$2" = "$3" ] || { echo "$1: $2, not $3"; return 1; }
}
at_least() { # WHAT GOT WANTED
	[ "$2" -ge "$3" ] || { echo "$1: $2, fewer than $3"; return 1; }
}

# After `run`: one sentence for the user, by gotrace, on the last line; no usage text, no stack.
one_sentence() {
	equal "lines of output" "${#lines[@]}" 1
	[[ ${lines[0]} == gotrace:* ]] || { echo "not by gotrace: ${lines[0]}"; return 1; }
}

clean_up() {
	local p
	for p in $tracer $target; do
		kill -CONT "$p" 2>/dev/null
		kill -KILL "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	return 0
}
