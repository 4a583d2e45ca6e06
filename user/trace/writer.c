/* SPDX-License-Identifier: Apache-2.0 */
/* writer.c - see writer.h. Bytes: trace-format.md, sections 1 to 5. */
#include "trace/writer.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gotrace/record.h"
#include "trace/cache.h"
#include "trace/extra.h"

enum {
	BATCH_MAX = 65536,   /* content bytes: tracev2.MaxBatchSize */
	STRING_MAX = 1024,   /* tracev2.MaxEventTrailerDataSize */
	EVENT_MAX = 64,      /* id, delta and five arguments of ten bytes */
	SIZE_BYTES = 3,      /* a batch's size is filled in when it ends: a padded varint */
	FLUSH_BYTES = 1 << 20,
	STREAM_CACHE = 256,
};

/* First content bytes and entry ids of table batches. */
enum { B_EVENTS = 1, B_STACKS = 2, E_STACK = 3, B_STRINGS = 4, E_STRING = 5, B_SAMPLES = 6,
	E_SAMPLE = 7, E_FREQUENCY = 8 };

/* A batch being filled at the end of a buf. */
struct batch {
	size_t size_at, content_at;
	bool is_open;
};

/* The batches of one thread in this generation. */
struct stream {
	uint64_t m;
	struct buf out;
	struct batch batch;
	uint64_t last_tick;
};

/* The string table of a generation: ids are positions + 1. */
struct strings {
	struct buf bytes;
	/* next: id with the same hash, or 0 */
	VEC(struct string_entry { size_t at; uint32_t n; uint32_t next; }) entries;
	struct cache by_hash;
};

struct sample {
	uint64_t tick, m, p, g;
	uint32_t stack;
};

struct writer {
	int fd, minor, error;
	unsigned tick_shift;
	struct stack_source stacks;

	uint64_t generation;        /* number of the open or next one */
	uint64_t begin_tick, last_tick, written;
	off_t whole;                /* of a file: where its last whole generation ends, else -1 */
	bool has_events, last_was_status;
	size_t pending;

	VEC(struct stream *) streams;
	struct map64 stream_of;     /* m -> stream */
	struct stream *recent[STREAM_CACHE];

	struct strings strings;
	const struct str *fixed;
	size_t n_fixed;
	struct cache fixed_ids;     /* address -> id */
	struct cache frame_ids;     /* address of a function or file name -> id, this generation */

	struct { uint32_t generation, id; } *stack_ids; /* by logical number */
	size_t stack_ids_cap;
	VEC(uint32_t) used_stacks;  /* logical numbers; position + 1 is the id */

	VEC(struct sample) samples;
	VEC(struct buf) extras;     /* strings, ready */
	uint64_t n_chunks;
	struct buf out;
};

/* ------------------------------------------------------------------ what an event carries */

enum argument { A_END, A_ID, A_SEQ, A_VALUE, A_VALUE2, A_STATUS, A_NAME, A_TEXT, A_STACK, A_START };

#define MAX_ARGUMENTS 5
static const uint8_t arguments[EV_GO_STATUS_STACK + 1][MAX_ARGUMENTS + 1] = {
	[EV_PROCS_CHANGE] = {A_VALUE, A_STACK},
	[EV_PROC_START] = {A_ID, A_SEQ},
	[EV_PROC_STOP] = {A_END},
	[EV_PROC_STEAL] = {A_ID, A_SEQ, A_VALUE},
	[EV_PROC_STATUS] = {A_ID, A_STATUS},
	[EV_GO_CREATE] = {A_ID, A_START, A_STACK},
	[EV_GO_CREATE_SYSCALL] = {A_ID},
	[EV_GO_START] = {A_ID, A_SEQ},
	[EV_GO_DESTROY] = {A_END},
	[EV_GO_DESTROY_SYSCALL] = {A_END},
	[EV_GO_STOP] = {A_NAME, A_STACK},
	[EV_GO_BLOCK] = {A_NAME, A_STACK},
	[EV_GO_UNBLOCK] = {A_ID, A_SEQ, A_STACK},
	[EV_GO_SYSCALL_BEGIN] = {A_SEQ, A_STACK},
	[EV_GO_SYSCALL_END] = {A_END},
	[EV_GO_SYSCALL_END_BLOCKED] = {A_END},
	[EV_GO_STATUS] = {A_ID, A_VALUE, A_STATUS},
	[EV_STW_BEGIN] = {A_NAME, A_STACK},
	[EV_STW_END] = {A_END},
	[EV_GC_ACTIVE] = {A_SEQ},
	[EV_GC_BEGIN] = {A_SEQ, A_STACK},
	[EV_GC_END] = {A_SEQ},
	[EV_GC_SWEEP_ACTIVE] = {A_ID},
	[EV_GC_SWEEP_BEGIN] = {A_STACK},
	[EV_GC_SWEEP_END] = {A_VALUE, A_VALUE2},
	[EV_GC_ASSIST_ACTIVE] = {A_ID},
	[EV_GC_ASSIST_BEGIN] = {A_STACK},
	[EV_GC_ASSIST_END] = {A_END},
	[EV_HEAP_ALLOC] = {A_VALUE},
	[EV_HEAP_GOAL] = {A_VALUE},
	[EV_GO_LABEL] = {A_NAME},
	[EV_TASK_BEGIN] = {A_ID, A_VALUE, A_NAME, A_STACK},
	[EV_TASK_END] = {A_ID, A_STACK},
	[EV_REGION_BEGIN] = {A_ID, A_NAME, A_STACK},
	[EV_REGION_END] = {A_ID, A_NAME, A_STACK},
	[EV_LOG] = {A_ID, A_NAME, A_TEXT, A_STACK},
	[EV_GO_SWITCH] = {A_ID, A_SEQ},
	[EV_GO_SWITCH_DESTROY] = {A_ID, A_SEQ},
	[EV_GO_CREATE_BLOCKED] = {A_ID, A_START, A_STACK},
	[EV_GO_STATUS_STACK] = {A_ID, A_VALUE, A_STATUS, A_STACK},
};

static bool is_status(uint8_t type)
{
	return type == EV_PROC_STATUS || type == EV_GO_STATUS || type == EV_GO_STATUS_STACK;
}

/* ------------------------------------------------------------------ life */

/* -1 where bytes cannot be taken back. */
static off_t end_of_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -1;
	return lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
}

unsigned writer_tick_shift(const struct writer *w)
{
	return w->tick_shift;
}

struct writer *writer_new(int fd, int minor, unsigned tick_shift, struct stack_source stacks)
{
	struct writer *w = xcalloc(1, sizeof(*w));

	assert(minor == 22 || minor == 23);
	w->fd = fd;
	w->minor = minor;
	w->tick_shift = tick_shift;
	w->stacks = stacks;
	w->generation = 1;
	w->whole = end_of_file(fd);
	return w;
}

static void stream_free(struct stream *s)
{
	buf_free(&s->out);
	free(s);
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->streams.n; i++)
		stream_free(w->streams.v[i]);
	for (size_t i = 0; i < w->extras.n; i++)
		buf_free(&w->extras.v[i]);
	vec_free(&w->streams);
	vec_free(&w->used_stacks);
	vec_free(&w->samples);
	vec_free(&w->extras);
	vec_free(&w->strings.entries);
	map64_free(&w->stream_of);
	cache_free(&w->fixed_ids);
	cache_free(&w->frame_ids);
	cache_free(&w->strings.by_hash);
	buf_free(&w->strings.bytes);
	buf_free(&w->out);
	free(w->stack_ids);
	free(w);
}

/* ------------------------------------------------------------------ strings */

static uint32_t intern(struct strings *t, const char *s, uint32_t n)
{
	uint64_t hash = hash_bytes(s, n, 0) | 1;
	uint32_t first = 0;

	cache_get(&t->by_hash, hash, &first);
	for (uint32_t id = first; id; id = t->entries.v[id - 1].next) {
		const struct string_entry *e = &t->entries.v[id - 1];

		if (e->n == n && !memcmp(t->bytes.v + e->at, s, n))
			return id;
	}
	*vec_push(&t->entries) = (struct string_entry){t->bytes.n, n, first};
	buf_add(&t->bytes, s, n);
	cache_put(&t->by_hash, hash, (uint32_t)t->entries.n);
	return (uint32_t)t->entries.n;
}

static void strings_reset(struct strings *t)
{
	t->entries.n = 0;
	t->bytes.n = 0;
	cache_clear(&t->by_hash);
}

void writer_fix_strings(struct writer *w, const struct str *strings, size_t n)
{
	assert(!w->n_fixed);
	w->fixed = strings;
	w->n_fixed = n;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = intern(&w->strings, strings[i].s, strings[i].n);

		assert(id == i + 1); /* no string twice */
		cache_put(&w->fixed_ids, (uintptr_t)strings[i].s, id);
	}
}

/* The runtime cuts all but function and file names at their end. */
static inline uint32_t string_id(struct writer *w, struct str s)
{
	uint32_t id;

	if (!s.n)
		return 0;
	if (cache_get(&w->fixed_ids, (uintptr_t)s.s, &id) && w->fixed[id - 1].n == s.n)
		return id;
	return intern(&w->strings, s.s, s.n < STRING_MAX ? s.n : STRING_MAX);
}

/* Of a function or file name. It keeps its last bytes (runtime/tracestack.go: makeTraceFrame). */
static uint32_t frame_string_id(struct writer *w, const char *s)
{
	uint32_t id;

	if (cache_get(&w->frame_ids, (uintptr_t)s, &id))
		return id;
	size_t n = strlen(s), cut = n > STRING_MAX ? n - STRING_MAX : 0;

	id = n ? intern(&w->strings, s + cut, (uint32_t)(n - cut)) : 0;
	cache_put(&w->frame_ids, (uintptr_t)s, id);
	return id;
}

/* ------------------------------------------------------------------ stacks */

static uint32_t new_stack_id(struct writer *w, uint32_t number)
{
	if (number >= w->stack_ids_cap) {
		size_t cap = max_u64(number + 1ull, w->stack_ids_cap * 2);

		w->stack_ids = xrealloc(w->stack_ids, cap * sizeof(*w->stack_ids));
		memset(w->stack_ids + w->stack_ids_cap, 0,
		       (cap - w->stack_ids_cap) * sizeof(*w->stack_ids));
		w->stack_ids_cap = cap;
	}
	*vec_push(&w->used_stacks) = number;
	w->stack_ids[number].generation = (uint32_t)w->generation;
	w->stack_ids[number].id = (uint32_t)w->used_stacks.n;
	return (uint32_t)w->used_stacks.n;
}

static inline uint32_t stack_id(struct writer *w, uint32_t number)
{
	if (!number)
		return 0;
	if (number < w->stack_ids_cap && w->stack_ids[number].generation == (uint32_t)w->generation)
		return w->stack_ids[number].id;
	return new_stack_id(w, number);
}

/* ------------------------------------------------------------------ batches */

static void batch_open(struct batch *b, struct buf *out, uint64_t generation, uint64_t m,
		       uint64_t tick)
{
	buf_byte(out, B_EVENTS);
	buf_varint(out, generation);
	buf_varint(out, m);
	buf_varint(out, tick);
	b->size_at = out->n;
	buf_add(out, "\0\0\0", SIZE_BYTES);
	b->content_at = out->n;
	b->is_open = true;
}

static void batch_close(struct batch *b, struct buf *out)
{
	if (!b->is_open)
		return;
	size_t size = out->n - b->content_at;

	assert(size <= BATCH_MAX);
	out->v[b->size_at] = (uint8_t)(size | 0x80);
	out->v[b->size_at + 1] = (uint8_t)(size >> 7 | 0x80);
	out->v[b->size_at + 2] = (uint8_t)(size >> 14);
	b->is_open = false;
}

static bool batch_has_room(const struct batch *b, const struct buf *out, size_t n)
{
	return b->is_open && out->n - b->content_at + n <= BATCH_MAX;
}

/* Room for an entry of n bytes in a run of table batches of one kind. */
static void table_reserve(struct writer *w, struct batch *b, struct buf *out, uint8_t kind,
			  size_t n)
{
	if (batch_has_room(b, out, n))
		return;
	batch_close(b, out);
	batch_open(b, out, w->generation, EVENT_NO_M, w->begin_tick);
	buf_byte(out, kind);
}

/* ------------------------------------------------------------------ threads */

static struct stream *stream_at(struct writer *w, uint64_t m)
{
	uint64_t *known = map64_at(&w->stream_of, m);

	if (!*known) {
		struct stream *s = xcalloc(1, sizeof(*s));

		s->m = m;
		*vec_push(&w->streams) = s;
		*known = (uintptr_t)s;
	}
	return (struct stream *)(uintptr_t)*known;
}

static inline struct stream *stream_of(struct writer *w, uint64_t m)
{
	struct stream **recent = &w->recent[m % STREAM_CACHE];

	if (!*recent || (*recent)->m != m)
		*recent = stream_at(w, m);
	return *recent;
}

/* Threads that did nothing in this generation are forgotten: they come back when they do. */
static void drop_idle_streams(struct writer *w)
{
	size_t kept = 0;

	memset(w->recent, 0, sizeof(w->recent));
	for (size_t i = 0; i < w->streams.n; i++) {
		struct stream *s = w->streams.v[i];

		if (s->out.n) {
			s->out.n = 0;
			w->streams.v[kept++] = s;
			continue;
		}
		map64_del(&w->stream_of, s->m);
		stream_free(s);
	}
	w->streams.n = kept;
}

/* ------------------------------------------------------------------ events */

void writer_begin_generation(struct writer *w, uint64_t ts_ns)
{
	w->begin_tick = ts_ns >> w->tick_shift;
	w->has_events = false;
}

static void add_sample(struct writer *w, const struct event *ev)
{
	*vec_push(&w->samples) = (struct sample){
		.tick = ev->ts_ns >> w->tick_shift, .m = ev->m, .p = (uint64_t)ev->p, .g = ev->g,
		.stack = ev->stack,
	};
}

static inline uint64_t argument(struct writer *w, const struct event *ev, enum argument a)
{
	switch (a) {
	case A_END: break;
	case A_ID: return ev->id;
	case A_SEQ: return ev->seq;
	case A_VALUE: return ev->value;
	case A_VALUE2: return ev->value2;
	case A_STATUS: return ev->status;
	case A_NAME: return string_id(w, ev->name);
	case A_TEXT: return string_id(w, ev->text);
	case A_STACK: return stack_id(w, ev->stack);
	case A_START: return stack_id(w, ev->start_stack);
	}
	return 0;
}

static void check_stamp(struct writer *w, uint64_t tick, uint8_t type)
{
	bool is_same_allowed = is_status(type) || w->last_was_status;

	assert(tick > w->last_tick || (is_same_allowed && tick == w->last_tick));
	w->last_tick = tick;
	w->last_was_status = is_status(type);
}

static inline uint8_t *stream_reserve(struct writer *w, struct stream *s, uint64_t tick)
{
	if (!batch_has_room(&s->batch, &s->out, EVENT_MAX)) {
		batch_close(&s->batch, &s->out);
		batch_open(&s->batch, &s->out, w->generation, s->m, tick);
		s->last_tick = tick;
	}
	if (s->out.cap - s->out.n < EVENT_MAX)
		buf_reserve(&s->out, EVENT_MAX);
	return s->out.v + s->out.n;
}

void writer_event(struct writer *w, const struct event *ev)
{
	if (ev->type == EV_CPU_SAMPLE) {
		add_sample(w, ev);
		return;
	}
	uint64_t tick = ev->ts_ns >> w->tick_shift;
	struct stream *s = stream_of(w, ev->m);

	check_stamp(w, tick, ev->type);
	uint8_t *start = stream_reserve(w, s, tick), *p = start;

	*p++ = ev->type;
	p = put_varint(p, tick - s->last_tick);
	for (const uint8_t *a = arguments[ev->type]; *a != A_END; a++)
		p = put_varint(p, argument(w, ev, *a));
	s->last_tick = tick;
	s->out.n += (size_t)(p - start);
	w->pending += (size_t)(p - start);
	w->has_events = true;
}

void writer_extra(struct writer *w, const void *data, size_t n)
{
	const uint8_t *bytes = data;

	for (uint64_t part = 0, at = 0; at < n || !part; part++) {
		struct buf s = {0};

		buf_add(&s, EXTRA_MAGIC, EXTRA_MAGIC_LEN);
		buf_varint(&s, w->n_chunks);
		buf_varint(&s, part);
		size_t room = EXTRA_STRING_MAX - s.n - 1, take = min_u64(n - at, room);

		buf_byte(&s, at + take == n);
		buf_add(&s, bytes + at, take);
		at += take;
		w->pending += s.n;
		*vec_push(&w->extras) = s;
	}
	w->n_chunks++;
}

bool writer_has_extra(const struct writer *w)
{
	return w->extras.n;
}

/* ------------------------------------------------------------------ the end of a generation */

static void encode_frequency(struct writer *w, struct buf *out)
{
	struct batch b = {0};

	table_reserve(w, &b, out, E_FREQUENCY, EVENT_MAX);
	buf_varint(out, 1000000000ull >> w->tick_shift);
	batch_close(&b, out);
}

static void encode_strings(struct writer *w, struct buf *out)
{
	struct batch b = {0};

	for (size_t i = 0; i < w->strings.entries.n; i++) {
		const struct string_entry *e = &w->strings.entries.v[i];

		table_reserve(w, &b, out, B_STRINGS, EVENT_MAX + e->n);
		buf_byte(out, E_STRING);
		buf_varint(out, i + 1);
		buf_varint(out, e->n);
		buf_add(out, w->strings.bytes.v + e->at, e->n);
	}
	batch_close(&b, out);
}

static void encode_extras(struct writer *w, struct buf *out)
{
	struct batch b = {0};

	for (size_t i = 0; i < w->extras.n; i++) {
		struct buf *s = &w->extras.v[i];

		table_reserve(w, &b, out, B_STRINGS, EVENT_MAX + s->n);
		buf_byte(out, E_STRING);
		buf_varint(out, EXTRA_FIRST_ID + i);
		buf_varint(out, s->n);
		buf_add(out, s->v, s->n);
		buf_free(s);
	}
	batch_close(&b, out);
	w->extras.n = 0;
}

static void encode_stack(struct writer *w, struct batch *b, struct buf *out, uint64_t id,
			 uint32_t number)
{
	unsigned n;
	const struct frame *f = w->stacks.frames(w->stacks.self, number, &n);

	n = n < STACK_MAX_FRAMES ? n : STACK_MAX_FRAMES;
	table_reserve(w, b, out, B_STACKS, EVENT_MAX + n * 40);
	buf_byte(out, E_STACK);
	buf_varint(out, id);
	buf_varint(out, n);
	for (unsigned i = 0; i < n; i++) {
		buf_varint(out, f[i].pc);
		buf_varint(out, frame_string_id(w, f[i].func));
		buf_varint(out, frame_string_id(w, f[i].file));
		buf_varint(out, f[i].line);
	}
}

static void encode_stacks(struct writer *w, struct buf *out)
{
	struct batch b = {0};

	for (size_t i = 0; i < w->used_stacks.n; i++)
		encode_stack(w, &b, out, i + 1, w->used_stacks.v[i]);
	batch_close(&b, out);
}

static int compare_samples(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->tick > y->tick) - (x->tick < y->tick);
}

static void encode_samples(struct writer *w, struct buf *out)
{
	struct batch b = {0};

	if (w->samples.n)
		qsort(w->samples.v, w->samples.n, sizeof(*w->samples.v), compare_samples);
	for (size_t i = 0; i < w->samples.n; i++) {
		const struct sample *s = &w->samples.v[i];

		table_reserve(w, &b, out, B_SAMPLES, EVENT_MAX);
		buf_byte(out, E_SAMPLE);
		buf_varint(out, s->tick);
		buf_varint(out, s->m);
		buf_varint(out, s->p);
		buf_varint(out, s->g);
		buf_varint(out, stack_id(w, s->stack));
	}
	batch_close(&b, out);
	w->samples.n = 0;
}

static void flush(struct writer *w)
{
	if (!w->error)
		w->error = write_all(w->fd, w->out.v, w->out.n);
	if (!w->error)
		w->written += w->out.n;
	w->out.n = 0;
}

/* Half a generation would make the whole file invalid (trace-format.md, section 12). */
static void keep_whole(struct writer *w)
{
	if (w->error && w->whole >= 0 && ftruncate(w->fd, w->whole))
		w->whole = -1;
	if (!w->error)
		w->whole = end_of_file(w->fd);
}

static void header(struct writer *w)
{
	buf_printf(&w->out, "go 1.%d trace", w->minor);
	buf_add(&w->out, "\0\0\0", 3);
}

/*
 * The order is crash-safe (trace-format.md, section 12): what is cut off at the end costs
 * batches, not meaning.
 */
static void write_generation(struct writer *w)
{
	struct buf samples CLEANUP(buf_free) = {0}, stacks CLEANUP(buf_free) = {0};

	if (w->generation == 1)
		header(w);
	encode_samples(w, &samples); /* may use stacks, which use strings */
	encode_stacks(w, &stacks);
	encode_frequency(w, &w->out);
	encode_strings(w, &w->out);
	encode_extras(w, &w->out);
	buf_add(&w->out, stacks.v, stacks.n);
	buf_add(&w->out, samples.v, samples.n);
	for (size_t i = 0; i < w->streams.n; i++) {
		struct stream *s = w->streams.v[i];

		batch_close(&s->batch, &s->out);
		buf_add(&w->out, s->out.v, s->out.n);
		if (w->out.n > FLUSH_BYTES)
			flush(w);
	}
	flush(w);
}

static void reset_tables(struct writer *w)
{
	strings_reset(&w->strings);
	for (size_t i = 0; i < w->n_fixed; i++)
		intern(&w->strings, w->fixed[i].s, w->fixed[i].n);
	cache_clear(&w->frame_ids);
	w->used_stacks.n = 0;
	w->pending = 0;
	w->has_events = false;
}

int writer_end_generation(struct writer *w)
{
	if (!w->has_events)
		return w->error;
	bool was_well = !w->error;

	write_generation(w);
	if (was_well)
		keep_whole(w);
	drop_idle_streams(w);
	reset_tables(w);
	w->generation++;
	return w->error;
}

size_t writer_pending(const struct writer *w)
{
	return w->pending;
}

uint64_t writer_written(const struct writer *w)
{
	return w->written;
}
