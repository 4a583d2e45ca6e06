/* SPDX-License-Identifier: Apache-2.0 */
/* repair.c - see repair.h. */
#include "order/repair.h"

#include <assert.h>

/*
 * The reason of an inserted stop or block: the empty one shows as "Block time ()" and does not
 * claim what nobody saw (trace-format.md, section 13).
 */
static const struct str no_reason = {"", 0};

/*
 * A thread that no kernel has (PID_MAX_LIMIT is 2^22): goroutines are born on it when no thread
 * has a P.
 */
#define HELPER_TID ((1ull << 22) + 1)

/* Rule (b) of atlas 2.3: who leaves a syscall without its P lost it earlier. */
static void stop_stolen_p(struct emit *e, struct m *m)
{
	if (!m->p || m->p->state != P_SYSCALL)
		return;
	e->counts.steals++;
	emit_proc_stop(e, m);
}

static void end_syscall_blocked(struct emit *e, struct m *m)
{
	stop_stolen_p(e, m);
	emit_syscall_end_blocked(fix(e), m);
}

void drive_thread_free(struct emit *e, struct m *m)
{
	if (!m->g)
		return;
	if (m->g->state == G_SYSCALL)
		end_syscall_blocked(e, m);
	else
		emit_go_stop(fix(e), m, no_reason, 0);
}

void drive_p_away(struct emit *e, struct m *m)
{
	if (m->p && m->p->state == P_SYSCALL)
		stop_stolen_p(e, m);
	else if (m->p)
		emit_proc_stop(fix(e), m);
}

static void take_from_its_thread(struct emit *e, struct m *m, struct p *p)
{
	struct m *owner = p->m;

	if (!owner)
		return;
	if (p->state == P_SYSCALL) {
		emit_proc_steal(e, m, p);
		return;
	}
	if (owner->g && owner->g->state == G_RUNNING)
		emit_go_stop(fix(e), owner, no_reason, 0);
	emit_proc_stop(fix(e), owner);
}

void drive_p(struct emit *e, struct m *m, struct p *p, bool is_told)
{
	if (m->p == p && p->state == P_RUNNING)
		return;
	if (m->g && m->g->state == G_RUNNING)
		emit_go_stop(fix(e), m, no_reason, 0);
	drive_p_away(e, m);
	take_from_its_thread(e, m, p);
	if (!is_told)
		fix(e);
	emit_proc_start(e, m, p);
}

bool drive_some_p(struct emit *e, struct m *m, int32_t id, bool is_told)
{
	struct p *p = emit_know_p(e, id);

	if (!p && m->p && m->p->state == P_RUNNING)
		return true;
	if (!p)
		p = model_spare_p(&e->model);
	if (p)
		drive_p(e, m, p, is_told);
	return p;
}

/* A goroutine that nobody told about. */
static void create_unknown(struct emit *e, struct m *m, struct g *g, enum g_state state)
{
	bool is_first = e->is_open ? e->generation == 1 : !e->generation;

	if (is_first) { /* the snapshot missed it: it may still be declared */
		emit_go_status(e, g, state);
		return;
	}
	struct m *creator = model_creating_m(&e->model, m);

	if (creator) {
		emit_go_create(fix(e), creator, g, state);
	} else {
		struct m *helper = model_m_at(&e->model, HELPER_TID);

		emit_go_create_syscall(fix(e), helper, g);
		emit_syscall_end_blocked(fix(e), helper);
	}
}

bool drive_runnable(struct emit *e, struct m *m, struct g *g)
{
	switch ((enum g_state)g->state) {
	case G_UNBORN:
		create_unknown(e, m, g, G_RUNNABLE);
		break;
	case G_RUNNABLE:
		break;
	case G_RUNNING:
		emit_go_stop(fix(e), g->m, no_reason, 0);
		break;
	case G_SYSCALL:
		end_syscall_blocked(e, g->m);
		break;
	case G_WAITING:
		emit_go_unblock(fix(e), m, g, 0);
		break;
	}
	return g->state == G_RUNNABLE;
}

bool drive_waiting(struct emit *e, struct m *m, struct g *g)
{
	switch ((enum g_state)g->state) {
	case G_UNBORN:
		create_unknown(e, m, g, G_WAITING);
		break;
	case G_RUNNABLE:
	case G_WAITING:
		break;
	case G_RUNNING:
		emit_go_block(fix(e), g->m, no_reason, 0, WAIT_NOTHING, 0);
		break;
	case G_SYSCALL:
		end_syscall_blocked(e, g->m);
		break;
	}
	return g->state == G_WAITING;
}

static bool is_running_on(const struct g *g, const struct m *m, int32_t p)
{
	return g->m == m && g->state == G_RUNNING && (p < 0 || m->p->id == p);
}

/* The end of the syscall was lost, the goroutine kept its P. */
static bool ended_syscall(struct emit *e, struct m *m, struct g *g, int32_t p)
{
	if (g->m != m || g->state != G_SYSCALL || !m->p || m->p->state != P_SYSCALL ||
	    (p >= 0 && m->p->id != p))
		return false;
	emit_syscall_end(fix(e), m);
	return true;
}

bool drive_running(struct emit *e, struct m *m, struct g *g, int32_t p)
{
	if (is_running_on(g, m, p) || ended_syscall(e, m, g, p))
		return true;
	drive_thread_free(e, m);
	if (!drive_some_p(e, m, p, false))
		return false;
	/* Finding a P may have stopped g elsewhere: its state is looked at only now. */
	if (!drive_runnable(e, m, g))
		return false;
	emit_go_start(fix(e), m, g);
	return true;
}
