/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what the fuzz targets share: bytes as a file, and a mutator that knows where the pieces of a file begin.
 *
 * A target is one fuzz_NAME.c with LLVMFuzzerTestOneInput. It is linked twice: with libFuzzer (make fuzz) and with
 * replay.c, by any compiler, which runs the files of seeds/NAME and crashes/NAME once (tests/run). What may not be is an
 * abort: of a sanitizer, of base.h, or of CHECK.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max); /* libFuzzer's own; replay.c has an empty one */

#define CHECK(cond)                                                                              \
	do {                                                                                     \
		if (!(cond)) {                                                                   \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);       \
			abort();                                                                 \
		}                                                                                \
	} while (0)

/* One file in memory for the life of the program: it holds these bytes now and stands at its beginning. */
static inline int file_of(const uint8_t *data, size_t n)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	CHECK(!n || pwrite(fd, data, n, 0) == (ssize_t)n);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* Where what is printed goes. */
static inline FILE *nowhere(void)
{
	static FILE *f;

	if (!f)
		f = fopen("/dev/null", "w");
	return f;
}

/* So that a sanitizer sees all of it. */
static inline void touch(const void *p, size_t n)
{
	static volatile uint64_t sum __attribute__((unused));

	sum += hash_bytes(p, n, 0);
}

/* ------------------------------------------------------------------------------- pieces of a file */

/* head bytes, then a varint that counts the body, then the body. */
struct piece {
	size_t at, head, body, n;
};

/* The piece at data: where its count stands is the caller's knowledge. False: none. */
typedef bool (*piece_head)(const uint8_t *data, size_t n, size_t *head);

static inline bool piece_at(const uint8_t *data, size_t n, size_t at, piece_head head_of, struct piece *ret)
{
	struct piece p = {.at = at};

	if (at >= n || !head_of(data + at, n - at, &p.head))
		return false;
	struct cursor c = cursor_of(data + at + p.head, n - at - p.head);

	p.n = cursor_varint(&c);
	if (c.bad || p.n > cursor_left(&c))
		return false;
	p.body = (size_t)(c.p - data);
	*ret = p;
	return true;
}

enum { PIECES_MAX = 4096 };

/*
 * Changes one piece of the file and its count with it, or leaves out, doubles, exchanges pieces; now and then, and where
 * there are none, libFuzzer's own mutation of the whole.
 */
static inline size_t mutate_pieces(uint8_t *data, size_t n, size_t max, unsigned seed, size_t first, piece_head head_of)
{
	static struct piece p[PIECES_MAX];
	size_t count = 0;

	for (size_t at = first; count < PIECES_MAX && piece_at(data, n, at, head_of, &p[count]); count++)
		at = p[count].body + p[count].n;
	uint64_t random = hash_u64(seed + 1);
	unsigned what = random % 16;

	if (!count || what == 0)
		return LLVMFuzzerMutate(data, n, max);
	const struct piece *a = &p[(random >> 8) % count], *b = &p[(random >> 32) % count];
	CLEANUP(buf_free) struct buf out = {0}, body = {0};

	for (size_t i = 0; i < count; i++) {
		const struct piece *x = &p[i];
		size_t whole = x->body + x->n - x->at;

		if (i == 0)
			buf_add(&out, data, x->at);
		if (what == 1 && x == a)
			continue;
		if (what == 2 && x == a)
			buf_add(&out, data + x->at, whole);
		if (what == 3 && (x == a || x == b))
			x = x == a ? b : a;
		whole = x->body + x->n - x->at;
		if (what <= 3 || x != a) {
			buf_add(&out, data + x->at, whole);
			continue;
		}
		buf_reserve(&body, x->n + 64);
		memcpy(body.v, data + x->body, x->n);
		body.n = LLVMFuzzerMutate(body.v, x->n, x->n + 64);
		buf_add(&out, data + x->at, x->head);
		buf_varint(&out, body.n);
		buf_add(&out, body.v, body.n);
	}
	buf_add(&out, data + p[count - 1].body + p[count - 1].n, n - p[count - 1].body - p[count - 1].n);
	if (out.n > max)
		out.n = max;
	memcpy(data, out.v, out.n);
	return out.n;
}

/* ------------------------------------------------------------------------------- pieces of a trace */

/* A batch: a byte, for an experiment one more, then number, thread, time and size. */
static inline bool trace_batch_head(const uint8_t *data, size_t n, size_t *head)
{
	struct cursor c = cursor_of(data, n);

	if (data[0] == 52) { /* the end of a generation, of which the next byte is another batch's */
		cursor_u8(&c);
		if (!cursor_left(&c))
			return false;
	}
	if (cursor_u8(&c) == 49)
		cursor_u8(&c);
	for (int i = 0; i < 3; i++)
		cursor_varint(&c);
	*head = n - cursor_left(&c);
	return !c.bad;
}

/* The pieces of a trace are its batches; 16 bytes of header stand before them. */
static inline size_t mutate_batches(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	return mutate_pieces(data, n, max, seed, 16, trace_batch_head);
}

#endif
