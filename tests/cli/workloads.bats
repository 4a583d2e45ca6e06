# The programs of the tests themselves: they must not lean on what they are to test.
load ../helpers

setup_file() { build_local; }
setup() {
	command -v go >/dev/null || skip "Go is missing: the workloads cannot be built"
}
teardown() { clean_up; }

@test "demo does not contain Go's tracer, nor any annotation" {
	cd "$BATS_TEST_DIRNAME/../workloads"
	run -0 env GOFLAGS=-mod=mod go list -deps ./demo
	[[ $'\n'$output$'\n' != *$'\nruntime/trace\n'* ]]
}

@test "a mix of all workloads ends in time, with its truth" {
	start mix -d 1s
	target_ends
}

@test "demo ends with the status it was told" {
	start idle -d 10ms -exit 9
	target_ends 9
}

@test "an unknown workload: exit 2" {
	run -2 "$(program demo)" -w nonsense
}

@test "the same picture comes out however it is cut" {
	local w inside=
	for w in mandel-px mandel-row mandel-work; do
		start "$w" -n 64 -d 200ms
		target_ends
		local each=$(($(truth "$T/out" $w.inside) / $(truth "$T/out" $w.pictures)))
		equal "$w" "$each" "${inside:-$each}"
		inside=$each
	done
}
