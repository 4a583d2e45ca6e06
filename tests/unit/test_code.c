/* SPDX-License-Identifier: Apache-2.0 */
/* test_code.c - decoding of instructions that are written out here by hand, at address 0x1000. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "target/code.h"

#define BASE 0x1000

/* One executable segment with these bytes, decoded as one function. */
static struct code decode(const char *bytes, size_t n)
{
	struct image_segment s = {.vaddr = BASE, .file_size = n, .mem_size = n, .data = (uint8_t *)bytes,
				  .executable = true};
	struct image im = {.segments = &s, .n_segments = 1};
	struct go_func f = {.entry = BASE, .end = BASE + n, .name = "test"};
	struct code c = {0};

	assert_int_equal(code_decode(&im, &f, &c), 0);
	return c;
}
#define DECODE(bytes) decode(bytes, sizeof(bytes) - 1)

static void kinds_are_those_of_the_kernel(void **state)
{
	static const struct { const char *bytes; size_t n; enum site_insn kind; } cases[] = {
		{"\x55", 1, INSN_PUSH},                             /* push %rbp */
		{"\x41\x57", 2, INSN_PUSH},                         /* push %r15 */
		{"\x66\x55", 2, INSN_STEPPED},                      /* push %bp */
		{"\x6a\x01", 2, INSN_STEPPED},                      /* push $1 */
		{"\xff\x75\x08", 3, INSN_STEPPED},                  /* push 8(%rbp) */
		{"\xe8\x00\x00\x00\x00", 5, INSN_CALL},
		{"\xff\xd0", 2, INSN_STEPPED},                      /* call *%rax */
		{"\xff\x15\x00\x00\x00\x00", 6, INSN_STEPPED},      /* call *0(%rip) */
		{"\xeb\x00", 2, INSN_JMP},
		{"\xe9\x00\x00\x00\x00", 5, INSN_JMP},
		{"\xff\xe0", 2, INSN_STEPPED},                      /* jmp *%rax */
		{"\x74\x00", 2, INSN_JCC},
		{"\x0f\x84\x00\x00\x00\x00", 6, INSN_JCC},
		{"\xe3\x00", 2, INSN_STEPPED},                      /* jrcxz */
		{"\xe2\x00", 2, INSN_STEPPED},                      /* loop */
		{"\x90", 1, INSN_NOP},
		{"\x66\x90", 2, INSN_STEPPED},
		{"\x0f\x1f\x44\x00\x00", 5, INSN_NOP5},
		{"\x0f\x1f\x40\x00", 4, INSN_STEPPED},
		{"\x48\x89\xe5", 3, INSN_STEPPED},                  /* mov %rsp, %rbp */
		{"\x48\x83\xec\x20", 4, INSN_STEPPED},              /* sub $32, %rsp */
		{"\xc3", 1, INSN_STEPPED},
		{"\x0f\xba\xe3\x0c", 4, INSN_STEPPED},              /* bt $12, %ebx: 0f, but no jcc */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct code c = decode(cases[i].bytes, cases[i].n);

		if (c.v[0].kind != cases[i].kind)
			fail_msg("case %zu: %s", i, site_insn_name(c.v[0].kind));
		code_free(&c);
	}
}

static void targets_and_operands_are_absolute(void **state)
{
	struct code c = DECODE("\xe8\x10\x00\x00\x00"                  /* call .+0x15 */
			       "\x80\x3d\x00\x01\x00\x00\x00"          /* cmpb $0, 0x100(%rip) */
			       "\x75\xfe"                              /* jne . */
			       "\x48\x8d\x05\x00\x02\x00\x00"          /* lea 0x200(%rip), %rax */
			       "\x88\x4b\x7f"                          /* mov %cl, 0x7f(%rbx) */
			       "\x64\x4c\x89\x34\x25\xf8\xff\xff\xff"  /* mov %r14, %fs:-8 */
			       "\xf0\x0f\xb1\x8f\x90\x00\x00\x00");    /* lock cmpxchg %ecx, 0x90(%rdi) */

	assert_int_equal(c.n, 7);
	assert_int_equal(c.v[0].target, 0x1015);
	assert_int_equal(c.v[1].rip, 0x100c + 0x100);
	assert_int_equal(c.v[1].op, OP_CMP);
	assert_int_equal(c.v[1].mem_size, 1);
	assert_false(c.v[1].is_store);
	assert_int_equal(c.v[2].target, 0x100c);
	assert_true(c.v[2].is_joined);
	assert_int_equal(code_rip(&c, 0), 0x110c);
	assert_int_equal(code_rip(&c, 1), 0x1015 + 0x200);
	assert_int_equal(code_rip(&c, 2), 0);
	assert_true(c.v[4].is_store && c.v[4].base == REG_BX && c.v[4].disp == 0x7f && c.v[4].src == REG_CX);
	assert_true(c.v[5].is_fs && c.v[5].is_store && (int32_t)c.v[5].disp == -8);
	assert_true(c.v[6].op == OP_CMPXCHG && c.v[6].disp == 0x90);
	assert_int_equal(code_flag_jcc(&c, 0x110c, 0), 2);
	assert_int_equal(code_flag_jcc(&c, 0x110c, 3), -1);
	code_free(&c);
}

static void arguments_are_the_last_constants(void **state)
{
	struct code c = DECODE("\xbb\x09\x00\x00\x00"  /* mov $9, %ebx */
			       "\xbb\x04\x00\x00\x00"  /* mov $4, %ebx */
			       "\x31\xc9"              /* xor %ecx, %ecx */
			       "\x90"
			       "\xe8\x00\x00\x00\x00"  /* call */
			       "\xe8\x00\x00\x00\x00");
	int64_t v = -1;

	assert_true(code_arg(&c, 4, REG_BX, &v));
	assert_int_equal(v, 4);
	assert_true(code_arg(&c, 4, REG_CX, &v));
	assert_int_equal(v, 0);
	assert_false(code_arg(&c, 4, REG_AX, &v));
	assert_false(code_arg(&c, 5, REG_BX, &v)); /* the first call clobbers it */
	code_free(&c);
}

static void an_argument_that_two_ways_set_is_unknown(void **state)
{
	struct code c = DECODE("\x74\x05"              /* je over the mov */
			       "\xbb\x04\x00\x00\x00"  /* mov $4, %ebx */
			       "\xb9\x01\x00\x00\x00"  /* mov $1, %ecx; je lands here */
			       "\xe8\x00\x00\x00\x00");
	int64_t v;

	assert_true(code_arg(&c, 3, REG_CX, &v));
	assert_false(code_arg(&c, 3, REG_BX, &v));
	code_free(&c);
}

static void a_register_from_elsewhere_is_unknown(void **state)
{
	struct code c = DECODE("\xbb\x04\x00\x00\x00"  /* mov $4, %ebx */
			       "\x89\xfb"              /* mov %edi, %ebx */
			       "\xb9\x01\x00\x00\x00"  /* mov $1, %ecx */
			       "\xff\xc1"              /* inc %ecx */
			       "\xe8\x00\x00\x00\x00");
	int64_t v;

	assert_false(code_arg(&c, 4, REG_BX, &v));
	assert_false(code_arg(&c, 4, REG_CX, &v));
	code_free(&c);
}

static void entries_prefer_the_push(void **state)
{
	struct code now = DECODE("\x49\x3b\x66\x10\x76\x30\x55\x48\x89\xe5");  /* cmp; jbe; push; mov: Go 1.21 and later */
	struct code old = DECODE("\x49\x3b\x66\x10\x76\x30\x48\x83\xec\x20");  /* cmp; jbe; sub: before */
	struct code none = DECODE("\x48\x83\xec\x20\x48\x89\x6c\x24\x18\xc3"); /* nosplit before */

	assert_int_equal(code_entry(&now), 2);
	assert_int_equal(code_entry(&old), 1);
	assert_int_equal(code_entry(&none), -1);
	code_free(&now);
	code_free(&old);
	code_free(&none);
}

static void flags_may_be_loaded_and_tested(void **state)
{
	struct code c = DECODE("\x48\x8b\x0d\x00\x01\x00\x00"  /* mov 0x100(%rip), %rcx: trace.gen of Go 1.22 */
			       "\x48\x85\xc9"                  /* test %rcx, %rcx */
			       "\x75\x00"                      /* jne */
			       "\x48\x89\x0d\xf4\x00\x00\x00"  /* a store to it is no test */
			       "\x75\x00");

	assert_int_equal(code_flag_jcc(&c, 0x1107, 0), 2);
	assert_int_equal(c.v[3].rip, 0x1107);
	assert_int_equal(code_flag_jcc(&c, 0x1107, 3), -1);
	code_free(&c);
}

static void any_bytes_decode_to_their_end(void **state)
{
	char bytes[4096];

	srand(1);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = rand() >> 7;
		bytes[sizeof(bytes) - 1] = 1; /* not padding */
		struct code c = decode(bytes, sizeof(bytes));
		uint64_t at = BASE;

		for (size_t i = 0; i < c.n; at += c.v[i++].len)
			assert_int_equal(c.v[i].addr, at);
		assert_int_equal(at, BASE + sizeof(bytes));
		for (size_t i = 0; i < c.n; i++)
			assert_int_equal(code_at(&c, c.v[i].addr), i);
		code_free(&c);
	}
}

static void a_function_outside_of_the_file_is_an_error(void **state)
{
	struct image im = {0};
	struct go_func f = {.entry = BASE, .end = BASE + 16, .name = "test"}, empty = {.entry = BASE, .end = 0};
	struct code c;

	assert_true(code_decode(&im, &f, &c) < 0);
	assert_true(code_decode(&im, &empty, &c) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_those_of_the_kernel),
		cmocka_unit_test(targets_and_operands_are_absolute),
		cmocka_unit_test(arguments_are_the_last_constants),
		cmocka_unit_test(an_argument_that_two_ways_set_is_unknown),
		cmocka_unit_test(a_register_from_elsewhere_is_unknown),
		cmocka_unit_test(entries_prefer_the_push),
		cmocka_unit_test(flags_may_be_loaded_and_tested),
		cmocka_unit_test(any_bytes_decode_to_their_end),
		cmocka_unit_test(a_function_outside_of_the_file_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
