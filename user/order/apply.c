/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply.c - see apply.h. Record semantics: gotrace/record.h; rules: trace-format.md, sections 8
 * to 14.
 */
#include "order/apply.h"

#include "order/reasons.h"
#include "order/repair.h"

static void drop(struct emit *e)
{
	e->counts.dropped++;
}

/*
 * The record's stack is that of the thread's goroutine; of goroutine 1 the runtime leaves
 * runtime.main out.
 */
static uint32_t stack_of(struct emit *e, const struct m *m, const struct record *r)
{
	return stacks_logical(e->cfg.stacks, r->stack, r->skip, m && m->g && m->g->goid == 1);
}

/* Of a record without text it may stand at NULL. */
static struct str text_of(const struct record *r)
{
	return (struct str){r->text_len ? r->text : "", r->text_len};
}

/*
 * The thread runs what the record says. Facts about a context are not worth a repair: they are
 * dropped.
 */
static bool has_context(const struct m *m, const struct record *r)
{
	return m_runs(m) && (!r->goid || m->g->goid == r->goid) && (r->p < 0 || m->p->id == r->p);
}

/* ------------------------------------------------------------------ goroutines */

/* A coroutine exists from its first switch, or from its creation if that was seen. */
static bool bear_parked(struct emit *e, struct m *m, struct g *g)
{
	struct m *creator = model_creating_m(&e->model, m);

	if (!creator)
		return false;
	emit_go_create(e, creator, g, G_WAITING);
	return true;
}

/* The thread is as it was when the record's goroutine was created on it. */
static bool drive_creator(struct emit *e, struct m *m, const struct record *r)
{
	if (r->creator)
		return drive_running(e, m, model_g_at(&e->model, r->creator), r->p);
	if (m->g && m->g->state == G_SYSCALL)
		drive_thread_free(e, m);
	return drive_some_p(e, m, r->p, false);
}

/*
 * Takes down what the record tells about an unborn goroutine; NULL if it was born already (a late
 * record).
 */
static struct g *conceive(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = model_g_at(&e->model, r->goid);

	if (g->state != G_UNBORN || r->creator == r->goid || !drive_creator(e, m, r))
		return NULL;
	g->start_stack = stacks_start(e->cfg.stacks, r->arg);
	g->stack = stack_of(e, m, r);
	return g;
}

static void on_go_create(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = conceive(e, m, r);

	if (!g)
		drop(e);
	else
		emit_go_create(e, m, g, G_RUNNABLE);
}

static void on_go_create_blocked(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = conceive(e, m, r);

	if (!g)
		drop(e);
	else if (e->cfg.minor >= 23)
		emit_go_create(e, m, g, G_WAITING);
	else
		/* the only way to wait is to block: born when it is switched to or woken */
		g->is_parked = true;
}

static bool is_ready_to_start(const struct m *m, const struct g *g, int32_t p)
{
	return g->state == G_RUNNABLE && !m->g && m->p && (p < 0 || m->p->id == p);
}

static void on_go_start(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = model_g_at(&e->model, r->goid);

	if (!is_ready_to_start(m, g, r->p)) {
		drive_thread_free(e, m);
		if (!drive_some_p(e, m, r->p, false) || !drive_runnable(e, m, g)) {
			drop(e);
			return;
		}
	}
	emit_go_start(e, m, g);
	struct str label = reason_label(r->reason);

	if (label.n)
		emit_label(e, m, label);
}

/* For records that say "this goroutine runs here". */
static bool drive_to_record(struct emit *e, struct m *m, const struct record *r)
{
	if (drive_running(e, m, model_g_at(&e->model, r->goid), r->p))
		return true;
	drop(e);
	return false;
}

static void on_go_block(struct emit *e, struct m *m, const struct record *r)
{
	if (drive_to_record(e, m, r))
		emit_go_block(e, m, reason_block(r->reason), stack_of(e, m, r), r->wait_kind,
			      r->object);
}

static void on_go_stop(struct emit *e, struct m *m, const struct record *r)
{
	if (drive_to_record(e, m, r))
		emit_go_stop(e, m, reason_stop(r->reason), stack_of(e, m, r));
}

static void on_go_destroy(struct emit *e, struct m *m, const struct record *r)
{
	if (!drive_to_record(e, m, r))
		return;
	if (r->flags & REC_F_CORO_EXIT)
		m->is_coro_exit = true; /* the switch that follows is the event */
	else
		emit_go_destroy(e, m);
}

static void on_go_unblock(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = model_g_at(&e->model, r->goid);
	uint32_t stack = stack_of(e, m, r);

	if (g->state == G_RUNNABLE)
		drop(e);
	else if (g->is_parked && g->state == G_UNBORN && !bear_parked(e, m, g))
		drop(e);
	else if (drive_waiting(e, m, g))
		emit_go_unblock(e, m, g, stack);
}

/* Header 22 has no switch: the one waits or ends, the other is woken and starts. */
static void switch_by_parts(struct emit *e, struct m *m, struct g *g, uint32_t stack)
{
	if (m->is_coro_exit)
		emit_go_destroy(e, m);
	else
		emit_go_block(e, m, (struct str){"", 0}, stack, WAIT_NOTHING, 0);
	if (g->state == G_WAITING)
		emit_go_unblock(e, m, g, 0);
	emit_go_start(e, m, g);
}

static void on_go_switch(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = model_g_at(&e->model, r->goid);

	if (m->g == g || !m_runs(m)) {
		drive_to_record(e, m, r);
		return;
	}
	if (g->m)
		drive_waiting(e, m, g);
	if (g->state == G_UNBORN && !bear_parked(e, m, g))
		drop(e);
	else if (e->cfg.minor >= 23 && g->state == G_WAITING)
		emit_go_switch(e, m, g, m->is_coro_exit);
	else
		switch_by_parts(e, m, g, stack_of(e, m, r));
}

/* ------------------------------------------------------------------ syscalls and C */

static void on_syscall_begin(struct emit *e, struct m *m, const struct record *r)
{
	if (!drive_to_record(e, m, r))
		return;
	emit_syscall_begin(e, m, stack_of(e, m, r));
	m->syscall_p = r->p;
	m->syscall_aux = r->aux;
	m->has_ticket = r->p >= 0;
}

/*
 * Same P and same ticket as at the begin. Where one of them was not looked at, the model decides.
 */
static bool has_kept_p(const struct m *m, const struct record *r)
{
	if (!m->p || m->p->state != P_SYSCALL)
		return false;
	if (r->p < 0)
		return true;
	if (m->p->id != r->p)
		return false;
	return !m->has_ticket || (m->syscall_p == r->p && m->syscall_aux == r->aux);
}

/* It lost its P and has one again: as the runtime writes it, runnable for an instant. */
static void end_syscall_with_other_p(struct emit *e, struct m *m, struct g *g,
				     const struct record *r)
{
	if (m->p && m->p->state == P_SYSCALL) {
		e->counts.steals++;
		emit_proc_stop(e, m);
	}
	if (!drive_some_p(e, m, r->p, true)) {
		emit_syscall_end_blocked(e, m);
		drop(e);
		return;
	}
	emit_syscall_end_blocked(e, m);
	emit_go_start(e, m, g);
}

static void on_syscall_end(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = model_g_at(&e->model, r->goid);

	if (g->m != m || g->state != G_SYSCALL) {
		drop(e); /* its begin was lost */
		drive_running(e, m, g, r->p);
	} else if (has_kept_p(m, r)) {
		emit_syscall_end(e, m);
	} else {
		end_syscall_with_other_p(e, m, g, r);
	}
}

static void on_syscall_end_no_p(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = model_g_at(&e->model, r->goid);

	if (g->m != m || g->state != G_SYSCALL) {
		drop(e);
		drive_runnable(e, m, g);
		return;
	}
	drive_p_away(e, m);
	emit_syscall_end_blocked(e, m);
}

/* The goroutine of a C thread comes again although its end was lost. */
static void bury(struct emit *e, struct m *m, struct g *g)
{
	if (g->state == G_SYSCALL && !g->in_stw && !g->in_assist) {
		struct m *owner = g->m;

		drive_p_away(e, owner);
		emit_go_destroy_syscall(fix(e), owner);
	} else if (drive_running(e, m, g, RECORD_NO_P)) {
		emit_go_destroy(fix(e), m);
	}
}

static void on_cgo_callback(struct emit *e, struct m *m, const struct record *r)
{
	struct g *old = model_g(&e->model, r->goid);

	if (old && old->state != G_UNBORN)
		bury(e, m, old);
	drive_thread_free(e, m);
	struct g *g = model_g_at(&e->model, r->goid);

	if (g->state == G_UNBORN)
		emit_go_create_syscall(e, m, g);
	else
		drop(e);
}

static void on_cgo_return(struct emit *e, struct m *m, const struct record *r)
{
	struct g *g = r->goid ? model_g(&e->model, r->goid) : m->g;

	if (!g || g->state == G_UNBORN) {
		drop(e);
		return;
	}
	if (g->m != m || g->state != G_SYSCALL || g->in_stw || g->in_assist) {
		bury(e, m, g);
		return;
	}
	/* A P that leaves with the thread would be Abandoned and had to be stolen; it is idle. */
	if (m->p)
		emit_proc_stop(e, m);
	emit_go_destroy_syscall(e, m);
}

/* ------------------------------------------------------------------ Ps */

/*
 * What the collector told while no thread had a P: nothing allocates then, so the last value
 * still holds.
 */
static void pay_metrics(struct emit *e, struct m *m)
{
	if (e->heap_alloc.is_due)
		emit_plain(e, m, (struct event){
			.type = EV_HEAP_ALLOC, .value = e->heap_alloc.value,
		});
	if (e->heap_goal.is_due)
		emit_plain(e, m, (struct event){
			.type = EV_HEAP_GOAL, .value = e->heap_goal.value,
		});
	e->heap_alloc.is_due = e->heap_goal.is_due = false;
}

/*
 * Who stopped the world to take its own P away goes on with P 0. Go's tracer writes a Gosched and
 * a start around it, though the goroutine never stops (runtime/proc.go: procresize, Go 1.26).
 */
static bool is_resize(const struct m *m, const struct p *p)
{
	return m_runs(m) && m->g->in_stw && m->p != p && p->state == P_IDLE;
}

static void resize(struct emit *e, struct m *m, struct p *p)
{
	struct g *g = m->g;

	g->in_stw = false; /* it goes on meanwhile: nothing is to close it */
	emit_go_stop(e, m, reason_stop(STOP_GOSCHED), 0);
	emit_proc_stop(e, m);
	emit_proc_start(e, m, p);
	emit_go_start(e, m, g);
	g->in_stw = true;
}

static void on_proc_start(struct emit *e, struct m *m, const struct record *r)
{
	struct p *p = emit_know_p(e, r->p);

	if (!p || (m->p == p && p->state == P_RUNNING)) {
		drop(e);
	} else if (is_resize(m, p)) {
		resize(e, m, p);
	} else {
		/* Its own P again, in a syscall: somebody had taken it and left it idle. (The way back of a P that was
		 * never lost is not told: capture, wirep.) */
		if (m->p == p) {
			e->counts.steals++;
			emit_proc_stop(e, m);
		}
		drive_p(e, m, p, true);
	}
	if (m->p && m->p->state == P_RUNNING)
		pay_metrics(e, m);
}

/* The thread gives up a P that the model sees elsewhere. */
static bool is_worth_stopping(struct emit *e, struct m *m, struct p *p)
{
	if (m->p == p)
		return true;
	if (p->m) {
		drive_p(e, m, p, false);
		return true;
	}
	/* It is idle already; at least the thread has no other one now. */
	if (m->p && m->g && m->g->state == G_RUNNING)
		drive_thread_free(e, m);
	drive_p_away(e, m);
	return false;
}

static void on_proc_stop(struct emit *e, struct m *m, const struct record *r)
{
	struct p *p = r->p < 0 ? m->p : emit_know_p(e, r->p);

	if (!p || !is_worth_stopping(e, m, p)) {
		drop(e);
		return;
	}
	if (m->g && m->g->state == G_RUNNING)
		drive_thread_free(e, m);
	emit_proc_stop(e, m);
}

static void on_procs_change(struct emit *e, struct m *m, const struct record *r)
{
	if (!r->arg || r->arg > MODEL_MAX_P) {
		drop(e);
		return;
	}
	e->gomaxprocs = (int64_t)r->arg;
	if (has_context(m, r))
		emit_procs_change(e, m, stack_of(e, m, r));
	else
		e->procs_due = true;
}

/* ------------------------------------------------------------------ ranges */

static void on_stw_begin(struct emit *e, struct m *m, const struct record *r)
{
	if (has_context(m, r) && !m->g->in_stw)
		emit_stw_begin(e, m, reason_stw(r->reason), stack_of(e, m, r));
	else
		drop(e);
}

static void on_stw_end(struct emit *e, struct m *m, const struct record *r)
{
	if (has_context(m, r) && m->g->in_stw)
		emit_stw_end(e, m);
	else
		drop(e);
}

static void on_gc_begin(struct emit *e, struct m *m, const struct record *r)
{
	if (!has_context(m, r)) {
		drop(e);
		return;
	}
	if (e->gc_running)
		emit_gc_end(fix(e), m);
	emit_gc_begin(e, m, stack_of(e, m, r));
}

static void on_gc_end(struct emit *e, struct m *m, const struct record *r)
{
	if (has_context(m, r) && e->gc_running)
		emit_gc_end(e, m);
	else
		drop(e);
}

/* Told once for each try of an assist: the first begins it. */
static void on_assist_begin(struct emit *e, struct m *m, const struct record *r)
{
	if (!has_context(m, r))
		drop(e);
	else if (!m->g->in_assist)
		emit_assist_begin(e, m, stack_of(e, m, r));
}

/* Told on the way in, too, where there is none to end yet (plan.c). */
static void on_assist_end(struct emit *e, struct m *m, const struct record *r)
{
	if (!has_context(m, r))
		drop(e);
	else if (m->g->in_assist)
		emit_assist_end(e, m);
}

static bool has_p(const struct m *m, const struct record *r)
{
	return m->p && m->p->state == P_RUNNING && (r->p < 0 || m->p->id == r->p);
}

static void on_sweep_begin(struct emit *e, struct m *m, const struct record *r)
{
	if (has_p(m, r) && !m->p->in_sweep)
		emit_sweep_begin(e, m, stack_of(e, m, r));
	else
		drop(e);
}

static void on_sweep_end(struct emit *e, struct m *m, const struct record *r)
{
	if (has_p(m, r) && m->p->in_sweep)
		emit_sweep_end(e, m, r->arg, r->object);
	else
		drop(e);
}

/* ---------------------------------------------------------------- metrics, annotations, samples */

static void on_heap(struct emit *e, struct m *m, const struct record *r)
{
	if (r->type == REC_HEAP_ALLOC) {
		e->heap_alloc.value = r->arg;
		e->heap_alloc.is_due = true;
	} else {
		e->heap_goal.value = r->arg;
		e->heap_goal.is_due = true;
	}
	if (!m || !m->p)
		m = model_creating_m(&e->model, NULL);
	if (m)
		pay_metrics(e, m);
}

static bool is_task_id(uint64_t id)
{
	return id && id != UINT64_MAX; /* background task, no task */
}

static void on_task_begin(struct emit *e, struct m *m, const struct record *r)
{
	uint64_t *open;

	if (!has_context(m, r) || !is_task_id(r->arg) ||
	    *(open = map64_at(&e->model.open_tasks, r->arg))) {
		drop(e);
		return;
	}
	*open = 1;
	emit_plain(e, m, (struct event){
		.type = EV_TASK_BEGIN, .id = r->arg, .value = r->object, .name = text_of(r),
		.stack = stack_of(e, m, r),
	});
}

static void on_task_end(struct emit *e, struct m *m, const struct record *r)
{
	if (!has_context(m, r) || !is_task_id(r->arg)) {
		drop(e);
		return;
	}
	map64_del(&e->model.open_tasks, r->arg);
	emit_plain(e, m, (struct event){
		.type = EV_TASK_END, .id = r->arg, .stack = stack_of(e, m, r),
	});
}

enum { MAX_REGIONS = 1024 }; /* nested in one goroutine: more is a loop of lost ends */

static void on_region_begin(struct emit *e, struct m *m, const struct record *r)
{
	if (!has_context(m, r) || m->g->regions.n >= MAX_REGIONS) {
		drop(e);
		return;
	}
	g_push_region(m->g, r->arg, text_of(r).s, r->text_len);
	emit_plain(e, m, (struct event){
		.type = EV_REGION_BEGIN, .id = r->arg, .name = text_of(r),
		.stack = stack_of(e, m, r),
	});
}

static bool is_region_of(const struct region *region, const struct record *r)
{
	if (!r->text_len && !r->arg)
		return true; /* the record tells nothing: the innermost */
	return region->task == r->arg && region->n == r->text_len &&
		!memcmp(region->name, text_of(r).s, region->n);
}

/*
 * Ends come in the order of nesting, or the reader fails: the inner ones whose end was lost
 * first.
 */
static void end_regions(struct emit *e, struct m *m, size_t depth, const struct record *r)
{
	struct g *g = m->g;

	while (g->regions.n > depth) {
		struct region *inner = &g->regions.v[g->regions.n - 1];

		emit_plain(g->regions.n > depth + 1 ? fix(e) : e, m, (struct event){
			.type = EV_REGION_END, .id = inner->task, .name = {inner->name, inner->n},
			.stack = stack_of(e, m, r),
		});
		g_pop_region(g);
	}
}

static void on_region_end(struct emit *e, struct m *m, const struct record *r)
{
	if (!has_context(m, r)) {
		drop(e);
		return;
	}
	size_t depth = m->g->regions.n;

	if (!depth) { /* begun before the trace: allowed */
		emit_plain(e, m, (struct event){
			.type = EV_REGION_END, .id = r->arg, .name = text_of(r),
			.stack = stack_of(e, m, r),
		});
		return;
	}
	while (depth && !is_region_of(&m->g->regions.v[depth - 1], r))
		depth--;
	if (depth)
		end_regions(e, m, depth - 1, r);
	else
		drop(e);
}

static void on_log(struct emit *e, struct m *m, const struct record *r)
{
	if (!has_context(m, r) || r->key_len > r->text_len) {
		drop(e);
		return;
	}
	struct str text = text_of(r);
	uint32_t value_at = min_u64(r->key_len + 1u, text.n); /* after the NUL */

	emit_plain(e, m, (struct event){
		.type = EV_LOG, .id = r->arg, .name = {text.s, r->key_len},
		.stack = stack_of(e, m, r),
		.text = {text.s + value_at, text.n - value_at},
	});
}

static void on_cpu_sample(struct emit *e, struct m *m, const struct record *r)
{
	int64_t p = r->p >= 0 ? r->p : m->p ? m->p->id : EVENT_NO_P;

	uint32_t stack = stacks_logical(e->cfg.stacks, r->stack, r->skip, r->goid == 1);

	emit_sample(e, m->tid, p, r->goid, stack);
}

/* ------------------------------------------------------------------ dispatch */

/* A step of scheduling ends a coroutine's pending exit. */
enum need { NEED_M = 1, NEED_G = 2, NEED_MG = 3, IS_STEP = 4 };

static const struct {
	void (*apply)(struct emit *e, struct m *m, const struct record *r);
	uint8_t need;
} handlers[] = {
	[REC_GO_CREATE] = {on_go_create, NEED_MG | IS_STEP},
	[REC_GO_CREATE_BLOCKED] = {on_go_create_blocked, NEED_MG | IS_STEP},
	[REC_GO_START] = {on_go_start, NEED_MG | IS_STEP},
	[REC_GO_BLOCK] = {on_go_block, NEED_MG | IS_STEP},
	[REC_GO_UNBLOCK] = {on_go_unblock, NEED_G},
	[REC_GO_STOP] = {on_go_stop, NEED_MG | IS_STEP},
	[REC_GO_DESTROY] = {on_go_destroy, NEED_MG | IS_STEP},
	[REC_GO_SWITCH] = {on_go_switch, NEED_MG},
	[REC_SYSCALL_BEGIN] = {on_syscall_begin, NEED_MG | IS_STEP},
	[REC_SYSCALL_END] = {on_syscall_end, NEED_MG | IS_STEP},
	[REC_SYSCALL_END_NO_P] = {on_syscall_end_no_p, NEED_MG | IS_STEP},
	[REC_CGO_CALLBACK] = {on_cgo_callback, NEED_MG | IS_STEP},
	[REC_CGO_RETURN] = {on_cgo_return, NEED_M | IS_STEP},
	[REC_PROC_START] = {on_proc_start, NEED_M | IS_STEP},
	[REC_PROC_STOP] = {on_proc_stop, NEED_M | IS_STEP},
	[REC_PROCS_CHANGE] = {on_procs_change, NEED_M},
	[REC_STW_BEGIN] = {on_stw_begin, NEED_M},
	[REC_STW_END] = {on_stw_end, NEED_M},
	[REC_GC_BEGIN] = {on_gc_begin, NEED_M},
	[REC_GC_END] = {on_gc_end, NEED_M},
	[REC_ASSIST_BEGIN] = {on_assist_begin, NEED_M},
	[REC_ASSIST_END] = {on_assist_end, NEED_M},
	[REC_SWEEP_BEGIN] = {on_sweep_begin, NEED_M},
	[REC_SWEEP_END] = {on_sweep_end, NEED_M},
	[REC_HEAP_ALLOC] = {on_heap, 0},
	[REC_HEAP_GOAL] = {on_heap, 0},
	[REC_TASK_BEGIN] = {on_task_begin, NEED_M},
	[REC_TASK_END] = {on_task_end, NEED_M},
	[REC_REGION_BEGIN] = {on_region_begin, NEED_M},
	[REC_REGION_END] = {on_region_end, NEED_M},
	[REC_LOG] = {on_log, NEED_M},
	[REC_CPU_SAMPLE] = {on_cpu_sample, NEED_M},
};

void apply_record(struct emit *e, const struct record *r)
{
	uint8_t need = r->type < ARRAY_SIZE(handlers) ? handlers[r->type].need : 0;

	if (r->type >= ARRAY_SIZE(handlers) || !handlers[r->type].apply ||
	    ((need & NEED_M) && !r->tid) ||
	    ((need & NEED_G) && !r->goid)) {
		drop(e);
		return;
	}
	struct m *m = r->tid ? model_m_at(&e->model, r->tid) : NULL;

	if (m && m->is_coro_exit && (need & IS_STEP))
		emit_go_destroy(e, m); /* the switch was lost */
	handlers[r->type].apply(e, m, r);
}
