/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - events of any Go execution trace v2, in order, whoever wrote it: runtime/trace, its flight recorder, gotrace.
 *
 * Headers 1.22, 1.23, 1.25, 1.26, from a file or a pipe. Order, times and verdict are those of internal/trace/reader.go of
 * Go 1.26: events of threads are merged by time, one that waits for another thread lets others pass, times are made strictly
 * increasing. An EV_SYNC comes before each generation and last. Nothing of the file is believed: memory is bounded by the
 * largest generation as it stands in the file plus what is alive (states.h, pool.h).
 *
 *	trace_reader_open(fd, &r, &why);
 *	while ((err = trace_reader_next(r, &ev)) > 0) ... ev ...
 *	if (err < 0) trace_reader_error(r) is the sentence; what came before it holds
 *	trace_reader_close(r);
 */
#ifndef READ_READER_H
#define READ_READER_H

#include "gotrace/event.h"
#include "gotrace/symbols.h"
#include "base/base.h"
#include "read/extra.h"

struct trace_reader;

struct trace_clock {           /* of the newest generation */
	bool is_known;         /* header 1.25 on */
	uint64_t trace_ns, mono_ns;
	uint64_t wall_sec, wall_nsec;
};

/* fd is not owned. 0; -EBADMSG with a sentence: not a trace that can be read. */
int trace_reader_open(int fd, struct trace_reader **ret, struct why *why);
void trace_reader_close(struct trace_reader *r);

/* What gotrace hid in the file (read/extra.h): each chunk when its generation is read, before its events. The chunk dies with
 * the call. */
void trace_reader_on_extra(struct trace_reader *r, void (*take)(void *self, const struct extra_chunk *chunk), void *self);

/* 1; 0: the end; -EBADMSG: nothing more can be read. *ev is the reader's and dies with the next call, but for names. */
int trace_reader_next(struct trace_reader *r, const struct event **ev);
/* The same into an event of the caller's, which is zero at first and may be one that was read before. */
int trace_reader_read(struct trace_reader *r, struct event *ev);
const char *trace_reader_error(const struct trace_reader *r);
/* NULL, or the first thing that the reader can do without and Go's tools die of (a sample's stack that is not there, an
 * experiment nobody knows, a stop of the world whose kind the next generation does not name): the trace is not valid. */
const char *trace_reader_flaw(const struct trace_reader *r);

/* Frames of a stack number, leaf first; they and the names of events live as long as the reader. n = 0 for number 0. */
const struct frame *trace_reader_frames(const struct trace_reader *r, uint32_t number, unsigned *n);
struct stack_source trace_reader_stacks(const struct trace_reader *r);
/* Of the header: 22, 23, 25, 26. */
int trace_reader_minor(const struct trace_reader *r);
struct trace_clock trace_reader_clock(const struct trace_reader *r);
uint64_t trace_reader_offset(const struct trace_reader *r);      /* bytes taken from the file so far */

#endif
