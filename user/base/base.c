/* SPDX-License-Identifier: Apache-2.0 */
/* base.c - see base.h. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

int log_level;

static void *check_oom(void *p, size_t n)
{
	if (!p && n) {
		fprintf(stderr, "gotrace: out of memory (%zu bytes wanted)\n", n);
		abort();
	}
	return p;
}

void *xmalloc(size_t n)
{
	return check_oom(malloc(n), n);
}

void *xcalloc(size_t n, size_t size)
{
	return check_oom(calloc(n, size), n * size);
}

void *xrealloc(void *p, size_t n)
{
	return check_oom(realloc(p, n), n);
}

char *xstrdup(const char *s)
{
	return check_oom(strdup(s), strlen(s));
}

void *xmemdup(const void *p, size_t n)
{
	void *q = xmalloc(n ? n : 1);

	memcpy(q, p, n);
	return q;
}

char *xmemdup0(const void *p, size_t n)
{
	char *q = xmalloc(n + 1);

	if (n)
		memcpy(q, p, n);
	q[n] = 0;
	return q;
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		check_oom(NULL, 1);
	va_end(ap);
	return s;
}

void copy_ascii(char *out, size_t size, const void *p, size_t n)
{
	size_t len = min_u64(n, size - 1);

	for (size_t i = 0; i < len; i++) {
		char c = ((const char *)p)[i];

		out[i] = c & (char)0x80 ? '?' : printable(c);
	}
	out[len] = 0;
}

void freep(void *p)
{
	free(*(void **)p);
}

void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void *vec_grow(void *v, size_t *cap, size_t want, size_t size)
{
	if (want <= *cap)
		return v;
	size_t n = *cap ? *cap : 8;

	while (n < want)
		n += n / 2 + 1;
	*cap = n;
	return xrealloc(v, n * size);
}

void buf_reserve(struct buf *b, size_t more)
{
	b->v = vec_grow(b->v, &b->cap, b->n + more, 1);
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (!n)
		return;
	buf_reserve(b, n);
	memcpy(b->v + b->n, p, n);
	b->n += n;
}

void buf_byte(struct buf *b, uint8_t c)
{
	buf_add(b, &c, 1);
}

void buf_varint(struct buf *b, uint64_t x)
{
	buf_reserve(b, 10);
	b->n = (size_t)(put_varint(b->v + b->n, x) - b->v);
}

void buf_u32(struct buf *b, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		buf_byte(b, (uint8_t)(x >> (8 * i)));
}

void buf_u64(struct buf *b, uint64_t x)
{
	buf_u32(b, (uint32_t)x);
	buf_u32(b, (uint32_t)(x >> 32));
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	buf_reserve(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf((char *)b->v + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void buf_free(struct buf *b)
{
	free(b->v);
	*b = (struct buf){0};
}

struct cursor cursor_of(const void *p, size_t n)
{
	const uint8_t *start = p ? p : (const void *)""; /* of no bytes, which may stand at NULL */

	return (struct cursor){.p = start, .end = start + n};
}

size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
	if (cursor_left(c) < n) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return c->p - n;
}

static uint64_t little_endian(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_bytes(c, n);
	uint64_t x = 0;

	for (size_t i = 0; p && i < n; i++)
		x |= (uint64_t)p[i] << (8 * i);
	return x;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)little_endian(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)little_endian(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)little_endian(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
	return little_endian(c, 8);
}

uint64_t cursor_varint(struct cursor *c)
{
	const uint8_t *start = c->p;
	uint64_t x = 0;

	for (int shift = 0; shift < 70 && c->p < c->end; shift += 7) {
		uint8_t b = *c->p++;

		if (shift == 63 && b > 1)
			break;
		x |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return x;
	}
	c->p = start;
	c->bad = true;
	return 0;
}

uint64_t hash_u64(uint64_t x)
{
	/* The finaliser of splitmix64. */
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t map64_multiplier = 0x9e3779b97f4a7c15ull;
static uint64_t salt; /* of hash_bytes */

static void __attribute__((constructor)) choose_salt(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	if (!random)
		return;
	memcpy(&salt, random, sizeof(salt));
	memcpy(&map64_multiplier, (const uint8_t *)random + sizeof(salt), sizeof(map64_multiplier));
	map64_multiplier |= 1;
}

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed)
{
	const uint8_t *s = p;
	uint64_t h = seed ^ salt ^ n * 0x9e3779b97f4a7c15ull;

	for (; n >= 8; n -= 8, s += 8) {
		uint64_t w;

		memcpy(&w, s, 8);
		h = hash_u64(h ^ w);
	}
	if (n) {
		uint64_t w = 0;

		memcpy(&w, s, n);
		h = hash_u64(h ^ w);
	}
	return hash_u64(h);
}

static void map64_grow(struct map64 *m)
{
	struct map64 old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->shift = 64u - (unsigned)__builtin_ctzll(m->cap);
	m->slots = aligned_alloc(64, m->cap * sizeof(*m->slots));
	check_oom(m->slots, m->cap * sizeof(*m->slots));
	memset(m->slots, 0, m->cap * sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].key)
			m->slots[map64_find(m, old.slots[i].key)] = old.slots[i];
	free(old.slots);
}

uint64_t *map64_at(struct map64 *m, uint64_t key)
{
	if (!key) {
		m->zero_value = m->has_zero ? m->zero_value : 0;
		m->n += !m->has_zero;
		m->has_zero = true;
		return &m->zero_value;
	}
	if ((m->n + 1) * 3 > m->cap * 2)
		map64_grow(m);
	struct map64_slot *s = &m->slots[map64_find(m, key)];

	if (!s->key) {
		m->n++;
		*s = (struct map64_slot){.key = key};
	}
	return &s->value;
}

/* Moves back what could not stand where it belongs because of the deleted one, so that no gap is left behind. */
static void map64_close_gap(struct map64 *m, size_t gap)
{
	size_t mask = m->cap - 1;

	for (size_t i = (gap + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		size_t home = m->slots[i].key * map64_multiplier >> m->shift;

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		m->slots[gap] = m->slots[i];
		gap = i;
	}
	m->slots[gap] = (struct map64_slot){0};
}

bool map64_del(struct map64 *m, uint64_t key)
{
	uint64_t *at = map64_get(m, key);

	if (!at)
		return false;
	m->n--;
	if (key)
		map64_close_gap(m, map64_find(m, key));
	else
		m->has_zero = false;
	return true;
}

bool map64_next(const struct map64 *m, size_t *pos, uint64_t *key, uint64_t *value)
{
	for (; *pos < m->cap; (*pos)++) {
		const struct map64_slot *s = &m->slots[*pos];

		if (!s->key)
			continue;
		*key = s->key;
		*value = s->value;
		(*pos)++;
		return true;
	}
	if (*pos > m->cap || !m->has_zero)
		return false;
	*pos = m->cap + 1;
	*key = 0;
	*value = m->zero_value;
	return true;
}

void map64_free(struct map64 *m)
{
	free(m->slots);
	*m = (struct map64){0};
}

int why_set(struct why *why, int err, const char *fmt, ...)
{
	va_list ap;

	if (!why)
		return err;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return err;
}

static void log_line(int level, const char *prefix, const char *fmt, va_list ap)
{
	if (level > log_level)
		return;
	flockfile(stderr);
	fprintf(stderr, "gotrace: %s", prefix);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	funlockfile(stderr);
}

#define LOG_FUNCTION(name, level, prefix)               \
	void name(const char *fmt, ...)                 \
	{                                               \
		va_list ap;                             \
		va_start(ap, fmt);                      \
		log_line(level, prefix, fmt, ap);       \
		va_end(ap);                             \
	}
LOG_FUNCTION(log_warn, 0, "warning: ")
LOG_FUNCTION(log_info, 1, "")
LOG_FUNCTION(log_debug, 2, "")

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int read_file(const char *path, size_t max, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf b = {0};
	int err = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		buf_reserve(&b, 65537);
		ssize_t n = read(fd, b.v + b.n, 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			break;
		}
		b.n += (size_t)n;
		if (b.n > max) {
			err = -EFBIG;
			break;
		}
	}
	close(fd);
	if (err) {
		buf_free(&b);
		return err;
	}
	b.v[b.n] = 0;
	*out = b;
	return 0;
}

int write_all(int fd, const void *p, size_t n)
{
	const uint8_t *s = p;

	while (n) {
		ssize_t w = write(fd, s, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		s += w;
		n -= (size_t)w;
	}
	return 0;
}
