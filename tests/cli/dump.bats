# gotrace dump: events of any trace as text, JSON lines, or their number.
load ../helpers

setup() { need_binary; }

@test "text: a heading, then one aligned line per event" {
	run -0 --separate-stderr "$GOTRACE" dump "$user"
	[ -z "$stderr" ]
	equal "lines" "${#lines[@]}" "$(($("$GOTRACE" dump --json "$user" | wc -l) + 1))"
	[[ ${lines[0]} == *TIME*M*P*G*EVENT* ]]
	[[ ${lines[1]} == "   0.000000000         -    -        -  Sync "* ]]
}

@test "JSON: every line is an object that begins with time_ns, m, p, g, event; times increase" {
	need_jq
	for f in "$user" "$timers"; do
		"$GOTRACE" dump --json "$f" >"$T/out"
		run -0 jq -rs '[.[] | keys_unsorted[:5] | join(",")] | unique[]' "$T/out"
		equal "first keys" "$output" time_ns,m,p,g,event
		equal "times in order" "$(jq -s '[.[].time_ns] | . == (sort | unique)' "$T/out")" true
	done
}

@test "a stack is an array of function, file and line, an absent one is empty" {
	need_jq
	"$GOTRACE" dump --json "$user" >"$T/out"
	equal "keys" "$(jq -rs '[.[] | select(.stack) | .stack[] | keys_unsorted | join(",")] | unique[]' "$T/out")" function,file,line
	at_least "blocks with a stack" "$(jq -s '[.[] | select(.event == "GoBlock" and (.stack | length) > 0)] | length' "$T/out")" 500
	equal "kinds of stack" "$(jq -rs '[.[] | select(has("stack")) | .stack | type] | unique[]' "$T/out")" array
}

@test "--count is a number and nothing else, as many as Go's reader counts" {
	run -0 --separate-stderr "$GOTRACE" dump --count "$user"
	[ -z "$stderr" ]
	[[ $output =~ ^[0-9]+$ ]]
	why=$(have_judges) || skip "$why"
	# tracecheck also counts the syncs
	tracecheck "$user" >"$T/judge" || true
	wanted=$(sed -nE '1s/.* ([0-9]+) events, ([0-9]+) syncs.*/\1 \2/p' "$T/judge")
	equal events "$output" "$((${wanted% *} - ${wanted#* }))"
}

@test "-r, -g and -n choose, and together" {
	need_jq
	"$GOTRACE" dump --json "$user" >"$T/all"
	start=$(head -1 "$T/all" | jq .time_ns)
	g=$(jq -rs '[.[] | select(.event == "GoStart") | .goroutine] | .[100]' "$T/all")
	"$GOTRACE" dump --json -r 100ms~200ms "$user" >"$T/range"
	jq -c "select(.time_ns - $start >= 100000000 and .time_ns - $start < 200000000)" "$T/all" >"$T/wanted"
	diff "$T/wanted" "$T/range"
	"$GOTRACE" dump --json -g "$g" "$user" >"$T/one"
	jq -c "select(.g == $g or .goroutine == $g)" "$T/all" >"$T/wanted"
	[ -s "$T/wanted" ]
	diff "$T/wanted" "$T/one"
	equal lines "$("$GOTRACE" dump "$user" --json -n 7 -r 100ms~ | wc -l)" 7
	equal lines "$("$GOTRACE" dump --json -n 0 "$user" | wc -l)" 0
}

@test "--stacks prints the frames below the line" {
	run -0 "$GOTRACE" dump --stacks -r 100ms~101ms "$user"
	[[ $output == *"main."*".go:"* || $output == *"work."*".go:"* ]]
}

@test "a pipe gives what the file gives" {
	"$GOTRACE" dump "$timers" >"$T/file"
	cat "$timers" | "$GOTRACE" dump - >"$T/pipe"
	cmp "$T/file" "$T/pipe"
}

@test "a reader that has enough is no failure, and nothing is said" {
	run -0 --separate-stderr bash -c 'set -o pipefail; "$1" dump --json "$2" | head -1' _ "$GOTRACE" "$timers"
	equal lines "${#lines[@]}" 1
	[ -z "$stderr" ]
}

@test "a full disk is a failure" {
	[ -w /dev/full ] || skip "no /dev/full"
	run -1 bash -c '"$1" dump "$2" >/dev/full' _ "$GOTRACE" "$timers"
	one_sentence
	[[ $output == *"No space left"* ]]
}

@test "a cut file: what could be read, then where it ends, exit 1" {
	head -c 20000 "$user" >"$T/short"
	run -1 --separate-stderr "$GOTRACE" dump --json "$T/short"
	[[ $stderr == "gotrace: $T/short: offset 0x"* ]]
	at_least lines "${#lines[@]}" 1
}

@test "no trace at all: one sentence with the place, exit 1" {
	echo "nothing of the kind" >"$T/file"
	run -1 "$GOTRACE" dump "$T/file"
	[[ $output == *"gotrace: $T/file: offset 0x0: not a Go execution trace"* ]]
	run -1 "$GOTRACE" dump "$T/missing"
	one_sentence
}

@test "bytes of the target do not steer the terminal, and JSON stays JSON" {
	need_jq
	# a region of the corpus gets a name of raw bytes
	LC_ALL=C sed 's/task/\x1b\xff\x9b"/g' "$user" >"$T/hostile"
	"$GOTRACE" dump "$T/hostile" >"$T/text" 2>/dev/null || true
	"$GOTRACE" dump --json "$T/hostile" >"$T/json" 2>/dev/null || true
	! LC_ALL=C grep -q $'[\x1b\xff\x9b]' "$T/text" "$T/json"
	iconv -f utf-8 -t utf-8 "$T/json" >/dev/null
	jq -e . "$T/json" >/dev/null
	grep -q ufffd "$T/json"
}

@test "misuse: exit 1, nothing on stdout" {
	for args in "" "a b" "-r 2s~1s $user" "-r 1s $user" "-g x $user" "--json --count $user"; do
		run -1 --separate-stderr "$GOTRACE" dump $args
		[ -z "$output" ] || { echo "$args: $output"; return 1; }
		[[ $stderr == gotrace* ]]
	done
}
