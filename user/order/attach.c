/* SPDX-License-Identifier: Apache-2.0 */
/* attach.c - see attach.h. */
#include "order/attach.h"

#include <stdlib.h>

enum {
	/* a stamp may be older than its place in the stream by a probe's run */
	SLACK_NS = 1000000,
	MAX_HELD = 1 << 22,  /* 350 MB; a snapshot of a million goroutines takes 0.3 s */
};

/* What the first record about it tells; `is_known` false: nothing. */
struct thread_claim {
	uint64_t tid, goid;  /* goid 0: no goroutine */
	int32_t p;           /* RECORD_NO_P: no P */
	bool knows_g, knows_p;
};

struct g_claim {
	uint64_t goid, tid;
	enum g_state state;  /* G_UNBORN: it did not exist */
};

struct p_claim {
	uint64_t tid;        /* 0: idle */
	bool is_known;
};

struct attach {
	struct snapshot snap;
	VEC(struct record) held;
	size_t next;

	struct map64 thread_of, g_of;  /* id -> index + 1 */
	VEC(struct thread_claim) threads;
	VEC(struct g_claim) gs;
	VEC(struct p_claim) ps;        /* by id */
	enum { GC_UNKNOWN, GC_OFF, GC_ON } gc;
};

struct attach *attach_new(const struct snapshot *snap)
{
	struct attach *a = xcalloc(1, sizeof(*a));

	a->snap = *snap;
	a->snap.g = snap->n_g ? xmemdup(snap->g, snap->n_g * sizeof(*snap->g)) : NULL;
	a->snap.p = snap->n_p ? xmemdup(snap->p, snap->n_p * sizeof(*snap->p)) : NULL;
	return a;
}

void attach_free(struct attach *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->held.n; i++)
		free((void *)a->held.v[i].text);
	free(a->snap.g);
	free(a->snap.p);
	vec_free(&a->held);
	vec_free(&a->threads);
	vec_free(&a->gs);
	vec_free(&a->ps);
	map64_free(&a->thread_of);
	map64_free(&a->g_of);
	free(a);
}

bool attach_is_due(const struct attach *a, uint64_t now_ns)
{
	return !a->snap.end_ns || now_ns > a->snap.end_ns + SLACK_NS || a->held.n >= MAX_HELD;
}

bool attach_hold(struct attach *a, const struct record *r)
{
	if (attach_is_due(a, r->ts_ns))
		return false;
	struct record *copy = vec_push(&a->held);

	*copy = *r;
	copy->text = r->text_len ? xmemdup(r->text, r->text_len) : NULL;
	return true;
}

const struct record *attach_next(struct attach *a)
{
	return a->next < a->held.n ? &a->held.v[a->next++] : NULL;
}

/* ------------------------------------------------------------- claims: the first mention counts */

static struct thread_claim *thread_claim(struct attach *a, uint64_t tid)
{
	uint64_t *index = map64_at(&a->thread_of, tid);

	if (!*index) {
		*vec_push(&a->threads) = (struct thread_claim){.tid = tid, .p = RECORD_NO_P};
		*index = a->threads.n;
	}
	return &a->threads.v[*index - 1];
}

static struct p_claim *p_claim(struct attach *a, int32_t p)
{
	while (a->ps.n <= (size_t)p)
		*vec_push(&a->ps) = (struct p_claim){0};
	return &a->ps.v[p];
}

static void claim_g(struct attach *a, uint64_t goid, enum g_state state, uint64_t tid)
{
	if (!goid)
		return;
	uint64_t *index = map64_at(&a->g_of, goid);

	if (*index)
		return;
	*vec_push(&a->gs) = (struct g_claim){.goid = goid, .tid = tid, .state = state};
	*index = a->gs.n;
}

static void claim_thread_g(struct attach *a, uint64_t tid, uint64_t goid)
{
	struct thread_claim *t = thread_claim(a, tid);

	if (t->knows_g)
		return;
	t->knows_g = true;
	t->goid = goid;
}

static void claim_no_p(struct attach *a, uint64_t tid)
{
	thread_claim(a, tid)->knows_p = true;
}

static void claim_idle(struct attach *a, int32_t p)
{
	p_claim(a, p)->is_known = true;
}

/* The thread has this P now. It had it at the beginning if neither was touched before. */
static void claim_p(struct attach *a, uint64_t tid, int32_t p)
{
	if (p < 0 || p >= MODEL_MAX_P)
		return;
	struct thread_claim *t = thread_claim(a, tid);
	struct p_claim *c = p_claim(a, p);

	if (!t->knows_p && !c->is_known) {
		t->p = p;
		c->tid = tid;
	}
	t->knows_p = true;
	c->is_known = true;
}

static void claim_running(struct attach *a, uint64_t tid, uint64_t goid, int32_t p)
{
	claim_g(a, goid, G_RUNNING, tid);
	claim_thread_g(a, tid, goid);
	claim_p(a, tid, p);
}

static void claim_syscall(struct attach *a, uint64_t tid, uint64_t goid)
{
	claim_g(a, goid, G_SYSCALL, tid);
	claim_thread_g(a, tid, goid);
}

static void claim_proc_start(struct attach *a, uint64_t tid, int32_t p)
{
	if (p < 0 || p >= MODEL_MAX_P)
		return;
	/* Perhaps held by a thread in a syscall; idle is legal in any case. */
	claim_idle(a, p);
	claim_no_p(a, tid);
}

/* Facts about the context of goid: sure of the goroutine only if they name it. */
static void claim_context(struct attach *a, const struct record *r, uint64_t goid)
{
	if (goid)
		claim_running(a, r->tid, goid, r->p);
	else
		claim_p(a, r->tid, r->p);
}

static void claim_gc(struct attach *a, const struct record *r)
{
	claim_context(a, r, r->goid);
	if (a->gc == GC_UNKNOWN)
		a->gc = r->type == REC_GC_BEGIN ? GC_OFF : GC_ON;
}

static void claim_create(struct attach *a, const struct record *r)
{
	claim_g(a, r->goid, G_UNBORN, 0);
	claim_context(a, r, r->creator);
}

static void claim_start(struct attach *a, const struct record *r)
{
	claim_g(a, r->goid, G_RUNNABLE, 0);
	claim_thread_g(a, r->tid, 0);
	claim_p(a, r->tid, r->p);
}

static void claim_cgo_callback(struct attach *a, const struct record *r)
{
	claim_g(a, r->goid, G_UNBORN, 0);
	claim_thread_g(a, r->tid, 0);
}

static void claim_record(struct attach *a, const struct record *r)
{
	switch ((enum record_type)r->type) {
	case REC_GO_CREATE:
	case REC_GO_CREATE_BLOCKED: claim_create(a, r); break;
	case REC_GO_START: claim_start(a, r); break;
	case REC_GO_BLOCK:
	case REC_GO_STOP:
	case REC_GO_DESTROY:
	case REC_SYSCALL_BEGIN:
	case REC_PROCS_CHANGE:
	case REC_STW_BEGIN:
	case REC_STW_END:
	case REC_ASSIST_BEGIN:
	case REC_ASSIST_END:
	case REC_SWEEP_BEGIN:
	case REC_SWEEP_END:
	case REC_TASK_BEGIN:
	case REC_TASK_END:
	case REC_REGION_BEGIN:
	case REC_REGION_END:
	case REC_LOG: claim_context(a, r, r->goid); break;
	case REC_GC_BEGIN:
	case REC_GC_END: claim_gc(a, r); break;
	case REC_GO_UNBLOCK: claim_g(a, r->goid, G_WAITING, 0); break;
	case REC_GO_SWITCH:
		claim_g(a, r->goid, G_WAITING, 0);
		claim_p(a, r->tid, r->p);
		break;
	case REC_SYSCALL_END:
		claim_syscall(a, r->tid, r->goid);
		claim_p(a, r->tid, r->p); /* kept it, unless a REC_PROC_START came before */
		break;
	case REC_SYSCALL_END_NO_P:
	case REC_CGO_RETURN: claim_syscall(a, r->tid, r->goid); break;
	case REC_CGO_CALLBACK: claim_cgo_callback(a, r); break;
	case REC_PROC_START: claim_proc_start(a, r->tid, r->p); break;
	case REC_PROC_STOP: claim_p(a, r->tid, r->p); break;
	case REC_NONE:
	case REC_HEAP_ALLOC: /* of no thread, or of a thread that other records tell more about */
	case REC_HEAP_GOAL:
	case REC_CPU_SAMPLE: /* taken by interrupt, perhaps in the middle of a change */
	case REC_LOSS:
	case REC_TARGET_EXEC:
	case REC_TARGET_EXIT:
	case REC_TIME: break;
	}
}

/* --------------------------------------------------------- claims and snapshot become the model */

static bool is_on_thread(enum g_state state)
{
	return state == G_RUNNING || state == G_SYSCALL;
}

static bool may_have_g(struct attach *a, struct emit *e, uint64_t tid, uint64_t goid)
{
	uint64_t *index = map64_get(&a->thread_of, tid);
	const struct thread_claim *t = index ? &a->threads.v[*index - 1] : NULL;

	return tid && !model_m_at(&e->model, tid)->g && (!t || !t->knows_g || t->goid == goid);
}

/*
 * A goroutine whose thread belongs to another: it cannot be there. In a syscall it has long left
 * or waits.
 */
static void install_g(struct attach *a, struct emit *e, uint64_t goid, uint64_t tid,
		      enum g_state state)
{
	struct g *g = model_g_at(&e->model, goid);

	if (g->state != G_UNBORN)
		return; /* twice in the snapshot */
	if (!is_on_thread(state))
		g->state = (uint8_t)state;
	else if (may_have_g(a, e, tid, goid))
		m_bind_g(model_m_at(&e->model, tid), g, state);
	else
		g->state = state == G_RUNNING ? G_RUNNABLE : G_WAITING;
}

static void install_gs(struct attach *a, struct emit *e)
{
	for (size_t i = 0; i < a->gs.n; i++) {
		const struct g_claim *c = &a->gs.v[i];

		if (c->state != G_UNBORN)
			install_g(a, e, c->goid, c->tid, c->state);
	}
	for (uint32_t i = 0; i < a->snap.n_g; i++) {
		const struct snapshot_g *s = &a->snap.g[i];

		if (is_goid(s->goid) && s->state >= GO_RUNNABLE && s->state <= GO_WAITING &&
		    !map64_get(&a->g_of, s->goid))
			install_g(a, e, s->goid, s->tid, (enum g_state)s->state);
	}
}

/*
 * The stack names the goroutine. A goroutine whose stack could not be read is named by its start
 * function.
 */
static void install_stacks(struct attach *a, struct emit *e)
{
	for (uint32_t i = 0; i < a->snap.n_g; i++) {
		const struct snapshot_g *s = &a->snap.g[i];
		struct g *g = is_goid(s->goid) ? model_g(&e->model, s->goid) : NULL;

		if (!g)
			continue;
		g->stack = stacks_logical(e->cfg.stacks, s->stack, 0, s->goid == 1);
		if (!g->stack)
			g->stack = stacks_start(e->cfg.stacks, s->start_pc);
	}
}

static void place_p(struct emit *e, struct p *p, uint64_t tid)
{
	struct m *m = model_m_at(&e->model, tid);

	if (m->p)
		return;
	p->m = m;
	m->p = p;
	p->state = m->g && m->g->state == G_SYSCALL ? P_SYSCALL : P_RUNNING;
}

static bool may_have_p(struct attach *a, uint64_t tid)
{
	uint64_t *index = map64_get(&a->thread_of, tid);

	return tid && (!index || !a->threads.v[*index - 1].knows_p);
}

static void install_ps(struct attach *a, struct emit *e)
{
	for (size_t i = 0; i < a->ps.n; i++) {
		struct p *p = a->ps.v[i].is_known ? model_p_at(&e->model, (int32_t)i) : NULL;

		if (p && a->ps.v[i].tid)
			place_p(e, p, a->ps.v[i].tid);
	}
	for (uint32_t i = 0; i < a->snap.n_p; i++) {
		const struct snapshot_p *s = &a->snap.p[i];
		bool is_claimed = s->id >= 0 && (size_t)s->id < a->ps.n && a->ps.v[s->id].is_known;
		struct p *p = model_p_at(&e->model, s->id);

		if (p && !is_claimed && !p->m && may_have_p(a, s->tid))
			place_p(e, p, s->tid);
	}
}

static struct p *idle_p(const struct attach *a, const struct model *md)
{
	for (size_t i = 0; i < md->procs.n; i++) {
		struct p *p = md->procs.v[i];
		bool is_claimed = i < a->ps.n && a->ps.v[i].is_known;

		if (p && !p->m && !is_claimed)
			return p;
	}
	return NULL;
}

/* A running goroutine needs a P: any idle one, else it is runnable. */
static void feed_running_gs(struct attach *a, struct emit *e)
{
	for (size_t i = 0; i < e->model.threads.n; i++) {
		struct m *m = e->model.threads.v[i];

		if (!m->g || m->g->state != G_RUNNING || m->p)
			continue;
		struct p *p = idle_p(a, &e->model);

		if (p) {
			place_p(e, p, m->tid);
			continue;
		}
		m->g->state = G_RUNNABLE;
		m->g->m = NULL;
		m->g = NULL;
	}
}

/* The wait reasons that Go's statuses cannot hold (extra.h). */
static void write_reasons(const struct attach *a, const struct emit *e)
{
	struct buf list CLEANUP(buf_free) = {0}, chunk CLEANUP(buf_free) = {0};
	uint64_t before = 0, n = 0;

	for (uint32_t i = 0; i < a->snap.n_g; i++) {
		const struct snapshot_g *s = &a->snap.g[i];

		if (s->state != GO_WAITING)
			continue;
		buf_varint(&list, extra_zigzag((int64_t)(s->goid - before)));
		buf_byte(&list, s->reason);
		buf_byte(&list, s->wait_reason);
		before = s->goid;
		n++;
	}
	if (!n)
		return;
	extra_begin(&chunk, EXTRA_ATTACH);
	buf_varint(&chunk, n);
	buf_add(&chunk, list.v, list.n);
	writer_extra(e->cfg.writer, chunk.v, chunk.n);
}

void attach_install(struct attach *a, struct emit *e)
{
	for (size_t i = 0; i < a->held.n; i++)
		claim_record(a, &a->held.v[i]);
	install_gs(a, e);
	install_stacks(a, e);
	install_ps(a, e);
	feed_running_gs(a, e);
	e->gomaxprocs = (int64_t)a->snap.n_p;
	for (size_t i = 0; i < e->model.procs.n; i++)
		if (e->model.procs.v[i])
			e->gomaxprocs = (int64_t)max_u64((uint64_t)e->gomaxprocs, i + 1);
	e->gc_due = a->gc == GC_ON || (a->gc == GC_UNKNOWN && a->snap.gc_running);
	e->now_ns = a->held.n ? a->held.v[0].ts_ns : a->snap.begin_ns;
	if (a->snap.begin_ns && a->snap.begin_ns < e->now_ns)
		e->now_ns = a->snap.begin_ns;
	write_reasons(a, e);
	if (e->model.procs.n)
		emit_open(e);
}
