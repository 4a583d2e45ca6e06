/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - see model.h. */
#include "order/model.h"

#include <assert.h>
#include <stdlib.h>

enum { ARENA_G = 256 };

/* ------------------------------------------------------------------ goroutines */

struct g *model_g(const struct model *md, uint64_t goid)
{
	const uint64_t *known = map64_get(&md->g_of, goid);

	return known ? (struct g *)(uintptr_t)*known : NULL;
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
	uint64_t *known = map64_at(&md->g_of, goid);

	if (!*known) {
		struct g *g = take_g(md);

		*g = (struct g){.goid = goid};
		*known = (uintptr_t)g;
	}
	return (struct g *)(uintptr_t)*known;
}

static void free_regions(struct g *g)
{
	while (g->regions.n)
		g_pop_region(g);
	vec_free(&g->regions);
}

void model_g_del(struct model *md, struct g *g)
{
	map64_del(&md->g_of, g->goid);
	free_regions(g);
	g->m = (struct m *)md->free_g;
	md->free_g = g;
}

bool model_g_next(const struct model *md, size_t *pos, struct g **ret)
{
	uint64_t goid, g;

	if (!map64_next(&md->g_of, pos, &goid, &g))
		return false;
	*ret = (struct g *)(uintptr_t)g;
	return true;
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
	vec_free(&md->arena);
	vec_free(&md->threads);
	vec_free(&md->procs);
	map64_free(&md->g_of);
	map64_free(&md->m_of);
	map64_free(&md->open_tasks);
}
