/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_order_random.c - a made-up scheduler (sim.h) against a foreign reader.
 *
 * Whatever is lost, the file is valid; if nothing is lost, order inserts and drops nothing, and the
 * reader counts what the scheduler did. RANDOM_RUNS=n: more runs per case (default 6);
 * RANDOM_SEED=n: others. KEEP=1 leaves the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "order_rig.h"
#include "read/extra.h"
#include "sim.inc.h"

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static void define_stacks(struct order *o, struct sim *s)
{
	for (uint32_t id = 1; id <= s->n_stacks; id++) {
		uint64_t pcs[40];
		uint16_t n = (uint16_t)(1 + sim_random(s, 38));

		for (int i = 0; i < n; i++)
			pcs[i] = 0x1000 * (3 + sim_random(s, 200)) + 1 + sim_random(s, 4000);
		pcs[n] = 0x1001; /* runtime.goexit */
		order_stack(o, &(struct stack_def){.id = id, .n = n + 1, .pcs = pcs});
	}
}

struct damage {
	double loss;        /* part of the records that does not arrive */
	unsigned jitter_ns; /* stamps this much too old */
	bool is_told;       /* by REC_LOSS */
};

static void feed(struct order *o, struct sim *s, const struct damage *d)
{
	uint64_t lost = 0, since = 0;

	order_snapshot(o, &s->snap);
	for (size_t i = 0; i < s->records.n; i++) {
		struct record r = s->records.v[i];

		if ((double)sim_random(s, 1000000) < d->loss * 1e6) {
			since = lost++ ? since : r.ts_ns;
			continue;
		}
		if (lost && d->is_told && chance(s, 5)) {
			order_record(o, &(struct record){
				.type = REC_LOSS, .ts_ns = r.ts_ns, .object = since, .arg = lost,
				.p = RECORD_NO_P,
			});
			lost = 0;
		}
		if (d->jitter_ns && chance(s, 10))
			r.ts_ns -= sim_random(s, d->jitter_ns);
		assert_int_equal(order_record(o, &r), 0);
	}
	assert_int_equal(order_finish(o), 0);
}

/* A number of the JSON object; 0 if it is not there. */
static uint64_t number_of(const char *json, const char *key)
{
	char *quoted = xasprintf("\"%s\": ", key);
	const char *at = strstr(json, quoted);
	uint64_t n = at ? strtoull(at + strlen(quoted), NULL, 10) : 0;

	free(quoted);
	return n;
}

static const char *const transitions[N_COUNTS] = {
	[N_CREATE] = "NotExist->Runnable", [N_CREATE_PARKED] = "NotExist->Waiting",
		[N_CREATE_SYSCALL] = "NotExist->Syscall",
	[N_START] = "Runnable->Running", [N_BLOCK] = "Running->Waiting",
		[N_STOP] = "Running->Runnable",
	[N_UNBLOCK] = "Waiting->Runnable", [N_DESTROY] = "Running->NotExist",
		[N_DESTROY_SYSCALL] = "Syscall->NotExist",
	[N_SYSCALL] = "Running->Syscall", [N_SYSCALL_END] = "Syscall->Running",
		[N_SYSCALL_LOST] = "Syscall->Runnable",
};

static void check_counts(struct rig *r, const struct sim *s)
{
	const char *tool = getenv("GOTRACE_TRACECHECK");
	char *home = xasprintf("%s/.cache/gotrace-check/tracecheck", getenv("HOME") ?
			       getenv("HOME") : "");
	char *command = xasprintf("%s -json %s > %s.json", tool ? tool : home, r->path, r->path);
	char *json_path = xasprintf("%s.json", r->path);
	struct buf json CLEANUP(buf_free) = {0};

	/* check-trace builds it there; without it only validity was judged. */
	if (rig_judge() && !system(command) && !read_file(json_path, 64 << 20, &json)) {
		for (int i = 0; i < N_COUNTS; i++) {
			uint64_t got = number_of((char *)json.v, transitions[i]);

			if (got != s->counts[i])
				fail_msg("%s: %s: the scheduler did %lu, the reader counts %lu",
					 r->path, transitions[i],
					 s->counts[i], got);
		}
		assert_int_equal(number_of((char *)json.v, "logs"), s->logs);
		assert_int_equal(number_of((char *)json.v, "task_events"), s->tasks);
		assert_int_equal(number_of((char *)json.v, "region_events"), s->regions);
	}
	free(json_path);
	free(command);
	free(home);
}

/*
 * The objects of all blocks, as the reader of extra data gets them. A generation that knows none
 * of its objects has no list.
 */
static void check_waits(struct rig *r, const struct sim *s)
{
	struct buf file CLEANUP(buf_free) = {0};
	struct extra_chunks x = {0};
	size_t at = 0;

	assert_int_equal(read_file(r->path, 1 << 30, &file), 0);
	assert_int_equal(extra_scan(file.v, file.n, &x), 0);
	assert_false(x.is_cut);
	for (size_t i = 0; i < x.chunks.n; i++) {
		struct wait_decoder d;
		uint64_t object;
		uint8_t kind;

		if (x.chunks.v[i].kind != 2)
			continue;
		wait_decoder_init(&d, &x.chunks.v[i]);
		while (wait_decoder_next(&d, &kind, &object) == 1) {
			if (!kind)
				continue;
			while (at < s->waits.n && !s->waits.v[at].kind)
				at++;
			assert_true(at < s->waits.n);
			assert_int_equal(kind, s->waits.v[at].kind);
			assert_true(object == s->waits.v[at].object);
			at++;
		}
		wait_decoder_free(&d);
	}
	while (at < s->waits.n && !s->waits.v[at].kind)
		at++;
	assert_int_equal(at, s->waits.n);
	extra_chunks_free(&x);
}

static void run(const char *name, uint64_t seed, int minor, bool with_coroutines,
		const struct damage *d)
{
	char *file = xasprintf("%s-%d-%lu", name, minor, seed);
	struct rig *r = rig_new(file, minor, (struct order_config){.generation_ns = 1000000,
		.wait_objects = true});
	struct sim s;

	sim_init(&s, seed, with_coroutines, 1 + (int)(seed % 5), 3 + (int)(seed % 12), 30);
	define_stacks(r->order, &s);
	sim_run(&s, (int)(seed % 3) * 500, 300, (int)from_env("RANDOM_STEPS", 6000));
	feed(r->order, &s, d);
	const struct order_counts *c = order_counts(r->order);

	if (!d->loss) {
		if (c->repairs || c->dropped)
			fail_msg("%s: %lu repairs, %lu dropped of %lu records", r->path, c->repairs,
				 c->dropped, c->records);
		assert_true(c->generations >= 1);
		if (minor >= 23) {
			check_counts(r, &s);
			check_waits(r, &s);
		}
	}
	sim_free(&s);
	rig_free(r);
	free(file);
}

static void run_many(const char *name, const struct damage *d)
{
	uint64_t runs = from_env("RANDOM_RUNS", 6), seed = from_env("RANDOM_SEED", 1);

	for (uint64_t i = 0; i < runs; i++) {
		run(name, seed + i, 23, true, d);
		run(name, seed + i, 22, i % 2, d);
	}
	char *files = xasprintf("%s/%s-*.trace", rig_dir(), name);

	assert_int_equal(rig_check(files), 0);
	free(files);
}

static void nothing_lost_nothing_inserted(void **state)
{
	rig_judge();
	run_many("whole", &(struct damage){.loss = 0});
}

static void stamps_a_little_too_old_change_nothing(void **state)
{
	run_many("jitter", &(struct damage){.loss = 0, .jitter_ns = 3000});
}

static void one_in_a_thousand_lost_is_healed(void **state)
{
	run_many("loss01", &(struct damage){.loss = 0.001});
}

static void one_in_twenty_lost_and_told_is_healed(void **state)
{
	run_many("loss5", &(struct damage){.loss = 0.05, .jitter_ns = 3000, .is_told = true});
}

static void half_lost_is_healed(void **state)
{
	run_many("loss50", &(struct damage){.loss = 0.5, .jitter_ns = 3000});
}

/* Not even a scheduler: any type, few ids, so that everything meets everything. */
static struct record any_record(struct sim *s)
{
	static const char text[] = "a\0b";

	s->now += sim_random(s, 3000);
	return (struct record){
		.ts_ns = s->now, .type = (uint8_t)sim_random(s, 74), .goid = sim_random(s, 12),
		.tid = (uint32_t)sim_random(s, 7),
		.p = chance(s, 1) ? (int32_t)sim_random(s, UINT32_MAX) :
		(int32_t)sim_random(s, 6) - 1,
		.arg = sim_random(s, 8), .object = sim_random(s, 4), .creator = sim_random(s, 12),
		.aux = (uint32_t)sim_random(s, 2),
		.stack = (uint32_t)sim_random(s, 70), .reason = (uint8_t)sim_random(s, 20),
		.skip = (uint8_t)sim_random(s, 3),
		.flags = (uint8_t)sim_random(s, 4), .wait_kind = (uint8_t)sim_random(s, 5),
		.text = text,
		.text_len = (uint16_t)sim_random(s, 4), .key_len = (uint8_t)sim_random(s, 5),
	};
}

static void any_snapshot(struct sim *s)
{
	for (int i = 0; i < 20; i++)
		*vec_push(&s->snap_g) = (struct snapshot_g){
			.goid = sim_random(s, 12), .state = (uint8_t)sim_random(s, 6),
			.tid = (uint32_t)sim_random(s, 7),
			.stack = (uint32_t)sim_random(s, 70), .start_pc = 0x3000,
		};
	for (int i = 0; i < 5; i++)
		*vec_push(&s->snap_p) = (struct snapshot_p){.id = (int32_t)sim_random(s, 8) - 1,
			.tid = (uint32_t)sim_random(s, 7)};
	s->snap = (struct snapshot){
		.g = s->snap_g.v, .n_g = (uint32_t)s->snap_g.n, .p = s->snap_p.v,
		.n_p = (uint32_t)s->snap_p.n,
		.begin_ns = s->now + sim_random(s, 100000), .end_ns = s->now +
		sim_random(s, 1000000),
		.gc_running = (uint8_t)sim_random(s, 2),
	};
}

static void run_any(uint64_t seed, int minor)
{
	char *file = xasprintf("any-%d-%lu", minor, seed);
	struct rig *r = rig_new(file, minor, (struct order_config){
		.generation_ns = 2000000, .wait_objects = true, .generation_bytes = seed % 2 ?
		5000 : 0,
	});
	struct sim s;

	sim_init(&s, seed, false, 1, 1, 0);
	define_stacks(r->order, &s);
	any_snapshot(&s);
	if (seed % 4)
		order_snapshot(r->order, &s.snap);
	for (int i = 0; i < 5000; i++) {
		struct record rec = any_record(&s);

		if (rec.type != REC_TARGET_EXEC)
			assert_int_equal(order_record(r->order, &rec), 0);
	}
	assert_int_equal(order_finish(r->order), 0);
	sim_free(&s);
	rig_free(r);
	free(file);
}

static void any_records_at_all_make_a_valid_file(void **state)
{
	uint64_t runs = from_env("RANDOM_RUNS", 6), seed = from_env("RANDOM_SEED", 1);

	for (uint64_t i = 0; i < runs; i++) {
		run_any(seed + i, 23);
		run_any(seed + i, 22);
	}
	char *files = xasprintf("%s/any-*.trace", rig_dir());

	assert_int_equal(rig_check(files), 0);
	free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_lost_nothing_inserted),
		cmocka_unit_test(stamps_a_little_too_old_change_nothing),
		cmocka_unit_test(one_in_a_thousand_lost_is_healed),
		cmocka_unit_test(one_in_twenty_lost_and_told_is_healed),
		cmocka_unit_test(half_lost_is_healed),
		cmocka_unit_test(any_records_at_all_make_a_valid_file),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rig_clean();
	return failed;
}
