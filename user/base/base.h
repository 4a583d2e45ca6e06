/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base.h - memory, vectors, bytes, a small hash map, messages: what every layer needs and no layer owns.
 *
 * Allocation never fails: out of memory ends the program with a sentence. Functions that can fail otherwise
 * return 0 or -errno and leave their results untouched on failure.
 */
#ifndef BASE_H
#define BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CLEANUP(f) __attribute__((cleanup(f)))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);
void *xmemdup(const void *p, size_t n);
char *xmemdup0(const void *p, size_t n); /* and a NUL after them; p may be NULL for none */

/* What a terminal could act on becomes '?'. */
static inline char printable(char c) { return (unsigned char)c < ' ' || c == 0x7f ? '?' : c; }
/* As much of n bytes as fits, NUL-terminated; what is not ASCII text becomes '?'. */
void copy_ascii(char *out, size_t size, const void *p, size_t n);

void freep(void *p);   /* for CLEANUP: free(*(void **)p) */
void closep(int *fd);  /* for CLEANUP: close(*fd) unless negative */

/*
 * Vectors: VEC(struct site) v = {0}; *vec_push(&v) = s; for (size_t i = 0; i < v.n; i++) v.v[i]...; vec_free(&v).
 * The zero vector is empty. Pointers into it die at the next push.
 */
#define VEC(type) struct { type *v; size_t n, cap; }
#define vec_reserve(p, want) \
	((p)->v = vec_grow((p)->v, &(p)->cap, (want), sizeof(*(p)->v)))
#define vec_push(p) (vec_reserve((p), (p)->n + 1), &(p)->v[(p)->n++])
#define vec_free(p) (freep(&(p)->v), (p)->v = NULL, (p)->n = (p)->cap = 0)
void *vec_grow(void *v, size_t *cap, size_t want, size_t size);

/* Unsigned LEB128 at p, at most 10 bytes; returns where it ends. */
static inline uint8_t *put_varint(uint8_t *p, uint64_t x)
{
	for (; x >= 0x80; x >>= 7)
		*p++ = (uint8_t)(x | 0x80);
	*p++ = (uint8_t)x;
	return p;
}

/* Bytes that grow. The zero buf is empty. */
struct buf {
	uint8_t *v;
	size_t n, cap;
};
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_byte(struct buf *b, uint8_t c);
void buf_varint(struct buf *b, uint64_t x);  /* as put_varint */
void buf_u32(struct buf *b, uint32_t x);     /* little endian */
void buf_u64(struct buf *b, uint64_t x);
void buf_str(struct buf *b, const char *s);  /* without its NUL */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_free(struct buf *b);

/*
 * Bytes from outside. Cannot run past its end: a read that would sets `bad`, returns zero and stays put; check
 * `bad` once at the end of a piece.
 */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};
struct cursor cursor_of(const void *p, size_t n);
size_t cursor_left(const struct cursor *c);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);    /* 1..10 bytes, below 2^64 */
const uint8_t *cursor_bytes(struct cursor *c, size_t n); /* NULL and bad if not there */

/*
 * From uint64_t to uint64_t. Key 0 is a key like any other. The zero map is empty. Open addressing, four slots to a cache
 * line: what it costs is a multiplication and the one line that a lookup misses.
 */
struct map64 {
	struct map64_slot { uint64_t key, value; } *slots; /* key 0: free */
	size_t n, cap;
	unsigned shift;        /* 64 - log2(cap) */
	bool has_zero;
	uint64_t zero_value;   /* of key 0 */
};

extern uint64_t map64_multiplier; /* odd; another one in each process: no file can be made so that all it holds falls into one slot */

/* Where the key is, or would be. cap is a power of two and never full. */
static inline size_t map64_find(const struct map64 *m, uint64_t key)
{
	size_t i = key * map64_multiplier >> m->shift;

	while (m->slots[i].key && m->slots[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

/* NULL: not there. Dies at the next at/del. */
static inline uint64_t *map64_get(const struct map64 *m, uint64_t key)
{
	if (!key)
		return m->has_zero ? (uint64_t *)&m->zero_value : NULL;
	if (!m->cap)
		return NULL;
	struct map64_slot *s = &m->slots[map64_find(m, key)];

	return s->key ? &s->value : NULL;
}
uint64_t *map64_at(struct map64 *m, uint64_t key);               /* created with value 0 */
bool map64_del(struct map64 *m, uint64_t key);
bool map64_next(const struct map64 *m, size_t *pos, uint64_t *key, uint64_t *value); /* *pos from 0 */
void map64_free(struct map64 *m);

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed); /* another one in each process */
uint64_t hash_u64(uint64_t x);

/*
 * A sentence for the user, kept by the layer that knows it, printed once by cmd/. why_set returns err so that
 * `return why_set(why, -ENOENT, "...")` is one line; why may be NULL.
 */
struct why {
	char text[1024];
};
int why_set(struct why *why, int err, const char *fmt, ...) PRINTF(3, 4);

/* stderr. Level 0 errors and warnings only, 1 progress (-v), 2 debugging (-vv). */
extern int log_level;
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);

uint64_t now_ns(void); /* CLOCK_MONOTONIC */

/* Whole file, at most max bytes: -EFBIG when larger. Also for /proc files of unknown size. NUL-terminated beyond n. */
int read_file(const char *path, size_t max, struct buf *out);
/* All n bytes or -errno. */
int write_all(int fd, const void *p, size_t n);

#endif
