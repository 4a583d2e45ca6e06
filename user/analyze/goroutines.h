/* SPDX-License-Identifier: Apache-2.0 */
/*
 * goroutines.h - where the time of goroutines went: in all, by start function, by stack, and for whom it hurt.
 *
 * Fed with every event of a trace in order, from a reader or from a recording that is being made. Every number that `go tool
 * trace` shows too is defined as there, quirks included (trace-format.md §17, §18; internal/trace/summary.go and
 * cmd/trace/pprof.go, Go 1.26). Memory: live goroutines, start functions, stacks; one row per goroutine that ended
 * only when options.rows asks for it.
 *
 *	g = goroutines_new(&options); goroutines_event(g, ev)...; goroutines_finish(g); g->groups ...; goroutines_free(g)
 */
#ifndef ANALYZE_GOROUTINES_H
#define ANALYZE_GOROUTINES_H

#include "analyze/gc.h"
#include "analyze/latency.h"
#include "gotrace/event.h"
#include "gotrace/record.h"
#include "gotrace/symbols.h"
#include "base/base.h"

/* The columns of a goroutine, or sums of them, ns. */
struct go_times {
	uint64_t execution, sched_wait, syscall, syscall_block, blocked, unknown, total;
	VEC(struct named_ns { uint32_t name; uint64_t ns; }) by_reason, by_range; /* names: goroutines.names */
};

struct go_row {                /* a goroutine */
	uint64_t id;
	uint32_t group;
	uint64_t created_ns, started_ns, ended_ns; /* trace time; 0: never. Created before the trace: its start */
	uint8_t state;         /* enum go_state, at its end or the trace's */
	uint32_t reason;       /* of a waiting one, else 0 */
	uint32_t creation_stack; /* who made it; 0 not known */
	struct go_times times;
};

struct go_group {              /* goroutines of one start function */
	const char *name;      /* "" not known. Owned by the stack source */
	uint64_t count;
	uint64_t alive;        /* at the end of the trace */
	uint64_t created;      /* in the trace */
	struct go_times times;
};

struct go_wait {               /* runnable until running */
	uint64_t begin_ns, ns, g;
	uint32_t group;
};

enum profile_kind { PROFILE_NET, PROFILE_SYNC, PROFILE_SYSCALL, PROFILE_SCHED, PROFILE_KINDS };
extern const char *const profile_names[PROFILE_KINDS]; /* as `go tool trace -pprof=` */

struct profile {               /* by stack number */
	VEC(struct profile_sample { uint64_t count; uint64_t ns; }) samples;
	uint64_t count, ns;    /* in all, after goroutines_finish */
	/* Go's tool takes a stack of nothing but pcs 0 for no stack, and shows the one that came last: of samples.v[0] this number */
	uint32_t nothing;
};
/* The number of the stack that samples.v[i] is of. */
static inline uint32_t profile_stack(const struct profile *p, size_t i) { return i ? (uint32_t)i : p->nothing; }

/* Why goroutines waited for a P: the parts of all waits, ns. */
struct wait_causes {
	uint64_t preempted;    /* put aside to let others run */
	uint64_t gc;           /* the world was stopped, or the garbage collector's workers held a P */
	uint64_t busy;         /* all Ps had something else to do */
	uint64_t wakeup;       /* a P was idle: until it had woken up */
};

struct leak {                  /* goroutines of one creation stack that are alive at the end */
	uint32_t stack;        /* who made them; 0: not known, they are older than the trace */
	uint32_t group;
	uint64_t alive, created, ended; /* created and ended in the trace */
	uint64_t oldest_ns;    /* created at */
	uint32_t reason;       /* what most of them are blocked on: goroutines.names; NOT_BLOCKED */
};
#define NOT_BLOCKED UINT32_MAX

struct goroutines_options {
	struct stack_source stacks;
	struct gc *gc;         /* fed before this one; NULL: no wait_causes.gc */
	unsigned worst;        /* this many longest waits are kept */
	bool rows;             /* keep a row per goroutine ... */
	const char *rows_of;   /* ... only of this start function or id; NULL: of all */
	const char *function;  /* profiles, waits and what never ended of this start function alone; NULL: of all */
	uint64_t threshold_ns; /* periods shorter than this are not in profiles and latencies */
	/* Profiles: how much of a goroutine's period counts. NULL: as the goroutine pages of Go's tool, all of it from its first run
	 * on */
	uint64_t (*overlap)(const void *self, uint64_t g, uint64_t from_ns, uint64_t to_ns);
	const void *overlap_self;
};

struct goroutines {
	struct goroutines_options options;
	VEC(const char *) names; /* of reasons and ranges; number 0 is "" */
	VEC(struct go_group) groups; /* number 0 is "" */
	VEC(struct go_row) rows;
	struct profile profiles[PROFILE_KINDS];
	struct latency waits;
	VEC(struct go_wait) worst; /* longest first */
	struct wait_causes causes;
	VEC(struct leak) leaks;    /* most alive first */
	uint64_t first_ns, last_ns; /* of the trace */
	uint64_t events;       /* as Go's reader counts them, syncs not */
	uint64_t seen, created, ended, peak, peak_at_ns; /* goroutines */
	uint64_t gomaxprocs;   /* the last said; 0: never */
	uint64_t threads;
	uint64_t samples;
	uint64_t repairs;      /* of a recording: events that order put in */
	struct goroutines_state *state;
};

struct goroutines *goroutines_new(const struct goroutines_options *o);
void goroutines_event(struct goroutines *g, const struct event *ev);
/* Closes what is open at the last event. */
void goroutines_finish(struct goroutines *g);
void goroutines_free(struct goroutines *g);

/* "runnable", "running", "syscall", "waiting"; "ended" also of one that is blocked for ever. */
const char *go_state_name(const struct go_row *row);

/* System goroutines are the runtime's own: no name, or "runtime." but not runtime.main (trace-format.md §14). */
bool is_system_goroutine(const char *name);

#endif
