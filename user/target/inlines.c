/* SPDX-License-Identifier: Apache-2.0 */
/* inlines.c - see inlines.h. */
#include "target/inlines.h"

#include <stdlib.h>

struct copy {
	const char *func;
	uint64_t parent_pc; /* of the inlined call: one for every copy */
	struct go_func container;
};

struct inlines {
	struct symbols *symbols; /* owns the names */
	VEC(struct owned_call) calls;
	VEC(struct copy) copies;
};

/*
 * casGToWaiting, casGToWaitingForSuspendG... set a wait reason and call casgstatus (runtime/proc.go); traceAcquire,
 * traceEnabled... test the trace flag (runtime/traceruntime.go).
 */
static bool is_helper(const char *func)
{
	return !strncmp(func, "runtime.casGTo", 14) || !strncmp(func, "runtime.trace", 13);
}

static const char *owner_of(const struct frame *frames, int n, uint64_t *ret_body)
{
	int k = 0;

	while (k < n - 1 && is_helper(frames[k].func))
		k++;
	*ret_body = k < n - 1 ? frames[k + 1].pc : 0;
	return frames[k].func;
}

static void add_copy(struct inlines *in, const char *func, uint64_t parent_pc, const struct go_func *container)
{
	for (size_t i = in->copies.n; i-- > 0;)
		if (in->copies.v[i].parent_pc == parent_pc && !strcmp(in->copies.v[i].func, func))
			return;
	*vec_push(&in->copies) = (struct copy){func, parent_pc, *container};
}

static const char *callee_of(const struct pclntab *t, uint64_t target)
{
	struct go_func f;

	return pclntab_find_pc(t, target, &f) && f.entry == target ? f.name : NULL;
}

static void take_call(struct inlines *in, const struct pclntab *t, const struct runtime_call *call)
{
	struct frame frames[SYMBOL_MAX_INLINE];
	int n = in->symbols->frames(in->symbols, call->addr, frames, ARRAY_SIZE(frames));
	uint64_t body;

	*vec_push(&in->calls) = (struct owned_call){*call, callee_of(t, call->target),
						    n > 1 ? owner_of(frames, n, &body) : call->caller.name};
	for (int k = 0; k + 1 < n; k++)
		add_copy(in, frames[k].func, frames[k + 1].pc, &call->caller);
}

struct inlines *inlines_open(struct codes *cs, const struct pclntab *t)
{
	struct inlines *in = xcalloc(1, sizeof(*in));
	struct runtime_call call;

	in->symbols = pclntab_symbols((struct pclntab *)t, 0); /* which only reads it */
	for (size_t pos = 0; codes_next_call(cs, &pos, &call);)
		take_call(in, t, &call);
	return in;
}

void inlines_close(struct inlines *in)
{
	if (!in)
		return;
	vec_free(&in->calls);
	vec_free(&in->copies);
	symbols_close(in->symbols);
	free(in);
}

bool inlines_next(const struct inlines *in, size_t *pos, struct owned_call *ret)
{
	if (*pos >= in->calls.n)
		return false;
	*ret = in->calls.v[(*pos)++];
	return true;
}

size_t inlines_copies(const struct inlines *in, const char *func)
{
	size_t n = 0;

	for (size_t i = 0; i < in->copies.n; i++)
		n += !strcmp(in->copies.v[i].func, func);
	return n;
}

bool inlines_next_copy(const struct inlines *in, const char *func, size_t *pos, struct go_func *ret)
{
	while (*pos < in->copies.n) {
		const struct copy *c = &in->copies.v[(*pos)++];

		if (strcmp(c->func, func))
			continue;
		*ret = c->container;
		return true;
	}
	return false;
}

const char *inlines_owner(const struct inlines *in, uint64_t pc, uint64_t *ret_body)
{
	struct frame frames[SYMBOL_MAX_INLINE];
	int n = in->symbols->frames(in->symbols, pc, frames, ARRAY_SIZE(frames));

	*ret_body = 0;
	return n ? owner_of(frames, n, ret_body) : "";
}
