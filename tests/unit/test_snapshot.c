/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot.c - goroutines of a made-up runtime in this process' own memory. */
#include "gobuild.h"

#include <fcntl.h>
#include <unistd.h>

#include "target/snapshot.h"

enum { WAITING = 4, SYSCALL = 3, RUNNABLE = 1, TEXT = 0x10000, START = TEXT + 0x800 };

struct fake_g {
	uint64_t lo, hi, m, sp, pc, bp, syscallsp, syscallpc, syscallbp, goid, startpc;
	uint32_t status;
	uint8_t reason, rest[384];
};

struct fake {
	struct fake_g g[4];
	uint64_t stacks[4][64];
	uint64_t gs[4];
	uint64_t allgs[3], allp[3], allm;
	/* what was told of them */
	uint64_t pcs[4][STACK_MAX_RAW];
	unsigned n[4], told;
};

static uint32_t keep(void *ctx, const uint64_t *pcs, unsigned n)
{
	struct fake *f = ctx;

	memcpy(f->pcs[f->told], pcs, n * sizeof(*pcs));
	f->n[f->told++] = n;
	return f->told;
}

/* Three frames; the outermost saved `last`. */
static void park(struct fake *f, int i, uint32_t status, uint64_t last)
{
	uint64_t *s = f->stacks[i];

	memset(s, 0, sizeof(f->stacks[i]));
	f->g[i] = (struct fake_g){
		.lo = (uintptr_t)s, .hi = (uintptr_t)(s + 64), .sp = (uintptr_t)(s + 8), .bp = (uintptr_t)(s + 10),
		.pc = TEXT + 1, .goid = 100 + (uint64_t)i, .startpc = START, .status = status,
		.syscallsp = (uintptr_t)(s + 8), .syscallbp = (uintptr_t)(s + 10), .syscallpc = TEXT + 1,
	};
	s[10] = (uintptr_t)(s + 20);
	s[11] = TEXT + 2;
	s[20] = (uintptr_t)(s + 30);
	s[21] = START + 3;
	s[30] = last;
	s[31] = TEXT + 4;
	f->gs[i] = (uintptr_t)&f->g[i];
}

static void take(struct fake *f, int n, bool has_syscallbp)
{
#define AT(field) (uint16_t)offsetof(struct fake_g, field)
	struct process process = {.pid = getpid()};
	struct plan plan = {.offsets = {
		.g_stack_lo = AT(lo), .g_stack_hi = AT(hi), .g_m = AT(m), .g_sched_sp = AT(sp), .g_sched_pc = AT(pc),
		.g_sched_bp = AT(bp), .g_syscallsp = AT(syscallsp), .g_syscallpc = AT(syscallpc),
		.g_syscallbp = has_syscallbp ? AT(syscallbp) : 0, .g_atomicstatus = AT(status), .g_goid = AT(goid),
		.g_waitreason = AT(reason), .g_startpc = AT(startpc),
	}};
	struct snapshot_source src = {.process = &process, .plan = &plan, .text_lo = TEXT, .text_hi = TEXT + 0x1000,
				      .stack = keep, .ctx = f};
	struct snapshot snap;
	struct why why = {0};

	plan.globals.allgs = (uintptr_t)f->allgs;
	plan.globals.allp = (uintptr_t)f->allp;
	plan.globals.allm = (uintptr_t)&f->allm;
	memcpy(f->allgs, (uint64_t[]){(uintptr_t)f->gs, (uint64_t)n, (uint64_t)n}, sizeof(f->allgs));
	if (snapshot_take(&src, &snap, NULL, &why))
		fail_msg("%s", why.text);
	assert_int_equal(snap.n_g, n);
	assert_int_equal(f->told, n);
	snapshot_free(&snap);
}

static void assert_whole(const struct fake *f, int i)
{
	const uint64_t want[] = {TEXT + 1, TEXT + 2, START + 3, TEXT + 4};

	assert_int_equal(f->n[i], 4);
	assert_memory_equal(f->pcs[i], want, sizeof(want));
}

static void assert_only_start(const struct fake *f, int i)
{
	assert_int_equal(f->n[i], 1);
	assert_int_equal(f->pcs[i][0], START + 1);
}

static void a_stack_ends_with_its_outermost_frame(void **state)
{
	struct fake f = {0};

	park(&f, 0, WAITING, 0);
	park(&f, 1, RUNNABLE, 0);
	park(&f, 2, SYSCALL, 0);
	take(&f, 3, true);
	for (int i = 0; i < 3; i++)
		assert_whole(&f, i);
}

/* As when the goroutine goes on between the reads of its structure and its stack. */
static void a_stack_that_leads_elsewhere_is_named_by_its_start(void **state)
{
	struct fake f = {0};

	park(&f, 0, WAITING, 0xdead0);
	park(&f, 1, WAITING, (uintptr_t)(f.stacks[1] + 20)); /* back down */
	park(&f, 2, WAITING, 0);
	f.stacks[2][10] = 7;
	park(&f, 3, SYSCALL, 0xdead0);
	take(&f, 4, true);
	for (int i = 0; i < 4; i++)
		assert_only_start(&f, i);
}

static void a_syscall_without_frame_pointer_is_named_by_its_start(void **state)
{
	struct fake f = {0};

	park(&f, 0, SYSCALL, 0);
	take(&f, 1, false);
	assert_only_start(&f, 0);
}

static void a_thread_of_c_keeps_what_can_be_read(void **state)
{
	struct fake f = {0};

	park(&f, 0, WAITING, 0x7fff0000);
	f.g[0].startpc = 0;
	take(&f, 1, true);
	assert_whole(&f, 0);
}

static void who_has_not_run_yet_stands_at_its_start(void **state)
{
	struct fake f = {0};

	park(&f, 0, RUNNABLE, 0);
	f.g[0].pc = START;
	f.g[0].bp = 0;
	take(&f, 1, true);
	assert_only_start(&f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stack_ends_with_its_outermost_frame),
		cmocka_unit_test(a_stack_that_leads_elsewhere_is_named_by_its_start),
		cmocka_unit_test(a_syscall_without_frame_pointer_is_named_by_its_start),
		cmocka_unit_test(a_thread_of_c_keeps_what_can_be_read),
		cmocka_unit_test(who_has_not_run_yet_stands_at_its_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
