/* test_gc.c - the collector's numbers and mutator utilization, of events made by hand; expected
 * values by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "analyze/gc.h"

enum { G1 = 1, WORKER = 7, P0 = 0, P1 = 1, NO_P = EVENT_NO_P };

static struct str str(const char *s)
{
	return (struct str){ s, (uint32_t)strlen(s) };
}

/* An event of a goroutine on a P; who = 0: none. `id`: what it names. */
static void at(struct gc *gc, uint64_t ns, enum event_type type, int64_t p, uint64_t who,
	       uint64_t id)
{
	gc_event(gc,
		 &(struct event){
			 .ts_ns = ns, .type = (uint8_t)type, .m = 1, .p = p, .g = who, .id = id });
}

static void named(struct gc *gc, uint64_t ns, enum event_type type, int64_t p, uint64_t who,
		  const char *name)
{
	gc_event(gc, &(struct event){ .ts_ns = ns,
				      .type = (uint8_t)type,
				      .m = 1,
				      .p = p,
				      .g = who,
				      .name = str(name) });
}

static void number(struct gc *gc, uint64_t ns, enum event_type type, int64_t p, uint64_t value)
{
	gc_event(gc, &(struct event){ .ts_ns = ns,
				      .type = (uint8_t)type,
				      .m = 1,
				      .p = p,
				      .g = G1,
				      .value = value });
}

static void sync(struct gc *gc, uint64_t ns, uint64_t n)
{
	gc_event(gc, &(struct event){
			     .ts_ns = ns, .type = EV_SYNC, .m = EVENT_NO_M, .p = NO_P, .id = n });
}

/* From 1000 on, G1 runs on P0; GOMAXPROCS at 1010. */
static struct gc *begin(unsigned flags, uint64_t procs)
{
	struct gc *gc = gc_new(flags);

	sync(gc, 1000, 1);
	gc_event(gc, &(struct event){ .ts_ns = 1001,
				      .type = EV_GO_STATUS,
				      .m = 1,
				      .p = P0,
				      .id = G1,
				      .status = 2 });
	number(gc, 1010, EV_PROCS_CHANGE, P0, procs);
	return gc;
}

static double mmu(const struct gc *gc, uint64_t window)
{
	struct utilization_window w;

	assert_true(utilization_mmu(gc->utilization, window, &w));
	return w.utilization;
}

static bool about(double a, double b)
{
	return fabs(a - b) < 1e-12;
}

/* A worker's time on a P, of the label, as the runtime writes it. */
static void work(struct gc *gc, uint64_t from, uint64_t to, int64_t p, const char *label)
{
	at(gc, from, EV_GO_START, p, 0, WORKER);
	named(gc, from + 1, EV_GO_LABEL, p, WORKER, label);
	named(gc, to, EV_GO_BLOCK, p, WORKER, "GC worker (idle)");
}

static void without_gomaxprocs_utilization_is_not_known(void **state)
{
	struct gc *gc = gc_new(GC_UTIL_DEFAULT);
	struct utilization_window w;
	double q = 0.5, ret;

	sync(gc, 1000, 1);
	named(gc, 1010, EV_STW_BEGIN, P0, G1, "GC mark termination");
	named(gc, 1030, EV_STW_END, P0, G1, "");
	gc_finish(gc, false);
	assert_false(utilization_mmu(gc->utilization, 10, &w));
	assert_false(utilization_mud(gc->utilization, 10, &q, 1, &ret));
	assert_int_equal(gc->stw_ns, 20);
	gc_free(gc);
}

static void a_stop_by_the_collector_takes_all_procs_another_stop_none(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 4);
	struct utilization_window w;

	named(gc, 1100, EV_STW_BEGIN, P0, G1, "GC mark termination");
	named(gc, 1120, EV_STW_END, P0, G1, "");
	named(gc, 1200, EV_STW_BEGIN, P0, G1, "goroutine profile");
	named(gc, 1250, EV_STW_END, P0, G1, "");
	sync(gc, 2010, 2);
	gc_finish(gc, false);
	assert_true(utilization_mmu(gc->utilization, 20, &w));
	assert_true(w.utilization == 0 && w.at_ns == 1100);
	assert_true(about(mmu(gc, 40), 0.5));
	assert_true(about(mmu(gc, 1000), 0.98));
	assert_true(about(mmu(gc, 5000), 0.98)); /* longer than the trace: all of it */
	assert_true(mmu(gc, 0) == 0);
	gc_free(gc);
}

/* internal/trace/gc.go adds one for the start of a known worker and one for its label, and takes
 * one off at its end. */
static void a_worker_that_starts_again_keeps_its_p_as_in_go(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

	work(gc, 1100, 1201, P1, "GC (dedicated)"); /* lost 1101 to 1201 */
	work(gc, 1300, 1401, P1, "GC (dedicated)"); /* lost from 1300 on */
	sync(gc, 2010, 2);
	gc_finish(gc, false);
	assert_true(about(mmu(gc, 1000), 1 - 0.5 * (100 + 710) / 1000));
	assert_true(about(mmu(gc, 100), 0.5));
	assert_int_equal(gc->workers[GC_DEDICATED].runs, 2);
	assert_int_equal(gc->workers[GC_DEDICATED].ns,
			 200); /* the collector's own numbers do not have that */
	gc_free(gc);
}

static void idle_workers_take_nothing(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

	work(gc, 1100, 1201, P1, "GC (idle)");
	work(gc, 1300, 1351, P1, "GC (idle)");
	sync(gc, 2010, 2);
	assert_int_equal(gc_busy_ns(gc, 2010), 0);
	gc_finish(gc, false);
	assert_true(mmu(gc, 100) == 1);
	assert_int_equal(gc->workers[GC_IDLE].ns, 150);
	gc_free(gc);
}

static void an_assist_counts_while_its_goroutine_runs(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

	at(gc, 1100, EV_GC_ASSIST_BEGIN, P0, G1, 0);
	named(gc, 1150, EV_GO_BLOCK, P0, G1, "GC mark assist wait for work");
	at(gc, 1400, EV_GO_START, P1, 0, G1);
	at(gc, 1450, EV_GC_ASSIST_END, P1, G1, 0);
	at(gc, 1500, EV_GC_ASSIST_BEGIN, P1, G1, 0);
	at(gc, 1510, EV_GC_ASSIST_END, P1, G1, 0);
	sync(gc, 2010, 2);
	gc_finish(gc, false);
	assert_true(about(mmu(gc, 1000), 1 - 0.5 * (50 + 50 + 10) / 1000));
	assert_int_equal(gc->assists, 2);
	assert_int_equal(gc->assist_ns, 350 + 10);
	assert_int_equal(gc->assist_goroutines, 1);
	gc_free(gc);
}

/* It was so since the begin of the trace; but only if the goroutine is known to run since
 * GOMAXPROCS was told. */
static void an_assist_found_late_counts_from_the_begin(void **state)
{
	for (int is_early = 0; is_early < 2; is_early++) {
		struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

		if (!is_early)
			gc_event(gc, &(struct event){ .ts_ns = 1050,
						      .type = EV_GO_STATUS,
						      .m = 2,
						      .p = P1,
						      .id = 2,
						      .status = 2 });
		at(gc, 1110, EV_GC_ASSIST_ACTIVE, is_early ? P0 : P1, is_early ? G1 : 2,
		   is_early ? G1 : 2);
		at(gc, 1210, EV_GC_ASSIST_END, is_early ? P0 : P1, is_early ? G1 : 2, 0);
		sync(gc, 2010, 2);
		at(gc, 2020, EV_GC_ASSIST_ACTIVE, P0, G1,
		   G1); /* a repetition, of nothing that is open here */
		at(gc, 3010, EV_GO_UNBLOCK, P0, G1, 9);
		gc_finish(gc, false);
		assert_true(about(mmu(gc, 2000), 1 - 0.5 * (is_early ? 100 : 200) / 2000));
		assert_int_equal(gc->assist_ns, 210);
		gc_free(gc);
	}
}

static void an_event_of_no_p_or_one_beyond_gomaxprocs_counts_for_none(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

	at(gc, 1100, EV_GC_ASSIST_ACTIVE, NO_P, 0, 3);
	at(gc, 1110, EV_GO_START, 5, 0, 3);
	at(gc, 1120, EV_GC_ASSIST_END, 5, 3, 0);
	at(gc, 1130, EV_GC_ASSIST_BEGIN, INT64_MAX, 3, 0);
	sync(gc, 2010, 2);
	gc_finish(gc, false);
	assert_true(mmu(gc, 10) == 1);
	gc_free(gc);
}

static void sweeping_counts_only_when_asked_for(void **state)
{
	struct gc *asked = begin(GC_UTIL_DEFAULT | GC_UTIL_SWEEP, 1),
		  *not_asked = begin(GC_UTIL_DEFAULT, 1);
	struct gc *both[] = { asked, not_asked };

	for (int i = 0; i < 2; i++) {
		at(both[i], 1100, EV_GC_SWEEP_BEGIN, P0, G1, P0);
		gc_event(both[i], &(struct event){ .ts_ns = 1140,
						   .type = EV_GC_SWEEP_END,
						   .m = 1,
						   .p = P0,
						   .g = G1,
						   .value = 8192,
						   .value2 = 4096 });
		sync(both[i], 1410, 2);
		gc_finish(both[i], false);
		assert_int_equal(both[i]->sweeps, 1);
		assert_int_equal(both[i]->swept_bytes, 8192);
		assert_int_equal(both[i]->reclaimed_bytes, 4096);
	}
	assert_true(about(mmu(asked, 400), 0.9) && mmu(not_asked, 400) == 1);
	gc_free(asked);
	gc_free(not_asked);
}

static void per_proc_the_worst_p_counts(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT | GC_UTIL_PER_PROC, 2);

	at(gc, 1100, EV_GC_ASSIST_BEGIN, P0, G1, 0);
	at(gc, 1200, EV_GC_ASSIST_END, P0, G1, 0);
	work(gc, 1300, 1501, P1, "GC (dedicated)"); /* keeps all others off that P: not counted */
	number(gc, 1510, EV_PROCS_CHANGE, P0, 1);
	sync(gc, 2010, 2);
	gc_finish(gc, false);
	assert_true(about(mmu(gc, 400), 0.75)); /* P0: 100 of any 400 */
	assert_true(about(mmu(gc, 5000), 0.9)); /* P0: of its 1000 ns; P1 lived 500 ns, untouched */
	gc_free(gc);
}

static void procs_that_go_take_their_counts_with_them(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

	at(gc, 1110, EV_GO_START, P1, 0, 3);
	at(gc, 1110, EV_GC_ASSIST_BEGIN, P1, 3, 0);
	number(gc, 1210, EV_PROCS_CHANGE, P0, 1);
	number(gc, 1310, EV_PROCS_CHANGE, P0, 2);
	sync(gc, 2010, 2);
	gc_finish(gc, false);
	assert_true(about(mmu(gc, 1000), 0.95));
	gc_free(gc);
}

static void a_broken_trace_ends_with_its_last_sync(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

	named(gc, 1100, EV_STW_BEGIN, P0, G1, "GC mark termination");
	named(gc, 1200, EV_STW_END, P0, G1, "");
	sync(gc, 2010, 2);
	named(gc, 2100, EV_STW_BEGIN, P0, G1, "GC mark termination");
	named(gc, 2900, EV_STW_END, P0, G1, "");
	at(gc, 3010, EV_GO_UNBLOCK, P0, G1, 9);
	gc_finish(gc, true);
	assert_true(about(mmu(gc, 1000), 0.9));
	assert_int_equal(gc->stw_count, 2); /* what is told of the collector is of all events */
	gc_free(gc);
}

/* Two of 100 ns in 1000: the mean of windows of 100 rises and falls over 200 ns for each, and is 1
 * elsewhere. */
static void a_quantile_is_what_a_share_of_windows_do_not_exceed(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);
	const double q[] = { 0, 100. / 900, 200. / 900, 300. / 900, 401. / 900, 1 };
	double ret[ARRAY_SIZE(q)];

	for (uint64_t ns = 1210; ns <= 1610; ns += 400) {
		named(gc, ns, EV_STW_BEGIN, P0, G1, "GC mark termination");
		named(gc, ns + 100, EV_STW_END, P0, G1, "");
	}
	sync(gc, 2010, 2);
	gc_finish(gc, false);
	assert_true(utilization_mud(gc->utilization, 100, q, ARRAY_SIZE(q), ret));
	assert_true(about(ret[0], 0) && about(ret[1], 0.25) && about(ret[2], 0.5) &&
		    about(ret[3], 0.75));
	assert_true(about(ret[4], 1) && about(ret[5], 1));
	assert_true(utilization_mud(gc->utilization, 5000, q, ARRAY_SIZE(q),
				    ret)); /* longer than the trace */
	assert_true(about(ret[0], 0.8) && about(ret[5], 0.8));
	gc_free(gc);
}

/* The same, looked for at every nanosecond. */
static void the_worst_window_is_the_worst_of_all(void **state)
{
	enum { NS = 3000 };
	double share[NS];
	unsigned seed = 5;
	struct gc *gc = begin(GC_UTIL_DEFAULT, 4);

	for (int p = 0; p < 4; p++)
		at(gc, 1010, EV_GO_START, p, 0, 100u + (unsigned)p);
	for (int i = 0, lost[4] = { 0 }, n = 0; i < NS; i++) {
		int p = (int)(seed = seed * 1103515245 + 12345, seed >> 16 & 3);

		if (seed >> 20 & 1 && i > 0) {
			n += lost[p] ? -1 : 1;
			lost[p] = !lost[p];
			at(gc, 1010u + (unsigned)i, lost[p] ? EV_GC_ASSIST_BEGIN : EV_GC_ASSIST_END,
			   p, 100u + (unsigned)p, 0);
		}
		share[i] = 1 - n / 4.;
	}
	sync(gc, 1010 + NS, 2);
	gc_finish(gc, false);
	for (int window = 2; window <= NS; window = window * 3 / 2) {
		double worst = 1;

		for (int from = 0; from + window <= NS; from++) {
			double sum = 0;

			for (int i = from; i < from + window; i++)
				sum += share[i];
			worst = sum / window < worst ? sum / window : worst;
		}
		assert_true(mmu(gc, (uint64_t)window) <= worst + 1e-9);
		assert_true(mmu(gc, (uint64_t)window) >=
			    worst - 2. / window); /* Go's windows may hang over the end a little */
	}
	gc_free(gc);
}

static void cycles_that_are_cut_by_the_trace_count(void **state)
{
	struct gc *gc = gc_new(GC_UTIL_DEFAULT);

	sync(gc, 1000, 1);
	at(gc, 1100, EV_GC_ACTIVE, NO_P, 0, 0); /* since the begin of the trace */
	at(gc, 1200, EV_GC_END, P0, G1, 0);
	at(gc, 1300, EV_GC_BEGIN, P0, G1, 0);
	at(gc, 1800, EV_GC_END, P0, G1, 0);
	at(gc, 1900, EV_GC_BEGIN, P0, G1, 0);
	sync(gc, 1950, 2);
	at(gc, 1950, EV_GC_ACTIVE, NO_P, 0, 0); /* a repetition */
	sync(gc, 2000, 3);
	gc_finish(gc, false);
	assert_int_equal(gc->cycles, 3);
	assert_int_equal(gc->mark_ns, 200 + 500 + 100);
	assert_int_equal(gc->mark_max_ns, 500);
	assert_int_equal(gc->mark_max_at_ns, 1300);
	gc_free(gc);
}

static void stops_are_told_by_kind_and_the_worst_is_known(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);
	static const struct {
		uint64_t from, to;
		const char *kind;
	} stops[] = {
		{ 1100, 1110, "GC sweep termination" },
		{ 1200, 1250, "GC mark termination" },
		{ 1300, 1345, "GC sweep termination" },
		{ 1400, 1401, "GOMAXPROCS" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
		named(gc, stops[i].from, EV_STW_BEGIN, P0, G1, stops[i].kind);
		named(gc, stops[i].to, EV_STW_END, P0, G1, "");
	}
	named(gc, 1500, EV_STW_BEGIN, P0, G1, "start trace");
	at(gc, 1510, EV_GO_DESTROY, P0, G1, 0); /* nobody can end it any more */
	assert_int_equal(gc_stopped_ns(gc, 1600), 10 + 50 + 45 + 1 + 10);
	sync(gc, 2010, 2);
	gc_finish(gc, false);
	assert_int_equal(gc->stw.n, 4);
	assert_int_equal(gc->stw_count, 5);
	assert_int_equal(gc->stw.v[0].total_ns, 55);
	assert_int_equal(gc->stw.v[0].max_at_ns, 1300);
	assert_string_equal(gc->stw.v[gc->stw_worst].kind.s, "GC mark termination");
	gc_free(gc);
}

static void busy_is_stopped_or_a_worker_marks_counted_once(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

	at(gc, 1100, EV_GO_START, P1, 0, WORKER);
	named(gc, 1100, EV_GO_LABEL, P1, WORKER, "GC (fractional)");
	assert_int_equal(gc_busy_ns(gc, 1150), 50);
	named(gc, 1150, EV_STW_BEGIN, P0, G1, "GC mark termination");
	named(gc, 1200, EV_GO_STOP, P1, WORKER, "preempted");
	assert_int_equal(gc_busy_ns(gc, 1210), 110);
	assert_int_equal(gc_stopped_ns(gc, 1210), 60);
	named(gc, 1250, EV_STW_END, P0, G1, "");
	assert_int_equal(gc_busy_ns(gc, 9999), 150);
	assert_int_equal(gc_stopped_ns(gc, 9999), 100);
	gc_finish(gc, false);
	gc_free(gc);
}

static void the_heap_has_a_peak_and_a_goal(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 1);

	number(gc, 1100, EV_HEAP_ALLOC, P0, 5000);
	number(gc, 1110, EV_HEAP_GOAL, P0, 9000);
	number(gc, 1120, EV_HEAP_ALLOC, P0, 7000);
	number(gc, 1130, EV_HEAP_ALLOC, P0, 6000);
	number(gc, 1140, EV_HEAP_GOAL, P0, UINT64_MAX); /* the collector is off */
	gc_finish(gc, false);
	assert_int_equal(gc->heap_peak_bytes, 7000);
	assert_int_equal(gc->heap_peak_at_ns, 1120);
	assert_int_equal(gc->goal_last_bytes, 0);
	assert_int_equal(gc->goal_max_bytes, 9000);
	gc_free(gc);
}

static void a_coroutine_switch_is_an_end_and_a_start(void **state)
{
	struct gc *gc = begin(GC_UTIL_DEFAULT, 2);

	at(gc, 1100, EV_GC_ASSIST_BEGIN, P0, G1, 0);
	at(gc, 1199, EV_GO_SWITCH, P0, G1, 5);         /* G1 stops at 1200 */
	at(gc, 1297, EV_GO_SWITCH_DESTROY, P0, 5, G1); /* and is back at 1299 */
	at(gc, 1399, EV_GC_ASSIST_END, P0, G1, 0);
	at(gc, 2008, EV_GO_SWITCH, P0, G1, 6); /* the trace ends at 2010 */
	gc_finish(gc, false);
	assert_int_equal(gc->last_ns, 2010);
	assert_true(about(mmu(gc, 1000), 0.9));
	gc_free(gc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_gomaxprocs_utilization_is_not_known),
		cmocka_unit_test(a_stop_by_the_collector_takes_all_procs_another_stop_none),
		cmocka_unit_test(a_worker_that_starts_again_keeps_its_p_as_in_go),
		cmocka_unit_test(idle_workers_take_nothing),
		cmocka_unit_test(an_assist_counts_while_its_goroutine_runs),
		cmocka_unit_test(an_assist_found_late_counts_from_the_begin),
		cmocka_unit_test(an_event_of_no_p_or_one_beyond_gomaxprocs_counts_for_none),
		cmocka_unit_test(sweeping_counts_only_when_asked_for),
		cmocka_unit_test(per_proc_the_worst_p_counts),
		cmocka_unit_test(procs_that_go_take_their_counts_with_them),
		cmocka_unit_test(a_broken_trace_ends_with_its_last_sync),
		cmocka_unit_test(a_quantile_is_what_a_share_of_windows_do_not_exceed),
		cmocka_unit_test(the_worst_window_is_the_worst_of_all),
		cmocka_unit_test(cycles_that_are_cut_by_the_trace_count),
		cmocka_unit_test(stops_are_told_by_kind_and_the_worst_is_known),
		cmocka_unit_test(busy_is_stopped_or_a_worker_marks_counted_once),
		cmocka_unit_test(the_heap_has_a_peak_and_a_goal),
		cmocka_unit_test(a_coroutine_switch_is_an_end_and_a_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
