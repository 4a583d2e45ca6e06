# gotrace cut: a part of a trace is a trace of its own.
load ../helpers

setup() { need_binary; }

# What goroutines, Ps, tasks, regions did from that time on: neither statuses nor what cut declares.
deeds() { # FILE RANGE [FROM_NS]
	"$GOTRACE" dump --json -r "$2" "$1" | jq -c --argjson from "${3:-0}" 'select(.time_ns >= $from) | del(.seq) |
		if .event == "UserTaskEnd" then del(.name, .parent) else . end |
		select(.event | test("Sync|Status|Active|STWEnd|ProcsChange|Heap|AssistBegin|SweepBegin|GCBegin") | not)'
}
start_of() { "$GOTRACE" dump --json -n 1 "$1" | jq .time_ns; }

ranges='0~ 0~100ms 50ms~51ms 123456789ns~234567891ns 300ms~ ~1ms 599ms~'

@test "every part is valid for the foreign judges" {
	i=0
	for f in "$user" "$timers"; do
		for r in $ranges; do
			"$GOTRACE" cut -r "$r" "$f" "$T/cut$((i += 1)).trace"
		done
	done
	valid_all "$T"/cut*.trace
}

valid_all() {
	why=$(have_judges) || skip "$why"
	judge "$@" >"$T/judge" || { grep -v 'valid=true\|: ok\|violations 0;' "$T/judge"; return 1; }
}

@test "what happens in a part is what happened in the whole, at the same times" {
	need_jq
	for f in "$user" "$timers"; do
		start=$(start_of "$f")
		for r in 0~ 0~100ms 50000us~51ms 123456789ns~234567891ns 300000000ns~; do
			from=${r%%~*}
			case $from in *us) from=$((${from%us} * 1000)) ;; *ns) from=${from%ns} ;; esac
			"$GOTRACE" cut -r "$r" "$f" "$T/cut.trace"
			deeds "$f" "$r" >"$T/whole"
			deeds "$T/cut.trace" 0~ $((start + from)) >"$T/part"
			[ -s "$T/whole" ]
			cmp "$T/whole" "$T/part" || { echo "$f $r"; diff "$T/whole" "$T/part" | head -4; return 1; }
		done
	done
}

@test "every valid file of the corpus, cut at each of its events, can be read again" {
	need_jq
	n=0
	while IFS=$'\t' read -r f verdict _; do
		[ "$verdict" = ok ] && [ "$(stat -c %s "$corpus/$f")" -lt 3000 ] || continue
		start=$(start_of "$corpus/$f")
		for t in $("$GOTRACE" dump --json -n 8 "$corpus/$f" | jq .time_ns); do
			"$GOTRACE" cut -r $((t - start))ns~ "$corpus/$f" "$T/cut.trace" 2>"$T/err" || {
				grep -q 'no event in this range' "$T/err" && continue
				cat "$T/err"
				return 1
			}
			"$GOTRACE" dump --count "$T/cut.trace" >/dev/null
			n=$((n + 1))
		done
	done <"$corpus/EXPECTED.tsv"
	at_least cuts "$n" 300
}

@test "goroutines that wait at the cut have their last stack as status" {
	need_jq
	"$GOTRACE" cut -r 300ms~ "$timers" "$T/cut.trace"
	at_least "stacks" "$("$GOTRACE" dump --json "$T/cut.trace" | jq -s '[.[] | select(.event == "GoStatusStack" and (.stack | length) > 0)] | length')" 1
}

@test "the header is 1.22 for 1.22 and 1.23 for later ones" {
	"$GOTRACE" cut -r 100ms~200ms "$user" "$T/a"
	"$GOTRACE" cut -r 100ms~200ms "$timers" "$T/b"
	equal header "$(head -c 13 "$T/a")" "go 1.22 trace"
	equal header "$(head -c 13 "$T/b")" "go 1.23 trace"
}

@test "the recording's metadata and wait objects stay, the clock is kept" {
	"$GOTRACE" cut -r 100ms~200ms "$user" "$T/a"
	run -0 "$GOTRACE" info "$T/a"
	for word in "cut  *from 0.100000000 to 0.200000000 s" "go_version  *go1.22" "wait_objects"; do
		grep -q "$word" <<<"$output" || { echo "no $word in:"; echo "$output"; return 1; }
	done
	"$GOTRACE" cut -r 100ms~200ms "$timers" "$T/b"
	run -0 "$GOTRACE" info "$T/b"
	[[ $output == *clock* ]]
}

@test "from a pipe and into a pipe: the same bytes" {
	"$GOTRACE" cut -r 100ms~200ms "$timers" "$T/a"
	cat "$timers" | "$GOTRACE" cut -r 100ms~200ms - - | cat >"$T/b"
	cmp "$T/a" "$T/b"
}

@test "an empty range: exit 1, how long the trace is, and no file" {
	run -1 "$GOTRACE" cut -r 10s~11s "$user" "$T/cut.trace"
	one_sentence
	[[ $output == *"0.6"*"s long"* ]]
	[ ! -e "$T/cut.trace" ]
}

@test "the trace is not written over itself" {
	cp "$user" "$T/in"
	ln "$T/in" "$T/hard"
	ln -s in "$T/soft"
	for out in in hard soft; do
		run -1 "$GOTRACE" cut -r 0~ "$T/in" "$T/$out"
		one_sentence
	done
	cmp "$user" "$T/in"
}

@test "a link in a directory that everybody may write to is not followed" {
	mkdir "$T/public"
	chmod 1777 "$T/public"
	echo precious >"$T/file"
	ln -s "$T/file" "$T/public/link"
	run -1 "$GOTRACE" cut -r 0~ "$user" "$T/public/link"
	one_sentence
	equal file "$(cat "$T/file")" precious
}

@test "a full disk: exit 1, one sentence" {
	[ -w /dev/full ] || skip "no /dev/full"
	run -1 "$GOTRACE" cut -r 0~ "$user" /dev/full
	one_sentence
	[[ $output == *"No space left"* ]]
}

@test "a damaged trace: what could be read is cut, where it was damaged is said, exit 1" {
	head -c 50000 "$user" >"$T/short"
	run -1 "$GOTRACE" cut -r 100ms~ "$T/short" "$T/cut.trace"
	one_sentence
	[[ $output == "gotrace: $T/short: offset 0x"* ]]
	if [ -e "$T/cut.trace" ]; then "$GOTRACE" dump --count "$T/cut.trace"; fi
}

@test "misuse: exit 1, nothing on stdout" {
	for args in "" "$user" "-r 0~ $user" "$user $T/o" "-r 1s~1s $user $T/o" "-r 0~ a b c"; do
		run -1 --separate-stderr "$GOTRACE" cut $args
		[ -z "$output" ]
		[[ $stderr == gotrace* ]]
	done
	[ ! -e "$T/o" ]
}
