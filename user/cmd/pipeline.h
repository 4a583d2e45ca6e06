/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline.h - records in, trace file and summary out: what record and replay share.
 *
 *	pipeline_open(&cfg, &p, &why); pipeline_snapshot(); pipeline_stack()/pipeline_record()...; pipeline_finish(); _close()
 *
 * Records that come before the snapshot are held back (stacks are not). The first failed write ends the writing, not the
 * taking in: the error is kept and returned by pipeline_finish.
 */
#ifndef CMD_PIPELINE_H
#define CMD_PIPELINE_H

#include "analyze/gc.h"
#include "analyze/goroutines.h"
#include "order/order.h"
#include "order/spool.h"

struct pipeline;

/* --format, of record and of replay. */
#define FORMAT_CHOICES "auto|1.22|1.23"
enum { FORMAT_AUTO, FORMAT_22, FORMAT_23 };
/* The header for a target of Go 1.go_minor: 22 or 23. */
int pipeline_minor(unsigned format, int go_minor);

struct pipeline_config {
	int fd;                    /* of the trace; owned from now on */
	int minor;                 /* header: 22 or 23 */
	unsigned tick_shift;       /* unit of time (trace/writer.h) */
	struct symbols *symbols;
	const char *spool_path;    /* NULL: none */
	bool wait_objects;
};

int pipeline_open(const struct pipeline_config *cfg, struct pipeline **ret, struct why *why);
/* A metadata chunk (trace/extra.h) into the trace and the spool. */
void pipeline_meta(struct pipeline *p, const void *chunk, size_t n);
void pipeline_stack(void *pipeline, const struct stack_def *def);
void pipeline_record(void *pipeline, const struct record *rec);
void pipeline_snapshot(struct pipeline *p, const struct snapshot *s);
/* Nothing came for a while. */
void pipeline_idle(struct pipeline *p, uint64_t now_ns);
/* The first error of any output so far: 0 or -errno. */
int pipeline_error(const struct pipeline *p);
/* It was the spool's: the trace is whole. */
bool pipeline_spool_failed(const struct pipeline *p);
/* REC_TARGET_EXEC was seen: the target is another program now. */
bool pipeline_saw_exec(const struct pipeline *p);
int pipeline_finish(struct pipeline *p);
const struct order_counts *pipeline_counts(const struct pipeline *p);
/* After pipeline_finish. */
const struct goroutines *pipeline_goroutines(const struct pipeline *p);
const struct gc *pipeline_gc(const struct pipeline *p);
uint64_t pipeline_bytes(const struct pipeline *p);
void pipeline_close(struct pipeline *p);

#endif
