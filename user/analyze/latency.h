/* SPDX-License-Identifier: Apache-2.0 */
/* latency.h - durations by size: a histogram of 16 buckets per power of two, so a quantile is at most 6 % too large. */
#ifndef ANALYZE_LATENCY_H
#define ANALYZE_LATENCY_H

#include "base/base.h"

enum { LATENCY_SUB_BITS = 4, LATENCY_BUCKETS = (64 - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS };

/* The zero latency is empty. */
struct latency {
	uint64_t n, total_ns, max_ns;
	uint64_t buckets[LATENCY_BUCKETS];
};

static inline unsigned latency_bucket(uint64_t ns)
{
	if (ns < 1u << LATENCY_SUB_BITS)
		return (unsigned)ns;
	unsigned shift = 63u - LATENCY_SUB_BITS - (unsigned)__builtin_clzll(ns);

	return ((shift + 1) << LATENCY_SUB_BITS) + (unsigned)(ns >> shift) - (1u << LATENCY_SUB_BITS);
}

/* The largest duration of a bucket. */
static inline uint64_t latency_edge(unsigned bucket)
{
	unsigned shift = bucket >> LATENCY_SUB_BITS;
	uint64_t within = bucket & ((1u << LATENCY_SUB_BITS) - 1);

	if (!shift)
		return bucket;
	return (((1ull << LATENCY_SUB_BITS) + within + 1) << (shift - 1)) - 1;
}

static inline void latency_add(struct latency *l, uint64_t ns)
{
	l->n++;
	l->total_ns += ns;
	l->max_ns = max_u64(l->max_ns, ns);
	l->buckets[latency_bucket(ns)]++;
}

/* The least duration that at least q of all do not exceed; 0 without any. */
static inline uint64_t latency_quantile(const struct latency *l, double q)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		below += l->buckets[i];
		if (below && (double)below >= q * (double)l->n)
			return min_u64(latency_edge(i), l->max_ns);
	}
	return 0;
}

#endif
