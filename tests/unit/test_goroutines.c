/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_goroutines.c - one goroutine's life by hand, each rule of trace-format.md §17 and §18 where
 * it shows. Whole traces are compared with Go's own functions in live/report.bats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "analyze/goroutines.h"

/* Stack k is the one frame "main.f<k>"; stack 9 is a frame of pc 0. */
static const struct frame *frames(const void *self, uint32_t stack, unsigned *n)
{
	static struct frame f[10];
	static char names[10][8];

	*n = stack && stack < 10;
	if (!*n)
		return NULL;
	snprintf(names[stack], sizeof(names[stack]), "main.f%u", stack);
	f[stack] = (struct frame){ .pc = stack == 9 ? 0 : 0x1000 * stack,
				   .func = names[stack],
				   .file = "f.go",
				   .line = 1 };
	return &f[stack];
}

static struct goroutines *begin(struct goroutines_options o)
{
	o.stacks = (struct stack_source){ frames, NULL };
	struct goroutines *g = goroutines_new(&o);

	goroutines_event(g, &(struct event){ .ts_ns = 1000,
					     .type = EV_SYNC,
					     .m = EVENT_NO_M,
					     .p = EVENT_NO_P,
					     .id = 1 });
	return g;
}

#define EVENT(ns, what, ...)                                                                       \
	goroutines_event(g, &(struct event){ .ts_ns = ns, .type = what, __VA_ARGS__ })
#define NAME(s) .name = { s, sizeof(s) - 1 }

static uint64_t named(const struct goroutines *g, const struct go_times *t, bool is_range,
		      const char *name)
{
	for (size_t i = 0; i < (is_range ? t->by_range.n : t->by_reason.n); i++) {
		const struct named_ns *x = is_range ? &t->by_range.v[i] : &t->by_reason.v[i];

		if (!strcmp(g->names.v[x->name], name))
			return x->ns;
	}
	return 0;
}

static const struct go_row *row_of(const struct goroutines *g, uint64_t id)
{
	for (size_t i = 0; i < g->rows.n; i++)
		if (g->rows.v[i].id == id)
			return &g->rows.v[i];
	return NULL;
}

static void a_life_is_divided_among_its_states(void **state)
{
	struct goroutines *g = begin((struct goroutines_options){ .worst = 3, .rows = true });

	EVENT(1010, EV_PROC_STATUS, .id = 0, .status = 1, .p = EVENT_NO_P);
	EVENT(1020, EV_GO_STATUS, .id = 1, .status = 2, .p = 0);
	EVENT(1100, EV_GO_CREATE, .id = 2, .g = 1, .start_stack = 2, .stack = 1);
	EVENT(1200, EV_GO_BLOCK, .g = 1, NAME("sleep"), .stack = 1);
	EVENT(1300, EV_GO_START, .id = 2);
	EVENT(1350, EV_GC_ASSIST_BEGIN, .g = 2);
	EVENT(1450, EV_GC_ASSIST_END, .g = 2);
	EVENT(1500, EV_GO_BLOCK, .g = 2, NAME("chan receive"), .stack = 3);
	EVENT(1900, EV_GO_UNBLOCK, .id = 2, .stack = 4);
	EVENT(2000, EV_GO_START, .id = 2);
	EVENT(2100, EV_GO_SYSCALL_BEGIN, .g = 2, .stack = 5);
	EVENT(2150, EV_PROC_STEAL, .m = 8, .id = 0, .status = 3, .p = EVENT_NO_P);
	EVENT(2500, EV_GO_SYSCALL_END_BLOCKED, .g = 2, .p = EVENT_NO_P);
	EVENT(2600, EV_GO_START, .id = 2);
	EVENT(2700, EV_GO_STOP, .g = 2, NAME("preempted"), .stack = 6);
	EVENT(2750, EV_GO_START, .id = 2);
	EVENT(2800, EV_GO_DESTROY, .g = 2);
	EVENT(3000, EV_SYNC, .m = EVENT_NO_M, .id = 2);
	goroutines_finish(g);

	const struct go_row *w = row_of(g, 2);

	assert_non_null(w);
	assert_string_equal(g->groups.v[w->group].name, "main.f2");
	assert_int_equal(w->times.execution, 200 + 100 + 100 + 50);
	assert_int_equal(w->times.sched_wait, 200 + 100 + 100 + 50);
	assert_int_equal(w->times.syscall, 50);
	assert_int_equal(w->times.syscall_block, 350);
	assert_int_equal(named(g, &w->times, false, "chan receive"), 400);
	assert_int_equal(named(g, &w->times, true, "GC mark assist"), 100);
	assert_int_equal(w->times.total, 1700);
	assert_int_equal(w->times.unknown, 0);
	/* the profiles: not the wait before its first run, the waker's stack, none after the system
	 * call */
	assert_int_equal(g->profiles[PROFILE_SYNC].samples.v[3].ns, 400);
	assert_int_equal(g->profiles[PROFILE_SYSCALL].samples.v[5].ns, 400);
	assert_int_equal(g->profiles[PROFILE_SCHED].samples.v[4].ns, 100);
	assert_int_equal(g->profiles[PROFILE_SCHED].samples.v[6].ns, 50);
	assert_int_equal(g->profiles[PROFILE_SCHED].samples.v[0].ns, 100);
	assert_int_equal(g->profiles[PROFILE_SCHED].count, 3);
	/* but it is a latency, and the longest */
	assert_int_equal(g->waits.n, 4);
	assert_int_equal(g->worst.v[0].ns, 200);
	assert_int_equal(g->causes.preempted, 50);
	/* goroutine 1 ran since the last sync, and sleeps to the end */
	assert_int_equal(row_of(g, 1)->times.execution, 200);
	assert_int_equal(named(g, &row_of(g, 1)->times, false, "sleep"), 1800);
	goroutines_free(g);
}

static void what_is_open_at_the_end_is_closed_as_gos_summary_does(void **state)
{
	struct goroutines *g = begin((struct goroutines_options){ .rows = true });

	EVENT(1010, EV_PROC_STATUS, .id = 0, .status = 1, .p = EVENT_NO_P);
	EVENT(1100, EV_GO_STATUS, .id = 1, .status = 2, .p = 0);
	EVENT(1200, EV_GO_SYSCALL_BEGIN, .g = 1, .stack = 5);
	EVENT(1300, EV_PROC_STOP, .g = 1);
	EVENT(2000, EV_SYNC, .m = EVENT_NO_M, .id = 2);
	goroutines_finish(g);
	assert_int_equal(g->rows.v[0].times.execution, 200);
	assert_int_equal(g->rows.v[0].times.syscall, 800); /* all of it, */
	assert_int_equal(g->rows.v[0].times.sched_wait,
			 700); /* and what was after the loss of its P once more */
	assert_int_equal(g->profiles[PROFILE_SYSCALL].count, 0); /* has not ended */
	goroutines_free(g);
}

static void coroutines_wait_for_nobody(void **state)
{
	struct goroutines *g = begin((struct goroutines_options){ .worst = 3 });

	EVENT(1010, EV_PROC_STATUS, .id = 0, .status = 1, .p = EVENT_NO_P);
	EVENT(1020, EV_GO_STATUS, .id = 1, .status = 2, .p = 0);
	EVENT(1030, EV_GO_CREATE_BLOCKED, .id = 2, .g = 1, .start_stack = 2, .stack = 1);
	EVENT(1100, EV_GO_SWITCH, .id = 2, .g = 1);
	EVENT(1200, EV_GO_SWITCH_DESTROY, .id = 1, .g = 2);
	EVENT(1300, EV_SYNC, .m = EVENT_NO_M, .id = 2);
	goroutines_finish(g);
	assert_int_equal(g->waits.n, 0);
	assert_int_equal(g->events, 3 + 3 + 3);
	assert_int_equal(g->ended, 1);
	goroutines_free(g);
}

static void a_stack_of_nothing_is_no_stack(void **state)
{
	struct goroutines *g = begin((struct goroutines_options){ 0 });

	EVENT(1010, EV_PROC_STATUS, .id = 0, .status = 1, .p = EVENT_NO_P);
	EVENT(1020, EV_GO_STATUS, .id = 1, .status = 2, .p = 0);
	for (uint64_t t = 2000; t < 2400; t += 200) {
		EVENT(t, EV_GO_BLOCK, .g = 1, NAME("select"), .stack = 3);
		EVENT(t + 50, EV_GO_UNBLOCK, .id = 1, .stack = t == 2000 ? 0 : 9);
		EVENT(t + 70, EV_GO_START, .id = 1);
	}
	goroutines_finish(g);
	assert_int_equal(g->profiles[PROFILE_SCHED].samples.v[0].count, 2);
	assert_int_equal(profile_stack(&g->profiles[PROFILE_SCHED], 0), 9);
	goroutines_free(g);
}

static void those_that_never_end_are_found_by_who_made_them(void **state)
{
	struct goroutines *g = begin((struct goroutines_options){ 0 });

	EVENT(1010, EV_PROC_STATUS, .id = 0, .status = 1, .p = EVENT_NO_P);
	EVENT(1020, EV_GO_STATUS, .id = 1, .status = 2, .p = 0);
	for (uint64_t i = 2; i < 12; i++)
		EVENT(1000 + 100 * i, EV_GO_CREATE, .id = i, .g = 1, .start_stack = 2,
		      .stack = i < 9 ? 4 : 5);
	EVENT(3000, EV_GO_BLOCK, .g = 1, NAME("sleep"), .stack = 3);
	EVENT(3010, EV_GO_START, .id = 2);
	EVENT(3020, EV_GO_DESTROY, .g = 2);
	goroutines_finish(g);
	assert_int_equal(g->leaks.v[0].stack, 4);
	assert_int_equal(g->leaks.v[0].alive, 6);
	assert_int_equal(g->leaks.v[0].created, 7);
	assert_int_equal(g->leaks.v[0].ended, 1);
	assert_int_equal(g->leaks.v[0].oldest_ns, 1300);
	assert_int_equal(g->peak, 11);
	goroutines_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_life_is_divided_among_its_states),
		cmocka_unit_test(what_is_open_at_the_end_is_closed_as_gos_summary_does),
		cmocka_unit_test(coroutines_wait_for_nobody),
		cmocka_unit_test(a_stack_of_nothing_is_no_stack),
		cmocka_unit_test(those_that_never_end_are_found_by_who_made_them),
	};

	return cmocka_run_group_tests_name("goroutines", tests, NULL, NULL);
}
