/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit.h - one event: allowed by the model, stamped, written, and the model moved on.
 *
 * Every emit_* function asserts the reader's rule for its event (trace-format.md, section 8): to
 * make the rule true is the caller's business (repair.h). So a file is valid by construction. A
 * generation opens with the first event after a cut, with the statuses of all Ps and of the
 * goroutines on threads; any other goroutine gets its status just before its first numbered event,
 * as in the runtime itself. In the first generation all goroutines are written.
 */
#ifndef ORDER_EMIT_H
#define ORDER_EMIT_H

#include "order/model.h"
#include "order/order.h"
#include "trace/extra.h"

struct emit {
	struct model model;
	struct order_config cfg;
	struct order_counts counts;
	/* of the record at hand: events get this time or the next free tick */
	uint64_t now_ns;
	uint64_t last_tick;
	unsigned tick_shift;        /* the writer's */
	uint64_t begin_ns;       /* of the open generation */
	uint32_t generation;     /* number of the open or the last one */
	bool is_open;
	bool is_repair;          /* the next event is one: see fix() */
	bool procs_due;          /* this generation still lacks a ProcsChange */
	/* a GC was on when the trace began: the first generation says so */
	bool gc_due;
	bool gc_running;
	uint64_t gc_seq;
	/* Metrics that found no thread with a P (an idle target): written when one takes a P. */
	struct { uint64_t value; bool is_due; } heap_alloc, heap_goal;
	int64_t gomaxprocs;      /* at least every P id + 1 */
	unsigned open_stws;
	struct wait_coder waits;
};

void emit_init(struct emit *e, const struct order_config *cfg);
void emit_free(struct emit *e);
/*
 * Opens a generation unless one is open: done by every event, asked for only to have the statuses
 * of an idle target.
 */
void emit_open(struct emit *e);
/* Ends the open generation, if any. 0 or -errno of the output. */
int emit_cut(struct emit *e);

/* emit_go_stop(fix(e), ...): the event is inserted because a record was lost or late. */
static inline struct emit *fix(struct emit *e)
{
	e->is_repair = true;
	return e;
}

/* The P of this id, made known to the file if need be; NULL if it is no id. */
struct p *emit_know_p(struct emit *e, int32_t id);
void emit_proc_start(struct emit *e, struct m *m, struct p *p);
void emit_proc_stop(struct emit *e, struct m *m);
/* from the thread in a syscall that has it */
void emit_proc_steal(struct emit *e, struct m *m, struct p *p);
void emit_procs_change(struct emit *e, struct m *m, uint32_t stack);

/* first generation: an unborn one waits or is runnable */
void emit_go_status(struct emit *e, struct g *g, enum g_state state);
/* Runnable or waiting; header 22 has no waiting one: it is runnable then. Its stacks are those in g. */
void emit_go_create(struct emit *e, struct m *m, struct g *g, enum g_state state);
void emit_go_create_syscall(struct emit *e, struct m *m, struct g *g);
void emit_go_start(struct emit *e, struct m *m, struct g *g);
void emit_go_block(struct emit *e, struct m *m, struct str reason, uint32_t stack,
		   uint8_t wait_kind, uint64_t object);
void emit_go_stop(struct emit *e, struct m *m, struct str reason, uint32_t stack);
void emit_go_destroy(struct emit *e, struct m *m);
void emit_go_destroy_syscall(struct emit *e, struct m *m);  /* the thread must not have a P */
/* m NULL: no thread */
void emit_go_unblock(struct emit *e, struct m *m, struct g *g, uint32_t stack);
void emit_go_switch(struct emit *e, struct m *m, struct g *g, bool is_destroyed); /* header 23 */
void emit_syscall_begin(struct emit *e, struct m *m, uint32_t stack);
void emit_syscall_end(struct emit *e, struct m *m);
/* its P must not be in the syscall any more */
void emit_syscall_end_blocked(struct emit *e, struct m *m);

void emit_label(struct emit *e, struct m *m, struct str label);
void emit_stw_begin(struct emit *e, struct m *m, struct str kind, uint32_t stack);
void emit_stw_end(struct emit *e, struct m *m);
void emit_gc_begin(struct emit *e, struct m *m, uint32_t stack);
void emit_gc_end(struct emit *e, struct m *m);
void emit_assist_begin(struct emit *e, struct m *m, uint32_t stack);
void emit_assist_end(struct emit *e, struct m *m);
void emit_sweep_begin(struct emit *e, struct m *m, uint32_t stack);
void emit_sweep_end(struct emit *e, struct m *m, uint64_t swept, uint64_t reclaimed);

/* Events that the model does not follow: ev has type and arguments, the rest is filled in. */
void emit_plain(struct emit *e, struct m *m, struct event ev);
void emit_sample(struct emit *e, uint64_t tid, int64_t p, uint64_t goid, uint32_t stack);

#endif
