/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - strings and stacks that outlive their generation: equal ones are kept once, for as long as the reader.
 *
 * A string is the same pointer whenever it is the same bytes. A stack is a number from 1, the same for the same pcs (as the
 * profiles of Go's tool take it); its frames are those it was first seen with. Memory: what is referred to by an event, once.
 * What was given stays where it is: another thread that was told a number or a string may look at it while more is added.
 */
#ifndef READ_POOL_H
#define READ_POOL_H

#include "gotrace/symbols.h"
#include "read/generation.h"

struct pool {
	struct map64 string_index; /* hash -> a string; next of equal hashes in the string */
	struct map64 stack_index;  /* hash -> number; next likewise */
	struct pool_stack { struct frame *frames; uint32_t n, next; } **stacks; /* chunks that stay where they are */
	size_t n_stacks;
	VEC(struct pool_block { uint8_t *p; }) blocks;
	size_t block_left;
	uint64_t bytes;            /* of all strings and stacks */
};

/* NUL-terminated, but may hold NULs. */
struct str pool_string(struct pool *p, struct gen_string *s);
uint32_t pool_stack(struct pool *p, struct generation *g, struct gen_stack *s);
/* Leaf first. NULL and *n = 0 for number 0 and one that was not given. */
const struct frame *pool_frames(const struct pool *p, uint32_t number, unsigned *n);
void pool_free(struct pool *p);

#endif
