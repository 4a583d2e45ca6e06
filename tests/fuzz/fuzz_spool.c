/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_spool.c - any bytes as a spool, replayed as gotrace replay does; and what was written must be a trace that the reader
 * takes, whatever the records said (order.h: an event that the model forbids is never written).
 */
#include "fuzz.h"

#include <errno.h>

#include "cmd/pipeline.h"
#include "read/reader.h"
#include "render/summary_text.h"

struct replay {
	struct pipeline *pipeline;
	struct pipeline_config config;
};

static void on_meta(void *ctx, const char *text, size_t n)
{
	struct replay *r = ctx;
	struct why why;

	touch(text, n);
	if (!r->pipeline) {
		r->config.minor = n && text[n - 1] & 1 ? 23 : 22;
		r->config.tick_shift = n ? text[n - 1] >> 1 & 15 : WRITER_TICK_SHIFT;
		CHECK(!pipeline_open(&r->config, &r->pipeline, &why));
	}
	pipeline_meta(r->pipeline, text, n);
}

static void on_snapshot(void *ctx, const struct snapshot *s)
{
	struct replay *r = ctx;

	if (r->pipeline)
		pipeline_snapshot(r->pipeline, s);
}

static void on_stack(void *ctx, const struct stack_def *def)
{
	struct replay *r = ctx;

	if (r->pipeline)
		pipeline_stack(r->pipeline, def);
}

static void on_record(void *ctx, const struct record *rec)
{
	struct replay *r = ctx;

	touch(rec->text, rec->text_len);
	if (r->pipeline)
		pipeline_record(r->pipeline, rec);
}

static void show(struct pipeline *p)
{
	const struct goroutines *g = pipeline_goroutines(p);
	struct summary_text_info info = {
		.output = "t", .bytes = pipeline_bytes(p), .duration_ns = g->last_ns - g->first_ns,
		.counts = pipeline_counts(p),
	};

	summary_text(nowhere(), g, pipeline_gc(p), &info);
}

static void must_be_valid(int fd)
{
	struct trace_reader *r;
	const struct event *ev;
	struct why why = {""};
	int n;

	if (lseek(fd, 0, SEEK_END) == 0)
		return; /* nothing happened */
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	if (trace_reader_open(fd, &r, &why)) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
	while ((n = trace_reader_next(r, &ev)) > 0)
		;
	if (n < 0 || trace_reader_flaw(r)) {
		fprintf(stderr, "what was written is no trace: %s\n", n < 0 ? trace_reader_error(r) : trace_reader_flaw(r));
		abort();
	}
	trace_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[64];
	struct spool_reader *spool;
	struct why why = {""};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_of(data, n));
	int err = spool_open(path, &spool, &why);

	if (err) {
		CHECK(err == -ENOEXEC && why.text[0]);
		return 0;
	}
	CLEANUP(closep) int out = memfd_create("trace", MFD_CLOEXEC);
	struct replay r = {.config = {.fd = dup(out), .symbols = spool_symbols(spool), .wait_objects = true}};
	struct spool_sink sink = {on_meta, on_snapshot, on_stack, on_record, &r};

	err = spool_read(spool, &sink, &why);
	CHECK(err == 0 || (err == -EBADMSG && why.text[0]));
	if (r.pipeline) {
		CHECK(pipeline_finish(r.pipeline) == 0);
		show(r.pipeline);
		must_be_valid(out);
		pipeline_close(r.pipeline);
	} else {
		close(r.config.fd);
	}
	spool_close(spool);
	return 0;
}

static bool chunk_head(const uint8_t *data, size_t n, size_t *head)
{
	*head = 1;
	return data[0] >= 1 && data[0] <= 6;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	return mutate_pieces(data, n, max, seed, 8, chunk_head);
}
