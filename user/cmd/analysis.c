/* SPDX-License-Identifier: Apache-2.0 */
/* analysis.c - see analysis.h. */
#include "cmd/analysis.h"
#include "cmd/session.h"
#include "analyze/intervals.h"
#include "analyze/window.h"
#include "read/ahead.h"
#include "read/extra.h"
#include "read/reader.h"
#include "trace/extra.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROGRESS_EVENTS = 1 << 20 };

struct analysis {
	char *path;
	struct trace_reader *reader;
	struct gc *gc;
	struct goroutines *goroutines;
	struct annotations *annotations;
	struct findings findings;
	struct extra_chunks told; /* metadata and losses */
	char *go_version, *command, *repairs;
	uint64_t lost, losses, wall_begin_ns;
	uint64_t file_bytes; /* 0: a pipe */
	bool is_part, has_failed, shows_progress;
	uint64_t begin_ns, next_progress_ns;
};

/* ------------------------------------------------------------------------------- progress */

static void progress(struct analysis *a, uint64_t events, uint64_t at)
{
	uint64_t now = now_ns();

	if (now < a->next_progress_ns)
		return;
	a->next_progress_ns = now + 200000000;
	if (a->file_bytes)
		fprintf(stderr, "\r%3.0f %% of %.0f MB, %.1f M events \033[K",
			100.0 * (double)at / (double)a->file_bytes, (double)a->file_bytes / 1e6,
			(double)events / 1e6);
	else
		fprintf(stderr, "\r%.0f MB, %.1f M events \033[K", (double)at / 1e6,
			(double)events / 1e6);
}

/* ------------------------------------------------------------------------------- reading */

static void keep_told(void *self, const struct extra_chunk *chunk)
{
	struct analysis *a = self;
	uint64_t from, to, records;

	if (chunk->kind == EXTRA_METADATA && a->told.chunks.n < 10000)
		extra_keep(&a->told, chunk);
	if (chunk->kind != EXTRA_LOSS || extra_decode_loss(chunk, &from, &to, &records))
		return;
	a->lost += records;
	a->losses++;
}

static void feed(void *self, const struct event *ev)
{
	struct analysis *a = self;

	gc_event(a->gc, ev);
	goroutines_event(a->goroutines, ev);
	if (!annotations_may_skip(ev->type))
		annotations_event(a->annotations, ev);
}

static void read_all(struct analysis *a, struct window *window)
{
	const struct event *ev;
	struct ahead *ahead = ahead_start(a->reader);
	uint64_t n = 0;
	int more;

	while ((more = ahead ? ahead_next(ahead, &ev) : trace_reader_next(a->reader, &ev)) > 0) {
		if (!window)
			feed(a, ev);
		else if (!window_event(window, ev, feed, a))
			break;
		if (a->shows_progress && ++n % PROGRESS_EVENTS == 0)
			progress(a, n,
				 ahead ? ahead_offset(ahead) : trace_reader_offset(a->reader));
	}
	ahead_stop(ahead);
	a->has_failed = more < 0;
	if (a->shows_progress)
		fprintf(stderr, "\r\033[K");
}

/* ------------------------------------------------------------------------------- life */

static void intervals_freep(struct intervals **v)
{
	intervals_free(*v);
}

static int open_trace(const char *path, uint64_t *bytes, struct why *why)
{
	struct stat st;
	int fd = open_input(path, why);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st)) {
		int err = why_set(why, -errno, "cannot open %s: %s", path, strerror(errno));

		close(fd);
		return err;
	}
	*bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	return fd;
}

static struct analysis *analysis_new(const char *path, struct trace_reader *reader,
				     const struct analysis_options *o)
{
	struct analysis *a = xcalloc(1, sizeof(*a));
	struct goroutines_options go = o->goroutines;
	const struct stack_source stacks = trace_reader_stacks(reader);

	a->path = xstrdup(path);
	a->reader = reader;
	a->gc = gc_new(GC_UTIL_DEFAULT);
	go.stacks = stacks;
	go.gc = a->gc;
	a->goroutines = goroutines_new(&go);
	a->annotations = annotations_new(&(struct annotations_options){ stacks, o->task });
	a->shows_progress = isatty(STDERR_FILENO);
	a->next_progress_ns = now_ns() + 500000000;
	trace_reader_on_extra(reader, keep_told, a);
	return a;
}

/* The first reading for options.region. */
static int read_intervals(int fd, const char *path, struct intervals *v, struct why *why)
{
	struct trace_reader *reader;
	const struct event *ev;
	struct why what = { "" };
	int err = trace_reader_open(fd, &reader, &what);

	if (err)
		return why_set(why, err, "%s: %s", path, what.text);
	while (trace_reader_next(reader, &ev) > 0)
		intervals_event(v, ev);
	intervals_finish(v);
	trace_reader_close(reader);
	if (!intervals_count(v))
		return why_set(why, -ENOENT, "%s: no user region of this name", path);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return why_set(why, -ESPIPE, "--region reads twice, and %s cannot be", path);
	return 0;
}

static uint64_t wall_begin(const struct analysis *a)
{
	struct trace_clock c = trace_reader_clock(a->reader);
	CLEANUP(freep) char *told = extra_metadata_value(&a->told, "clock");
	char *eq = told ? strchr(told, '=') : NULL;

	if (c.is_known)
		return c.wall_sec * 1000000000 + c.wall_nsec + a->goroutines->first_ns - c.trace_ns;
	return eq ? strtoull(eq + 1, NULL, 10) + a->goroutines->first_ns - strtoull(told, NULL, 10)
		  : 0;
}

static void finish(struct analysis *a)
{
	goroutines_finish(a->goroutines);
	gc_finish(a->gc, false);
	a->annotations->last_ns = a->goroutines->last_ns; /* it was spared some events */
	annotations_finish(a->annotations, false);
	findings_of(a->goroutines, a->gc, &a->findings);
	a->go_version = extra_metadata_value(&a->told, "go_version");
	a->command = extra_metadata_value(&a->told, "command");
	a->repairs = extra_metadata_value(&a->told, "repairs");
	a->wall_begin_ns = wall_begin(a);
}

int analysis_of(const char *path, const struct analysis_options *o, struct analysis **ret,
		struct why *why)
{
	struct trace_reader *reader;
	struct analysis_options own = *o;
	uint64_t bytes = 0;
	CLEANUP(closep) int fd = open_trace(path, &bytes, why);
	CLEANUP(intervals_freep)
	struct intervals *inside = o->region ? intervals_new(o->region) : NULL;

	if (fd < 0)
		return fd;
	if (inside) {
		int err = read_intervals(fd, path, inside, why);

		if (err)
			return err;
		own.goroutines.overlap = intervals_overlap;
		own.goroutines.overlap_self = inside;
	}
	struct why what = { "" };
	int err = trace_reader_open(fd, &reader, &what);

	if (err)
		return why_set(why, err, "%s: %s", path, what.text);
	struct analysis *a = analysis_new(path, reader, &own);
	struct window *window = (a->is_part = o->range.from_ns || o->range.to_ns != UINT64_MAX)
					? window_new(o->range.from_ns, o->range.to_ns)
					: NULL;

	a->file_bytes = bytes;
	read_all(a, window);
	window_free(window);
	finish(a);
	*ret = a;
	if (!a->has_failed || a->goroutines->events)
		return 0;
	why_set(why, -EBADMSG, "%s: %s; there is nothing before it", path,
		trace_reader_error(reader));
	analysis_freep(ret);
	*ret = NULL;
	return -EBADMSG;
}

struct report analysis_report(const struct analysis *a)
{
	return (struct report){
		.file = a->path,
		.minor = trace_reader_minor(a->reader),
		.bytes = trace_reader_offset(a->reader),
		.is_part = a->is_part,
		.go_version = a->go_version,
		.command = a->command,
		.wall_begin_ns = a->wall_begin_ns,
		.lost = a->lost,
		.losses = a->losses,
		.repairs = a->repairs,
		.g = a->goroutines,
		.gc = a->gc,
		.annotations = a->annotations,
		.findings = &a->findings,
		.error = a->has_failed ? trace_reader_error(a->reader) : NULL,
		.flaw = trace_reader_flaw(a->reader),
	};
}

int analysis_complain(const struct analysis *a, const char *path)
{
	uint64_t at = trace_reader_offset(a->reader);
	const char *flaw = trace_reader_flaw(a->reader);

	if (a->has_failed && a->file_bytes > at)
		fprintf(stderr, "gotrace: %s: %s; %" PRIu64 " bytes after it were not read\n", path,
			trace_reader_error(a->reader), a->file_bytes - at);
	else if (a->has_failed)
		fprintf(stderr, "gotrace: %s: %s\n", path, trace_reader_error(a->reader));
	else if (flaw)
		fprintf(stderr, "gotrace: %s: not valid, though it can be read: %s\n", path, flaw);
	return a->has_failed || flaw ? EXIT_FAILED : EXIT_FINE;
}

void analysis_freep(struct analysis **ap)
{
	struct analysis *a = *ap;

	if (!a)
		return;
	findings_free(&a->findings);
	annotations_free(a->annotations);
	goroutines_free(a->goroutines);
	gc_free(a->gc);
	extra_chunks_free(&a->told);
	free(a->go_version);
	free(a->command);
	free(a->repairs);
	free(a->path);
	trace_reader_close(a->reader);
	free(a);
}
