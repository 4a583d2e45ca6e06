/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.h - bytes of a Go execution trace: header, generations, batches, string and stack tables.
 *
 * Writes what it is told; that the events obey the reader's model is order's business. A generation is kept in memory
 * and written at its end in the crash-safe order (frequency, strings, stacks, batches): a kill -9 costs the open one.
 * The file's unit of time is 2^tick_shift ns (an integer of ns: exact for every reader).
 *
 *	w = writer_new(fd, 1.22 or 1.23 header, unit, where frames come from);
 *	writer_begin_generation(w, ts);  status events..., events...
 *	writer_end_generation(w);        0 or -errno of the output (ENOSPC, EPIPE); the writer is then dead, calls return it,
 *	                                 and a file ends with its last whole generation
 *	writer_free(w);
 */
#ifndef TRACE_WRITER_H
#define TRACE_WRITER_H

#include "gotrace/event.h"
#include "gotrace/symbols.h"
#include "base/base.h"

struct writer;

/* minor: 22 or 23. The source of the stacks is not owned. fd is not closed. */
struct writer *writer_new(int fd, int minor, unsigned tick_shift, struct stack_source stacks);
unsigned writer_tick_shift(const struct writer *w);
void writer_free(struct writer *w);

/* These strings get the ids 1..n in every generation, whether used or not (block reasons, STW kinds, labels). Once, first.
 * Not copied. An event's name that points to one of them is looked up by its address: the cheap way. */
void writer_fix_strings(struct writer *w, const struct str *strings, size_t n);

void writer_begin_generation(struct writer *w, uint64_t ts_ns);
/*
 * Stamps must be strictly increasing in ticks over the whole trace (order does it); asserts it. Only statuses may have the
 * stamp of the event before, and the event that follows them on the same thread theirs: a reader keeps a thread's order.
 * EV_CPU_SAMPLE may come at any time and in any order, also between generations.
 */
void writer_event(struct writer *w, const struct event *ev);
/* Extra data (extra.h): packed into strings that nothing refers to. Any length, at any time; goes out with the next
 * generation that is written. */
void writer_extra(struct writer *w, const void *data, size_t n);
bool writer_has_extra(const struct writer *w); /* not yet written */
/* A generation without any timed event is not written (readers of Go 1.22 to 1.24 fail on one); its samples and extra data
 * wait for the next. */
int writer_end_generation(struct writer *w);

/* Bytes held for the open generation; bytes written so far. */
size_t writer_pending(const struct writer *w);
uint64_t writer_written(const struct writer *w);

/*
 * Stamps are strictly increasing over all threads, so the unit bounds the rate: 64 ns (that of Go's own tracer, whose
 * files are as large) serves 15 million events a second, 16 ns four times as many and 3 to 5 % more bytes. A CPU
 * that does nothing but trap makes 1.5 million.
 */
#define WRITER_TICK_SHIFT_FEW_CPUS 6 /* up to 8 CPUs */
#define WRITER_TICK_SHIFT 4

#endif
