/* SPDX-License-Identifier: Apache-2.0 */
/* intervals.c - see intervals.h. */
#include "analyze/intervals.h"
#include "analyze/transition.h"

#include <stdlib.h>

struct interval {
	uint64_t from, to;
};

struct open_region {
	bool is_wanted;
	uint64_t from;
};

struct inside {                       /* of one goroutine */
	VEC(struct open_region) open; /* innermost last */
	VEC(struct interval) closed;
};

struct intervals {
	const char *region;
	struct map64 index; /* goid -> place + 1 */
	VEC(struct inside) goroutines;
	uint64_t first_ns, last_ns;
};

struct intervals *intervals_new(const char *region)
{
	struct intervals *v = xcalloc(1, sizeof(*v));

	v->region = region;
	return v;
}

void intervals_free(struct intervals *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->goroutines.n; i++) {
		vec_free(&v->goroutines.v[i].open);
		vec_free(&v->goroutines.v[i].closed);
	}
	vec_free(&v->goroutines);
	map64_free(&v->index);
	free(v);
}

static struct inside *inside_of(struct intervals *v, uint64_t g, bool create)
{
	uint64_t *i = create ? map64_at(&v->index, g) : map64_get(&v->index, g);

	if (!i)
		return NULL;
	if (!*i) {
		*vec_push(&v->goroutines) = (struct inside){ 0 };
		*i = v->goroutines.n;
	}
	return &v->goroutines.v[*i - 1];
}

static void close_region(struct inside *in, uint64_t now)
{
	const struct open_region *top = &in->open.v[--in->open.n];

	if (top->is_wanted)
		*vec_push(&in->closed) = (struct interval){ top->from, now };
}

static void close_all(struct inside *in, uint64_t now)
{
	while (in && in->open.n)
		close_region(in, now);
}

static bool is_wanted(const struct intervals *v, struct str name)
{
	return str_is(name, v->region);
}

static void region_end(struct intervals *v, const struct event *ev)
{
	struct inside *in = inside_of(v, ev->g, true);

	if (in->open.n)
		close_region(in, ev->ts_ns);
	else if (is_wanted(v, ev->name)) /* it began before the trace */
		*vec_push(&in->closed) = (struct interval){ v->first_ns, ev->ts_ns };
}

/* A goroutine that is made inside a region is inside an unnamed one of its own, which the end of
 * its own first region may close. */
static void inherit(struct intervals *v, const struct event *ev, uint64_t g)
{
	struct inside *creator = ev->g ? inside_of(v, ev->g, false) : NULL;

	if (creator && creator->open.n)
		*vec_push(&inside_of(v, g, true)->open) = (struct open_region){ 0 };
}

void intervals_event(struct intervals *v, const struct event *ev)
{
	struct transition t[3];

	if (!v->first_ns)
		v->first_ns = ev->ts_ns;
	v->last_ns = ev->ts_ns;
	if (ev->type == EV_REGION_BEGIN)
		*vec_push(&inside_of(v, ev->g, true)->open) =
			(struct open_region){ is_wanted(v, ev->name), ev->ts_ns };
	else if (ev->type == EV_REGION_END)
		region_end(v, ev);
	if (!v->index.n)
		return;
	unsigned n = transitions_of(ev, t);

	for (unsigned i = 0; i < n; i++) {
		if (t[i].from == GO_NOT_EXIST && !t[i].is_status)
			inherit(v, ev, t[i].g);
		else if (t[i].to == GO_NOT_EXIST || str_is(*t[i].reason, "forever"))
			close_all(inside_of(v, t[i].g, false), t[i].ts_ns);
	}
}

static int by_begin(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

static void keep_outermost(struct inside *in)
{
	size_t kept = 0;
	uint64_t until = 0;

	if (in->closed.n)
		qsort(in->closed.v, in->closed.n, sizeof(in->closed.v[0]), by_begin);
	for (size_t i = 0; i < in->closed.n; i++) {
		if (until > in->closed.v[i].from)
			continue;
		until = in->closed.v[i].to;
		in->closed.v[kept++] = in->closed.v[i];
	}
	in->closed.n = kept;
}

void intervals_finish(struct intervals *v)
{
	for (size_t i = 0; i < v->goroutines.n; i++) {
		close_all(&v->goroutines.v[i], v->last_ns);
		keep_outermost(&v->goroutines.v[i]);
	}
}

uint64_t intervals_overlap(const void *self, uint64_t g, uint64_t from_ns, uint64_t to_ns)
{
	const struct intervals *v = self;
	uint64_t *i = map64_get(&v->index, g), sum = 0;

	if (!i)
		return 0;
	const struct inside *in = &v->goroutines.v[*i - 1];
	size_t lo = 0, hi = in->closed.n;

	while (lo < hi) { /* the first that ends after from */
		size_t mid = lo + (hi - lo) / 2;

		if (in->closed.v[mid].to <= from_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < in->closed.n && in->closed.v[lo].from < to_ns; lo++)
		sum += min_u64(in->closed.v[lo].to, to_ns) -
		       max_u64(in->closed.v[lo].from, from_ns);
	return sum;
}

uint64_t intervals_count(const struct intervals *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->goroutines.n; i++)
		n += v->goroutines.v[i].closed.n;
	return n;
}
