/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff.h - two traces side by side: what got slower, by group of goroutines and by stack.
 *
 * Traces differ in length, so nothing is compared in seconds. Of a stack it is the mean length of a wait (profile ns / count). Of a
 * group it is each of its times per goroutine where most of its goroutines come and go, and else (but for blocked) per second. Rows are
 * matched by names: start function, and the functions of a stack, for addresses and lines move between builds. The weight of a row
 * is what the change costs per second of the second trace: rows lighter than min_share of its time are noise and left out.
 */
#ifndef ANALYZE_DIFF_H
#define ANALYZE_DIFF_H

#include "analyze/goroutines.h"

enum diff_kind { DIFF_GROUP, DIFF_STACK };

struct diff_row {
	enum diff_kind kind;
	const char *what;      /* column of a group ("execution", "wait for a P"...), or profile ("net", ...) of a stack */
	const char *name;      /* start function, or the stack's leaf outside of runtime and syscall */
	uint32_t stack_a, stack_b; /* of DIFF_STACK: the heaviest of that name in each; 0 none */
	const char *unit;      /* "a goroutine", "a second", "a wait" */
	double before_ns, after_ns; /* in that unit */
	uint64_t count_a, count_b;  /* goroutines or waits */
	double weight_ns;      /* change per second of B; negative: got faster */
	double change;         /* (after - before) / before; INFINITY: new */
};

struct diff {
	VEC(struct diff_row) rows; /* what costs most first, then what was gained most last */
	double worst;          /* largest change of all rows that got slower; 0 none */
};

void diff_of(const struct goroutines *a, const struct goroutines *b, double min_share, struct diff *ret);
void diff_free(struct diff *d);

#endif
