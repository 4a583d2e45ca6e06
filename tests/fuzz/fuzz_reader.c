/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_reader.c - any bytes as a trace file: read to some end, with a sentence when it is a bad one. */
#include "fuzz.h"

#include "read/reader.h"

static void look_at(const struct trace_reader *r, const struct event *ev)
{
	const uint32_t stacks[] = {ev->stack, ev->start_stack};

	touch(ev->name.s, ev->name.n);
	if (ev->type == EV_LOG)
		touch(ev->text.s, ev->text.n);
	for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		unsigned n = 0;
		const struct frame *f = trace_reader_frames(r, stacks[i], &n);

		for (unsigned k = 0; k < n; k++) {
			touch(f[k].func, strlen(f[k].func));
			touch(f[k].file, strlen(f[k].file));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct trace_reader *r;
	const struct event *ev;
	struct why why = {""};
	int got;

	if (trace_reader_open(file_of(data, n), &r, &why)) {
		CHECK(why.text[0]);
		return 0;
	}
	while ((got = trace_reader_next(r, &ev)) > 0)
		look_at(r, ev);
	CHECK(got == 0 || trace_reader_error(r)[0]);
	CHECK(trace_reader_next(r, &ev) == got);
	CHECK(trace_reader_offset(r) <= n);
	trace_reader_clock(r);
	trace_reader_close(r);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	return mutate_batches(data, n, max, seed);
}
