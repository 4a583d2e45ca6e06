# gotrace report against Go's own code, cell by cell, on traces of this machine by both tracers.
load ../helpers

setup() { need_live; }

@test "every number of a report is that of go tool trace" {
	"$BATS_TEST_DIRNAME/../../scripts/report-truth" -s -q >"$T/truth" 2>&1 || {
		head -c 4000 "$T/truth"
		tail -1 "$T/truth"
		return 1
	}
	[[ $(tail -1 "$T/truth") =~ ^([0-9]+)\ passed,\ 0\ failed ]]
	[ "${BASH_REMATCH[1]}" -gt 170 ] # the corpus among them
}
