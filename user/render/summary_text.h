/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_text.h - the screen after a recording: what was recorded, what it cost, what hurts, what to type next.
 * At most 40 lines of 100 columns.
 */
#ifndef RENDER_SUMMARY_TEXT_H
#define RENDER_SUMMARY_TEXT_H

#include "analyze/gc.h"
#include "analyze/goroutines.h"
#include "order/order.h"

#include <stdio.h>

struct summary_text_info {
	const char *command, *go_version, *output;
	int pid;                   /* 0: a replay */
	uint64_t bytes;            /* of the trace file */
	uint64_t duration_ns, target_cpu_ns;
	uint64_t traps;
	double trap_ns;            /* of a trap that does nothing, on this machine; 0 not measured */
	uint64_t attach_ns, detach_ns, first_record_ns; /* the last: since gotrace was started */
	uint64_t lost, unread_stacks, bad_reads;
	uint32_t goroutines_at_attach;
	bool target_ended, target_execed;
	const struct order_counts *counts;
};

void summary_text(FILE *f, const struct goroutines *g, const struct gc *gc, const struct summary_text_info *info);

#endif
