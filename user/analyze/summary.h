/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary.h - what a recording was about, gathered while it is written.
 *
 * Fed with every event in trace order (order_config.observe). Definitions are those of `go tool trace`
 * (trace-format.md §17): a period belongs to the state entered last; scheduler wait is every time in Runnable; the
 * time before the first event of a goroutine counts from the start of the trace. Goroutines are grouped by the function
 * they were started with. Memory is bounded by live goroutines and functions.
 */
#ifndef ANALYZE_SUMMARY_H
#define ANALYZE_SUMMARY_H

#include "gotrace/event.h"
#include "trace/stacks.h"

#define SUMMARY_REASONS 24
#define SUMMARY_WORST 5
#define SUMMARY_BUCKETS 64

struct summary_group {
	char *name;                /* "" not known */
	uint32_t number;           /* order of appearance */
	uint64_t count;            /* goroutines */
	uint64_t running_ns, runnable_ns, syscall_ns, blocked_ns;
	uint64_t blocked_by_ns[SUMMARY_REASONS]; /* index into summary.reasons */
};

struct summary_wait {          /* runnable until running */
	uint64_t begin_ns, ns;
	uint64_t goid;
	uint32_t group;
};

struct summary_stw {
	char *kind;
	uint64_t count, total_ns, max_ns;
};

struct summary_g {             /* a live goroutine */
	uint64_t since_ns;
	uint32_t group;
	uint8_t state;         /* enum go_state */
	uint8_t reason;
};

struct summary {
	struct stacks *stacks;
	uint64_t first_ns, last_ns;
	uint64_t events, repairs;
	uint64_t goroutines, created, ended, peak;
	uint64_t procs;            /* last GOMAXPROCS seen */
	uint64_t threads;
	VEC(struct summary_group) groups;
	char *reasons[SUMMARY_REASONS];
	unsigned n_reasons;
	struct summary_wait worst[SUMMARY_WORST]; /* longest first; ns 0: none */
	uint64_t waits, wait_total_ns;
	uint64_t wait_buckets[SUMMARY_BUCKETS];   /* four per power of two, from 64 ns */
	uint64_t gc_cycles, gc_mark_ns, assist_ns, assists;
	VEC(struct summary_stw) stw;
	uint64_t heap_peak_bytes, goal_last_bytes;
	uint64_t samples;
	/* private */
	struct map64 live;         /* goid -> index + 1 in slots */
	struct map64 names;        /* hash of a name -> group + 1 */
	struct map64 seen_threads;
	uint64_t recent_threads[64]; /* of these, by number: spares most lookups */
	struct map64 assist_since;
	VEC(struct summary_g) slots;
	VEC(uint32_t) free_slots;
	uint64_t gc_since_ns;
	uint64_t stw_since_ns;
	char *stw_kind;
};

struct summary *summary_new(struct stacks *stacks);
void summary_event(void *summary, const struct event *ev);
/* Closes what is open at the last event, sorts the groups by what hurts (longest total of the worst state first). */
void summary_finish(struct summary *s);
/* Upper edge of the latency bucket that holds quantile q of all scheduler waits, ns. */
uint64_t summary_wait_quantile(const struct summary *s, double q);
void summary_free(struct summary *s);

#endif
