/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - bytes of a trace file, or of a pipe, from front to back, in memory that stays until it is given back.
 *
 * What source_peek shows stays where it is until source_forget: a generation's batches are never copied. Memory is that of the
 * bytes between two source_forget, in blocks of 2 MB that are used again.
 */
#ifndef READ_SOURCE_H
#define READ_SOURCE_H

#include "base/base.h"

enum { SOURCE_BLOCK = 2 << 20 };

struct source {
	int fd;                /* not owned */
	uint64_t offset;       /* of the next byte, in the file */
	int error;             /* errno of a failed read, 0; the bytes end there */
	bool has_ended;
	VEC(struct source_block { uint8_t *p; }) blocks;
	size_t block, at, n;   /* the next byte is blocks.v[block].p[at]; n bytes of that block were read */
};

void source_open(struct source *s, int fd);
void source_close(struct source *s);

/* The next n bytes, at most SOURCE_BLOCK / 2, in one piece; *left: how many are there, fewer only where the bytes end. VARINT_SLACK
 * more may be read from memory, with any content. */
const uint8_t *source_peek(struct source *s, size_t n, size_t *left);
void source_skip(struct source *s, size_t n);       /* of what was peeked */
void source_unskip(struct source *s, size_t n);     /* of what was skipped last */
/* What was skipped is not looked at any more. */
void source_forget(struct source *s);

#endif
