# What goes wrong around a recording: gotrace says so in one sentence, the target never notices, nothing stays behind.
load ../helpers

setup_file() { build_local; }
setup() { need_live; }
teardown() {
	clean_up
	[ -z "${mounted:-}" ] || umount "$mounted"
	[ -z "${litter:-}" ] || rm -rf "$litter"
}

nothing_left() {
	# A killed gotrace's BPF objects are freed a moment later.
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		probes_left >/dev/null && return 0
		sleep 0.3
	done
	echo "still there:"
	probes_left
}

open_files() { ls "/proc/$1/fd" | wc -l; }

@test "a PID that does not exist: exit 1, one sentence" {
	sleep 0 &
	local gone=$!
	wait "$gone"
	run -1 "$GOTRACE" record -p "$gone" -d 1s -o "$T/trace"
	one_sentence
	[[ $output == *"$gone"* ]]
	[ ! -e "$T/trace" ]
}

@test "a program that is not Go: exit 2, one sentence" {
	sleep 30 3>&- &
	target=$!
	run -2 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	one_sentence
	[ ! -e "$T/trace" ]
}

@test "a zombie is refused with one sentence" {
	bash -c '"$0" -w idle -d 10ms >/dev/null & echo $! >"$1"; exec sleep 20' "$(program demo)" "$T/pid" 3>&- &
	target=$!
	sleep 0.7
	grep -q '^State:.*Z' "/proc/$(cat "$T/pid")/status"
	run "$GOTRACE" record -p "$(cat "$T/pid")" -d 1s -o "$T/trace"
	[ "$status" = 1 ] || [ "$status" = 2 ]
	one_sentence
}

@test "a target that ends while it is recorded: exit 0 and a valid trace" {
	start hello -rate 1000 -d 2s
	run -0 timeout 20 "$GOTRACE" record -p "$target" -o "$T/trace"
	valid "$T/trace"
	target_ends
	nothing_left
}

@test "a target that is killed while it is recorded: exit 0 and a valid trace" {
	start killed,http -rate 200 -d 4s
	run -0 timeout 20 "$GOTRACE" record -p "$target" -o "$T/trace"
	valid "$T/trace"
	nothing_left
}

@test "a target that ends during attach never hangs or confuses gotrace" {
	local ms
	for ms in 5 20 40 60 80 100 150 200; do
		"$(program demo)" -w hello -d ${ms}ms >"$T/out" 2>&1 3>&- &
		target=$!
		wait_for "$T/out" ready
		rm -f "$T/trace"
		run timeout 20 "$GOTRACE" record -p "$target" -o "$T/trace"
		echo "$ms ms: $status $output"
		[ "$status" = 0 ] || [ "$status" = 1 ] || [ "$status" = 2 ]
		[ "$status" != 0 ] || valid "$T/trace"
		wait "$target"
	done
	nothing_left
}

@test "a target that execs: the trace ends there and is valid, the new program lives" {
	start exec -d 4s
	run -0 timeout 20 "$GOTRACE" record -p "$target" -o "$T/trace"
	valid "$T/trace"
	target_ends
	equal "exec.done" "$(truth "$T/out" exec.done)" 1
	nothing_left
}

@test "children of the target are not disturbed and not in the trace" {
	start fork -d 3s
	run -0 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	valid "$T/trace"
	target_ends
	at_least children "$(truth "$T/out" fork.children)" 20
}

@test "a stopped target stays stopped, goes on afterwards, and the trace is valid" {
	start hello -rate 500 -d 3s
	kill -STOP "$target"
	sleep 0.1
	run -0 timeout 20 "$GOTRACE" record -p "$target" -d 1s -o "$T/trace"
	grep -q '^State:.*T' "/proc/$target/status"
	kill -CONT "$target"
	valid "$T/trace"
	target_ends
}

@test "a target that is stopped while it is recorded" {
	start hello -rate 500 -d 5s
	attach
	kill -STOP "$target"
	sleep 1.5
	detach
	kill -CONT "$target"
	valid "$T/trace"
	target_ends
}

@test "kill -9 of gotrace: the target goes on, the file is valid up to the last cut, no probe stays" {
	start http -n 4 -d 8s
	attach
	sleep 3
	kill -KILL "$tracer"
	wait "$tracer" || true
	tracer=
	nothing_left
	valid "$T/trace"
	at_least "nanoseconds in the file" "$(counts "$T/trace" .duration_ns)" 1000000000
	target_ends
}

@test "Ctrl-C twice: gotrace ends at once and leaves nothing" {
	start http -n 4 -d 6s
	attach
	kill -INT "$tracer"
	kill -INT "$tracer"
	local rc=0
	timeout 10 tail --pid="$tracer" -f /dev/null
	wait "$tracer" || rc=$?
	tracer=
	echo "status $rc"
	[ "$rc" = 0 ] || [ "$rc" = 1 ] || [ "$rc" = 130 ]
	nothing_left
	target_ends
}

@test "a full disk: exit 1, says so, the target is fine" {
	mounted=$T/small
	mkdir "$mounted"
	mount -t tmpfs -o size=1m tmpfs "$mounted" || { mounted=; skip "cannot mount a tmpfs"; }
	start http -n 8 -d 6s
	run -1 timeout 30 "$GOTRACE" record -p "$target" -d 3s -o "$mounted/trace"
	[[ $output == *"No space left"* ]]
	nothing_left
	target_ends
}

@test "stdout that nobody reads any more: exit 1, no signal, the target is fine" {
	start http -n 4 -d 5s
	{
		local rc=0
		timeout 30 "$GOTRACE" record -p "$target" -d 2s -o - 2>"$T/err" || rc=$?
		echo "$rc" >"$T/rc"
	} | head -c 10 >/dev/null
	cat "$T/err"
	equal status "$(cat "$T/rc")" 1
	grep -q '^gotrace: ' "$T/err"
	nothing_left
	target_ends
}

@test "an output that cannot be opened: exit 1, one sentence, before the target is touched" {
	start idle -d 3s
	run -1 "$GOTRACE" record -p "$target" -d 1s -o "$T/no/such/dir/trace"
	one_sentence
	run -1 "$GOTRACE" record -p "$target" -d 1s -o "$T"
	one_sentence
	target_ends
}

@test "a symlink in a world-writable directory is not followed" {
	litter=$(mktemp -d /tmp/gotrace-open.XXXXXX)
	chmod 1777 "$litter"
	ln -s "$T/elsewhere" "$litter/trace"
	start idle -d 4s
	run -1 "$GOTRACE" record -p "$target" -d 500ms -o "$litter/trace"
	one_sentence
	[ ! -e "$T/elsewhere" ]
	echo kept >"$T/elsewhere"
	run -1 "$GOTRACE" record -p "$target" -d 500ms -o "$litter/trace"
	equal "the file behind the link" "$(cat "$T/elsewhere")" kept
	target_ends
}

@test "without privileges: one sentence that says what is needed" {
	command -v setpriv >/dev/null || skip "setpriv is missing"
	litter=$(mktemp -d /tmp/gotrace-nobody.XXXXXX)
	chmod 755 "$litter"
	cp "$GOTRACE" "$litter/gotrace"
	start idle -d 4s
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$litter/gotrace" record -p "$target" -d 500ms -o /dev/null
	[ "$status" = 1 ] || [ "$status" = 2 ]
	one_sentence
	[[ $output =~ [Pp]ermi|root|privilege|CAP_|capabilit ]]
	target_ends
}

@test "attach and detach again and again under HTTP load: no failed request, no descriptor, no probe" {
	local cycles=${GOTRACE_CYCLES:-20} i before
	start http -n 8 -d "$((cycles + 10))s"
	sleep 0.5
	before=$(open_files "$target")
	for ((i = 1; i <= cycles; i++)); do
		run "$GOTRACE" record -p "$target" -d 200ms -o "$T/trace.$((i % 5))"
		[ "$status" = 0 ] || [ "$status" = 3 ] || { echo "cycle $i: $status $output"; return 1; }
	done
	at_least "descriptors before, and some to spare," "$((before + 4))" "$(open_files "$target")"
	nothing_left
	for i in 0 1 2 3 4; do valid "$T/trace.$i"; done
	target_ends
	equal failed "$(truth "$T/out" http.failed)" 0
}

@test "attach and detach again and again while goroutines are made as fast as they can be" {
	local cycles=${GOTRACE_CYCLES:-10} i
	start mandel-px -n 64 -d "$((cycles + 8))s"
	for ((i = 1; i <= cycles; i++)); do
		run "$GOTRACE" record -p "$target" -d 100ms -o "$T/trace"
		[ "$status" = 0 ] || [ "$status" = 3 ] || { echo "cycle $i: $status $output"; return 1; }
		valid "$T/trace"
	done
	nothing_left
	target_ends
	equal "rest" "$(($(truth "$T/out" mandel-px.inside) % $(truth "$T/out" mandel-px.pictures)))" 0
}
