/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_writer.c - bytes of the file. Expected bytes are worked out from trace-format.md, sections
 * 2 to 5.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "order_rig.h"
#include "read/extra.h"
#include "trace/extra.h"

struct paper {
	struct rig rig;
	struct buf file;
};

static void paper_open(struct paper *p, const char *name, int minor)
{
	*p = (struct paper){0};
	rig_open_file(&p->rig, name, minor);
}

/* Reads what was written. */
static void paper_read(struct paper *p)
{
	buf_free(&p->file);
	assert_int_equal(read_file(p->rig.path, 1 << 28, &p->file), 0);
}

static void paper_close(struct paper *p)
{
	buf_free(&p->file);
	writer_free(p->rig.writer);
	stacks_free(p->rig.stacks);
	close(p->rig.fd);
	free(p->rig.path);
}

static void status(struct paper *p, uint64_t ts_ns)
{
	writer_event(p->rig.writer, &(struct event){.type = EV_PROC_STATUS, .ts_ns = ts_ns,
		.m = EVENT_NO_M, .id = 0, .status = 2});
}

/* P 0 on thread 5 runs goroutine 1. */
static void begin_running(struct paper *p)
{
	struct writer *w = p->rig.writer;

	writer_begin_generation(w, 1600);
	writer_event(w, &(struct event){.type = EV_PROC_STATUS, .ts_ns = 1600, .m = 5,
		.status = 1});
	writer_event(w, &(struct event){.type = EV_GO_STATUS, .ts_ns = 1600, .m = 5, .id = 1,
		.value = 5, .status = 2});
}

static bool contains(const struct buf *b, const void *bytes, size_t n)
{
	return memmem(b->v, b->n, bytes, n);
}

static void a_small_file_has_exactly_these_bytes(void **state)
{
	static const uint8_t want[] =
		"go 1.22 trace\0\0\0"
		"\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x64\x85\x80\0" "\x08\xa0\xd9\xe6\x1d" /* 62,500,000 a second */
		"\x01\x01\x05\x64\x8d\x80\0"
		"\x0d\0\0\x01"      /* ProcStatus dt 0, P 0, running */
		"\x19\0\x01\x05\x02" /* GoStatus dt 0, G 1, M 5, running */
		"\x25\x03\xe8\x07"; /* HeapAlloc dt 3, 1000 */
	struct paper p;

	paper_open(&p, "bytes", 22);
	begin_running(&p);
	writer_event(p.rig.writer, &(struct event){.type = EV_HEAP_ALLOC, .ts_ns = 1600 + 3 * 16,
		.m = 5, .value = 1000});
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	paper_read(&p);
	assert_int_equal(p.file.n, sizeof(want) - 1);
	assert_memory_equal(p.file.v, want, sizeof(want) - 1);
	assert_int_equal(writer_written(p.rig.writer), p.file.n);
	paper_close(&p);
}

static void a_generation_without_events_is_not_written(void **state)
{
	struct paper p;

	paper_open(&p, "empty", 23);
	writer_begin_generation(p.rig.writer, 1600);
	writer_extra(p.rig.writer, "\1a=b\n", 5);
	writer_event(p.rig.writer, &(struct event){.type = EV_CPU_SAMPLE, .ts_ns = 1600, .m = 5,
		.p = EVENT_NO_P});
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	assert_int_equal(writer_written(p.rig.writer), 0);
	writer_begin_generation(p.rig.writer, 3200);
	status(&p, 3200);
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	paper_read(&p);
	assert_true(contains(&p.file, "a=b", 3)); /* what waited went out */
	assert_true(contains(&p.file, "\x06\x07\x64\x05\xff\xff", 6));
	paper_close(&p);
}

static void fixed_strings_keep_their_ids_in_every_generation(void **state)
{
	static const struct str words[] = {{"alpha", 5}, {"beta", 4}};
	struct paper p;

	paper_open(&p, "fixed", 22);
	writer_fix_strings(p.rig.writer, words, 2);
	begin_running(&p);
	/* By address and by content. */
	writer_event(p.rig.writer, &(struct event){.type = EV_GO_BLOCK, .ts_ns = 3200, .m = 5,
		.name = words[1]});
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	writer_begin_generation(p.rig.writer, 4800);
	writer_event(p.rig.writer, &(struct event){.type = EV_GO_UNBLOCK, .ts_ns = 4800, .m = 5,
		.id = 1, .seq = 1});
	writer_event(p.rig.writer, &(struct event){.type = EV_GO_LABEL, .ts_ns = 4816, .m = 5,
		.name = {"xbeta" + 1, 4}});
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	paper_read(&p);
	assert_true(contains(&p.file, "\x14\x64\x02\0", 4));
	assert_true(contains(&p.file, "\x27\x01\x02", 3));
	for (size_t i = 0, found = 0; i + 9 < p.file.n; i++) {
		found += !memcmp(p.file.v + i, "\x05\x01\x05" "alpha", 8);
		if (i + 10 == p.file.n)
			assert_int_equal(found, 2);
	}
	unlink(p.rig.path); /* the label is nobody's: for bytes only */
	paper_close(&p);
}

static void long_names_are_cut_at_the_side_go_cuts(void **state)
{
	struct paper p;
	static char value[3000];

	memset(value, 'v', sizeof(value));
	value[0] = 'B';
	value[1023] = 'E';
	paper_open(&p, "long", 22);
	begin_running(&p);
	writer_event(p.rig.writer, &(struct event){
		.type = EV_LOG, .ts_ns = 3200, .m = 5, .name = {"k", 1},
		.text = {value, sizeof(value)},
	});
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	paper_read(&p);
	assert_true(contains(&p.file, "\x80\x08" "Bv", 4)); /* 1024 of it, from its beginning */
	assert_false(contains(&p.file, "Ev", 2));
	paper_close(&p);
}

static int long_frames(struct symbols *self, uint64_t pc, struct frame *out, int max)
{
	static char name[2001];

	memset(name, 'n', 2000);
	name[1999] = 'Z';
	name[0] = 'A';
	*out = (struct frame){.pc = pc, .func = name, .file = "/f.go", .line = 1};
	return 1;
}

static void function_names_keep_their_end(void **state)
{
	struct paper p;

	paper_open(&p, "long-func", 22);
	p.rig.symbols.symbols.frames = long_frames;
	stacks_define(p.rig.stacks, &(struct stack_def){.id = 1, .n = 1,
		.pcs = (const uint64_t[]){0x9000}});
	begin_running(&p);
	writer_event(p.rig.writer, &(struct event){
		.type = EV_GO_STOP, .ts_ns = 3200, .m = 5,
		.stack = stacks_logical(p.rig.stacks, 1, 0, false),
	});
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	paper_read(&p);
	assert_true(contains(&p.file, "\x80\x08nn", 4));
	assert_true(contains(&p.file, "nnZ", 3));
	assert_false(contains(&p.file, "An", 2));
	paper_close(&p);
}

static void batches_end_at_64_kib(void **state)
{
	struct paper p;

	paper_open(&p, "batches", 22);
	begin_running(&p);
	for (uint64_t i = 1; i < 100000; i++)
		writer_event(p.rig.writer, &(struct event){.type = EV_HEAP_ALLOC, .ts_ns = 1600 +
			i * 16, .m = 5, .value = 1 << 20});
	assert_true(writer_pending(p.rig.writer) > 400000);
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	assert_int_equal(writer_pending(p.rig.writer), 0);
	paper_close(&p); /* judged below */
}

static void many_threads_and_generations_make_one_file(void **state)
{
	struct paper p;
	uint64_t now = 16000;

	paper_open(&p, "threads", 23);
	for (int generation = 0; generation < 5; generation++) {
		writer_begin_generation(p.rig.writer, now += 16);
		for (uint64_t m = 0; m < 2000; m++) {
			if (!generation)
				writer_event(p.rig.writer, &(struct event){
					.type = EV_GO_STATUS, .ts_ns = now += 16, .m = EVENT_NO_M,
					.id = m + 1,
					.value = EVENT_NO_M, .status = 4,
				});
			else if (m % 5 == (uint64_t)generation)
				writer_event(p.rig.writer, &(struct event){
					.type = EV_PROC_STATUS, .ts_ns = now += 16, .m = m, .id = m,
					.status = 2,
				});
		}
		assert_int_equal(writer_end_generation(p.rig.writer), 0);
	}
	paper_close(&p);
}

static void extra_data_of_any_length_comes_back(void **state)
{
	static const size_t sizes[] = {1, 2, 1000, 1014, 1015, 1016, 1017, 2031, 100000, 300000};
	struct extra_chunks x;
	struct paper p;
	uint8_t *data = xcalloc(1, 300000);

	for (size_t i = 0; i < 300000; i++)
		data[i] = (uint8_t)hash_u64(i);
	paper_open(&p, "extra", 22);
	begin_running(&p);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		writer_extra(p.rig.writer, data, sizes[i]);
	assert_int_equal(writer_end_generation(p.rig.writer), 0);
	paper_read(&p);
	assert_int_equal(extra_scan(p.file.v, p.file.n, &x), 0);
	assert_int_equal(x.chunks.n, ARRAY_SIZE(sizes));
	assert_int_equal(x.broken, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(x.chunks.v[i].n, sizes[i] - 1);
		assert_memory_equal(x.chunks.v[i].data - 1, data, sizes[i]);
	}
	extra_chunks_free(&x);
	free(data);
	paper_close(&p);
}

static void wait_objects_cost_about_a_byte(void **state)
{
	struct wait_coder c = {0};
	struct wait_decoder d;
	uint64_t object;
	uint8_t kind;

	for (uint64_t i = 0; i < 10000; i++)
		wait_coder_add(&c, 1 + i % 3 % 2, 0xc000000000 + hash_u64(i) % 60 * 96);
	assert_true(c.chunk.n < 11500);
	wait_decoder_init(&d, &(struct extra_chunk){.data = c.chunk.v + 1, .n = c.chunk.n - 1});
	for (uint64_t i = 0; i < 10000; i++) {
		assert_int_equal(wait_decoder_next(&d, &kind, &object), 1);
		assert_true(kind == 1 + i % 3 % 2 && object == 0xc000000000 +
			    hash_u64(i) % 60 * 96);
	}
	assert_int_equal(wait_decoder_next(&d, &kind, &object), 0);
	wait_decoder_free(&d);
	wait_coder_free(&c);
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
		cmocka_unit_test(a_small_file_has_exactly_these_bytes),
		cmocka_unit_test(a_generation_without_events_is_not_written),
		cmocka_unit_test(fixed_strings_keep_their_ids_in_every_generation),
		cmocka_unit_test(long_names_are_cut_at_the_side_go_cuts),
		cmocka_unit_test(function_names_keep_their_end),
		cmocka_unit_test(batches_end_at_64_kib),
		cmocka_unit_test(many_threads_and_generations_make_one_file),
		cmocka_unit_test(extra_data_of_any_length_comes_back),
		cmocka_unit_test(wait_objects_cost_about_a_byte),
		cmocka_unit_test(every_file_is_valid_for_a_foreign_reader),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	rig_clean();
	return failed;
}
