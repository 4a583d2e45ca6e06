/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta.h - the run's metadata, as "key=value" lines in the trace's extra data.
 *
 * Keys at the begin: gotrace, options, launched, tick_shift, host, kernel, pid, command, exe, build_id, go_version, go_settings, offsets, sites,
 * started (wall clock, RFC 3339), clock (CLOCK_MONOTONIC ns = CLOCK_REALTIME ns); at the end: duration_ns, lost,
 * repairs, dropped, unread_stacks, bad_reads, traps, link. Coding: trace/extra.h.
 */
#ifndef CMD_META_H
#define CMD_META_H

#include "cmd/pipeline.h"
#include "cmd/session.h"

struct capture_counts;

struct meta_run {
	const char *options;       /* gotrace's own arguments */
	bool is_launched;          /* the target was started by gotrace */
	unsigned tick_shift;       /* of the trace: a replay has the same stamps */
};
void meta_begin(struct pipeline *p, const struct session *target, const struct meta_run *run);
/* The target's texts of the wait reasons that the snapshot has: keys waitreason.N (trace/extra.h). */
void meta_snapshot(struct pipeline *p, const struct session *target, const struct snapshot *s);
void meta_end(struct pipeline *p, const struct capture_counts *cc, uint64_t duration_ns);

#endif
