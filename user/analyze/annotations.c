/* SPDX-License-Identifier: Apache-2.0 */
/* annotations.c - see annotations.h. */
#include "analyze/annotations.h"
#include "analyze/goroutines.h"
#include "analyze/latency.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 1024 };

struct region { /* open on a goroutine */
	uint64_t task, begin_ns;
	uint32_t group; /* index in annotations.regions */
};

/* A goroutine with open regions, or without a name. Any other one has a name. */
struct go {
	uint64_t id;
	bool is_nameless; /* no transition had a stack yet: counts as a system goroutine */
	bool is_system;   /* told by its name or, the same function, the outermost frame of its
			     regions */
	VEC(struct region) open;
};

struct task {
	uint64_t id;
	bool has_begin, has_end;
	bool is_open;        /* begun and not ended since: an end knows the name */
	bool is_queued;      /* in state.ended */
	uint32_t group;      /* index in annotations.tasks */
	uint32_t open_group; /* of the begin */
	uint64_t begin_ns, end_ns;
};

struct annotations_state {
	uint64_t syncs, sync_ns;
	bool has_begun;
	/* goroutine -> index + 1 in goes; and how many have these low bits: what is 0 spares a
	 * lookup */
	struct map64 go_index;
	VEC(struct go) goes;
	VEC(uint32_t) free_goes;
	uint32_t hot[SLOTS];
	/* task -> index + 1 in slots */
	struct map64 task_index;
	VEC(struct task) slots;
	VEC(uint32_t) free_slots;
	uint64_t ended[TASKS_KEPT]; /* task ids, a ring */
	size_t n_ended, first_ended;
	struct map64 done; /* task id / 64 -> a bit for each that was folded and forgotten */
	struct map64 task_groups, region_groups; /* hash -> index + 1 */
	struct map64 detail_index;               /* task id -> index + 1 in annotations.details */
	uint64_t details_of_id;
	bool has_details_of_id;
};

/* ------------------------------------------------------------------------------- durations */

/* As Go's int(math.Log(ns) / log(10^(1/5))) rounds: a power of ten is in the bucket below. */
const uint64_t time_bucket_ns[TIME_BUCKETS] = {
	0,
	2,
	3,
	4,
	7,
	11,
	16,
	26,
	40,
	64,
	101,
	159,
	252,
	399,
	631,
	1001,
	1585,
	2512,
	3982,
	6310,
	10001,
	15849,
	25119,
	39811,
	63096,
	100001,
	158490,
	251189,
	398108,
	630958,
	1000001,
	1584894,
	2511887,
	3981072,
	6309574,
	10000001,
	15848932,
	25118865,
	39810718,
	63095735,
	100000001,
	158489320,
	251188644,
	398107171,
	630957345,
	1000000001,
	1584893193,
	2511886432,
	3981071706,
	6309573445,
	10000000001,
	15848931925,
	25118864316,
	39810717056,
	63095734449,
	100000000001,
	158489319247,
	251188643151,
	398107170554,
	630957344481,
	1000000000001,
	1584893192462,
	2511886431510,
	3981071705535,
	6309573444802,
	10000000000001,
	15848931924612,
	25118864315096,
	39810717055350,
	63095734448020,
	100000000000001,
	158489319246112,
	251188643150959,
	398107170553500,
	630957344480196,
	1000000000000003,
	1584893192461115,
	2511886431509595,
	3981071705534988,
	6309573444801944,
	10000000000000071,
	15848931924611218,
	25118864315095883,
	39810717055349781,
	63095734448019733,
	100000000000000457,
	158489319246111761,
	251188643150959984,
	398107170553499616,
	630957344480195776,
	1000000000000002113,
	1584893192461124992,
	2511886431509593856,
	3981071705534986497,
	6309573444801942017,
};

unsigned time_bucket(uint64_t ns)
{
	unsigned low = 0, high = TIME_BUCKETS;

	while (high - low > 1) {
		unsigned middle = (low + high) / 2;

		if (time_bucket_ns[middle] <= ns)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void tally_add(struct tally *t, uint32_t kind)
{
	size_t low = 0, high = t->rows.n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (t->rows.v[middle].kind < kind)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == t->rows.n || t->rows.v[low].kind != kind) {
		vec_push(&t->rows);
		memmove(&t->rows.v[low + 1], &t->rows.v[low],
			(t->rows.n - 1 - low) * sizeof(t->rows.v[0]));
		t->rows.v[low] = (struct tally_row){ kind, 0 };
	}
	t->rows.v[low].n++;
}

/* An end before the begin, where ids are used again, is a duration of 0. */
static void add_duration(struct durations *d, uint64_t begin, uint64_t end)
{
	uint64_t ns = end > begin ? end - begin : 0;

	d->min_ns = d->n ? min_u64(d->min_ns, ns) : ns;
	d->max_ns = max_u64(d->max_ns, ns);
	d->total_ns += ns;
	d->n++;
	tally_add(&d->histogram, time_bucket(ns));
	tally_add(&d->fine, latency_bucket(ns));
}

uint64_t durations_quantile(const struct durations *d, double q)
{
	uint64_t below = 0;

	for (size_t i = 0; i < d->fine.rows.n; i++) {
		below += d->fine.rows.v[i].n;
		if ((double)below >= q * (double)d->n)
			return min_u64(latency_edge(d->fine.rows.v[i].kind), d->max_ns);
	}
	return d->max_ns;
}

static void durations_free(struct durations *d)
{
	vec_free(&d->histogram.rows);
	vec_free(&d->fine.rows);
}

/* ------------------------------------------------------------------------------- names */

static struct str keep(struct str s)
{
	return (struct str){ xmemdup0(s.s, s.n), s.n };
}

static void str_free(struct str s)
{
	free((char *)(uintptr_t)s.s);
}

/* NULL: the stack has no frames. */
static const struct frame *outermost(const struct annotations *a, uint32_t stack)
{
	unsigned n = 0;
	const struct frame *f =
		stack ? a->options.stacks.frames(a->options.stacks.self, stack, &n) : NULL;

	return n ? &f[n - 1] : NULL;
}

static uint32_t task_group(struct annotations *a, struct str name)
{
	uint64_t *i = map64_at(&a->state->task_groups, hash_bytes(name.n ? name.s : "", name.n, 5));

	if (!*i) {
		*vec_push(&a->tasks) = (struct task_group){ .name = keep(name) };
		*i = a->tasks.n;
	}
	return (uint32_t)*i - 1;
}

static uint32_t region_group(struct annotations *a, struct str name, uint32_t stack)
{
	static const struct frame nowhere = { .func = "", .file = "" };
	const struct frame *f = outermost(a, stack);
	uint64_t hash = hash_bytes(name.n ? name.s : "", name.n, 6);

	f = f ? f : &nowhere;
	hash = hash_bytes(f->func, strlen(f->func), hash);
	hash = hash_bytes(f->file, strlen(f->file), hash_u64(hash ^ f->pc) + f->line);
	uint64_t *i = map64_at(&a->state->region_groups, hash);

	if (!*i) {
		*vec_push(&a->regions) = (struct region_group){ .name = keep(name), .place = *f };
		*i = a->regions.n;
	}
	return (uint32_t)*i - 1;
}

/* ------------------------------------------------------------------------------- details */

static struct task_detail *detail_get(const struct annotations *a, uint64_t task)
{
	uint64_t *i = a->state->detail_index.n || a->state->detail_index.has_zero
			      ? map64_get(&a->state->detail_index, task)
			      : NULL;

	return i ? &a->details.v[*i - 1] : NULL;
}

/* At any event that names the task; `name` if that is its begin. NULL: nobody asked for it. */
static struct task_detail *detail_at(struct annotations *a, uint64_t task, const struct str *name)
{
	const char *wanted = a->options.details_of;
	struct task_detail *d = wanted ? detail_get(a, task) : NULL;

	if (d || !wanted)
		return d;
	if (!(a->state->has_details_of_id && task == a->state->details_of_id) &&
	    !(name && name->n == strlen(wanted) &&
	      !memcmp(name->n ? name->s : "", wanted, name->n)))
		return NULL;
	d = vec_push(&a->details);
	*d = (struct task_detail){ .id = task,
				   .parent = EVENT_NO_TASK,
				   .name = keep((struct str){ "", 0 }) };
	*map64_at(&a->state->detail_index, task) = a->details.n;
	return d;
}

static void detail_goroutine(struct task_detail *d, uint64_t g)
{
	size_t i = d->goroutines.n;

	while (i > 0 && d->goroutines.v[i - 1] >= g)
		i--;
	if (i < d->goroutines.n && d->goroutines.v[i] == g)
		return;
	vec_push(&d->goroutines);
	memmove(&d->goroutines.v[i + 1], &d->goroutines.v[i],
		(d->goroutines.n - 1 - i) * sizeof(d->goroutines.v[0]));
	d->goroutines.v[i] = g;
}

static void detail_event(struct annotations *a, uint64_t task, enum task_event_kind kind,
			 const struct event *ev)
{
	struct task_detail *d = detail_at(a, task, kind == TASK_BEGIN ? &ev->name : NULL);

	if (!d)
		return;
	*vec_push(&d->events) = (struct task_event){
		.ts_ns = ev->ts_ns,
		.g = ev->g,
		.kind = kind,
		.stack = ev->stack,
		.name = keep(kind == TASK_END ? d->name : ev->name),
		.text = keep(kind == TASK_LOG ? ev->text : (struct str){ 0 }),
	};
	detail_goroutine(d, ev->g);
}

static void set_detail(struct annotations *a, const struct task *t, struct str name,
		       uint64_t parent)
{
	struct task_detail *d = detail_get(a, t->id);

	if (!d)
		return;
	if (name.n) { /* not at an end that does not know it */
		str_free(d->name);
		d->name = keep(name);
	}
	d->has_begin = t->has_begin;
	d->has_end = t->has_end;
	d->begin_ns = t->begin_ns;
	d->end_ns = t->end_ns;
	if (parent && parent != EVENT_NO_TASK && d->parent == EVENT_NO_TASK)
		d->parent = parent;
}

/* A region ends with its goroutine, or at its own end. */
static void detail_region_end(struct annotations *a, const struct go *go, const struct region *r,
			      uint64_t now, const struct event *ev)
{
	struct task_detail *d = a->details.n ? detail_get(a, r->task) : NULL;
	bool is_own = ev->type == EV_REGION_END;

	if (!d)
		return;
	*vec_push(&d->events) = (struct task_event){
		.ts_ns = now,
		.g = go->id,
		.kind = TASK_REGION_END,
		.is_goroutine_end = !is_own,
		.stack = is_own ? ev->stack : 0,
		.name = keep(a->regions.v[r->group].name),
		.text = keep((struct str){ 0 }),
	};
}

/* ------------------------------------------------------------------------------- tasks */

static struct task *task_get(const struct annotations_state *s, uint64_t id)
{
	uint64_t *i = map64_get(&s->task_index, id);

	return i ? &s->slots.v[*i - 1] : NULL;
}

static bool is_done(const struct annotations_state *s, uint64_t id)
{
	uint64_t *bits = map64_get(&s->done, id / 64);

	return bits && *bits >> id % 64 & 1;
}

static struct task *task_new(struct annotations *a, uint64_t id)
{
	struct annotations_state *s = a->state;
	uint32_t i = s->free_slots.n ? s->free_slots.v[--s->free_slots.n] : (uint32_t)s->slots.n;

	if (i == s->slots.n)
		vec_push(&s->slots);
	s->slots.v[i] = (struct task){ .id = id, .group = task_group(a, (struct str){ "", 0 }) };
	*map64_at(&s->task_index, id) = i + 1u;
	return &s->slots.v[i];
}

/* Something names it: it counts. */
static void mention(struct annotations *a, uint64_t id)
{
	if (!task_get(a->state, id) && !is_done(a->state, id))
		task_new(a, id);
}

static void fold_task(struct annotations *a, struct task *t)
{
	struct task_group *group = &a->tasks.v[t->group];

	group->count++;
	if (t->has_begin && t->has_end)
		add_duration(&group->complete, t->begin_ns, t->end_ns);
}

/* The one that ended first goes when there are too many. */
static void forget_task(struct annotations *a)
{
	struct annotations_state *s = a->state;
	uint64_t id = s->ended[s->first_ended];
	struct task *t = task_get(s, id);

	s->first_ended = (s->first_ended + 1) % TASKS_KEPT;
	s->n_ended--;
	t->is_queued = false;
	if (t->is_open) /* again; its end will bring it back */
		return;
	fold_task(a, t);
	*map64_at(&s->done, id / 64) |= 1ull << id % 64;
	map64_del(&s->task_index, id);
	*vec_push(&s->free_slots) = (uint32_t)(t - s->slots.v);
}

static void begin_task(struct annotations *a, const struct event *ev)
{
	uint64_t parent = ev->value;
	struct task *t = task_get(a->state, ev->id);

	if (!t)
		t = task_new(a, ev->id);
	detail_event(a, ev->id, TASK_BEGIN, ev);
	t->has_begin = t->is_open = true;
	t->begin_ns = ev->ts_ns;
	t->group = t->open_group = task_group(a, ev->name);
	set_detail(a, t, ev->name, parent);
	if (parent && parent != EVENT_NO_TASK)
		mention(a, parent);
}

/* A second end knows no name, and takes it from the task: Go's reader forgets it with the first. */
static void end_task(struct annotations *a, const struct event *ev)
{
	struct annotations_state *s = a->state;
	struct task *t = task_get(s, ev->id);

	if (!t && is_done(s, ev->id))
		return;
	if (!t)
		t = task_new(a, ev->id);
	t->has_end = true;
	t->end_ns = ev->ts_ns;
	t->group = t->is_open ? t->open_group : task_group(a, (struct str){ "", 0 });
	t->is_open = false;
	detail_event(a, ev->id, TASK_END, ev);
	set_detail(a, t, a->tasks.v[t->group].name, EVENT_NO_TASK);
	if (t->is_queued)
		return;
	if (s->n_ended == TASKS_KEPT)
		forget_task(a);
	t = task_get(s, ev->id);
	t->is_queued = true;
	s->ended[(s->first_ended + s->n_ended++) % TASKS_KEPT] = ev->id;
}

/* ------------------------------------------------------------------------------- goroutines */

static inline bool may_be_known(const struct annotations_state *s, uint64_t g)
{
	return s->hot[g % SLOTS];
}

static struct go *go_get(const struct annotations_state *s, uint64_t g)
{
	uint64_t *i = may_be_known(s, g) ? map64_get(&s->go_index, g) : NULL;

	return i ? &s->goes.v[*i - 1] : NULL;
}

static struct go *go_at(struct annotations_state *s, uint64_t g)
{
	uint64_t *i = map64_at(&s->go_index, g);

	if (*i)
		return &s->goes.v[*i - 1];
	*i = s->free_goes.n ? s->free_goes.v[--s->free_goes.n] : s->goes.n + 1;
	if (*i > s->goes.n)
		*vec_push(&s->goes) = (struct go){ 0 };
	struct go *go = &s->goes.v[*i - 1];

	go->id = g;
	go->is_nameless = go->is_system = false;
	go->open.n = 0;
	s->hot[g % SLOTS]++;
	return go;
}

static void go_drop(struct annotations_state *s, struct go *go)
{
	map64_del(&s->go_index, go->id);
	s->hot[go->id % SLOTS]--;
	*vec_push(&s->free_goes) = (uint32_t)(go - s->goes.v) + 1;
	go->open.n = 0;
}

static void drop_if_idle(struct annotations_state *s, struct go *go)
{
	if (!go->open.n && !go->is_nameless)
		go_drop(s, go);
}

/* A transition with the goroutine's own stack, of which the first gives its name. */
static void __attribute__((noinline)) name_go(struct annotations *a, uint64_t g, uint32_t stack)
{
	struct go *go = go_get(a->state, g);
	const struct frame *f = go && go->is_nameless ? outermost(a, stack) : NULL;

	if (!f || !*f->func)
		return;
	go->is_nameless = false;
	go->is_system = is_system_goroutine(f->func);
	drop_if_idle(a->state, go);
}

/* A goroutine of which nothing is kept, unless its creator has an open region. */
static void create_go(struct annotations *a, const struct event *ev)
{
	struct annotations_state *s = a->state;
	struct go *creator = go_get(s, ev->g);
	bool is_named = ev->type != EV_GO_CREATE_SYSCALL && ev->start_stack,
	     inherits = creator && creator->open.n;

	if (is_named && !inherits)
		return;
	uint64_t task = inherits ? creator->open.v[creator->open.n - 1].task : 0;
	struct go *go = go_at(s, ev->id);

	go->is_nameless = true;
	if (inherits) {
		uint32_t stack = ev->type == EV_GO_CREATE_SYSCALL ? 0 : ev->stack;

		*vec_push(&go->open) =
			(struct region){ task, ev->ts_ns,
					 region_group(a, (struct str){ "", 0 }, stack) };
	}
	if (is_named)
		name_go(a, ev->id, ev->start_stack);
}

/* One that was there before the trace. */
static void status_go(struct annotations *a, const struct event *ev)
{
	if (a->state->syncs > 1 || go_get(a->state, ev->id)) /* it repeats what is known */
		return;
	go_at(a->state, ev->id)->is_nameless = true;
	if (ev->type == EV_GO_STATUS_STACK && ev->stack)
		name_go(a, ev->id, ev->stack);
}

/* It ends, or blocks for ever. */
static void __attribute__((noinline))
end_go(struct annotations *a, const struct event *ev, uint64_t now)
{
	struct go *go = go_get(a->state, ev->g);

	if (!go)
		return;
	for (size_t i = 0; i < go->open.n && !go->is_nameless && !go->is_system; i++) {
		const struct region *r = &go->open.v[i];

		add_duration(&a->regions.v[r->group].all, r->begin_ns, now);
		detail_region_end(a, go, r, now, ev);
	}
	go->open.n = 0;
	if (ev->type != EV_GO_BLOCK)
		go_drop(a->state, go);
	else
		drop_if_idle(a->state, go);
}

static void block_go(struct annotations *a, const struct event *ev)
{
	if (ev->stack)
		name_go(a, ev->g, ev->stack);
	if (ev->type == EV_GO_BLOCK && str_is(ev->name, "forever"))
		end_go(a, ev, ev->ts_ns);
}

/* ------------------------------------------------------------------------------- regions */

static void begin_region(struct annotations *a, const struct event *ev)
{
	struct go *go = go_at(a->state, ev->g);
	const struct frame *f = outermost(a, ev->stack);

	if (!go->is_nameless && !go->open.n)
		go->is_system = f && is_system_goroutine(f->func);
	*vec_push(&go->open) =
		(struct region){ ev->id, ev->ts_ns, region_group(a, ev->name, ev->stack) };
	mention(a, ev->id);
	detail_event(a, ev->id, TASK_REGION_BEGIN, ev);
}

static void end_region(struct annotations *a, const struct event *ev)
{
	struct annotations_state *s = a->state;
	struct go *go = go_get(s, ev->g);

	if (!go || !go->open.n) {
		uint32_t group = region_group(a, ev->name, 0);

		add_duration(&a->regions.v[group].all, a->first_ns, ev->ts_ns);
		mention(a, ev->id);
		detail_event(a, ev->id, TASK_REGION_END, ev);
		return;
	}
	struct region r = go->open.v[--go->open.n]; /* the innermost, whatever the name */

	add_duration(&a->regions.v[r.group].all, r.begin_ns, ev->ts_ns);
	detail_region_end(a, go, &r, ev->ts_ns, ev);
	drop_if_idle(s, go);
}

/* ------------------------------------------------------------------------------- events */

void annotations_event(struct annotations *a, const struct event *ev)
{
	struct annotations_state *s = a->state;

	a->last_ns = ev->ts_ns;
	if (!s->has_begun) {
		s->has_begun = true;
		a->first_ns = s->sync_ns = ev->ts_ns;
	}
	switch (ev->type) {
	case EV_GO_STOP:
	case EV_GO_BLOCK:
	case EV_GO_SYSCALL_BEGIN:
		if (may_be_known(s, ev->g))
			block_go(a, ev);
		return;
	case EV_GO_CREATE:
	case EV_GO_CREATE_BLOCKED:
	case EV_GO_CREATE_SYSCALL:
		if (!ev->start_stack || ev->type == EV_GO_CREATE_SYSCALL || may_be_known(s, ev->g))
			create_go(a, ev);
		return;
	case EV_GO_DESTROY:
		if (may_be_known(s, ev->g))
			end_go(a, ev, ev->ts_ns);
		return;
	case EV_GO_DESTROY_SYSCALL:
		a->last_ns += ev->p != EVENT_NO_P;
		end_go(a, ev, a->last_ns);
		return;
	case EV_GO_SWITCH:
		a->last_ns += 2;
		return;
	case EV_GO_SWITCH_DESTROY:
		a->last_ns += 2;
		end_go(a, ev, ev->ts_ns + 1);
		return;
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
		status_go(a, ev);
		return;
	case EV_SYNC:
		s->syncs = ev->id;
		s->sync_ns = ev->ts_ns;
		return;
	case EV_TASK_BEGIN:
		begin_task(a, ev);
		return;
	case EV_TASK_END:
		end_task(a, ev);
		return;
	case EV_REGION_BEGIN:
		begin_region(a, ev);
		return;
	case EV_REGION_END:
		end_region(a, ev);
		return;
	case EV_LOG:
		a->logs++;
		mention(a, ev->id);
		detail_event(a, ev->id, TASK_LOG, ev);
		return;
	}
}

/* ------------------------------------------------------------------------------- life */

struct annotations *annotations_new(const struct annotations_options *o)
{
	struct annotations *a = xcalloc(1, sizeof(*a));
	char *end = NULL;

	a->options = *o;
	a->state = xcalloc(1, sizeof(*a->state));
	if (!o->details_of || *o->details_of < '0' || *o->details_of > '9')
		return a;
	a->state->details_of_id = strtoull(o->details_of, &end, 10);
	a->state->has_details_of_id = !*end;
	return a;
}

static int compare_str(struct str a, struct str b)
{
	uint32_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.s, b.s, n) : 0;

	return d ? d : a.n < b.n ? -1 : a.n > b.n;
}

static int by_task_name(const void *a, const void *b)
{
	return compare_str(((const struct task_group *)a)->name,
			   ((const struct task_group *)b)->name);
}

static int by_region_name(const void *a, const void *b)
{
	const struct region_group *x = a, *y = b;
	int d = compare_str(x->name, y->name);

	return d ? d : x->place.pc < y->place.pc ? -1 : x->place.pc > y->place.pc;
}

static int by_begin(const void *a, const void *b)
{
	const struct task_detail *x = a, *y = b;

	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void finish_details(struct annotations *a, uint64_t end)
{
	for (size_t i = 0; i < a->details.n; i++) {
		struct task_detail *d = &a->details.v[i];

		d->begin_ns = d->has_begin ? d->begin_ns : a->first_ns;
		d->end_ns = max_u64(d->has_end ? d->end_ns : end, d->begin_ns);
	}
	if (a->details.n)
		qsort(a->details.v, a->details.n, sizeof(a->details.v[0]), by_begin);
}

/* A group is made when a region begins; one whose regions all were of system goroutines has nothing
 * to tell. */
static void drop_empty_groups(struct annotations *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->regions.n; i++) {
		if (a->regions.v[i].all.n)
			a->regions.v[n++] = a->regions.v[i];
		else
			str_free(a->regions.v[i].name);
	}
	a->regions.n = n;
	n = 0;
	for (size_t i = 0; i < a->tasks.n; i++) {
		if (a->tasks.v[i].count)
			a->tasks.v[n++] = a->tasks.v[i];
		else
			str_free(a->tasks.v[i].name);
	}
	a->tasks.n = n;
}

void annotations_finish(struct annotations *a, bool is_broken)
{
	struct annotations_state *s = a->state;
	uint64_t end = is_broken ? s->sync_ns : a->last_ns, id, slot;

	for (size_t pos = 0; map64_next(&s->task_index, &pos, &id, &slot);)
		fold_task(a, &s->slots.v[slot - 1]);
	for (size_t pos = 0; map64_next(&s->go_index, &pos, &id, &slot);) {
		const struct go *go = &s->goes.v[slot - 1];

		for (size_t i = 0; i < go->open.n && !go->is_nameless && !go->is_system; i++)
			add_duration(&a->regions.v[go->open.v[i].group].all, go->open.v[i].begin_ns,
				     end);
	}
	finish_details(a, end);
	drop_empty_groups(a);
	if (a->tasks.n)
		qsort(a->tasks.v, a->tasks.n, sizeof(a->tasks.v[0]), by_task_name);
	if (a->regions.n)
		qsort(a->regions.v, a->regions.n, sizeof(a->regions.v[0]), by_region_name);
}

static void detail_free(struct task_detail *d)
{
	for (size_t i = 0; i < d->events.n; i++) {
		str_free(d->events.v[i].name);
		str_free(d->events.v[i].text);
	}
	vec_free(&d->events);
	vec_free(&d->goroutines);
	str_free(d->name);
}

void annotations_free(struct annotations *a)
{
	if (!a)
		return;
	struct annotations_state *s = a->state;

	for (size_t i = 0; i < a->tasks.n; i++) {
		str_free(a->tasks.v[i].name);
		durations_free(&a->tasks.v[i].complete);
	}
	for (size_t i = 0; i < a->regions.n; i++) {
		str_free(a->regions.v[i].name);
		durations_free(&a->regions.v[i].all);
	}
	for (size_t i = 0; i < a->details.n; i++)
		detail_free(&a->details.v[i]);
	for (size_t i = 0; i < s->goes.n; i++)
		vec_free(&s->goes.v[i].open);
	vec_free(&a->tasks);
	vec_free(&a->regions);
	vec_free(&a->details);
	map64_free(&s->go_index);
	vec_free(&s->goes);
	vec_free(&s->free_goes);
	map64_free(&s->task_index);
	vec_free(&s->slots);
	vec_free(&s->free_slots);
	map64_free(&s->done);
	map64_free(&s->task_groups);
	map64_free(&s->region_groups);
	map64_free(&s->detail_index);
	free(s);
	free(a);
}
