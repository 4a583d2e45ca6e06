# A subset of scripts/matrix: every kind of runtime that gotrace has a case for. The whole of it: make matrix.
load ../helpers

setup() {
	need_live
	local why
	why=$(have_judges) || skip "$why"
}

teardown() { clean_up; }

# there VERSION: can its toolchain be had (module cache or proxy)?
there() { GOTOOLCHAIN=go$1 timeout 120 go version >/dev/null 2>&1 || skip "Go $1 cannot be had (no network and not in the module cache)"; }

traced() { # VERSION VARIANTS WORKLOADS
	there "$1"
	run "$BATS_TEST_DIRNAME/../../scripts/matrix" -t 1 -v "$1" -k "$2" -w "$3"
	echo "$output"
	[ "$status" = 0 ]
}

@test "Go 1.18 is traced" { traced 1.18.10 default mix; }
@test "Go 1.21 is traced" { traced 1.21.13 default,stripped mix; }
@test "Go 1.22 is traced" { traced 1.22.12 default,stripped mix; }
@test "Go 1.23 is traced, also PIE with cgo" { traced 1.23.12 default,pie mix; }
@test "Go 1.25 is traced" { traced 1.25.14 default mix; }
@test "Go 1.27 is traced, also PIE with cgo" { traced 1.27.4 default,pie mix; }
@test "this machine's Go is traced in every link mode" {
	run "$BATS_TEST_DIRNAME/../../scripts/matrix" -t 1 -v local -k default,stripped,pie,cgo -w mix,cgo
	echo "$output"
	[ "$status" = 0 ]
}

@test "a generic method of Go 1.27 has its whole name" {
	there 1.27.4
	"$BATS_TEST_DIRNAME/../../scripts/build-workloads" -v default "$GOTRACE_WORK" 1.27.4
	program() { echo "$GOTRACE_WORK/$1-1.27.4-default"; }
	whole generic -rate 500 -d 1s
	valid "$T/trace"
	equal goroutines "$(group "$T/trace" 'work.(*box[...]).keep[...]')" "$(truth "$T/out" generic.created)"
}

@test "the header is 1.22 for a Go before 1.23 and 1.23 from then on" {
	local v header
	for v in 1.18.10:1.22 1.22.12:1.22 local:1.23; do
		header=${v#*:} v=${v%:*}
		[ "$v" = local ] || there "$v"
		"$BATS_TEST_DIRNAME/../../scripts/build-workloads" -v default "$GOTRACE_WORK" "$v"
		"$GOTRACE_WORK/demo-$v-default" -w hello -rate 100 -d 2s >"$T/out" 3>&- &
		target=$!
		wait_for "$T/out" ready
		run -0 "$GOTRACE" record -p "$target" -d 300ms -o "$T/trace"
		equal "$v" "$(head -c 14 "$T/trace" | tr -d '\0')" "go $header trace"
		wait "$target"
		target=
	done
}
