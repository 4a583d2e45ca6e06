/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - see ahead.h. */
#include "read/ahead.h"

#include <pthread.h>
#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BLOCKS = 4, BLOCK_EVENTS = 2048, PREFETCH = 24 };

struct slot { /* two cache lines, of which most events need one */
	_Alignas(64) struct event ev;
};

struct block {
	struct slot slots[BLOCK_EVENTS + PREFETCH];
	size_t n;
	int end; /* after them: 0 or -errno, what the reader says; 1: there is more */
	uint64_t offset;
	VEC(void *) texts; /* copies: the reader's die when it goes on */
};

struct ahead {
	struct trace_reader *reader;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct block blocks[BLOCKS];
	uint64_t filled, emptied; /* blocks so far, under the lock */
	bool stops;               /* under the lock */
	/* of who looks */
	struct block *current;
	size_t at;
};

static void keep_text(struct block *b, struct event *ev)
{
	void *copy = xmemdup0(ev->text.s, ev->text.n);

	*vec_push(&b->texts) = copy;
	ev->text.s = copy;
}

static void forget_texts(struct block *b)
{
	for (size_t i = 0; i < b->texts.n; i++)
		free(b->texts.v[i]);
	b->texts.n = 0;
}

/*
 * Past the caches: the line is in the other CPU's, and waiting for it costs more than the rest of
 * reading an event. In pieces as they were stored, for a wider load has to wait until its parts
 * have reached the cache.
 */
static inline void put_line(struct event *to, const struct event *from)
{
#if defined(__SSE2__) && defined(__x86_64__)
	long long *line = (long long *)to;

	_Static_assert(offsetof(struct event, p) == 32 && offsetof(struct event, seq) == 36 &&
			       offsetof(struct event, stack) == 40 &&
			       offsetof(struct event, type) == 44 &&
			       offsetof(struct event, is_repair) == 46 &&
			       offsetof(struct event, name) == 48,
		       "as put together here");
	_mm_stream_si64(line, (long long)from->ts_ns);
	_mm_stream_si64(line + 1, (long long)from->m);
	_mm_stream_si64(line + 2, (long long)from->g);
	_mm_stream_si64(line + 3, (long long)from->id);
	_mm_stream_si64(line + 4, (long long)((uint64_t)from->seq << 32 | (uint32_t)from->p));
	_mm_stream_si64(line + 5,
			(long long)((uint64_t)from->is_repair << 48 | (uint64_t)from->status << 40 |
				    (uint64_t)from->type << 32 | from->stack));
	_mm_stream_si64(line + 6, (long long)(uintptr_t)from->name.s);
	_mm_stream_si64(line + 7, (long long)from->name.n);
#else
	memcpy(to, from, 64);
#endif
}

static bool has_second_line(uint8_t type)
{
	switch (type) {
	case EV_GO_START:
	case EV_GO_STOP:
	case EV_GO_BLOCK:
	case EV_GO_UNBLOCK:
	case EV_GO_SYSCALL_BEGIN:
	case EV_GO_SYSCALL_END:
	case EV_GO_SYSCALL_END_BLOCKED:
	case EV_GO_DESTROY:
	case EV_PROC_START:
	case EV_PROC_STOP:
	case EV_GO_SWITCH:
	case EV_GO_SWITCH_DESTROY:
	case EV_GO_CREATE:
	case EV_GO_CREATE_BLOCKED:
	case EV_GO_CREATE_SYSCALL:
		return false;
	}
	return true;
}

static void fill(struct ahead *a, struct block *b)
{
	struct event ev = { 0 };

	forget_texts(b);
	b->n = 0;
	do {
		b->end = trace_reader_read(a->reader, &ev);
		if (b->end <= 0)
			break;
		if (ev.type == EV_LOG)
			keep_text(b, &ev);
		put_line(&b->slots[b->n].ev, &ev);
		if (has_second_line(ev.type))
			memcpy((char *)&b->slots[b->n].ev + 64, (char *)&ev + 64, sizeof(ev) - 64);
		b->n++;
	} while (b->n < BLOCK_EVENTS);
#ifdef __SSE2__
	_mm_sfence();
#endif
	b->offset = trace_reader_offset(a->reader);
}

static void *run(void *self)
{
	struct ahead *a = self;
	int more = 1;

	pthread_mutex_lock(&a->lock);
	while (more > 0 && !a->stops) {
		if (a->filled - a->emptied == BLOCKS) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		struct block *b = &a->blocks[a->filled % BLOCKS];

		pthread_mutex_unlock(&a->lock);
		fill(a, b);
		more = b->end;
		pthread_mutex_lock(&a->lock);
		a->filled++;
		pthread_cond_signal(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

struct ahead *ahead_start(struct trace_reader *r)
{
	struct ahead *a = aligned_alloc(_Alignof(struct ahead), sizeof(*a));

	if (!a)
		return NULL;
	memset(a, 0, sizeof(*a));
	a->reader = r;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	if (pthread_create(&a->thread, NULL, run, a)) {
		free(a);
		return NULL;
	}
	return a;
}

/* Gives back the block that was looked at and waits for the next one. */
static void next_block(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	if (a->current) {
		a->emptied++;
		pthread_cond_signal(&a->changed);
	}
	while (a->filled == a->emptied)
		pthread_cond_wait(&a->changed, &a->lock);
	a->current = &a->blocks[a->emptied % BLOCKS];
	a->at = 0;
	pthread_mutex_unlock(&a->lock);
}

int ahead_next(struct ahead *a, const struct event **ev)
{
	while (!a->current || a->at == a->current->n) {
		if (a->current && a->current->end <= 0)
			return a->current->end;
		next_block(a);
	}
	struct slot *slot = &a->current->slots[a->at++];

	__builtin_prefetch(slot + PREFETCH);
	*ev = &slot->ev;
	return 1;
}

uint64_t ahead_offset(const struct ahead *a)
{
	return a->current ? a->current->offset : 0;
}

void ahead_stop(struct ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stops = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	for (size_t i = 0; i < BLOCKS; i++) {
		forget_texts(&a->blocks[i]);
		vec_free(&a->blocks[i].texts);
	}
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
