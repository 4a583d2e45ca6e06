/* SPDX-License-Identifier: Apache-2.0 */
/*
 * states.h - what a reader believes of goroutines, Ps and threads, and whether an event can come next.
 *
 * The rules are those of internal/trace/order.go, Go 1.26 (trace-format.md §6, §8 to §11): an event that needs what
 * another thread has not told yet waits; one that contradicts the states ends the trace. Memory: live goroutines, all Ps,
 * threads and open tasks.
 */
#ifndef READ_STATES_H
#define READ_STATES_H

#include "read/pool.h"
#include "read/spec.h"

struct go;
struct proc;

struct thread {
	uint64_t tid;
	uint64_t goid;         /* of the goroutine on it, NO_GOROUTINE */
	struct go *g;          /* its state, if g->id is still goid */
	struct proc *p;        /* NULL: none */
	uint64_t event_g;      /* both as events have them */
	int32_t event_p;
};

#define NO_GOROUTINE UINT64_MAX

struct states {
	struct map64 goroutines, procs, threads, tasks; /* id -> state */
	VEC(struct go *) slabs; /* of goroutines */
	struct go *free_list;
	size_t slab_used;
	VEC(struct proc *) all_procs;
	VEC(struct thread *) all_threads;
	VEC(struct task_state *) all_tasks;
	uint64_t first_generation; /* number of the first that has an event */
	uint64_t gc_seq;
	uint8_t gc;            /* 0 unknown, 1 not running, 2 running */
	uint64_t ended_kind_id; /* of the stop of the world that ended last */
	struct pool *pool;     /* not owned */
};

/* Created on first sight. */
struct thread *states_thread(struct states *s, uint64_t tid);
/*
 * Tries the event (type, args) of thread t, NULL: of no thread, in this generation. 1: the states have taken it and *ev
 * is it, but for its time; 0: it waits; -EBADMSG with a sentence: it cannot be.
 */
int states_advance(struct states *s, struct generation *g, struct thread *t, uint8_t type, const uint64_t *args,
		   struct event *ev, struct why *why);
void states_free(struct states *s);

#endif
