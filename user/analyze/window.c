/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - see window.h. States: trace-format.md §8; what may be declared how: §9, §10, §14. */
#include "analyze/window.h"

#include <stdlib.h>

enum { G_RUNNABLE = 1, G_RUNNING, G_SYSCALL, G_WAITING };
enum { P_RUNNING = 1, P_IDLE, P_SYSCALL, P_ABANDONED };
enum { METRICS = 3 };
#define NOBODY UINT64_MAX

struct go {
	uint64_t id; /* NOBODY: free */
	uint8_t status;
	bool assists;
	bool owes_assist;            /* its begin is still to be declared */
	bool was_seen;               /* by the enumeration at the begin */
	uint32_t start_stack, stack; /* 0: not known */
	struct str reason;
	VEC(struct str) stops; /* of the world, open, begun before the window */
};

struct proc {
	uint64_t id;
	uint8_t status;
	bool is_known, sweeps, owes_sweep, is_on_thread;
};

struct thread {
	uint64_t tid;
	uint64_t p, g; /* NOBODY */
};

struct metric {
	uint64_t value;
	bool is_known;
};

struct window {
	uint64_t from_ns, to_ns, start_ns, last_ns;
	uint64_t passed, syncs, syncs_at_begin;
	bool has_begun, is_over;
	size_t owed;        /* declarations and ends of stops that are still to be dealt with */
	VEC(struct go) gos; /* slots */
	VEC(uint32_t) free_gos;
	VEC(struct proc) procs;
	VEC(struct thread) threads;
	struct map64 go_of, proc_of, thread_of; /* id -> index + 1 */
	bool gc_runs;
	struct metric metrics[METRICS];
	uint8_t owes_metric; /* bit per metric */
};

static const uint8_t metric_types[METRICS] = { EV_PROCS_CHANGE, EV_HEAP_ALLOC, EV_HEAP_GOAL };

struct window *window_new(uint64_t from_ns, uint64_t to_ns)
{
	struct window *w = xcalloc(1, sizeof(*w));

	w->from_ns = from_ns;
	w->to_ns = to_ns;
	return w;
}

void window_free(struct window *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->gos.n; i++)
		vec_free(&w->gos.v[i].stops);
	vec_free(&w->gos);
	vec_free(&w->free_gos);
	vec_free(&w->procs);
	vec_free(&w->threads);
	map64_free(&w->go_of);
	map64_free(&w->proc_of);
	map64_free(&w->thread_of);
	free(w);
}

uint64_t window_start_ns(const struct window *w)
{
	return w->start_ns;
}

uint64_t window_passed(const struct window *w)
{
	return w->passed;
}

uint64_t window_last_ns(const struct window *w)
{
	return w->last_ns - w->start_ns;
}

/* ------------------------------------------------------------------------------- who is who */

static struct go *go_get(struct window *w, uint64_t id)
{
	uint64_t *i = map64_get(&w->go_of, id);

	return i ? &w->gos.v[*i - 1] : NULL;
}

/* Slots of goroutines that ended are used again; dies with the next one. */
static struct go *go_at(struct window *w, uint64_t id)
{
	uint64_t *i = map64_at(&w->go_of, id);

	if (!*i) {
		if (w->free_gos.n) {
			*i = w->free_gos.v[--w->free_gos.n] + 1;
		} else {
			*vec_push(&w->gos) = (struct go){ 0 };
			*i = w->gos.n;
		}
		w->gos.v[*i - 1].id = id;
	}
	return &w->gos.v[*i - 1];
}

static void go_delete(struct window *w, uint64_t id)
{
	struct go *g = go_get(w, id);

	if (!g)
		return;
	w->owed -= g->owes_assist + (w->has_begun ? g->stops.n : 0);
	vec_free(&g->stops);
	*g = (struct go){ .id = NOBODY };
	*vec_push(&w->free_gos) = (uint32_t)(g - w->gos.v);
	map64_del(&w->go_of, id);
}

static struct proc *proc_at(struct window *w, uint64_t id)
{
	uint64_t *i = map64_at(&w->proc_of, id);

	if (!*i) {
		*vec_push(&w->procs) = (struct proc){ .id = id };
		*i = w->procs.n;
	}
	return &w->procs.v[*i - 1];
}

static struct thread *thread_at(struct window *w, uint64_t tid)
{
	uint64_t *i = map64_at(&w->thread_of, tid);

	if (!*i) {
		*vec_push(&w->threads) = (struct thread){ tid, NOBODY, NOBODY };
		*i = w->threads.n;
	}
	return &w->threads.v[*i - 1];
}

static void set_go(struct window *w, uint64_t id, uint8_t status)
{
	struct go *g = go_get(w, id);

	if (g)
		g->status = status;
}

/* ------------------------------------------------------------------------------- what an event
 * changes */

static void go_born(struct window *w, const struct event *ev, uint8_t status, uint32_t start_stack)
{
	struct go *g = go_at(w, ev->id);

	g->status = status;
	g->start_stack = start_stack;
	if (status == G_SYSCALL)
		thread_at(w, ev->m)->g = ev->id;
}

static void go_leaves(struct window *w, const struct event *ev, uint8_t status)
{
	struct go *g = go_get(w, ev->g);

	thread_at(w, ev->m)->g = NOBODY;
	if (!g)
		return;
	g->status = status;
	g->stack = ev->stack ? ev->stack : g->stack;
	g->reason = status == G_WAITING ? ev->name : (struct str){ 0 };
}

static void go_ends(struct window *w, const struct event *ev)
{
	thread_at(w, ev->m)->g = NOBODY;
	go_delete(w, ev->g);
}

static void proc_leaves(struct window *w, uint64_t m, uint8_t status)
{
	struct thread *t = thread_at(w, m);

	if (t->p != NOBODY)
		proc_at(w, t->p)->status = status;
	t->p = NOBODY;
}

static void go_status(struct window *w, const struct event *ev)
{
	struct go *g = go_at(w, ev->id);

	g->status = ev->status;
	if (ev->type == EV_GO_STATUS_STACK && ev->stack)
		g->stack = ev->stack;
	if ((ev->status == G_RUNNING || ev->status == G_SYSCALL) && ev->m != EVENT_NO_M)
		thread_at(w, ev->m)->g = ev->id;
}

static void proc_status(struct window *w, const struct event *ev)
{
	struct proc *p = proc_at(w, ev->id);

	p->is_known = true;
	p->status = ev->status;
	if ((ev->status == P_RUNNING || ev->status == P_SYSCALL) && ev->m != EVENT_NO_M)
		thread_at(w, ev->m)->p = ev->id;
}

static void proc_starts(struct window *w, const struct event *ev)
{
	proc_at(w, ev->id)->status = P_RUNNING;
	thread_at(w, ev->m)->p = ev->id;
}

static void proc_stolen(struct window *w, const struct event *ev)
{
	struct thread *from = thread_at(w, ev->value);

	proc_at(w, ev->id)->status = P_IDLE;
	if (from->p == ev->id)
		from->p = NOBODY;
}

static void go_starts(struct window *w, const struct event *ev)
{
	set_go(w, ev->id, G_RUNNING);
	thread_at(w, ev->m)->g = ev->id;
}

static void in_syscall(struct window *w, const struct event *ev, bool begins)
{
	struct go *g = go_get(w, ev->g);

	if (ev->p != EVENT_NO_P)
		proc_at(w, (uint64_t)ev->p)->status = begins ? P_SYSCALL : P_RUNNING;
	if (!g)
		return;
	g->status = begins ? G_SYSCALL : G_RUNNING;
	if (begins && ev->stack)
		g->stack = ev->stack;
}

static bool remove_stop(struct go *g, struct str kind)
{
	for (size_t i = 0; g && i < g->stops.n; i++) {
		if (g->stops.v[i].s != kind.s)
			continue;
		g->stops.v[i] = g->stops.v[--g->stops.n];
		return true;
	}
	return false;
}

/* Only those that were begun before the window are of interest. */
static void stop_of_the_world(struct window *w, const struct event *ev)
{
	struct go *g = go_get(w, ev->g);

	if (g && ev->type == EV_STW_BEGIN && !w->has_begun)
		*vec_push(&g->stops) = ev->name;
	else if (g && ev->type == EV_STW_END)
		remove_stop(g, ev->name);
}

static void assist(struct window *w, uint64_t goid, bool begins)
{
	struct go *g = go_get(w, goid);

	if (g)
		g->assists = begins;
}

static void metric(struct window *w, const struct event *ev)
{
	for (unsigned i = 0; i < METRICS; i++) {
		if (metric_types[i] != ev->type)
			continue;
		w->metrics[i] = (struct metric){ ev->value, true };
		w->owed -= w->owes_metric >> i & 1;
		w->owes_metric &= (uint8_t) ~(1u << i);
	}
}

static void follow(struct window *w, const struct event *ev)
{
	switch (ev->type) {
	case EV_PROC_STATUS:
		proc_status(w, ev);
		break;
	case EV_PROC_START:
		proc_starts(w, ev);
		break;
	case EV_PROC_STOP:
		proc_leaves(w, ev->m, P_IDLE);
		break;
	case EV_PROC_STEAL:
		proc_stolen(w, ev);
		break;
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
		go_status(w, ev);
		break;
	case EV_GO_CREATE:
		go_born(w, ev, G_RUNNABLE, ev->start_stack);
		break;
	case EV_GO_CREATE_BLOCKED:
		go_born(w, ev, G_WAITING, ev->start_stack);
		break;
	case EV_GO_CREATE_SYSCALL:
		go_born(w, ev, G_SYSCALL, 0);
		break;
	case EV_GO_START:
		go_starts(w, ev);
		break;
	case EV_GO_STOP:
		go_leaves(w, ev, G_RUNNABLE);
		break;
	case EV_GO_BLOCK:
		go_leaves(w, ev, G_WAITING);
		break;
	case EV_GO_UNBLOCK:
		set_go(w, ev->id, G_RUNNABLE);
		break;
	case EV_GO_SWITCH:
		go_leaves(w, ev, G_WAITING);
		go_starts(w, ev);
		break;
	case EV_GO_SWITCH_DESTROY:
		go_ends(w, ev);
		go_starts(w, ev);
		break;
	case EV_GO_DESTROY:
		go_ends(w, ev);
		break;
	case EV_GO_DESTROY_SYSCALL:
		go_ends(w, ev);
		proc_leaves(w, ev->m, P_ABANDONED);
		break;
	case EV_GO_SYSCALL_BEGIN:
		in_syscall(w, ev, true);
		break;
	case EV_GO_SYSCALL_END:
		in_syscall(w, ev, false);
		break;
	case EV_GO_SYSCALL_END_BLOCKED:
		thread_at(w, ev->m)->g = NOBODY;
		set_go(w, ev->g, G_RUNNABLE);
		break;
	case EV_STW_BEGIN:
	case EV_STW_END:
		stop_of_the_world(w, ev);
		break;
	case EV_GC_ACTIVE:
	case EV_GC_BEGIN:
	case EV_GC_END:
		w->gc_runs = ev->type != EV_GC_END;
		break;
	case EV_GC_SWEEP_ACTIVE:
	case EV_GC_SWEEP_BEGIN:
	case EV_GC_SWEEP_END:
		proc_at(w, ev->id)->sweeps = ev->type != EV_GC_SWEEP_END;
		break;
	case EV_GC_ASSIST_ACTIVE:
		assist(w, ev->id, true);
		break;
	case EV_GC_ASSIST_BEGIN:
	case EV_GC_ASSIST_END:
		assist(w, ev->g, ev->type == EV_GC_ASSIST_BEGIN);
		break;
	case EV_PROCS_CHANGE:
	case EV_HEAP_ALLOC:
	case EV_HEAP_GOAL:
		metric(w, ev);
		break;
	}
}

/* ------------------------------------------------------------------------------- declarations */

/* Where they go, and when. */
struct teller {
	window_sink sink;
	void *ctx;
	uint64_t ts_ns, step_ns;
	bool is_rehearsal; /* only counts */
	uint64_t n;
};

static void tell(struct teller *t, struct event ev)
{
	t->n++;
	if (t->is_rehearsal)
		return;
	ev.ts_ns = t->ts_ns;
	t->ts_ns += t->step_ns;
	t->sink(t->ctx, &ev);
}

static struct event as_thread(const struct thread *th, uint8_t type)
{
	return (struct event){
		.type = type,
		.m = th->tid,
		.p = th->p == NOBODY ? EVENT_NO_P : (int64_t)th->p,
		.g = th->g == NOBODY ? 0 : th->g,
	};
}

static void tell_proc(struct teller *t, const struct thread *th, const struct proc *p)
{
	tell(t, (struct event){ .type = EV_PROC_STATUS,
				.m = th ? th->tid : EVENT_NO_M,
				.p = EVENT_NO_P,
				.id = p->id,
				.status = p->status });
}

static void tell_go(struct teller *t, const struct thread *th, const struct go *g)
{
	uint32_t stack = g->status == G_RUNNING && g->start_stack ? g->start_stack
			 : g->stack                               ? g->stack
								  : g->start_stack;

	tell(t, (struct event){ .type = stack ? EV_GO_STATUS_STACK : EV_GO_STATUS,
				.m = th ? th->tid : EVENT_NO_M,
				.p = th && th->p != NOBODY ? (int64_t)th->p : EVENT_NO_P,
				.id = g->id,
				.status = g->status,
				.value = th ? th->tid : EVENT_NO_M,
				.stack = stack,
				.name = g->reason });
}

/* A status says where a P or goroutine is only if it runs or is in a system call. */
static bool is_on_thread(uint8_t status, uint8_t running, uint8_t syscall)
{
	return status == running || status == syscall;
}

static void tell_procs(struct window *w, struct teller *t)
{
	for (size_t i = 0; i < w->procs.n; i++)
		w->procs.v[i].is_on_thread = false;
	for (size_t i = 0; i < w->threads.n; i++) {
		struct thread *th = &w->threads.v[i];
		struct proc *p = th->p == NOBODY ? NULL : proc_at(w, th->p);

		if (!p || !is_on_thread(p->status, P_RUNNING, P_SYSCALL))
			continue;
		tell_proc(t, th, p);
		p->is_on_thread = true;
	}
	for (size_t i = 0; i < w->procs.n; i++)
		if (w->procs.v[i].is_known && !w->procs.v[i].is_on_thread)
			tell_proc(t, NULL, &w->procs.v[i]);
}

static void tell_gos(struct window *w, struct teller *t)
{
	for (size_t i = 0; i < w->gos.n; i++)
		w->gos.v[i].was_seen = w->gos.v[i].id == NOBODY;
	for (size_t i = 0; i < w->threads.n; i++) {
		struct thread *th = &w->threads.v[i];
		struct go *g = th->g == NOBODY ? NULL : go_get(w, th->g);

		if (!g || !is_on_thread(g->status, G_RUNNING, G_SYSCALL))
			continue;
		tell_go(t, th, g);
		g->was_seen = true;
	}
	for (size_t i = 0; i < w->gos.n; i++)
		if (!w->gos.v[i].was_seen)
			tell_go(t, NULL, &w->gos.v[i]);
}

static bool runs(struct window *w, const struct thread *th)
{
	struct go *g = th->g == NOBODY || th->p == NOBODY ? NULL : go_get(w, th->g);

	return g && g->status == G_RUNNING && proc_at(w, th->p)->status == P_RUNNING;
}

static const struct thread *running_thread(struct window *w)
{
	for (size_t i = 0; i < w->threads.n; i++)
		if (runs(w, &w->threads.v[i]))
			return &w->threads.v[i];
	return NULL;
}

/* GOMAXPROCS is told by a goroutine, the heap by a P. */
static void pay_metrics(struct window *w, struct teller *t, const struct thread *th)
{
	for (unsigned i = runs(w, th) ? 0 : 1; i < METRICS; i++) {
		struct event ev = as_thread(th, metric_types[i]);

		if (!(w->owes_metric >> i & 1))
			continue;
		ev.value = w->metrics[i].value;
		tell(t, ev);
		w->owes_metric &= (uint8_t) ~(1u << i);
	}
}

/* What can be declared now that the thread stands as it does: its end may be the next event. */
static void pay(struct window *w, struct teller *t, const struct thread *th)
{
	struct proc *p = th->p == NOBODY ? NULL : proc_at(w, th->p);
	struct go *g = !p || th->g == NOBODY ? NULL : go_get(w, th->g);
	uint64_t before = t->n;

	if (!p)
		return;
	pay_metrics(w, t, th);
	if (p->owes_sweep) {
		struct event ev = as_thread(th, EV_GC_SWEEP_BEGIN);

		ev.id = p->id;
		tell(t, ev);
		p->owes_sweep = false;
	}
	if (g && g->owes_assist) {
		tell(t, as_thread(th, EV_GC_ASSIST_BEGIN));
		g->owes_assist = false;
	}
	w->owed -= t->n - before;
}

/* The first event of the GC needs no thread (trace-format.md §10), but looks better on one. */
static void tell_gc(struct window *w, struct teller *t)
{
	const struct thread *th = running_thread(w);
	struct event ev =
		th ? as_thread(th, EV_GC_BEGIN)
		   : (struct event){ .type = EV_GC_BEGIN, .m = EVENT_NO_M, .p = EVENT_NO_P };

	ev.seq = 1;
	if (w->gc_runs)
		tell(t, ev);
}

static void owe(struct window *w)
{
	w->owed = 0;
	for (size_t i = 0; i < w->gos.n; i++) {
		struct go *g = &w->gos.v[i];

		g->owes_assist = g->assists;
		w->owed += g->owes_assist + g->stops.n;
	}
	for (size_t i = 0; i < w->procs.n; i++) {
		w->procs.v[i].owes_sweep = w->procs.v[i].sweeps;
		w->owed += w->procs.v[i].sweeps;
	}
	for (unsigned i = 0; i < METRICS; i++) {
		w->owes_metric |= (uint8_t)(w->metrics[i].is_known << i);
		w->owed += w->metrics[i].is_known;
	}
}

static void tell_all(struct window *w, struct teller *t)
{
	owe(w);
	tell_procs(w, t);
	tell_gos(w, t);
	tell_gc(w, t);
	for (size_t i = 0; i < w->threads.n; i++)
		pay(w, t, &w->threads.v[i]);
}

/* The declarations get the nanoseconds before the window: those in it keep their times. */
static void declare(struct window *w, window_sink sink, void *ctx)
{
	uint64_t begin_ns = w->start_ns + w->from_ns;
	struct teller t = { sink, ctx, .is_rehearsal = true };

	tell_all(w, &t);
	uint64_t n = w->from_ns ? t.n + 1 : 0; /* at the start of the trace nothing is known */
	bool has_room = begin_ns > n;

	t.is_rehearsal = false;
	t.ts_ns = has_room ? begin_ns - n : begin_ns;
	t.step_ns = has_room;
	tell(&t,
	     (struct event){ .type = EV_SYNC, .m = EVENT_NO_M, .p = EVENT_NO_P, .id = ++w->syncs });
	tell_all(w, &t);
	w->syncs_at_begin = w->syncs;
}

/* ------------------------------------------------------------------------------- in the window */

/* Says nothing that was not declared, or follows from it. */
static bool is_known_status(struct window *w, const struct event *ev)
{
	if (ev->type == EV_PROC_STATUS) {
		struct proc *p = proc_at(w, ev->id);

		if (!p->is_known || p->status != ev->status)
			return false;
		return !is_on_thread(p->status, P_RUNNING, P_SYSCALL) || ev->m == EVENT_NO_M ||
		       thread_at(w, ev->m)->p == ev->id;
	}
	struct go *g = go_get(w, ev->id);

	if (!g || g->status != ev->status)
		return false;
	return !is_on_thread(g->status, G_RUNNING, G_SYSCALL) || ev->m == EVENT_NO_M ||
	       thread_at(w, ev->m)->g == ev->id;
}

static bool is_old_stop(struct window *w, const struct event *ev)
{
	struct go *g = go_get(w, ev->g);

	for (size_t i = 0; g && i < g->stops.n; i++)
		if (g->stops.v[i].s == ev->name.s)
			return true;
	return false;
}

static bool is_superfluous(struct window *w, const struct event *ev)
{
	struct go *g;

	switch (ev->type) {
	case EV_PROC_STATUS:
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
		return w->syncs == w->syncs_at_begin && is_known_status(w, ev);
	case EV_GC_ACTIVE:
		return w->gc_runs;
	case EV_GC_SWEEP_ACTIVE:
		return proc_at(w, ev->id)->sweeps;
	case EV_GC_ASSIST_ACTIVE:
		g = go_get(w, ev->id);
		return g && g->assists;
	case EV_STW_END:
		return is_old_stop(w, ev);
	}
	return false;
}

static void pay_after(struct window *w, const struct event *ev, window_sink sink, void *ctx)
{
	struct teller t = { sink, ctx, .ts_ns = ev->ts_ns };

	if (w->owed && ev->m != EVENT_NO_M && ev->type != EV_CPU_SAMPLE)
		pay(w, &t, thread_at(w, ev->m));
}

static void renumber_sync(struct window *w, uint64_t ts_ns, window_sink sink, void *ctx)
{
	sink(ctx, &(struct event){ .type = EV_SYNC,
				   .ts_ns = ts_ns,
				   .m = EVENT_NO_M,
				   .p = EVENT_NO_P,
				   .id = ++w->syncs });
}

/* Nothing is left to be declared, and of this generation nothing to be dropped. */
static bool is_settled(const struct window *w)
{
	return !w->owed && w->syncs != w->syncs_at_begin;
}

static void pass(struct window *w, const struct event *ev, window_sink sink, void *ctx)
{
	w->passed++;
	if (is_settled(w)) {
		sink(ctx, ev);
		return;
	}
	bool is_dropped = is_superfluous(w, ev);
	size_t stops = ev->type == EV_STW_END && is_dropped;

	follow(w, ev);
	w->owed -= stops;
	if (!is_dropped)
		sink(ctx, ev);
	pay_after(w, ev, sink, ctx);
}

bool window_event(struct window *w, const struct event *ev, window_sink sink, void *ctx)
{
	if (!w->start_ns)
		w->start_ns = ev->ts_ns;
	uint64_t ns = ev->ts_ns - w->start_ns;

	w->last_ns = ev->ts_ns;
	if (ns >= w->to_ns) {
		if (w->has_begun && !w->is_over)
			renumber_sync(w, w->start_ns + w->to_ns, sink, ctx);
		w->is_over = true;
		return false;
	}
	if (ns < w->from_ns) {
		follow(w, ev);
		return true;
	}
	if (ev->type == EV_SYNC) {
		if (w->has_begun) /* else the one of the declarations stands for it */
			renumber_sync(w, ev->ts_ns, sink, ctx);
		return true;
	}
	if (!w->has_begun) {
		declare(w, sink, ctx);
		w->has_begun = true;
	}
	pass(w, ev, sink, ctx);
	return true;
}
