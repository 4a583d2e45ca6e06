/* SPDX-License-Identifier: Apache-2.0 */
/* utilization.c - see utilization.h. */
#include "analyze/utilization.h"

#include <stdlib.h>

enum { PROCS_MAX = 1 << 16, BANDS_MAX = 1000 };

/* Utilization from time_ns on. */
struct change {
	uint64_t time_ns;
	double utilization;
};

struct series { /* of changes; the last one, with utilization 0, is its end */
	VEC(struct change) list;
	bool is_over; /* its P is gone */
	/* as it was at the last sync */
	size_t synced_n;
	struct change synced_last;
	bool synced_over;
};

struct lost_proc {
	int64_t gc; /* > 0: lost for the program */
	size_t series;
};

struct procs_change {
	uint64_t time_ns, n;
};

struct utilization {
	bool per_proc;
	uint64_t n_procs;            /* GOMAXPROCS */
	VEC(struct lost_proc) procs; /* those with an event, but PER_PROC: all; at most PROCS_MAX */
	uint64_t lost_procs;         /* with gc > 0 */
	int64_t stops;
	VEC(struct series) series;
	VEC(struct procs_change) procs_changes;
	uint64_t synced_procs; /* n_procs at the last sync */
};

struct utilization *utilization_new(bool per_proc)
{
	struct utilization *u = xcalloc(1, sizeof(*u));

	u->per_proc = per_proc;
	return u;
}

void utilization_free(struct utilization *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->series.n; i++)
		vec_free(&u->series.v[i].list);
	vec_free(&u->procs);
	vec_free(&u->series);
	vec_free(&u->procs_changes);
	free(u);
}

bool utilization_is_known(const struct utilization *u)
{
	return u->n_procs;
}

static void series_add(struct series *s, uint64_t now, double utilization)
{
	struct change *last = s->list.n ? &s->list.v[s->list.n - 1] : NULL;

	if (last && last->utilization == utilization)
		return;
	if (last && now <= last->time_ns && utilization < last->utilization) {
		last->utilization = utilization; /* of two at one time the lower holds ... */
		return;
	}
	if (last && now <= last->time_ns) /* ... and the higher a moment later; a reader's times
					     never meet, but may wrap */
		now = last->time_ns + (last->time_ns < UINT64_MAX);
	*vec_push(&s->list) = (struct change){ now, utilization };
}

static void note(struct utilization *u, uint64_t now)
{
	if (!u->n_procs)
		return;
	if (!u->per_proc) {
		uint64_t lost = u->stops > 0 ? u->n_procs : u->lost_procs;

		series_add(&u->series.v[0], now, 1 - (double)lost / (double)u->n_procs);
		return;
	}
	for (size_t i = 0; i < u->procs.n; i++)
		series_add(&u->series.v[u->procs.v[i].series], now,
			   u->stops > 0 || u->procs.v[i].gc > 0 ? 0 : 1);
}

void utilization_lose(struct utilization *u, int64_t p, int change, uint64_t now)
{
	if (p < 0 || (uint64_t)p >= u->n_procs || p >= PROCS_MAX)
		return;
	while (u->procs.n <= (uint64_t)p)
		*vec_push(&u->procs) = (struct lost_proc){ 0 };
	struct lost_proc *proc = &u->procs.v[p];

	u->lost_procs -= proc->gc > 0;
	proc->gc += change;
	u->lost_procs += proc->gc > 0;
	note(u, now);
}

void utilization_stop(struct utilization *u, int change, uint64_t now)
{
	u->stops += u->n_procs ? change : 0;
	note(u, now);
}

static void drop_procs(struct utilization *u, uint64_t n, uint64_t now)
{
	while (u->procs.n > n) {
		struct lost_proc *p = &u->procs.v[--u->procs.n];

		u->lost_procs -= p->gc > 0;
		if (!u->per_proc)
			continue;
		series_add(&u->series.v[p->series], now, 0);
		u->series.v[p->series].is_over = true;
	}
}

static void new_series(struct utilization *u, uint64_t now)
{
	struct series *x = vec_push(&u->series);

	*x = (struct series){ 0 };
	series_add(x, now, 1);
}

void utilization_set_procs(struct utilization *u, uint64_t n, uint64_t now)
{
	drop_procs(u, n, now);
	while (u->per_proc && u->procs.n < min_u64(n, PROCS_MAX)) {
		*vec_push(&u->procs) = (struct lost_proc){ .series = u->series.n };
		new_series(u, now);
	}
	if (n && !u->series.n)
		new_series(u, now);
	if (!u->procs_changes.n || u->procs_changes.v[u->procs_changes.n - 1].n != n)
		*vec_push(&u->procs_changes) = (struct procs_change){ now, n };
	u->n_procs = n;
	note(u, now);
}

void utilization_lose_before(struct utilization *u)
{
	size_t k = 0;

	if (u->per_proc)
		return;
	for (size_t i = 0; i < u->series.v[0].list.n; i++) {
		struct change *c = &u->series.v[0].list.v[i];

		while (k + 1 < u->procs_changes.n && u->procs_changes.v[k + 1].time_ns < c->time_ns)
			k++;
		c->utilization -= 1 / (double)u->procs_changes.v[k].n;
		if (c->utilization < 0)
			c->utilization = 0;
	}
}

void utilization_sync(struct utilization *u)
{
	for (size_t i = 0; i < u->series.n; i++) {
		struct series *x = &u->series.v[i];

		x->synced_n = x->list.n;
		x->synced_last = x->list.n ? x->list.v[x->list.n - 1] : (struct change){ 0 };
		x->synced_over = x->is_over;
	}
	u->synced_procs = u->n_procs;
}

/* Back to the last sync. */
static void cut_series(struct utilization *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->series.n; i++) {
		struct series *x = &u->series.v[i];

		if (!x->synced_n) {
			vec_free(&x->list);
			continue;
		}
		x->list.n = x->synced_n;
		x->list.v[x->synced_n - 1] = x->synced_last;
		x->is_over = x->synced_over;
		u->series.v[n++] = *x;
	}
	u->series.n = n;
	u->n_procs = u->synced_procs;
}

/* Utilization 0 marks the end of a series, unless its P was gone before. */
void utilization_finish(struct utilization *u, uint64_t end, bool is_broken)
{
	if (is_broken)
		cut_series(u);
	for (size_t i = 0; i < u->series.n; i++)
		if (!u->series.v[i].is_over && (u->n_procs || u->per_proc))
			series_add(&u->series.v[i], end, 0);
}

/* ------------------------------------------------------------------------------- windows */

/* The integral of a series from its begin to a place in it that only moves forward, ns. */
struct integral {
	const struct series *s;
	size_t i;      /* the change that holds at the place */
	double before; /* up to that change */
};

static double integral_to(struct integral *x, uint64_t time)
{
	const struct change *c = x->s->list.v;

	while (x->i + 1 < x->s->list.n && c[x->i + 1].time_ns <= time) {
		x->before += c[x->i].utilization * (double)(c[x->i + 1].time_ns - c[x->i].time_ns);
		x->i++;
	}
	return x->before + c[x->i].utilization * (double)(time - c[x->i].time_ns);
}

/* When the next change comes; UINT64_MAX: none. */
static uint64_t next_change(const struct integral *x)
{
	return x->i + 1 < x->s->list.n ? x->s->list.v[x->i + 1].time_ns : UINT64_MAX;
}

static uint64_t series_ns(const struct series *s)
{
	return s->list.v[s->list.n - 1].time_ns - s->list.v[0].time_ns;
}

/*
 * A window slides over the series. The mean in it is linear in time between the moments at which
 * one of its edges meets a change: those are the places to look at.
 */
struct slide {
	struct integral left, right;
	uint64_t window_ns, at_ns, last_ns;
	double mean;
};

static struct slide slide_begin(const struct series *s, uint64_t window)
{
	struct slide x = { .left = { .s = s },
			   .right = { .s = s },
			   .window_ns = window,
			   .at_ns = s->list.v[0].time_ns };

	x.last_ns = x.at_ns + series_ns(s) - window;
	x.mean = integral_to(&x.right, x.at_ns + window) / (double)window;
	return x;
}

static bool slide_next(struct slide *x)
{
	if (x->at_ns == x->last_ns)
		return false;
	uint64_t right = next_change(&x->right);

	x->at_ns =
		min_u64(next_change(&x->left), right == UINT64_MAX ? right : right - x->window_ns);
	x->at_ns = min_u64(x->at_ns, x->last_ns);
	x->mean = (integral_to(&x->right, x->at_ns + x->window_ns) -
		   integral_to(&x->left, x->at_ns)) /
		  (double)x->window_ns;
	return true;
}

static void look_at(struct utilization_window *worst, double mean, uint64_t at)
{
	if (mean < worst->utilization)
		*worst = (struct utilization_window){ mean, at };
}

/*
 * Go looks for the worst window in bands of the series, a thousandth each, and now and then, where
 * they do not fit the window, at the first of a band that hangs over the end by a microsecond or
 * less: there nothing is left to the program.
 */
static void look_beyond(const struct series *s, uint64_t window, struct utilization_window *worst)
{
	uint64_t bands = min_u64(s->list.n, BANDS_MAX),
		 band = max_u64((series_ns(s) + bands - 1) / bands, 1);
	uint64_t spanned = (window + 2 * (band - 1)) / band; /* by a window, at most */
	uint64_t begin = s->list.v[0].time_ns, last = begin + series_ns(s) - window;

	for (uint64_t i = bands + 1 - spanned; spanned <= bands + 1 && begin + i * band > last;
	     i--) {
		struct integral left = { .s = s }, right = { .s = s };
		uint64_t at = begin + i * band;

		look_at(worst,
			(integral_to(&right, at + window) - integral_to(&left, at)) /
				(double)window,
			at);
	}
}

bool utilization_mmu(const struct utilization *u, uint64_t window_ns,
		     struct utilization_window *ret)
{
	struct utilization_window worst = { .utilization = 1 };

	if (!u->series.n)
		return false;
	worst.at_ns = u->series.v[0].list.v[0].time_ns;
	for (size_t i = 0; i < u->series.n; i++) {
		uint64_t window = min_u64(window_ns, series_ns(&u->series.v[i]));
		struct slide x;

		if (!window) {
			worst = (struct utilization_window){ 0, u->series.v[i].list.v[0].time_ns };
			break;
		}
		x = slide_begin(&u->series.v[i], window);
		do {
			look_at(&worst, x.mean, x.at_ns);
		} while (slide_next(&x));
		look_beyond(&u->series.v[i], window, &worst);
	}
	*ret = worst;
	return true;
}

/* ------------------------------------------------------------------------------- distribution */

/* At this utilization the density of windows changes, and a lump of them lies on it. */
struct edge {
	double utilization, density_change, lump_ns;
};

struct edges {
	VEC(struct edge) list;
	double all_ns;
};

static void add_windows(struct edges *e, double a, double b, double ns)
{
	double density = ns / (b > a ? b - a : a - b);

	e->all_ns += ns;
	if (a == b) {
		*vec_push(&e->list) = (struct edge){ a, 0, ns };
		return;
	}
	*vec_push(&e->list) = (struct edge){ a < b ? a : b, density, 0 };
	*vec_push(&e->list) = (struct edge){ a < b ? b : a, -density, 0 };
}

static int by_utilization(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->utilization < y->utilization ? -1 : x->utilization > y->utilization;
}

static double quantile(const struct edges *e, double wanted_ns)
{
	double below = 0, density = 0, at = 0;

	for (size_t i = 0; i < e->list.n; i++) {
		const struct edge *x = &e->list.v[i];
		double next = below + (x->utilization - at) * density;

		if (next >= wanted_ns && density > 0)
			return at + (wanted_ns - below) / density;
		if (next + x->lump_ns >= wanted_ns)
			return x->utilization;
		below = next + x->lump_ns;
		at = x->utilization;
		density += x->density_change;
	}
	return at;
}

bool utilization_mud(const struct utilization *u, uint64_t window_ns, const double *q, size_t n,
		     double *ret)
{
	struct edges e = { 0 };
	struct utilization_window worst;

	if (!utilization_mmu(u, window_ns, &worst))
		return false;
	for (size_t i = 0; window_ns && i < u->series.n; i++) {
		if (series_ns(&u->series.v[i]) < window_ns)
			continue;
		struct slide x = slide_begin(&u->series.v[i], window_ns);
		uint64_t at = x.at_ns;

		for (double mean = x.mean; slide_next(&x); mean = x.mean, at = x.at_ns)
			add_windows(&e, mean, x.mean, (double)(x.at_ns - at));
	}
	if (e.list.n)
		qsort(e.list.v, e.list.n, sizeof(e.list.v[0]), by_utilization);
	for (size_t i = 0; i < n; i++)
		ret[i] = e.list.n ? quantile(&e, e.all_ns * q[i]) : worst.utilization;
	vec_free(&e.list);
	return true;
}
