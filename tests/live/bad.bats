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

@test "a kernel thread: exit 2, one sentence" {
	grep -q '^Kthread:.*1' /proc/2/status 2>/dev/null || [ ! -s /proc/2/cmdline ] || skip "process 2 is no kernel thread"
	[ -d /proc/2 ] || skip "no process 2 here"
	run -2 "$GOTRACE" record -p 2 -d 1s -o "$T/trace"
	one_sentence
	[[ $output == *"kernel thread"* ]]
}

@test "a thread's id means its process" {
	start hello -rate 500 -d 4s
	local tid
	tid=$(ls "/proc/$target/task" | sort -n | tail -1)
	run -0 "$GOTRACE" record -p "$tid" -d 500ms -o "$T/%p"
	valid "$T/$target"
	target_ends
}

@test "a program of another architecture is refused: exit 2, one sentence" {
	cp "$(program demo)" "$T/foreign"
	printf '\267\0' | dd of="$T/foreign" bs=1 seek=18 conv=notrunc status=none # e_machine: EM_AARCH64
	run -2 "$GOTRACE" plan "$T/foreign"
	one_sentence
	[[ $output == *arm64* ]]
	printf '\001' | dd of="$T/foreign" bs=1 seek=4 conv=notrunc status=none # EI_CLASS: 32-bit
	printf '\003\0' | dd of="$T/foreign" bs=1 seek=18 conv=notrunc status=none # EM_386
	run -2 "$GOTRACE" plan "$T/foreign"
	one_sentence
}

@test "a program that is refused at launch is not run: exit 2" {
	run -2 "$GOTRACE" record -o "$T/trace" -- /bin/sh -c "touch $T/ran"
	[[ $output == *"not a Go program"* ]]
	[ ! -e "$T/ran" ]
	[ ! -e "$T/trace" ]
	run -1 "$GOTRACE" record -o "$T/trace" -- "$T/nothing"
	one_sentence
	[[ $output == *"No such file"* ]]
}

@test "a program whose output cannot be opened is not run: exit 1" {
	run -1 "$GOTRACE" record -o "$T/no/such/dir/trace" -- "$(program demo)" -w hello -d 100ms
	[[ $output != *ready* ]]
	[[ $output == *"No such file"* ]]
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
		rm -f "$T/out" # an old "ready" is not its
		"$(program demo)" -w hello -d ${ms}ms >"$T/out" 2>&1 3>&- &
		target=$!
		wait_for "$T/out" ready
		rm -f "$T/trace"
		run timeout 20 "$GOTRACE" record -p "$target" -o "$T/trace"
		echo "$ms ms: $status $output"
		if [ "$status" = 0 ]; then
			valid "$T/trace"
		else
			[ "$status" = 1 ] || [ "$status" = 2 ] # a zombie is refused
			one_sentence
			[[ $output == *"no process"* || $output == *ended* ]]
		fi
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
	part 1s fork -d 3s
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

@test "kill -9 of gotrace while nothing happens: the file holds the time up to a second or two before" {
	start idle -d 12s
	attach
	sleep 4
	kill -KILL "$tracer"
	wait "$tracer" || true
	tracer=
	valid "$T/trace"
	at_least "nanoseconds in the file" "$(counts "$T/trace" .duration_ns)" 2000000000
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

small_disk() { # SIZE
	mounted=$T/small
	mkdir "$mounted"
	mount -t tmpfs -o "size=$1" tmpfs "$mounted" || { mounted=; skip "cannot mount a tmpfs"; }
}

@test "a full disk: exit 1, says so, what could be written is valid, the target is fine" {
	small_disk 8m
	start http -n 8 -d 20s
	run -1 timeout 60 "$GOTRACE" record -p "$target" --sweep -o "$mounted/trace"
	one_sentence
	[[ $output == *"No space left"* ]]
	valid "$mounted/trace"
	nothing_left
	target_ends
}

@test "a disk that is full from the start: exit 1, and no half a trace" {
	small_disk 64k
	start http -n 8 -d 6s
	run -1 timeout 30 "$GOTRACE" record -p "$target" -d 3s -o "$mounted/trace"
	one_sentence
	[[ $output == *"No space left"* ]]
	[ ! -s "$mounted/trace" ] || valid "$mounted/trace"
	target_ends
}

@test "a full disk under the spool: exit 1, says which file, the trace is whole, the spool replays" {
	small_disk 1m
	start http -n 8 -d 12s
	run -1 timeout 30 "$GOTRACE" record -p "$target" -d 10s --spool "$mounted/spool" -o "$T/trace"
	one_sentence
	[[ $output == *"$mounted/spool"* ]]
	valid "$T/trace"
	run -1 "$GOTRACE" replay "$mounted/spool" -o "$T/again"
	one_sentence
	[[ $output == *"$mounted/spool"*cut* ]]
	valid "$T/again"
	nothing_left
	target_ends
}

@test "a ring that overflows: exit 3, the loss is told and at its place, the trace is valid" {
	local lost
	start mandel-px -n 64 -d 6s
	run -3 "$GOTRACE" record -p "$target" -d 1s --ring 16kb -o "$T/trace" --spool "$T/spool"
	[[ $output == *"lost "* && $output == *--ring* ]]
	lost=$(said lost <(echo "$output"))
	at_least lost "$lost" 1
	valid "$T/trace"
	run -0 "$GOTRACE" info "$T/trace"
	echo "$output"
	equal "lost, says info" "$(awk '$1 == "lost" { print $2 }' <<<"$output")" "$lost"
	grep -qE '^loss +[0-9]+ records from [0-9]+ to [0-9]+ ns' <<<"$output"
	at_least "lines allowed for info" 60 "${#lines[@]}"
	run -3 "$GOTRACE" replay "$T/spool" -o "$T/again"
	valid "$T/again"
	target_ends
}

@test "a standard output that is closed or a terminal takes no trace: exit 1, one sentence" {
	start idle -d 6s
	run -1 bash -c '"$0" record -p "$1" -d 300ms -o - 2>&1 >&-' "$GOTRACE" "$target"
	one_sentence
	[[ $output == *closed* ]]
	command -v script >/dev/null || skip "script (util-linux) is missing"
	run -1 script -qec "$GOTRACE record -p $target -d 300ms -o -" /dev/null
	[[ $output == *terminal* ]]
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
	equal sentences "$(grep -c '^gotrace: ' "$T/err")" 1
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
	start mandel-px -n 64 -d "$((cycles * 2 + 10))s"
	for ((i = 1; i <= cycles; i++)); do
		run "$GOTRACE" record -p "$target" -d 100ms -o "$T/trace.$((i % 10))"
		[ "$status" = 0 ] || [ "$status" = 3 ] || { echo "cycle $i: $status $output"; return 1; }
	done
	nothing_left
	for i in "$T"/trace.*; do valid "$i"; done
	target_ends
	equal "rest" "$(($(truth "$T/out" mandel-px.inside) % $(truth "$T/out" mandel-px.pictures)))" 0
}
