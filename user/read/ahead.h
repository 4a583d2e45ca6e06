/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead.h - reads a trace in a thread of its own, a little ahead of who looks at the events: twice as fast on two CPUs.
 *
 * Events come in the order and with the contents that the reader gives, and die with the next call likewise. While it runs
 * the reader belongs to the thread; what may be asked of it meanwhile are the frames of stacks that were seen.
 *
 *	a = ahead_start(reader); while ((err = ahead_next(a, &ev)) > 0) ...; ahead_stop(a); ask the reader what was wrong
 */
#ifndef READ_AHEAD_H
#define READ_AHEAD_H

#include "read/reader.h"

struct ahead;

struct ahead *ahead_start(struct trace_reader *r); /* not owned */
int ahead_next(struct ahead *a, const struct event **ev); /* as trace_reader_next */
uint64_t ahead_offset(const struct ahead *a);      /* in the file, of about the event that was given last */
/* Also before the end; then waits for a read that is under way. */
void ahead_stop(struct ahead *a);

#endif
