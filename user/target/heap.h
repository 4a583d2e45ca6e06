/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - live heap and heap goal of a running Go process, read without a trap.
 *
 * runtime.gcController as mgcpacer.go, Go 1.18 to 1.27, keeps it; the goal by the formula of
 * (*gcControllerState).heapGoalInternal.
 */
#ifndef TARGET_HEAP_H
#define TARGET_HEAP_H

#include "target/plan.h"
#include "target/process.h"

struct heap {
	uint64_t live_bytes;
	uint64_t goal_bytes;   /* 0: the GC is off, or the goal is not to be had */
};

/* 0 or -EFAULT. */
int heap_read(const struct process *p, const struct plan *plan, struct heap *ret);

#endif
