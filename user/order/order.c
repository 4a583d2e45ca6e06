/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.c - see order.h: holds back for the snapshot, cuts generations, and gives the rest to
 * apply.c.
 */
#include "order/order.h"

#include <assert.h>
#include <stdlib.h>

#include "order/apply.h"
#include "order/attach.h"
#include "order/reasons.h"

enum {
	DEFAULT_GENERATION_NS = 1000000000,
	DEFAULT_GENERATION_BYTES = 8 << 20,
	/*
	 * A stop-the-world whose end was lost must not hold a generation in memory for ever.
	 * Crossing is safe in our files, because the kinds have the same ids in every generation
	 * (trace-format.md, section 10); it is only not done without need.
	 */
	PATIENCE = 16,
	/* A storm of losses must not become a storm of generations. */
	MIN_GENERATION_NS = 50000000,
};

struct order {
	struct emit emit;
	struct attach *attach;  /* while records are held back */
	bool is_over;           /* the target is another program now */
	int error;
};

struct order *order_new(const struct order_config *cfg)
{
	struct order *o = xcalloc(1, sizeof(*o));
	size_t n;

	emit_init(&o->emit, cfg);
	if (!o->emit.cfg.generation_ns)
		o->emit.cfg.generation_ns = DEFAULT_GENERATION_NS;
	if (!o->emit.cfg.generation_bytes)
		o->emit.cfg.generation_bytes = DEFAULT_GENERATION_BYTES;
	const struct str *words = reasons_all(&n);

	writer_fix_strings(cfg->writer, words, n);
	return o;
}

void order_free(struct order *o)
{
	if (!o)
		return;
	attach_free(o->attach);
	emit_free(&o->emit);
	free(o);
}

/* ------------------------------------------------------------------ generations */

static void cut(struct order *o)
{
	struct emit *e = &o->emit;
	int err = emit_cut(e);

	if (err && !o->error)
		o->error = err;
	if (!o->error && writer_written(e->cfg.writer))
		e->counts.written_ns = e->last_tick << e->tick_shift;
}

static void cut_if_due(struct order *o, uint64_t now_ns)
{
	struct emit *e = &o->emit;

	if (!e->is_open)
		return;
	uint64_t age = now_ns > e->begin_ns ? now_ns - e->begin_ns : 0;
	uint64_t patience = e->open_stws ? PATIENCE : 1;

	if (age >= e->cfg.generation_ns * patience ||
	    writer_pending(e->cfg.writer) >= e->cfg.generation_bytes * patience)
		cut(o);
}

/* The place of a loss is told twice: in the extra data, and by the end of a generation. */
static void on_loss(struct order *o, const struct record *r)
{
	struct emit *e = &o->emit;
	struct buf chunk CLEANUP(buf_free) = {0};

	e->counts.losses++;
	e->counts.lost += r->arg;
	extra_loss(&chunk, r->object, r->ts_ns, r->arg);
	writer_extra(e->cfg.writer, chunk.v, chunk.n);
	if (e->is_open && !e->open_stws && r->ts_ns > e->begin_ns + MIN_GENERATION_NS)
		cut(o);
}

/*
 * Nothing happened up to here: a generation of statuses says so, for the reader's clock stands at
 * the last event. Written at once, a kill -9 shall not cost it.
 */
static void on_time(struct order *o, uint64_t ts_ns)
{
	struct emit *e = &o->emit;

	if (!e->model.procs.n || e->open_stws || ts_ns >> e->tick_shift <= e->last_tick)
		return;
	cut(o);
	emit_open(e);
	cut(o);
}

/* ------------------------------------------------------------------ records */

static void process(struct order *o, const struct record *r)
{
	struct emit *e = &o->emit;

	if (o->is_over)
		return;
	cut_if_due(o, r->ts_ns);
	e->now_ns = r->ts_ns;
	if (r->type == REC_LOSS)
		on_loss(o, r);
	else if (r->type == REC_TARGET_EXEC)
		o->is_over = true;
	else if (r->type == REC_TIME)
		on_time(o, r->ts_ns);
	else if (r->type != REC_TARGET_EXIT)
		apply_record(e, r);
}

static void release(struct order *o)
{
	struct attach *a = o->attach;

	if (!a)
		return;
	o->attach = NULL;
	attach_install(a, &o->emit);
	for (const struct record *r; (r = attach_next(a));)
		process(o, r);
	attach_free(a);
}

void order_snapshot(struct order *o, const struct snapshot *snap)
{
	assert(!o->attach && !o->emit.generation);
	o->attach = attach_new(snap);
}

void order_stack(struct order *o, const struct stack_def *def)
{
	stacks_define(o->emit.cfg.stacks, def);
}

static void count(struct order_counts *c, const struct record *r)
{
	if (!c->records++)
		c->first_ns = r->ts_ns;
	if (r->ts_ns > c->last_ns)
		c->last_ns = r->ts_ns;
	if (r->type < ARRAY_SIZE(c->by_type))
		c->by_type[r->type]++;
}

int order_record(struct order *o, const struct record *r)
{
	count(&o->emit.counts, r);
	if ((r->goid && !is_goid(r->goid)) || (r->creator && !is_goid(r->creator))) {
		o->emit.counts.dropped++; /* read from a target that lies, or from a damaged spool */
		return o->error;
	}
	if (o->attach && attach_hold(o->attach, r))
		return o->error;
	release(o);
	process(o, r);
	return o->error;
}

void order_extra(struct order *o, const void *data, size_t n)
{
	writer_extra(o->emit.cfg.writer, data, n);
}

int order_idle(struct order *o, uint64_t now_ns)
{
	if (o->attach && attach_is_due(o->attach, now_ns))
		release(o);
	return o->error;
}

int order_finish(struct order *o)
{
	struct emit *e = &o->emit;

	release(o);
	if (!e->is_open && e->model.procs.n && writer_has_extra(e->cfg.writer))
		emit_open(e); /* to have a place for it */
	cut(o);
	return o->error;
}

const struct order_counts *order_counts(const struct order *o)
{
	return &o->emit.counts;
}
