/* SPDX-License-Identifier: Apache-2.0 */
/* offsets.c - see offsets.h. The table is offsets_table.inc, written by scripts/gen-offsets. */
#include "target/offsets.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "target/dwarf.h"

#define OFFSET_REQUIRED 0x10000
#define MAX_NAMES 2
#define N_OFFSETS (sizeof(struct gt_offsets) / sizeof(uint16_t))

struct offset_field {
	uint16_t at;                  /* in struct gt_offsets */
	uint32_t absent;              /* value when the version has no such field, OFFSET_REQUIRED: all have it */
	const char *names[MAX_NAMES]; /* in DWARF; the first that exists */
};

struct offset_row {
	uint16_t minor, first_patch, last_patch;
	const char *from;
	uint16_t values[N_OFFSETS];   /* in the order of offset_fields */
};

#include "target/offsets_table.inc"

_Static_assert(ARRAY_SIZE(offset_fields) == N_OFFSETS, "a field of gt_offsets is missing in scripts/gen-offsets");

static uint16_t *field_at(struct gt_offsets *o, uint16_t at)
{
	return (uint16_t *)((uint8_t *)o + at);
}

static uint16_t field_value(const struct gt_offsets *o, uint16_t at)
{
	return *(const uint16_t *)((const uint8_t *)o + at);
}

static void fill_row(const struct offset_row *row, struct gt_offsets *ret)
{
	for (size_t i = 0; i < N_OFFSETS; i++)
		*field_at(ret, offset_fields[i].at) = row->values[i];
}

static const struct offset_row *find_row(const struct go_version *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(offset_rows); i++) {
		const struct offset_row *r = &offset_rows[i];

		if (v->major == 1 && v->minor == r->minor && v->patch >= r->first_patch && v->patch <= r->last_patch)
			return r;
	}
	return NULL;
}

int offsets_for_version(const struct go_version *v, struct gt_offsets *ret, char from[64])
{
	const struct offset_row *row = find_row(v);

	if (!row)
		return -ENOENT;
	fill_row(row, ret);
	snprintf(from, 64, "table %s", row->from);
	return 0;
}

/* -------------------------------------------------------------------- facts from code */

static void add_fact(struct offset_facts *f, const char *name, size_t at, int64_t value, bool is_essential)
{
	if (f->n < MAX_FACTS && value >= 0 && value < UINT16_MAX)
		f->v[f->n++] = (struct offset_fact){name, at, value, is_essential};
}
#define ADD(f, field, value, essential) \
	add_fact(f, #field, offsetof(struct gt_offsets, field), value, essential)

/*
 * runtime/asm_amd64.s: mcall. In all versions it stores sched.pc, sched.sp, sched.bp through R14 in this order, then
 * loads g.m through it. g0 becomes current: its pointer is stored at fs:disp, or at fs:(reg) after a mov of the slot
 * to reg (PIE).
 */
static void derive_mcall(const struct code *c, struct offset_facts *f)
{
	int64_t stores[3], slot = 0, m = -1;
	size_t n = 0;

	for (size_t k = 0; k < c->n; k++) {
		const struct insn *i = &c->v[k];

		if (i->op != OP_MOV)
			continue;
		if (i->has_imm && !i->mem_size)
			slot = i->imm;
		else if (i->is_fs && i->is_store && !f->tls_g)
			f->tls_g = i->base == REG_NONE ? (int32_t)i->disp : slot;
		else if (i->is_store && i->base == REG_R14 && n < 3)
			stores[n++] = i->disp;
		else if (!i->is_store && i->base == REG_R14 && m < 0)
			m = i->disp;
	}
	if (n < 3)
		return;
	ADD(f, g_m, m, true);
	ADD(f, g_sched_pc, stores[0], true);
	ADD(f, g_sched_sp, stores[1], true);
	ADD(f, g_sched_bp, stores[2], true);
}

static void derive_casgstatus(const struct code *c, struct offset_facts *f)
{
	for (size_t k = 0; k < c->n; k++) {
		if (c->v[k].op != OP_CMPXCHG || !c->v[k].mem_size)
			continue;
		ADD(f, g_atomicstatus, c->v[k].disp, true);
		return;
	}
}

/* A store through a pointer: not a spill, not a static variable, not the write barrier's buffer (R11). */
static bool is_field_store(const struct insn *i, int size)
{
	return i->op == OP_MOV && i->is_store && i->mem_size == size && i->base >= 0 && i->base != REG_SP &&
	       i->base != REG_RIP && i->base != REG_R11;
}

/*
 * runtime/proc.go: gopark(unlockf, lock, reason, traceReason, traceskip) stores lock (BX), the two reasons as bytes,
 * g.waitreason first, and traceskip (SI).
 */
static void derive_gopark(const struct code *c, struct offset_facts *f)
{
	int64_t bytes[2] = {-1, -1}, skip = -1, lock = -1;
	size_t n = 0;

	for (size_t k = 0; k < c->n; k++) {
		const struct insn *i = &c->v[k];

		if (is_field_store(i, 1) && n < 2)
			bytes[n++] = i->disp;
		if (is_field_store(i, 8) && i->src == REG_SI)
			skip = i->disp;
		if (is_field_store(i, 8) && i->src == REG_BX)
			lock = i->disp;
	}
	ADD(f, g_waitreason, bytes[0], true);
	ADD(f, m_block_reason, bytes[1], true);
	ADD(f, m_wait_skip, skip, false);
	ADD(f, m_waitlock, lock, false);
}

/* runtime/proc.go: execute: mp.curg = gp is its first store of a pointer far inside a structure. */
static void derive_execute(const struct code *c, struct offset_facts *f)
{
	for (size_t k = 0; k < c->n; k++) {
		if (!is_field_store(&c->v[k], 8) || c->v[k].disp <= 0x80)
			continue;
		ADD(f, m_curg, c->v[k].disp, true);
		return;
	}
}

/* runtime/proc.go: wirep(pp) first checks that m.p is 0, then reads pp.m (AX is pp until the first call). */
static void derive_wirep(const struct code *c, struct offset_facts *f)
{
	int64_t m_p = -1, p_m = -1;

	for (size_t k = 0; k < c->n; k++) {
		const struct insn *i = &c->v[k];

		if (i->op == OP_CMP && i->mem_size == 8 && i->has_imm && i->disp > 0x80 && m_p < 0)
			m_p = i->disp;
		if ((i->op == OP_CMP || i->op == OP_MOV) && i->mem_size == 8 && i->base == REG_AX && p_m < 0)
			p_m = i->disp;
	}
	ADD(f, m_p, m_p, false);
	ADD(f, p_m, p_m, false);
}

/* runtime/mgcpacer.go: pp.gcMarkWorkerMode = gcMarkWorkerDedicatedMode (1), in one of two functions by version. */
static void derive_worker_mode(const struct code *c, struct offset_facts *f)
{
	for (size_t k = 0; k < c->n; k++) {
		if (!is_field_store(&c->v[k], 8) || !c->v[k].has_imm || c->v[k].imm != 1)
			continue;
		ADD(f, p_gc_worker_mode, c->v[k].disp, false);
		return;
	}
}

void offsets_derive(struct codes *cs, struct offset_facts *ret)
{
	static const struct {
		const char *func;
		void (*derive)(const struct code *c, struct offset_facts *f);
	} rules[] = {
		{"runtime.mcall", derive_mcall},     {"runtime.casgstatus", derive_casgstatus},
		{"runtime.gopark", derive_gopark},   {"runtime.execute", derive_execute},
		{"runtime.wirep", derive_wirep},
		{"runtime.(*gcControllerState).findRunnableGCWorker", derive_worker_mode},  /* until Go 1.25 */
		{"runtime.(*gcControllerState).assignWaitingGCWorker", derive_worker_mode}, /* Go 1.26 */
	};

	*ret = (struct offset_facts){0};
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct code *c = codes_get(cs, rules[i].func);

		if (c)
			rules[i].derive(c, ret);
	}
}

/* ------------------------------------------------------------------------- resolving */

/* The first fact that o contradicts, or NULL. */
static const struct offset_fact *contradiction(const struct gt_offsets *o, const struct offset_facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (field_value(o, f->v[i].at) != f->v[i].value)
			return &f->v[i];
	return NULL;
}

#define N_ESSENTIAL 8 /* facts that derive_* mark so */

static bool confirms(const struct gt_offsets *o, const struct offset_facts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->v[i].is_essential;
	return n == N_ESSENTIAL && !contradiction(o, f);
}

int offsets_from_dwarf(const struct image *im, struct gt_offsets *ret)
{
	CLEANUP(dwarf_types_closep) struct dwarf_types *d = NULL;
	struct gt_offsets o = {0};

	if (dwarf_types_open(im, &d) < 0)
		return -ENOENT;
	for (size_t i = 0; i < N_OFFSETS; i++) {
		const struct offset_field *f = &offset_fields[i];
		uint64_t v = f->absent;

		for (size_t k = 0; k < MAX_NAMES && f->names[k]; k++)
			if (dwarf_types_offset(d, f->names[k], &v))
				break;
		if (v > UINT16_MAX)
			return -ENOENT;
		*field_at(&o, f->at) = v;
	}
	*ret = o;
	return 0;
}

/*
 * Rows that may hold for a version without one of its own: the same minor's (a patch between two known layouts),
 * or for a newer Go the newest.
 */
static bool is_hypothesis(const struct offset_row *r, const struct go_version *v)
{
	const struct offset_row *newest = &offset_rows[ARRAY_SIZE(offset_rows) - 1];

	return r->minor == v->minor || (r == newest && go_version_cmp(v, 1, newest->minor, newest->last_patch) > 0);
}

static bool try_hypotheses(const struct go_version *v, const struct offset_facts *f, struct gt_offsets *ret,
			   char from[64], char note[256])
{
	for (size_t i = ARRAY_SIZE(offset_rows); i-- > 0;) {
		const struct offset_row *r = &offset_rows[i];
		struct gt_offsets o;

		if (!is_hypothesis(r, v))
			continue;
		fill_row(r, &o);
		if (!confirms(&o, f))
			continue;
		*ret = o;
		snprintf(from, 64, "table %s, confirmed by code", r->from);
		snprintf(note, 256, "%.60s is not in the table of offsets; those of %s agree with %zu facts of its code",
			 v->text, r->from, f->n);
		return true;
	}
	return false;
}

/* GOEXPERIMENT=staticlockranking makes every mutex larger: p and schedt move where no fact of the code shows it. */
static bool changes_layout_unseen(const struct buildinfo *bi)
{
	return strstr(bi->experiment, "staticlockranking") || strstr(bi->version.text, "staticlockranking");
}

static int refuse(const struct buildinfo *bi, const struct offset_fact *bad, struct why *why)
{
	if (bad)
		return why_set(why, -ENOTSUP,
			       "the table of offsets for %.60s does not fit this binary (%s is %u in its code) and it has no "
			       "DWARF to read them from; rebuild it without -ldflags=-w",
			       bi->version.text, bad->name, bad->value);
	return why_set(why, -ENOTSUP,
		       "the layout of %.60s is not known to this gotrace and the binary has no DWARF to read it from; "
		       "rebuild it without -ldflags=-w or use a newer gotrace",
		       bi->version.text);
}

int offsets_resolve(const struct image *im, const struct buildinfo *bi, const struct offset_facts *facts,
		    struct gt_offsets *ret, char from[64], char note[256], struct why *why)
{
	const struct go_version *v = &bi->version;
	const struct offset_fact *bad = NULL;
	struct gt_offsets o;
	bool is_plain = !v->is_custom && !bi->guessed;

	*note = 0;
	if (is_plain && offsets_for_version(v, &o, from) == 0) {
		bad = contradiction(&o, facts);
		if (!bad)
			return *ret = o, 0;
	}
	if (!bad && !changes_layout_unseen(bi) && try_hypotheses(v, facts, ret, from, note))
		return 0;
	if (offsets_from_dwarf(im, &o) < 0)
		return refuse(bi, bad, why);
	if (contradiction(&o, facts))
		return why_set(why, -ENOTSUP, "DWARF and code of this binary disagree about %s; this is not a Go %d.%d as released",
			       contradiction(&o, facts)->name, v->major, v->minor);
	*ret = o;
	snprintf(from, 64, "DWARF");
	snprintf(note, 256, "offsets of %.60s read from its DWARF", v->text);
	return 0;
}
