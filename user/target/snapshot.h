/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - every goroutine, thread and P of a running process, read from outside while it runs.
 *
 * runtime.allgs, allm and allp are read in blocks; states are then told as a trace tells them (a goroutine that the
 * runtime calls waiting while the GC scans its stack is running, and so on). What is read may be torn: order corrects
 * it by what the records say (order.h).
 */
#ifndef TARGET_SNAPSHOT_H
#define TARGET_SNAPSHOT_H

#include "gotrace/record.h"
#include "target/plan.h"
#include "target/process.h"

struct snapshot_source {
	const struct process *process;
	const struct plan *plan;
	uint64_t text_lo, text_hi;  /* runtime addresses of the Go code */
	/* Names a raw stack; returns its number (capture gives numbers out). May be NULL: no stacks. */
	uint32_t (*stack)(void *ctx, const uint64_t *pcs, unsigned n);
	/* The g structure of a goroutine. May be NULL. */
	void (*learn)(void *ctx, uint64_t gp, uint64_t goid);
	/* Called now and then, so that the ring can be emptied meanwhile. May be NULL. */
	void (*tick)(void *ctx);
	void *ctx;
};

struct snapshot_counts {
	uint32_t goroutines, unread, no_stack;
	uint32_t threads;
};

/*
 * Does the layout that the plan assumes fit this process? Looks at some goroutines, all Ps and threads: ids, back
 * pointers, stack bounds, statuses. -ENOTSUP with a sentence when it does not: then nothing may be recorded.
 * -EAGAIN: the runtime has not started yet (no Ps).
 */
int snapshot_prove(const struct snapshot_source *src, struct why *why);
int snapshot_take(const struct snapshot_source *src, struct snapshot *ret, struct snapshot_counts *counts,
		  struct why *why);
void snapshot_free(struct snapshot *s);

#endif
