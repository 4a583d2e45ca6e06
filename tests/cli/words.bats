# Words and exit codes that need neither root nor a running program.
load ../helpers

setup_file() { build_local; }
setup() { need_binary; }

need_program() {
	[ -x "$(program "$1")" ] || skip "$(program "$1") is missing: Go is needed to build the workloads"
}

@test "no argument at all: exit 1 and a hint on stderr" {
	run -1 --separate-stderr "$GOTRACE"
	[ -z "$output" ]
	[[ $stderr == *--help* || $stderr == *[Uu]sage* ]]
}

@test "--help goes to stdout, names the verbs and exits 0" {
	run -0 --separate-stderr "$GOTRACE" --help
	[ -z "$stderr" ]
	for verb in record replay info dump cut check plan; do
		[[ $output == *"$verb"* ]] || { echo "no $verb"; return 1; }
	done
}

@test "record --help names every option that issue 3 promises" {
	run -0 "$GOTRACE" record --help
	for option in --duration --output --syscalls --cpu-samples --spool --format -p -d -o; do
		[[ $output == *"$option"* ]] || { echo "no $option"; return 1; }
	done
}

@test "help fits in 100 columns" {
	for verb in "" record replay info dump cut check plan; do
		run -0 "$GOTRACE" $verb --help
		for line in "${lines[@]}"; do
			[ "${#line}" -le 100 ] || { echo "$verb: $line"; return 1; }
		done
	done
}

@test "--version prints one line with the name and exits 0" {
	run -0 "$GOTRACE" --version
	equal lines "${#lines[@]}" 1
	[[ $output == gotrace* ]]
}

@test "an unknown verb or option: exit 1, named on stderr, stdout empty" {
	run -1 --separate-stderr "$GOTRACE" frobnicate
	[ -z "$output" ]
	[[ $stderr == *frobnicate* ]]
	run -1 --separate-stderr "$GOTRACE" record --frobnicate
	[ -z "$output" ]
	[[ $stderr == *frobnicate* ]]
}

@test "record without a target: exit 1" {
	run -1 "$GOTRACE" record -o "$T/trace"
	[ ! -e "$T/trace" ]
}

@test "record with a PID and a command: exit 1" {
	run -1 "$GOTRACE" record -p 1 -o "$T/trace" -- /bin/true
	[ ! -e "$T/trace" ]
}

@test "values that are none: exit 1 and the value is named" {
	run -1 "$GOTRACE" record -p notapid -o "$T/trace"
	[[ $output == *notapid* ]]
	run -1 "$GOTRACE" record -p 1 -d fortnight -o "$T/trace"
	[[ $output == *fortnight* ]]
	run -1 "$GOTRACE" record -p 1 --cpu-samples=lots -o "$T/trace"
	[[ $output == *lots* ]]
	run -1 "$GOTRACE" record -p 1 --cpu-samples=99x -o "$T/trace"
	[[ $output == *99x* ]]
	run -1 "$GOTRACE" record -p 1 --syscalls=perhaps -o "$T/trace"
	[[ $output == *perhaps* ]]
	run -1 "$GOTRACE" record -p -4 -o "$T/trace"
	run -1 "$GOTRACE" record -p 0 -o "$T/trace"
	[ ! -e "$T/trace" ]
}

@test "plan of a Go binary lists its sites with event and function" {
	need_program demo
	run -0 --separate-stderr "$GOTRACE" plan "$(program demo)"
	for word in GoBlock GoCreate GoStart runtime.; do
		[[ $output == *"$word"* ]] || { echo "no $word"; return 1; }
	done
	at_least sites "${#lines[@]}" 20
}

@test "plan never chooses an instruction that the kernel would single-step" {
	need_program demo
	run -0 --separate-stderr "$GOTRACE" plan "$(program demo)"
	[[ $output != *stepped* ]]
}

@test "plan of something that is not a Go binary: exit 2, one sentence" {
	run -2 "$GOTRACE" plan /bin/true
	one_sentence
	run -2 "$GOTRACE" plan "$BATS_TEST_FILENAME"
	one_sentence
}

@test "plan of a file that does not exist: exit 1, one sentence" {
	run -1 "$GOTRACE" plan "$T/nothing"
	one_sentence
	[[ $output == *"No such file"* ]]
}

@test "plan takes one program: exit 1 with two, or with none" {
	run -1 "$GOTRACE" plan /bin/true /bin/false
	one_sentence_of plan
	run -1 "$GOTRACE" plan
	one_sentence_of plan
	run -1 "$GOTRACE" plan -p 1 /bin/true
	one_sentence_of plan
}
one_sentence_of() { equal lines "${#lines[@]}" 1 && [[ ${lines[0]} == "gotrace $1: "* ]]; }

@test "info of something that is not a trace: exit 1, one sentence" {
	run -1 "$GOTRACE" info "$BATS_TEST_FILENAME"
	one_sentence
	run -1 "$GOTRACE" info /dev/null
	one_sentence
	run -1 "$GOTRACE" info "$T/nothing"
	one_sentence
	[[ $output == *"No such file"* ]]
}

@test "info of a trace that Go itself wrote says that it has no metadata" {
	need_program selftrace
	SELFTRACE=$T/go "$(program selftrace)" -w hello -rate 100 -d 2s >"$T/out" 3>&- &
	target=$!
	wait_for "$T/out" ready
	kill -USR1 "$target"
	wait_for "$T/out" '^trace on'
	kill -USR1 "$target"
	wait_for "$T/out" '^trace off'
	wait "$target"
	run "$GOTRACE" info "$T/go.1"
	echo "$output"
	[ "$status" -le 1 ]
	[ "${#lines[@]}" -ge 1 ]
}

@test "replay of something that is not a spool: exit 1, one sentence, no output" {
	run -1 "$GOTRACE" replay "$BATS_TEST_FILENAME" -o "$T/trace"
	one_sentence
	[ ! -e "$T/trace" ]
	run -1 "$GOTRACE" replay "$T/nothing" -o "$T/trace"
	one_sentence
}

@test "check tells what this machine allows without touching a program" {
	run "$GOTRACE" check
	[ "$status" -le 1 ]
	at_least lines "${#lines[@]}" 5
}

@test "replay and info of garbage: exit 1, one sentence" {
	local n f
	: >"$T/empty"
	head -c 100000 /dev/urandom >"$T/random"
	printf 'go 1.11 trace\0\0\0garbage' >"$T/old"
	for f in "$T/empty" "$T/random" "$T/old" "$T"; do
		for verb in info replay; do
			run -1 "$GOTRACE" "$verb" "$f"
			one_sentence
		done
	done
	for n in 1 2 3 4 5; do # a right header, then anything
		{ printf 'go 1.23 trace\0\0\0'; head -c 5000 /dev/urandom; } >"$T/half"
		run "$GOTRACE" info "$T/half"
		[ "$status" -le 1 ]
	done
}

@test "a stdout that is closed is an error, not silence" {
	run -1 bash -c '"$0" --help 2>&1 >&-' "$GOTRACE"
	one_sentence
}

@test "stdout that is full is an error, not silence" {
	[ -w /dev/full ] || skip "no /dev/full"
	run -1 bash -c '"$0" --help >/dev/full' "$GOTRACE"
}

@test "plan: a function table made to be slow or large is refused in seconds" {
	for kind in names overlap still steps; do
		"$BATS_TEST_DIRNAME/../fuzz/hostile-image" "$kind" "$T/program"
		run -2 --separate-stderr timeout 4 "$GOTRACE" plan "$T/program"
		[[ $stderr == "gotrace: "* ]] || { echo "$kind: $stderr"; return 1; }
	done
}
