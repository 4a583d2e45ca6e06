/* SPDX-License-Identifier: Apache-2.0 */
/* test_summary_text.c - the screen after a recording fits, whatever the target is called and did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "order_rig.h"
#include "render/summary_text.h"

enum { LONG_NAME = 3000, FUNCTIONS = 200 };

static char *long_name(int i)
{
	char *name = xcalloc(1, LONG_NAME + 16);

	memset(name, 'x', LONG_NAME);
	memcpy(name, "example.com/\x1b[31m", 17);
	snprintf(name + LONG_NAME, 16, ".f%d", i);
	return name;
}

static char *text_of(const struct summary *s, const struct summary_text_info *info)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	summary_text(f, s, info);
	fclose(f);
	return text;
}

static void check_size(const char *text)
{
	size_t lines = 0;

	for (const char *p = text; *p; lines++) {
		size_t n = strcspn(p, "\n");

		if (n > 100)
			fail_msg("%zu columns: %.*s", n, (int)n, p);
		p += n + (p[n] == '\n');
	}
	assert_in_range(lines, 1, 40);
}

/* A century of everything. */
static void fill(struct summary *s)
{
	const uint64_t much = 3000000000000000000u;

	for (int i = 0; i < FUNCTIONS; i++)
		*vec_push(&s->groups) = (struct summary_group){
			.name = long_name(i), .count = 9999999, .running_ns = 99949000000, .runnable_ns = 999500000,
			.blocked_ns = 99949000000, .blocked_by_ns = {[1] = 99949000000}, .syscall_ns = 999500,
		};
	s->reasons[0] = xstrdup("");
	s->reasons[1] = xstrdup("wait for debug call, or something that a later Go says");
	s->n_reasons = 2;
	for (unsigned i = 0; i < SUMMARY_WORST; i++)
		s->worst[i] = (struct summary_wait){.begin_ns = much, .ns = 99999, .goid = 99999999, .group = i};
	s->waits = 1;
	s->wait_buckets[40] = 1;
	s->procs = 1024;
	s->threads = 10000;
	s->gc_cycles = 999999;
	s->gc_mark_ns = s->assist_ns = 999500000;
	s->heap_peak_bytes = s->goal_last_bytes = 99999000000;
	*vec_push(&s->stw) = (struct summary_stw){.kind = long_name(0), .count = 9999999, .total_ns = 999500000,
		.max_ns = 999500000};
}

static void long_names_and_large_numbers_fit_the_screen(void **state)
{
	struct rig_symbols symbols;

	rig_symbols_init(&symbols);
	struct stacks *stacks = stacks_new(&symbols.symbols);
	struct summary *s = summary_new(stacks);
	struct order_counts counts = {.events = 99999999999, .repairs = 99999999, .dropped = 99999999,
		.records = 99999999999};
	char *name = long_name(0);
	struct summary_text_info info = {
		.command = name, .go_version = name, .output = "-", .pid = 4194304, .bytes = 999999999999,
		.duration_ns = 9999999000000000, .target_cpu_ns = 9999999000000000, .traps = 99999999999, .trap_ns = 9999,
		.attach_ns = 999500000, .detach_ns = 999500000, .first_record_ns = 999500000, .lost = 99999999999,
		.unread_stacks = 99999999, .bad_reads = 99999999, .target_execed = true, .counts = &counts,
	};

	fill(s);
	char *text = text_of(s, &info);

	check_size(text);
	assert_null(strchr(text, '\x1b')); /* nothing of the target steers the terminal */
	free(text);
	free(name);
	summary_free(s);
	stacks_free(stacks);
}

static void nothing_recorded_is_told_without_nonsense(void **state)
{
	struct rig_symbols symbols;

	rig_symbols_init(&symbols);
	struct stacks *stacks = stacks_new(&symbols.symbols);
	struct summary *s = summary_new(stacks);
	struct order_counts counts = {0};
	struct summary_text_info info = {.command = "app", .go_version = "go1.26", .output = "t", .pid = 1,
		.counts = &counts};

	summary_finish(s);
	char *text = text_of(s, &info);

	check_size(text);
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	assert_non_null(strstr(text, "go tool trace t"));
	free(text);
	summary_free(s);
	stacks_free(stacks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_names_and_large_numbers_fit_the_screen),
		cmocka_unit_test(nothing_recorded_is_told_without_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
