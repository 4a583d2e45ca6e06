/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - see resolve.h. */
#include "capture/resolve.h"

#include <errno.h>

/* Ring kind -> record type; 0 where a function below decides. */
static const uint8_t record_types[] = {
	[GT_P_START] = REC_GO_START,
	[GT_P_PARK] = REC_GO_BLOCK,
	[GT_P_GOPARK] = REC_GO_BLOCK,
	[GT_P_PREEMPT_PARK] = REC_GO_BLOCK,
	[GT_P_READY] = REC_GO_UNBLOCK,
	[GT_P_UNBLOCK] = REC_GO_UNBLOCK,
	[GT_P_UNBLOCK_WORKER] = REC_GO_UNBLOCK,
	[GT_P_STOP] = REC_GO_STOP,
	[GT_P_DESTROY] = REC_GO_DESTROY,
	[GT_P_CREATE] = REC_GO_CREATE,
	[GT_P_CREATE_BLOCKED] = REC_GO_CREATE_BLOCKED,
	[GT_P_CORO_SWITCH] = REC_GO_SWITCH,
	[GT_P_SYSCALL_BEGIN] = REC_SYSCALL_BEGIN,
	[GT_P_SYSCALL_BEGIN_CAS] = REC_SYSCALL_BEGIN,
	[GT_P_SYSCALL_BEGIN_BLOCK] = REC_SYSCALL_BEGIN,
	[GT_P_SYSCALL_END] = REC_SYSCALL_END,
	[GT_P_SYSCALL_END_CAS] = REC_SYSCALL_END,
	[GT_P_SYSCALL_END_NO_P] = REC_SYSCALL_END_NO_P,
	[GT_P_NEEDM] = REC_CGO_CALLBACK,
	[GT_P_DROPM] = REC_CGO_RETURN,
	[GT_P_PROC_START] = REC_PROC_START,
	[GT_P_PROC_STOP] = REC_PROC_STOP,
	[GT_P_PROCS_CHANGE] = REC_PROCS_CHANGE,
	[GT_P_STW_BEGIN] = REC_STW_BEGIN,
	[GT_P_STW_END] = REC_STW_END,
	[GT_P_GC_BEGIN] = REC_GC_BEGIN,
	[GT_P_GC_END] = REC_GC_END,
	[GT_P_ASSIST_BEGIN] = REC_ASSIST_BEGIN,
	[GT_P_ASSIST_END] = REC_ASSIST_END,
	[GT_P_SWEEP_BEGIN] = REC_SWEEP_BEGIN,
	[GT_P_SWEEP_SPAN] = REC_SWEEP_BEGIN, /* of the first span of a loop: see sweep */
	[GT_P_SWEEP_END] = REC_SWEEP_END,
	[GT_P_TASK_CREATE] = REC_TASK_BEGIN,
	[GT_P_TASK_END] = REC_TASK_END,
	[GT_P_REGION] = REC_REGION_BEGIN,
	[GT_P_LOG] = REC_LOG,
	[GT_K_SAMPLE] = REC_CPU_SAMPLE,
	[GT_K_EXEC] = REC_TARGET_EXEC,
	[GT_K_LOSS] = REC_LOSS,
};

/* runtime/trace.go of Go 1.18 to 1.21: traceEvGoStop .. traceEvGoBlockGC. GoBlock says nothing:
 * g.waitreason does. */
static const uint8_t v1_blocks[] = {
	[16] = BLOCK_FOREVER,   [19] = BLOCK_SLEEP,  [22] = BLOCK_CHAN_SEND,
	[23] = BLOCK_CHAN_RECV, [24] = BLOCK_SELECT, [25] = BLOCK_SYNC,
	[26] = BLOCK_COND,      [27] = BLOCK_NET,    [42] = BLOCK_GC_ASSIST,
};

void resolve_free(struct resolve *r)
{
	map64_free(&r->goids);
	map64_free(&r->procs);
	map64_free(&r->stacks);
	map64_free(&r->sweeps);
}

static uint64_t goid_of(struct resolve *r, uint64_t gp)
{
	uint64_t *known = gp ? map64_get(&r->goids, gp) : NULL, goid = 0;

	if (known)
		return *known;
	if (!gp)
		return 0;
	if (process_u64(r->process, gp + r->plan->offsets.g_goid, &goid) && goid) {
		r->counts.late_goids++;
		*map64_at(&r->goids, gp) = goid;
	} else {
		r->counts.unknown_goids++;
	}
	return goid;
}

static int32_t proc_of(struct resolve *r, uint64_t pp)
{
	uint32_t id;

	if (!pp)
		return RECORD_NO_P;
	uint64_t *known = map64_get(&r->procs, pp);

	if (known)
		return (int32_t)*known - 1;
	/* Ps are never freed, so an address once read stays true (runtime/proc.go: procresize). */
	if (!process_u32(r->process, pp + r->plan->offsets.p_id, &id) || id > 1 << 20)
		return RECORD_NO_P;
	*map64_at(&r->procs, pp) = id + 1;
	return (int32_t)id;
}

static uint32_t stack_of(struct resolve *r, uint64_t hash)
{
	uint64_t *known = hash ? map64_get(&r->stacks, hash) : NULL;

	r->counts.unread_stacks += hash && !known;
	return known ? (uint32_t)*known : 0;
}

static uint32_t number_stack(struct resolve *r, uint64_t hash, struct stack_def *def,
			     const struct capture_sink *sink)
{
	uint64_t *known = map64_get(&r->stacks, hash);

	if (known)
		return (uint32_t)*known;
	def->id = ++r->n_stacks;
	*map64_at(&r->stacks, hash) = def->id;
	r->counts.stacks++;
	sink->stack(sink->ctx, def);
	return def->id;
}

uint32_t resolve_stack(struct resolve *r, const uint64_t *pcs, unsigned n,
		       const struct capture_sink *sink)
{
	struct stack_def def = { .n = (uint16_t)n, .pcs = pcs };

	return number_stack(r, hash_bytes(pcs, n * sizeof(*pcs), 0x5747), &def, sink);
}

static int define_stack(struct resolve *r, const void *data, size_t n,
			const struct capture_sink *sink)
{
	const struct gt_stack_rec *rec = data;
	struct stack_def def = { .flags = (uint8_t)rec->h.flags, .pcs = rec->pcs };

	if (n < sizeof(rec->h) || rec->h.n > GT_MAX_FRAMES || !rec->h.n ||
	    n < sizeof(rec->h) + rec->h.n * sizeof(rec->pcs[0]))
		return -EBADMSG;
	def.n = (uint16_t)rec->h.n;
	number_stack(r, rec->h.hash, &def, sink);
	return 0;
}

uint8_t resolve_reason(const struct resolve *r, uint8_t traced)
{
	if (!r->has_v1_reasons)
		return traced;
	return traced < ARRAY_SIZE(v1_blocks) ? v1_blocks[traced] : BLOCK_UNSPECIFIED;
}

static uint8_t block_reason(const struct resolve *r, const struct gt_full *f)
{
	uint8_t reason = resolve_reason(r, f->head.reason);

	if (f->head.kind == GT_P_PREEMPT_PARK)
		return BLOCK_PREEMPTED;
	if (!r->has_v1_reasons || reason != BLOCK_UNSPECIFIED)
		return reason;
	return r->wait_blocks[f->wait_reason];
}

/* What the object of a block is follows from its reason. */
static const uint8_t wait_kinds[256] = {
	[BLOCK_CHAN_SEND] = WAIT_CHAN, [BLOCK_CHAN_RECV] = WAIT_CHAN, [BLOCK_SYNC] = WAIT_SEMA,
	[BLOCK_NET] = WAIT_FD,         [BLOCK_COND] = WAIT_ADDR,
};

static void fill_stacked(struct resolve *r, struct record *rec, const struct gt_stacked *s)
{
	rec->goid = goid_of(r, s->head.gp);
	rec->stack = stack_of(r, s->stack);
	rec->object = s->object;
}

/* What only the longer records tell. */
static void fill_full(struct resolve *r, struct record *rec, const struct gt_full *f)
{
	if (f->head.flags & GT_F_GOID) {
		rec->goid = f->goid;
		if (f->head.gp && f->head.kind != GT_K_SAMPLE)
			*map64_at(&r->goids, f->head.gp) = f->goid;
	} else {
		rec->goid = goid_of(r, f->head.gp);
	}
	rec->p = proc_of(r, f->pp);
	rec->stack = stack_of(r, f->stack);
	rec->arg = f->arg;
	rec->object = f->object;
	rec->aux = f->aux;
	if (rec->type == REC_GO_CREATE || rec->type == REC_GO_CREATE_BLOCKED)
		rec->creator = goid_of(r, f->creator);
	if (rec->type == REC_GO_BLOCK)
		rec->reason = block_reason(r, f);
	if (rec->type == REC_REGION_BEGIN && f->object)
		rec->type = REC_REGION_END;
}

static int fill_text(struct record *rec, const struct gt_text *t, size_t n, char text[GT_TEXT_MAX])
{
	if (n < sizeof(*t) || t->len > GT_TEXT_MAX / 2 || t->key_len > GT_TEXT_MAX / 2)
		return -EBADMSG;
	rec->text = t->text;
	rec->text_len = t->len;
	if (rec->type != REC_LOG)
		return 0;
	/* key and value stand in two halves; a record has them one after the other */
	rec->key_len = t->key_len > 255 ? 255 : (uint8_t)t->key_len;
	memcpy(text, t->text, rec->key_len);
	text[rec->key_len] = 0;
	memcpy(text + rec->key_len + 1, t->text + GT_TEXT_MAX / 2, t->len);
	rec->text = text;
	rec->text_len = (uint16_t)(rec->key_len + 1 + t->len);
	return 0;
}

/*
 * A sweep range begins with the first span that is swept in a loop and ends with the loop, if there
 * was one (runtime/traceruntime.go: GCSweepStart, GCSweepSpan, GCSweepDone). What is reclaimed is
 * not seen from outside: 0. False: nothing to tell.
 */
static bool sweep(struct resolve *r, struct record *rec, uint8_t kind)
{
	uint64_t *swept = map64_get(&r->sweeps, rec->tid), before = swept ? *swept : 0;

	if (kind == GT_P_SWEEP_BEGIN) {
		*map64_at(&r->sweeps, rec->tid) = 0;
		return false;
	}
	if (!swept)
		return false;
	if (kind == GT_P_SWEEP_SPAN) {
		*swept += rec->arg;
		return !before;
	}
	map64_del(&r->sweeps, rec->tid);
	rec->arg = before;
	return before;
}

static bool has_text(uint8_t type)
{
	return type >= REC_TASK_BEGIN && type <= REC_LOG;
}

int resolve_record(struct resolve *r, const void *data, size_t n, const struct capture_sink *sink)
{
	const struct gt_short *h = data;
	char text[GT_TEXT_MAX + 1];

	r->counts.ring_records++;
	r->counts.ring_bytes += n;
	if (n < sizeof(*h))
		return -EBADMSG;
	if (h->kind == GT_K_STACK)
		return define_stack(r, data, n, sink);
	if (h->kind >= ARRAY_SIZE(record_types) || !record_types[h->kind])
		return -EBADMSG;
	struct record rec = {
		.ts_ns = h->ts_ns,
		.tid = h->tid,
		.p = RECORD_NO_P,
		.type = record_types[h->kind],
		.reason = h->reason,
		.skip = h->skip,
	};

	if (n >= sizeof(struct gt_full))
		fill_full(r, &rec, data);
	else if (n >= sizeof(struct gt_stacked))
		fill_stacked(r, &rec, data);
	else
		rec.goid = goid_of(r, h->gp);
	if (h->flags & GT_F_OBJECT)
		rec.wait_kind = wait_kinds[rec.reason];
	if (n >= sizeof(struct gt_full) && has_text(rec.type) && fill_text(&rec, data, n, text))
		return -EBADMSG;
	if (h->flags & GT_F_CORO_EXIT)
		rec.flags |= REC_F_CORO_EXIT;
	r->counts.traps += h->kind < GT_P_MAX;
	r->counts.lost += rec.type == REC_LOSS ? rec.arg : 0;
	r->counts.bad_reads += !!(h->flags & GT_F_BAD_READ);
	r->counts.unread_stacks += !!(h->flags & GT_F_NO_STACK);
	bool is_sweep = h->kind >= GT_P_SWEEP_BEGIN && h->kind <= GT_P_SWEEP_SPAN;

	if (!is_sweep || sweep(r, &rec, h->kind))
		sink->record(sink->ctx, &rec);
	return 0;
}
