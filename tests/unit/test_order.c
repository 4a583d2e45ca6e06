/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_order.c - rules of order, one story each; every file is also judged by a foreign reader at
 * the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "order_rig.h"
#include "read/extra.h"

/*
 * A story: P 0 and P 1 exist, goroutine 1 runs on thread 10 with P 0, goroutines 2 and 3 wait,
 * thread 11 is idle.
 */
struct story {
	struct rig *rig;
	VEC(struct event) seen;
	uint64_t now;
	struct snapshot_g g[3];
	struct snapshot_p p[2];
	struct snapshot snap;
};

static void see(void *ctx, const struct event *ev)
{
	*vec_push(&((struct story *)ctx)->seen) = *ev;
}

static void story_open(struct story *s, const char *name, int minor)
{
	*s = (struct story){.now = 1000000000};
	s->g[0] = (struct snapshot_g){.goid = 1, .tid = 10, .state = GO_RUNNING,
		.start_pc = 0x3000};
	s->g[1] = (struct snapshot_g){.goid = 2, .state = GO_WAITING, .start_pc = 0x4000,
		.reason = BLOCK_NET, .wait_reason = 7};
	s->g[2] = (struct snapshot_g){.goid = 3, .state = GO_WAITING, .start_pc = 0x5000,
		.reason = BLOCK_SLEEP, .wait_reason = 9};
	s->p[0] = (struct snapshot_p){.id = 0, .tid = 10};
	s->p[1] = (struct snapshot_p){.id = 1};
	s->snap = (struct snapshot){.g = s->g, .n_g = 3, .p = s->p, .n_p = 2, .begin_ns = 900000000,
		.end_ns = 910000000};
	s->rig = rig_new(name, minor, (struct order_config){.wait_objects = true, .observe = see,
		.observe_ctx = s});
}

/* After the attach, so that what was seen begins with the first record. */
static void story_begin(struct story *s, const char *name, int minor)
{
	story_open(s, name, minor);
	order_snapshot(s->rig->order, &s->snap);
	assert_int_equal(order_idle(s->rig->order, s->now), 0);
	s->seen.n = 0;
}

static int record(struct story *s, struct record r)
{
	s->now += 1000;
	r.ts_ns = s->now;
	return order_record(s->rig->order, &r);
}

#define TELL(story, type_, tid_, p_, goid_, ...) \
	assert_int_equal(record(story, (struct record){.type = type_, .tid = tid_, .p = p_, \
						       .goid = goid_, ##__VA_ARGS__}), 0)
#define REC(...) TELL(&s, __VA_ARGS__)

static const struct order_counts *counts(const struct story *s)
{
	return order_counts(s->rig->order);
}

/* The types seen since the last call; a repair is negative. */
static void expect_events(struct story *s, const int *types, size_t n)
{
	for (size_t i = 0; i < s->seen.n || i < n; i++) {
		const struct event *ev = i < s->seen.n ? &s->seen.v[i] : NULL;
		int got = !ev ? 0 : ev->is_repair ? -(int)ev->type : (int)ev->type;

		if (got != (i < n ? types[i] : 0))
			fail_msg("event %zu is %d, expected %d", i, got, i < n ? types[i] : 0);
	}
	s->seen.n = 0;
}

#define EXPECT(...) \
	expect_events(&s, (const int[]){__VA_ARGS__}, \
		      sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void story_end(struct story *s)
{
	assert_int_equal(order_finish(s->rig->order), 0);
	vec_free(&s->seen);
	rig_free(s->rig);
}

/* ------------------------------------------------------------------ attach */

static void an_idle_target_alone_makes_a_valid_file(void **state)
{
	struct story s;

	story_open(&s, "idle", 23);
	order_snapshot(s.rig->order, &s.snap);
	assert_int_equal(order_finish(s.rig->order), 0);
	EXPECT(EV_PROC_STATUS, EV_PROC_STATUS, EV_GO_STATUS_STACK, EV_GO_STATUS_STACK,
	       EV_GO_STATUS_STACK, EV_PROCS_CHANGE);
	assert_int_equal(counts(&s)->generations, 1);
	story_end(&s);
}

static void a_generation_of_an_idle_target_is_cut_by_time(void **state)
{
	struct story s;

	story_begin(&s, "idle-cut", 22);
	assert_int_equal(order_idle(s.rig->order, s.now + 2000000000), 0);
	assert_int_equal(counts(&s)->generations, 0); /* a clock alone would cut elsewhere than a replay */
	s.now += 2000000000;
	REC(REC_TIME, 0, RECORD_NO_P, 0);
	assert_int_equal(counts(&s)->generations, 2); /* what there was, and that it lasted */
	assert_in_range(counts(&s)->written_ns, s.now / RIG_TICK_NS * RIG_TICK_NS, s.now + 2 * RIG_TICK_NS);
	story_end(&s);
}

static uint64_t last_stamp(const struct story *s)
{
	return s->seen.v[s->seen.n - 1].ts_ns;
}

static void a_trace_is_as_long_as_its_recording(void **state)
{
	for (int minor = 22; minor <= 23; minor++) {
		struct story s;

		story_begin(&s, minor == 22 ? "long-idle-22" : "long-idle-23", minor);
		REC(REC_GO_BLOCK, 10, 0, 1, .reason = BLOCK_SLEEP);
		s.now += 2000000000;
		REC(REC_TIME, 0, RECORD_NO_P, 0);
		assert_int_equal(last_stamp(&s), s.now / RIG_TICK_NS * RIG_TICK_NS);
		EXPECT(EV_GO_BLOCK, EV_PROC_STATUS, EV_PROC_STATUS);
		REC(REC_PROC_STOP, 10, 0, 0);
		s.now += 3000000000;
		REC(REC_TIME, 0, RECORD_NO_P, 0);
		assert_int_equal(last_stamp(&s), s.now / RIG_TICK_NS * RIG_TICK_NS);
		assert_int_equal(counts(&s)->repairs, 0);
		story_end(&s);
	}
}

static void a_time_that_an_event_has_passed_adds_nothing(void **state)
{
	struct story s;

	story_begin(&s, "past-time", 23);
	REC(REC_GO_BLOCK, 10, 0, 1, .reason = BLOCK_SLEEP);
	s.now -= 5000;
	REC(REC_TIME, 0, RECORD_NO_P, 0);
	EXPECT(EV_GO_BLOCK);
	s.now += 5000;
	story_end(&s);
}

static void time_alone_makes_no_file(void **state)
{
	struct story s;

	story_open(&s, "nothing-yet", 23);
	order_snapshot(s.rig->order, &(struct snapshot){0});
	REC(REC_TIME, 0, RECORD_NO_P, 0);
	EXPECT(0);
	assert_int_equal(counts(&s)->generations, 0);
	REC(REC_PROC_START, 10, 0, 0); /* and what comes later is still the first generation */
	REC(REC_GO_CREATE, 10, 0, 1, .arg = 0x3000);
	REC(REC_GO_START, 10, 0, 1);
	story_end(&s);
}

static void the_first_record_of_a_goroutine_beats_the_snapshot(void **state)
{
	struct story s;

	story_open(&s, "racy", 23);
	s.g[0].state = GO_WAITING; /* read after it blocked */
	s.g[0].tid = 0;
	s.p[0].tid = 0;            /* and its P went */
	order_snapshot(s.rig->order, &s.snap);
	s.now = 905000000;
	REC(REC_GO_BLOCK, 10, 0, 1, .reason = BLOCK_CHAN_RECV);
	REC(REC_PROC_STOP, 10, 0, 0);
	assert_int_equal(s.seen.n, 0); /* held back */
	s.now = 950000000;
	REC(REC_PROC_START, 11, 1, 0);
	assert_int_equal(counts(&s)->repairs + counts(&s)->dropped, 0);
	EXPECT(EV_PROC_STATUS, EV_PROC_STATUS, EV_GO_STATUS_STACK, EV_GO_STATUS_STACK,
	       EV_GO_STATUS_STACK, EV_PROCS_CHANGE,
	       EV_GO_BLOCK, EV_PROC_STOP, EV_PROC_START);
	story_end(&s);
}

static void a_goroutine_created_while_the_snapshot_is_read_is_not_declared(void **state)
{
	struct story s;

	story_open(&s, "created", 23);
	order_snapshot(s.rig->order, &s.snap);
	s.now = 905000000;
	REC(REC_GO_CREATE, 10, 0, 3, .creator = 1, .arg = 0x6000);
	s.now = 950000000;
	REC(REC_GO_STOP, 10, 0, 1);
	assert_int_equal(counts(&s)->repairs + counts(&s)->dropped, 0);
	EXPECT(EV_PROC_STATUS, EV_PROC_STATUS, EV_GO_STATUS_STACK, EV_GO_STATUS_STACK,
	       EV_PROCS_CHANGE, EV_GO_CREATE, EV_GO_STOP);
	story_end(&s);
}

static void a_contradictory_snapshot_becomes_something_legal(void **state)
{
	struct story s;

	story_open(&s, "contradiction", 22);
	for (int i = 0; i < 3; i++)
		s.g[i] = (struct snapshot_g){.goid = 1 + (uint64_t)i % 2, .tid = 10,
			.state = GO_RUNNING};
	s.p[1].tid = 10;
	order_snapshot(s.rig->order, &s.snap);
	s.now = 950000000;
	REC(REC_GO_STOP, 10, 0, 1);
	assert_int_equal(counts(&s)->repairs, 0);
	story_end(&s);
}

static void a_running_gc_at_attach_begins_with_the_trace(void **state)
{
	struct story s;

	story_open(&s, "gc", 22);
	s.snap.gc_running = 1;
	order_snapshot(s.rig->order, &s.snap);
	REC(REC_GC_END, 10, 0, 1);
	REC(REC_GC_BEGIN, 10, 0, 1);
	assert_int_equal(counts(&s)->dropped, 0);
	EXPECT(EV_PROC_STATUS, EV_PROC_STATUS, EV_GO_STATUS, EV_GO_STATUS, EV_GO_STATUS,
	       EV_GC_BEGIN, EV_PROCS_CHANGE, EV_GC_END,
	       EV_GC_BEGIN);
	story_end(&s);
}

static void a_launched_program_needs_no_snapshot(void **state)
{
	struct story s;

	story_open(&s, "launched", 23);
	order_snapshot(s.rig->order, &(struct snapshot){0});
	REC(REC_PROC_START, 10, 0, 0);
	REC(REC_GO_CREATE, 10, 0, 1, .arg = 0x3000);
	REC(REC_GO_START, 10, 0, 1);
	assert_int_equal(counts(&s)->repairs + counts(&s)->dropped, 0);
	EXPECT(EV_PROC_STATUS, EV_PROC_START, EV_GO_CREATE, EV_GO_START, EV_PROCS_CHANGE);
	story_end(&s);
}

/* ------------------------------------------------------------------ syscalls */

static void a_syscall_that_kept_its_p_ends_simply(void **state)
{
	struct story s;

	story_begin(&s, "kept", 23);
	REC(REC_SYSCALL_BEGIN, 10, 0, 1, .aux = 5);
	REC(REC_SYSCALL_END, 10, 0, 1, .aux = 5);
	EXPECT(EV_GO_SYSCALL_BEGIN, EV_GO_SYSCALL_END);
	story_end(&s);
}

static void the_same_p_with_another_ticket_was_away(void **state)
{
	struct story s;

	story_begin(&s, "ticket", 23);
	REC(REC_SYSCALL_BEGIN, 10, 0, 1, .aux = 5);
	REC(REC_SYSCALL_END, 10, 0, 1, .aux = 6);
	EXPECT(EV_GO_SYSCALL_BEGIN, EV_PROC_STOP, EV_PROC_START, EV_GO_SYSCALL_END_BLOCKED,
	       EV_GO_START);
	assert_int_equal(counts(&s)->repairs, 0);
	assert_int_equal(counts(&s)->steals, 1);
	story_end(&s);
}

static void a_p_started_elsewhere_was_stolen_from_the_syscall(void **state)
{
	struct story s;

	story_begin(&s, "stolen", 23);
	REC(REC_SYSCALL_BEGIN, 10, 0, 1);
	REC(REC_PROC_START, 11, 0, 0);
	REC(REC_GO_UNBLOCK, 11, 0, 2);
	REC(REC_GO_START, 11, 0, 2);
	REC(REC_SYSCALL_END_NO_P, 10, RECORD_NO_P, 1);
	EXPECT(EV_GO_SYSCALL_BEGIN, EV_PROC_STEAL, EV_PROC_START, EV_GO_UNBLOCK, EV_GO_START,
	       EV_GO_SYSCALL_END_BLOCKED);
	assert_int_equal(counts(&s)->repairs + counts(&s)->dropped, 0);
	story_end(&s);
}

static void leaving_with_another_p_means_the_first_was_stolen(void **state)
{
	struct story s;

	story_begin(&s, "other-p", 22);
	REC(REC_SYSCALL_BEGIN, 10, 0, 1);
	REC(REC_PROC_START, 10, 1, 0);
	REC(REC_SYSCALL_END, 10, 1, 1);
	EXPECT(EV_GO_SYSCALL_BEGIN, EV_PROC_STOP, EV_PROC_START, EV_GO_SYSCALL_END_BLOCKED,
	       EV_GO_START);
	assert_int_equal(counts(&s)->repairs, 0);
	story_end(&s);
}

static void a_c_thread_comes_runs_and_goes(void **state)
{
	struct story s;

	story_begin(&s, "cgo", 23);
	for (int i = 0; i < 2; i++) {
		REC(REC_CGO_CALLBACK, 50, RECORD_NO_P, 90);
		REC(REC_PROC_START, 50, 1, 0);
		REC(REC_SYSCALL_END, 50, 1, 90);
		REC(REC_SYSCALL_BEGIN, 50, 1, 90);
		REC(REC_CGO_RETURN, 50, RECORD_NO_P, 90);
		EXPECT(EV_GO_CREATE_SYSCALL, EV_PROC_START, EV_GO_SYSCALL_END_BLOCKED, EV_GO_START,
		       EV_GO_SYSCALL_BEGIN, EV_PROC_STOP,
		       EV_GO_DESTROY_SYSCALL);
	}
	assert_int_equal(counts(&s)->repairs + counts(&s)->dropped, 0);
	REC(REC_CGO_CALLBACK, 50, RECORD_NO_P, 90);
	REC(REC_CGO_CALLBACK, 51, RECORD_NO_P, 90); /* its return was lost */
	EXPECT(EV_GO_CREATE_SYSCALL, -EV_GO_DESTROY_SYSCALL, EV_GO_CREATE_SYSCALL);
	story_end(&s);
}

/* ------------------------------------------------------------------ coroutines */

static void coroutines(struct story *s)
{
	TELL(s, REC_GO_CREATE_BLOCKED, 10, 0, 20, .creator = 1, .arg = 0x6000);
	TELL(s, REC_GO_SWITCH, 10, 0, 20);
	TELL(s, REC_GO_SWITCH, 10, 0, 1);
	TELL(s, REC_GO_SWITCH, 10, 0, 21); /* Go 1.23: made without a record */
	TELL(s, REC_GO_DESTROY, 10, 0, 21, .flags = REC_F_CORO_EXIT);
	TELL(s, REC_GO_SWITCH, 10, 0, 1);
}

static void a_coroutine_switch_is_one_event(void **state)
{
	struct story s;

	story_begin(&s, "coro23", 23);
	coroutines(&s);
	EXPECT(EV_GO_CREATE_BLOCKED, EV_GO_SWITCH, EV_GO_SWITCH, EV_GO_CREATE_BLOCKED, EV_GO_SWITCH,
	       EV_GO_SWITCH_DESTROY);
	REC(REC_GO_UNBLOCK, 10, 0, 20); /* and is woken as any other */
	EXPECT(EV_GO_UNBLOCK);
	assert_int_equal(counts(&s)->repairs + counts(&s)->dropped, 0);
	story_end(&s);
}

static void the_old_header_tells_a_switch_by_parts(void **state)
{
	struct story s;

	story_begin(&s, "coro22", 22);
	coroutines(&s);
	EXPECT(EV_GO_CREATE, EV_GO_BLOCK, EV_GO_START, EV_GO_BLOCK, EV_GO_UNBLOCK, EV_GO_START,
	       EV_GO_CREATE, EV_GO_BLOCK, EV_GO_START,
	       EV_GO_DESTROY, EV_GO_UNBLOCK, EV_GO_START);
	assert_int_equal(counts(&s)->repairs + counts(&s)->dropped, 0);
	story_end(&s);
}

static void a_coroutine_exit_without_its_switch_is_a_death(void **state)
{
	struct story s;

	story_begin(&s, "coro-lost", 23);
	REC(REC_GO_DESTROY, 10, 0, 1, .flags = REC_F_CORO_EXIT);
	REC(REC_PROC_STOP, 10, 0, 0);
	EXPECT(EV_GO_DESTROY, EV_PROC_STOP);
	story_end(&s);
}

/* ------------------------------------------------------------------ losses */

static void a_lost_block_is_inserted_before_the_wake_up(void **state)
{
	struct story s;

	story_begin(&s, "lost-block", 22);
	REC(REC_GO_UNBLOCK, 11, RECORD_NO_P, 1);
	EXPECT(-EV_GO_BLOCK, EV_GO_UNBLOCK);
	REC(REC_GO_START, 11, 0, 1); /* the P moved unseen */
	EXPECT(-EV_PROC_STOP, -EV_PROC_START, EV_GO_START);
	story_end(&s);
}

static void an_unknown_goroutine_is_declared_or_created(void **state)
{
	struct story s;

	story_begin(&s, "unknown", 23);
	REC(REC_GO_UNBLOCK, 10, 0, 70);
	EXPECT(EV_GO_STATUS, EV_GO_UNBLOCK); /* the first generation may declare it */
	s.now += 2000000000;
	REC(REC_GO_UNBLOCK, 10, 0, 71);
	EXPECT(EV_PROC_STATUS, EV_PROC_STATUS, EV_GO_STATUS, EV_PROCS_CHANGE, -EV_GO_CREATE_BLOCKED,
	       EV_GO_UNBLOCK);
	REC(REC_GO_BLOCK, 11, 1, 72);
	EXPECT(-EV_PROC_START, -EV_GO_CREATE, -EV_GO_START, EV_GO_BLOCK);
	REC(REC_GO_START, 10, 0, 72);
	story_end(&s);
}

static void a_later_generation_declares_what_it_touches(void **state)
{
	struct story s;

	story_begin(&s, "lazy", 23);
	s.now += 2000000000;
	REC(REC_GO_UNBLOCK, 0, RECORD_NO_P, 2);
	EXPECT(EV_PROC_STATUS, EV_PROC_STATUS, EV_GO_STATUS, EV_PROCS_CHANGE, EV_GO_STATUS,
	       EV_GO_UNBLOCK);
	REC(REC_PROC_START, 11, 1, 0);
	REC(REC_GO_START, 11, 1, 2);
	EXPECT(EV_PROC_START, EV_GO_START);
	story_end(&s);
}

static void a_death_inside_a_range_closes_it(void **state)
{
	struct story s;

	story_begin(&s, "death", 22);
	REC(REC_ASSIST_BEGIN, 10, 0, 1);
	REC(REC_ASSIST_BEGIN, 10, 0, 1);
	REC(REC_GO_DESTROY, 10, 0, 1);
	EXPECT(EV_GC_ASSIST_BEGIN, -EV_GC_ASSIST_END, EV_GO_DESTROY);
	/* a second try of the same assist is no event, and no loss either */
	assert_int_equal(counts(&s)->dropped, 0);
	story_end(&s);
}

static void an_end_without_a_begin_is_dropped(void **state)
{
	struct story s;

	story_begin(&s, "ends", 22);
	REC(REC_STW_END, 10, 0, 1);
	REC(REC_ASSIST_END, 10, 0, 1);
	REC(REC_SWEEP_END, 10, 0, 1);
	REC(REC_GC_END, 10, 0, 1);
	assert_int_equal(s.seen.n, 0);
	/* that of an assist is told on the way in as well */
	assert_int_equal(counts(&s)->dropped, 3);
	story_end(&s);
}

static void regions_nest_although_an_end_is_lost(void **state)
{
	struct story s;

	story_begin(&s, "regions", 22);
	REC(REC_REGION_BEGIN, 10, 0, 1, .text = "outer", .text_len = 5);
	REC(REC_REGION_BEGIN, 10, 0, 1, .text = "inner", .text_len = 5);
	REC(REC_REGION_END, 10, 0, 1, .text = "outer", .text_len = 5);
	EXPECT(EV_REGION_BEGIN, EV_REGION_BEGIN, -EV_REGION_END, EV_REGION_END);
	REC(REC_REGION_BEGIN, 10, 0, 1, .text = "outer", .text_len = 5);
	REC(REC_REGION_END, 10, 0, 1, .text = "other", .text_len = 5);
	EXPECT(EV_REGION_BEGIN);
	story_end(&s);
}

static void a_loss_stands_in_the_file_at_its_place(void **state)
{
	struct story s;
	struct buf file CLEANUP(buf_free) = {0};
	struct extra_chunks x;
	uint64_t from, to, n;

	story_begin(&s, "loss", 23);
	s.now += 100000000;
	REC(REC_LOSS, 0, RECORD_NO_P, 0, .arg = 17, .object = s.now - 500);
	assert_int_equal(counts(&s)->generations, 1);
	REC(REC_GO_STOP, 10, 0, 1);
	order_extra(s.rig->order, "\1host=box\npid=7\nhost=other\n", 28);
	assert_int_equal(order_finish(s.rig->order), 0);
	assert_int_equal(read_file(s.rig->path, 1 << 20, &file), 0);
	assert_int_equal(extra_scan(file.v, file.n, &x), 0);
	assert_int_equal(x.chunks.n, 3); /* attach, loss, metadata */
	assert_int_equal(x.chunks.v[0].kind, 3);
	assert_int_equal(x.chunks.v[1].generation, 1);
	assert_int_equal(extra_decode_loss(&x.chunks.v[1], &from, &to, &n), 0);
	assert_int_equal(n, 17);
	assert_int_equal(to, s.now - 1000);
	char *host = extra_metadata_value(&x, "host");

	assert_string_equal(host, "other");
	free(host);
	extra_chunks_free(&x);
	story_end(&s);
}

static void what_is_told_after_the_last_cut_is_in_the_file(void **state)
{
	struct story s;
	struct buf file CLEANUP(buf_free) = {0};
	struct extra_chunks x;

	story_begin(&s, "late-extra", 22);
	s.now += 2000000000;
	REC(REC_TIME, 0, RECORD_NO_P, 0);
	order_extra(s.rig->order, "\1lost=0\n", 8);
	assert_int_equal(order_finish(s.rig->order), 0);
	assert_int_equal(read_file(s.rig->path, 1 << 20, &file), 0);
	assert_int_equal(extra_scan(file.v, file.n, &x), 0);
	char *lost = extra_metadata_value(&x, "lost");

	assert_non_null(lost);
	free(lost);
	extra_chunks_free(&x);
	story_end(&s);
}

static void why_goroutines_waited_at_attach_stands_in_the_file(void **state)
{
	struct story s;
	struct buf file CLEANUP(buf_free) = {0};
	struct extra_chunks x;
	struct attach_decoder d;
	uint64_t goid;
	uint8_t block, wait;

	story_begin(&s, "attach", 22);
	assert_int_equal(order_finish(s.rig->order), 0);
	assert_int_equal(read_file(s.rig->path, 1 << 20, &file), 0);
	assert_int_equal(extra_scan(file.v, file.n, &x), 0);
	attach_decoder_init(&d, &x.chunks.v[0]);
	assert_int_equal(attach_decoder_next(&d, &goid, &block, &wait), 1);
	assert_true(goid == 2 && block == BLOCK_NET && wait == 7);
	assert_int_equal(attach_decoder_next(&d, &goid, &block, &wait), 1);
	assert_true(goid == 3 && block == BLOCK_SLEEP && wait == 9);
	assert_int_equal(attach_decoder_next(&d, &goid, &block, &wait), 0);
	extra_chunks_free(&x);
	story_end(&s);
}

static void garbage_after_the_header_is_not_extra_data(void **state)
{
	struct story s;
	struct buf file CLEANUP(buf_free) = {0};
	struct extra_chunks x;

	story_begin(&s, "garbage", 22);
	assert_int_equal(order_finish(s.rig->order), 0);
	assert_int_equal(read_file(s.rig->path, 1 << 20, &file), 0);
	assert_int_equal(extra_scan("go 1.22", 7, &x), -EBADMSG);
	for (size_t n = 16; n < file.n; n++) { /* every cut, every flipped byte */
		uint8_t *copy = xmemdup(file.v, n);

		copy[n - 1] ^= 0xff;
		assert_int_equal(extra_scan(copy, n, &x), n == 16 ? -EBADMSG : 0);
		if (n > 16)
			extra_chunks_free(&x);
		free(copy);
	}
	story_end(&s);
}

/* ------------------------------------------------------------------ the rest */

static void a_label_follows_the_start_of_its_worker(void **state)
{
	struct story s;

	story_begin(&s, "label", 22);
	REC(REC_GO_UNBLOCK, 10, 0, 2);
	REC(REC_PROC_START, 11, 1, 0);
	REC(REC_GO_START, 11, 1, 2, .reason = GC_WORKER_IDLE);
	EXPECT(EV_GO_UNBLOCK, EV_PROC_START, EV_GO_START, EV_GO_LABEL);
	story_end(&s);
}

static void no_generation_ends_while_the_world_stands(void **state)
{
	struct story s;

	story_begin(&s, "stw", 22);
	REC(REC_STW_BEGIN, 10, 0, 1, .reason = 1);
	s.now += 3000000000;
	REC(REC_HEAP_ALLOC, 10, 0, 1, .arg = 1000);
	assert_int_equal(counts(&s)->generations, 0);
	REC(REC_STW_END, 10, 0, 1);
	REC(REC_GO_STOP, 10, 0, 1);
	assert_int_equal(counts(&s)->generations, 1);
	story_end(&s);
}

static void who_takes_its_own_p_away_goes_on_with_another_as_gos_tracer_tells_it(void **state)
{
	struct story s;

	story_begin(&s, "resize", 22);
	REC(REC_STW_BEGIN, 10, 0, 1, .reason = 9);
	s.seen.n = 0;
	REC(REC_PROC_START, 10, 1, 0);
	EXPECT(EV_GO_STOP, EV_PROC_STOP, EV_PROC_START, EV_GO_START);
	REC(REC_STW_END, 10, 1, 1);
	EXPECT(EV_STW_END);
	assert_int_equal(counts(&s)->repairs + counts(&s)->dropped, 0);
	story_end(&s);
}

static void a_stop_the_world_without_end_does_not_hold_the_file_for_ever(void **state)
{
	struct story s;

	story_begin(&s, "stw-lost", 22);
	REC(REC_STW_BEGIN, 10, 0, 1, .reason = 1);
	s.now += 30000000000;
	REC(REC_HEAP_ALLOC, 10, 0, 1, .arg = 1000);
	assert_int_equal(counts(&s)->generations, 1);
	REC(REC_GO_BLOCK, 10, 0, 1);
	story_end(&s);
}

static void a_metric_of_no_thread_finds_one(void **state)
{
	struct story s;

	story_begin(&s, "heap", 22);
	REC(REC_HEAP_ALLOC, 0, RECORD_NO_P, 0, .arg = 1000);
	REC(REC_HEAP_GOAL, 11, RECORD_NO_P, 0, .arg = 2000);
	assert_int_equal(s.seen.v[0].m, 10);
	assert_int_equal(s.seen.v[1].m, 10);
	EXPECT(EV_HEAP_ALLOC, EV_HEAP_GOAL);
	story_end(&s);
}

static void a_metric_without_any_p_waits_for_one(void **state)
{
	struct story s;

	story_begin(&s, "heap-idle", 22);
	REC(REC_GO_BLOCK, 10, 0, 1);
	REC(REC_PROC_STOP, 10, 0, 0);
	REC(REC_HEAP_ALLOC, 0, RECORD_NO_P, 0, .arg = 1000);
	REC(REC_HEAP_ALLOC, 0, RECORD_NO_P, 0, .arg = 2000);
	REC(REC_PROC_START, 11, 1, 0);
	assert_int_equal(s.seen.v[3].value, 2000);
	EXPECT(EV_GO_BLOCK, EV_PROC_STOP, EV_PROC_START, EV_HEAP_ALLOC);
	assert_int_equal(counts(&s)->dropped, 0);
	story_end(&s);
}

static void goroutine_zero_is_none(void **state)
{
	struct story s;

	story_begin(&s, "zero", 22);
	REC(REC_GO_START, 11, 1, 0);
	REC(REC_GO_UNBLOCK, 11, 1, 0);
	REC(REC_NONE, 11, 1, 5);
	REC(200, 11, 1, 5);
	REC(REC_GO_START, 11, 1, UINT64_MAX); /* no goroutine to Go's readers */
	REC(REC_GO_CREATE, 11, 1, 5, .creator = UINT64_MAX - 7);
	assert_int_equal(s.seen.n, 0);
	assert_int_equal(counts(&s)->dropped, 6);
	story_end(&s);
}

static void nothing_of_the_next_program_counts(void **state)
{
	struct story s;

	story_begin(&s, "exec", 22);
	REC(REC_TARGET_EXEC, 10, RECORD_NO_P, 0);
	REC(REC_GO_STOP, 10, 0, 1);
	assert_int_equal(s.seen.n, 0);
	story_end(&s);
}

static void stamps_rise_strictly(void **state)
{
	struct story s;

	story_begin(&s, "stamps", 22);
	for (int i = 0; i < 10; i++) {
		s.now -= 1500;
		REC(REC_HEAP_ALLOC, 10, 0, 1, .arg = 1000);
	}
	for (size_t i = 1; i < s.seen.n; i++)
		assert_true(s.seen.v[i].ts_ns >= s.seen.v[i - 1].ts_ns + RIG_TICK_NS);
	story_end(&s);
}

static void a_full_disk_is_told_and_harmless(void **state)
{
	struct story s;

	story_begin(&s, "full", 22);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(full >= 0 && dup2(full, s.rig->fd) >= 0);
	close(full);
	s.now += 2000000000;
	assert_int_equal(record(&s, (struct record){.type = REC_GO_STOP, .tid = 10, .p = 0,
		.goid = 1}), -ENOSPC);
	assert_int_equal(record(&s, (struct record){.type = REC_GO_START, .tid = 10, .p = 0,
		.goid = 1}), -ENOSPC);
	assert_int_equal(order_finish(s.rig->order), -ENOSPC);
	unlink(s.rig->path);
	vec_free(&s.seen);
	rig_free(s.rig);
}

static void every_file_is_valid_for_a_foreign_reader(void **state)
{
	char *files = xasprintf("%s/*.trace", rig_dir());

	assert_int_equal(rig_check(files), 0);
	free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_target_alone_makes_a_valid_file),
		cmocka_unit_test(a_generation_of_an_idle_target_is_cut_by_time),
		cmocka_unit_test(a_trace_is_as_long_as_its_recording),
		cmocka_unit_test(a_time_that_an_event_has_passed_adds_nothing),
		cmocka_unit_test(time_alone_makes_no_file),
		cmocka_unit_test(the_first_record_of_a_goroutine_beats_the_snapshot),
		cmocka_unit_test(a_goroutine_created_while_the_snapshot_is_read_is_not_declared),
		cmocka_unit_test(a_contradictory_snapshot_becomes_something_legal),
		cmocka_unit_test(a_running_gc_at_attach_begins_with_the_trace),
		cmocka_unit_test(a_launched_program_needs_no_snapshot),
		cmocka_unit_test(a_syscall_that_kept_its_p_ends_simply),
		cmocka_unit_test(the_same_p_with_another_ticket_was_away),
		cmocka_unit_test(a_p_started_elsewhere_was_stolen_from_the_syscall),
		cmocka_unit_test(leaving_with_another_p_means_the_first_was_stolen),
		cmocka_unit_test(a_c_thread_comes_runs_and_goes),
		cmocka_unit_test(a_coroutine_switch_is_one_event),
		cmocka_unit_test(the_old_header_tells_a_switch_by_parts),
		cmocka_unit_test(a_coroutine_exit_without_its_switch_is_a_death),
		cmocka_unit_test(a_lost_block_is_inserted_before_the_wake_up),
		cmocka_unit_test(an_unknown_goroutine_is_declared_or_created),
		cmocka_unit_test(a_later_generation_declares_what_it_touches),
		cmocka_unit_test(a_death_inside_a_range_closes_it),
		cmocka_unit_test(an_end_without_a_begin_is_dropped),
		cmocka_unit_test(regions_nest_although_an_end_is_lost),
		cmocka_unit_test(a_loss_stands_in_the_file_at_its_place),
		cmocka_unit_test(what_is_told_after_the_last_cut_is_in_the_file),
		cmocka_unit_test(why_goroutines_waited_at_attach_stands_in_the_file),
		cmocka_unit_test(garbage_after_the_header_is_not_extra_data),
		cmocka_unit_test(a_label_follows_the_start_of_its_worker),
		cmocka_unit_test(no_generation_ends_while_the_world_stands),
		cmocka_unit_test(who_takes_its_own_p_away_goes_on_with_another_as_gos_tracer_tells_it),
		cmocka_unit_test(a_stop_the_world_without_end_does_not_hold_the_file_for_ever),
		cmocka_unit_test(a_metric_of_no_thread_finds_one),
		cmocka_unit_test(a_metric_without_any_p_waits_for_one),
		cmocka_unit_test(goroutine_zero_is_none),
		cmocka_unit_test(nothing_of_the_next_program_counts),
		cmocka_unit_test(stamps_rise_strictly),
		cmocka_unit_test(a_full_disk_is_told_and_harmless),
		cmocka_unit_test(every_file_is_valid_for_a_foreign_reader),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rig_clean();
	return failed;
}
