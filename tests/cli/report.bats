# gotrace report and diff: the words, the shapes, the exit codes. The numbers are compared with Go's own in live/report.bats.
load ../helpers

setup() { need_binary; }

@test "the screen says what it read, what hurts, and what to type next" {
	run -0 "$GOTRACE" report "$user"
	[[ ${lines[0]} == *'go1.22.12, header 1.22, 0.601 s' ]]
	for word in 'what hurts' 'scheduler ' 'goroutines  ' 'longest waits for a P' 'waiting for each other' 'user tasks' 'user regions'; do
		[[ $output == *"$word"* ]] || { echo "missing: $word"; return 1; }
	done
	[[ $output == *'next:  gotrace report '* ]]
	[ "$(printf '%s\n' "${lines[@]}" | grep -v 'next:' | awk '{ if (length > n) n = length } END { print n }')" -le 100 ]
}

@test "rows, order and part are the asked ones" {
	need_jq
	[ "$("$GOTRACE" report -n 2 "$user" | sed -n '/goroutines  /,/^$/p' | grep -c 'work\|known')" = 2 ]
	"$GOTRACE" report --json -s count "$timers" | jq -e '[.groups[].count] == ([.groups[].count] | sort | reverse)'
	"$GOTRACE" report --json -n 1 "$timers" | jq -e '.groups | length == 1'
	"$GOTRACE" report --json -r 100ms~200ms "$timers" | jq -e '.duration_ns < 100100000 and .duration_ns > 99900000'
	whole=$("$GOTRACE" report --json "$timers" | jq .events)
	[ "$("$GOTRACE" report --json -r 100ms~200ms "$timers" | jq .events)" -lt $((whole / 2)) ]
}

@test "JSON has every key always, also of a trace of nothing" {
	need_jq
	keys() { "$GOTRACE" report --json "$1" | jq -c '[paths(type != "array" and type != "object") | map(select(type == "string")) | join(".")] | unique
		| map(select(test("block_ns|range_ns|groups|profiles|tasks|regions|histogram|findings|never_ended|longest_waits|stop_the_world\\.") | not))'; }
	keys "$user" >"$T/a"
	keys "$corpus/hdr-22.trace" >"$T/b"
	cmp "$T/a" "$T/b"
	[ "$(jq length <"$T/a")" -gt 50 ]
}

@test "a goroutine is found by id, by start function, by state" {
	need_jq
	f=gotrace.test/workloads/tasks.user.func1
	[ "$("$GOTRACE" report --json -g $f "$user" | jq '.goroutines | length')" = 526 ]
	id=$("$GOTRACE" report --json -g $f "$user" | jq '.goroutines[3].id')
	"$GOTRACE" report --json -g "$id" "$user" | jq -e ".goroutines | length == 1 and .[0].id == $id and .[0].function == \"$f\""
	"$GOTRACE" report --json -g all --state waiting "$user" | jq -e '[.goroutines[].state] | unique == ["waiting"]'
	run -0 "$GOTRACE" report -g "$id" "$user"
	[[ ${lines[1]} == *"$id "* ]]
}

@test "go tool pprof reads the profiles" {
	command -v go >/dev/null || skip "Go is missing"
	for kind in net sync syscall sched; do
		"$GOTRACE" report --pprof=$kind "$user" >"$T/$kind"
		go tool pprof -top "$T/$kind" >"$T/top" 2>&1 || { cat "$T/top"; return 1; }
	done
	go tool pprof -top -sample_index=contentions "$T/sync" | grep -q 'tasks.user'
	[ "$("$GOTRACE" report --folded=sync --counts "$user" | awk '{ n += $NF } END { print n }')" = 525 ]
}

@test "the events of a task are told" {
	need_jq
	"$GOTRACE" report --json --task order "$user" | jq -e '[.tasks[].name] | unique == ["order"]'
	"$GOTRACE" report --json --task order "$user" | jq -e '.tasks[1] | .complete and ([.events[].kind] | index("begin") == 0 and last == "end")'
	run -0 "$GOTRACE" report --task order -n 1 "$user"
	[[ $output == *'begin '*'order'* ]]
	[[ $output == *'more tasks'* ]]
}

@test "a pipe is as good as a file" {
	"$GOTRACE" report --json "$user" >"$T/file"
	cat "$user" | "$GOTRACE" report --json - >"$T/pipe"
	diff "$T/file" "$T/pipe" >"$T/diff" || [ "$(grep -c '^<' "$T/diff")" = 1 ] # its name
}

@test "of a damaged file all that can be read is shown, with one sentence and exit code 1" {
	head -c 30000 "$user" >"$T/cut"
	run -1 --separate-stderr "$GOTRACE" report "$T/cut"
	[[ $output == *'what hurts'* ]]
	[[ ${#stderr_lines[@]} == 1 && $stderr == *"$T/cut: offset 0x"* ]]
	cp "$timers" "$T/byte" && printf '\xff' | dd of="$T/byte" bs=1 seek=20000 conv=notrunc status=none
	run -1 --separate-stderr "$GOTRACE" report "$T/byte"
	[[ $stderr == *'offset 0x'* ]]
	run -1 --separate-stderr "$GOTRACE" report "$corpus/cpu-badstk-22.trace"
	[[ $stderr == *'not valid, though it can be read'* ]]
}

@test "what is no trace is refused with a sentence" {
	echo hello >"$T/text"
	: >"$T/empty"
	printf 'go 1.21 trace\0\0\0' >"$T/old"
	for f in "$T/text" "$T/empty" "$T/old" "$T/missing" "$T" "$corpus/hdr-27-27.trace"; do
		run -1 --separate-stderr "$GOTRACE" report "$f"
		[ -z "$output" ]
		[[ $stderr == "gotrace: "*"$f"* ]] || { echo "$f: $stderr"; return 1; }
	done
	run -1 --separate-stderr "$GOTRACE" report "$T/old"
	[[ $stderr == *'only 1.22, 1.23, 1.25 and 1.26'* ]]
}

@test "misuse is told" {
	for args in '' "$user $user" "--pprof=cpu $user" "--json --pprof=net $user" "--region x $user" "--state asleep $user" "-r 3s~1s $user" "--sort weight $user"; do
		# shellcheck disable=SC2086
		run -1 --separate-stderr "$GOTRACE" report $args
		[ -n "$stderr" ] && [ -z "$output" ]
	done
	run -0 "$GOTRACE" report --help
	[[ $output == *--folded* ]]
}

@test "a region that is not there is told; one that is limits the profile" {
	run -1 --separate-stderr "$GOTRACE" report --folded=sync --region nowhere "$user"
	[[ $stderr == *'no user region of this name'* ]]
	all=$("$GOTRACE" report --folded=sched "$user" | awk '{ n += $NF } END { print n }')
	inside=$("$GOTRACE" report --folded=sched --region pack "$user" | awk '{ n += $NF } END { print n }')
	[ "$inside" -gt 0 ] && [ "$inside" -lt "$all" ]
}

@test "a name cannot steer the terminal" {
	run -0 "$GOTRACE" report -g all -n 0 "$user"
	! printf '%s' "$output" | LC_ALL=C grep -q '[[:cntrl:]]' <<<"${output//$'\n'/}"
}

@test "a full disk is told" {
	[ -e /dev/full ] || skip "/dev/full is missing"
	run -1 bash -c '"$1" report "$2" >/dev/full' - "$GOTRACE" "$user"
}

@test "diff finds nothing in a trace against itself, and says what is new" {
	need_jq
	run -0 "$GOTRACE" diff --fail-over 1 "$user" "$user"
	[[ $output == *nothing* ]]
	"$GOTRACE" diff --json "$user" "$user" | jq -e '.worst_change == 0 and (.rows | length == 0)'
	run -4 "$GOTRACE" diff --fail-over 50% "$timers" "$user"
	run -0 "$GOTRACE" diff "$timers" "$user"
	[[ $output == *new* && $output == *gone* ]]
	run -1 "$GOTRACE" diff "$user"
	run -1 "$GOTRACE" diff --fail-over much "$user" "$user"
}

@test "a part is reported as the trace that is cut out of it" {
	need_jq
	for f in "$user" "$timers"; do
		for r in 100ms~300ms 50ms~ ~400ms; do
			"$GOTRACE" cut -r $r "$f" "$T/cut" 2>/dev/null
			for x in "-r $r $f" "$T/cut"; do
				# shellcheck disable=SC2086
				"$GOTRACE" report --json $x | jq -S '.profiles, .goroutine_counts, .scheduler.wait'
			done >"$T/both"
			lines=$(($(wc -l <"$T/both") / 2))
			cmp <(head -$lines "$T/both") <(tail -$lines "$T/both")
		done
	done
}
