/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cut.c - gotrace cut: a part of any Go execution trace as a trace of its own.
 *
 * The events that pass the window are written with their times and generations, with new sequence
 * numbers, strings and stacks. What does not fit into a header of 1.22 or 1.23, or belongs to the
 * whole recording, is told by `gotrace cut --help`.
 */
#include "analyze/window.h"
#include "base/output.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/session.h"
#include "order/reasons.h"
#include "read/reader.h"
#include "trace/extra.h"
#include "trace/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MERGED_MAX = 64 << 20 };

struct cut_cmd {
	struct time_range range;
};

static const struct option_row rows[] = {
	{ "range", 'r', OPT_RANGE, offsetof(struct cut_cmd, range), "FROM~TO",
	  "which part, since the start: 1.2s~1.5s, 100ms~, ~2s" },
};

struct cut {
	struct cut_cmd opt;
	const char *output;
	int fd, err; /* of the output */
	struct why why;
	struct trace_reader *reader;
	struct window *window;
	struct writer *writer; /* NULL: nothing has passed yet */

	struct map64 go_seq, proc_seq;
	uint64_t gc_seq, last_ns, generation_ns, syncs;
	bool has_events;      /* in the open generation */
	uint64_t odd_stops;   /* open stops of the world whose kind has no fixed number */
	uint64_t experiments; /* events left out */

	VEC(struct buf) held; /* extra data from before the window */
	struct buf waits;     /* what the blocks of the generation that is read wait for */
	bool has_waits, has_new_waits;
	struct wait_decoder wait_decoder;
	uint8_t wait_kind; /* of the block at hand */
	uint64_t wait_object;
	struct wait_coder wait_coder;
};

/* ------------------------------------------------------------------------------- gotrace's own
 * data */

static bool is_loss_outside(const struct cut *c, const struct extra_chunk *chunk)
{
	uint64_t from, to, n, start = window_start_ns(c->window);

	if (extra_decode_loss(chunk, &from, &to, &n))
		return true;
	return to < start + c->opt.range.from_ns ||
	       (c->opt.range.to_ns != UINT64_MAX && from >= start + c->opt.range.to_ns);
}

static bool is_wanted(const struct cut *c, const struct extra_chunk *chunk)
{
	if (chunk->kind == EXTRA_ATTACH)
		return !c->opt.range.from_ns;
	return chunk->kind == EXTRA_METADATA ||
	       (chunk->kind == EXTRA_LOSS && !is_loss_outside(c, chunk));
}

static void write_held(struct cut *c)
{
	for (size_t i = 0; i < c->held.n; i++) {
		struct buf *b = &c->held.v[i];
		struct extra_chunk chunk = { .kind = b->v[0], .data = b->v + 1, .n = b->n - 1 };

		if (is_wanted(c, &chunk))
			writer_extra(c->writer, b->v, b->n);
		buf_free(b);
	}
	c->held.n = 0;
}

/* With the generation it stands in, before its events. */
static void take_extra(void *cut, const struct extra_chunk *chunk)
{
	struct cut *c = cut;
	struct buf b = { 0 };

	if (chunk->kind == EXTRA_WAITS) {
		c->waits.n = 0;
		buf_add(&c->waits, chunk->data, chunk->n);
		c->has_new_waits = true;
		wait_decoder_free(&c->wait_decoder);
		wait_decoder_init(&c->wait_decoder,
				  &(struct extra_chunk){ .data = c->waits.v, .n = c->waits.n });
		return;
	}
	if (chunk->kind != EXTRA_METADATA && chunk->kind != EXTRA_LOSS &&
	    chunk->kind != EXTRA_ATTACH)
		return;
	buf_byte(&b, chunk->kind);
	buf_add(&b, chunk->data, chunk->n);
	*vec_push(&c->held) = b;
	if (c->writer)
		write_held(c);
}

/* What the block waits for, whether it passes or not: a code for each of the generation. */
static void follow_waits(struct cut *c, const struct event *ev)
{
	if (ev->type == EV_SYNC) {
		c->has_waits = c->has_new_waits;
		c->has_new_waits = false;
	}
	if (ev->type != EV_GO_BLOCK)
		return;
	c->wait_kind = 0;
	c->wait_object = 0;
	if (c->has_waits &&
	    wait_decoder_next(&c->wait_decoder, &c->wait_kind, &c->wait_object) != 1)
		c->has_waits = false;
}

static void write_waits(struct cut *c)
{
	if (c->wait_coder.has_any)
		writer_extra(c->writer, c->wait_coder.chunk.v, c->wait_coder.chunk.n);
	wait_coder_reset(&c->wait_coder);
}

/* A header of 1.23 has no place for the clock. */
static void write_metadata(struct cut *c)
{
	struct buf b CLEANUP(buf_free) = { 0 };
	struct trace_clock clock = trace_reader_clock(c->reader);
	const struct time_range *r = &c->opt.range;
	uint64_t start = window_start_ns(c->window);

	extra_begin(&b, EXTRA_METADATA);
	if (r->to_ns == UINT64_MAX)
		extra_metadata(&b, "cut", "from %.9f s of a trace that began at %" PRIu64 " ns",
			       (double)r->from_ns / 1e9, start);
	else
		extra_metadata(&b, "cut",
			       "from %.9f to %.9f s of a trace that began at %" PRIu64 " ns",
			       (double)r->from_ns / 1e9, (double)r->to_ns / 1e9, start);
	if (clock.is_known)
		extra_metadata(&b, "clock", "%" PRIu64 "=%" PRIu64, clock.trace_ns,
			       clock.wall_sec * 1000000000 + clock.wall_nsec);
	writer_extra(c->writer, b.v, b.n);
}

/* ------------------------------------------------------------------------------- events */

/* Only now: an empty range leaves no file, nor spoils one. */
static void begin(struct cut *c)
{
	size_t n;
	const struct str *fixed = reasons_all(&n);

	c->fd = output_open(c->output, &c->why);
	if (c->fd < 0) {
		c->err = c->fd;
		return;
	}
	c->writer = writer_new(c->fd, trace_reader_minor(c->reader) == 22 ? 22 : 23, 0,
			       trace_reader_stacks(c->reader));
	writer_fix_strings(c->writer, fixed,
			   n); /* a stop of the world may be open from one generation to the next */
	write_held(c);
	write_metadata(c);
}

static void end_generation(struct cut *c)
{
	write_waits(c);
	c->err = writer_end_generation(c->writer);
	c->has_events = false;
	if (c->err)
		why_set(&c->why, c->err, "cannot write %s: %s; it ends where it was whole",
			c->output, strerror(-c->err));
}

/* Where the trace began a generation, so does the cut: its statuses are there. */
static void sync_event(struct cut *c, const struct event *ev)
{
	if (!c->writer)
		begin(c);
	if (c->err)
		return;
	c->syncs++;
	if (c->odd_stops && writer_pending(c->writer) < MERGED_MAX)
		return;
	if (c->has_events)
		end_generation(c);
	c->generation_ns = ev->ts_ns;
}

static bool has_fixed_number(struct str kind)
{
	size_t n;
	const struct str *fixed = reasons_all(&n);

	for (size_t i = 0; i < n; i++)
		if (str_equal(fixed[i], kind))
			return true;
	return false;
}

static uint64_t next_seq(struct map64 *counters, uint64_t id)
{
	return ++*map64_at(counters, id);
}

/* The number that the event carries in the new file (trace-format.md §6). */
static void renumber(struct cut *c, struct event *ev)
{
	switch (ev->type) {
	case EV_PROC_STATUS:
		*map64_at(&c->proc_seq, ev->id) = 0;
		break;
	case EV_PROC_START:
	case EV_PROC_STEAL:
		ev->seq = next_seq(&c->proc_seq, ev->id);
		break;
	case EV_GO_SYSCALL_BEGIN:
		ev->seq = next_seq(&c->proc_seq, (uint64_t)ev->p);
		break;
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
	case EV_GO_CREATE:
	case EV_GO_CREATE_BLOCKED:
	case EV_GO_CREATE_SYSCALL:
		*map64_at(&c->go_seq, ev->id) = 0;
		break;
	case EV_GO_SWITCH_DESTROY:
		map64_del(&c->go_seq, ev->g);
		ev->seq = next_seq(&c->go_seq, ev->id);
		break;
	case EV_GO_START:
	case EV_GO_UNBLOCK:
	case EV_GO_SWITCH:
		ev->seq = next_seq(&c->go_seq, ev->id);
		break;
	case EV_GO_DESTROY:
	case EV_GO_DESTROY_SYSCALL:
		map64_del(&c->go_seq, ev->g);
		break;
	case EV_GC_ACTIVE:
	case EV_GC_BEGIN:
	case EV_GC_END:
		ev->seq = ++c->gc_seq;
		break;
	}
}

/* What is said again in each generation, and what Go's own extensions say, is left out. */
static bool is_left_out(struct cut *c, uint8_t type)
{
	if (type >= EVENT_EXPERIMENT_FIRST && type <= EVENT_EXPERIMENT_LAST) {
		c->experiments++;
		return true;
	}
	return c->syncs > 1 &&
	       (type == EV_GC_ACTIVE || type == EV_GC_SWEEP_ACTIVE || type == EV_GC_ASSIST_ACTIVE);
}

/* Times stay; only declarations that found no room before the first event can push it. */
static void stamp(struct cut *c, struct event *ev)
{
	ev->ts_ns = max_u64(ev->ts_ns, c->last_ns + 1);
	c->last_ns = ev->ts_ns;
}

static void follow(struct cut *c, const struct event *ev)
{
	if (ev->type == EV_GO_BLOCK)
		wait_coder_add(&c->wait_coder, c->wait_kind, c->wait_object);
	if (ev->type == EV_STW_BEGIN && !has_fixed_number(ev->name))
		c->odd_stops++;
	if (ev->type == EV_STW_END && c->odd_stops && !has_fixed_number(ev->name))
		c->odd_stops--;
}

static void write_event(struct cut *c, struct event ev)
{
	if (ev.type == EV_GO_STATUS_STACK && trace_reader_minor(c->reader) == 22)
		ev.type = EV_GO_STATUS;
	if (ev.type == EV_TASK_BEGIN && ev.value == EVENT_NO_TASK)
		ev.value = 0;
	renumber(c, &ev);
	stamp(c, &ev);
	if (!c->has_events)
		writer_begin_generation(c->writer, c->generation_ns);
	c->has_events = true;
	follow(c, &ev);
	writer_event(c->writer, &ev);
}

static void take(void *cut, const struct event *ev)
{
	struct cut *c = cut;

	if (c->err)
		return;
	if (ev->type == EV_SYNC)
		sync_event(c, ev);
	else if (ev->type == EV_CPU_SAMPLE)
		writer_event(c->writer, ev);
	else if (!is_left_out(c, ev->type))
		write_event(c, *ev);
}

/* ------------------------------------------------------------------------------- the verb */

/* 0; -EBADMSG: the trace is bad, *why says how. The output's error is c->err. */
static int copy(struct cut *c, struct why *why)
{
	const struct event *ev;
	bool more = true;
	int n = 0;

	while (more && !c->err && (n = trace_reader_next(c->reader, &ev)) > 0) {
		follow_waits(c, ev);
		more = window_event(c->window, ev, take, c);
	}
	if (c->writer && !c->err && c->has_events)
		end_generation(c);
	if (n < 0)
		return why_set(why, n, "%s", trace_reader_error(c->reader));
	if (trace_reader_flaw(c->reader))
		return why_set(why, -EBADMSG, "%s", trace_reader_flaw(c->reader));
	return 0;
}

static int tell(struct cut *c, const char *path, int err, const struct why *reason)
{
	if (c->err)
		return fail(-EIO, &c->why);
	if (c->experiments)
		log_warn("%s: %" PRIu64 " events of the allocator's experiments are not in it",
			 c->output, c->experiments);
	if (err)
		why_set(&c->why, err, "%s: %s", path, reason->text);
	else if (!c->writer || !writer_written(c->writer))
		err = why_set(&c->why, -ENODATA,
			      "%s: no event in this range: the trace is %.9f s long", path,
			      (double)window_last_ns(c->window) / 1e9);
	return err ? fail(-EIO, &c->why) : EXIT_FINE;
}

static void cut_free(struct cut *c)
{
	writer_free(c->writer);
	window_free(c->window);
	trace_reader_close(c->reader);
	for (size_t i = 0; i < c->held.n; i++)
		buf_free(&c->held.v[i]);
	vec_free(&c->held);
	buf_free(&c->waits);
	wait_decoder_free(&c->wait_decoder);
	wait_coder_free(&c->wait_coder);
	map64_free(&c->go_seq);
	map64_free(&c->proc_seq);
	closep(&c->fd);
}

static bool is_same_file(int in, const char *output)
{
	struct stat a, b;

	if (fstat(in, &a) || (strcmp(output, "-") ? stat(output, &b) : fstat(STDOUT_FILENO, &b)))
		return false;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int run(struct cut *c, const char *path)
{
	struct why why = { "" }, reason = { "" };
	CLEANUP(closep) int fd = open_input(path, &why);

	if (fd < 0)
		return fail(-EIO, &why);
	if (is_same_file(fd, c->output)) {
		why_set(&why, -EINVAL, "%s would be written over while it is read", path);
		return fail(-EINVAL, &why);
	}
	c->window = window_new(c->opt.range.from_ns, c->opt.range.to_ns);
	int err = trace_reader_open(fd, &c->reader, &reason);

	if (!err) {
		trace_reader_on_extra(c->reader, take_extra, c);
		err = copy(c, &reason);
	}
	int code = tell(c, strcmp(path, "-") ? path : "standard input", err, &reason);

	cut_free(c);
	return code;
}

int cmd_cut(int argc, char **argv)
{
	struct cut c = { .fd = -1 };
	struct why why = { "" };
	const char *files[2];
	int err = options_and_operands(rows, ARRAY_SIZE(rows), &c.opt, argc, argv, files, 2,
				       "a trace file and the file to write", &why);

	if (err == -ECANCELED) {
		printf("usage: gotrace cut -r FROM~TO IN|- OUT|-\n\n"
		       "Writes a part of a Go execution trace (1.22 and later) as a trace of its "
		       "own. Times stay as\n"
		       "they are; what is going on at FROM is declared in the nanoseconds before "
		       "it.\n\n");
		options_help(rows, ARRAY_SIZE(rows));
		printf("\nThe header is 1.22 for a trace of 1.22, else 1.23; the wall clock goes "
		       "into `gotrace info`.\n"
		       "Not in it: the end of a stop of the world that began before FROM, the "
		       "begin of user tasks and\n"
		       "regions that did, and events of the allocator's experiments.\n");
		return 0;
	}
	if (!err && !c.opt.range.to_ns)
		err = why_set(&why, -EINVAL, "which part? -r FROM~TO");
	if (err)
		return misuse("cut", &why);
	c.output = files[1];
	return run(&c, files[0]);
}
