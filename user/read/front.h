/* SPDX-License-Identifier: Apache-2.0 */
/*
 * front.h - the next event of each thread, by time: a heap, and the sort that Go's reader falls back on.
 *
 * Which of two equal times comes first decides what is delivered when one of them waits, and so the times of both. To say the
 * same as Go, equal times are left where container code of Go leaves them: internal/trace/batchcursor.go (heap) and
 * slices.SortFunc (a pattern-defeating quicksort, which is not stable beyond 12 entries), both Go 1.26.
 */
#ifndef READ_FRONT_H
#define READ_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

struct front {
	int64_t time_ns;
	struct stream *stream;
};

static inline bool front_less(const struct front *h, size_t a, size_t b)
{
	return h[a].time_ns < h[b].time_ns;
}

static inline void front_swap(struct front *h, size_t a, size_t b)
{
	struct front f = h[a];

	h[a] = h[b];
	h[b] = f;
}

/* From a place where the time may be too small for the entries above it; returns where it is then. */
static inline size_t front_sift_up(struct front *h, size_t i)
{
	for (; i > 0 && front_less(h, i, (i - 1) / 2); i = (i - 1) / 2)
		front_swap(h, i, (i - 1) / 2);
	return i;
}

static inline void front_sift_down(struct front *h, size_t n, size_t i)
{
	for (;;) {
		size_t least = i, child = 2 * i + 1;

		if (child < n && front_less(h, child, least))
			least = child;
		if (child + 1 < n && front_less(h, child + 1, least))
			least = child + 1;
		if (least == i)
			return;
		front_swap(h, i, least);
		i = least;
	}
}

/* n is what was there; one less is there then. */
void front_remove(struct front *h, size_t n, size_t i);
/* A sorted heap is a heap. */
void front_sort(struct front *h, size_t n);

#endif
