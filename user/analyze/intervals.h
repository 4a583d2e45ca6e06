/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intervals.h - when goroutines were inside user regions of one name: the first of two readings of a trace, for profiles of
 * what happened there (goroutines_options.overlap).
 *
 * Of nested and overlapping ones only the outermost count, as `go tool trace` has it (trace-format.md §18; cmd/trace/pprof.go,
 * Go 1.26). Memory: 16 bytes per region of that name.
 *
 *	v = intervals_new("name"); intervals_event(v, ev)...; intervals_finish(v); intervals_overlap(v, ...); intervals_free(v)
 */
#ifndef ANALYZE_INTERVALS_H
#define ANALYZE_INTERVALS_H

#include "gotrace/event.h"
#include "base/base.h"

struct intervals;

struct intervals *intervals_new(const char *region); /* not owned */
void intervals_event(struct intervals *v, const struct event *ev);
void intervals_finish(struct intervals *v);
/* How much of from..to goroutine g was inside, ns. After intervals_finish. Fits goroutines_options.overlap. */
uint64_t intervals_overlap(const void *v, uint64_t g, uint64_t from_ns, uint64_t to_ns);
uint64_t intervals_count(const struct intervals *v); /* regions, outermost */
void intervals_free(struct intervals *v);

#endif
