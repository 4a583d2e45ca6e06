/* SPDX-License-Identifier: Apache-2.0 */
/* globals.c - see globals.h. */
#include "target/globals.h"

#include <errno.h>
#include <stddef.h>

#define ANYWHERE (-1)      /* confirms only: the address is some operand of that function */
#define MAX_CANDIDATES 16
#define MAX_WAIT_REASONS 128
#define MAX_REASON_LEN 64

struct operand_rule {
	size_t at;         /* in struct globals */
	const char *func;
	int k;
};

#define GLOBAL(field) offsetof(struct globals, field)

static const struct operand_rule operand_rules[] = {
	{GLOBAL(allgs), "runtime.forEachG", 1},
	{GLOBAL(allgs), "runtime.allgadd", 7},
	{GLOBAL(allgs), "runtime.allgadd", 8},
	{GLOBAL(allp), "runtime.preemptall", 0},
	{GLOBAL(allp), "runtime.gcMarkTinyAllocs", 0},
	{GLOBAL(allp), "runtime.timeSleepUntil", 1},
	{GLOBAL(allm), "runtime.mexit", 3},
	{GLOBAL(allm), "runtime.mcommoninit", ANYWHERE},
	{GLOBAL(allm), "runtime.checkmcount", ANYWHERE},
	{GLOBAL(sched), "runtime.oneNewExtraM", 3},
	{GLOBAL(sched), "runtime.newproc1", ANYWHERE},    /* sched.goidgen is its first field */
	{GLOBAL(sched), "runtime.schedinit", ANYWHERE},
	{GLOBAL(gomaxprocs), "runtime.GOMAXPROCS", 1},
	{GLOBAL(gomaxprocs), "runtime.gcBgMarkStartWorkers", 5},
	{GLOBAL(gomaxprocs), "runtime.sysmon", 7},
	{GLOBAL(gomaxprocs), "runtime.sysmon", 11},
	{GLOBAL(work), "runtime.trygetfull", 0},
	{GLOBAL(work), "runtime.putfull", 0},
	{GLOBAL(work), "runtime.prepareFreeWorkbufs", 1},
	{GLOBAL(gcphase), "runtime.gcSweep", 0},
	{GLOBAL(gcphase), "runtime.(*gcWork).balance", 0},
	{GLOBAL(gcphase), "runtime.queuefinalizer", 0},
	{GLOBAL(gcphase), "runtime.gcMarkDone", 3},
	{GLOBAL(wait_reasons), "runtime.waitReason.String", 1},
	{GLOBAL(wait_reasons), "runtime.(*waitReason).String", 1},
};

/* Functions that test the trace flag: atlas 2.6. */
static const char *const emitters[] = {
	"runtime.goexit1", "runtime.ready", "runtime.park_m", "runtime.execute", "runtime.releasep",
	"runtime.procresize", "runtime.injectglist", "runtime.acquirep", "runtime.newproc1",
	"runtime.preemptPark", "runtime.goyield_m",
};
#define MIN_EMITTERS 6     /* all 11 in every binary seen; a profile may inline or reorder a few */

struct votes {
	struct { uint64_t addr; int n; } v[MAX_CANDIDATES];
	size_t n;
};

static void vote(struct votes *v, uint64_t addr)
{
	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i].addr != addr)
			continue;
		v->v[i].n++;
		return;
	}
	if (addr && v->n < MAX_CANDIDATES)
		v->v[v->n].addr = addr, v->v[v->n++].n = 1;
}

static uint64_t winner(const struct votes *v, int min)
{
	size_t best = 0;

	for (size_t i = 1; i < v->n; i++)
		if (v->v[i].n > v->v[best].n)
			best = i;
	return v->n && v->v[best].n >= min ? v->v[best].addr : 0;
}

static bool uses(const struct code *c, uint64_t addr)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].rip == addr)
			return true;
	return false;
}

static void vote_rule(struct codes *cs, const struct operand_rule *r, struct votes *v)
{
	const struct code *c = codes_get(cs, r->func);

	if (!c)
		return;
	if (r->k != ANYWHERE) {
		vote(v, code_rip(c, r->k));
		return;
	}
	for (size_t i = 0; i < v->n; i++)
		if (uses(c, v->v[i].addr))
			v->v[i].n++;
}

static uint64_t find_operand(struct codes *cs, size_t at)
{
	struct votes v = {0};

	for (size_t i = 0; i < ARRAY_SIZE(operand_rules); i++)
		if (operand_rules[i].at == at)
			vote_rule(cs, &operand_rules[i], &v);
	/* the reasons prove themselves by their strings; their second rule needs a wrapper that -gcflags=-l leaves out */
	return winner(&v, at == GLOBAL(wait_reasons) ? 1 : 2);
}

/*
 * gcController is the receiver (AX) of its methods: `lea gcController(%rip), %rax` shortly before a call of update,
 * which the allocator does in several places (runtime/mcache.go, all versions).
 */
static uint64_t lea_before(const struct code *c, int call)
{
	for (int k = call - 1; k >= 0 && k > call - 8; k--) {
		if (c->v[k].op == OP_LEA && c->v[k].writes & 1u << REG_AX)
			return c->v[k].rip;
		if (c->v[k].writes & 1u << REG_AX)
			return 0;
	}
	return 0;
}

static uint64_t find_gc_controller(struct codes *cs)
{
	static const char callee[] = "runtime.(*gcControllerState).update";
	struct votes v = {0};
	struct runtime_call call;

	for (size_t pos = 0; codes_next_call(cs, &pos, &call);) {
		const struct code *c = codes_is(cs, call.target, callee) ? codes_at(cs, &call.caller) : NULL;
		int k = c ? code_at(c, call.addr) : -1;

		if (k >= 0)
			vote(&v, lea_before(c, k));
	}
	return winner(&v, 2);
}

/* Each function votes once for every variable that it loads or compares before a jcc. */
static void vote_flags(const struct code *c, struct votes *v)
{
	uint64_t seen[MAX_CANDIDATES];
	size_t n = 0;

	for (size_t i = 0; i < c->n && n < MAX_CANDIDATES; i++) {
		uint64_t addr = c->v[i].rip;
		bool is_new = addr && code_flag_jcc(c, addr, i) >= 0;

		for (size_t k = 0; k < n; k++)
			is_new = is_new && seen[k] != addr;
		if (is_new)
			vote(v, seen[n++] = addr);
	}
}

static uint64_t find_trace_flag(struct codes *cs)
{
	struct votes v = {0};

	for (size_t i = 0; i < ARRAY_SIZE(emitters); i++) {
		const struct code *c = codes_get(cs, emitters[i]);

		if (c)
			vote_flags(c, &v);
	}
	return winner(&v, MIN_EMITTERS);
}

/* runtime/proc.go: execute tests goroutineProfile.active (a byte) before it makes gp running; Go 1.19 and later. */
uint64_t globals_goroutine_profile(struct codes *cs, uint64_t trace_flag)
{
	const struct code *execute = codes_get(cs, "runtime.execute"), *exit = codes_get(cs, "runtime.exitsyscall");

	for (size_t i = 0; execute && exit && i < execute->n; i++) {
		const struct insn *in = &execute->v[i];

		if (in->rip && in->rip != trace_flag && in->op == OP_CMP && in->mem_size == 1 && uses(exit, in->rip))
			return in->rip;
	}
	return 0;
}

static bool is_reason(const struct image *im, uint64_t addr)
{
	uint64_t p, n;
	const uint8_t *s;

	if (!image_u64(im, addr, &p) || !image_u64(im, addr + 8, &n) || n > MAX_REASON_LEN)
		return false;
	s = n ? image_at(im, p, n) : NULL;
	for (uint64_t i = 0; s && i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return !n || s;
}

/*
 * runtime/runtime2.go: waitReason.String compares with len(waitReasonStrings) (jae) or the last index (ja); the
 * strings themselves say which, the first of all is "".
 */
static uint32_t count_wait_reasons(const struct image *im, struct codes *cs, uint64_t table)
{
	const struct code *c = codes_get(cs, "runtime.waitReason.String");
	uint32_t n = 0;

	for (size_t i = 0; c && i < c->n && !n; i++)
		if (c->v[i].op == OP_CMP && c->v[i].has_imm && !c->v[i].mem_size)
			n = c->v[i].imm & 0xff;
	if (!n || n > MAX_WAIT_REASONS)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (!is_reason(im, table + 16 * i))
			return 0;
	return n;
}

/*
 * g.startpc of GC workers: gcBgMarkWorker itself, since Go 1.23 (it got an argument) the wrapper that the compiler
 * makes of `go gcBgMarkWorker(ready)`. runtime/mgc.go: gcBgMarkStartWorkers.
 */
static uint64_t find_worker_start(struct codes *cs)
{
	static const char *const wrappers[] = {
		"runtime.gcBgMarkStartWorkers.gowrap1", "runtime.gcBgMarkStartWorkers.func1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrappers); i++) {
		const struct code *c = codes_get(cs, wrappers[i]);

		if (c && code_call(cs, c, "runtime.gcBgMarkWorker", 0) >= 0)
			return c->func.entry;
	}
	const struct code *c = codes_get(cs, "runtime.gcBgMarkWorker");

	return c ? c->func.entry : 0;
}

static bool is_variable(const struct image *im, uint64_t addr)
{
	for (size_t i = 0; i < im->n_segments; i++) {
		const struct image_segment *s = &im->segments[i];

		if (s->writable && addr >= s->vaddr && addr - s->vaddr < s->mem_size)
			return addr % 4 == 0;
	}
	return false;
}

static uint64_t *global_at(struct globals *g, size_t at)
{
	return (uint64_t *)((uint8_t *)g + at);
}

static const struct { const char *name; size_t at; bool is_needed; } variables[] = {
	{"allgs", GLOBAL(allgs), true},           {"allp", GLOBAL(allp), true},
	{"allm", GLOBAL(allm), true},             {"sched", GLOBAL(sched), true},
	{"gomaxprocs", GLOBAL(gomaxprocs), true}, {"gcController", GLOBAL(gc_controller), true},
	{"work", GLOBAL(work), false},            {"gcphase", GLOBAL(gcphase), false},
};

static int check_variables(const struct image *im, struct globals *g, struct why *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		uint64_t *addr = global_at(g, variables[i].at);

		if (*addr && is_variable(im, *addr))
			continue;
		*addr = 0;
		if (variables[i].is_needed)
			return why_set(why, -ENOTSUP,
				       "runtime.%s was not found in this binary's code: it was built by a compiler that "
				       "this gotrace does not know", variables[i].name);
	}
	return 0;
}

/*
 * Code addresses that stand as leaf in stacks taken on the system stack: gopark's return from mcall, and
 * systemstack_switch + 8 (runtime/asm_amd64.s gosave_systemstack_switch, Go 1.21 and later).
 */
static void find_leaves(struct codes *cs, struct globals *g)
{
	const struct code *park = codes_get(cs, "runtime.gopark");
	const struct code *systemstack = codes_get(cs, "runtime.systemstack");
	const struct code *leaf = codes_get(cs, "runtime.systemstack_switch");
	int call = park ? code_call(cs, park, "runtime.mcall", 0) : -1;

	if (call >= 0)
		g->gopark_return = park->v[call].addr + park->v[call].len;
	if (!systemstack || !leaf)
		return;
	g->systemstack = systemstack->func.entry;
	g->systemstack_end = systemstack->func.end;
	g->systemstack_pc = leaf->func.entry + 8;
}

int globals_find(const struct image *im, struct codes *cs, struct globals *ret, struct why *why)
{
	struct globals g = {0};

	for (size_t i = 0; i < ARRAY_SIZE(operand_rules); i++)
		*global_at(&g, operand_rules[i].at) = find_operand(cs, operand_rules[i].at);
	g.gc_controller = find_gc_controller(cs);
	g.trace_enabled = find_trace_flag(cs);
	g.gc_bg_mark_worker = find_worker_start(cs);
	find_leaves(cs, &g);
	g.n_wait_reasons = count_wait_reasons(im, cs, g.wait_reasons);
	if (!g.n_wait_reasons)
		return why_set(why, -ENOTSUP, "the runtime's table of wait reasons was not found in this binary");
	int r = check_variables(im, &g, why);

	if (r < 0)
		return r;
	*ret = g;
	return 0;
}
