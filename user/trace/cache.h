/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache.h - from a nonzero uint64_t to a uint32_t, nothing is ever removed: the lookup of the hot
 * paths.
 *
 * Unlike map64 a hit is one multiplication and, nearly always, one cache line; inline for that
 * reason. The zero cache is empty.
 */
#ifndef TRACE_CACHE_H
#define TRACE_CACHE_H

#include <stdlib.h>

#include "base/base.h"

struct cache {
	struct cache_slot { uint64_t key; uint32_t value; } *slots;
	size_t n, cap;
	unsigned shift; /* 64 - log2(cap) */
};

static inline struct cache_slot *cache_slot_of(const struct cache *c, uint64_t key)
{
	size_t i = key * 0x9e3779b97f4a7c15ull >> c->shift;

	while (c->slots[i].key && c->slots[i].key != key)
		i = (i + 1) & (c->cap - 1);
	return &c->slots[i];
}

static inline bool cache_get(const struct cache *c, uint64_t key, uint32_t *ret)
{
	if (!c->cap)
		return false;
	const struct cache_slot *s = cache_slot_of(c, key);

	if (!s->key)
		return false;
	*ret = s->value;
	return true;
}

static inline void cache_grow(struct cache *c)
{
	struct cache old = *c;

	c->cap = old.cap ? old.cap * 2 : 256;
	c->shift = 64u - (unsigned)__builtin_ctzll(c->cap);
	c->slots = xcalloc(c->cap, sizeof(*c->slots));
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].key)
			*cache_slot_of(c, old.slots[i].key) = old.slots[i];
	free(old.slots);
}

static inline void cache_put(struct cache *c, uint64_t key, uint32_t value)
{
	if (c->n * 2 >= c->cap)
		cache_grow(c);
	struct cache_slot *s = cache_slot_of(c, key);

	c->n += !s->key;
	*s = (struct cache_slot){key, value};
}

/* Forgets everything, keeps the memory. */
static inline void cache_clear(struct cache *c)
{
	if (c->n)
		memset(c->slots, 0, c->cap * sizeof(*c->slots));
	c->n = 0;
}

static inline void cache_free(struct cache *c)
{
	free(c->slots);
	*c = (struct cache){0};
}

#endif
