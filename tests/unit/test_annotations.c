/* test_annotations.c - the user's tasks and regions, of events made by hand; expected values from
 * reading summary.go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "analyze/annotations.h"

/* Stacks: their outermost functions. */
enum { NO_STACK, MAIN, HANDLER, RUNTIME, DEEP, EMPTY };
static const char *const functions[] = { NULL, "runtime.main", "main.handler", "runtime.bgsweep",
					 "main.handler" };

static const struct frame *frames(const void *self, uint32_t stack, unsigned *n)
{
	static struct frame f[2];

	*n = 0;
	if (stack == NO_STACK || stack >= EMPTY)
		return NULL;
	f[0] = (struct frame){ .pc = 1, .func = "main.leaf", .file = "leaf.go", .line = 1 };
	f[1] = (struct frame){ .pc = 10 * (uint64_t)stack,
			       .func = functions[stack],
			       .file = "main.go",
			       .line = 10 * stack };
	*n = 2;
	return f;
}

static struct annotations *begin(const char *details_of)
{
	struct annotations *a = annotations_new(&(struct annotations_options){
		.stacks = { frames, NULL }, .details_of = details_of });

	annotations_event(a, &(struct event){ .ts_ns = 1000,
					      .type = EV_SYNC,
					      .m = EVENT_NO_M,
					      .p = EVENT_NO_P,
					      .id = 1 });
	return a;
}

static void finish(struct annotations *a, uint64_t ns)
{
	annotations_event(
		a,
		&(struct event){
			.ts_ns = ns, .type = EV_SYNC, .m = EVENT_NO_M, .p = EVENT_NO_P, .id = 9 });
	annotations_finish(a, false);
}

static struct str str(const char *s)
{
	return (struct str){ s, (uint32_t)strlen(s) };
}

static void task(struct annotations *a, uint64_t ns, enum event_type type, uint64_t id,
		 uint64_t parent, const char *name)
{
	annotations_event(a, &(struct event){ .ts_ns = ns,
					      .type = (uint8_t)type,
					      .m = 1,
					      .g = 1,
					      .id = id,
					      .value = parent,
					      .name = str(name) });
}

static void region(struct annotations *a, uint64_t ns, enum event_type type, uint64_t g,
		   uint64_t id, const char *name, uint32_t stack)
{
	annotations_event(a, &(struct event){ .ts_ns = ns,
					      .type = (uint8_t)type,
					      .m = 1,
					      .g = g,
					      .id = id,
					      .name = str(name),
					      .stack = stack });
}

/* `by` makes g, which is to run start_stack's function. */
static void create(struct annotations *a, uint64_t ns, uint64_t by, uint64_t g, uint32_t stack,
		   uint32_t start_stack)
{
	annotations_event(a, &(struct event){ .ts_ns = ns,
					      .type = EV_GO_CREATE,
					      .m = 1,
					      .g = by,
					      .id = g,
					      .stack = stack,
					      .start_stack = start_stack });
}

static void go(struct annotations *a, uint64_t ns, enum event_type type, uint64_t g,
	       const char *reason, uint32_t stack)
{
	annotations_event(a, &(struct event){ .ts_ns = ns,
					      .type = (uint8_t)type,
					      .m = 1,
					      .p = EVENT_NO_P,
					      .g = g,
					      .name = str(reason),
					      .stack = stack });
}

static void status(struct annotations *a, uint64_t ns, uint64_t g)
{
	annotations_event(a, &(struct event){ .ts_ns = ns,
					      .type = EV_GO_STATUS,
					      .m = 1,
					      .p = EVENT_NO_P,
					      .id = g,
					      .status = 2 });
}

static void expect_task(const struct annotations *a, size_t i, const char *name, uint64_t count,
			uint64_t complete, uint64_t ns)
{
	assert_true(i < a->tasks.n);
	assert_string_equal(a->tasks.v[i].name.s, name);
	assert_int_equal(a->tasks.v[i].count, count);
	assert_int_equal(a->tasks.v[i].complete.n, complete);
	assert_int_equal(a->tasks.v[i].complete.total_ns, ns);
}

static void expect_region(const struct annotations *a, size_t i, const char *name,
			  const char *function, uint64_t count, uint64_t ns)
{
	assert_true(i < a->regions.n);
	assert_string_equal(a->regions.v[i].name.s, name);
	assert_string_equal(a->regions.v[i].place.func, function);
	assert_int_equal(a->regions.v[i].all.n, count);
	assert_int_equal(a->regions.v[i].all.total_ns, ns);
}

/* The bounds are those of Go's code, looked for with it; the powers of ten are what a reader would
 * get wrong. */
static void buckets_are_those_of_go(void **state)
{
	static const struct {
		uint64_t ns;
		unsigned bucket;
	} cases[] = {
		{ 0, 0 },     { 1, 0 },           { 2, 1 },        { 3, 2 },           { 9, 4 },
		{ 10, 4 },    { 11, 5 },          { 100, 9 },      { 101, 10 },        { 1000, 14 },
		{ 1001, 15 }, { 1000000, 29 },    { 1000001, 30 }, { 1000000000, 44 }, { 1584, 15 },
		{ 1585, 16 }, { UINT64_MAX, 94 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(time_bucket(cases[i].ns), cases[i].bucket);
}

static void tasks_are_grouped_by_name_and_complete_with_both_ends(void **state)
{
	struct annotations *a = begin(NULL);

	task(a, 1100, EV_TASK_BEGIN, 1, 0, "request");
	task(a, 1110, EV_TASK_BEGIN, 2, EVENT_NO_TASK, "request");
	task(a, 1120, EV_TASK_BEGIN, 3, 2, "query");
	task(a, 1220, EV_TASK_END, 3, 0, "");
	task(a, 1300, EV_TASK_END, 1, 0, "");
	task(a, 1400, EV_TASK_END, 77, 0, ""); /* began before the trace */
	finish(a, 2000);
	assert_int_equal(a->tasks.n, 3);
	expect_task(a, 0, "", 1, 0, 0);
	expect_task(a, 1, "query", 1, 1, 100);
	expect_task(a, 2, "request", 2, 1, 200);
	assert_int_equal(a->tasks.v[1].complete.histogram.rows.n, 1);
	assert_int_equal(a->tasks.v[1].complete.histogram.rows.v[0].kind, 9);
	annotations_free(a);
}

static void whatever_names_a_task_makes_it_count_once(void **state)
{
	struct annotations *a = begin(NULL);

	task(a, 1100, EV_TASK_BEGIN, 1, 50, "child of 50");
	region(a, 1110, EV_REGION_BEGIN, 1, 51, "r", MAIN);
	region(a, 1120, EV_REGION_END, 1, 51, "r", MAIN);
	annotations_event(a, &(struct event){ .ts_ns = 1130,
					      .type = EV_LOG,
					      .g = 1,
					      .id = 52,
					      .name = str("k"),
					      .text = str("v") });
	region(a, 1140, EV_REGION_BEGIN, 1, 0, "of the background task", MAIN);
	task(a, 1150, EV_TASK_BEGIN, 51, 50, "late");
	finish(a, 2000);
	expect_task(a, 0, "", 3, 0, 0); /* 0, 50, 52 */
	expect_task(a, 1, "child of 50", 1, 0, 0);
	expect_task(a, 2, "late", 1, 0, 0);
	assert_int_equal(a->logs, 1);
	annotations_free(a);
}

/* As Go's summary: a second end knows no name and takes it from the task. */
static void a_task_that_ends_twice_loses_its_name_as_in_go(void **state)
{
	struct annotations *a = begin(NULL);

	task(a, 1100, EV_TASK_BEGIN, 1, 0, "request");
	task(a, 1200, EV_TASK_END, 1, 0, "");
	task(a, 1300, EV_TASK_END, 1, 0, "");
	task(a, 1400, EV_TASK_BEGIN, 2, 0, "again");
	task(a, 1500, EV_TASK_END, 2, 0, "");
	task(a, 1600, EV_TASK_BEGIN, 2, 0, "again"); /* its end is before its begin: 0 */
	finish(a, 2000);
	assert_int_equal(a->tasks.n, 2);
	expect_task(a, 0, "", 1, 1, 200);
	expect_task(a, 1, "again", 1, 1, 0);
	annotations_free(a);
}

static void ended_tasks_are_not_kept_but_known(void **state)
{
	struct annotations *a = begin(NULL);
	uint64_t n = 3 * TASKS_KEPT, ns = 1000;

	for (uint64_t id = 1; id <= n; id++) {
		task(a, ++ns, EV_TASK_BEGIN, id, 0, "many");
		task(a, ++ns, EV_TASK_END, id, 0, "");
	}
	region(a, ++ns, EV_REGION_BEGIN, 1, 5, "late for 5", MAIN);
	task(a, ++ns, EV_TASK_END, 6, 0, "");
	finish(a, ++ns);
	assert_int_equal(a->tasks.n, 1);
	expect_task(a, 0, "many", n, n, n);
	annotations_free(a);
}

static void regions_are_grouped_by_name_and_outermost_frame(void **state)
{
	struct annotations *a = begin(NULL);

	region(a, 1100, EV_REGION_BEGIN, 1, 0, "outer", MAIN);
	region(a, 1200, EV_REGION_BEGIN, 1, 0, "inner", MAIN);
	region(a, 1250, EV_REGION_END, 1, 0, "inner", NO_STACK);
	region(a, 1400, EV_REGION_END, 1, 0, "outer", NO_STACK);
	region(a, 1500, EV_REGION_BEGIN, 2, 0, "inner", HANDLER);
	region(a, 1510, EV_REGION_END, 2, 0, "inner", HANDLER);
	region(a, 1600, EV_REGION_BEGIN, 2, 0, "inner", DEEP); /* the same function, another line */
	region(a, 1620, EV_REGION_END, 2, 0, "inner", DEEP);
	finish(a, 2000);
	assert_int_equal(a->regions.n, 4);
	expect_region(a, 0, "inner", "runtime.main", 1, 50);
	expect_region(a, 1, "inner", "main.handler", 1, 10);
	expect_region(a, 2, "inner", "main.handler", 1, 20);
	expect_region(a, 3, "outer", "runtime.main", 1, 300);
	annotations_free(a);
}

static void what_is_cut_by_the_trace_begins_or_ends_with_it(void **state)
{
	struct annotations *a = begin(NULL);

	region(a, 1100, EV_REGION_END, 1, 0, "began before", MAIN);
	region(a, 1200, EV_REGION_BEGIN, 1, 0, "goes on", MAIN);
	finish(a, 2000);
	expect_region(a, 0, "began before", "", 1, 100);
	expect_region(a, 1, "goes on", "runtime.main", 1, 800);
	annotations_free(a);
}

static void a_broken_trace_ends_with_its_last_sync(void **state)
{
	struct annotations *a = begin(NULL);

	region(a, 1200, EV_REGION_BEGIN, 1, 0, "goes on", MAIN);
	annotations_event(a, &(struct event){ .ts_ns = 1500, .type = EV_SYNC, .id = 2 });
	region(a, 1900, EV_REGION_BEGIN, 1, 0, "later", MAIN);
	annotations_finish(a, true);
	expect_region(a, 0, "goes on", "runtime.main", 1, 300);
	expect_region(a, 1, "later", "runtime.main", 1, 0);
	annotations_free(a);
}

static void a_goroutine_made_in_a_region_has_one_without_a_name(void **state)
{
	struct annotations *a = begin(NULL);

	create(a, 1050, 1, 4, MAIN, HANDLER); /* before: none */
	region(a, 1100, EV_REGION_BEGIN, 1, 3, "making", MAIN);
	create(a, 1200, 1, 5, MAIN, HANDLER);
	create(a, 1210, 1, 6, MAIN, RUNTIME);    /* a system goroutine */
	create(a, 1220, 5, 7, HANDLER, HANDLER); /* of a goroutine that inherited */
	region(a, 1300, EV_REGION_END, 1, 3, "making", MAIN);
	go(a, 1400, EV_GO_DESTROY, 5, "", NO_STACK);
	go(a, 1450, EV_GO_DESTROY, 6, "", NO_STACK);
	go(a, 1460, EV_GO_DESTROY, 4, "", NO_STACK);
	finish(a, 2000);
	assert_int_equal(a->regions.n, 3);
	expect_region(a, 0, "", "runtime.main", 1, 200);
	expect_region(a, 1, "", "main.handler", 1, 780); /* 7 lives on */
	expect_region(a, 2, "making", "runtime.main", 1, 200);
	annotations_free(a);
}

static void an_end_closes_the_innermost_whatever_its_name(void **state)
{
	struct annotations *a = begin(NULL);

	region(a, 1100, EV_REGION_BEGIN, 1, 3, "making", MAIN);
	create(a, 1200, 1, 5, MAIN, HANDLER);
	region(a, 1250, EV_REGION_END, 5, 3, "from nowhere", HANDLER);
	finish(a, 2000);
	expect_region(a, 0, "", "runtime.main", 1, 50);
	annotations_free(a);
}

static void a_goroutine_that_ends_or_blocks_for_ever_closes_its_regions(void **state)
{
	struct annotations *a = begin(NULL);

	for (uint64_t g = 1; g <= 5; g++)
		region(a, 1100, EV_REGION_BEGIN, g, 0, "r", HANDLER);
	go(a, 1200, EV_GO_DESTROY, 1, "", NO_STACK);
	go(a, 1209, EV_GO_SWITCH_DESTROY, 2, "", NO_STACK); /* at 1210 */
	go(a, 1220, EV_GO_BLOCK, 3, "forever", HANDLER);
	go(a, 1230, EV_GO_BLOCK, 4, "chan receive", HANDLER);
	annotations_event(a, &(struct event){ .ts_ns = 1239,
					      .type = EV_GO_DESTROY_SYSCALL,
					      .p = 0,
					      .g = 5 }); /* its P first */
	finish(a, 2000);
	expect_region(a, 0, "r", "main.handler", 5, 100 + 110 + 120 + 140 + 900);
	annotations_free(a);
}

/* Go's rule is on the name, which a goroutine gets from its first transition with a stack. */
static void regions_of_system_and_nameless_goroutines_are_not_closed(void **state)
{
	struct annotations *a = begin(NULL);

	status(a, 1010, 1);
	status(a, 1010, 2);
	status(a, 1010, 3);
	region(a, 1100, EV_REGION_BEGIN, 1, 0, "nameless", MAIN);
	region(a, 1100, EV_REGION_BEGIN, 2, 0, "named later", HANDLER);
	region(a, 1100, EV_REGION_BEGIN, 3, 0, "a system goroutine's", RUNTIME);
	region(a, 1100, EV_REGION_BEGIN, 4, 0, "of one not heard of before", HANDLER);
	go(a, 1200, EV_GO_STOP, 2, "preempted", HANDLER);
	go(a, 1210, EV_GO_STOP, 3, "preempted", RUNTIME);
	go(a, 1300, EV_GO_DESTROY, 1, "", NO_STACK);
	region(a, 1400, EV_REGION_BEGIN, 3, 0, "but its own end counts", RUNTIME);
	region(a, 1410, EV_REGION_END, 3, 0, "but its own end counts", RUNTIME);
	finish(a, 2000);
	assert_int_equal(a->regions.n, 3);
	expect_region(a, 0, "but its own end counts", "runtime.bgsweep", 1, 10);
	expect_region(a, 1, "named later", "main.handler", 1, 900);
	expect_region(a, 2, "of one not heard of before", "main.handler", 1, 900);
	annotations_free(a);
}

static void details_are_kept_of_the_wanted_task_alone(void **state)
{
	static const char *const wanted[] = { "2", "request" };

	for (int i = 0; i < 2; i++) {
		struct annotations *a = begin(wanted[i]);

		task(a, 1050, EV_TASK_BEGIN, 1, 0, "other");
		task(a, 1100, EV_TASK_BEGIN, 2, 1, "request");
		region(a, 1110, EV_REGION_BEGIN, 8, 2, "query", HANDLER);
		region(a, 1115, EV_REGION_BEGIN, 8, 1, "other's", HANDLER);
		annotations_event(a, &(struct event){ .ts_ns = 1120,
						      .type = EV_LOG,
						      .g = 8,
						      .id = 2,
						      .name = str("key"),
						      .text = str("value") });
		go(a, 1130, EV_GO_DESTROY, 8, "", NO_STACK);
		task(a, 1200, EV_TASK_END, 2, 0, "");
		finish(a, 2000);
		assert_int_equal(a->details.n, 1);
		struct task_detail *d = &a->details.v[0];

		assert_int_equal(d->id, 2);
		assert_int_equal(d->parent, 1);
		assert_string_equal(d->name.s, "request");
		assert_true(d->has_begin && d->has_end && d->begin_ns == 1100 && d->end_ns == 1200);
		static const struct {
			enum task_event_kind kind;
			uint64_t ns, g;
			const char *name, *text;
		} events[] = {
			{ TASK_BEGIN, 1100, 1, "request", "" },
			{ TASK_REGION_BEGIN, 1110, 8, "query", "" },
			{ TASK_LOG, 1120, 8, "key", "value" },
			{ TASK_REGION_END, 1130, 8, "query", "" },
			{ TASK_END, 1200, 1, "request", "" },
		};

		assert_int_equal(d->events.n, ARRAY_SIZE(events));
		for (size_t k = 0; k < ARRAY_SIZE(events); k++) {
			assert_int_equal(d->events.v[k].kind, events[k].kind);
			assert_int_equal(d->events.v[k].ts_ns, events[k].ns);
			assert_int_equal(d->events.v[k].g, events[k].g);
			assert_string_equal(d->events.v[k].name.s, events[k].name);
			assert_string_equal(d->events.v[k].text.s, events[k].text);
			assert_int_equal(d->events.v[k].is_goroutine_end, k == 3);
		}
		assert_int_equal(d->goroutines.n, 2);
		annotations_free(a);
	}
}

static void quantiles_are_at_most_six_percent_too_large(void **state)
{
	struct annotations *a = begin(NULL);

	for (uint64_t i = 1; i <= 100; i++) {
		region(a, 1000, EV_REGION_BEGIN, 1, 0, "r", MAIN);
		region(a, 1000 + i * 1000, EV_REGION_END, 1, 0, "r", MAIN);
	}
	finish(a, 1000000);
	const struct durations *d = &a->regions.v[0].all;

	assert_int_equal(d->min_ns, 1000);
	assert_int_equal(d->max_ns, 100000);
	assert_in_range(durations_quantile(d, 0.5), 50000, 53000);
	assert_in_range(durations_quantile(d, 0.99), 99000, 100000);
	assert_int_equal(durations_quantile(d, 1), 100000);
	annotations_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_those_of_go),
		cmocka_unit_test(tasks_are_grouped_by_name_and_complete_with_both_ends),
		cmocka_unit_test(whatever_names_a_task_makes_it_count_once),
		cmocka_unit_test(a_task_that_ends_twice_loses_its_name_as_in_go),
		cmocka_unit_test(ended_tasks_are_not_kept_but_known),
		cmocka_unit_test(regions_are_grouped_by_name_and_outermost_frame),
		cmocka_unit_test(what_is_cut_by_the_trace_begins_or_ends_with_it),
		cmocka_unit_test(a_broken_trace_ends_with_its_last_sync),
		cmocka_unit_test(a_goroutine_made_in_a_region_has_one_without_a_name),
		cmocka_unit_test(an_end_closes_the_innermost_whatever_its_name),
		cmocka_unit_test(a_goroutine_that_ends_or_blocks_for_ever_closes_its_regions),
		cmocka_unit_test(regions_of_system_and_nameless_goroutines_are_not_closed),
		cmocka_unit_test(details_are_kept_of_the_wanted_task_alone),
		cmocka_unit_test(quantiles_are_at_most_six_percent_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
