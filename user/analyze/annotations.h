/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotations.h - the user's tasks and regions, as the task and region pages of `go tool trace` have them.
 *
 * Fed with every event of a trace in order, from a reader or from a recording that is being made. What belongs to what is
 * as in internal/trace/summary.go and cmd/trace/tasks.go, regions.go, Go 1.26 (trace-format.md §17, §21):
 *
 * - A task is whatever an event names as one, also as a parent; its name is that of its begin, or "" (so all that belong to
 *   the background task, number 0, are one task without a name). It is complete if both its begin and its end are there.
 * - A region that began before the trace has no place. A goroutine made inside a region gets one of its own, without a name,
 *   placed where it was made. A goroutine that ends closes its regions; those of a system goroutine never were.
 * - What has no begin or end in the trace begins or ends with the trace.
 *
 * Memory: goroutines with an open region, or without a name; open tasks; TASKS_KEPT ended ones and a bit for each one before
 * them; a row per name. A task that is named again when more than TASKS_KEPT have ended after it is not counted again, but if
 * it begins once more it is another task here, and in Go it is not.
 *
 *	a = annotations_new(&options); annotations_event(a, ev)...; annotations_finish(a, false); a->tasks ...;
 *	annotations_free(a)
 */
#ifndef ANALYZE_ANNOTATIONS_H
#define ANALYZE_ANNOTATIONS_H

#include "gotrace/event.h"
#include "gotrace/symbols.h"
#include "base/base.h"

enum { TASKS_KEPT = 4096, TIME_BUCKETS = 95 };

/* The least duration of each bucket: five for a power of ten, as traceviewer.TimeHistogram rounds them. */
extern const uint64_t time_bucket_ns[TIME_BUCKETS];
unsigned time_bucket(uint64_t ns);

/* Numbers of things by kind, in order of the kind. Most have few. */
struct tally_row {
	uint32_t kind;
	uint64_t n;
};
struct tally {
	VEC(struct tally_row) rows;
};

struct durations {
	uint64_t n, total_ns, min_ns, max_ns;
	struct tally histogram; /* by time_bucket */
	struct tally fine;     /* by latency_bucket */
};
/* The least duration that at least q of all do not exceed, at most 6 % too large; 0 without any. */
uint64_t durations_quantile(const struct durations *d, double q);

struct task_group {            /* tasks of one name */
	struct str name;       /* NUL-terminated */
	uint64_t count;        /* all of them */
	struct durations complete;
};

struct region_group {          /* regions of one name that begin in goroutines of one start function */
	struct str name;
	struct frame place;    /* outermost of where it began; pc 0, "", "", 0: not known */
	struct durations all;
};

enum task_event_kind { TASK_BEGIN, TASK_END, TASK_LOG, TASK_REGION_BEGIN, TASK_REGION_END };

struct task_event {
	uint64_t ts_ns, g;
	enum task_event_kind kind;
	bool is_goroutine_end; /* of TASK_REGION_END: that is why */
	uint32_t stack;
	struct str name;       /* of the task, category, region; NUL-terminated, as is text */
	struct str text;       /* of a log */
};

struct task_detail {
	uint64_t id, parent;   /* parent: EVENT_NO_TASK, none or not known */
	struct str name;
	bool has_begin, has_end;
	uint64_t begin_ns, end_ns; /* of the trace if it has none itself; the end is never before the begin */
	VEC(struct task_event) events; /* by time */
	VEC(uint64_t) goroutines; /* that did something for it, by number */
};

struct annotations_options {
	struct stack_source stacks;
	const char *details_of; /* keep what happened in the tasks of this number or name; NULL: in none */
};

struct annotations {
	struct annotations_options options;
	VEC(struct task_group) tasks;     /* by name */
	VEC(struct region_group) regions; /* by name, then place.pc */
	VEC(struct task_detail) details;  /* by begin */
	uint64_t logs;
	uint64_t first_ns, last_ns;       /* of the trace */
	struct annotations_state *state;
};

struct annotations *annotations_new(const struct annotations_options *o);
void annotations_event(struct annotations *a, const struct event *ev);
/* Events of which annotations_event only takes the time: who spares it them sets last_ns before annotations_finish. */
static inline bool annotations_may_skip(uint8_t type)
{
	const uint64_t skipped = 1ull << EV_GO_START | 1ull << EV_GO_UNBLOCK | 1ull << EV_GO_SYSCALL_END |
				 1ull << EV_GO_SYSCALL_END_BLOCKED | 1ull << EV_PROC_START | 1ull << EV_PROC_STOP |
				 1ull << EV_HEAP_ALLOC | 1ull << EV_HEAP_GOAL;

	return type < 64 && skipped >> type & 1;
}
/* Closes what is open. is_broken: the trace ends with its last EV_SYNC, as go tool trace has it, though it goes on. */
void annotations_finish(struct annotations *a, bool is_broken);
void annotations_free(struct annotations *a);

#endif
