/* SPDX-License-Identifier: Apache-2.0 */
/* heap.c - see heap.h. */
#include "target/heap.h"

#include <errno.h>

#define CONTROLLER_BYTES 512
#define NO_FIELD         0xffff

struct controller {
	uint8_t bytes[CONTROLLER_BYTES];
};

static uint64_t get(const struct controller *c, unsigned offset)
{
	uint64_t x = 0;

	if (offset + 8 <= CONTROLLER_BYTES)
		memcpy(&x, c->bytes + offset, 8);
	return x;
}

/* (*gcControllerState).memoryLimitHeapGoal, Go 1.19+ */
static uint64_t memory_limit_goal(const struct controller *c, const struct gt_offsets *o)
{
	enum { HEADROOM_PERCENT = 3, HEADROOM_MIN = 1 << 20 };
	uint64_t limit = o->gc_memory_limit == NO_FIELD ? INT64_MAX : get(c, o->gc_memory_limit);
	uint64_t live = get(c, o->gc_total_alloc) - get(c, o->gc_total_free);
	uint64_t overhead = get(c, o->gc_mapped_ready) - get(c, o->gc_heap_free) - live;
	uint64_t marked = get(c, o->gc_heap_marked);

	if (limit >= INT64_MAX)
		return UINT64_MAX;
	uint64_t used = get(c, o->gc_mapped_ready), over = used > limit ? used - limit : 0;

	if (overhead + over >= limit)
		return marked;
	uint64_t goal = limit - (overhead + over);
	uint64_t headroom = max_u64(goal / 100 * HEADROOM_PERCENT, HEADROOM_MIN);

	goal = goal < headroom || goal - headroom < headroom ? headroom : goal - headroom;
	return max_u64(goal, marked);
}

static uint64_t heap_goal(const struct controller *c, const struct gt_offsets *o)
{
	if ((int32_t)get(c, o->gc_percent) < 0 && o->gc_memory_limit == NO_FIELD)
		return 0;
	if (o->gc_heap_goal != NO_FIELD)
		return get(c, o->gc_heap_goal);
	uint64_t goal = get(c, o->gc_percent_heap_goal), limit = memory_limit_goal(c, o);

	if (limit < goal) {
		goal = limit;
	} else {
		uint64_t triggered = get(c, o->gc_triggered);

		goal = max_u64(goal, get(c, o->gc_sweep_dist_min_trigger));
		if (triggered != UINT64_MAX)
			goal = max_u64(goal, triggered + (64 << 10));
	}
	return goal == UINT64_MAX || goal >> 62 ? 0 : goal;
}

int heap_read(const struct process *p, const struct plan *plan, struct heap *ret)
{
	const struct gt_offsets *o = &plan->offsets;
	struct controller c;

	if (!plan->globals.gc_controller)
		return -EFAULT;
	if (process_read(p, plan->globals.gc_controller + p->bias, c.bytes, sizeof(c.bytes)) !=
	    sizeof(c.bytes))
		return -EFAULT;
	ret->live_bytes = get(&c, o->gc_heap_live);
	ret->goal_bytes = heap_goal(&c, o);
	return 0;
}
