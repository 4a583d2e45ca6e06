/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - see model.h. */
#include "order/model.h"

#include <assert.h>
#include <stdlib.h>

enum { ARENA_G = 256 };

/* ------------------------------------------------------------------ goroutines */

static size_t g_home(const struct model *md, uint64_t goid)
{
	return goid * 0x9e3779b97f4a7c15ull >> 32 & (md->g_cap - 1);
}

static struct g_slot *g_slot(const struct model *md, uint64_t goid)
{
	size_t i = g_home(md, goid);

	while (md->g_slots[i].goid && md->g_slots[i].goid != goid)
		i = (i + 1) & (md->g_cap - 1);
	return &md->g_slots[i];
}

struct g *model_g(const struct model *md, uint64_t goid)
{
	return md->g_cap ? g_slot(md, goid)->g : NULL;
}

static void grow_g(struct model *md)
{
	struct g_slot *old = md->g_slots;
	size_t old_cap = md->g_cap;

	md->g_cap = old_cap ? old_cap * 2 : 1024;
	md->g_slots = xcalloc(md->g_cap, sizeof(*md->g_slots));
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].goid)
			*g_slot(md, old[i].goid) = old[i];
	free(old);
}

/* A free one has its successor in `m`. */
static struct g *take_g(struct model *md)
{
	if (!md->free_g) {
		struct g *chunk = xcalloc(ARENA_G, sizeof(*chunk));

		*vec_push(&md->arena) = chunk;
		for (size_t i = 0; i < ARENA_G; i++) {
			chunk[i].m = (struct m *)md->free_g;
			md->free_g = &chunk[i];
		}
	}
	struct g *g = md->free_g;

	md->free_g = (struct g *)g->m;
	return g;
}

struct g *model_g_at(struct model *md, uint64_t goid)
{
	assert(goid);
	if ((md->n_g + 1) * 2 > md->g_cap)
		grow_g(md);
	struct g_slot *s = g_slot(md, goid);

	if (!s->goid) {
		s->goid = goid;
		s->g = take_g(md);
		*s->g = (struct g){.goid = goid};
		md->n_g++;
	}
	return s->g;
}

static void free_regions(struct g *g)
{
	while (g->regions.n)
		g_pop_region(g);
	vec_free(&g->regions);
}

/*
 * Closes the gap, so that no search needs tombstones: what follows moves up unless it would leave
 * its home.
 */
static void remove_slot(struct model *md, size_t hole)
{
	size_t mask = md->g_cap - 1;

	for (size_t i = (hole + 1) & mask; md->g_slots[i].goid; i = (i + 1) & mask) {
		size_t home = g_home(md, md->g_slots[i].goid);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		md->g_slots[hole] = md->g_slots[i];
		hole = i;
	}
	md->g_slots[hole] = (struct g_slot){0};
}

void model_g_del(struct model *md, struct g *g)
{
	remove_slot(md, (size_t)(g_slot(md, g->goid) - md->g_slots));
	md->n_g--;
	free_regions(g);
	g->m = (struct m *)md->free_g;
	md->free_g = g;
}

bool model_g_next(const struct model *md, size_t *pos, struct g **ret)
{
	for (; *pos < md->g_cap; (*pos)++)
		if (md->g_slots[*pos].goid) {
			*ret = md->g_slots[(*pos)++].g;
			return true;
		}
	return false;
}

void g_push_region(struct g *g, uint64_t task, const char *name, uint32_t n)
{
	*vec_push(&g->regions) = (struct region){.task = task, .name = xmemdup(name, n), .n = n};
}

void g_pop_region(struct g *g)
{
	free(g->regions.v[--g->regions.n].name);
}

/* ------------------------------------------------------------------ threads */

struct m *model_m_at(struct model *md, uint64_t tid)
{
	struct m **recent = &md->recent[tid % MODEL_M_CACHE];

	if (*recent && (*recent)->tid == tid)
		return *recent;
	uint64_t *known = map64_at(&md->m_of, tid);

	if (!*known) {
		struct m *m = xcalloc(1, sizeof(*m));

		m->tid = tid;
		*vec_push(&md->threads) = m;
		*known = (uintptr_t)m;
	}
	return *recent = (struct m *)(uintptr_t)*known;
}

void model_drop_threads(struct model *md)
{
	size_t kept = 0;

	memset(md->recent, 0, sizeof(md->recent));
	md->last_running = NULL;
	for (size_t i = 0; i < md->threads.n; i++) {
		struct m *m = md->threads.v[i];

		if (m->g || m->p) {
			md->threads.v[kept++] = m;
			continue;
		}
		map64_del(&md->m_of, m->tid);
		free(m);
	}
	md->threads.n = kept;
}

struct m *model_running_m(struct model *md)
{
	if (md->last_running && m_runs(md->last_running))
		return md->last_running;
	for (size_t i = 0; i < md->procs.n; i++) {
		struct p *p = md->procs.v[i];

		if (p && p->m && m_runs(p->m))
			return md->last_running = p->m;
	}
	return NULL;
}

struct m *model_creating_m(struct model *md, struct m *preferred)
{
	if (preferred && preferred->p && (!preferred->g || m_runs(preferred)))
		return preferred;
	struct m *running = model_running_m(md);

	if (running)
		return running;
	for (size_t i = 0; i < md->procs.n; i++) {
		struct p *p = md->procs.v[i];

		if (p && p->m && !p->m->g && p->state == P_RUNNING)
			return p->m;
	}
	return NULL;
}

/* ------------------------------------------------------------------ Ps */

struct p *model_p(const struct model *md, int32_t id)
{
	return id >= 0 && (size_t)id < md->procs.n ? md->procs.v[id] : NULL;
}

struct p *model_p_at(struct model *md, int32_t id)
{
	if (id < 0 || id >= MODEL_MAX_P)
		return NULL;
	while (md->procs.n <= (size_t)id)
		*vec_push(&md->procs) = NULL;
	if (!md->procs.v[id]) {
		struct p *p = xcalloc(1, sizeof(*p));

		p->id = id;
		p->state = P_IDLE;
		md->procs.v[id] = p;
	}
	return md->procs.v[id];
}

static bool is_better_spare(const struct p *a, const struct p *b)
{
	static const uint8_t rank[] = {[P_IDLE] = 0, [P_SYSCALL] = 1, [P_RUNNING] = 2};

	if (!b || rank[a->state] != rank[b->state])
		return !b || rank[a->state] < rank[b->state];
	return a->m && a->m->last_tick < b->m->last_tick;
}

struct p *model_spare_p(const struct model *md)
{
	struct p *best = NULL;

	for (size_t i = 0; i < md->procs.n; i++) {
		struct p *p = md->procs.v[i];

		if (p && p->generation && is_better_spare(p, best))
			best = p;
	}
	return best;
}

void model_free(struct model *md)
{
	struct g *g;

	for (size_t pos = 0; model_g_next(md, &pos, &g);)
		free_regions(g);
	for (size_t i = 0; i < md->arena.n; i++)
		free(md->arena.v[i]);
	for (size_t i = 0; i < md->threads.n; i++)
		free(md->threads.v[i]);
	for (size_t i = 0; i < md->procs.n; i++)
		free(md->procs.v[i]);
	free(md->g_slots);
	vec_free(&md->arena);
	vec_free(&md->threads);
	vec_free(&md->procs);
	map64_free(&md->m_of);
	map64_free(&md->open_tasks);
}
