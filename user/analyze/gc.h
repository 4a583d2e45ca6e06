/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.h - what the garbage collector did, and what it left to the program: mutator utilization as `go tool trace` has it.
 *
 * Fed with every event of a trace in order. Memory: goroutines that assisted and are alive, workers, Ps, and the
 * utilization, 16 bytes for each time it changed.
 *
 *	gc = gc_new(GC_UTIL_DEFAULT); gc_event(gc, ev)...; gc_finish(gc, false);
 *	gc->cycles ...; utilization_mmu(gc->utilization, 1000000, &worst); gc_free(gc)
 *
 * Which events are utilization's and how they count is as in internal/trace/gc.go, Go 1.26, to the last quirk
 * (trace-format.md §19). The one that shows: a worker that starts for the second time is counted twice on its P, by its start
 * and by its label, and once less when it stops, so the P stays lost until GOMAXPROCS changes. Where Go's code dies of its
 * index (an event of no P, or of a P beyond GOMAXPROCS) the event counts for no P. The collector's own numbers (cycles,
 * workers, clocks ...) do not depend on any of that.
 */
#ifndef ANALYZE_GC_H
#define ANALYZE_GC_H

#include "analyze/utilization.h"
#include "gotrace/event.h"
#include "base/base.h"

/* What is not the program's: internal/trace.UtilFlags. */
enum {
	GC_UTIL_STW = 1,       /* stops of the world by the collector */
	GC_UTIL_BACKGROUND = 2, /* workers that mark, but for idle ones */
	GC_UTIL_ASSIST = 4,
	GC_UTIL_SWEEP = 8,
	GC_UTIL_PER_PROC = 16, /* a P each; the worst counts; dedicated workers do not */
	GC_UTIL_DEFAULT = GC_UTIL_STW | GC_UTIL_BACKGROUND | GC_UTIL_ASSIST,
};

enum gc_worker { GC_DEDICATED, GC_FRACTIONAL, GC_IDLE, GC_WORKERS };
extern const char *const gc_worker_names[GC_WORKERS]; /* "dedicated", ... */

enum { GC_STW_KINDS_MAX = 64 }; /* more are counted as the last one */

struct gc_stw {                /* stops of the world of one kind */
	struct str kind;       /* as in the trace: "GC mark termination"; NUL-terminated */
	uint64_t count, total_ns, max_ns, max_at_ns; /* at: when the longest began */
};

struct gc {
	uint64_t cycles;       /* marked in the trace, also in part */
	uint64_t mark_ns, mark_max_ns, mark_max_at_ns;
	VEC(struct gc_stw) stw;
	uint64_t stw_count, stw_ns;
	size_t stw_worst;      /* index of the kind with the longest stop; only if there is one */
	uint64_t assists, assist_ns, assist_goroutines;
	struct { uint64_t runs, ns; } workers[GC_WORKERS];
	uint64_t sweeps, swept_bytes, reclaimed_bytes; /* sweeps that ended in the trace */
	uint64_t heap_peak_bytes, heap_peak_at_ns;
	uint64_t goal_last_bytes, goal_max_bytes; /* 0: none was told, or the collector is off */
	uint64_t last_ns;      /* of the last event */
	struct gc_clock { uint64_t ns, since_ns; bool is_on; } stopped, busy; /* see gc_stopped_ns, gc_busy_ns */
	struct utilization *utilization; /* to be asked after gc_finish */
	struct gc_state *state;
};

struct gc *gc_new(unsigned flags);
void gc_event(struct gc *gc, const struct event *ev);
/* Closes what is open at the last event. is_broken: utilization ends with the last EV_SYNC, as go tool trace drops the rest. */
void gc_finish(struct gc *gc, bool is_broken);
void gc_free(struct gc *gc);

static inline uint64_t gc_clock_ns(const struct gc_clock *c, uint64_t now)
{
	return c->ns + (c->is_on && now > c->since_ns ? now - c->since_ns : 0);
}

/* While events are fed: how long the world was stopped so far, for whatever reason. */
static inline uint64_t gc_stopped_ns(const struct gc *gc, uint64_t now)
{
	return gc_clock_ns(&gc->stopped, now);
}

/* ... or at least one P ran a dedicated or fractional worker. */
static inline uint64_t gc_busy_ns(const struct gc *gc, uint64_t now)
{
	return gc_clock_ns(&gc->busy, now);
}

#endif
