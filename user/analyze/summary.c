/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - see summary.h. */
#include "analyze/summary.h"

#include <stdlib.h>

struct summary *summary_new(struct stacks *stacks)
{
	struct summary *s = xcalloc(1, sizeof(*s));

	s->stacks = stacks;
	vec_push(&s->groups)->name = NULL;
	s->groups.v[0] = (struct summary_group){ .name = xstrdup("") };
	return s;
}

void summary_free(struct summary *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->groups.n; i++)
		free(s->groups.v[i].name);
	for (size_t i = 0; i < s->stw.n; i++)
		free(s->stw.v[i].kind);
	for (unsigned i = 0; i < s->n_reasons; i++)
		free(s->reasons[i]);
	vec_free(&s->groups);
	vec_free(&s->stw);
	vec_free(&s->slots);
	vec_free(&s->free_slots);
	map64_free(&s->live);
	map64_free(&s->names);
	map64_free(&s->seen_threads);
	map64_free(&s->assist_since);
	free(s);
}

/* ------------------------------------------------------------------------------- names */

static uint32_t group_named(struct summary *s, const char *name)
{
	if (!*name)
		return 0;
	uint64_t *i = map64_at(&s->names, hash_bytes(name, strlen(name), 1));

	if (!*i) {
		struct summary_group g = { .name = xstrdup(name), .number = (uint32_t)s->groups.n };

		*vec_push(&s->groups) = g;
		*i = s->groups.n;
	}
	return (uint32_t)*i - 1;
}

/* A goroutine is named by the outermost function of the first stack it has (trace-format.md §14).
 */
static uint32_t group_of_stack(struct summary *s, uint32_t stack)
{
	unsigned n = 0;
	const struct frame *f = stack ? stacks_frames(s->stacks, stack, &n) : NULL;

	return n ? group_named(s, f[n - 1].func) : 0;
}

static uint8_t reason_at(struct summary *s, struct str name)
{
	for (unsigned i = 0; i < s->n_reasons; i++)
		if (strlen(s->reasons[i]) == name.n &&
		    (!name.n || !memcmp(s->reasons[i], name.s, name.n)))
			return (uint8_t)i;
	if (s->n_reasons == SUMMARY_REASONS)
		return SUMMARY_REASONS - 1;
	char *copy = xcalloc(1, name.n + 1);

	if (name.n)
		memcpy(copy, name.s, name.n);
	s->reasons[s->n_reasons] = copy;
	return (uint8_t)s->n_reasons++;
}

/* ------------------------------------------------------------------------------- goroutines */

static struct summary_g *slot_of(struct summary *s, uint64_t goid)
{
	uint64_t *i = map64_get(&s->live, goid);

	return i ? &s->slots.v[*i - 1] : NULL;
}

static struct summary_g *slot_new(struct summary *s, uint64_t goid)
{
	uint32_t i = s->free_slots.n ? s->free_slots.v[--s->free_slots.n] : (uint32_t)s->slots.n;

	if (i == s->slots.n)
		vec_push(&s->slots);
	*map64_at(&s->live, goid) = i + 1;
	s->slots.v[i] = (struct summary_g){ 0 };
	s->goroutines++;
	s->peak = max_u64(s->peak, s->live.n);
	return &s->slots.v[i];
}

static unsigned bucket_of(uint64_t ns)
{
	if (ns < 64)
		return 0;
	unsigned log = 63 - (unsigned)__builtin_clzll(ns);
	unsigned i = (log - 6) * 4 + ((ns >> (log - 2)) & 3) + 1;

	return i < SUMMARY_BUCKETS ? i : SUMMARY_BUCKETS - 1;
}

static uint64_t bucket_edge(unsigned i)
{
	return i ? (4ull + (i - 1) % 4 + 1) << ((i - 1) / 4 + 4) : 64;
}

uint64_t summary_wait_quantile(const struct summary *s, double q)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < SUMMARY_BUCKETS; i++) {
		below += s->wait_buckets[i];
		if (below && (double)below >= q * (double)s->waits)
			return min_u64(bucket_edge(i), s->worst[0].ns);
	}
	return 0;
}

static void add_wait(struct summary *s, struct summary_wait w)
{
	s->waits++;
	s->wait_total_ns += w.ns;
	s->wait_buckets[bucket_of(w.ns)]++;
	for (unsigned i = 0; i < SUMMARY_WORST; i++) {
		if (w.ns <= s->worst[i].ns)
			continue;
		struct summary_wait moved = s->worst[i];

		s->worst[i] = w;
		w = moved;
	}
}

/* Adds the period that ends now to its state. */
static void close_period(struct summary *s, struct summary_g *g, uint64_t now)
{
	struct summary_group *grp = &s->groups.v[g->group];
	uint64_t ns = now - g->since_ns;

	g->since_ns = now;
	switch ((enum go_state)g->state) {
	case GO_RUNNING:
		grp->running_ns += ns;
		break;
	case GO_RUNNABLE:
		grp->runnable_ns += ns;
		break;
	case GO_SYSCALL:
		grp->syscall_ns += ns;
		break;
	case GO_WAITING:
		grp->blocked_ns += ns;
		grp->blocked_by_ns[g->reason] += ns;
		break;
	case GO_NOT_EXIST:
		break;
	}
}

static void name_late(struct summary *s, struct summary_g *g, uint32_t stack)
{
	if (g->group || !stack)
		return;
	g->group = group_of_stack(s, stack);
	if (g->group) {
		s->groups.v[g->group].count++;
		s->groups.v[0].count--;
	}
}

static void move(struct summary *s, uint64_t goid, enum go_state to, const struct event *ev,
		 uint32_t stack)
{
	struct summary_g *g = slot_of(s, goid);

	if (!g)
		return;
	name_late(s, g, stack);
	if (g->state == GO_RUNNABLE && to == GO_RUNNING)
		add_wait(s, (struct summary_wait){ g->since_ns, ev->ts_ns - g->since_ns, goid,
						   g->group });
	close_period(s, g, ev->ts_ns);
	g->state = (uint8_t)to;
	if (to == GO_WAITING)
		g->reason = reason_at(s, ev->type == EV_GO_BLOCK ? ev->name : (struct str){ 0 });
}

static void appear(struct summary *s, uint64_t goid, enum go_state state, uint64_t since_ns,
		   uint32_t stack)
{
	if (slot_of(s, goid))
		return;
	struct summary_g *g = slot_new(s, goid);

	g->since_ns = since_ns;
	g->state = (uint8_t)state;
	g->group = group_of_stack(s, stack);
	s->groups.v[g->group].count++;
	if (state == GO_WAITING)
		g->reason = reason_at(s, (struct str){ 0 });
}

static void vanish(struct summary *s, uint64_t goid, uint64_t now)
{
	struct summary_g *g = slot_of(s, goid);

	if (!g)
		return;
	close_period(s, g, now);
	*vec_push(&s->free_slots) = (uint32_t)(g - s->slots.v);
	map64_del(&s->live, goid);
	s->ended++;
}

/* ------------------------------------------------------------------------------- the rest */

static void end_stw(struct summary *s, uint64_t now)
{
	struct summary_stw *k = NULL;

	if (!s->stw_kind)
		return;
	for (size_t i = 0; i < s->stw.n && !k; i++)
		if (!strcmp(s->stw.v[i].kind, s->stw_kind))
			k = &s->stw.v[i];
	if (!k) {
		k = vec_push(&s->stw);
		*k = (struct summary_stw){ .kind = s->stw_kind };
	} else {
		free(s->stw_kind);
	}
	s->stw_kind = NULL;
	k->count++;
	k->total_ns += now - s->stw_since_ns;
	k->max_ns = max_u64(k->max_ns, now - s->stw_since_ns);
}

static void begin_stw(struct summary *s, const struct event *ev)
{
	free(s->stw_kind);
	s->stw_kind = xcalloc(1, ev->name.n + 1);
	if (ev->name.n)
		memcpy(s->stw_kind, ev->name.s, ev->name.n);
	s->stw_since_ns = ev->ts_ns;
}

static void end_assist(struct summary *s, const struct event *ev)
{
	uint64_t *since = map64_get(&s->assist_since, ev->g);

	if (!since)
		return;
	s->assist_ns += ev->ts_ns - *since;
	map64_del(&s->assist_since, ev->g);
}

static void note(struct summary *s, const struct event *ev)
{
	bool is_status = ev->type == EV_GO_STATUS || ev->type == EV_GO_STATUS_STACK ||
			 ev->type == EV_PROC_STATUS;

	if (!s->first_ns)
		s->first_ns = ev->ts_ns;
	s->last_ns = max_u64(s->last_ns, ev->ts_ns);
	s->events += !is_status && !ev->is_repair;
	s->repairs += ev->is_repair && !is_status;
	if (ev->m == EVENT_NO_M ||
	    s->recent_threads[ev->m % ARRAY_SIZE(s->recent_threads)] == ev->m)
		return;
	s->recent_threads[ev->m % ARRAY_SIZE(s->recent_threads)] = ev->m;
	*map64_at(&s->seen_threads, ev->m) = 1;
}

void summary_event(void *summary, const struct event *ev)
{
	static const uint8_t states[] = { GO_NOT_EXIST, GO_RUNNABLE, GO_RUNNING, GO_SYSCALL,
					  GO_WAITING };
	struct summary *s = summary;

	note(s, ev);
	switch ((enum event_type)ev->type) {
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
		appear(s, ev->id, states[ev->status % ARRAY_SIZE(states)], s->first_ns, ev->stack);
		break;
	case EV_GO_CREATE:
	case EV_GO_CREATE_BLOCKED:
		s->created++;
		appear(s, ev->id, ev->type == EV_GO_CREATE ? GO_RUNNABLE : GO_WAITING, ev->ts_ns,
		       ev->start_stack);
		break;
	case EV_GO_CREATE_SYSCALL:
		s->created++;
		appear(s, ev->id, GO_SYSCALL, ev->ts_ns, 0);
		break;
	case EV_GO_START:
		move(s, ev->id, GO_RUNNING, ev, 0);
		break;
	case EV_GO_STOP:
		move(s, ev->g, GO_RUNNABLE, ev, ev->stack);
		break;
	case EV_GO_BLOCK:
		move(s, ev->g, GO_WAITING, ev, ev->stack);
		break;
	case EV_GO_UNBLOCK:
		move(s, ev->id, GO_RUNNABLE, ev, 0);
		break;
	case EV_GO_SWITCH:
		move(s, ev->g, GO_WAITING, ev, 0);
		move(s, ev->id, GO_RUNNING, ev, 0);
		break;
	case EV_GO_SWITCH_DESTROY:
		vanish(s, ev->g, ev->ts_ns);
		move(s, ev->id, GO_RUNNING, ev, 0);
		break;
	case EV_GO_DESTROY:
	case EV_GO_DESTROY_SYSCALL:
		vanish(s, ev->g, ev->ts_ns);
		break;
	case EV_GO_SYSCALL_BEGIN:
		move(s, ev->g, GO_SYSCALL, ev, ev->stack);
		break;
	case EV_GO_SYSCALL_END:
		move(s, ev->g, GO_RUNNING, ev, 0);
		break;
	case EV_GO_SYSCALL_END_BLOCKED:
		move(s, ev->g, GO_RUNNABLE, ev, 0);
		break;
	case EV_STW_BEGIN:
		begin_stw(s, ev);
		break;
	case EV_STW_END:
		end_stw(s, ev->ts_ns);
		break;
	case EV_GC_BEGIN:
		s->gc_since_ns = ev->ts_ns;
		break;
	case EV_GC_ACTIVE:
		s->gc_since_ns = s->gc_since_ns ? s->gc_since_ns : ev->ts_ns;
		break;
	case EV_GC_END:
		s->gc_cycles++;
		s->gc_mark_ns += s->gc_since_ns ? ev->ts_ns - s->gc_since_ns : 0;
		s->gc_since_ns = 0;
		break;
	case EV_GC_ASSIST_BEGIN:
		s->assists++;
		*map64_at(&s->assist_since, ev->g) = ev->ts_ns;
		break;
	case EV_GC_ASSIST_END:
		end_assist(s, ev);
		break;
	case EV_PROCS_CHANGE:
		s->procs = ev->value;
		break;
	case EV_PROC_STATUS: /* of an idle target all that is told */
		s->procs = max_u64(s->procs, ev->id + 1);
		break;
	case EV_HEAP_ALLOC:
		s->heap_peak_bytes = max_u64(s->heap_peak_bytes, ev->value);
		break;
	case EV_HEAP_GOAL:
		s->goal_last_bytes = ev->value;
		break;
	case EV_CPU_SAMPLE:
		s->samples++;
		break;
	case EV_PROC_START:
	case EV_PROC_STOP:
	case EV_PROC_STEAL:
	case EV_GC_SWEEP_ACTIVE:
	case EV_GC_SWEEP_BEGIN:
	case EV_GC_SWEEP_END:
	case EV_GC_ASSIST_ACTIVE:
	case EV_GO_LABEL:
	case EV_TASK_BEGIN:
	case EV_TASK_END:
	case EV_REGION_BEGIN:
	case EV_REGION_END:
	case EV_LOG:
		break;
	}
}

/* What hurts: waiting for a P counts most, then time on a P, then system calls; blocking is often
 * just idling. */
static uint64_t pain(const struct summary_group *g)
{
	return 2 * g->runnable_ns + g->running_ns + g->syscall_ns + g->blocked_ns / 1000;
}

static int by_pain(const void *a, const void *b)
{
	uint64_t x = pain(a), y = pain(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

void summary_finish(struct summary *s)
{
	size_t pos = 0;
	uint64_t goid, slot;

	while (map64_next(&s->live, &pos, &goid, &slot))
		close_period(s, &s->slots.v[slot - 1], s->last_ns);
	if (s->gc_since_ns)
		s->gc_mark_ns += s->last_ns - s->gc_since_ns;
	end_stw(s, s->last_ns);
	s->threads = s->seen_threads.n;
	qsort(s->groups.v, s->groups.n, sizeof(s->groups.v[0]), by_pain);
	/* the worst waits name their group by the place it had */
	CLEANUP(freep) uint32_t *place = xcalloc(s->groups.n, sizeof(*place));

	for (size_t i = 0; i < s->groups.n; i++)
		place[s->groups.v[i].number] = (uint32_t)i;
	for (unsigned i = 0; i < SUMMARY_WORST; i++)
		s->worst[i].group = s->worst[i].ns ? place[s->worst[i].group] : 0;
}
