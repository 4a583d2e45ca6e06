/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.c - see pipeline.h. */
#include "cmd/pipeline.h"
#include "base/output.h"

#include <stdlib.h>
#include <unistd.h>

enum { SUMMARY_WAITS = 5 };    /* longest waits that the summary shows */

struct pipeline {
	int fd, spool_fd, err;
	struct stacks *stacks;
	struct writer *writer;
	struct order *order;
	struct gc *gc;
	struct goroutines *goroutines;
	struct spool_writer *spool;
	bool has_snapshot, saw_exec, spool_failed;
	VEC(struct record) held; /* their text is a copy */
};

int pipeline_minor(unsigned format, int go_minor)
{
	switch (format) {
	case FORMAT_22:
		return 22;
	case FORMAT_23:
		return 23;
	}
	return go_minor >= 23 ? 23 : 22;
}

static void observe(void *self, const struct event *ev)
{
	struct pipeline *p = self;

	gc_event(p->gc, ev);
	goroutines_event(p->goroutines, ev);
}

int pipeline_open(const struct pipeline_config *cfg, struct pipeline **ret, struct why *why)
{
	struct pipeline *p = xcalloc(1, sizeof(*p));

	p->fd = cfg->fd;
	p->spool_fd = -1;
	if (cfg->spool_path) {
		p->spool_fd = output_open(cfg->spool_path, why);
		if (p->spool_fd < 0) {
			int err = p->spool_fd;

			pipeline_close(p);
			return err;
		}
		p->spool = spool_create(p->spool_fd, cfg->symbols);
	}
	p->stacks = stacks_new(cfg->symbols);
	p->writer = writer_new(p->fd, cfg->minor, cfg->tick_shift, stacks_source(p->stacks));
	p->gc = gc_new(GC_UTIL_DEFAULT);
	p->goroutines = goroutines_new(&(struct goroutines_options){
		.stacks = stacks_source(p->stacks), .gc = p->gc, .worst = SUMMARY_WAITS });
	struct order_config oc = {
		.writer = p->writer,
		.stacks = p->stacks,
		.minor = cfg->minor,
		.wait_objects = cfg->wait_objects,
		.observe = observe,
		.observe_ctx = p,
	};

	p->order = order_new(&oc);
	*ret = p;
	return 0;
}

static void keep_error(struct pipeline *p, int err)
{
	if (err && !p->err)
		p->err = err;
}

static void flush_spool(struct pipeline *p)
{
	int err = p->spool ? spool_flush(p->spool) : 0;

	p->spool_failed |= err && !p->err;
	keep_error(p, err);
}

void pipeline_meta(struct pipeline *p, const void *chunk, size_t n)
{
	if (p->spool)
		spool_meta(p->spool, chunk, n);
	order_extra(p->order, chunk, n);
}

void pipeline_stack(void *pipeline, const struct stack_def *def)
{
	struct pipeline *p = pipeline;

	if (p->spool)
		spool_stack(p->spool, def);
	order_stack(p->order, def);
}

static void take(struct pipeline *p, const struct record *rec)
{
	p->saw_exec |= rec->type == REC_TARGET_EXEC;
	if (p->spool)
		spool_record(p->spool, rec);
	keep_error(p, order_record(p->order, rec));
}

void pipeline_record(void *pipeline, const struct record *rec)
{
	struct pipeline *p = pipeline;

	if (p->has_snapshot) {
		take(p, rec);
		return;
	}
	struct record *held = vec_push(&p->held);

	*held = *rec;
	if (rec->text_len)
		held->text = xmemdup(rec->text, rec->text_len);
}

static void free_held(struct pipeline *p)
{
	for (size_t i = 0; i < p->held.n; i++)
		if (p->held.v[i].text_len)
			free((char *)p->held.v[i].text);
	vec_free(&p->held);
}

void pipeline_snapshot(struct pipeline *p, const struct snapshot *s)
{
	if (p->spool)
		spool_snapshot(p->spool, s);
	order_snapshot(p->order, s);
	p->has_snapshot = true;
	for (size_t i = 0; i < p->held.n; i++)
		take(p, &p->held.v[i]);
	free_held(p);
}

void pipeline_idle(struct pipeline *p, uint64_t now_ns)
{
	keep_error(p, order_idle(p->order, now_ns));
	flush_spool(p);
}

int pipeline_error(const struct pipeline *p)
{
	return p->err;
}

bool pipeline_spool_failed(const struct pipeline *p)
{
	return p->spool_failed;
}

bool pipeline_saw_exec(const struct pipeline *p)
{
	return p->saw_exec;
}

int pipeline_finish(struct pipeline *p)
{
	keep_error(p, order_finish(p->order));
	flush_spool(p);
	goroutines_finish(p->goroutines);
	gc_finish(p->gc, false);
	return p->err;
}

const struct order_counts *pipeline_counts(const struct pipeline *p)
{
	return order_counts(p->order);
}

const struct goroutines *pipeline_goroutines(const struct pipeline *p)
{
	return p->goroutines;
}

const struct gc *pipeline_gc(const struct pipeline *p)
{
	return p->gc;
}

uint64_t pipeline_bytes(const struct pipeline *p)
{
	return writer_written(p->writer);
}

void pipeline_close(struct pipeline *p)
{
	if (!p)
		return;
	goroutines_free(p->goroutines);
	gc_free(p->gc);
	order_free(p->order);
	writer_free(p->writer);
	stacks_free(p->stacks);
	spool_free(p->spool);
	closep(&p->spool_fd);
	closep(&p->fd);
	free_held(p);
	free(p);
}
