/* SPDX-License-Identifier: Apache-2.0 */
/* test_profile.c - profiles for other tools: what they hold, that those read them, whatever the
 * names are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "gobuild.h"
#include "render/profile.h"
#include "render/profile.pb-c.h"

#define FFFD "\xef\xbf\xbd"

static const struct frame
	leaf = { .pc = 0x401234, .func = "main.leaf", .file = "/src/a.go", .line = 12 },
	other_pc = { .pc = 0x401240, .func = "main.leaf", .file = "/src/a.go", .line = 13 },
	middle = { .pc = 0x402000,
		   .func = "main.(*T[...]).middle",
		   .file = "/src/b.go",
		   .line = 70000 },
	root = { .pc = UINT64_MAX, .func = "main.root", .file = "/src/a.go", .line = 1 };

struct stack {
	struct frame frames[4];
	unsigned n;
	struct profile_sample sample;
};

static const struct frame *frames(const void *self, uint32_t number, unsigned *n)
{
	const struct stack *v = self;

	*n = v[number].n;
	return *n ? v[number].frames : NULL;
}

static struct profile profile_of(const struct stack *v, size_t n)
{
	struct profile p = { 0 };

	for (size_t i = 0; i < n; i++)
		*vec_push(&p.samples) = v[i].sample;
	return p;
}

static const struct stack simple[] = {
	{ .sample = { 1, 5 } }, /* no stack */
	{ { leaf, middle, root }, 3, { 2, 3000000000 } },
	{ { middle, root }, 2, { 0, 0 } },           /* another profile's */
	{ { other_pc, middle, root }, 3, { 4, 7 } }, /* the names of the first again */
	{ { middle, middle, root }, 3, { 100, 6 } }, /* recursion */
};

static const struct stack hostile[] = {
	{ .n = 0 },
	{ { { .pc = 1, .func = "a;b\n1 2\r\xff", .file = "\xc0\xaf" },
	    { .pc = 2, .func = "", .file = NULL },
	    { .pc = 3, .func = "h\xc3\xa9 \xc2\x9b[31m\x7f\xed\xa0\x80" } },
	  3,
	  { UINT64_MAX, UINT64_MAX } },
};

/* What profile_pprof writes of it, unpacked. */
static Pprof__Profile *pprof_of(const struct stack *v, size_t n, uint64_t duration_ns,
				uint64_t time_ns)
{
	struct profile p = profile_of(v, n);
	char *bytes;
	size_t size;
	FILE *f = open_memstream(&bytes, &size);

	assert_int_equal(
		profile_pprof(f, &p, &(struct stack_source){ frames, v }, duration_ns, time_ns), 0);
	fclose(f);

	static uint8_t out[1 << 20];
	z_stream z = { .next_in = (uint8_t *)bytes,
		       .avail_in = (uInt)size,
		       .next_out = out,
		       .avail_out = sizeof(out) };

	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	free(bytes);
	vec_free(&p.samples);

	Pprof__Profile *ret = pprof__profile__unpack(NULL, z.total_out, out);

	assert_non_null(ret);
	return ret;
}

static void expect_type(const Pprof__Profile *p, const Pprof__ValueType *v, const char *type,
			const char *unit)
{
	assert_string_equal(p->string_table[v->type], type);
	assert_string_equal(p->string_table[v->unit], unit);
}

static void the_head_is_that_of_go_tool_trace(void **state)
{
	Pprof__Profile *p = pprof_of(simple, ARRAY_SIZE(simple), 10, 1700000000000000001);

	assert_string_equal(p->string_table[0], "");
	assert_int_equal(p->n_sample_type, 2);
	expect_type(p, p->sample_type[0], "contentions", "count");
	expect_type(p, p->sample_type[1], "delay", "nanoseconds");
	expect_type(p, p->period_type, "trace", "count");
	assert_int_equal(p->period, 1);
	assert_string_equal(p->string_table[p->default_sample_type], "delay");
	assert_int_equal(p->duration_nanos, 10);
	assert_int_equal(p->time_nanos, 1700000000000000001);
	pprof__profile__free_unpacked(p, NULL);
}

static void expect_sample(const Pprof__Profile *p, size_t i, int64_t count, int64_t ns, size_t n,
			  const uint64_t *pcs)
{
	const Pprof__Sample *s = p->sample[i];

	assert_int_equal(s->n_value, 2);
	assert_int_equal(s->value[0], count);
	assert_int_equal(s->value[1], ns);
	assert_int_equal(s->n_location_id, n);
	for (size_t k = 0; k < n; k++) {
		assert_in_range(s->location_id[k], 1, p->n_location);
		assert_int_equal(p->location[s->location_id[k] - 1]->id, s->location_id[k]);
		assert_int_equal(p->location[s->location_id[k] - 1]->address, pcs[k]);
	}
}

static void a_sample_is_a_stack_with_its_count_and_ns(void **state)
{
	Pprof__Profile *p = pprof_of(simple, ARRAY_SIZE(simple), 0, 0);

	assert_int_equal(p->n_sample, 4);
	expect_sample(p, 0, 1, 5, 0, NULL);
	expect_sample(p, 1, 2, 3000000000, 3, (uint64_t[]){ leaf.pc, middle.pc, root.pc });
	expect_sample(p, 2, 4, 7, 3, (uint64_t[]){ other_pc.pc, middle.pc, root.pc });
	expect_sample(p, 3, 100, 6, 3, (uint64_t[]){ middle.pc, middle.pc, root.pc });
	pprof__profile__free_unpacked(p, NULL);
}

static void expect_frame(const Pprof__Profile *p, const struct frame *frame)
{
	size_t i = 0;

	while (p->location[i]->address != frame->pc)
		assert_true(++i < p->n_location);
	assert_int_equal(p->location[i]->n_line, 1);
	assert_int_equal(p->location[i]->line[0]->line, frame->line);

	const Pprof__Function *function = p->function[p->location[i]->line[0]->function_id - 1];

	assert_int_equal(function->id, p->location[i]->line[0]->function_id);
	assert_string_equal(p->string_table[function->name], frame->func);
	assert_string_equal(p->string_table[function->system_name], frame->func);
	assert_string_equal(p->string_table[function->filename], frame->file);
}

static void a_pc_is_one_location_and_a_name_one_function(void **state)
{
	Pprof__Profile *p = pprof_of(simple, ARRAY_SIZE(simple), 0, 0);

	assert_int_equal(p->n_location, 4);
	assert_int_equal(p->n_function, 3);
	expect_frame(p, &leaf);
	expect_frame(p, &other_pc);
	expect_frame(p, &middle);
	expect_frame(p, &root);
	for (size_t i = 0; i < p->n_string_table; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(p->string_table[i], p->string_table[k]);
	pprof__profile__free_unpacked(p, NULL);
}

static void names_become_utf8_and_sums_stay_positive(void **state)
{
	Pprof__Profile *p = pprof_of(hostile, ARRAY_SIZE(hostile), UINT64_MAX, UINT64_MAX);

	assert_int_equal(p->n_sample, 1);
	assert_int_equal(p->sample[0]->value[0], INT64_MAX);
	assert_int_equal(p->sample[0]->value[1], INT64_MAX);
	assert_int_equal(p->duration_nanos, INT64_MAX);
	assert_int_equal(p->n_function, 3);
	assert_string_equal(p->string_table[p->function[0]->name], "a;b\n1 2\r" FFFD);
	assert_string_equal(p->string_table[p->function[0]->filename], FFFD FFFD);
	assert_string_equal(p->string_table[p->function[1]->name], "");
	assert_int_equal(p->function[1]->filename, 0);
	assert_string_equal(p->string_table[p->function[2]->name],
			    "h\xc3\xa9 \xc2\x9b[31m\x7f" FFFD FFFD FFFD);
	pprof__profile__free_unpacked(p, NULL);
}

static void a_profile_of_nothing_has_a_head(void **state)
{
	Pprof__Profile *p = pprof_of(NULL, 0, 0, 0);

	assert_int_equal(p->n_sample_type, 2);
	assert_int_equal(p->n_sample, 0);
	pprof__profile__free_unpacked(p, NULL);
}

/* The field numbers are those of the judge, not of our .proto alone. */
static void go_tool_pprof_reads_it(void **state)
{
	struct gobuild *b = *state;
	CLEANUP(freep) char *path = xasprintf("%s/pprof", b->dir);
	struct profile p = profile_of(simple, ARRAY_SIZE(simple));
	FILE *f = fopen(path, "w");

	if (!b->has_go) {
		print_message("[  SKIP  ] needs the go command\n");
		fclose(f);
		vec_free(&p.samples);
		skip();
	}
	assert_int_equal(profile_pprof(f, &p, &(struct stack_source){ frames, simple }, 1500000000,
				       1700000000000000000),
			 0);
	fclose(f);
	vec_free(&p.samples);

	CLEANUP(freep)
	char *command = xasprintf(
		"TZ=UTC PPROF_TMPDIR=%s go tool pprof -raw %s 2>/dev/null | sed '/^Mappings/,$d'",
		b->dir, path);
	CLEANUP(freep) char *raw = output_of(command);

	assert_string_equal(raw,
			    "PeriodType: trace count\n"
			    "Period: 1\n"
			    "Time: 2023-11-14 22:13:20 +0000 UTC\n"
			    "Duration: 1.5s\n"
			    "Samples:\n"
			    "contentions/count delay/nanoseconds[dflt]\n"
			    "          1          5: \n"
			    "          2 3000000000: 1 2 3 \n"
			    "          4          7: 4 2 3 \n"
			    "        100          6: 2 2 3 \n"
			    "Locations\n"
			    "     1: 0x401234 M=1 main.leaf /src/a.go:12:0 s=0\n"
			    "     2: 0x402000 M=1 main.(*T[...]).middle /src/b.go:70000:0 s=0\n"
			    "     3: 0xffffffffffffffff M=1 main.root /src/a.go:1:0 s=0\n"
			    "     4: 0x401240 M=1 main.leaf /src/a.go:13:0 s=0\n");
}

static void expect_folded(const struct stack *v, size_t n, enum folded_weight weight,
			  const char *wanted)
{
	struct profile p = profile_of(v, n);
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(profile_folded(f, &p, &(struct stack_source){ frames, v }, weight), 0);
	fclose(f);
	assert_string_equal(text, wanted);
	free(text);
	vec_free(&p.samples);
}

static void folded_is_a_line_per_list_of_names_heaviest_first(void **state)
{
	expect_folded(simple, ARRAY_SIZE(simple), FOLDED_NS,
		      "main.root;main.(*T[...]).middle;main.leaf 3000000007\n"
		      "main.root;main.(*T[...]).middle;main.(*T[...]).middle 6\n"
		      "[unknown] 5\n");
	expect_folded(simple, ARRAY_SIZE(simple), FOLDED_COUNT,
		      "main.root;main.(*T[...]).middle;main.(*T[...]).middle 100\n"
		      "main.root;main.(*T[...]).middle;main.leaf 6\n"
		      "[unknown] 1\n");
	expect_folded(NULL, 0, FOLDED_NS, "");
}

static void a_name_cannot_break_a_folded_line(void **state)
{
	expect_folded(hostile, ARRAY_SIZE(hostile), FOLDED_NS,
		      "h\xc3\xa9 ?[31m?" FFFD FFFD FFFD ";[unknown];a:b?1 2?" FFFD
		      " 18446744073709551615\n");
}

/* Both renderers into f; what they say. */
static void expect_error(FILE *pprof, FILE *folded, int err)
{
	struct profile p = profile_of(simple, ARRAY_SIZE(simple));
	struct stack_source stacks = { frames, simple };

	assert_int_equal(profile_pprof(pprof, &p, &stacks, 0, 0), err);
	assert_int_equal(profile_folded(folded, &p, &stacks, FOLDED_NS), err);
	fclose(pprof);
	fclose(folded);
	vec_free(&p.samples);
}

static FILE *unbuffered(FILE *f)
{
	setvbuf(f, NULL, _IONBF, 0);
	return f;
}

static FILE *broken_pipe(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	return fdopen(fds[1], "w");
}

static void what_could_not_be_written_is_told(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	expect_error(fopen("/dev/full", "w"), fopen("/dev/full", "w"), -ENOSPC);
	expect_error(unbuffered(fopen("/dev/full", "w")), unbuffered(fopen("/dev/full", "w")),
		     -ENOSPC);
	expect_error(broken_pipe(), broken_pipe(), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_is_that_of_go_tool_trace),
		cmocka_unit_test(a_sample_is_a_stack_with_its_count_and_ns),
		cmocka_unit_test(a_pc_is_one_location_and_a_name_one_function),
		cmocka_unit_test(names_become_utf8_and_sums_stay_positive),
		cmocka_unit_test(a_profile_of_nothing_has_a_head),
		cmocka_unit_test(go_tool_pprof_reads_it),
		cmocka_unit_test(folded_is_a_line_per_list_of_names_heaviest_first),
		cmocka_unit_test(a_name_cannot_break_a_folded_line),
		cmocka_unit_test(what_could_not_be_written_is_told),
	};

	return cmocka_run_group_tests_name("profile", tests, gobuild_open, gobuild_clean);
}
