/* SPDX-License-Identifier: Apache-2.0 */
/* stacks.c - see stacks.h. */
#include "trace/stacks.h"

#include <stdlib.h>

#include "trace/cache.h"

struct raw_stack {
	uint64_t *pcs;
	uint16_t n;
	uint8_t flags;
};

struct logical_stack {
	struct frame *frames;
	unsigned n;
};

struct stacks {
	struct symbols *symbols;
	struct map64 raw_ids;            /* stack_def id -> index in raw */
	VEC(struct raw_stack) raw;
	VEC(struct logical_stack) logical; /* [0] is the empty stack */
	struct cache resolved;           /* (raw id, skip, is_g1) -> logical number: the hot path */
	struct cache starts;             /* start pc -> logical number */
	struct map64 by_content;         /* hash of a logical stack -> number; see intern */
};

struct stacks *stacks_new(struct symbols *symbols)
{
	struct stacks *s = xcalloc(1, sizeof(*s));

	s->symbols = symbols;
	*vec_push(&s->logical) = (struct logical_stack){0};
	return s;
}

void stacks_free(struct stacks *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->raw.n; i++)
		free(s->raw.v[i].pcs);
	for (size_t i = 0; i < s->logical.n; i++)
		free(s->logical.v[i].frames);
	vec_free(&s->raw);
	vec_free(&s->logical);
	map64_free(&s->raw_ids);
	map64_free(&s->by_content);
	cache_free(&s->resolved);
	cache_free(&s->starts);
	free(s);
}

static bool is_same_raw(const struct raw_stack *r, const struct stack_def *def, unsigned n)
{
	return r->n == n && r->flags == def->flags &&
		!memcmp(r->pcs, def->pcs, n * sizeof(*r->pcs));
}

void stacks_define(struct stacks *s, const struct stack_def *def)
{
	unsigned n = def->n < STACK_MAX_RAW ? def->n : STACK_MAX_RAW;
	uint64_t *known = map64_get(&s->raw_ids, def->id);

	if (!def->id || !n)
		return;
	if (known && is_same_raw(&s->raw.v[*known], def, n))
		return;
	struct raw_stack raw = {
		.pcs = xmemdup(def->pcs, n * sizeof(*def->pcs)), .n = (uint16_t)n,
		.flags = def->flags,
	};

	if (known) {
		free(s->raw.v[*known].pcs);
		s->raw.v[*known] = raw;
		/* only after a loss: what else the cache holds comes back by itself */
		cache_free(&s->resolved);
		return;
	}
	*map64_at(&s->raw_ids, def->id) = s->raw.n;
	*vec_push(&s->raw) = raw;
}

/* ---------------------------------------------------------- logical stacks, interned by content */

static uint64_t hash_frames(const struct frame *f, unsigned n)
{
	uint64_t h = n;

	/* The strings follow from the pc in all but freak cases, which same_frames tells apart. */
	for (unsigned i = 0; i < n; i++)
		h = hash_u64(h ^ hash_u64(f[i].pc + f[i].line));
	return h;
}

static bool is_same_string(const char *a, const char *b)
{
	return a == b || !strcmp(a, b);
}

static bool is_same_stack(const struct logical_stack *l, const struct frame *f, unsigned n)
{
	if (l->n != n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		const struct frame *g = &l->frames[i];

		if (g->pc != f[i].pc || g->line != f[i].line ||
		    !is_same_string(g->func, f[i].func) ||
		    !is_same_string(g->file, f[i].file))
			return false;
	}
	return true;
}

static uint32_t intern(struct stacks *s, const struct frame *f, unsigned n)
{
	if (!n)
		return 0;
	/* Two stacks with one hash: the second is looked for under the next one. */
	for (uint64_t h = hash_frames(f, n);; h++) {
		uint64_t *number = map64_at(&s->by_content, h);

		if (!*number) {
			*number = s->logical.n;
			*vec_push(&s->logical) = (struct logical_stack){
				.frames = xmemdup(f, n * sizeof(*f)), .n = n,
			};
		}
		if (is_same_stack(&s->logical.v[*number], f, n))
			return (uint32_t)*number;
	}
}

/* One expansion: what fpunwindExpand keeps in local variables. */
struct expansion {
	struct frame frames[STACK_MAX_FRAMES];
	unsigned n, skip;
	bool keeps_wrapper; /* the frame before was gopanic, sigpanic or panicwrap */
	bool is_whole;      /* reached runtime.goexit */
};

static void add_frame(struct expansion *x, const struct frame *f)
{
	if (x->skip) {
		x->skip--;
		return;
	}
	struct frame *out = &x->frames[x->n++];

	*out = *f;
	out->func = f->func ? f->func : "";
	out->file = f->file ? f->file : "";
}

/*
 * Every goroutine's outermost frame, not shown. A walk that follows a stale frame pointer runs past
 * it into frames that have returned (seen in live recordings, 4 stacks in 1.4 M events): they do
 * not belong to the stack.
 */
static bool is_goexit(const struct frame *f)
{
	return f->func && !strcmp(f->func, "runtime.goexit");
}

static void expand_pc(struct stacks *s, struct expansion *x, uint64_t call_pc)
{
	struct frame inlined[SYMBOL_MAX_INLINE];
	int n = s->symbols->frames(s->symbols, call_pc, inlined, SYMBOL_MAX_INLINE);

	/*
	 * Not Go code: counts as a frame for skip, is then left out (runtime/symtab.go:
	 * Frames.Next).
	 */
	if (n <= 0 && x->skip)
		x->skip--;
	for (int i = 0; i < n && x->n < STACK_MAX_FRAMES; i++) {
		if (is_goexit(&inlined[i])) {
			x->is_whole = true;
			return;
		}
		if (!inlined[i].is_wrapper || x->keeps_wrapper)
			add_frame(x, &inlined[i]);
		x->keeps_wrapper = inlined[i].keeps_wrapper;
	}
}

static void drop_outermost(struct expansion *x, const char *func)
{
	if (x->n && !strcmp(x->frames[x->n - 1].func, func))
		x->n--;
}

static uint32_t expand(struct stacks *s, const struct raw_stack *raw, unsigned skip, bool is_g1)
{
	struct expansion x;

	x.n = 0;
	x.skip = skip;
	x.keeps_wrapper = false;
	x.is_whole = false;
	for (unsigned i = 0; i < raw->n && x.n < STACK_MAX_FRAMES && !x.is_whole; i++) {
		bool is_exact = i == 0 && (raw->flags & STACK_F_LEAF_EXACT);

		expand_pc(s, &x, raw->pcs[i] - !is_exact);
	}
	if (is_g1)
		drop_outermost(&x, "runtime.main");
	return intern(s, x.frames, x.n);
}

uint32_t stacks_logical(struct stacks *s, uint32_t raw_id, unsigned skip, bool is_g1)
{
	uint64_t key = (uint64_t)raw_id << 32 | skip << 1 | is_g1;
	uint32_t number;

	if (!raw_id)
		return 0;
	if (cache_get(&s->resolved, key, &number))
		return number;
	uint64_t *raw = map64_get(&s->raw_ids, raw_id);

	if (!raw)
		return 0; /* not cached: its definition may still come */
	number = expand(s, &s->raw.v[*raw], skip, is_g1);
	cache_put(&s->resolved, key, number);
	return number;
}

uint32_t stacks_start(struct stacks *s, uint64_t start_pc)
{
	struct frame f = {0};
	uint32_t number;

	if (!start_pc)
		return 0;
	if (cache_get(&s->starts, start_pc, &number))
		return number;
	if (s->symbols->start_func(s->symbols, start_pc, &f) || !f.func) {
		number = 0;
	} else {
		f.file = f.file ? f.file : "";
		number = intern(s, &f, 1);
	}
	cache_put(&s->starts, start_pc, number);
	return number;
}

const struct frame *stacks_frames(const struct stacks *s, uint32_t number, unsigned *n)
{
	const struct logical_stack *l = number < s->logical.n ? &s->logical.v[number] :
		&s->logical.v[0];

	*n = l->n;
	return l->frames;
}

static const struct frame *frames_of(const void *stacks, uint32_t number, unsigned *n)
{
	return stacks_frames(stacks, number, n);
}

struct stack_source stacks_source(const struct stacks *s)
{
	return (struct stack_source){frames_of, s};
}
