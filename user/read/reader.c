/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - see reader.h. */
#include "read/front.h"
#include "read/reader.h"
#include "read/states.h"
#include "read/varint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* One thread's stream in the open generation, and the next event of it. */
struct stream {
	const struct batches *batches;
	struct thread *thread; /* NULL: of no thread, or not known yet */
	size_t batch;          /* index of the one it stands in */
	const uint8_t *at;     /* in that batch; NULL: not begun */
	const uint8_t *event_at;
	int64_t last_ns; /* time of the event before, 0: take the batch's */
	uint8_t type;
	uint64_t args[1 + EVENT_ARGS_MAX]; /* args[0]: difference in time */
};

enum { FEW_THREADS = 512, TRIES = 1 << 22, TRIES_PER_BYTE = 16 };

enum stage { READING, DONE, FAILED };

struct trace_reader {
	struct source source;
	int minor;
	struct generation generation;
	struct states states;
	struct pool pool;
	VEC(struct stream) streams;
	VEC(struct front) heap; /* by time; broken exactly as Go's reader breaks ties */
	VEC(size_t) visit;      /* see visit_push */
	uint64_t tries;         /* see try_many */
	size_t sample;          /* next one */
	struct event event;     /* of trace_reader_next */
	int64_t last_ns;
	uint64_t syncs;
	bool is_cut;     /* after this generation the file is wrong: why */
	bool has_failed; /* say the last sync, then why */
	enum stage stage;
	struct why why, flaw;
	struct extra_join join;
	void (*take_extra)(void *self, const struct extra_chunk *chunk);
	void *extra_self;
};

/* ------------------------------------------------------------------------------- life */

static int read_header(struct trace_reader *r, struct why *why)
{
	static const int known[] = { 22, 23, 25, 26 };
	size_t n;
	const char *h = (const char *)source_peek(&r->source, 16, &n);
	bool has_shape = n >= 16 && !memcmp(h, "go 1.", 5) && h[5] >= '0' && h[5] <= '9' &&
			 h[6] >= '0' && h[6] <= '9' && !memcmp(h + 7, " trace\0\0\0", 9);

	if (r->source.error)
		return why_set(why, -EBADMSG, "cannot be read: %s", strerror(r->source.error));
	if (!has_shape)
		return why_set(why, -EBADMSG, "offset 0x0: not a Go execution trace%s",
			       n == 0 ? ": the file is empty" : "");
	r->minor = (h[5] - '0') * 10 + h[6] - '0';
	source_skip(&r->source, 16);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == r->minor)
			return 0;
	return why_set(
		why, -EBADMSG,
		"offset 0x5: header go 1.%d, but only 1.22, 1.23, 1.25 and 1.26 can be read%s",
		r->minor, r->minor < 22 ? " (older ones are another format)" : "");
}

int trace_reader_open(int fd, struct trace_reader **ret, struct why *why)
{
	struct trace_reader *r = xcalloc(1, sizeof(*r));

	source_open(&r->source, fd);
	r->states.pool = &r->pool;
	int err = read_header(r, why);

	if (err)
		trace_reader_close(r);
	else
		*ret = r;
	return err;
}

void trace_reader_close(struct trace_reader *r)
{
	if (!r)
		return;
	generation_free(&r->generation);
	states_free(&r->states);
	pool_free(&r->pool);
	vec_free(&r->streams);
	vec_free(&r->heap);
	extra_join_free(&r->join);
	vec_free(&r->visit);
	source_close(&r->source);
	free(r);
}

/* ------------------------------------------------------------------------------- streams */

static uint64_t file_offset(const struct stream *s, const uint8_t *p)
{
	const struct batch *b = &s->batches->list.v[s->batch];

	return b->offset + (uint64_t)(p - b->data);
}

static int __attribute__((cold))
bad_event(struct trace_reader *r, struct stream *s, const char *what)
{
	return why_set(&r->why, -EBADMSG, "offset 0x%" PRIx64 ": %s (byte %d)",
		       file_offset(s, s->at), what, *s->at);
}

/* The next event of the stream into it and its time into *ns. 1; 0 at its end; -EBADMSG. */
static int stream_next(struct trace_reader *r, struct stream *s, int64_t *ns)
{
	const struct batch *b = &s->batches->list.v[s->batch];

	while (!s->at || s->at == b->end) { /* also past empty batches */
		if (s->at && ++s->batch == s->batches->list.n)
			return 0;
		b = &s->batches->list.v[s->batch];
		s->at = b->data;
		s->last_ns = 0;
	}
	if (!s->last_ns)
		s->last_ns = generation_ns(&r->generation, b->time);
	const uint8_t *end;

	switch (event_specs[*s->at]
			.n_args) { /* a known number of numbers is decoded without a loop */
	case 0:
		if (!event_specs[*s->at].name)
			return bad_event(r, s, "no event of a thread begins so");
		end = varints(s->at + 1, b->end, s->args, 1);
		break;
	case 1:
		end = varints(s->at + 1, b->end, s->args, 2);
		break;
	case 2:
		end = varints(s->at + 1, b->end, s->args, 3);
		break;
	case 3:
		end = varints(s->at + 1, b->end, s->args, 4);
		break;
	default:
		end = varints(s->at + 1, b->end, s->args, 1u + event_specs[*s->at].n_args);
	}
	if (!end)
		return bad_event(r, s, "an event is cut off by the end of its batch");
	s->type = *s->at;
	s->event_at = s->at;
	s->at = end;
	s->last_ns = (int64_t)((uint64_t)generation_ns(&r->generation, s->args[0]) +
			       (uint64_t)s->last_ns);
	*ns = s->last_ns;
	return 1;
}

/* ------------------------------------------------------------------------------- heap */

static void heap_remove(struct trace_reader *r, size_t i)
{
	front_remove(r->heap.v, r->heap.n--, i);
}

/* Of the heap's entries those come next by time whose parent was visited: a heap of their indexes.
 */
static bool comes_before(const struct front *h, size_t a, size_t b)
{
	return h[a].time_ns != h[b].time_ns ? h[a].time_ns < h[b].time_ns : a < b;
}

static void visit_push(struct trace_reader *r, size_t index)
{
	const struct front *h = r->heap.v;

	if (index >= r->heap.n)
		return;
	size_t i = r->visit.n, *v = (*vec_push(&r->visit) = index, r->visit.v);

	for (; i > 0 && comes_before(h, index, v[(i - 1) / 2]); i = (i - 1) / 2)
		v[i] = v[(i - 1) / 2];
	v[i] = index;
}

static size_t visit_pop(struct trace_reader *r)
{
	const struct front *h = r->heap.v;
	size_t *v = r->visit.v, first = v[0], last = v[--r->visit.n], n = r->visit.n, i = 0;

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && comes_before(h, v[child + 1], v[child]))
			child++;
		if (!comes_before(h, v[child], last))
			break;
		v[i] = v[child];
	}
	if (n)
		v[i] = last;
	return first;
}

/* ------------------------------------------------------------------------------- events */

static int deliver(struct trace_reader *r, struct event *ev, int64_t ns)
{
	if (ns <= r->last_ns)
		ns = (int64_t)((uint64_t)r->last_ns +
			       1); /* a frequency of 0 makes times that overflow */
	ev->ts_ns = (uint64_t)ns;
	r->last_ns = (int64_t)((uint64_t)ns + event_parts(ev) - 1);
	return 1;
}

static int deliver_sync(struct trace_reader *r, struct event *ev, int64_t ns)
{
	*ev = (struct event){ .type = EV_SYNC, .m = EVENT_NO_M, .p = EVENT_NO_P, .id = ++r->syncs };
	return deliver(r, ev, ns);
}

static void __attribute__((cold)) note_flaw(struct trace_reader *r, const char *what)
{
	if (!r->flaw.text[0])
		why_set(&r->flaw, 0, "generation %" PRIu64 ": %s", r->generation.number, what);
}

static int deliver_sample(struct trace_reader *r, struct event *ev)
{
	const struct gen_sample *s = &r->generation.samples.v[r->sample++];
	struct gen_stack *stack = generation_stack(&r->generation, s->stack);

	ev->type = EV_CPU_SAMPLE;
	ev->m = s->m;
	ev->p = s->p == UINT64_MAX ? EVENT_NO_P : event_p(s->p);
	ev->g = s->g;
	ev->stack = stack ? pool_stack(&r->pool, &r->generation, stack) : 0;
	if (!stack && s->stack)
		note_flaw(r, "a CPU sample names a stack that is not in its generation");
	return deliver(r, ev, s->time_ns);
}

static int __attribute__((cold, noinline)) say_where(struct trace_reader *r, const struct stream *s)
{
	struct why what = r->why;

	return why_set(&r->why, -EBADMSG, "offset 0x%" PRIx64 ": %s", file_offset(s, s->event_at),
		       what.text);
}

/* The event of heap entry i, if the states take it: 1, 0 it waits, -EBADMSG. */
static inline int try_front(struct trace_reader *r, size_t i, struct event *ev)
{
	struct stream *s = r->heap.v[i].stream;
	int64_t ns = r->heap.v[i].time_ns;

	if (!s->thread && s->batches->m != EVENT_NO_M)
		s->thread = states_thread(&r->states,
					  s->batches->m); /* known from its first event on */
	int n = states_advance(&r->states, &r->generation, s->thread, s->type, s->args + 1, ev,
			       &r->why);

	if (__builtin_expect(n <= 0, 0))
		return n ? say_where(r, s) : 0;
	if (s->type == EV_STW_END && !generation_string(&r->generation, r->states.ended_kind_id))
		note_flaw(r, "a stop of the world ends in it whose kind it does not name");
	n = stream_next(r, s, &r->heap.v[i].time_ns);
	if (n < 0)
		return n;
	if (n == 0)
		heap_remove(r, i);
	else if (!i || front_sift_up(r->heap.v, i) == i)
		front_sift_down(r->heap.v, r->heap.n, i);
	return deliver(r, ev, ns);
}

/*
 * A file of many threads of which each waits for the last one takes a millisecond a byte; traces of
 * 800 threads need 0.0 tries a byte.
 */
static int count_tries(struct trace_reader *r, size_t n)
{
	r->tries += n;
	if (r->tries <= TRIES + TRIES_PER_BYTE * r->source.offset)
		return 0;
	return why_set(&r->why, -EBADMSG,
		       "offset 0x%" PRIx64 ": %zu threads wait for each other all the time",
		       r->source.offset, r->heap.n);
}

static int try_few(struct trace_reader *r, struct event *ev)
{
	int n = count_tries(r, r->heap.n);

	if (n < 0)
		return n;
	front_sort(r->heap.v, r->heap.n);
	for (size_t i = 1; i < r->heap.n; i++) {
		n = try_front(r, i, ev);
		if (n)
			return n;
	}
	return 0;
}

/* Without sorting what need not be tried: of equal times the one further up in the heap is first.
 */
static int try_many(struct trace_reader *r, struct event *ev)
{
	r->visit.n = 0;
	for (size_t i = 0;; i = visit_pop(r)) {
		int n = i ? try_front(r, i, ev) : 0;

		if (n)
			return n;
		n = count_tries(r, 1);
		if (n < 0)
			return n;
		visit_push(r, 2 * i + 1);
		visit_push(r, 2 * i + 2);
		if (!r->visit.n)
			return 0;
	}
}

/* The earliest one waits: the first of the others that does not, by time. */
static int __attribute__((noinline)) try_others(struct trace_reader *r, struct event *ev)
{
	int n = r->heap.n <= FEW_THREADS ? try_few(r, ev) : try_many(r, ev);

	if (n)
		return n;
	struct stream *s = r->heap.v[0].stream;

	return why_set(&r->why, -EBADMSG,
		       "offset 0x%" PRIx64 ": %s of %s %" PRIu64
		       " waits for an event that never comes",
		       file_offset(s, s->event_at), event_specs[s->type].name,
		       s->type == EV_GO_SYSCALL_END_BLOCKED ? "thread" : "id",
		       s->type == EV_GO_SYSCALL_END_BLOCKED ? s->batches->m : s->args[1]);
}

static int open_streams(struct trace_reader *r)
{
	struct generation *g = &r->generation;

	r->streams.n = r->heap.n = 0;
	r->sample = 0;
	vec_reserve(&r->streams, g->n_threads);
	vec_reserve(&r->heap, g->n_threads);
	for (size_t i = 0; i < g->n_threads; i++) {
		struct stream *s = &r->streams.v[r->streams.n++];
		struct front f = { .stream = s };

		*s = (struct stream){ .batches = &g->threads.v[i] };
		int n = stream_next(r, s, &f.time_ns);

		if (n < 0)
			return n;
		if (n == 0)
			continue;
		r->heap.v[r->heap.n++] = f;
		front_sift_up(r->heap.v, r->heap.n - 1);
	}
	return 0;
}

static void tell_extra(struct trace_reader *r)
{
	const struct generation *g = &r->generation;
	struct extra_chunk chunk;

	for (size_t i = 0; r->take_extra && i < g->extra.n; i++)
		if (extra_join(&r->join, g->number, g->extra.v[i].s, g->extra.v[i].n, &chunk))
			r->take_extra(r->extra_self, &chunk);
}

void trace_reader_on_extra(struct trace_reader *r,
			   void (*take)(void *self, const struct extra_chunk *chunk), void *self)
{
	r->take_extra = take;
	r->extra_self = self;
}

/* Into the next generation. Its sync, the last sync, 0 or -EBADMSG. */
static int next_generation(struct trace_reader *r, struct event *ev)
{
	if (r->stage == DONE)
		return 0;
	if (r->stage == FAILED)
		return -EBADMSG;
	bool was_cut = r->is_cut;
	int n = was_cut ? -EBADMSG
			: generation_load(&r->generation, &r->source, r->minor, &r->is_cut,
					  &r->why);

	if (n <= 0) {
		r->stage = n < 0 ? FAILED : DONE;
		return deliver_sync(r, ev, r->last_ns);
	}
	tell_extra(r);
	if (r->generation.has_unknown_experiment)
		note_flaw(r, "it holds a batch of an experiment that nobody knows");
	n = open_streams(r);
	if (n < 0) {
		r->stage = FAILED;
		return n;
	}
	return deliver_sync(r, ev, generation_ns(&r->generation, r->generation.min_time));
}

int trace_reader_read(struct trace_reader *r, struct event *ev)
{
	int n;

	if (r->stage == FAILED)
		return -EBADMSG;
	if (r->sample < r->generation.samples.n &&
	    (!r->heap.n || r->generation.samples.v[r->sample].time_ns < r->heap.v[0].time_ns))
		return deliver_sample(r, ev);
	if (!r->heap.n)
		return next_generation(r, ev);
	n = try_front(r, 0, ev);
	if (n == 0)
		n = try_others(r, ev);
	if (n < 0)
		r->stage = FAILED;
	return n;
}

int trace_reader_next(struct trace_reader *r, const struct event **ev)
{
	*ev = &r->event;
	return trace_reader_read(r, &r->event);
}

const char *trace_reader_error(const struct trace_reader *r)
{
	return r->why.text;
}

const struct frame *trace_reader_frames(const struct trace_reader *r, uint32_t number, unsigned *n)
{
	return pool_frames(&r->pool, number, n);
}

const char *trace_reader_flaw(const struct trace_reader *r)
{
	return r->flaw.text[0] ? r->flaw.text : NULL;
}

static const struct frame *source_frames(const void *self, uint32_t stack, unsigned *n)
{
	return trace_reader_frames(self, stack, n);
}

struct stack_source trace_reader_stacks(const struct trace_reader *r)
{
	return (struct stack_source){ source_frames, r };
}

int trace_reader_minor(const struct trace_reader *r)
{
	return r->minor;
}

struct trace_clock trace_reader_clock(const struct trace_reader *r)
{
	const struct generation *g = &r->generation;

	return (struct trace_clock){ g->has_clock, (uint64_t)generation_ns(g, g->clock_units),
				     g->clock_mono_ns, g->clock_wall_sec, g->clock_wall_nsec };
}

uint64_t trace_reader_offset(const struct trace_reader *r)
{
	return r->source.offset;
}
