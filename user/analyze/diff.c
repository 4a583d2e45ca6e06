/* SPDX-License-Identifier: Apache-2.0 */
/* diff.c - see diff.h. */
#include "analyze/diff.h"

#include <math.h>
#include <stdlib.h>

struct column {
	const char *what;
	size_t offset; /* in struct go_times */
};

static const struct column columns[] = {
	{ "running", offsetof(struct go_times, execution) },
	{ "waiting for a P", offsetof(struct go_times, sched_wait) },
	{ "in system calls", offsetof(struct go_times, syscall) },
	{ "in slow system calls", offsetof(struct go_times, syscall_block) },
	{ "blocked", offsetof(struct go_times, blocked) }, /* last: see compare_groups */
};

static double column_of(const struct go_group *g, const struct column *c)
{
	return g ? (double)*(const uint64_t *)((const char *)&g->times + c->offset) : 0;
}

static double seconds(const struct goroutines *g)
{
	return g->last_ns > g->first_ns ? (double)(g->last_ns - g->first_ns) / 1e9 : 1e-9;
}

static void add_row(struct diff *d, struct diff_row row, double min_share)
{
	row.change = row.before_ns > 0 ? row.after_ns / row.before_ns - 1 : INFINITY;
	if (fabs(row.weight_ns) >= min_share * 1e9)
		*vec_push(&d->rows) = row;
}

/* ------------------------------------------------------------------------------- groups */

static bool come_and_go(const struct go_group *g)
{
	return !g || g->alive * 2 < g->count;
}

static void compare_groups(struct diff *d, const struct goroutines *ga, const struct go_group *a,
			   const struct goroutines *gb, const struct go_group *b, double min_share)
{
	bool each = come_and_go(a) && come_and_go(b);
	double per_a = each ? (double)(a ? a->count : 0) : seconds(ga),
	       per_b = each ? (double)(b ? b->count : 0) : seconds(gb);
	double rate = each ? per_b / seconds(gb) : 1; /* so many of the unit in a second of B */

	/* of goroutines that stay, blocked is mostly idle: more of it is no news. Their waits are
	 * among the stacks */
	for (size_t i = 0; i < ARRAY_SIZE(columns) - !each; i++) {
		double before = per_a > 0 ? column_of(a, &columns[i]) / per_a : 0;
		double after = per_b > 0 ? column_of(b, &columns[i]) / per_b : 0;

		add_row(d,
			(struct diff_row){
				.kind = DIFF_GROUP,
				.what = columns[i].what,
				.name = (b ? b : a)->name,
				.unit = each ? "a goroutine" : "a second",
				.before_ns = before,
				.after_ns = after,
				.count_a = a ? a->count : 0,
				.count_b = b ? b->count : 0,
				.weight_ns = each && !b ? -column_of(a, &columns[i]) / seconds(ga)
							: (after - before) * rate,
			},
			min_share);
	}
}

static const struct go_group *group_named(const struct goroutines *g, const struct map64 *index,
					  const char *name)
{
	uint64_t *i = map64_get(index, hash_bytes(name, strlen(name), 5));

	return i && *i ? &g->groups.v[*i - 1] : NULL;
}

static struct map64 index_groups(const struct goroutines *g)
{
	struct map64 m = { 0 };

	for (size_t i = 0; i < g->groups.n; i++)
		if (g->groups.v[i].count)
			*map64_at(&m, hash_bytes(g->groups.v[i].name, strlen(g->groups.v[i].name),
						 5)) = i + 1;
	return m;
}

static void all_groups(struct diff *d, const struct goroutines *a, const struct goroutines *b,
		       double min_share)
{
	struct map64 in_a = index_groups(a), in_b = index_groups(b);

	for (size_t i = 0; i < b->groups.n; i++)
		if (b->groups.v[i].count)
			compare_groups(d, a, group_named(a, &in_a, b->groups.v[i].name), b,
				       &b->groups.v[i], min_share);
	for (size_t i = 0; i < a->groups.n; i++)
		if (a->groups.v[i].count && !group_named(b, &in_b, a->groups.v[i].name))
			compare_groups(d, a, &a->groups.v[i], b, NULL, min_share);
	map64_free(&in_a);
	map64_free(&in_b);
}

/* ------------------------------------------------------------------------------- stacks */

/* All samples of a profile whose stacks have the same functions. */
struct merged {
	uint64_t key;
	uint64_t count, ns, heaviest_ns;
	uint32_t heaviest;
};

struct merged_profile {
	VEC(struct merged) list;
	struct map64 index; /* key -> place + 1 */
};

static uint64_t key_of(const struct goroutines *g, uint32_t stack)
{
	unsigned n;
	const struct frame *f = g->options.stacks.frames(g->options.stacks.self, stack, &n);
	uint64_t key = 6;

	for (unsigned i = 0; i < n; i++)
		key = hash_bytes(f[i].func, strlen(f[i].func), key);
	return key;
}

static void merge(const struct goroutines *g, const struct profile *p, struct merged_profile *ret)
{
	*ret = (struct merged_profile){ 0 };
	for (uint32_t i = 0; i < p->samples.n; i++) {
		if (!p->samples.v[i].count)
			continue;
		uint64_t key = key_of(g, i), *place = map64_at(&ret->index, key);

		if (!*place) {
			*vec_push(&ret->list) = (struct merged){ .key = key };
			*place = ret->list.n;
		}
		struct merged *m = &ret->list.v[*place - 1];

		m->count += p->samples.v[i].count;
		m->ns += p->samples.v[i].ns;
		if (p->samples.v[i].ns >= m->heaviest_ns) {
			m->heaviest = i;
			m->heaviest_ns = p->samples.v[i].ns;
		}
	}
}

static const char *leaf_name(const struct goroutines *g, uint32_t stack)
{
	unsigned n;
	const struct frame *f = g->options.stacks.frames(g->options.stacks.self, stack, &n);

	for (unsigned i = 0; i < n; i++)
		if (strncmp(f[i].func, "runtime.", 8) && strncmp(f[i].func, "syscall.", 8) &&
		    strncmp(f[i].func, "internal/", 9))
			return f[i].func;
	return n ? f[0].func : "";
}

static double mean(const struct merged *m)
{
	return m && m->count ? (double)m->ns / (double)m->count : 0;
}

static void compare_stacks(struct diff *d, enum profile_kind kind, const struct goroutines *ga,
			   const struct merged *a, const struct goroutines *gb,
			   const struct merged *b, double min_share)
{
	double rate = b ? (double)b->count / seconds(gb) : 0;

	add_row(d,
		(struct diff_row){
			.kind = DIFF_STACK,
			.what = profile_names[kind],
			.name = b ? leaf_name(gb, b->heaviest) : leaf_name(ga, a->heaviest),
			.stack_a = a ? a->heaviest : 0,
			.stack_b = b ? b->heaviest : 0,
			.unit = "a wait",
			.before_ns = mean(a),
			.after_ns = mean(b),
			.count_a = a ? a->count : 0,
			.count_b = b ? b->count : 0,
			.weight_ns = b ? (mean(b) - mean(a)) * rate : -(double)a->ns / seconds(ga),
		},
		min_share);
}

static const struct merged *find(const struct merged_profile *p, uint64_t key)
{
	uint64_t *i = map64_get(&p->index, key);

	return i && *i ? &p->list.v[*i - 1] : NULL;
}

static void all_stacks(struct diff *d, const struct goroutines *a, const struct goroutines *b,
		       double min_share)
{
	for (unsigned k = 0; k < PROFILE_KINDS; k++) {
		struct merged_profile in_a, in_b;

		merge(a, &a->profiles[k], &in_a);
		merge(b, &b->profiles[k], &in_b);
		for (size_t i = 0; i < in_b.list.n; i++)
			compare_stacks(d, (enum profile_kind)k, a, find(&in_a, in_b.list.v[i].key),
				       b, &in_b.list.v[i], min_share);
		for (size_t i = 0; i < in_a.list.n; i++)
			if (!find(&in_b, in_a.list.v[i].key))
				compare_stacks(d, (enum profile_kind)k, a, &in_a.list.v[i], b, NULL,
					       min_share);
		vec_free(&in_a.list);
		vec_free(&in_b.list);
		map64_free(&in_a.index);
		map64_free(&in_b.index);
	}
}

/* ------------------------------------------------------------------------------- all */

static int by_weight(const void *x, const void *y)
{
	double a = ((const struct diff_row *)x)->weight_ns,
	       b = ((const struct diff_row *)y)->weight_ns;

	return a < b ? 1 : a > b ? -1 : 0;
}

void diff_of(const struct goroutines *a, const struct goroutines *b, double min_share,
	     struct diff *ret)
{
	*ret = (struct diff){ 0 };
	all_groups(ret, a, b, min_share);
	all_stacks(ret, a, b, min_share);
	if (ret->rows.n)
		qsort(ret->rows.v, ret->rows.n, sizeof(ret->rows.v[0]), by_weight);
	for (size_t i = 0; i < ret->rows.n; i++)
		if (ret->rows.v[i].weight_ns > 0)
			ret->worst = fmax(ret->worst, ret->rows.v[i].change);
}

void diff_free(struct diff *d)
{
	vec_free(&d->rows);
}
