/* SPDX-License-Identifier: Apache-2.0 */
/* generation.c - see generation.h. */
#include "read/extra.h"
#include "read/generation.h"
#include "read/varint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the first byte of a batch, or of its content, says (internal/trace/tracev2/events.go,
 * Go 1.26). */
enum {
	BATCH_EVENTS = 1,
	BATCH_STACKS = 2,
	ENTRY_STACK = 3,
	BATCH_STRINGS = 4,
	ENTRY_STRING = 5,
	BATCH_SAMPLES = 6,
	ENTRY_SAMPLE = 7,
	BATCH_FREQUENCY = 8,
	BATCH_EXPERIMENT = 49,
	BATCH_SYNC = 50,
	ENTRY_CLOCK = 51,
	END_OF_GENERATION = 52,
};

enum { EXPERIMENT_ALLOC_FREE = 1, BATCH_HEADER_MAX = 2 + 4 * 10 };

/* ------------------------------------------------------------------------------- memory */

static uint32_t *id_slot(struct id_table *t, uint64_t id)
{
	if (id < t->dense.n)
		return &t->dense.v[id];
	uint64_t *v = map64_get(&t->sparse, id);

	return (uint32_t *)
		v; /* little endian, as all that this runs on; never more than 2^32 entries */
}

static bool id_add(struct id_table *t, uint64_t id, uint32_t index)
{
	uint32_t *slot = id_slot(t, id);

	if (id == 0 || (slot && *slot))
		return false;
	if (!slot && id <= 2 * t->n + 1024) {
		size_t want = 2 * (size_t)id + 64, was = t->dense.n;

		vec_reserve(&t->dense, want);
		memset(t->dense.v + was, 0, (want - was) * sizeof(uint32_t));
		t->dense.n = want;
		uint64_t known, at;

		for (size_t pos = 0; map64_next(&t->sparse, &pos, &known, &at);)
			if (known >= was && known < want)
				t->dense.v[known] = (uint32_t)at;
	}
	if (id < t->dense.n)
		t->dense.v[id] = index + 1;
	else
		*map64_at(&t->sparse, id) = index + 1;
	t->n++;
	return true;
}

static void id_clear(struct id_table *t)
{
	t->dense.n = 0;
	map64_free(&t->sparse);
	t->n = 0;
}

struct gen_string *generation_string(struct generation *g, uint64_t id)
{
	static struct gen_string empty = { { "", 0 }, "" };
	uint32_t *slot = id_slot(&g->string_ids, id);

	if (!id)
		return &empty;
	return slot && *slot ? &g->strings.v[*slot - 1] : NULL;
}

struct gen_stack *generation_stack(struct generation *g, uint64_t id)
{
	uint32_t *slot = id_slot(&g->stack_ids, id);

	return slot && *slot ? &g->stacks.v[*slot - 1] : NULL;
}

static void clear(struct generation *g)
{
	for (size_t i = 0; i < g->n_threads; i++)
		g->threads.v[i].list.n = 0;
	g->n_threads = 0;
	g->number = g->min_time = 0;
	g->has_frequency = g->has_clock = g->has_unknown_experiment = false;
	g->strings.n = g->stacks.n = g->stack_frames.n = g->frames.n = g->samples.n = g->extra.n =
		0;
	id_clear(&g->string_ids);
	id_clear(&g->stack_ids);
	map64_free(&g->thread_index);
	map64_free(&g->pc_index);
}

void generation_free(struct generation *g)
{
	clear(g);
	for (size_t i = 0; i < g->threads.n; i++)
		vec_free(&g->threads.v[i].list);
	vec_free(&g->threads);
	vec_free(&g->strings);
	vec_free(&g->stacks);
	vec_free(&g->stack_frames);
	vec_free(&g->frames);
	vec_free(&g->samples);
	vec_free(&g->extra);
	vec_free(&g->string_ids.dense);
	vec_free(&g->stack_ids.dense);
}

/* ------------------------------------------------------------------------------- tables */

/* Where the cursor stands, in the file. */
static uint64_t offset_of(const struct batch *b, const struct cursor *c)
{
	return b->offset + (uint64_t)(c->p - b->data);
}

static int bad_entry(const struct batch *b, const struct cursor *c, struct why *why,
		     const char *what)
{
	return why_set(why, -EBADMSG, "offset 0x%" PRIx64 ": %s", offset_of(b, c), what);
}

static int add_strings(struct generation *g, const struct batch *b, struct cursor c,
		       struct why *why)
{
	while (cursor_left(&c)) {
		if (cursor_u8(&c) != ENTRY_STRING)
			return bad_entry(b, &c, why,
					 "a string table holds something that is not a string");
		uint64_t id = cursor_varint(&c), n = cursor_varint(&c);

		if (!c.bad && n > STRING_MAX)
			return bad_entry(b, &c, why, "a string is longer than 1024 bytes");
		const uint8_t *p = c.bad ? NULL : cursor_bytes(&c, n);

		if (!p)
			return bad_entry(b, &c, why, "a string is cut off by the end of its table");
		if (!id_add(&g->string_ids, id, (uint32_t)g->strings.n))
			return bad_entry(b, &c, why, "a string id is defined twice");
		*vec_push(&g->strings) =
			(struct gen_string){ { (const char *)p, (uint32_t)n }, NULL };
		if (extra_is_part(id, p, n))
			*vec_push(&g->extra) = g->strings.v[g->strings.n - 1].bytes;
	}
	return 0;
}

/* The frame of this pc, made if it is new. */
static uint32_t frame_at(struct generation *g, const struct gen_frame *f)
{
	uint64_t *i = map64_at(&g->pc_index, f->pc);

	if (!*i) {
		*vec_push(&g->frames) = *f;
		*i = g->frames.n;
	}
	return (uint32_t)*i - 1;
}

static int add_stacks(struct generation *g, const struct batch *b, struct cursor c, struct why *why)
{
	while (cursor_left(&c)) {
		if (cursor_u8(&c) != ENTRY_STACK)
			return bad_entry(b, &c, why,
					 "a stack table holds something that is not a stack");
		uint64_t id = cursor_varint(&c), n = cursor_varint(&c);

		if (!c.bad && n > STACK_FRAMES_MAX)
			return bad_entry(b, &c, why, "a stack has more than 128 frames");
		struct gen_stack s = { .first = (uint32_t)g->stack_frames.n, .n = (uint32_t)n };

		for (uint64_t i = 0; i < n && !c.bad; i++) {
			uint64_t x[4];
			const uint8_t *p = varints(c.p, c.end, x, 4);

			c.bad = !p;
			if (!p)
				break;
			c.p = p;
			*vec_push(&g->stack_frames) =
				frame_at(g, &(struct gen_frame){ x[0], x[1], x[2], x[3] });
		}
		if (c.bad)
			return bad_entry(b, &c, why, "a stack is cut off by the end of its table");
		if (!id_add(&g->stack_ids, id, (uint32_t)g->stacks.n))
			return bad_entry(b, &c, why, "a stack id is defined twice");
		*vec_push(&g->stacks) = s;
	}
	return 0;
}

static int add_samples(struct generation *g, const struct batch *b, struct cursor c,
		       struct why *why)
{
	while (cursor_left(&c)) {
		uint64_t x[5];

		if (cursor_u8(&c) != ENTRY_SAMPLE)
			return bad_entry(b, &c, why,
					 "a batch of samples holds something that is not a sample");
		const uint8_t *p = varints(c.p, c.end, x, 5);

		if (!p)
			return bad_entry(b, &c, why, "a sample is cut off by the end of its batch");
		c.p = p;
		/* the time is still in units: the frequency may come later */
		*vec_push(&g->samples) =
			(struct gen_sample){ (int64_t)x[0], x[1], x[2],
					     x[3],          x[4], (uint32_t)g->samples.n };
	}
	return 0;
}

static int add_sync(struct generation *g, const struct batch *b, struct cursor c, int minor,
		    struct why *why)
{
	uint64_t time = b->time;

	if (minor >= 25)
		cursor_u8(&c);
	while (cursor_left(&c)) {
		uint8_t type = cursor_u8(&c);

		if (type == BATCH_FREQUENCY) {
			if (g->has_frequency)
				return bad_entry(b, &c, why, "the generation has two frequencies");
			uint64_t units = cursor_varint(&c);

			g->ns_per_unit = 1.0 / ((double)units / 1e9);
			g->whole_ns_per_unit = 0;
			if (g->ns_per_unit >= 1 && g->ns_per_unit <= 1 << 20)
				g->whole_ns_per_unit = (uint64_t)g->ns_per_unit;
			if ((double)g->whole_ns_per_unit != g->ns_per_unit)
				g->whole_ns_per_unit = 0;
			/* 0 is accepted by Go's reader, with times that mean nothing */
			g->has_frequency = g->ns_per_unit != 0;
		} else if (type == ENTRY_CLOCK && minor >= 25) {
			if (g->has_clock)
				return bad_entry(b, &c, why,
						 "the generation has two clock snapshots");
			g->has_clock = true;
			time += cursor_varint(&c);
			g->clock_units = time;
			g->clock_mono_ns = cursor_varint(&c);
			g->clock_wall_sec = cursor_varint(&c);
			g->clock_wall_nsec = cursor_varint(&c);
		} else {
			return bad_entry(b, &c, why, "neither a frequency nor a clock snapshot");
		}
		if (c.bad)
			return bad_entry(b, &c, why, "the frequency is cut off");
	}
	return 0;
}

struct raw_batch {
	size_t size; /* of all of it */
	bool is_end;
	uint8_t experiment; /* 0: an ordinary batch */
	uint64_t number, m;
	struct batch b;
};

static void add_events(struct generation *g, uint64_t m, const struct batch *b)
{
	uint64_t *i = map64_at(&g->thread_index, m);

	if (!*i) {
		if (g->n_threads == g->threads.n)
			*vec_push(&g->threads) = (struct batches){ 0 };
		g->threads.v[g->n_threads++].m = m;
		*i = g->n_threads;
	}
	*vec_push(&g->threads.v[*i - 1].list) = *b;
}

static int add_batch(struct generation *g, const struct raw_batch *r, int minor, struct why *why)
{
	const struct batch *b = &r->b;
	struct cursor c = cursor_of(b->data, (size_t)(b->end - b->data));
	uint8_t kind = cursor_left(&c) ? *c.p : 0;

	if (!g->min_time || b->time < g->min_time)
		g->min_time = b->time;
	if (r->experiment) {
		g->has_unknown_experiment =
			g->has_unknown_experiment || r->experiment != EXPERIMENT_ALLOC_FREE;
		return 0;
	}
	switch (kind) {
	case BATCH_STRINGS:
		cursor_u8(&c);
		return add_strings(g, b, c, why);
	case BATCH_STACKS:
		cursor_u8(&c);
		return add_stacks(g, b, c, why);
	case BATCH_SAMPLES:
		cursor_u8(&c);
		return add_samples(g, b, c, why);
	}
	if (kind == (minor >= 25 ? BATCH_SYNC : BATCH_FREQUENCY))
		return add_sync(g, b, c, minor, why);
	add_events(g, r->m, b);
	return 0;
}

/* ------------------------------------------------------------------------------- batches */

static int cut_off(const struct source *src, struct why *why, const char *what)
{
	if (src->error)
		return why_set(why, -EBADMSG, "offset 0x%" PRIx64 ": cannot read on: %s",
			       src->offset, strerror(src->error));
	return why_set(why, -EBADMSG, "offset 0x%" PRIx64 ": %s", src->offset, what);
}

/* 1, 0 at the end of the file, -EBADMSG. */
static int read_batch(struct source *src, struct raw_batch *ret, struct why *why)
{
	size_t left;
	const uint8_t *p = source_peek(src, BATCH_HEADER_MAX, &left);
	struct cursor c = cursor_of(p, min_u64(left, BATCH_HEADER_MAX));

	*ret = (struct raw_batch){ .size = 1 };
	if (!left)
		return src->error ? cut_off(src, why, "") : 0;
	uint8_t type = cursor_u8(&c);

	if (type == END_OF_GENERATION) {
		ret->is_end = true;
		source_skip(src, 1);
		return 1;
	}
	if (type != BATCH_EVENTS && type != BATCH_EXPERIMENT)
		return why_set(why, -EBADMSG, "offset 0x%" PRIx64 ": no batch begins with byte %d",
			       src->offset, type);
	ret->experiment = type == BATCH_EXPERIMENT ? cursor_u8(&c) : 0;
	ret->number = cursor_varint(&c);
	ret->m = cursor_varint(&c);
	ret->b.time = cursor_varint(&c);
	uint64_t size = cursor_varint(&c), header = (uint64_t)(c.p - p);

	if (c.bad)
		return cut_off(src, why,
			       left < BATCH_HEADER_MAX ? "the file ends inside a batch"
						       : "a number of a batch is too long");
	if (size > BATCH_MAX)
		return why_set(why, -EBADMSG,
			       "offset 0x%" PRIx64 ": a batch claims %" PRIu64
			       " bytes, at most 65536 are allowed",
			       src->offset, size);
	p = source_peek(src, header + size, &left);
	if (left < header + size) {
		char text[96];

		snprintf(text, sizeof(text), "a batch claims %" PRIu64 " bytes, %zu are left", size,
			 left - (size_t)header);
		source_skip(src, header);
		return cut_off(src, why, text);
	}
	ret->size = header + size;
	ret->b.offset = src->offset + header;
	ret->b.data = p + header;
	ret->b.end = ret->b.data + size;
	source_skip(src, ret->size);
	return 1;
}

/* ------------------------------------------------------------------------------- the whole */

static int by_time(const void *a, const void *b)
{
	const struct gen_sample *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int check(struct generation *g, int minor, uint64_t begin, struct why *why)
{
	const char *what = NULL;

	if (!g->has_frequency)
		what = "has no frequency";
	else if (minor >= 25 && !g->has_clock)
		what = "has no clock snapshot";
	for (size_t i = 0; i < g->frames.n && !what; i++)
		if (!generation_string(g, g->frames.v[i].func) ||
		    !generation_string(g, g->frames.v[i].file))
			what = "has a stack whose function or file is not in its string table";
	if (what)
		return why_set(why, -EBADMSG, "the generation at offset 0x%" PRIx64 " %s", begin,
			       what);
	for (size_t i = 0; i < g->samples.n; i++)
		g->samples.v[i].time_ns = generation_ns(g, (uint64_t)g->samples.v[i].time_ns);
	if (g->samples.n)
		qsort(g->samples.v, g->samples.n, sizeof(g->samples.v[0]), by_time);
	return 1;
}

/* Header 1.26: one byte says that a generation is complete. */
static int load_26(struct generation *g, struct source *src, struct why *why)
{
	uint64_t begin = src->offset;
	bool has_number = false;

	for (;;) {
		struct raw_batch r;
		uint64_t offset = src->offset;
		int n = read_batch(src, &r, why);

		if (n < 0)
			return n;
		if (n == 0 && g->n_threads)
			return why_set(why, -EBADMSG,
				       "offset 0x%" PRIx64 ": the file ends inside a generation",
				       offset);
		if (n == 0)
			return 0;
		if (!has_number)
			g->number = r.number;
		has_number = has_number || g->number;
		if (r.is_end)
			return check(g, 26, begin, why);
		if (!r.number)
			return why_set(why, -EBADMSG, "offset 0x%" PRIx64 ": generation number 0",
				       offset);
		if (r.number != g->number)
			return why_set(why, -EBADMSG,
				       "offset 0x%" PRIx64 ": generation %" PRIu64
				       " begins before %" PRIu64 " has ended",
				       offset, r.number, g->number);
		n = add_batch(g, &r, 26, why);
		if (n < 0)
			return n;
	}
}

/* Before: the first batch of the next one does. */
static int load_22(struct generation *g, struct source *src, int minor, bool is_first, bool *cut,
		   struct why *why)
{
	uint64_t begin = src->offset;
	struct raw_batch r;
	int n;

	for (;;) {
		uint64_t offset = src->offset;

		n = read_batch(src, &r, why);
		if (n < 0 && !g->number)
			return n;
		if (n < 0) {
			*cut = true; /* what was read so far may be all there is of this one */
			break;
		}
		if (n == 0 && !g->number && !is_first)
			return 0;
		if (n == 0)
			break;
		if (r.is_end || !r.number)
			return why_set(why, -EBADMSG, "offset 0x%" PRIx64 ": generation number 0",
				       offset);
		if (!g->number)
			g->number = r.number;
		if (r.number == g->number + 1) {
			source_unskip(src, r.size);
			break;
		}
		if (r.number != g->number)
			return why_set(why, -EBADMSG,
				       "offset 0x%" PRIx64 ": generation %" PRIu64
				       " after %" PRIu64,
				       offset, r.number, g->number);
		n = add_batch(g, &r, minor, why);
		if (n < 0)
			return n;
	}
	struct why own;

	n = check(g, minor, begin, &own);
	if (n < 0)
		*why = own;
	return n;
}

int generation_load(struct generation *g, struct source *src, int minor, bool *cut, struct why *why)
{
	bool is_first = !g->number;

	clear(g);
	source_forget(src);
	*cut = false;
	return minor >= 26 ? load_26(g, src, why) : load_22(g, src, minor, is_first, cut, why);
}
