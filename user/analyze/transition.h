/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transition.h - what an event does to goroutines, as Go's reader tells it to `go tool trace` (trace-format.md §5).
 *
 * Most events are one transition of one goroutine or none; a coroutine switch is three. What analyses define in terms of
 * states (§17, §18) is defined on these.
 */
#ifndef ANALYZE_TRANSITION_H
#define ANALYZE_TRANSITION_H

#include "gotrace/event.h"
#include "gotrace/record.h"

struct transition {
	uint64_t ts_ns;
	uint64_t g;            /* goroutine that changes */
	uint8_t from, to;      /* enum go_state; from a status: GO_NOT_EXIST, see is_status */
	bool is_status;        /* says where g is. Of one not seen before: it was there since the last EV_SYNC */
	const struct str *reason; /* why it stopped or blocked, else empty: the event's or a static one */
	uint32_t stack;        /* of g itself: its outermost frame is g's start function */
	uint32_t event_stack;  /* of what caused it: the waker's, the creator's, or g's own. What profiles show */
};

static inline void transition_set(struct transition *t, const struct event *ev, uint64_t g, enum go_state from, enum go_state to)
{
	static const struct str none = { "", 0 };

	/* field by field: a copy of the whole waits for stores of its parts (6 of 18 ns per event in goroutines.c) */
	t->ts_ns = ev->ts_ns;
	t->g = g;
	t->from = (uint8_t)from;
	t->to = (uint8_t)to;
	t->is_status = false;
	t->reason = &none;
	t->stack = 0;
	t->event_stack = 0;
}

/* How many, into out. */
static inline unsigned transitions_of(const struct event *ev, struct transition out[3])
{
	static const uint8_t states[] = { GO_NOT_EXIST, GO_RUNNABLE, GO_RUNNING, GO_SYSCALL, GO_WAITING };

	switch (ev->type) {
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
		transition_set(&out[0], ev, ev->id, GO_NOT_EXIST, states[ev->status % 5]);
		out[0].is_status = true;
		out[0].stack = out[0].event_stack = ev->type == EV_GO_STATUS_STACK ? ev->stack : 0;
		return 1;
	case EV_GO_CREATE:
	case EV_GO_CREATE_BLOCKED:
		transition_set(&out[0], ev, ev->id, GO_NOT_EXIST, ev->type == EV_GO_CREATE ? GO_RUNNABLE : GO_WAITING);
		out[0].stack = ev->start_stack;
		out[0].event_stack = ev->stack;
		return 1;
	case EV_GO_CREATE_SYSCALL:
		transition_set(&out[0], ev, ev->id, GO_NOT_EXIST, GO_SYSCALL);
		return 1;
	case EV_GO_START:
		transition_set(&out[0], ev, ev->id, GO_RUNNABLE, GO_RUNNING);
		return 1;
	case EV_GO_STOP:
	case EV_GO_BLOCK:
		transition_set(&out[0], ev, ev->g, GO_RUNNING, ev->type == EV_GO_STOP ? GO_RUNNABLE : GO_WAITING);
		out[0].reason = &ev->name;
		out[0].stack = out[0].event_stack = ev->stack;
		return 1;
	case EV_GO_UNBLOCK:
		transition_set(&out[0], ev, ev->id, GO_WAITING, GO_RUNNABLE);
		out[0].event_stack = ev->stack;
		return 1;
	case EV_GO_SWITCH:
	case EV_GO_SWITCH_DESTROY:
		transition_set(&out[0], ev, ev->id, GO_WAITING, GO_RUNNABLE);
		transition_set(&out[1], ev, ev->g, GO_RUNNING, ev->type == EV_GO_SWITCH ? GO_WAITING : GO_NOT_EXIST);
		transition_set(&out[2], ev, ev->id, GO_RUNNABLE, GO_RUNNING);
		out[1].ts_ns++;
		out[2].ts_ns += 2;
		return 3;
	case EV_GO_DESTROY:
		transition_set(&out[0], ev, ev->g, GO_RUNNING, GO_NOT_EXIST);
		return 1;
	case EV_GO_SYSCALL_BEGIN:
		transition_set(&out[0], ev, ev->g, GO_RUNNING, GO_SYSCALL);
		out[0].stack = out[0].event_stack = ev->stack;
		return 1;
	case EV_GO_SYSCALL_END:
		transition_set(&out[0], ev, ev->g, GO_SYSCALL, GO_RUNNING);
		return 1;
	case EV_GO_SYSCALL_END_BLOCKED:
		transition_set(&out[0], ev, ev->g, GO_SYSCALL, GO_RUNNABLE);
		return 1;
	case EV_GO_DESTROY_SYSCALL:
		transition_set(&out[0], ev, ev->g, GO_SYSCALL, GO_NOT_EXIST);
		out[0].ts_ns += ev->p != EVENT_NO_P; /* its P goes first */
		return 1;
	}
	return 0;
}

#endif
