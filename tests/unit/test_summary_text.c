/* SPDX-License-Identifier: Apache-2.0 */
/* test_summary_text.c - the screen after a recording fits, whatever the target is called and did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "order_rig.h"
#include "render/report.h"
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

static char *text_of(const struct goroutines *g, const struct gc *gc,
		     const struct summary_text_info *info)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	summary_text(f, g, gc, info);
	fclose(f);
	return text;
}

static void check_size(const char *text, size_t max_lines)
{
	size_t lines = 0;

	for (const char *p = text; *p; lines++) {
		size_t n = strcspn(p, "\n");

		if (n > 100 && strncmp(p, "  next:", 7)) /* that is to be copied, and whole */
			fail_msg("%zu columns: %.*s", n, (int)n, p);
		p += n + (p[n] == '\n');
	}
	assert_in_range(lines, 1, max_lines);
}

static const struct frame *no_frames(const void *self, uint32_t stack, unsigned *n)
{
	*n = 0;
	return NULL;
}

static const struct goroutines_options options = { .stacks = { no_frames, NULL }, .worst = 5 };

/* A century of everything. */
static void fill(struct goroutines *g, struct gc *gc, char *names[FUNCTIONS])
{
	const uint64_t much = 3000000000000000000u;

	*vec_push(&g->names) = xstrdup("wait for debug call, or something that a later Go says");
	for (int i = 0; i < FUNCTIONS; i++) {
		struct go_group k = { .name = names[i] = long_name(i),
				      .count = 9999999,
				      .times = { .execution = 99949000000,
						 .sched_wait = 999500000,
						 .blocked = 99949000000,
						 .syscall = 999500 } };

		*vec_push(&k.times.by_reason) =
			(struct named_ns){ (uint32_t)g->names.n - 1, 99949000000 };
		*vec_push(&g->groups) = k;
	}
	for (unsigned i = 0; i < 5; i++)
		*vec_push(&g->worst) = (struct go_wait){ much, 99999, 99999999, i + 1 };
	latency_add(&g->waits, 999500000);
	g->causes = (struct wait_causes){ 999500000, 999500000, 999500000, 999500000 };
	g->gomaxprocs = 1024;
	g->threads = 10000;
	gc->cycles = 999999;
	gc->mark_ns = gc->assist_ns = 999500000;
	gc->heap_peak_bytes = gc->goal_last_bytes = 99999000000;
	*vec_push(&gc->stw) = (struct gc_stw){ .kind = { long_name(0), LONG_NAME },
					       .count = 9999999,
					       .total_ns = 999500000,
					       .max_ns = 999500000 };
	gc->stw_count = 9999999;
	gc->stw_ns = 999500000;
}

static void free_all(struct goroutines *g, struct gc *gc, char *names[FUNCTIONS])
{
	goroutines_free(g);
	gc_free(gc);
	for (int i = 0; i < FUNCTIONS; i++)
		free(names[i]);
}

static void long_names_and_large_numbers_fit_the_screen(void **state)
{
	char *names[FUNCTIONS];
	struct goroutines *g = goroutines_new(&options);
	struct gc *gc = gc_new(GC_UTIL_DEFAULT);
	struct order_counts counts = { .events = 99999999999,
				       .repairs = 99999999,
				       .dropped = 99999999,
				       .records = 99999999999 };
	char *name = long_name(0);
	struct summary_text_info info = {
		.command = name,
		.go_version = name,
		.output = "-",
		.pid = 4194304,
		.bytes = 999999999999,
		.duration_ns = 9999999000000000,
		.target_cpu_ns = 9999999000000000,
		.traps = 99999999999,
		.trap_ns = 9999,
		.attach_ns = 999500000,
		.detach_ns = 999500000,
		.first_record_ns = 999500000,
		.lost = 99999999999,
		.unread_stacks = 99999999,
		.bad_reads = 99999999,
		.target_execed = true,
		.counts = &counts,
	};

	fill(g, gc, names);
	char *text = text_of(g, gc, &info);

	check_size(text, 40);
	assert_null(strchr(text, '\x1b')); /* nothing of the target steers the terminal */
	free(text);
	free(name);
	free_all(g, gc, names);
}

static void nothing_recorded_is_told_without_nonsense(void **state)
{
	struct goroutines *g = goroutines_new(&options);
	struct gc *gc = gc_new(GC_UTIL_DEFAULT);
	struct order_counts counts = { 0 };
	struct summary_text_info info = {
		.command = "app", .go_version = "go1.26", .output = "t", .pid = 1, .counts = &counts
	};

	goroutines_finish(g);
	gc_finish(gc, false);
	char *text = text_of(g, gc, &info);

	check_size(text, 40);
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	assert_non_null(strstr(text, "go tool trace t"));
	free(text);
	goroutines_free(g);
	gc_free(gc);
}

static void a_report_of_the_same_has_no_line_too_long(void **state)
{
	char *names[FUNCTIONS];
	struct goroutines *g = goroutines_new(&options);
	struct gc *gc = gc_new(GC_UTIL_DEFAULT);
	struct annotations *a =
		annotations_new(&(struct annotations_options){ .stacks = options.stacks });
	struct findings findings;
	char *text = NULL;
	size_t n = 0;

	fill(g, gc, names);
	g->last_ns = 999500000;
	g->gomaxprocs = 2;
	gc_finish(gc, false);
	annotations_finish(a, false);
	findings_of(g, gc, &findings);
	assert_true(findings.list.n > 2);
	const struct report r = { .file = names[0],
				  .minor = 26,
				  .bytes = 999999999999,
				  .go_version = names[1],
				  .command = names[2],
				  .lost = 99999999999,
				  .losses = 9999999,
				  .g = g,
				  .gc = gc,
				  .annotations = a,
				  .findings = &findings };
	const struct report_options o = { .rows = 10 };
	FILE *f = open_memstream(&text, &n);

	report_text(f, &r, &o);
	fclose(f);
	check_size(text, 100);
	assert_null(strchr(text, '\x1b'));
	free(text);
	findings_free(&findings);
	annotations_free(a);
	free_all(g, gc, names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_names_and_large_numbers_fit_the_screen),
		cmocka_unit_test(nothing_recorded_is_told_without_nonsense),
		cmocka_unit_test(a_report_of_the_same_has_no_line_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
