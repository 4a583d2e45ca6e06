/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h - a stream of records from a running process, whatever engine takes them.
 *
 *	capture_open(&cfg, &c, &why);       programs loaded, every site armed in the kernel, nothing recorded yet
 *	capture_arm(c);                     from now on everything is recorded
 *	... read the snapshot, capture_learn_g() for each g in it, then capture_learned(c) ...
 *	capture_drain(c, &sink);            as often as possible, at least every half ring; delivers what is there
 *	capture_disarm(c); capture_detach(c); nothing new is recorded; the target is as before
 *	capture_drain(c, &sink);            the rest is delivered
 *	capture_close(c);
 *
 * Needs CAP_BPF and CAP_PERFMON (or root). Nothing in the target changes but the breakpoints of the sites, which
 * the kernel takes away when the process that set them ends, however it ends.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "gotrace/record.h"
#include "target/plan.h"
#include "target/process.h"

struct capture;

enum capture_link { CAPTURE_LINK_AUTO, CAPTURE_LINK_MULTI, CAPTURE_LINK_SINGLE };

struct capture_config {
	const struct plan *plan;
	const struct process *process;   /* located */
	const struct go_version *version;
	size_t ring_bytes;               /* 0: 64 MiB; rounded up to a power of two of pages */
	unsigned sample_hz;              /* CPU samples; 0: none */
	bool without_stacks, without_objects;
	enum capture_link link;
	bool empty_program;              /* benchmark: the same sites, a program that does nothing */
};

struct capture_sink {
	void (*record)(void *ctx, const struct record *rec);
	void (*stack)(void *ctx, const struct stack_def *def); /* before the first record that names it */
	void *ctx;
};

struct capture_counts {
	uint64_t ring_records;   /* of all kinds: about the number of traps */
	uint64_t ring_bytes;
	uint64_t lost;           /* ring was full */
	uint64_t late_goids;     /* goroutine looked up in the target after the fact */
	uint64_t unknown_goids;  /* and not found there */
	uint64_t bad_reads;      /* records with a field that could not be read */
	uint64_t unread_stacks;
	uint64_t no_scratch;
	uint64_t stacks;         /* different ones */
	uint64_t attach_ns, detach_ns;
	uint64_t traps;          /* hits of probe sites while armed */
	const char *link;        /* "uprobe_multi" or "perf uprobes" */
};

/* -EPERM (what is missing), -EOPNOTSUPP (kernel), -ESRCH (target ended). Nothing stays behind on failure. */
int capture_open(const struct capture_config *cfg, struct capture **ret, struct why *why);
void capture_arm(struct capture *c);
/* The goid of a g structure, as the snapshot has it. What the stream says wins. */
void capture_learn_g(struct capture *c, uint64_t gp, uint64_t goid);
/* All gs are known: from now on hot records may name a goroutine by its g. */
void capture_learned(struct capture *c);
/*
 * A stack that was read elsewhere (the snapshot's) gets a number of the same series; sink->stack hears of it if it is
 * new. 0 for n = 0.
 */
uint32_t capture_stack(struct capture *c, const uint64_t *pcs, unsigned n, const struct capture_sink *sink);
/* Delivers at most max records (0: until the ring is empty). Returns how many, or -errno. */
long capture_drain(struct capture *c, size_t max, const struct capture_sink *sink);
void capture_disarm(struct capture *c);
/* Takes the probes out of the target. What is in the ring can still be drained. */
void capture_detach(struct capture *c);
void capture_counts(struct capture *c, struct capture_counts *ret);
void capture_close(struct capture *c);

/* For features.c too: which of the uprobe programs are loaded, and for which kind of link. */
struct gotrace_bpf;
void capture_programs(struct gotrace_bpf *skel, bool multi, bool empty_program);

#endif
