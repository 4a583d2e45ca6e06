/* SPDX-License-Identifier: Apache-2.0 */
/* extra.c - see extra.h. */
#include "trace/extra.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void extra_begin(struct buf *chunk, enum extra_kind kind)
{
	chunk->n = 0;
	buf_byte(chunk, (uint8_t)kind);
}

void extra_metadata(struct buf *chunk, const char *key, const char *fmt, ...)
{
	char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	for (char *c = value; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	buf_printf(chunk, "%s=%s\n", key, value);
	free(value);
}

void extra_loss(struct buf *chunk, uint64_t from_ns, uint64_t to_ns, uint64_t records)
{
	extra_begin(chunk, EXTRA_LOSS);
	buf_varint(chunk, from_ns);
	buf_varint(chunk, to_ns);
	buf_varint(chunk, records);
}

/* ------------------------------------------------------------------ wait objects */

static bool is_object(const struct wait_coder *c, uint32_t number_1, uint8_t kind, uint64_t object)
{
	const struct wait_object *o = &c->objects.v[number_1 - 1];

	return o->object == object && o->kind == kind;
}

/*
 * Number + 1 of the object; *is_new when it had none. Objects of one hash stand under the next
 * hash.
 */
static uint32_t object_number(struct wait_coder *c, uint8_t kind, uint64_t object, bool *is_new)
{
	*is_new = false;
	for (uint64_t h = object + ((uint64_t)kind << 56);; h++) {
		uint64_t *number = map64_at(&c->numbers, h);

		if (!*number) {
			*vec_push(&c->objects) = (struct wait_object){.object = object,
				.kind = kind};
			*number = c->objects.n;
			*is_new = true;
		}
		if (is_object(c, (uint32_t)*number, kind, object))
			return (uint32_t)*number;
	}
}

static void code_object(struct wait_coder *c, uint32_t number_1, bool is_new)
{
	const struct wait_object *o = &c->objects.v[number_1 - 1];

	if (!is_new) {
		buf_varint(&c->chunk, EXTRA_WAIT_KNOWN + (uint64_t)number_1 - 1);
		return;
	}
	buf_varint(&c->chunk, EXTRA_WAIT_NEW);
	buf_byte(&c->chunk, o->kind);
	buf_varint(&c->chunk, extra_zigzag((int64_t)(o->object - c->last_new)));
	c->last_new = o->object;
}

void wait_coder_add(struct wait_coder *c, uint8_t kind, uint64_t object)
{
	if (!c->chunk.n)
		extra_begin(&c->chunk, EXTRA_WAITS);
	if (!kind) {
		buf_varint(&c->chunk, EXTRA_WAIT_NOTHING);
		return;
	}
	c->has_any = true;
	uint32_t predicted = c->before ? c->objects.v[c->before - 1].next : 0;

	if (predicted && is_object(c, predicted, kind, object)) {
		buf_varint(&c->chunk, EXTRA_WAIT_PREDICTED);
		c->before = predicted;
		return;
	}
	bool is_new;
	uint32_t number = object_number(c, kind, object, &is_new);

	code_object(c, number, is_new);
	if (c->before)
		c->objects.v[c->before - 1].next = number;
	c->before = number;
}

void wait_coder_reset(struct wait_coder *c)
{
	c->chunk.n = 0;
	c->objects.n = 0;
	map64_free(&c->numbers);
	c->before = 0;
	c->last_new = 0;
	c->has_any = false;
}

void wait_coder_free(struct wait_coder *c)
{
	buf_free(&c->chunk);
	vec_free(&c->objects);
	map64_free(&c->numbers);
}
