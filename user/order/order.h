/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.h - from a stream of records to a valid trace.
 *
 * Keeps one model of every G, M and P (the reader's own rules, trace-format.md §8). Before each record the model is
 * driven to the record's precondition with the repair table (§13); an event that the model forbids is never written.
 * So the trace is valid by construction, with loss or without. Stamps become strictly increasing (max(ts, last + tick)).
 *
 *	o = order_new(&cfg);
 *	order_snapshot(o, &snap);              once, first (an empty one when the program was launched by us)
 *	order_stack(o, &def); order_record(o, &rec); ...      a REC_TIME at the end, and when nothing happens for long
 *	order_finish(o); order_counts(o); order_free(o);
 *
 * Snapshot rules. The snapshot was read while the target ran, after the first records. What the records stamped before
 * snap.end_ns imply is truth, the snapshot fills the rest: the initial state of a goroutine (P) that a record names is
 * the precondition of its FIRST record; the others are as the snapshot says. So records up to end_ns (and 1 ms) are held back.
 */
#ifndef ORDER_ORDER_H
#define ORDER_ORDER_H

#include "gotrace/event.h"
#include "gotrace/record.h"
#include "trace/stacks.h"
#include "trace/writer.h"

struct order;

struct order_counts {
	uint64_t records;        /* taken in, by REC_ type below */
	uint64_t events;         /* written, statuses and repairs not counted */
	uint64_t repairs;        /* events inserted to make a record legal */
	uint64_t dropped;        /* records that say what the model knows, whose context was not the model's, or Ends whose
				    Begin was not seen (also of what began before the attach): not written */
	uint64_t lost;           /* sum of REC_LOSS */
	uint64_t losses;         /* number of REC_LOSS */
	uint64_t steals;         /* Ps taken from a syscall, derived: as ProcSteal, or as ProcStop when seen late (not repairs) */
	uint64_t generations;
	uint64_t written_ns;     /* the file is whole up to here, 0: nothing is in it */
	uint64_t by_type[80];
	uint64_t first_ns, last_ns;
};

struct order_config {
	struct writer *writer;      /* not owned */
	struct stacks *stacks;      /* not owned */
	int minor;                  /* header: 22: no GoSwitch, GoCreateBlocked, GoStatusStack (they are expressed by others) */
	uint64_t generation_ns;     /* cut about this often, 0: 1 s. Never inside a stop-the-world */
	size_t generation_bytes;    /* or at this size, 0: 8 MiB */
	bool wait_objects;          /* write the objects of blocks into the extra data */
	/* Called for every event that was written, in order (the summary). May be NULL. */
	void (*observe)(void *ctx, const struct event *ev);
	void *observe_ctx;
};

struct order *order_new(const struct order_config *cfg);
void order_free(struct order *o);

void order_snapshot(struct order *o, const struct snapshot *snap);
void order_stack(struct order *o, const struct stack_def *def);
/* 0, or -errno of the output (then nothing more is written, but the calls stay harmless). */
int order_record(struct order *o, const struct record *rec);
/* Extra data for the next generation that is written (metadata, see extra.h). */
void order_extra(struct order *o, const void *data, size_t n);
int order_finish(struct order *o);
const struct order_counts *order_counts(const struct order *o);
/* No record for a while: what the snapshot holds back goes on. Where generations are cut the records alone decide (a
 * REC_TIME too), so that a replay cuts at the same places. */
int order_idle(struct order *o, uint64_t now_ns);

#endif
