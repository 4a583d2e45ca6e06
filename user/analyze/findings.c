/* SPDX-License-Identifier: Apache-2.0 */
/* findings.c - see findings.h. */
#include "analyze/findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What a rule looks at. */
struct evidence {
	const struct goroutines *g;
	const struct gc *gc;
	uint64_t duration_ns, capacity_ns; /* of the trace; of all its Ps together */
	struct findings *out;
};

static struct finding *say(const struct evidence *e, enum finding_kind kind, uint64_t weight_ns,
			   const char *fmt, ...) PRINTF(4, 5);

static struct finding *say(const struct evidence *e, enum finding_kind kind, uint64_t weight_ns,
			   const char *fmt, ...)
{
	struct finding *f = vec_push(&e->out->list);
	va_list ap;

	*f = (struct finding){ .kind = kind, .weight_ns = weight_ns };
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return f;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

/* "1234 s", "1.23 s", "45 ms", "678 us" */
static const char *spell(char out[24], uint64_t ns)
{
	if (ns >= 1000000000000)
		snprintf(out, 24, "%.0f s", (double)ns / 1e9);
	else if (ns >= 1000000000)
		snprintf(out, 24, "%.3g s", (double)ns / 1e9);
	else if (ns >= 1000000)
		snprintf(out, 24, "%.3g ms", (double)ns / 1e6);
	else
		snprintf(out, 24, "%.3g us", (double)ns / 1e3);
	return out;
}

#define TIME(ns) spell((char[24]){ 0 }, (ns))

/* The stack that weighs most in a profile: its number, 0 none, and its leaf outside of the runtime
 * and sync. */
static uint32_t heaviest(const struct evidence *e, enum profile_kind kind, const char **function)
{
	const struct profile *p = &e->g->profiles[kind];
	uint32_t top = 0;
	unsigned n;

	for (uint32_t i = 1; i < p->samples.n; i++)
		if (!top || p->samples.v[i].ns > p->samples.v[top].ns)
			top = i;
	const struct frame *f = e->g->options.stacks.frames(e->g->options.stacks.self, top, &n);

	*function = "";
	for (unsigned i = 0; i < n; i++) {
		*function = f[i].func;
		if (strncmp(f[i].func, "runtime.", 8) && strncmp(f[i].func, "sync.", 5) &&
		    strncmp(f[i].func, "internal/", 9))
			break;
	}
	return top;
}

static uint64_t execution(const struct goroutines *g)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < g->groups.n; i++)
		ns += g->groups.v[i].times.execution;
	return ns;
}

static void too_few_ps(const struct evidence *e)
{
	const struct goroutines *g = e->g;
	uint64_t busy = g->causes.busy + g->causes.preempted;

	if (share(busy, e->capacity_ns) < 0.1)
		return;
	struct finding *f = say(e, FOUND_BUSY, busy,
				"%" PRIu64 " Ps are too few: goroutines that were ready waited %s "
					   "for one, %.1f at any moment; "
				"running code took %.0f %% of the Ps' time",
				g->gomaxprocs, TIME(busy), share(busy, e->duration_ns),
				100 * share(execution(g), e->capacity_ns));

	f->profile = PROFILE_SCHED;
	f->has_profile = true;
}

static void slow_wakeups(const struct evidence *e)
{
	uint64_t ns = e->g->causes.wakeup;

	if (share(ns, e->capacity_ns) < 0.1)
		return;
	say(e, FOUND_WAKEUP, ns,
	    "goroutines were ready and waited %s although a P was idle: threads are slow to wake "
	    "(host busy, CPU quota?)",
	    TIME(ns));
}

static void worst_latency(const struct evidence *e)
{
	const struct goroutines *g = e->g;

	if (!g->worst.n || g->worst.v[0].ns < 10000000 ||
	    g->worst.v[0].ns < 20 * latency_quantile(&g->waits, 0.99))
		return;
	const struct go_wait *w = &g->worst.v[0];
	struct finding *f =
		say(e, FOUND_LATENCY, w->ns,
		    "one goroutine was ready for %s before it ran; 99 %% of all waits are below %s",
		    TIME(w->ns), TIME(latency_quantile(&g->waits, 0.99)));

	f->function = g->groups.v[w->group].name;
	f->at_ns = w->begin_ns;
}

static void leaks(const struct evidence *e)
{
	const struct goroutines *g = e->g;

	for (size_t i = 0; i < g->leaks.n && i < 3; i++) {
		const struct leak *k = &g->leaks.v[i];
		unsigned n;

		if (!k->stack || k->alive < 50 || k->ended * 2 > k->created)
			continue;
		const struct frame *f =
			g->options.stacks.frames(g->options.stacks.self, k->stack, &n);
		struct finding *found =
			say(e, FOUND_LEAK, k->alive * (g->last_ns - k->oldest_ns) / 100,
			    "%" PRIu64 " of %" PRIu64
			    " goroutines made by %.100s never ended; the oldest is %s old%s%s",
			    k->alive, k->created, n ? f[0].func : "(not known)",
			    TIME(g->last_ns - k->oldest_ns),
			    k->reason != NOT_BLOCKED ? ", blocked: " : "",
			    k->reason != NOT_BLOCKED ? g->names.v[k->reason] : "");

		found->function = g->groups.v[k->group].name;
	}
}

static void locks(const struct evidence *e)
{
	const struct goroutines *g = e->g;
	uint64_t waits = 0;

	for (size_t i = 0; i < g->groups.n; i++)
		for (size_t k = 0; k < g->groups.v[i].times.by_reason.n; k++)
			if (!strcmp(g->names.v[g->groups.v[i].times.by_reason.v[k].name], "sync"))
				waits += g->groups.v[i].times.by_reason.v[k].ns;
	const char *function;
	uint32_t top = heaviest(e, PROFILE_SYNC, &function);

	if (share(waits, e->duration_ns) < 0.5 || !top)
		return;
	struct finding *f =
		say(e, FOUND_LOCK, waits,
		    "goroutines waited %s for locks and wait groups, most of all in %.120s",
		    TIME(waits), function);

	f->function = function;
	f->profile = PROFILE_SYNC;
	f->has_profile = true;
}

static void syscalls(const struct evidence *e)
{
	const struct goroutines *g = e->g;
	uint64_t blocked = 0;
	const char *function;

	for (size_t i = 0; i < g->groups.n; i++)
		if (strcmp(g->groups.v[i].name, "os/signal.loop")) /* waits for signals in something
								      like a system call */
			blocked += g->groups.v[i].times.syscall_block;
	if (share(blocked, e->duration_ns) < 0.2)
		return;
	heaviest(e, PROFILE_SYSCALL, &function);
	struct finding *f = say(e, FOUND_SYSCALL, blocked,
				"system calls held goroutines %s after their P was taken away, "
				"most of all in %.120s",
				TIME(blocked), function);

	f->function = function;
	f->profile = PROFILE_SYSCALL;
	f->has_profile = true;
}

/* Assists are taken as long as they last: that a goroutine waits in one is their harm too. */
static void collector(const struct evidence *e)
{
	const struct gc *gc = e->gc;
	uint64_t workers = gc->workers[GC_DEDICATED].ns + gc->workers[GC_FRACTIONAL].ns,
		 ran = execution(e->g);

	if (share(workers, e->capacity_ns) < 0.1 && share(gc->assist_ns, ran) < 0.2)
		return;
	struct finding *f = say(
		e, FOUND_GC, workers + gc->assist_ns,
		"garbage collection: %" PRIu64
		" cycles, whose workers took %.0f %% of the Ps' time; goroutines spent "
		"%s in assists, where all ran for %s",
		gc->cycles, 100 * share(workers, e->capacity_ns), TIME(gc->assist_ns), TIME(ran));

	f->at_ns = gc->mark_max_at_ns;
}

static void stops(const struct evidence *e)
{
	const struct gc *gc = e->gc;

	if (!gc->stw.n)
		return;
	const struct gc_stw *k = &gc->stw.v[gc->stw_worst];

	if (k->max_ns < 5000000 && share(gc->stw_ns, e->duration_ns) < 0.02)
		return;
	struct finding *f =
		say(e, FOUND_STW, gc->stw_ns * max_u64(e->g->gomaxprocs, 1),
		    "the world was stopped %" PRIu64 " times, %s in all; longest %s (%.60s)",
		    gc->stw_count, TIME(gc->stw_ns), TIME(k->max_ns), k->kind.s);

	f->at_ns = k->max_at_ns;
}

static void (*const rules[])(const struct evidence *) = {
	too_few_ps, slow_wakeups, collector, stops, locks, leaks, syscalls, worst_latency,
};

static int by_weight(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	return x->weight_ns < y->weight_ns   ? 1
	       : x->weight_ns > y->weight_ns ? -1
					     : (int)x->kind - (int)y->kind;
}

void findings_of(const struct goroutines *g, const struct gc *gc, struct findings *ret)
{
	struct evidence e = { g, gc, g->last_ns - g->first_ns, 0, ret };

	*ret = (struct findings){ 0 };
	e.capacity_ns = e.duration_ns * max_u64(g->gomaxprocs, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i](&e);
	if (ret->list.n)
		qsort(ret->list.v, ret->list.n, sizeof(ret->list.v[0]), by_weight);
}

void findings_free(struct findings *f)
{
	vec_free(&f->list);
}
