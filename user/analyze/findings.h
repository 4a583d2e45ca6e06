/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings.h - what hurts, in sentences with their evidence, worst first.
 *
 * Each rule of the table in findings.c looks at the finished analyses and says nothing or one thing. The weight that orders them
 * is the time that goroutines or Ps lost, ns. A rule speaks only above a threshold that a healthy program stays below; thresholds
 * stand in the table's functions.
 */
#ifndef ANALYZE_FINDINGS_H
#define ANALYZE_FINDINGS_H

#include "analyze/gc.h"
#include "analyze/goroutines.h"

enum finding_kind { FOUND_BUSY, FOUND_WAKEUP, FOUND_GC, FOUND_STW, FOUND_LOCK, FOUND_LEAK, FOUND_SYSCALL, FOUND_LATENCY };

struct finding {
	enum finding_kind kind;
	uint64_t weight_ns;
	char text[256];        /* the sentence */
	const char *function;  /* it is about goroutines of this function, or code in it; NULL: none. Owned by the stack source */
	enum profile_kind profile; /* where to look on, if has_profile */
	bool has_profile;
	uint64_t at_ns;        /* the worst moment; 0: none */
};

struct findings {
	VEC(struct finding) list;
};

void findings_of(const struct goroutines *g, const struct gc *gc, struct findings *ret);
void findings_free(struct findings *f);

#endif
