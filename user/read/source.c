/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - see source.h. */
#include "read/source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { SOURCE_BUFFER = 256 << 10 };

void source_open(struct source *s, int fd)
{
	*s = (struct source){ .fd = fd, .buffer = xmalloc(SOURCE_BUFFER) };
}

void source_close(struct source *s)
{
	free(s->buffer);
	s->buffer = NULL;
}

static bool refill(struct source *s)
{
	ssize_t n;

	if (s->error)
		return false;
	do
		n = read(s->fd, s->buffer, SOURCE_BUFFER);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		s->error = errno;
	s->at = 0;
	s->n = n > 0 ? (size_t)n : 0;
	return s->n > 0;
}

size_t source_read(struct source *s, void *out, size_t n)
{
	size_t done = 0;

	while (done < n && (s->at < s->n || refill(s))) {
		size_t some = min_u64(n - done, s->n - s->at);

		memcpy((uint8_t *)out + done, s->buffer + s->at, some);
		s->at += some;
		done += some;
	}
	s->offset += done;
	return done;
}

int source_byte(struct source *s)
{
	if (s->at == s->n && !refill(s))
		return -1;
	s->offset++;
	return s->buffer[s->at++];
}

int source_varint(struct source *s, uint64_t *ret)
{
	uint64_t x = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		int c = source_byte(s);

		if (c < 0)
			return -ENODATA;
		if (shift == 63 && c > 1)
			break;
		x |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*ret = x;
			return 0;
		}
	}
	return -EBADMSG;
}
