/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - see source.h. */
#include "read/source.h"
#include "read/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Not in large pages (MADV_HUGEPAGE): 5 % less when the kernel has some, 25 % more when it has to
 * make them. */
static uint8_t *new_block(void)
{
	return xmalloc(SOURCE_BLOCK + VARINT_SLACK);
}

void source_open(struct source *s, int fd)
{
	*s = (struct source){ .fd = fd };
	*vec_push(&s->blocks) = (struct source_block){ new_block() };
}

void source_close(struct source *s)
{
	for (size_t i = 0; i < s->blocks.n; i++)
		free(s->blocks.v[i].p);
	vec_free(&s->blocks);
}

/* Into the next block, with what was not taken from this one. */
static void next_block(struct source *s)
{
	if (s->block + 1 == s->blocks.n)
		*vec_push(&s->blocks) = (struct source_block){ new_block() };
	memcpy(s->blocks.v[s->block + 1].p, s->blocks.v[s->block].p + s->at, s->n - s->at);
	s->block++;
	s->n -= s->at;
	s->at = 0;
}

static void read_some(struct source *s)
{
	ssize_t n;

	do
		n = read(s->fd, s->blocks.v[s->block].p + s->n, SOURCE_BLOCK - s->n);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		s->error = errno;
	s->has_ended = n <= 0;
	s->n += n > 0 ? (size_t)n : 0;
}

const uint8_t *source_peek(struct source *s, size_t n, size_t *left)
{
	if (s->at + n > SOURCE_BLOCK)
		next_block(s);
	while (s->n - s->at < n && !s->has_ended)
		read_some(s);
	*left = s->n - s->at;
	return s->blocks.v[s->block].p + s->at;
}

void source_skip(struct source *s, size_t n)
{
	s->at += n;
	s->offset += n;
}

void source_unskip(struct source *s, size_t n)
{
	s->at -= n;
	s->offset -= n;
}

void source_forget(struct source *s)
{
	struct source_block first = s->blocks.v[0];

	s->blocks.v[0] = s->blocks.v[s->block];
	s->blocks.v[s->block] = first;
	s->block = 0;
}
