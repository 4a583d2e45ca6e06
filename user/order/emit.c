/* SPDX-License-Identifier: Apache-2.0 */
/* emit.c - see emit.h. */
#include "order/emit.h"

#include <assert.h>
#include <stdlib.h>

void emit_init(struct emit *e, const struct order_config *cfg)
{
	*e = (struct emit){.cfg = *cfg, .tick_shift = writer_tick_shift(cfg->writer)};
}

void emit_free(struct emit *e)
{
	model_free(&e->model);
	wait_coder_free(&e->waits);
}

/* ------------------------------------------------------------------ stamp, context, write */

static uint64_t next_tick(const struct emit *e)
{
	return max_u64(e->now_ns >> e->tick_shift, e->last_tick + 1);
}

static void set_context(struct event *ev, const struct m *m)
{
	ev->m = m ? m->tid : EVENT_NO_M;
	ev->p = m && m->p ? m->p->id : EVENT_NO_P;
	ev->g = m && m->g ? m->g->goid : 0;
}

static void put(struct emit *e, const struct event *ev)
{
	writer_event(e->cfg.writer, ev);
	if (e->cfg.observe)
		e->cfg.observe(e->cfg.observe_ctx, ev);
}

/*
 * A status takes the time of the event that it prepares, and no tick of its own: a million of
 * them cost no time.
 */
static void put_status(struct emit *e, struct m *m, struct event ev)
{
	set_context(&ev, m);
	ev.ts_ns = next_tick(e) << e->tick_shift;
	put(e, &ev);
}

/*
 * Before the model changes: opens a generation if need be, and takes down the context before the
 * event.
 */
static struct event begin(struct emit *e, enum event_type type, struct m *m)
{
	struct event ev = {.type = (uint8_t)type, .is_repair = e->is_repair};

	e->is_repair = false;
	emit_open(e);
	set_context(&ev, m);
	return ev;
}

static void end(struct emit *e, struct event *ev, struct m *m)
{
	e->last_tick = next_tick(e);
	ev->ts_ns = e->last_tick << e->tick_shift;
	if (m)
		m->last_tick = e->last_tick;
	e->counts.events += !ev->is_repair;
	e->counts.repairs += ev->is_repair;
	put(e, ev);
}

static void simple(struct emit *e, enum event_type type, struct m *m)
{
	struct event ev = begin(e, type, m);

	end(e, &ev, m);
}

static void with_stack(struct emit *e, enum event_type type, struct m *m, struct str name,
		       uint32_t stack)
{
	struct event ev = begin(e, type, m);

	ev.name = name;
	ev.stack = stack;
	end(e, &ev, m);
}

/* ------------------------------------------------------------------ generations */

static void put_p_status(struct emit *e, struct p *p)
{
	p->seq = 0;
	p->generation = e->generation;
	put_status(e, p->m, (struct event){.type = EV_PROC_STATUS, .id = (uint64_t)p->id,
		.status = p->state});
}

static void put_g_status(struct emit *e, struct m *m, struct g *g, enum event_type type)
{
	g->seq = 0;
	g->generation = e->generation;
	put_status(e, m, (struct event){
		.type = (uint8_t)type, .id = g->goid, .value = g->m ? g->m->tid : EVENT_NO_M,
		.status = g->state, .stack = type == EV_GO_STATUS_STACK ? g->stack : 0,
	});
}

/* A goroutine that only existed gets its name from the stack of its status (header 1.23). */
static enum event_type status_type(const struct emit *e, const struct g *g)
{
	bool has_stack = e->cfg.minor >= 23 && e->generation == 1 && g->stack;

	return has_stack ? EV_GO_STATUS_STACK : EV_GO_STATUS;
}

static int by_goid(const void *a, const void *b)
{
	const struct g *x = *(struct g *const *)a, *y = *(struct g *const *)b;

	return x->goid < y->goid ? -1 : x->goid > y->goid;
}

/* In the order of their numbers: the map's is another one in each process, and a replay makes the same bytes. */
static void put_idle_statuses(struct emit *e)
{
	VEC(struct g *) found = {0};
	struct g *g;

	for (size_t pos = 0; model_g_next(&e->model, &pos, &g);)
		if (!g->m && g->state != G_UNBORN)
			*vec_push(&found) = g;
	if (found.n)
		qsort(found.v, found.n, sizeof(found.v[0]), by_goid);
	for (size_t i = 0; i < found.n; i++)
		put_g_status(e, NULL, found.v[i], status_type(e, found.v[i]));
	vec_free(&found);
}

/*
 * P before G on a thread: the other order makes go tool trace panic (trace-format.md, section
 * 14).
 */
static void put_statuses(struct emit *e)
{
	struct model *md = &e->model;

	for (size_t i = 0; i < md->procs.n; i++)
		if (md->procs.v[i])
			put_p_status(e, md->procs.v[i]);
	for (size_t i = 0; i < md->threads.n; i++) {
		struct m *m = md->threads.v[i];

		if (m->g)
			put_g_status(e, m, m->g, status_type(e, m->g));
	}
	if (e->generation == 1)
		put_idle_statuses(e);
}

/*
 * Needs M, P and G, and consumers want it early. Its value covers every P id, or the MMU page of go
 * tool trace fails (trace-format.md, section 14).
 */
static void pay_procs_change(struct emit *e, struct m *m)
{
	if (e->procs_due && m && m_runs(m))
		emit_procs_change(e, m, 0);
}

void emit_open(struct emit *e)
{
	if (e->is_open)
		return;
	uint64_t tick = next_tick(e);

	e->is_open = true;
	e->generation++;
	e->begin_ns = tick << e->tick_shift;
	writer_begin_generation(e->cfg.writer, e->begin_ns);
	put_statuses(e);
	e->last_tick = tick;
	e->procs_due = true;
	if (e->gc_due) /* the first GC event needs no context */
		emit_gc_begin(e, model_running_m(&e->model), 0);
	pay_procs_change(e, model_running_m(&e->model));
}

int emit_cut(struct emit *e)
{
	if (!e->is_open)
		return 0;
	if (e->waits.has_any)
		writer_extra(e->cfg.writer, e->waits.chunk.v, e->waits.chunk.n);
	wait_coder_reset(&e->waits);
	e->is_open = false;
	e->counts.generations++;
	model_drop_threads(&e->model);
	return writer_end_generation(e->cfg.writer);
}

/* ------------------------------------------------------------------ who has what */

static void leave_thread(struct g *g, enum g_state state)
{
	g->state = (uint8_t)state;
	g->m->is_coro_exit = false;
	g->m->g = NULL;
	g->m = NULL;
}

static void free_p(struct p *p)
{
	p->state = P_IDLE;
	p->m->p = NULL;
	p->m = NULL;
}

/* Numbers restart with the status, so the status comes first (trace-format.md, section 6). */
static uint64_t next_g_seq(struct emit *e, struct m *m, struct g *g)
{
	if (g->generation != e->generation)
		put_g_status(e, m, g, EV_GO_STATUS);
	return ++g->seq;
}

static uint64_t next_p_seq(struct emit *e, struct p *p)
{
	assert(p->generation == e->generation);
	return ++p->seq;
}

static void born(struct emit *e, struct g *g, enum g_state state)
{
	g->state = (uint8_t)state;
	g->seq = 0;
	g->generation = e->generation;
}

/* Ranges do not outlive what they belong to: not the reader, but -strict and gotraceui care. */
static void close_range(struct emit *e, struct m *m, bool is_open,
			void (*end_range)(struct emit *e, struct m *m))
{
	bool is_repair = e->is_repair; /* of the event that this prepares */

	if (is_open)
		end_range(fix(e), m);
	e->is_repair = is_repair;
}

static void end_sweep(struct emit *e, struct m *m)
{
	emit_sweep_end(e, m, 0, 0);
}

/* ------------------------------------------------------------------ Ps */

struct p *emit_know_p(struct emit *e, int32_t id)
{
	struct p *p = model_p_at(&e->model, id);

	if (!p || !e->is_open || p->generation == e->generation)
		return p;
	put_p_status(e, p);
	/* Not on the thread of what follows: at one time with it, Go's reader may take others first. */
	e->last_tick = next_tick(e);
	return p;
}

void emit_proc_start(struct emit *e, struct m *m, struct p *p)
{
	struct event ev = begin(e, EV_PROC_START, m);

	assert(p->state == P_IDLE && !m->p);
	ev.id = (uint64_t)p->id;
	ev.seq = next_p_seq(e, p);
	end(e, &ev, m);
	p->state = P_RUNNING;
	p->m = m;
	m->p = p;
	if (p->id >= e->gomaxprocs) {
		e->gomaxprocs = p->id + 1;
		e->procs_due = true;
	}
}

void emit_proc_stop(struct emit *e, struct m *m)
{
	assert(m->p);
	assert(!m->g || m->g->state == G_SYSCALL);
	close_range(e, m, m->p->in_sweep, end_sweep);
	simple(e, EV_PROC_STOP, m);
	free_p(m->p);
}

void emit_proc_steal(struct emit *e, struct m *m, struct p *p)
{
	struct event ev = begin(e, EV_PROC_STEAL, m);

	assert(p->state == P_SYSCALL);
	ev.id = (uint64_t)p->id;
	ev.seq = next_p_seq(e, p);
	ev.value = p->m->tid;
	end(e, &ev, m);
	e->counts.steals++;
	free_p(p);
}

void emit_procs_change(struct emit *e, struct m *m, uint32_t stack)
{
	struct event ev = begin(e, EV_PROCS_CHANGE, m);

	assert(m_runs(m));
	ev.value = (uint64_t)e->gomaxprocs;
	ev.stack = stack;
	end(e, &ev, m);
	e->procs_due = false;
}

/* ------------------------------------------------------------------ goroutines */

void emit_go_status(struct emit *e, struct g *g, enum g_state state)
{
	emit_open(e);
	assert(e->generation == 1 && g->state == G_UNBORN);
	assert(state == G_WAITING || state == G_RUNNABLE);
	g->state = (uint8_t)state;
	put_g_status(e, NULL, g, status_type(e, g));
	/* Not on the thread of what follows: it needs a time of its own. */
	e->last_tick = next_tick(e);
}

void emit_go_create(struct emit *e, struct m *m, struct g *g, enum g_state state)
{
	bool is_blocked = state == G_WAITING && e->cfg.minor >= 23;
	struct event ev = begin(e, is_blocked ? EV_GO_CREATE_BLOCKED : EV_GO_CREATE, m);

	assert(g->state == G_UNBORN && m->p && (!m->g || m->g->state == G_RUNNING));
	ev.id = g->goid;
	ev.start_stack = g->start_stack;
	ev.stack = g->stack;
	end(e, &ev, m);
	born(e, g, is_blocked ? G_WAITING : G_RUNNABLE);
}

void emit_go_create_syscall(struct emit *e, struct m *m, struct g *g)
{
	struct event ev = begin(e, EV_GO_CREATE_SYSCALL, m);

	assert(g->state == G_UNBORN && !m->g);
	ev.id = g->goid;
	end(e, &ev, m);
	born(e, g, G_SYSCALL);
	m_bind_g(m, g, G_SYSCALL);
	m->has_ticket = false;
}

void emit_go_start(struct emit *e, struct m *m, struct g *g)
{
	struct event ev = begin(e, EV_GO_START, m);

	assert(g->state == G_RUNNABLE && !m->g && m->p && m->p->state == P_RUNNING);
	ev.id = g->goid;
	ev.seq = next_g_seq(e, m, g);
	end(e, &ev, m);
	m_bind_g(m, g, G_RUNNING);
	e->model.last_running = m;
	pay_procs_change(e, m);
}

void emit_go_block(struct emit *e, struct m *m, struct str reason, uint32_t stack,
		   uint8_t wait_kind, uint64_t object)
{
	assert(m_runs(m));
	close_range(e, m, m->g->in_stw, emit_stw_end);
	with_stack(e, EV_GO_BLOCK, m, reason, stack);
	if (e->cfg.wait_objects)
		wait_coder_add(&e->waits, wait_kind, object);
	leave_thread(m->g, G_WAITING);
}

void emit_go_stop(struct emit *e, struct m *m, struct str reason, uint32_t stack)
{
	assert(m_runs(m));
	close_range(e, m, m->g->in_stw, emit_stw_end);
	with_stack(e, EV_GO_STOP, m, reason, stack);
	leave_thread(m->g, G_RUNNABLE);
}

static void gone(struct emit *e, struct g *g)
{
	leave_thread(g, G_UNBORN);
	model_g_del(&e->model, g);
}

void emit_go_destroy(struct emit *e, struct m *m)
{
	assert(m_runs(m));
	close_range(e, m, m->g->in_stw, emit_stw_end);
	close_range(e, m, m->g->in_assist, emit_assist_end);
	simple(e, EV_GO_DESTROY, m);
	gone(e, m->g);
}

void emit_go_destroy_syscall(struct emit *e, struct m *m)
{
	assert(m->g && m->g->state == G_SYSCALL && !m->p);
	simple(e, EV_GO_DESTROY_SYSCALL, m);
	gone(e, m->g);
}

void emit_go_unblock(struct emit *e, struct m *m, struct g *g, uint32_t stack)
{
	struct event ev = begin(e, EV_GO_UNBLOCK, m);

	assert(g->state == G_WAITING);
	ev.id = g->goid;
	ev.seq = next_g_seq(e, m, g);
	ev.stack = stack;
	end(e, &ev, m);
	g->state = G_RUNNABLE;
}

void emit_go_switch(struct emit *e, struct m *m, struct g *g, bool is_destroyed)
{
	assert(e->cfg.minor >= 23 && m_runs(m) && g->state == G_WAITING);
	close_range(e, m, m->g->in_stw, emit_stw_end);
	if (is_destroyed)
		close_range(e, m, m->g->in_assist, emit_assist_end);
	struct event ev = begin(e, is_destroyed ? EV_GO_SWITCH_DESTROY : EV_GO_SWITCH, m);

	ev.id = g->goid;
	ev.seq = next_g_seq(e, m, g);
	end(e, &ev, m);
	if (is_destroyed)
		gone(e, m->g);
	else
		leave_thread(m->g, G_WAITING);
	m_bind_g(m, g, G_RUNNING);
}

void emit_syscall_begin(struct emit *e, struct m *m, uint32_t stack)
{
	assert(m_runs(m));
	close_range(e, m, m->p->in_sweep, end_sweep);
	struct event ev = begin(e, EV_GO_SYSCALL_BEGIN, m);

	ev.seq = next_p_seq(e, m->p);
	ev.stack = stack;
	end(e, &ev, m);
	m->g->state = G_SYSCALL;
	m->p->state = P_SYSCALL;
}

void emit_syscall_end(struct emit *e, struct m *m)
{
	assert(m->g && m->g->state == G_SYSCALL && m->p && m->p->state == P_SYSCALL);
	simple(e, EV_GO_SYSCALL_END, m);
	m->g->state = G_RUNNING;
	m->p->state = P_RUNNING;
	pay_procs_change(e, m);
}

void emit_syscall_end_blocked(struct emit *e, struct m *m)
{
	assert(m->g && m->g->state == G_SYSCALL && (!m->p || m->p->state == P_RUNNING));
	simple(e, EV_GO_SYSCALL_END_BLOCKED, m);
	leave_thread(m->g, G_RUNNABLE);
}

/* ------------------------------------------------------------------ ranges and the rest */

void emit_label(struct emit *e, struct m *m, struct str label)
{
	assert(m_runs(m));
	with_stack(e, EV_GO_LABEL, m, label, 0);
}

void emit_stw_begin(struct emit *e, struct m *m, struct str kind, uint32_t stack)
{
	assert(m_runs(m) && !m->g->in_stw);
	with_stack(e, EV_STW_BEGIN, m, kind, stack);
	m->g->in_stw = true;
	e->open_stws++;
}

void emit_stw_end(struct emit *e, struct m *m)
{
	assert(m_runs(m) && m->g->in_stw);
	simple(e, EV_STW_END, m);
	m->g->in_stw = false;
	e->open_stws--;
}

void emit_gc_begin(struct emit *e, struct m *m, uint32_t stack)
{
	assert(e->gc_due || (!e->gc_running && (m_runs(m) || !e->gc_seq)));
	e->gc_due = false;
	struct event ev = begin(e, EV_GC_BEGIN, m);

	ev.seq = ++e->gc_seq;
	ev.stack = stack;
	end(e, &ev, m);
	e->gc_running = true;
}

void emit_gc_end(struct emit *e, struct m *m)
{
	struct event ev = begin(e, EV_GC_END, m);

	assert(e->gc_running && m_runs(m));
	ev.seq = ++e->gc_seq;
	end(e, &ev, m);
	e->gc_running = false;
}

void emit_assist_begin(struct emit *e, struct m *m, uint32_t stack)
{
	assert(m_runs(m) && !m->g->in_assist);
	with_stack(e, EV_GC_ASSIST_BEGIN, m, (struct str){0}, stack);
	m->g->in_assist = true;
}

void emit_assist_end(struct emit *e, struct m *m)
{
	assert(m_runs(m) && m->g->in_assist);
	simple(e, EV_GC_ASSIST_END, m);
	m->g->in_assist = false;
}

void emit_sweep_begin(struct emit *e, struct m *m, uint32_t stack)
{
	assert(m->p && m->p->state == P_RUNNING && !m->p->in_sweep);
	with_stack(e, EV_GC_SWEEP_BEGIN, m, (struct str){0}, stack);
	m->p->in_sweep = true;
}

void emit_sweep_end(struct emit *e, struct m *m, uint64_t swept, uint64_t reclaimed)
{
	struct event ev = begin(e, EV_GC_SWEEP_END, m);

	assert(m->p && m->p->in_sweep);
	ev.value = swept;
	ev.value2 = reclaimed;
	end(e, &ev, m);
	m->p->in_sweep = false;
}

void emit_plain(struct emit *e, struct m *m, struct event ev)
{
	struct event context = begin(e, ev.type, m);

	assert(m->p);
	ev.is_repair = context.is_repair;
	set_context(&ev, m);
	end(e, &ev, m);
}

void emit_sample(struct emit *e, uint64_t tid, int64_t p, uint64_t goid, uint32_t stack)
{
	put(e, &(struct event){
		.type = EV_CPU_SAMPLE, .ts_ns = e->now_ns, .m = tid, .p = p, .g = goid,
		.stack = stack,
	});
}
