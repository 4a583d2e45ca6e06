/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - gotrace replay: a trace from raw records. Needs neither root nor the target. */
#include "base/output.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/pipeline.h"
#include "cmd/session.h"
#include "render/summary_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct replay_cmd {
	const char *output;
	unsigned format;
	bool quiet;
};

static const struct option_row rows[] = {
	{ "output", 'o', OPT_STRING, offsetof(struct replay_cmd, output), "FILE",
	  "the trace (trace.out); - is stdout" },
	{ "format", 0, OPT_CHOICE, offsetof(struct replay_cmd, format), FORMAT_CHOICES,
	  "header of the trace" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct replay_cmd, quiet), NULL, "no summary" },
};

struct replay {
	struct replay_cmd opt;
	struct pipeline *pipeline;
	struct pipeline_config config;
	uint64_t lost;
	int err;
};

/* The number that stands after key in text; otherwise if there is none. */
static unsigned number_after(const char *text, size_t n, const char *key, unsigned otherwise)
{
	const char *p = memmem(text, n, key, strlen(key)), *end = text + n;
	unsigned x = 0;

	if (!p)
		return otherwise;
	for (p += strlen(key); p < end && *p >= '0' && *p <= '9' && x < 1000; p++)
		x = x * 10 + (unsigned)(*p - '0');
	return x;
}

/* A spool begins with its metadata, which decides the header and the unit of time. */
static void on_meta(void *ctx, const char *text, size_t n)
{
	struct replay *r = ctx;
	struct why why;

	if (!r->pipeline) {
		unsigned shift = number_after(text, n, "tick_shift=", WRITER_TICK_SHIFT);
		unsigned go_minor = number_after(text, n, "go_version=go1.", 0);

		r->config.minor = pipeline_minor(r->opt.format, (int)go_minor);
		r->config.tick_shift = shift <= 16 ? shift : WRITER_TICK_SHIFT;
		r->err = pipeline_open(&r->config, &r->pipeline, &why);
	}
	if (!r->err)
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

	r->lost += rec->type == REC_LOSS ? rec->arg : 0;
	if (r->pipeline)
		pipeline_record(r->pipeline, rec);
}

static int tell(struct replay *r)
{
	const struct goroutines *g = pipeline_goroutines(r->pipeline);
	struct summary_text_info info = {
		.output = r->opt.output,
		.bytes = pipeline_bytes(r->pipeline),
		.duration_ns = g->last_ns - g->first_ns,
		.lost = r->lost,
		.counts = pipeline_counts(r->pipeline),
	};

	if (!r->opt.quiet)
		summary_text(stderr, g, pipeline_gc(r->pipeline), &info);
	return r->lost ? EXIT_LOSS : EXIT_FINE;
}

static void name_spool(struct why *why, const char *path, const char *output)
{
	struct why reason = *why;

	why_set(why, -EIO, "%s: %s; what stood before is in %s, which is valid", path, reason.text,
		output);
}

static int run(struct replay *r, const char *path)
{
	struct spool_reader *spool;
	struct why why = { "" };
	int err = spool_open(path, &spool, &why);

	if (err)
		return fail(err == -ENOEXEC ? -EINVAL : err, &why);
	r->config.fd = output_open(r->opt.output, &why);
	if (r->config.fd < 0) {
		spool_close(spool);
		return fail(r->config.fd, &why);
	}
	r->config.symbols = spool_symbols(spool);
	r->config.wait_objects = true;
	struct spool_sink sink = { on_meta, on_snapshot, on_stack, on_record, r };

	err = spool_read(spool, &sink, &why);
	int code = EXIT_FAILED;

	if (r->pipeline) {
		int write_err = pipeline_finish(r->pipeline);

		if (write_err)
			err = why_set(&why, write_err, "%s: %s", r->opt.output,
				      strerror(-write_err));
		else if (!pipeline_bytes(r->pipeline))
			err = why_set(&why, -EBADMSG, "%s has no records", path);
		else if (err)
			name_spool(&why, path, r->opt.output);
		code = err ? fail(-EIO, &why) : tell(r);
	} else {
		fprintf(stderr, "gotrace: %s has no records\n", path);
	}
	pipeline_close(r->pipeline);
	spool_close(spool);
	return code;
}

int cmd_replay(int argc, char **argv)
{
	struct replay r = { .opt = { .output = "trace.out" } };
	struct why why = { "" };
	int first, err = options_parse(rows, ARRAY_SIZE(rows), &r.opt, argc, argv, &first, &why);

	/* options may also stand after the spool's name */
	const char *path = !err && first < argc ? argv[first] : NULL;
	int rest = 0;

	if (path)
		err = options_parse(rows, ARRAY_SIZE(rows), &r.opt, argc - first - 1,
				    argv + first + 1, &rest, &why);
	if (err == -ECANCELED) {
		printf("usage: gotrace replay SPOOL [-o FILE]\n\n");
		options_help(rows, ARRAY_SIZE(rows));
		return 0;
	}
	if (!err && (!path || first + 1 + rest != argc))
		err = why_set(&why, -EINVAL, "give one spool file");
	if (err)
		return misuse("replay", &why);
	return run(&r, path);
}
