/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utilization.h - the share of the Ps that is left to the program, over time, and its worst and other windows.
 *
 * Told by gc.c which P is lost when; asked when the trace is over. Numbers are those of internal/trace/gc.go, Go 1.26
 * (MutatorUtilizationV2, MMUCurve). Memory: 16 bytes for each time it changed.
 *
 *	u = utilization_new(false); utilization_set_procs(u, 4, now); utilization_lose(u, p, 1, now)...;
 *	utilization_finish(u, now, false); utilization_mmu(u, window_ns, &worst); utilization_free(u)
 */
#ifndef ANALYZE_UTILIZATION_H
#define ANALYZE_UTILIZATION_H

#include "base/base.h"

struct utilization;

/* per_proc: a P each, of which the worst counts. */
struct utilization *utilization_new(bool per_proc);
void utilization_free(struct utilization *u);

/* GOMAXPROCS. Nothing counts before, and while it is 0; the last Ps go, new ones are the program's. */
void utilization_set_procs(struct utilization *u, uint64_t n, uint64_t now);
bool utilization_is_known(const struct utilization *u);
/* Something more, 1, or less, -1, keeps P p from the program; may become negative. No such P: nothing. */
void utilization_lose(struct utilization *u, int64_t p, int change, uint64_t now);
/* The same for all Ps. */
void utilization_stop(struct utilization *u, int change, uint64_t now);
/* As it turns out, one P was lost from the beginning until now. Not per_proc. */
void utilization_lose_before(struct utilization *u);
/* What follows may be dropped, see utilization_finish. */
void utilization_sync(struct utilization *u);
/* It ends, at `end`. is_broken: with what the last utilization_sync saw. */
void utilization_finish(struct utilization *u, uint64_t end, bool is_broken);

struct utilization_window {
	double utilization;    /* 0..1, the mean in it */
	uint64_t at_ns;        /* where it begins */
};

/*
 * The worst window of this length, the minimum mutator utilization; of all the time if that is shorter; 0 for a window of 0,
 * or no time. false: not known, GOMAXPROCS was never told.
 */
bool utilization_mmu(const struct utilization *u, uint64_t window_ns, struct utilization_window *ret);
/*
 * The utilization that the share q (0..1) of all windows of this length do not exceed, for n of them. false: as above. Go's
 * MMUCurve.MUD means the same, but returns the minimum for every q (1.26: addMU leaves before it adds to the distribution).
 */
bool utilization_mud(const struct utilization *u, uint64_t window_ns, const double *q, size_t n, double *ret);

#endif
