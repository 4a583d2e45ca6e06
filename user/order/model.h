/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - what a reader of the trace believes about every goroutine, thread and P
 * (trace-format.md, sections 6 and 8).
 *
 * Only data and who-has-what: emit.c changes it, one event at a time, and asserts the reader's
 * rules; repair.c and the record handlers look at it. Pointers are stable. A goroutine lives from
 * its first mention to its destruction; a thread is forgotten when it has neither goroutine nor P
 * at a generation's end; Ps stay.
 */
#ifndef ORDER_MODEL_H
#define ORDER_MODEL_H

#include "base/base.h"
#include "gotrace/record.h"

/* Numbers of the file's status field. */
enum g_state { G_UNBORN = 0, G_RUNNABLE = 1, G_RUNNING = 2, G_SYSCALL = 3, G_WAITING = 4 };
enum p_state { P_RUNNING = 1, P_IDLE = 2, P_SYSCALL = 3 };

struct region {
	uint64_t task;
	char *name;
	uint32_t n;
};

struct g {
	uint64_t goid;
	struct m *m;            /* of a running or syscalling one */
	uint64_t seq;           /* valid if its status was given in this generation */
	uint32_t generation;    /* in which the last status or creation was written */
	uint32_t start_stack;   /* of an unborn one: for its creation */
	uint32_t stack;         /* of an unborn one: creator's; of the snapshot: its own */
	uint8_t state;          /* enum g_state */
	bool in_stw, in_assist;
	/*
	 * of an unborn one: a coroutine, made waiting (header 22 cannot say so, it is born later)
	 */
	bool is_parked;
	VEC(struct region) regions;
};

struct p {
	struct m *m;            /* of a running or syscalling one */
	uint64_t seq;
	uint32_t generation;    /* 0: the file does not know it yet */
	int32_t id;
	uint8_t state;          /* enum p_state */
	bool in_sweep;
};

struct m {
	uint64_t tid;
	struct g *g;
	struct p *p;
	/* of its last event: the least recently used loses its P when one is missing */
	uint64_t last_tick;
	int32_t syscall_p;      /* P and ticket at the begin of the syscall */
	uint32_t syscall_aux;
	bool has_ticket;        /* these two are known */
	/* its goroutine was destroyed by a coroutine switch whose target is not known yet */
	bool is_coro_exit;
};

#define MODEL_M_CACHE 256
/* The runtime's own limit was 1024, then none (runtime/runtime2.go: _MaxGomaxprocs). */
#define MODEL_MAX_P 65536

struct model {
	struct map64 g_of;       /* goid -> g */
	struct g *free_g;
	VEC(struct g *) arena;

	struct map64 m_of;
	VEC(struct m *) threads;
	struct m *recent[MODEL_M_CACHE];
	struct m *last_running;  /* had a running goroutine lately: look here first */

	VEC(struct p *) procs;   /* by id, NULL: never heard of */
	struct map64 open_tasks;
};

void model_free(struct model *md);

struct g *model_g(const struct model *md, uint64_t goid);   /* NULL: not known */
struct g *model_g_at(struct model *md, uint64_t goid);      /* created unborn */
void model_g_del(struct model *md, struct g *g);
/* *pos from 0; no creation or deletion meanwhile */
bool model_g_next(const struct model *md, size_t *pos, struct g **ret);

struct m *model_m_at(struct model *md, uint64_t tid);
void model_drop_threads(struct model *md);

struct p *model_p(const struct model *md, int32_t id);      /* NULL: not known, or not an id */
struct p *model_p_at(struct model *md, int32_t id);         /* created idle; NULL: not an id */

/* A thread that runs a goroutine on a P, or NULL. */
struct m *model_running_m(struct model *md);
/*
 * The P to give to a thread that must have had one: idle, else held in a syscall, else that of
 * the stalest thread.
 */
struct p *model_spare_p(const struct model *md);
/* A thread on which GoCreate is legal: with P, and no goroutine or a running one. NULL: none. */
struct m *model_creating_m(struct model *md, struct m *preferred);

static inline bool m_runs(const struct m *m)
{
	return m->p && m->g && m->g->state == G_RUNNING && m->p->state == P_RUNNING;
}

/* g is on this thread now. */
static inline void m_bind_g(struct m *m, struct g *g, enum g_state state)
{
	g->state = (uint8_t)state;
	g->m = m;
	m->g = g;
}

void g_push_region(struct g *g, uint64_t task, const char *name, uint32_t n);
void g_pop_region(struct g *g);

#endif
