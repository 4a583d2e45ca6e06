/* SPDX-License-Identifier: Apache-2.0 */
/* extra.c - see extra.h. Bytes: trace-format.md, sections 1 to 3. */
#include "read/extra.h"

#include <errno.h>
#include <stdlib.h>

#include "trace/extra.h"

enum {
	HEADER_BYTES = 16,
	BATCH = 1,
	EXPERIMENTAL = 49,
	END_OF_GENERATION = 52,
	STRINGS = 4,
	STRING = 5
};

static bool is_header(const uint8_t *h)
{
	return !memcmp(h, "go 1.", 5) && h[5] >= '2' && h[5] <= '9' && h[6] >= '0' && h[6] <= '9' &&
	       !memcmp(h + 7, " trace\0\0\0", 9);
}

bool extra_is_part(uint64_t id, const void *s, size_t n)
{
	return id >= EXTRA_FIRST_ID && n >= EXTRA_MAGIC_LEN &&
	       !memcmp(s, EXTRA_MAGIC, EXTRA_MAGIC_LEN);
}

static void begin_chunk(struct extra_join *j, uint64_t generation, uint64_t chunk)
{
	j->broken += j->is_open;
	j->bytes.n = 0;
	j->generation = generation;
	j->chunk = chunk;
	j->next_part = 0;
	j->is_open = true;
}

bool extra_join(struct extra_join *j, uint64_t generation, const void *s, size_t n,
		struct extra_chunk *ret)
{
	struct cursor c = cursor_of((const uint8_t *)s + EXTRA_MAGIC_LEN, n - EXTRA_MAGIC_LEN);
	uint64_t chunk = cursor_varint(&c), part = cursor_varint(&c);
	uint8_t is_last = cursor_u8(&c);

	if (c.bad)
		return false;
	if (!part)
		begin_chunk(j, generation, chunk);
	if (!j->is_open || j->generation != generation || j->chunk != chunk ||
	    j->next_part != part) {
		j->broken += j->is_open;
		j->is_open = false;
		return false;
	}
	buf_add(&j->bytes, c.p, cursor_left(&c));
	j->next_part++;
	if (!is_last)
		return false;
	j->is_open = false;
	if (!j->bytes.n)
		return false;
	*ret = (struct extra_chunk){ generation, j->bytes.v[0], j->bytes.v + 1, j->bytes.n - 1 };
	return true;
}

void extra_join_free(struct extra_join *j)
{
	buf_free(&j->bytes);
}

void extra_keep(struct extra_chunks *x, const struct extra_chunk *chunk)
{
	struct extra_chunk own = *chunk;

	own.data = (uint8_t *)xmemdup(chunk->data - 1, chunk->n + 1) + 1;
	*vec_push(&x->chunks) = own;
}

static void scan_strings(struct extra_chunks *x, struct extra_join *j, uint64_t generation,
			 struct cursor c)
{
	while (cursor_left(&c) && cursor_u8(&c) == STRING) {
		uint64_t id = cursor_varint(&c), n = cursor_varint(&c);
		const uint8_t *s = cursor_bytes(&c, n);
		struct extra_chunk chunk;

		if (!s || c.bad)
			return;
		if (extra_is_part(id, s, n) && extra_join(j, generation, s, n, &chunk))
			extra_keep(x, &chunk);
	}
}

/* One batch; false: the file is cut or is something else from here. */
static bool scan_batch(struct extra_chunks *x, struct extra_join *j, struct cursor *c)
{
	uint8_t kind = cursor_u8(c);

	if (kind == END_OF_GENERATION)
		return true;
	if (kind != BATCH && kind != EXPERIMENTAL)
		return false;
	if (kind == EXPERIMENTAL)
		cursor_u8(c);
	uint64_t generation = cursor_varint(c);

	cursor_varint(c); /* thread */
	cursor_varint(c); /* time */
	uint64_t n = cursor_varint(c);
	const uint8_t *content = cursor_bytes(c, n);

	if (!content || c->bad)
		return false;
	if (kind == BATCH && n && content[0] == STRINGS)
		scan_strings(x, j, generation, cursor_of(content + 1, n - 1));
	return true;
}

int extra_scan(const void *trace, size_t n, struct extra_chunks *ret)
{
	struct extra_chunks x = { 0 };
	struct extra_join j = { 0 };

	if (n < HEADER_BYTES || !is_header(trace))
		return -EBADMSG;
	struct cursor c = cursor_of((const uint8_t *)trace + HEADER_BYTES, n - HEADER_BYTES);

	while (cursor_left(&c) && !x.is_cut)
		x.is_cut = !scan_batch(&x, &j, &c);
	x.broken = j.broken + j.is_open;
	extra_join_free(&j);
	*ret = x;
	return 0;
}

void extra_chunks_free(struct extra_chunks *x)
{
	for (size_t i = 0; i < x->chunks.n; i++)
		free((void *)(x->chunks.v[i].data - 1));
	vec_free(&x->chunks);
}

/* ------------------------------------------------------------------ kinds */

static const uint8_t *line_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));

	return nl ? nl : end;
}

static void find_value(const struct extra_chunk *chunk, const char *key, char **value)
{
	const uint8_t *end = chunk->data + chunk->n;
	size_t n = strlen(key);

	for (const uint8_t *p = chunk->data, *nl; p < end; p = nl + 1) {
		nl = line_end(p, end);
		if ((size_t)(nl - p) <= n || memcmp(p, key, n) || p[n] != '=')
			continue;
		free(*value);
		*value = strndup((const char *)p + n + 1, (size_t)(nl - p) - n - 1);
	}
}

char *extra_metadata_value(const struct extra_chunks *x, const char *key)
{
	char *value = NULL;

	for (size_t i = 0; i < x->chunks.n; i++)
		if (x->chunks.v[i].kind == EXTRA_METADATA)
			find_value(&x->chunks.v[i], key, &value);
	return value;
}

void wait_decoder_init(struct wait_decoder *d, const struct extra_chunk *chunk)
{
	*d = (struct wait_decoder){ .c = cursor_of(chunk->data, chunk->n) };
}

void wait_decoder_free(struct wait_decoder *d)
{
	vec_free(&d->objects);
}

/* Number + 1 of the object that the code names, 0 if it is bad. */
static uint64_t decode_object(struct wait_decoder *d, uint64_t code)
{
	if (code == EXTRA_WAIT_PREDICTED)
		return d->before ? d->objects.v[d->before - 1].next : 0;
	if (code >= EXTRA_WAIT_KNOWN)
		return code - EXTRA_WAIT_KNOWN < d->objects.n ? code - EXTRA_WAIT_KNOWN + 1 : 0;
	struct wait_seen o = { .kind = cursor_u8(&d->c) };

	o.object = d->last_new + (uint64_t)extra_unzigzag(cursor_varint(&d->c));
	if (d->c.bad)
		return 0;
	d->last_new = o.object;
	*vec_push(&d->objects) = o;
	return d->objects.n;
}

int wait_decoder_next(struct wait_decoder *d, uint8_t *kind, uint64_t *object)
{
	if (!cursor_left(&d->c))
		return 0;
	uint64_t code = cursor_varint(&d->c);

	if (d->c.bad)
		return -EBADMSG;
	if (code == EXTRA_WAIT_NOTHING) {
		*kind = 0;
		*object = 0;
		return 1;
	}
	uint64_t number = decode_object(d, code);

	if (!number)
		return -EBADMSG;
	if (d->before)
		d->objects.v[d->before - 1].next = (uint32_t)number;
	d->before = (uint32_t)number;
	*kind = d->objects.v[number - 1].kind;
	*object = d->objects.v[number - 1].object;
	return 1;
}

void attach_decoder_init(struct attach_decoder *d, const struct extra_chunk *chunk)
{
	*d = (struct attach_decoder){ .c = cursor_of(chunk->data, chunk->n) };
	d->left = cursor_varint(&d->c);
}

int attach_decoder_next(struct attach_decoder *d, uint64_t *goid, uint8_t *block_reason,
			uint8_t *wait_reason)
{
	if (!d->left && !d->c.bad)
		return 0;
	uint64_t next = d->goid + (uint64_t)extra_unzigzag(cursor_varint(&d->c));
	uint8_t block = cursor_u8(&d->c), wait = cursor_u8(&d->c);

	if (d->c.bad)
		return -EBADMSG;
	d->left--;
	d->goid = *goid = next;
	*block_reason = block;
	*wait_reason = wait;
	return 1;
}

int extra_decode_loss(const struct extra_chunk *chunk, uint64_t *from_ns, uint64_t *to_ns,
		      uint64_t *records)
{
	struct cursor c = cursor_of(chunk->data, chunk->n);
	uint64_t from = cursor_varint(&c), to = cursor_varint(&c), lost = cursor_varint(&c);

	if (c.bad)
		return -EBADMSG;
	*from_ns = from;
	*to_ns = to;
	*records = lost;
	return 0;
}
