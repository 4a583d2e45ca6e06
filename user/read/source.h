/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - bytes of a trace file, or of a pipe, once, from front to back.
 *
 * Knows the offset, for the sentence when something is wrong. Reads no further than asked for plus one buffer.
 */
#ifndef READ_SOURCE_H
#define READ_SOURCE_H

#include "base/base.h"

struct source {
	int fd;                /* not owned */
	uint64_t offset;       /* of the next byte that source_* gives */
	int error;             /* errno of a failed read, 0; the bytes end there */
	uint8_t *buffer;
	size_t at, n;
};

void source_open(struct source *s, int fd);
void source_close(struct source *s);

/* Up to n bytes; fewer only where the bytes end. */
size_t source_read(struct source *s, void *out, size_t n);
/* The next byte, -1 where the bytes end. */
int source_byte(struct source *s);
/* 0; -ENODATA: the bytes end inside it; -EBADMSG: more than ten bytes. */
int source_varint(struct source *s, uint64_t *ret);

#endif
