# The main job: attach, record, detach; what the trace says against what the program says.
load ../helpers

setup_file() { build_local; }
setup() { need_live; }
teardown() {
	clean_up
	[ -z "${litter:-}" ] || rm -rf "$litter"
}

@test "a recorded mix of everything is a valid trace and the target does not notice" {
	part 2s mix -d 6s
}

@test "gotrace -p PID is the same as gotrace record -p PID" {
	start hello -rate 1000 -d 4s
	run -0 "$GOTRACE" -p "$target" -d 1s -o "$T/trace"
	valid "$T/trace"
	target_ends
}

@test "every goroutine of the hello program is in the trace, with its name" {
	whole hello -rate 2000 -d 2s
	valid "$T/trace"
	equal sayHello "$(group "$T/trace" work.sayHello)" "$(truth "$T/out" hello.created)"
}

@test "every goroutine of a pixel is in the trace" {
	whole mandel-px -n 64 -rate 4 -d 2s
	valid "$T/trace"
	equal pixels "$(group "$T/trace" work.mandelPixels.func1)" "$(truth "$T/out" mandel-px.created)"
}

@test "many short goroutines as fast as they come: all there, or the loss is told" {
	whole spawn -d 1s
	valid "$T/trace"
	equal children "$(group "$T/trace" work.spawnChild)" "$(truth "$T/out" spawn.created)"
}

@test "every Gosched is a stop for that reason" {
	whole gosched -rate 2000 -d 2s
	equal Gosched "$(counts "$T/trace" '.go_transitions_by_reason["Running->Runnable [runtime.Gosched]"] // 0')" "$(truth "$T/out" gosched.calls)"
}

@test "busy loops are seen to be preempted" {
	part 2s preempt -d 4s
	at_least preempted "$(counts "$T/trace" '.go_transitions_by_reason["Running->Runnable [preempted]"] // 0')" 20
}

@test "every garbage collection is in the trace" {
	whole gc -rate 200 -d 2s
	valid "$T/trace"
	equal collections "$(counts "$T/trace" '.ranges["GC concurrent mark phase"].count // 0')" "$(truth "$T/out" gc.cycles)"
}

@test "every stop of the world that the program asked for is in the trace with its kind" {
	whole stw -d 2s
	valid "$T/trace"
	equal ReadMemStats "$(counts "$T/trace" '.ranges["stop-the-world (read mem stats)"].count // 0')" "$(truth "$T/out" stw.memstats)"
	equal GOMAXPROCS "$(counts "$T/trace" '.ranges["stop-the-world (GOMAXPROCS)"].count // 0')" "$(truth "$T/out" stw.gomaxprocs)"
	equal repairs "$("$GOTRACE" report --json "$T/trace" | jq .repairs)" 0
}

@test "every system call on files is in the trace" {
	whole files -rate 200 -d 2s
	valid "$T/trace"
	local mine=$(($(truth "$T/out" files.pwrites) + $(truth "$T/out" files.preads) + 3 * $(truth "$T/out" files.opens)))
	at_least "system calls" "$(counts "$T/trace" '.go_transitions["Running->Syscall"]')" "$mine"
}

@test "an HTTP server under load keeps every request, and its connections have their goroutines" {
	whole http -n 8 -d 2s
	valid "$T/trace"
	equal failed "$(truth "$T/out" http.failed)" 0
	at_least connections "$(group "$T/trace" 'net/http.(*conn).serve')" 8
	at_least "network waits" "$(counts "$T/trace" '.go_transitions_by_reason["Running->Waiting [network]"] // 0')" "$(truth "$T/out" http.requests)"
}

@test "iter.Pull: every iterator is a goroutine that was created blocked and switched to" {
	whole iter -rate 500 -d 1s
	valid "$T/trace"
	equal coroutines "$(counts "$T/trace" '.go_transitions["NotExist->Waiting"] // 0')" "$(truth "$T/out" iter.created)"
}

@test "user tasks, regions and logs of a program that does not trace itself are in the trace" {
	PROGRAM=usertask whole user -d 1s
	valid "$T/trace"
	equal tasks "$(counts "$T/trace" '.kinds.TaskBegin // 0')" "$(truth "$T/out" user.tasks)"
	equal regions "$(counts "$T/trace" '.kinds.RegionBegin // 0')" "$(truth "$T/out" user.regions)"
	equal logs "$(counts "$T/trace" '.kinds.Log // 0')" "$(truth "$T/out" user.logs)"
}

@test "goroutines that never move are there from the start, with their stacks" {
	start manyg -n 2000 -d 5s
	sleep 0.5
	run -0 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	valid "$T/trace"
	at_least goroutines "$(counts "$T/trace" .goroutines)" 2000
	at_least waiting "$(counts "$T/trace" '.go_transitions["Undetermined->Waiting"] // 0')" 1990
	at_least stacks "$(counts "$T/trace" '.stacks["status Waiting"].with_stack // 0')" 1990
	target_ends
}

@test "a second of nothing is a second in the trace" {
	part 1s idle -d 4s
	at_least nanoseconds "$(counts "$T/trace" .duration_ns)" 900000000
}

@test "stacks of 250 frames do not hurt" {
	part 1s deep -d 4s
}

@test "-d ends after that time" {
	start hello -rate 500 -d 6s
	run -0 "$GOTRACE" record -p "$target" -d 1500ms -o "$T/trace"
	local ms=$(($(counts "$T/trace" .duration_ns) / 1000000))
	at_least "milliseconds" "$ms" 1400
	at_least "milliseconds allowed, on a busy machine," 3000 "$ms"
	target_ends
}

@test "Ctrl-C ends, says what was recorded and what to do next" {
	start hello -rate 500 -d 8s
	attach
	detach
	valid "$T/trace"
	cat "$T/gotrace.out" "$T/gotrace.err"
	grep -q 'go tool trace' "$T/gotrace.out" "$T/gotrace.err"
	at_least "lines allowed for the summary" 40 "$(cat "$T/gotrace.out" "$T/gotrace.err" | wc -l)"
}

@test "the summary of a busy program fits a screen of 40 lines and 100 columns" {
	start mix -d 5s
	run -0 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	at_least "lines allowed" 40 "${#lines[@]}"
	local line
	for line in "${lines[@]}"; do
		[ "${#line}" -le 100 ] || [[ $line == *"next: "* ]] || { echo "$line"; return 1; }
	done
	target_ends
}

@test "progress is for terminals: none in a log, one line on a terminal" {
	start hello -rate 500 -d 8s
	run -0 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	[[ $output != *Ctrl-C* && $output != *$'\r'* ]]
	command -v script >/dev/null || skip "script (util-linux) is missing"
	run -0 script -qec "$GOTRACE record -p $target -d 1200ms -o $T/trace" /dev/null
	[[ $output == *Ctrl-C* ]]
	run -0 script -qec "$GOTRACE record -q -p $target -d 1200ms -o $T/trace" /dev/null
	[ -z "$output" ]
	target_ends
}

@test "-o - writes the trace, and nothing else, to stdout" {
	start hello -rate 500 -d 5s
	"$GOTRACE" record -p "$target" -d 1s -o - >"$T/trace" 2>"$T/err"
	valid "$T/trace"
	target_ends
}

@test "%p in the name of the output is the pid" {
	start idle -d 4s
	run -0 "$GOTRACE" record -p "$target" -d 500ms -o "$T/t.%p.out"
	[ -s "$T/t.$target.out" ]
}

@test "%t and %h are time and host, %% is a percent sign" {
	start idle -d 4s
	run -0 "$GOTRACE" record -p "$target" -d 500ms -o "$T/%h.%t.100%%"
	ls "$T"
	compgen -G "$T/$(hostname).*.100%" >/dev/null
}

@test "the output is for its owner only, whatever the umask" {
	start idle -d 4s
	umask 000
	run -0 "$GOTRACE" record -p "$target" -d 500ms -o "$T/trace"
	equal mode "$(stat -c %a "$T/trace")" 600
}

@test "a program that gotrace starts is traced from its first instruction" {
	"$GOTRACE" record -o "$T/trace" -- "$(program demo)" -w hello -rate 1000 -d 1s >"$T/out" 2>"$T/err"
	valid "$T/trace"
	truth_holds "$T/out"
	equal sayHello "$(group "$T/trace" work.sayHello)" "$(truth "$T/out" hello.created)"
	equal "runtime.main" "$(counts "$T/trace" '[.groups[] | select(.name == "main.main" or .name == "runtime.main")] | length')" 1
}

@test "a program that gotrace starts gives its exit code" {
	run -7 "$GOTRACE" record -o "$T/trace" -- "$(program demo)" -w hello -rate 100 -d 300ms -exit 7
	valid "$T/trace"
}

@test "a program that gotrace starts is waited for when the recording ends before it" {
	run -7 "$GOTRACE" record -d 300ms -o "$T/trace" -- "$(program demo)" -w hello -rate 100 -d 1s -exit 7
	[[ $output == *"goes on"* ]]
	valid "$T/trace"
}

@test "a program that gotrace starts and that a signal ends gives 128 + the signal" {
	run -137 "$GOTRACE" record -o "$T/trace" -- "$(program demo)" -w killed -d 300ms
	valid "$T/trace"
}

@test "a program that gotrace starts keeps its stdin and stdout" {
	run -0 --separate-stderr "$GOTRACE" record -o "$T/trace" -- "$(program demo)" -w idle -d 100ms
	[[ $output == *"truth seconds"* ]]
}

@test "a spooled capture replays to the same events, without the target and without root" {
	command -v setpriv >/dev/null || skip "setpriv is missing"
	start mix -d 5s
	run -0 "$GOTRACE" record -p "$target" -d 1s --spool "$T/spool" -o "$T/trace"
	target_ends
	litter=$(mktemp -d /tmp/gotrace-nobody.XXXXXX)
	cp "$GOTRACE" "$T/spool" "$litter"
	chown -R 65534 "$litter"
	run -0 setpriv --reuid=65534 --regid=65534 --clear-groups "$litter/gotrace" replay "$litter/spool" -o "$litter/again"
	valid "$litter/again"
	parsed "$T/trace" >"$T/one"
	parsed "$litter/again" >"$T/two"
	at_least "lines of events" "$(wc -l <"$T/one")" 1000
	diff "$T/one" "$T/two" | head -5
	cmp "$T/one" "$T/two"
}

@test "a spool that was cut replays to a valid trace of what was there: exit 1" {
	start http -n 4 -rate 200 -d 4s
	run -0 "$GOTRACE" record -p "$target" -d 1s --spool "$T/spool" -o "$T/trace"
	target_ends
	local size
	size=$(stat -c %s "$T/spool")
	head -c $((size * 2 / 3)) "$T/spool" >"$T/cut"
	run -1 "$GOTRACE" replay "$T/cut" -o "$T/again"
	one_sentence
	[[ $output == *"$T/cut"*cut* ]]
	valid "$T/again"
	at_least "transitions" "$(counts "$T/again" '.go_transitions | length')" 3
}

@test "info tells pid, Go version, command and losses of a trace" {
	start hello -rate 500 -d 4s
	run -0 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	run -0 "$GOTRACE" info "$T/trace"
	[[ $output == *"$target"* ]]
	[[ $output == *"$(truth_version)"* ]]
	[[ $output == *hello* ]]
	grep -qE '^lost +0$' <<<"$output"
	at_least duration_ns "$(awk '$1 == "duration_ns" { print $2 }' <<<"$output")" 900000000
}
truth_version() { GOTOOLCHAIN=local go env GOVERSION; }

@test "a binary that was deleted or replaced after its start is traced" {
	cp "$(program demo)" "$T/app"
	"$T/app" -w hello -rate 500 -d 5s >"$T/out" 2>"$T/out.err" 3>&- &
	target=$!
	wait_for "$T/out" ready
	rm "$T/app"
	cp /bin/true "$T/app"
	run -0 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	valid "$T/trace"
	at_least sayHello "$(group "$T/trace" work.sayHello)" 100
	target_ends
}

# inside COMMAND...: a shell line that runs "$app" with its arguments; sets target to the pid that we see.
inside() {
	local i
	"$@" >"$T/out" 2>"$T/out.err" 3>&- &
	outer=$!
	wait_for "$T/out" ready || { cat "$T/out.err"; return 1; }
	target=$outer
	for ((i = 0; i < 3; i++)); do # the unshare in front of it, if there is one
		[ "$(readlink "/proc/$target/exe")" = /app ] && return
		case $(readlink "/proc/$target/exe") in */app | */app\ * | */demo-*) return ;; esac
		target=$(cat "/proc/$target/task/$target/children") || return 1
		target=${target%% *}
	done
}

traces_hello() {
	run -0 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	[[ $output == *"pid $target"* ]]
	valid "$T/trace"
	at_least sayHello "$(group "$T/trace" work.sayHello)" 100
}

@test "a target in a PID and mount namespace of its own is traced by the pid that we see" {
	unshare -p -m -f --mount-proc true 2>/dev/null || skip "unshare cannot make namespaces here"
	inside unshare -p -m -f --mount-proc "$(program demo)" -w hello -rate 500 -d 5s
	grep -q '^pid 1 ' "$T/out"
	traces_hello
	wait "$outer"
	truth_holds "$T/out"
}

@test "a binary on a filesystem that only the target sees is traced" {
	unshare -m true 2>/dev/null || skip "unshare cannot make namespaces here"
	mkdir "$T/private"
	inside unshare -m bash -c 'mount -t tmpfs tmpfs "$1" && cp "$0" "$1/app" && exec "$1/app" -w hello -rate 500 -d 5s' \
		"$(program demo)" "$T/private"
	[ ! -e "$T/private/app" ]
	traces_hello
	wait "$outer"
}

@test "a root directory with nothing but the binary, which is gone too, is traced" {
	mkdir "$T/root"
	cp "$(program demo)" "$T/root/app"
	inside chroot "$T/root" /app -w hello -rate 500 -d 5s
	rm "$T/root/app"
	traces_hello
	wait "$outer"
}

@test "two gotrace on two programs at the same time do not disturb each other" {
	start hello -rate 1000 -d 6s
	local one=$target
	attach
	"$(program demo)" -w pingpong -rate 1000 -d 3s >"$T/out2" 2>&1 3>&- &
	local two=$!
	wait_for "$T/out2" ready
	run -0 "$GOTRACE" record -p "$two" -d 1s -o "$T/trace2"
	detach
	wait "$two"
	valid "$T/trace"
	valid "$T/trace2"
	at_least sayHello "$(group "$T/trace" work.sayHello)" 500
	equal "foreign goroutines" "$(group "$T/trace2" work.sayHello)" 0
	target=$one
	target_ends
}

@test "gotrace sees what the in-process tracer of the same process sees (hello, gc)" {
	have_judges || skip "$(have_judges)"
	ARGS="-rate 500" run "$BATS_TEST_DIRNAME/../../scripts/compare" "$(program selftrace)" hello,gc 1
	echo "$output"
	[ "$status" = 0 ]
}
