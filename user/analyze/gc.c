/* SPDX-License-Identifier: Apache-2.0 */
/* gc.c - see gc.h. */
#include "analyze/gc.h"
#include "analyze/transition.h"

#include <stdlib.h>

const char *const gc_worker_names[GC_WORKERS] = { "dedicated", "fractional", "idle" };

enum { NO_WORKER = GC_WORKERS, STOPS_MAX = 1024, HOT_SLOTS = 1024 };

static const uint64_t goal_sane_bytes =
	1ull << 50; /* a goal above is none, as in go tool trace's viewer */

/* A goroutine that something is kept of. */
struct member {
	uint64_t g;
	bool in_assist;
	bool has_assisted;                 /* once; is not hot for that */
	bool util_assist, util_background; /* of the utilization: seen since GOMAXPROCS is known,
					      its flags apply */
	bool is_early; /* runs since before GOMAXPROCS was told: the utilization does not know it */
	uint8_t worker; /* enum gc_worker while it runs as one, NO_WORKER */
	uint64_t assist_since_ns, worker_since_ns;
};

struct stop { /* of the world, open */
	uint64_t g, since_ns;
	size_t kind; /* index in gc.stw */
	bool is_gc;
};

struct gc_state {
	unsigned flags;
	bool has_procs;          /* GOMAXPROCS was told */
	uint64_t syncs, sync_ns; /* last sync, or the first event */
	bool has_begun;
	bool is_marking;
	uint64_t mark_since_ns;
	VEC(struct stop) stops;
	uint64_t mark_workers; /* dedicated and fractional ones that run */
	struct map64 index;    /* goroutine -> index + 1 in members */
	VEC(struct member) members;
	VEC(uint32_t) free_members;
	/* How many hot members have these low bits: what is 0 spares a lookup. */
	uint32_t hot[HOT_SLOTS];
};

/* Is this the utilization's business, and does it know GOMAXPROCS? */
static bool counts(const struct gc *gc, unsigned flag)
{
	return gc->state->flags & flag && utilization_is_known(gc->utilization);
}

/* ------------------------------------------------------------------------------- clocks */

static void clock_set(struct gc_clock *c, bool is_on, uint64_t now)
{
	if (c->is_on == is_on)
		return;
	c->ns = gc_clock_ns(c, now);
	c->since_ns = now;
	c->is_on = is_on;
}

static void set_clocks(struct gc *gc, uint64_t now)
{
	clock_set(&gc->stopped, gc->state->stops.n > 0, now);
	clock_set(&gc->busy, gc->state->stops.n > 0 || gc->state->mark_workers > 0, now);
}

/* ------------------------------------------------------------------------------- members */

static inline bool may_be_hot(const struct gc_state *s, uint64_t g)
{
	return s->hot[g % HOT_SLOTS];
}

static bool is_hot(const struct member *m)
{
	return m->in_assist || m->util_assist || m->util_background || m->is_early ||
	       m->worker != NO_WORKER;
}

static struct member *member_get(const struct gc_state *s, uint64_t g)
{
	uint64_t *i = map64_get(&s->index, g);

	return i ? &s->members.v[*i - 1] : NULL;
}

static struct member *member_at(struct gc_state *s, uint64_t g)
{
	uint64_t *i = map64_at(&s->index, g);

	if (!*i) {
		*i = s->free_members.n ? s->free_members.v[--s->free_members.n] : s->members.n + 1;
		if (*i > s->members.n)
			vec_push(&s->members);
		s->members.v[*i - 1] = (struct member){ .g = g, .worker = NO_WORKER };
	}
	return &s->members.v[*i - 1];
}

/* After a change of m, which was hot or not. */
static void settle(struct gc_state *s, struct member *m, bool was_hot)
{
	s->hot[m->g % HOT_SLOTS] += (uint32_t)is_hot(m) - (uint32_t)was_hot;
	if (is_hot(m) || m->has_assisted)
		return;
	map64_del(&s->index, m->g);
	*vec_push(&s->free_members) = (uint32_t)(m - s->members.v) + 1;
}

/* ------------------------------------------------------------------------------- goroutines */

/* The utilization knows states from GOMAXPROCS on; it matters only before the second sync. */
static void note_early(struct gc_state *s, uint64_t g, bool runs)
{
	if (s->has_procs || s->syncs > 1 || !g || (!runs && !may_be_hot(s, g)))
		return;
	struct member *m = member_at(s, g);
	bool was_hot = is_hot(m);

	m->is_early = runs;
	settle(s, m, was_hot);
}

static void forget_early(struct gc_state *s, uint64_t g)
{
	struct member *m = may_be_hot(s, g) ? member_get(s, g) : NULL;

	if (!m || !m->is_early || !s->has_procs)
		return;
	m->is_early = false;
	settle(s, m, true);
}

static void forget_all_early(struct gc_state *s)
{
	for (size_t i = 0; i < s->members.n; i++) {
		struct member *m = &s->members.v[i];

		if (!m->is_early)
			continue;
		m->is_early = false;
		settle(s, m, true);
	}
}

static void __attribute__((noinline)) started(struct gc *gc, uint64_t g, int64_t p, uint64_t now)
{
	struct gc_state *s = gc->state;
	struct member *m = member_get(s, g);

	if (!m)
		return;
	if (m->util_assist || m->util_background)
		utilization_lose(gc->utilization, p, 1, now);
	forget_early(s, g);
}

static void end_worker(struct gc *gc, struct member *m, uint64_t now)
{
	if (m->worker == NO_WORKER)
		return;
	gc->workers[m->worker].ns += now - m->worker_since_ns;
	gc->state->mark_workers -= m->worker != GC_IDLE;
	m->worker = NO_WORKER;
	set_clocks(gc, now);
}

static void __attribute__((noinline)) stopped(struct gc *gc, uint64_t g, int64_t p, uint64_t now)
{
	struct gc_state *s = gc->state;
	struct member *m = member_get(s, g);

	if (!m)
		return;
	if (m->util_assist || m->util_background)
		utilization_lose(gc->utilization, p, -1, now);
	bool was_hot = is_hot(m);

	end_worker(gc, m, now);
	m->is_early = false;
	settle(s, m, was_hot);
}

static void end_assist(struct gc *gc, struct member *m, uint64_t now)
{
	if (m->in_assist)
		gc->assist_ns += now - m->assist_since_ns;
	m->in_assist = false;
}

static void drop_stops_of(struct gc *gc, uint64_t g, uint64_t now);

/* Its ranges end with it. Go's utilization does not think of that: what it lost stays lost. */
static void ended(struct gc *gc, uint64_t g, int64_t p, uint64_t now)
{
	if (may_be_hot(gc->state, g))
		stopped(gc, g, p, now);
	struct member *m = gc->state->index.n ? member_get(gc->state, g) : NULL;

	if (m) {
		bool was_hot = is_hot(m);

		end_assist(gc, m, now);
		*m = (struct member){ .g = g, .worker = NO_WORKER };
		settle(gc->state, m, was_hot);
	}
	if (gc->state->stops.n)
		drop_stops_of(gc, g, now);
}

static uint8_t worker_of_label(struct str s)
{
	for (uint8_t i = 0; i < GC_WORKERS; i++) {
		size_t n = strlen(gc_worker_names[i]);

		if (s.n == n + 5 && !memcmp(s.s, "GC (", 4) &&
		    !memcmp(s.s + 4, gc_worker_names[i], n) && s.s[n + 4] == ')')
			return i;
	}
	return NO_WORKER;
}

static bool is_background_label(const struct gc *gc, struct str label, uint8_t worker)
{
	if (!counts(gc, GC_UTIL_BACKGROUND) || label.n < 3 || memcmp(label.s, "GC ", 3) ||
	    worker == GC_IDLE)
		return false;
	return !(gc->state->flags & GC_UTIL_PER_PROC && worker == GC_DEDICATED);
}

/* The runtime labels a worker each time it starts (runtime/traceruntime.go: GoStart). */
static void labelled(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;
	uint8_t worker = worker_of_label(ev->name);
	bool is_background = is_background_label(gc, ev->name, worker);

	if (worker == NO_WORKER && !is_background)
		return;
	struct member *m = member_at(s, ev->g);
	bool was_hot = is_hot(m);

	end_worker(gc, m, ev->ts_ns);
	m->util_background |= is_background;
	if (worker != NO_WORKER) {
		m->worker = worker;
		m->worker_since_ns = ev->ts_ns;
		gc->workers[worker].runs++;
		s->mark_workers += worker != GC_IDLE;
		set_clocks(gc, ev->ts_ns);
	}
	settle(s, m, was_hot);
	if (is_background)
		utilization_lose(gc->utilization, ev->p, 1, ev->ts_ns);
}

/* ------------------------------------------------------------------------------- ranges */

static size_t stw_kind(struct gc *gc, struct str kind)
{
	for (size_t i = 0; i < gc->stw.n; i++)
		if (str_equal(gc->stw.v[i].kind, kind))
			return i;
	if (gc->stw.n == GC_STW_KINDS_MAX)
		return GC_STW_KINDS_MAX - 1;
	*vec_push(&gc->stw) = (struct gc_stw){ .kind = { xmemdup0(kind.s, kind.n), kind.n } };
	return gc->stw.n - 1;
}

static void begin_stop(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;
	bool is_gc = ev->name.n && memmem(ev->name.s, ev->name.n, "GC", 2);

	if (s->stops.n == STOPS_MAX) /* not Go's runtime, which stops the world once at a time */
		return;
	*vec_push(&s->stops) = (struct stop){ ev->g, ev->ts_ns, stw_kind(gc, ev->name), is_gc };
	set_clocks(gc, ev->ts_ns);
	if (is_gc && counts(gc, GC_UTIL_STW))
		utilization_stop(gc->utilization, 1, ev->ts_ns);
}

static struct stop close_stop(struct gc *gc, size_t i, uint64_t now)
{
	struct gc_state *s = gc->state;
	struct stop stop = s->stops.v[i];
	struct gc_stw *k = &gc->stw.v[stop.kind];
	uint64_t ns = now - stop.since_ns;

	memmove(&s->stops.v[i], &s->stops.v[i + 1], (--s->stops.n - i) * sizeof(stop));
	k->count++;
	k->total_ns += ns;
	gc->stw_count++;
	gc->stw_ns += ns;
	if (ns >= k->max_ns) {
		k->max_ns = ns;
		k->max_at_ns = stop.since_ns;
	}
	if (ns > gc->stw.v[gc->stw_worst].max_ns)
		gc->stw_worst = stop.kind;
	set_clocks(gc, now);
	return stop;
}

static void end_stop(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;

	for (size_t i = 0; i < s->stops.n; i++) {
		if (s->stops.v[i].g != ev->g)
			continue;
		/* of two on one goroutine the first ends first, as Go's reader has it */
		struct stop stop = close_stop(gc, i, ev->ts_ns);

		if (stop.is_gc && counts(gc, GC_UTIL_STW))
			utilization_stop(gc->utilization, -1, ev->ts_ns);
		return;
	}
}

static void drop_stops_of(struct gc *gc, uint64_t g, uint64_t now)
{
	for (size_t i = gc->state->stops.n; i-- > 0;)
		if (gc->state->stops.v[i].g == g)
			close_stop(gc, i, now);
}

static void begin_assist(struct gc *gc, uint64_t g, uint64_t since, const struct event *ev)
{
	struct gc_state *s = gc->state;
	struct member *m = member_at(s, g);
	bool was_hot = is_hot(m), is_counted = counts(gc, GC_UTIL_ASSIST);

	if (!m->in_assist) {
		m->in_assist = true;
		m->assist_since_ns = since;
		gc->assists++;
		gc->assist_goroutines += !m->has_assisted;
		m->has_assisted = true;
	}
	m->util_assist |= is_counted;
	settle(s, m, was_hot);
	if (is_counted)
		utilization_lose(gc->utilization, ev->p, 1, ev->ts_ns);
}

static void assist_ends(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;
	struct member *m = member_get(s, ev->g);

	if (m) {
		bool was_hot = is_hot(m);

		end_assist(gc, m, ev->ts_ns);
		if (counts(gc, GC_UTIL_ASSIST))
			m->util_assist = false;
		settle(s, m, was_hot);
	}
	if (counts(gc, GC_UTIL_ASSIST))
		utilization_lose(gc->utilization, ev->p, -1, ev->ts_ns);
}

/* In the first generation this is news, later a repetition; also where a recording has no sync to
 * tell. */
static void assist_is_active(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;
	struct member *m = member_get(s, ev->id), *current = ev->g ? member_get(s, ev->g) : NULL;

	if (s->syncs > 1 || (m && m->in_assist))
		return;
	/* of the thread's goroutine, which need not be the assisting one, but see begin_assist */
	if (counts(gc, GC_UTIL_ASSIST) && ev->g && !(current && current->is_early))
		utilization_lose_before(gc->utilization);
	begin_assist(gc, ev->id, s->sync_ns, ev);
}

static void sweep(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;
	bool is_end = ev->type == EV_GC_SWEEP_END, is_active = ev->type == EV_GC_SWEEP_ACTIVE;

	if (is_end) {
		gc->sweeps++;
		gc->swept_bytes += ev->value;
		gc->reclaimed_bytes += ev->value2;
	}
	if (!counts(gc, GC_UTIL_SWEEP) || (is_active && s->syncs > 1))
		return;
	if (is_active)
		utilization_lose_before(gc->utilization);
	utilization_lose(gc->utilization,
			 is_active && ev->p == EVENT_NO_P ? (int64_t)ev->id : ev->p,
			 is_end ? -1 : 1, ev->ts_ns);
}

static void begin_mark(struct gc *gc, uint64_t since)
{
	if (gc->state->is_marking)
		return;
	gc->state->is_marking = true;
	gc->state->mark_since_ns = since;
	gc->cycles++;
}

static void end_mark(struct gc *gc, uint64_t now)
{
	uint64_t ns = now - gc->state->mark_since_ns;

	if (!gc->state->is_marking)
		return;
	gc->state->is_marking = false;
	gc->mark_ns += ns;
	if (ns < gc->mark_max_ns)
		return;
	gc->mark_max_ns = ns;
	gc->mark_max_at_ns = gc->state->mark_since_ns;
}

/* ------------------------------------------------------------------------------- events */

static void on_sync(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;

	s->syncs = ev->id;
	s->sync_ns = ev->ts_ns;
	if (s->syncs > 1)
		forget_all_early(s);
	utilization_sync(gc->utilization);
}

static void on_heap(struct gc *gc, const struct event *ev)
{
	if (ev->type == EV_HEAP_GOAL) {
		gc->goal_last_bytes = ev->value > goal_sane_bytes ? 0 : ev->value;
		gc->goal_max_bytes = max_u64(gc->goal_max_bytes, gc->goal_last_bytes);
	} else if (ev->value > gc->heap_peak_bytes) {
		gc->heap_peak_bytes = ev->value;
		gc->heap_peak_at_ns = ev->ts_ns;
	}
}

/* Rare ones, and all before GOMAXPROCS is known. */
static void __attribute__((noinline)) note_states(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;
	struct transition t[3];
	unsigned n = transitions_of(ev, t);

	for (unsigned i = 0; i < n; i++)
		note_early(s, t[i].g, t[i].to == GO_RUNNING || t[i].to == GO_SYSCALL);
}

void gc_event(struct gc *gc, const struct event *ev)
{
	struct gc_state *s = gc->state;

	gc->last_ns = ev->ts_ns;
	if (!s->has_begun) {
		s->has_begun = true;
		s->sync_ns = ev->ts_ns;
	}
	if (!s->has_procs && s->syncs <= 1)
		note_states(gc, ev);
	switch (ev->type) {
	case EV_GO_START:
		if (may_be_hot(s, ev->id))
			started(gc, ev->id, ev->p, ev->ts_ns);
		return;
	case EV_GO_STOP:
	case EV_GO_BLOCK:
	case EV_GO_SYSCALL_END_BLOCKED:
		if (may_be_hot(s, ev->g))
			stopped(gc, ev->g, ev->p, ev->ts_ns);
		return;
	case EV_GO_SYSCALL_BEGIN:
	case EV_GO_SYSCALL_END:
		if (may_be_hot(s, ev->g))
			forget_early(s, ev->g);
		return;
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
		if (may_be_hot(s, ev->id))
			forget_early(s, ev->id);
		return;
	case EV_GO_DESTROY:
		ended(gc, ev->g, ev->p, ev->ts_ns);
		return;
	case EV_GO_DESTROY_SYSCALL:
		gc->last_ns += ev->p != EVENT_NO_P;
		ended(gc, ev->g, ev->p, gc->last_ns);
		return;
	case EV_GO_SWITCH:
	case EV_GO_SWITCH_DESTROY:
		gc->last_ns += 2;
		if (ev->type == EV_GO_SWITCH_DESTROY)
			ended(gc, ev->g, ev->p, ev->ts_ns + 1);
		else if (may_be_hot(s, ev->g))
			stopped(gc, ev->g, ev->p, ev->ts_ns + 1);
		if (may_be_hot(s, ev->id))
			started(gc, ev->id, ev->p, ev->ts_ns + 2);
		return;
	case EV_SYNC:
		on_sync(gc, ev);
		return;
	case EV_PROCS_CHANGE:
		s->has_procs = s->has_procs || ev->value;
		utilization_set_procs(gc->utilization, ev->value, ev->ts_ns);
		return;
	case EV_STW_BEGIN:
		begin_stop(gc, ev);
		return;
	case EV_STW_END:
		end_stop(gc, ev);
		return;
	case EV_GC_ACTIVE:
		begin_mark(gc, s->sync_ns);
		return;
	case EV_GC_BEGIN:
		begin_mark(gc, ev->ts_ns);
		return;
	case EV_GC_END:
		end_mark(gc, ev->ts_ns);
		return;
	case EV_GC_SWEEP_ACTIVE:
	case EV_GC_SWEEP_BEGIN:
	case EV_GC_SWEEP_END:
		sweep(gc, ev);
		return;
	case EV_GC_ASSIST_ACTIVE:
		assist_is_active(gc, ev);
		return;
	case EV_GC_ASSIST_BEGIN:
		begin_assist(gc, ev->g, ev->ts_ns, ev);
		return;
	case EV_GC_ASSIST_END:
		assist_ends(gc, ev);
		return;
	case EV_HEAP_ALLOC:
	case EV_HEAP_GOAL:
		on_heap(gc, ev);
		return;
	case EV_GO_LABEL:
		labelled(gc, ev);
		return;
	}
}

/* ------------------------------------------------------------------------------- life */

struct gc *gc_new(unsigned flags)
{
	struct gc *gc = xcalloc(1, sizeof(*gc));

	gc->state = xcalloc(1, sizeof(*gc->state));
	gc->state->flags = flags;
	gc->utilization = utilization_new(flags & GC_UTIL_PER_PROC);
	return gc;
}

void gc_finish(struct gc *gc, bool is_broken)
{
	struct gc_state *s = gc->state;

	end_mark(gc, gc->last_ns);
	while (s->stops.n)
		close_stop(gc, 0, gc->last_ns);
	for (size_t i = 0; i < s->members.n; i++) {
		end_worker(gc, &s->members.v[i], gc->last_ns);
		end_assist(gc, &s->members.v[i], gc->last_ns);
	}
	utilization_finish(gc->utilization, is_broken ? s->sync_ns : gc->last_ns, is_broken);
}

void gc_free(struct gc *gc)
{
	if (!gc)
		return;
	struct gc_state *s = gc->state;

	for (size_t i = 0; i < gc->stw.n; i++)
		free((char *)(uintptr_t)gc->stw.v[i].kind.s);
	vec_free(&gc->stw);
	vec_free(&s->stops);
	map64_free(&s->index);
	vec_free(&s->members);
	vec_free(&s->free_members);
	utilization_free(gc->utilization);
	free(s);
	free(gc);
}
