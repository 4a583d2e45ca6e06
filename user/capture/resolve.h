/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.h - ring records become records: addresses of gs and Ps become goids and P ids, hashes become stack
 * numbers, the wait numbers of old runtimes become today's. After this nobody knows which engine spoke.
 */
#ifndef CAPTURE_RESOLVE_H
#define CAPTURE_RESOLVE_H

#include "capture/capture.h"

struct resolve {
	const struct process *process;
	const struct plan *plan;
	bool has_v1_reasons;        /* Go <= 1.21: what stands in m is an event number of trace v1 */
	uint8_t wait_blocks[256];   /* and then: enum block_reason by g.waitreason */
	struct map64 goids;         /* g -> goid */
	struct map64 procs;         /* p -> id + 1 */
	struct map64 stacks;        /* hash -> number */
	struct map64 sweeps;        /* thread in a sweep loop -> bytes swept so far */
	uint32_t n_stacks;
	struct capture_counts counts;
};

void resolve_free(struct resolve *r);
/* One ring record of n bytes. 0, or -EBADMSG for one that is too short or of no known kind. */
int resolve_record(struct resolve *r, const void *data, size_t n, const struct capture_sink *sink);

/* enum block_reason of what stands in m.waitTraceBlockReason (an event number until Go 1.21: some tell nothing). */
uint8_t resolve_reason(const struct resolve *r, uint8_t traced);
/* The number of a stack that did not come through the ring. */
uint32_t resolve_stack(struct resolve *r, const uint64_t *pcs, unsigned n, const struct capture_sink *sink);

#endif
