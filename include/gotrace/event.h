/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.h - one event of a Go execution trace, as order emits it and as a reader gives it back.
 *
 * Plain data in the total order of the trace. Ids and meanings are those of the format (shared trace-format.md §5;
 * internal/trace/tracev2/events.go, Go 1.26); the context (m, p, g) is that of the thread BEFORE the event.
 */
#ifndef GOTRACE_EVENT_H
#define GOTRACE_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum event_type {
	EV_PROCS_CHANGE = 9, EV_PROC_START = 10, EV_PROC_STOP = 11, EV_PROC_STEAL = 12, EV_PROC_STATUS = 13,
	EV_GO_CREATE = 14, EV_GO_CREATE_SYSCALL = 15, EV_GO_START = 16, EV_GO_DESTROY = 17,
	EV_GO_DESTROY_SYSCALL = 18, EV_GO_STOP = 19, EV_GO_BLOCK = 20, EV_GO_UNBLOCK = 21,
	EV_GO_SYSCALL_BEGIN = 22, EV_GO_SYSCALL_END = 23, EV_GO_SYSCALL_END_BLOCKED = 24, EV_GO_STATUS = 25,
	EV_STW_BEGIN = 26, EV_STW_END = 27, EV_GC_ACTIVE = 28, EV_GC_BEGIN = 29, EV_GC_END = 30,
	EV_GC_SWEEP_ACTIVE = 31, EV_GC_SWEEP_BEGIN = 32, EV_GC_SWEEP_END = 33, EV_GC_ASSIST_ACTIVE = 34,
	EV_GC_ASSIST_BEGIN = 35, EV_GC_ASSIST_END = 36, EV_HEAP_ALLOC = 37, EV_HEAP_GOAL = 38, EV_GO_LABEL = 39,
	EV_TASK_BEGIN = 40, EV_TASK_END = 41, EV_REGION_BEGIN = 42, EV_REGION_END = 43, EV_LOG = 44,
	EV_GO_SWITCH = 45, EV_GO_SWITCH_DESTROY = 46, EV_GO_CREATE_BLOCKED = 47, EV_GO_STATUS_STACK = 48,
	EV_CPU_SAMPLE = 200, /* not an event id of the format: a sample batch entry */
	EV_SYNC = 201,       /* nor this: a reader begins a generation, or ends; m, p, g none */
};

/* Types from here to here: experiments of the allocator (trace-format.md §5). */
#define EVENT_EXPERIMENT_FIRST 128
#define EVENT_EXPERIMENT_LAST 136

#define EVENT_NO_M UINT64_MAX
#define EVENT_NO_P (-1)
#define EVENT_NO_TASK UINT64_MAX /* value of EV_TASK_*: no parent */

/* Bytes with a length; not owned. */
struct str {
	const char *s;
	uint32_t n;
};
static inline bool str_equal(struct str a, struct str b) { return a.n == b.n && (!a.n || !memcmp(a.s, b.s, a.n)); }
static inline bool str_is(struct str a, const char *text) { return str_equal(a, (struct str){ text, (uint32_t)strlen(text) }); }

/*
 * GO_SWITCH and GO_SWITCH_DESTROY stand for three transitions at ts_ns, + 1, + 2 (trace-format.md §5), GO_DESTROY_SYSCALL of a
 * thread with a P for two: the P's at ts_ns, the goroutine's at + 1. A field that the type does not have is left from before.
 */
struct event {
	/* 64 bytes: what nearly all types have, and all that travels from a reading thread to another (read/ahead.c) */
	uint64_t ts_ns;
	uint64_t m;          /* kernel tid, EVENT_NO_M: no thread */
	uint64_t g;          /* goroutine of the thread before the event, 0 none */
	uint64_t id;         /* the goroutine, P, task the event names; of EV_SYNC its number, from 1 */
	int32_t p;           /* P of the thread before the event, EVENT_NO_P none */
	union {
		uint32_t seq;         /* counter of id (or of the current P) after the event, where the format has one */
		uint32_t start_stack; /* of GO_CREATE, GO_CREATE_BLOCKED, which have no counter: the start function */
	};
	uint32_t stack;      /* number of a stack (trace/stacks.h, read/reader.h), 0 none */
	uint8_t type;        /* enum event_type */
	uint8_t status;      /* of *_STATUS*: go: 1 runnable 2 running 3 syscall 4 waiting; proc: 1 running 2 idle 3 syscall 4 abandoned.
				Of PROC_STEAL from a reader: of the P before */
	bool is_repair;      /* inserted by order because a record was lost or late; not in the file */
	struct str name;     /* reason, STW kind, label, task/region name, log category */

	uint64_t value;      /* GOMAXPROCS, bytes, parent task, swept bytes; of PROC_STEAL: thread stolen from; of GO_STATUS: thread */
	uint64_t value2;     /* reclaimed bytes */
	struct str text;     /* log message; dies with the next event */
};

/* A P's number as an event has it. No program has so many that one does not fit. */
static inline int32_t event_p(uint64_t id)
{
	return id < INT32_MAX ? (int32_t)id : INT32_MAX;
}

/* How many transitions, samples and so on Go's reader makes of this event: 1, 2 or 3. */
static inline unsigned event_parts(const struct event *ev)
{
	if (ev->type == EV_GO_SWITCH || ev->type == EV_GO_SWITCH_DESTROY)
		return 3;
	return ev->type == EV_GO_DESTROY_SYSCALL && ev->p != EVENT_NO_P ? 2 : 1;
}

#endif
