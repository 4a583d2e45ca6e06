/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_report.c - any bytes as a trace through all analyses and everything that gotrace report prints. */
#include "fuzz.h"

#include <errno.h>
#include <limits.h>

#include "cmd/analysis.h"
#include "render/profile.h"

static void print(const struct analysis *a)
{
	const struct report r = analysis_report(a);
	const struct report_options few = {10, 0, NULL}, all = {0, 1, "waiting"};

	report_text(nowhere(), &r, &few);
	report_json(nowhere(), &r, &few);
	report_rows_text(nowhere(), &r, &all);
	report_rows_json(nowhere(), &r, &few);
	report_tasks_text(nowhere(), &r, &few);
	report_tasks_json(nowhere(), &r, &few);
	for (int kind = 0; kind < PROFILE_KINDS; kind++) {
		profile_pprof(nowhere(), &r.g->profiles[kind], &r.g->options.stacks, r.g->last_ns - r.g->first_ns,
			      r.wall_begin_ns);
		profile_folded(nowhere(), &r.g->profiles[kind], &r.g->options.stacks, FOLDED_NS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[64];
	struct why why = {""};
	CLEANUP(analysis_freep) struct analysis *a = NULL;
	/* what is asked for follows from the last byte */
	uint8_t ask = n ? data[n - 1] : 0;
	const struct analysis_options o = {
		.range = ask & 1 ? (struct time_range){5, 1000000} : TIME_RANGE_ALL,
		.goroutines = {.worst = 10, .rows = true},
		.region = ask & 2 ? "r" : NULL,
		.task = ask & 4 ? "1" : NULL,
	};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_of(data, n));
	if (analysis_of(path, &o, &a, &why)) {
		CHECK(why.text[0]);
		return 0;
	}
	print(a);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	return mutate_batches(data, n, max, seed);
}
