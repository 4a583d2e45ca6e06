/* SPDX-License-Identifier: Apache-2.0 */
/* dump.c - gotrace dump: the events of any Go execution trace, one a line, in the order of Go's own
 * reader. */
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/session.h"
#include "read/reader.h"
#include "render/event_json.h"
#include "render/event_text.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <unistd.h>

struct dump_cmd {
	bool json, count, stacks;
	struct time_range range;
	const char *goroutine;
	unsigned limit;
};

static const struct option_row rows[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct dump_cmd, json), NULL,
	  "a JSON object a line; its keys: user/render/event_json.h" },
	{ "count", 0, OPT_FLAG, offsetof(struct dump_cmd, count), NULL,
	  "only how many, as Go's reader counts them" },
	{ "range", 'r', OPT_RANGE, offsetof(struct dump_cmd, range), "FROM~TO",
	  "only these, since the start: 1.2s~1.5s, 100ms~, ~2s" },
	{ "goroutine", 'g', OPT_STRING, offsetof(struct dump_cmd, goroutine), "ID",
	  "only of this goroutine, or about it" },
	{ "number", 'n', OPT_UINT, offsetof(struct dump_cmd, limit), "N", "the first N of them" },
	{ "stacks", 0, OPT_FLAG, offsetof(struct dump_cmd, stacks), NULL,
	  "all frames below each line" },
};

struct dump {
	struct dump_cmd opt;
	bool has_limit;
	uint64_t goroutine; /* 0: all */
	uint64_t start_ns, n_lines, n_parts;
	struct trace_reader *reader;
	struct json json;
	struct event_text text;
};

/* id is a goroutine's. */
static bool names_goroutine(uint8_t type)
{
	switch (type) {
	case EV_GO_CREATE:
	case EV_GO_CREATE_BLOCKED:
	case EV_GO_CREATE_SYSCALL:
	case EV_GO_START:
	case EV_GO_UNBLOCK:
	case EV_GO_SWITCH:
	case EV_GO_SWITCH_DESTROY:
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
	case EV_GC_ASSIST_ACTIVE:
		return true;
	}
	return false;
}

static bool is_wanted(const struct dump *d, const struct event *ev)
{
	if (ev->ts_ns - d->start_ns < d->opt.range.from_ns || (d->opt.count && ev->type == EV_SYNC))
		return false;
	return !d->goroutine || ev->g == d->goroutine ||
	       (names_goroutine(ev->type) && ev->id == d->goroutine);
}

static void print_event(struct dump *d, const struct event *ev)
{
	if (d->opt.json) {
		event_json(&d->json, ev, d->text.stacks);
		json_line(&d->json);
	} else if (!d->opt.count) {
		event_text(&d->text, ev);
	}
	d->n_lines++;
	d->n_parts += event_parts(ev);
}

/* 1: more; 0: all that is wanted is printed; -errno: the output takes no more. */
static int dump_event(struct dump *d, const struct event *ev)
{
	if (!d->start_ns) /* no event has the time 0 */
		d->start_ns = d->text.start_ns = ev->ts_ns;
	if (ev->ts_ns - d->start_ns >= d->opt.range.to_ns ||
	    (d->has_limit && d->n_lines >= d->opt.limit))
		return 0;
	if (is_wanted(d, ev))
		print_event(d, ev);
	return ferror_unlocked(stdout) ? -errno : 1;
}

static void begin(struct dump *d)
{
	d->json = json_to(stdout);
	d->text = (struct event_text){ stdout, trace_reader_stacks(d->reader), 0, d->opt.stacks };
	if (!d->opt.json && !d->opt.count)
		event_text_header(&d->text);
}

/* 0; -EBADMSG: the trace is bad, *why says how; other: the output takes no more. */
static int dump(struct dump *d, struct why *why)
{
	const struct event *ev;
	int n, more = 1;

	begin(d);
	while (more > 0 && (n = trace_reader_next(d->reader, &ev)) > 0)
		more = dump_event(d, ev);
	if (d->opt.count)
		printf("%" PRIu64 "\n", d->n_parts);
	if (more > 0 && n < 0)
		return why_set(why, n, "%s", trace_reader_error(d->reader));
	if (more > 0 && trace_reader_flaw(d->reader))
		return why_set(why, -EBADMSG, "%s", trace_reader_flaw(d->reader));
	return more < 0 ? more : 0;
}

/* Whoever reads may have enough: no failure. What is left unwritten is dropped. */
static int end_output(int failed, struct why *why)
{
	if (!failed && fflush(stdout))
		failed = -errno;
	__fpurge(stdout);
	clearerr(stdout);
	if (!failed || failed == -EPIPE)
		return 0;
	return why_set(why, failed, "cannot write to the standard output: %s", strerror(-failed));
}

static int run(struct dump *d, const char *path)
{
	struct why why = { "" }, reason = { "" };
	CLEANUP(closep) int fd = open_input(path, &why);

	if (fd < 0)
		return fail(-EIO, &why);
	signal(SIGPIPE, SIG_IGN);
	int err = trace_reader_open(fd, &d->reader, &reason);

	if (!err)
		err = dump(d, &reason);
	trace_reader_close(d->reader);
	int output_err = end_output(err == -EBADMSG ? 0 : err, &why);

	if (output_err)
		return fail(output_err, &why);
	if (err != -EBADMSG)
		return EXIT_FINE;
	why_set(&why, err, "%s: %s", strcmp(path, "-") ? path : "standard input", reason.text);
	return fail(err, &why);
}

static int check_options(struct dump *d, struct why *why)
{
	char *end = NULL;

	d->has_limit = d->opt.limit != UINT32_MAX;
	if (d->opt.goroutine) {
		d->goroutine = strtoull(d->opt.goroutine, &end, 10);
		if (*end || !d->goroutine || *d->opt.goroutine == '-')
			return why_set(why, -EINVAL, "--goroutine: '%s' is not the number of one",
				       d->opt.goroutine);
	}
	if (d->opt.json + d->opt.count + d->opt.stacks > 1)
		return why_set(why, -EINVAL, "only one of --json, --count and --stacks");
	return 0;
}

int cmd_dump(int argc, char **argv)
{
	struct dump d = { .opt = { .range = TIME_RANGE_ALL, .limit = UINT32_MAX } };
	struct why why = { "" };
	const char *path;
	int err = options_and_operands(rows, ARRAY_SIZE(rows), &d.opt, argc, argv, &path, 1,
				       "one trace file, or - for stdin", &why);

	if (err == -ECANCELED) {
		printf("usage: gotrace dump [options] FILE|-\n\n"
		       "Prints the events of a Go execution trace (1.22 and later), one a line, in "
		       "order.\n\n");
		options_help(rows, ARRAY_SIZE(rows));
		return 0;
	}
	if (!err)
		err = check_options(&d, &why);
	return err ? misuse("dump", &why) : run(&d, path);
}
