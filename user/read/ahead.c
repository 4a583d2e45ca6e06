/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - see ahead.h. */
#include "read/ahead.h"

#include <pthread.h>
#include <stdlib.h>

enum { BLOCKS = 8, BLOCK_EVENTS = 512 };

struct block {
	struct event events[BLOCK_EVENTS];
	size_t n;
	int end;               /* after them: 0 or -errno, what the reader says; 1: there is more */
	uint64_t offset;
	VEC(void *) texts;     /* copies: the reader's die when it goes on */
};

struct ahead {
	struct trace_reader *reader;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct block blocks[BLOCKS];
	uint64_t filled, emptied; /* blocks so far, under the lock */
	bool stops;            /* under the lock */
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

static void fill(struct ahead *a, struct block *b)
{
	forget_texts(b);
	b->n = 0;
	do {
		struct event *ev = &b->events[b->n];

		b->end = trace_reader_read(a->reader, ev);
		if (b->end <= 0)
			break;
		if (ev->type == EV_LOG)
			keep_text(b, ev);
		b->n++;
	} while (b->n < BLOCK_EVENTS);
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
	struct ahead *a = xcalloc(1, sizeof(*a));

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
	*ev = &a->current->events[a->at++];
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
