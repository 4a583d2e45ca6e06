/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - see pool.h. */
#include "read/pool.h"

#include <stdlib.h>

enum { POOL_BLOCK = 256 << 10, STACK_CHUNK = 4096, STACK_CHUNKS = 1 << 16 };

struct kept {
	struct kept *next; /* of the same hash */
	uint32_t n;
	char bytes[];
};

static void *alloc(struct pool *p, size_t n)
{
	n = (n + 7) & ~(size_t)7;
	p->bytes += n;
	if (!p->blocks.n || n > p->block_left) {
		p->block_left = max_u64(n, POOL_BLOCK);
		*vec_push(&p->blocks) = (struct pool_block){ xmalloc(p->block_left) };
		/* the rest is taken from the end, so that one number says where */
	}
	p->block_left -= n;
	return p->blocks.v[p->blocks.n - 1].p + p->block_left;
}

struct str pool_string(struct pool *p, struct gen_string *s)
{
	if (!s->kept) {
		uint64_t *head = map64_at(&p->string_index, hash_bytes(s->bytes.s, s->bytes.n, 1));
		struct kept *k = (struct kept *)(uintptr_t)*head;

		while (k && (k->n != s->bytes.n || memcmp(k->bytes, s->bytes.s, k->n)))
			k = k->next;
		if (!k) {
			k = alloc(p, sizeof(*k) + s->bytes.n + 1);
			k->next = (struct kept *)(uintptr_t)*head;
			k->n = s->bytes.n;
			memcpy(k->bytes, s->bytes.s, k->n);
			k->bytes[k->n] = 0;
			*head = (uintptr_t)k;
		}
		s->kept = k->bytes;
	}
	return (struct str){ s->kept, s->bytes.n };
}

static struct pool_stack *stack_at(const struct pool *p, uint32_t number)
{
	return &p->stacks[(number - 1) / STACK_CHUNK][(number - 1) % STACK_CHUNK];
}

static struct pool_stack *stack_new(struct pool *p)
{
	size_t chunk = p->n_stacks / STACK_CHUNK;

	if (!p->stacks)
		p->stacks = xcalloc(STACK_CHUNKS, sizeof(p->stacks[0]));
	if (chunk == STACK_CHUNKS)
		return NULL;
	if (!p->stacks[chunk])
		p->stacks[chunk] = xcalloc(STACK_CHUNK, sizeof(p->stacks[chunk][0]));
	/* another thread may just ask for an older one */
	__atomic_store_n(&p->n_stacks, p->n_stacks + 1, __ATOMIC_RELAXED);
	return stack_at(p, (uint32_t)p->n_stacks);
}

static bool has_pcs(const struct pool_stack *k, const uint64_t *pcs, uint32_t n)
{
	if (k->n != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (k->frames[i].pc != pcs[i])
			return false;
	return true;
}

static const char *text_of(struct pool *p, struct generation *g, uint64_t id)
{
	return pool_string(p, generation_string(g, id))
		.s; /* generation_load saw that it is there */
}

uint32_t pool_stack(struct pool *p, struct generation *g, struct gen_stack *s)
{
	uint64_t pcs[STACK_FRAMES_MAX];

	if (s->number)
		return s->number;
	for (uint32_t i = 0; i < s->n; i++)
		pcs[i] = g->frames.v[g->stack_frames.v[s->first + i]].pc;
	uint64_t *head = map64_at(&p->stack_index, hash_bytes(pcs, s->n * sizeof(pcs[0]), 2));
	uint32_t number = (uint32_t)*head;

	while (number && !has_pcs(stack_at(p, number), pcs, s->n))
		number = stack_at(p, number)->next;
	if (!number) {
		struct pool_stack *k = stack_new(p);

		if (!k)
			return 0; /* of 268 million different ones the rest is not told apart */
		struct frame *frames = alloc(p, s->n * sizeof(*frames));

		for (uint32_t i = 0; i < s->n; i++) {
			const struct gen_frame *f = &g->frames.v[g->stack_frames.v[s->first + i]];

			frames[i] = (struct frame){ .pc = f->pc,
						    .func = text_of(p, g, f->func),
						    .file = text_of(p, g, f->file),
						    .line = (uint32_t)f->line };
		}
		*k = (struct pool_stack){ frames, s->n, (uint32_t)*head };
		number = (uint32_t)p->n_stacks;
		*head = number;
	}
	s->number = number;
	return number;
}

const struct frame *pool_frames(const struct pool *p, uint32_t number, unsigned *n)
{
	if (!number || number > __atomic_load_n(&p->n_stacks, __ATOMIC_RELAXED)) {
		*n = 0;
		return NULL;
	}
	*n = stack_at(p, number)->n;
	return stack_at(p, number)->frames;
}

void pool_free(struct pool *p)
{
	for (size_t i = 0; i < p->blocks.n; i++)
		free(p->blocks.v[i].p);
	vec_free(&p->blocks);
	for (size_t i = 0; p->stacks && i * STACK_CHUNK < p->n_stacks; i++)
		free(p->stacks[i]);
	free(p->stacks);
	map64_free(&p->string_index);
	map64_free(&p->stack_index);
}
