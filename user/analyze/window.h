/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window.h - a part of a trace as a trace of its own: what is going on at its begin is declared, then its events pass.
 *
 * A filter between a reader and whoever takes events (an analysis, a writer): from <= t < to, since the start of the trace. Until
 * `from` it keeps the states of goroutines, Ps, threads and ranges. With the first event that passes, the sink gets
 *
 *	EV_SYNC, EV_PROC_STATUS, EV_GO_STATUS or _STACK of all that exist (Ps before goroutines, those on a thread as that thread),
 *	EV_GC_BEGIN if one runs; EV_GC_SWEEP_BEGIN, EV_GC_ASSIST_BEGIN of those that are open and, as known, EV_PROCS_CHANGE,
 *	EV_HEAP_ALLOC, EV_HEAP_GOAL: each as soon as the thread, P and goroutine that its kind needs are together
 *
 * in the nanoseconds before `from` (later ones with the time of the event that they follow), then what passes, unchanged. A status
 * has the last stack of its goroutine that is known (running: its start function, if known) and as name the reason it blocked for.
 * Not passed: statuses and "active" marks that only say again what was declared; the end of a stop of the world that began
 * before. User tasks and regions that began before are not declared: their ends pass. EV_SYNC are numbered anew; the last one
 * has the time `to` when the trace goes on behind it.
 *
 *	w = window_new(from_ns, to_ns);
 *	while (trace_reader_next(r, &ev) > 0 && window_event(w, ev, sink, ctx)) ;
 *	window_free(w);
 */
#ifndef ANALYZE_WINDOW_H
#define ANALYZE_WINDOW_H

#include "base/base.h"
#include "gotrace/event.h"

struct window;

/* A sink may keep nothing of the event but its names. */
typedef void (*window_sink)(void *ctx, const struct event *ev);

struct window *window_new(uint64_t from_ns, uint64_t to_ns); /* to UINT64_MAX: to the end */
void window_free(struct window *w);

/* False: the window is behind this event, nothing will pass any more. */
bool window_event(struct window *w, const struct event *ev, window_sink sink, void *ctx);

uint64_t window_start_ns(const struct window *w);  /* of the trace, in its clock; 0: nothing was read */
uint64_t window_passed(const struct window *w);    /* events, without those it made and without EV_SYNC */
/* The trace reached it, or ended at this time since its start. */
uint64_t window_last_ns(const struct window *w);

#endif
