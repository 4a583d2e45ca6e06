/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stacks.c - raw stacks become those that Go's tracer would have written
 * (runtime/tracestack.go: fpunwindExpand).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "order_rig.h"

/*
 * Functions of this test, by the pc's thousands: 10 leaf; 11 a (with b and c inlined into it, c
 * innermost); 12 wrapper; 13 gopanic; 14 generic; 15 C code; 16 generic method; 1 goexit; 2 main.
 */
static int frames(struct symbols *self, uint64_t pc, struct frame *out, int max)
{
	static const char *const names[] = {
		[1] = "runtime.goexit", [2] = "runtime.main", [10] = "main.leaf", [11] = "main.a",
			[12] = "main.wrapper",
		[13] = "runtime.gopanic", [14] = "main.Map[...].func1", [16] = "main.T[...].M[...]",
	};
	uint64_t k = pc / 1000;

	if (k >= ARRAY_SIZE(names) || !names[k])
		return 0;
	struct frame f = {.pc = pc, .func = names[k], .file = "/a.go", .line = 1 +
		(uint32_t)(pc % 1000),
			  .is_wrapper = k == 12, .keeps_wrapper = k == 13};

	if (k != 11) {
		out[0] = f;
		return 1;
	}
	out[0] = (struct frame){.pc = pc, .func = "main.c", .file = "/c.go", .line = 3};
	out[1] = (struct frame){.pc = pc - 1, .func = "main.b", .file = "/b.go", .line = 2};
	out[2] = (struct frame){.pc = pc - 2, .func = "main.a", .file = "/a.go", .line = 1};
	return 3;
}

static int start_func(struct symbols *self, uint64_t pc, struct frame *out)
{
	return frames(self, pc, out, 1) > 0 ? 0 : -2;
}

static struct symbols symbols = {frames, start_func};

static struct stacks *with(const uint64_t *pcs, uint16_t n, uint8_t flags)
{
	struct stacks *s = stacks_new(&symbols);

	stacks_define(s, &(struct stack_def){.id = 7, .n = n, .pcs = pcs, .flags = flags});
	return s;
}

static void expect(struct stacks *s, uint32_t number, const char *names)
{
	char got[4096] = "";
	unsigned n;
	const struct frame *f = stacks_frames(s, number, &n);

	for (unsigned i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "",
			 f[i].func);
	assert_string_equal(got, names);
}

#define PCS(...) (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8

static void inlined_frames_are_expanded_and_goexit_is_left_out(void **state)
{
	struct stacks *s = with(PCS(10005, 11005, 1001), 0);
	unsigned n;

	expect(s, stacks_logical(s, 7, 0, false), "main.leaf main.c main.b main.a");
	/* A return address minus one is the call. */
	assert_int_equal(stacks_frames(s, 1, &n)[0].pc, 10004);
	stacks_free(s);
}

static void skip_counts_logical_frames(void **state)
{
	struct stacks *s = with(PCS(10005, 11005, 1001), 0);

	expect(s, stacks_logical(s, 7, 2, false), "main.b main.a");
	expect(s, stacks_logical(s, 7, 9, false), "");
	assert_int_equal(stacks_logical(s, 7, 9, false), 0);
	stacks_free(s);
}

static void wrappers_are_hidden_unless_a_panic_called_them(void **state)
{
	struct stacks *s = with(PCS(10005, 12005, 13005, 12005, 11005), 0);

	expect(s, stacks_logical(s, 7, 0, false),
	       "main.leaf runtime.gopanic main.wrapper main.c main.b main.a");
	expect(s, stacks_logical(s, 7, 1, false),
	       "runtime.gopanic main.wrapper main.c main.b main.a");
	stacks_free(s);
}

static void the_main_goroutine_ends_in_main(void **state)
{
	struct stacks *s = with(PCS(10005, 2005, 1001), 0);

	expect(s, stacks_logical(s, 7, 0, true), "main.leaf");
	expect(s, stacks_logical(s, 7, 0, false), "main.leaf runtime.main");
	stacks_free(s);
}

static void a_sample_leaf_is_exact(void **state)
{
	struct stacks *s = with(PCS(10000, 11000, 1001), STACK_F_LEAF_EXACT);
	unsigned n;
	const struct frame *f = stacks_frames(s, stacks_logical(s, 7, 0, false), &n);

	assert_int_equal(f[0].pc, 10000);
	assert_string_equal(f[0].func, "main.leaf");
	assert_int_equal(n, 2); /* 10999 is still main.leaf */
	stacks_free(s);
}

static void code_that_is_not_go_has_no_frame_but_counts_for_skip(void **state)
{
	struct stacks *s = with(PCS(15005, 10005, 1001), 0);

	expect(s, stacks_logical(s, 7, 0, false), "main.leaf");
	expect(s, stacks_logical(s, 7, 1, false), "main.leaf");
	expect(s, stacks_logical(s, 7, 2, false), "");
	stacks_free(s);
}

static void type_arguments_are_shown_as_dots(void **state)
{
	struct stacks *s = with(PCS(14005), 0);

	expect(s, stacks_logical(s, 7, 0, false), "main.Map[...].func1");
	stacks_free(s);
}

/* symbols.h: the provider knows the version, and with it what is printed. Go 1.27 has two pairs. */
static void a_name_is_kept_as_it_comes(void **state)
{
	struct stacks *s = with(PCS(16005, 14005), 0);

	expect(s, stacks_logical(s, 7, 0, false), "main.T[...].M[...] main.Map[...].func1");
	expect(s, stacks_start(s, 16000), "main.T[...].M[...]");
	stacks_free(s);
}

static void equal_stacks_have_one_number(void **state)
{
	struct stacks *s = with(PCS(10005, 10009, 1001), 0);

	stacks_define(s, &(struct stack_def){.id = 8, .n = 1, .pcs = (const uint64_t[]){10009}});
	assert_int_equal(stacks_logical(s, 8, 0, false), stacks_logical(s, 7, 1, false));
	assert_int_not_equal(stacks_logical(s, 8, 0, false), stacks_logical(s, 7, 0, false));
	assert_int_equal(stacks_start(s, 10009), stacks_start(s, 10009));
	assert_int_equal(stacks_start(s, 99), 0);
	stacks_free(s);
}

static void what_lies_beyond_goexit_is_left_out(void **state)
{
	struct stacks *s = with(PCS(10005, 1001, 13005, 10005), 0);

	expect(s, stacks_logical(s, 7, 0, false), "main.leaf");
	stacks_free(s);
}

static void at_most_128_frames_are_kept(void **state)
{
	uint64_t pcs[128];
	unsigned n;

	for (int i = 0; i < 128; i++)
		pcs[i] = 11005;
	struct stacks *s = with(pcs, 128, 0);

	stacks_frames(s, stacks_logical(s, 7, 0, false), &n);
	assert_int_equal(n, 128);
	stacks_free(s);
}

static void an_id_defined_again_means_the_new_content(void **state)
{
	struct stacks *s = with(PCS(10005), 0);

	expect(s, stacks_logical(s, 7, 0, false), "main.leaf");
	stacks_define(s, &(struct stack_def){.id = 7, .n = 1, .pcs = (const uint64_t[]){13005}});
	expect(s, stacks_logical(s, 7, 0, false), "runtime.gopanic");
	assert_int_equal(stacks_logical(s, 9, 0, false), 0);
	stacks_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inlined_frames_are_expanded_and_goexit_is_left_out),
		cmocka_unit_test(skip_counts_logical_frames),
		cmocka_unit_test(wrappers_are_hidden_unless_a_panic_called_them),
		cmocka_unit_test(the_main_goroutine_ends_in_main),
		cmocka_unit_test(a_sample_leaf_is_exact),
		cmocka_unit_test(code_that_is_not_go_has_no_frame_but_counts_for_skip),
		cmocka_unit_test(type_arguments_are_shown_as_dots),
		cmocka_unit_test(a_name_is_kept_as_it_comes),
		cmocka_unit_test(equal_stacks_have_one_number),
		cmocka_unit_test(what_lies_beyond_goexit_is_left_out),
		cmocka_unit_test(at_most_128_frames_are_kept),
		cmocka_unit_test(an_id_defined_again_means_the_new_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
