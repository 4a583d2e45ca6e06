/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offsets.h - where the fields of g, m, p... stand in this binary, and how far that is known.
 *
 * Three sources, in this order: the table (by full version: struct m changed inside Go 1.23 and 1.24), which the
 * code of the binary must not contradict; a hypothesis (the newest row for a newer or modified Go, the rows beside a
 * patch that nobody looked at), which the code must confirm in every fact it shows; DWARF. Else there are none.
 *
 * Facts read from code (atlas 9; checked on all versions and variants by tests/unit/test_plan.c): the TLS slot,
 * g.m, g.sched.{pc,sp,bp} from mcall's stores; g.atomicstatus from casgstatus' cmpxchg; g.waitreason,
 * m.waitTraceBlockReason, m.waitTraceSkip, m.waitlock from gopark's stores; m.curg from execute; m.p, p.m from wirep;
 * p.gcMarkWorkerMode from findRunnableGCWorker or assignWaitingGCWorker.
 */
#ifndef TARGET_OFFSETS_H
#define TARGET_OFFSETS_H

#include "target/code.h"

#define MAX_FACTS 16

struct offset_fact {
	const char *name;
	uint16_t at;       /* in struct gt_offsets */
	uint16_t value;
	bool is_essential; /* a hypothesis without it is not confirmed */
};

struct offset_facts {
	struct offset_fact v[MAX_FACTS];
	size_t n;
	int64_t tls_g;     /* g is at fs:tls_g; 0 when mcall does not show it */
};

void offsets_derive(struct codes *cs, struct offset_facts *ret);
/* -ENOTSUP with the sentence. from: as plan.offsets_from; note: one line for people, or "". */
int offsets_resolve(const struct image *im, const struct buildinfo *bi, const struct offset_facts *facts,
		    struct gt_offsets *ret, char from[64], char note[256], struct why *why);
/* From DWARF alone. -ENOENT: no DWARF, or not all of it. */
int offsets_from_dwarf(const struct image *im, struct gt_offsets *ret);

#endif
