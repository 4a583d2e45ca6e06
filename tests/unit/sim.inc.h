/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.inc.h - the body of sim.h, included by its one user: the rule of the Makefile links a test
 * from a single file.
 */
#include "sim.h"

#include <stdlib.h>

uint64_t sim_random(struct sim *s, uint64_t n)
{
	s->seed += 0x9e3779b97f4a7c15ull;
	return hash_u64(s->seed) % n;
}

static bool chance(struct sim *s, int percent)
{
	return (int)sim_random(s, 100) < percent;
}

/* ------------------------------------------------------------------ records */

static void tell(struct sim *s, struct record r)
{
	s->now += 20 + sim_random(s, 500);
	if (!s->is_armed)
		return;
	r.ts_ns = s->now;
	*vec_push(&s->records) = r;
}

static void count(struct sim *s, enum sim_count c)
{
	s->counts[c] += s->is_armed;
}

/* A record of the thread's goroutine; the P is not always looked at. */
static struct record of(struct sim *s, struct sim_m *m, uint8_t type)
{
	return (struct record){
		.type = type, .tid = m->tid, .goid = m->g ? m->g->goid : 0,
		.p = m->p && chance(s, 70) ? m->p->id : RECORD_NO_P,
		.stack = s->n_stacks ? (uint32_t)sim_random(s, s->n_stacks + 1) : 0,
		.skip = (uint8_t)sim_random(s, 3),
	};
}

/* ------------------------------------------------------------------ what there is */

static struct sim_g *new_g(struct sim *s, enum sim_state state)
{
	struct sim_g *g = xcalloc(1, sizeof(*g));

	g->goid = s->next_goid++;
	g->state = state;
	g->is_told = s->is_armed;
	*vec_push(&s->g) = g;
	return g;
}

static void delete_g(struct sim *s, struct sim_g *g)
{
	for (size_t i = 0; i < s->g.n; i++)
		if (s->g.v[i]->resumer == g)
			s->g.v[i]->resumer = NULL;
	for (size_t i = 0; i < s->g.n; i++)
		if (s->g.v[i] == g) {
			s->g.v[i] = s->g.v[--s->g.n];
			break;
		}
	free(g);
}

static struct sim_g *any_g(struct sim *s, enum sim_state state)
{
	size_t n = s->g.n, from = n ? sim_random(s, n) : 0;

	for (size_t i = 0; i < n; i++) {
		struct sim_g *g = s->g.v[(from + i) % n];

		if (g->state == state)
			return g;
	}
	return NULL;
}

static struct sim_p *idle_p(struct sim *s)
{
	size_t n = s->p.n, from = sim_random(s, n);

	for (size_t i = 0; i < n; i++)
		if (!s->p.v[(from + i) % n]->m)
			return s->p.v[(from + i) % n];
	return NULL;
}

static bool is_in_syscall(const struct sim_p *p)
{
	return p->m && p->m->g && p->m->g->state == S_SYSCALL && p->m->syscall_p == p;
}

static struct sim_p *syscall_p(struct sim *s)
{
	size_t n = s->p.n, from = sim_random(s, n);

	for (size_t i = 0; i < n; i++)
		if (is_in_syscall(s->p.v[(from + i) % n]))
			return s->p.v[(from + i) % n];
	return NULL;
}

static void take_g(struct sim_m *m, struct sim_g *g, enum sim_state state)
{
	g->state = state;
	g->m = m;
	m->g = g;
}

static void leave_g(struct sim_m *m, enum sim_state state)
{
	m->g->state = state;
	m->g->m = NULL;
	m->g = NULL;
}

/* Nobody tells. */
static void lose_p(struct sim_p *p)
{
	p->ticket++;
	p->m->p = NULL;
	p->m = NULL;
}

static void proc_start(struct sim *s, struct sim_m *m, struct sim_p *p)
{
	struct record r = of(s, m, REC_PROC_START);

	r.p = p->id;
	tell(s, r);
	if (p->m)
		lose_p(p);
	p->m = m;
	m->p = p;
}

static void proc_stop(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_PROC_STOP);

	r.p = m->p->id;
	tell(s, r);
	m->p->m = NULL;
	m->p = NULL;
}

/* ---------------------------------------------------------------- what a running goroutine does */

static void do_block(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_GO_BLOCK);

	if (m->g == s->stw || m->g->is_coroutine || m->g->is_c)
		return;
	r.reason = (uint8_t)sim_random(s, 17);
	r.wait_kind = (uint8_t)sim_random(s, 5);
	r.object = r.wait_kind ? 0xc000000000 + sim_random(s, 50) * 64 : 0;
	tell(s, r);
	count(s, N_BLOCK);
	if (s->is_armed)
		*vec_push(&s->waits) = (struct sim_wait){r.wait_kind, r.object};
	leave_g(m, S_WAITING);
}

static void do_stop(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_GO_STOP);

	if (m->g == s->stw || m->g->is_c)
		return;
	r.reason = (uint8_t)sim_random(s, 3);
	tell(s, r);
	count(s, N_STOP);
	leave_g(m, S_RUNNABLE);
}

static void do_create(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_GO_CREATE);

	if (s->g.n > 200)
		return;
	struct sim_g *g = new_g(s, S_RUNNABLE);

	g->is_worker = chance(s, 5);
	r.goid = g->goid;
	r.creator = m->g->goid;
	r.arg = 0x1000 * (3 + sim_random(s, 50));
	tell(s, r);
	count(s, N_CREATE);
}

static void do_create_coroutine(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_GO_CREATE_BLOCKED);

	if (!s->with_coroutines || s->g.n > 200)
		return;
	struct sim_g *g = new_g(s, S_PARKED);

	g->is_coroutine = true;
	g->is_told = chance(s, 60); /* else Go 1.23 */
	r.goid = g->goid;
	r.creator = m->g->goid;
	r.arg = 0x5000;
	if (!g->is_told)
		return;
	tell(s, r);
	count(s, N_CREATE_PARKED);
}

static void do_unblock(struct sim *s, struct sim_m *m)
{
	struct sim_g *g = any_g(s, S_WAITING);
	struct record r = of(s, m, REC_GO_UNBLOCK);

	if (!g)
		return;
	r.goid = g->goid;
	tell(s, r);
	count(s, N_UNBLOCK);
	g->state = S_RUNNABLE;
}

static void end_regions(struct sim *s, struct sim_m *m);

static void do_destroy(struct sim *s, struct sim_m *m)
{
	if (m->g == s->stw || m->g->is_c || m->g->in_assist || m->g->is_coroutine || s->g.n < 20)
		return;
	end_regions(s, m);
	tell(s, of(s, m, REC_GO_DESTROY));
	count(s, N_DESTROY);
	struct sim_g *g = m->g;

	leave_g(m, S_WAITING);
	delete_g(s, g);
}

static void switch_to(struct sim *s, struct sim_m *m, struct sim_g *to)
{
	struct record r = of(s, m, REC_GO_SWITCH);

	r.goid = to->goid;
	tell(s, r);
	if (!to->is_told)
		count(s, N_CREATE_PARKED);
	to->is_told = true;
	count(s, N_UNBLOCK);
	count(s, N_START);
}

static void do_switch(struct sim *s, struct sim_m *m)
{
	struct sim_g *from = m->g, *to = from->is_coroutine ? from->resumer : any_g(s, S_PARKED);

	if (!s->with_coroutines || !to || from == s->stw || from->is_c || from->in_assist ||
	    !to->goid)
		return;
	if (from->is_coroutine) {
		from->resumer = NULL;
		if (chance(s, 30)) { /* it ends */
			struct record r = of(s, m, REC_GO_DESTROY);

			end_regions(s, m);
			r.flags = REC_F_CORO_EXIT;
			tell(s, r);
			switch_to(s, m, to);
			count(s, N_DESTROY);
			leave_g(m, S_WAITING);
			delete_g(s, from);
			take_g(m, to, S_RUNNING);
			return;
		}
	} else {
		if (!to->is_coroutine)
			return;
		to->resumer = from;
	}
	switch_to(s, m, to);
	count(s, N_BLOCK);
	leave_g(m, S_PARKED);
	take_g(m, to, S_RUNNING);
}

static void do_syscall(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_SYSCALL_BEGIN);

	if (m->p->in_sweep)
		return;
	r.p = m->p->id;
	r.aux = m->p->ticket;
	tell(s, r);
	count(s, N_SYSCALL);
	m->syscall_p = m->p;
	m->ticket = m->p->ticket;
	m->begin_recorded = s->is_armed;
	m->g->state = S_SYSCALL;
	if (chance(s, 10)) /* entersyscallblock */
		proc_stop(s, m);
}

static void do_sweep(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, m->p->in_sweep ? REC_SWEEP_END : REC_SWEEP_BEGIN);

	if (!s->with_ranges)
		return;
	r.arg = 8192;
	tell(s, r);
	m->p->in_sweep = !m->p->in_sweep;
}

static void do_assist(struct sim *s, struct sim_m *m)
{
	if (!s->with_ranges || m->g->is_coroutine)
		return;
	tell(s, of(s, m, m->g->in_assist ? REC_ASSIST_END : REC_ASSIST_BEGIN));
	m->g->in_assist = !m->g->in_assist;
}

static void do_stw(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_STW_BEGIN);

	if (!s->with_ranges || m->g->is_coroutine || m->g->is_c || (s->stw && s->stw != m->g))
		return;
	r.reason = (uint8_t)sim_random(s, 17);
	r.type = s->stw ? REC_STW_END : REC_STW_BEGIN;
	tell(s, r);
	s->stw = s->stw ? NULL : m->g;
}

static void do_gc(struct sim *s, struct sim_m *m)
{
	tell(s, of(s, m, s->gc_running ? REC_GC_END : REC_GC_BEGIN));
	s->gc_running = !s->gc_running;
}

static void do_metrics(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_HEAP_ALLOC);

	r.arg = 1000000 + sim_random(s, 1000000);
	if (chance(s, 50)) {
		r.tid = 0;
		r.p = RECORD_NO_P;
	}
	tell(s, r);
	r.type = REC_HEAP_GOAL;
	tell(s, r);
	if (!chance(s, 10))
		return;
	r = of(s, m, REC_PROCS_CHANGE);
	r.arg = s->p.n;
	tell(s, r);
}

static const char *const region_names[] = {"parse", "lookup", "render", ""};

static void tell_text(struct sim *s, struct sim_m *m, uint8_t type, uint64_t task, const char *text)
{
	struct record r = of(s, m, type);

	r.arg = task;
	r.text = text;
	r.text_len = (uint16_t)strlen(text);
	tell(s, r);
}

static void end_region(struct sim *s, struct sim_m *m)
{
	tell_text(s, m, REC_REGION_END, 0, region_names[m->g->region_name[--m->g->regions]]);
	s->regions += s->is_armed;
}

static void end_regions(struct sim *s, struct sim_m *m)
{
	while (m->g->regions)
		end_region(s, m);
}

static void do_region(struct sim *s, struct sim_m *m)
{
	struct sim_g *g = m->g;

	if (!s->with_ranges || g->is_c)
		return;
	if (g->regions && chance(s, 50)) {
		end_region(s, m);
		return;
	}
	if (g->regions == 8)
		return;
	g->region_name[g->regions] = (int)sim_random(s, 4);
	tell_text(s, m, REC_REGION_BEGIN, 0, region_names[g->region_name[g->regions++]]);
	s->regions += s->is_armed;
}

static void do_task(struct sim *s, struct sim_m *m)
{
	s->tasks += s->is_armed;
	if (s->open_tasks.n && chance(s, 50)) {
		tell_text(s, m, REC_TASK_END, s->open_tasks.v[--s->open_tasks.n], "");
		return;
	}
	*vec_push(&s->open_tasks) = s->next_task;
	tell_text(s, m, REC_TASK_BEGIN, s->next_task++, "request");
}

static void do_log(struct sim *s, struct sim_m *m)
{
	static const char text[] = "key\0value of it";
	struct record r = of(s, m, REC_LOG);

	r.text = text;
	r.text_len = sizeof(text) - 1;
	r.key_len = 3;
	tell(s, r);
	s->logs += s->is_armed;
}

static void do_sample(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_CPU_SAMPLE);

	tell(s, r);
}

/* A C thread's goroutine goes back to C for good. */
static void do_c_return(struct sim *s, struct sim_m *m)
{
	if (!m->g->is_c || m->g->in_assist || m->g == s->stw)
		return;
	do_syscall(s, m);
	if (m->g->state != S_SYSCALL)
		return;
	tell(s, of(s, m, REC_CGO_RETURN));
	count(s, N_DESTROY_SYSCALL);
	struct sim_g *g = m->g;

	leave_g(m, S_WAITING);
	delete_g(s, g);
	if (m->p)
		lose_p(m->p);
}

static void running_step(struct sim *s, struct sim_m *m)
{
	static void (*const deeds[])(struct sim *, struct sim_m *) = {
		do_block, do_block, do_block, do_block, do_unblock, do_unblock, do_unblock,
		do_unblock, do_stop, do_create, do_create, do_destroy, do_syscall, do_syscall,
		do_syscall, do_switch, do_switch, do_switch, do_create_coroutine, do_sweep,
		do_assist, do_assist, do_stw, do_stw, do_gc, do_metrics, do_region, do_region,
		do_task, do_log, do_sample, do_c_return,
	};

	if (m->g == s->stw && chance(s, 40))
		do_stw(s, m); /* does not last */
	else
		deeds[sim_random(s, ARRAY_SIZE(deeds))](s, m);
}

/* ------------------------------------------------------------------ what threads do */

static void finish_syscall(struct sim *s, struct sim_m *m, struct record r, enum sim_count how)
{
	tell(s, r);
	count(s, how);
	if (how == N_SYSCALL_LOST)
		count(s, N_START);
	m->g->state = S_RUNNING;
	m->syscall_p = NULL;
}

static void end_syscall(struct sim *s, struct sim_m *m)
{
	struct record r = of(s, m, REC_SYSCALL_END);

	if (m->p && m->p == m->syscall_p && m->p->ticket == m->ticket) {
		r.aux = m->ticket;
		finish_syscall(s, m, r, N_SYSCALL_END);
		return;
	}
	struct sim_p *p = idle_p(s);

	/* Its old P again, of a begin that nobody saw: order cannot know that it was away. */
	if (p && p == m->syscall_p && !m->begin_recorded)
		return;
	if (p) {
		proc_start(s, m, p);
		r.p = p->id;
		r.aux = p->ticket;
		finish_syscall(s, m, r, N_SYSCALL_LOST);
	} else if (!m->g->is_c) {
		r.type = REC_SYSCALL_END_NO_P;
		r.p = RECORD_NO_P;
		tell(s, r);
		count(s, N_SYSCALL_LOST);
		leave_g(m, S_RUNNABLE);
		m->syscall_p = NULL;
	}
}

static void syscall_step(struct sim *s, struct sim_m *m)
{
	if (chance(s, 10) && m->p && is_in_syscall(m->p))
		lose_p(m->p); /* the monitor's work */
	else if (chance(s, 50))
		end_syscall(s, m);
}

static void c_callback(struct sim *s, struct sim_m *m)
{
	struct sim_g *g = new_g(s, S_SYSCALL);
	struct record r = of(s, m, REC_CGO_CALLBACK);

	g->is_c = true;
	r.goid = g->goid;
	r.p = RECORD_NO_P;
	tell(s, r);
	count(s, N_CREATE_SYSCALL);
	take_g(m, g, S_SYSCALL);
	m->syscall_p = NULL;
	m->begin_recorded = true;
}

static void find_p(struct sim *s, struct sim_m *m)
{
	struct sim_p *p = chance(s, 30) ? syscall_p(s) : idle_p(s);

	if (p && !m->is_c)
		proc_start(s, m, p);
}

static void netpoll(struct sim *s, struct sim_m *m)
{
	struct sim_g *g = any_g(s, S_WAITING);

	if (!g)
		return;
	tell(s, (struct record){.type = REC_GO_UNBLOCK, .tid = chance(s, 50) ? m->tid : 0,
		.goid = g->goid, .p = RECORD_NO_P});
	count(s, N_UNBLOCK);
	g->state = S_RUNNABLE;
}

static void idle_step(struct sim *s, struct sim_m *m)
{
	struct sim_g *g = any_g(s, S_RUNNABLE);

	if (m->is_c && !m->p) {
		if (chance(s, 20))
			c_callback(s, m);
	} else if (!m->p) {
		if (chance(s, 50))
			find_p(s, m);
		else if (chance(s, 10))
			netpoll(s, m);
	} else if (g && !g->is_c && chance(s, 90)) {
		struct record r = of(s, m, REC_GO_START);

		r.goid = g->goid;
		r.reason = g->is_worker ? (uint8_t)(1 + sim_random(s, 3)) : 0;
		tell(s, r);
		count(s, N_START);
		take_g(m, g, S_RUNNING);
	} else if (!m->p->in_sweep) {
		proc_stop(s, m);
	}
}

static void step(struct sim *s)
{
	struct sim_m *m = s->m.v[sim_random(s, s->m.n)];

	s->now += sim_random(s, 2000);
	if (m->g && m->g->state == S_RUNNING)
		running_step(s, m);
	else if (m->g)
		syscall_step(s, m);
	else
		idle_step(s, m);
}

/* ------------------------------------------------------------------ life */

void sim_init(struct sim *s, uint64_t seed, bool with_coroutines, int n_p, int n_m, int n_g)
{
	*s = (struct sim){.seed = seed, .now = 5000000000 + seed * 1000, .next_goid = 1,
		.next_task = 1};
	s->n_stacks = 64;
	for (int i = 0; i < n_p; i++) {
		*vec_push(&s->p) = xcalloc(1, sizeof(struct sim_p));
		s->p.v[i]->id = i;
	}
	for (int i = 0; i < n_m; i++) {
		*vec_push(&s->m) = xcalloc(1, sizeof(struct sim_m));
		s->m.v[i]->tid = 1000 + (uint32_t)i;
		s->m.v[i]->is_c = i % 7 == 6;
	}
	for (int i = 0; i < n_g; i++)
		new_g(s, i % 3 ? S_WAITING : S_RUNNABLE);
	s->with_coroutines = with_coroutines;
}

void sim_free(struct sim *s)
{
	for (size_t i = 0; i < s->g.n; i++)
		free(s->g.v[i]);
	for (size_t i = 0; i < s->m.n; i++)
		free(s->m.v[i]);
	for (size_t i = 0; i < s->p.n; i++)
		free(s->p.v[i]);
	vec_free(&s->g);
	vec_free(&s->m);
	vec_free(&s->p);
	vec_free(&s->open_tasks);
	vec_free(&s->records);
	vec_free(&s->waits);
	vec_free(&s->snap_g);
	vec_free(&s->snap_p);
}

static void read_g(struct sim *s, struct sim_g *g)
{
	g->is_told = true;
	*vec_push(&s->snap_g) = (struct snapshot_g){
		.goid = g->goid, .state = g->state == S_PARKED ? GO_WAITING : (uint8_t)g->state,
		.start_pc = 0x7000,
		.tid = g->m ? g->m->tid : 0, .stack = (uint32_t)sim_random(s, s->n_stacks + 1),
		.reason = (uint8_t)sim_random(s, 17), .wait_reason = (uint8_t)sim_random(s, 40),
	};
}

static bool is_read(const struct sim *s, uint64_t goid)
{
	for (size_t i = 0; i < s->snap_g.n; i++)
		if (s->snap_g.v[i].goid == goid)
			return true;
	return false;
}

/* Reads some goroutines, or a P, and lets the world run on. */
static void read_some(struct sim *s, int left)
{
	size_t want = s->g.n / (size_t)(left + 1) + 1;

	for (size_t i = 0; i < s->g.n && want; i++)
		if (!is_read(s, s->g.v[i]->goid)) {
			read_g(s, s->g.v[i]);
			want--;
		}
	if (s->snap_p.n < s->p.n && (chance(s, 20) || left < (int)s->p.n)) {
		struct sim_p *p = s->p.v[s->snap_p.n];

		*vec_push(&s->snap_p) = (struct snapshot_p){.id = p->id, .tid = p->m ? p->m->tid :
			0};
	}
}

static void take_snapshot(struct sim *s, int steps)
{
	s->snap.begin_ns = s->now;
	for (; steps >= 0 || s->snap_p.n < s->p.n; steps--) {
		step(s);
		read_some(s, steps);
	}
	s->snap.end_ns = s->now;
	s->snap.gc_running = s->gc_running;
	s->snap.g = s->snap_g.v;
	s->snap.n_g = (uint32_t)s->snap_g.n;
	s->snap.p = s->snap_p.v;
	s->snap.n_p = (uint32_t)s->snap_p.n;
}

void sim_run(struct sim *s, int before, int during, int after)
{
	bool with_coroutines = s->with_coroutines;

	for (int i = 0; i < before; i++)
		step(s);
	/*
	 * Who switched is known only if something told it before; ranges are closed at the
	 * beginning.
	 */
	s->with_coroutines = false;
	s->is_armed = true;
	for (int i = 0; i < during; i++)
		step(s);
	take_snapshot(s, during);
	uint64_t quiet = s->now + 2000000; /* nothing new while records are held back */

	while (s->now < quiet)
		step(s);
	s->with_coroutines = with_coroutines;
	s->with_ranges = true;
	for (int i = 0; i < after; i++)
		step(s);
}
