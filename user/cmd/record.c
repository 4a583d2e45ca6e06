/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - gotrace record: attach to a process (or start one), record, detach, tell.
 *
 * The order of things is what keeps the target safe and the trace right: everything that can refuse
 * comes before the first probe; nothing is recorded before all probes are in; the goroutines are
 * read after the first record; probes are out before the rest is written.
 */
#include "base/output.h"
#include "capture/capture.h"
#include "capture/cost.h"
#include "cmd/commands.h"
#include "cmd/launch.h"
#include "cmd/meta.h"
#include "cmd/options.h"
#include "cmd/pipeline.h"
#include "cmd/session.h"
#include "render/summary_text.h"
#include "target/heap.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SYSCALLS_UPROBE, SYSCALLS_OFF };
enum {
	MAX_DRAIN = 1 << 16, /* records at a time: then the target's end and Ctrl-C are looked at */
	IDLE_NS = 1000000000,
	SLACK_NS = 1000000, /* a record's stamp is older than its place in the ring by the probe's
			       run */
};

struct record_options {
	unsigned pid, format, link, syscalls;
	const char *output, *spool, *samples;
	uint64_t duration_ns, ring_bytes;
	bool without_stacks, without_objects, with_sweep, quiet, verbose, empty_program;
};

#define OPTION(field) offsetof(struct record_options, field)
static const struct option_row rows[] = {
	{ "pid", 'p', OPT_UINT, OPTION(pid), "PID", "the running Go process to record" },
	{ "output", 'o', OPT_STRING, OPTION(output), "FILE",
	  "the trace (trace.out); - is stdout; %p pid, %t time, %h host" },
	{ "duration", 'd', OPT_DURATION, OPTION(duration_ns), "TIME",
	  "end after this long (10s, 500ms, 2m); else Ctrl-C or its end" },
	{ "cpu-samples", 0, OPT_STRING, OPTION(samples), "HZ|off", "CPU samples a second (99)" },
	{ "syscalls", 0, OPT_CHOICE, OPTION(syscalls), "uprobe|off",
	  "system calls of goroutines (uprobe)" },
	{ "format", 0, OPT_CHOICE, OPTION(format), FORMAT_CHOICES,
	  "header of the trace (auto: by the target)" },
	{ "no-stacks", 0, OPT_FLAG, OPTION(without_stacks), NULL, "cheaper: no stacks" },
	{ "no-wait-objects", 0, OPT_FLAG, OPTION(without_objects), NULL,
	  "cheaper: not what a blocked goroutine waits for" },
	{ "sweep", 0, OPT_FLAG, OPTION(with_sweep), NULL,
	  "also the GC's sweep ranges (a trap per swept span)" },
	{ "ring", 0, OPT_SIZE, OPTION(ring_bytes), "SIZE", "kernel ring buffer (64mb)" },
	{ "link", 0, OPT_CHOICE, OPTION(link), "auto|multi|single",
	  "how probes are attached (auto)" },
	{ "spool", 0, OPT_STRING, OPTION(spool), "FILE",
	  "also keep the raw records, for gotrace replay" },
	{ "quiet", 'q', OPT_FLAG, OPTION(quiet), NULL, "no summary, no progress" },
	{ "verbose", 'v', OPT_FLAG, OPTION(verbose), NULL, "say what is being done" },
	{ "empty-program", 0, OPT_FLAG, OPTION(empty_program), NULL, NULL },
};

struct recording {
	struct record_options opt;
	unsigned sample_hz;
	char **command;    /* of a program that we start, else NULL */
	int child;         /* its pid, 0 none */
	bool is_released;  /* it runs */
	bool target_ended; /* which ended the recording */
	char *output_name;
	char *arguments; /* as given, for the metadata */
	struct session target;
	struct capture *capture;
	struct pipeline *pipeline;
	struct capture_sink sink;
	struct snapshot_counts seen;
	uint64_t start_ns, begin_ns, end_ns; /* of gotrace, of the recording */
	uint64_t cpu_begin_ns, cpu_ns;       /* of the target, while recorded */
	uint64_t told_ns;                    /* stamp of the youngest record */
	/* the heap between two drains */
	struct heap heap;
	uint64_t heap_ns, live_told, goal_told;
	bool heap_due, is_proved;
};

/* Signals asked for: one stops the recording, two leave what is not yet written. */
static volatile sig_atomic_t stops;

static void on_signal(int sig)
{
	stops++;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ------------------------------------------------------------------------------- records on their
 * way */

static void tell_heap(struct recording *r)
{
	struct record rec = { .ts_ns = r->heap_ns, .p = RECORD_NO_P };

	r->heap_due = false;
	if (r->heap.live_bytes != r->live_told) {
		rec.type = REC_HEAP_ALLOC;
		rec.arg = r->live_told = r->heap.live_bytes;
		pipeline_record(r->pipeline, &rec);
	}
	if (r->heap.goal_bytes != r->goal_told) {
		rec.type = REC_HEAP_GOAL;
		rec.arg = r->goal_told = r->heap.goal_bytes;
		pipeline_record(r->pipeline, &rec);
	}
}

/* The heap was read before the ring: its record belongs before the first that is younger. */
static void on_record(void *ctx, const struct record *rec)
{
	struct recording *r = ctx;

	if (r->heap_due && rec->ts_ns > r->heap_ns)
		tell_heap(r);
	r->told_ns = max_u64(r->told_ns, rec->ts_ns);
	pipeline_record(r->pipeline, rec);
}

/* So far it is recorded, even if nothing happens: a trace is as long as its recording. */
static void tell_time(struct recording *r, uint64_t ts_ns)
{
	pipeline_record(r->pipeline,
			&(struct record){ .type = REC_TIME, .ts_ns = ts_ns, .p = RECORD_NO_P });
	r->told_ns = max_u64(r->told_ns, ts_ns);
}

static void on_stack(void *ctx, const struct stack_def *def)
{
	struct recording *r = ctx;

	pipeline_stack(r->pipeline, def);
}

static long drain(struct recording *r)
{
	long n = capture_drain(r->capture, MAX_DRAIN, &r->sink);

	if (r->heap_due)
		tell_heap(r);
	return n;
}

static void sample_heap(struct recording *r)
{
	uint64_t now = now_ns();

	if (now - r->heap_ns < 1000000 || heap_read(r->target.process, r->target.plan, &r->heap))
		return;
	r->heap_ns = now;
	r->heap_due = true;
}

/* ------------------------------------------------------------------------------- attaching */

static uint32_t snapshot_stack(void *ctx, const uint64_t *pcs, unsigned n)
{
	struct recording *r = ctx;

	return capture_stack(r->capture, pcs, n, &r->sink);
}

static void snapshot_learn(void *ctx, uint64_t gp, uint64_t goid)
{
	capture_learn_g(((struct recording *)ctx)->capture, gp, goid);
}

static void snapshot_tick(void *ctx)
{
	drain(ctx);
}

static struct snapshot_source source_of(struct recording *r)
{
	return (struct snapshot_source){
		.process = r->target.process,
		.plan = r->target.plan,
		.text_lo = r->target.text_lo,
		.text_hi = r->target.text_hi,
		.stack = snapshot_stack,
		.learn = snapshot_learn,
		.tick = snapshot_tick,
		.ctx = r,
	};
}

/* A runtime that is just starting is given a second. */
static int prove(struct recording *r, struct why *why)
{
	struct snapshot_source src = source_of(r);
	int err = -EAGAIN;

	for (int i = 0; i < 100 && err == -EAGAIN && !stops; i++) {
		err = snapshot_prove(&src, why);
		if (err == -EAGAIN)
			poll(NULL, 0, 10);
	}
	r->is_proved = !err;
	return err == -EAGAIN ? -ENOTSUP : err;
}

static int open_target(struct recording *r, struct why *why)
{
	struct plan_options po = {
		.with_sweep = r->opt.with_sweep,
		.with_syscalls = r->opt.syscalls == SYSCALLS_UPROBE,
		.with_user = true,
	};
	int err = 0;

	if (r->command)
		err = launch(r->command, &r->child, why);
	if (err)
		return err;
	err = session_open_pid(r->child ? r->child : (int)r->opt.pid, &po, &r->target, why);
	if (err)
		return err;
	if (r->target.process->state == 'T')
		log_warn("process %d is stopped: nothing happens in it until it goes on",
			 r->target.process->pid);
	return r->child ? 0 : prove(r, why);
}

/* The unit of time: what this machine can fill it with. */
static unsigned tick_shift_here(void)
{
	bool few_cpus = sysconf(_SC_NPROCESSORS_ONLN) <= 8;

	return few_cpus ? WRITER_TICK_SHIFT_FEW_CPUS : WRITER_TICK_SHIFT;
}

static int open_output(struct recording *r, struct why *why)
{
	r->output_name = output_name(r->opt.output, r->target.process->pid, why);
	if (!r->output_name)
		return -EINVAL;
	int fd = output_open(r->output_name, why);

	if (fd < 0)
		return fd;
	struct pipeline_config pc = {
		.fd = fd,
		.minor = pipeline_minor(r->opt.format, r->target.build.version.minor),
		.tick_shift = tick_shift_here(),
		.symbols = r->target.symbols,
		.spool_path = r->opt.spool,
		.wait_objects = !r->opt.without_objects,
	};

	return pipeline_open(&pc, &r->pipeline, why);
}

static int open_capture(struct recording *r, struct why *why)
{
	struct capture_config cc = {
		.plan = r->target.plan,
		.process = r->target.process,
		.version = &r->target.build.version,
		.ring_bytes = r->opt.ring_bytes,
		.sample_hz = r->sample_hz,
		.without_stacks = r->opt.without_stacks,
		.without_objects = r->opt.without_objects,
		.link = (enum capture_link)r->opt.link,
		.empty_program = r->opt.empty_program,
	};

	r->sink = (struct capture_sink){ .record = on_record, .stack = on_stack, .ctx = r };
	return capture_open(&cc, &r->capture, why);
}

/* From here on everything is recorded; then what was there before. */
static int arm(struct recording *r, struct why *why)
{
	struct snapshot_source src = source_of(r);
	struct snapshot snap = { 0 };
	int err = 0;

	r->begin_ns = now_ns();
	r->cpu_begin_ns = process_cpu_ns(r->target.process);
	capture_arm(r->capture);
	r->told_ns = r->begin_ns;
	if (!r->child)
		err = snapshot_take(&src, &snap, &r->seen, why);
	else
		snap.begin_ns = snap.end_ns = r->begin_ns;
	if (!err) {
		log_info("read %u goroutines and %u threads in %.1f ms; %u goroutines could not be "
			 "read, %u have no stack",
			 r->seen.goroutines, r->seen.threads,
			 (double)(snap.end_ns - snap.begin_ns) / 1e6, r->seen.unread,
			 r->seen.no_stack);
		capture_learned(r->capture);
		meta_snapshot(r->pipeline, &r->target, &snap);
		pipeline_snapshot(r->pipeline, &snap);
	}
	snapshot_free(&snap);
	return err;
}

/* ------------------------------------------------------------------------------- recording */

static bool is_over(struct recording *r)
{
	if (r->opt.duration_ns && now_ns() - r->begin_ns >= r->opt.duration_ns)
		return true;
	/* a program that we started gets the Ctrl-C too and ends the recording by its end */
	if (stops >= (r->child ? 2 : 1))
		return true;
	return pipeline_error(r->pipeline) || pipeline_saw_exec(r->pipeline);
}

static void show_progress(struct recording *r, bool last)
{
	static uint64_t shown_ns, shown_events;
	uint64_t now = now_ns();
	const struct order_counts *c = pipeline_counts(r->pipeline);

	if (r->opt.quiet || !isatty(STDERR_FILENO))
		return;
	if (last) {
		fprintf(stderr, "\r%-78s\r", "");
		return;
	}
	if (now - shown_ns < 250000000)
		return;
	fprintf(stderr,
		"\r%7.1f s   %10llu events   %6.0f k/s   %llu lost   %.1f MB   Ctrl-C ends ",
		(double)(now - r->begin_ns) / 1e9, (unsigned long long)c->events,
		shown_ns ? (double)(c->events - shown_events) / ((double)(now - shown_ns) / 1e6)
			 : 0.0,
		(unsigned long long)c->lost, (double)pipeline_bytes(r->pipeline) / 1e6);
	shown_ns = now;
	shown_events = c->events;
}

/* Of a program that we started the layout can only be proved once its runtime runs. */
static int prove_late(struct recording *r, struct why *why)
{
	struct snapshot_source src = source_of(r);

	if (r->is_proved || now_ns() - r->begin_ns < 20000000)
		return 0;
	int err = snapshot_prove(&src, why);

	r->is_proved = !err || (err == -EAGAIN && !process_alive(r->target.process));
	return err == -EAGAIN ? 0 : err;
}

static int record_until_over(struct recording *r, struct why *why)
{
	struct pollfd end = { .fd = r->target.process->pidfd, .events = POLLIN };
	int err = 0;

	while (!is_over(r) && !err) {
		sample_heap(r);
		uint64_t now = now_ns();
		long n = drain(r);

		if (n < 0)
			return why_set(why, (int)n, "reading the ring buffer: %s",
				       strerror((int)-n));
		if (n < MAX_DRAIN && now > r->told_ns + IDLE_NS)
			tell_time(r, now - SLACK_NS);
		pipeline_idle(r->pipeline, now);
		show_progress(r, false);
		err = r->child ? prove_late(r, why) : 0;
		r->target_ended = poll(&end, 1, n < 1 << 14) > 0;
		if (r->target_ended)
			break;
	}
	show_progress(r, true);
	return err;
}

static void stop(struct recording *r)
{
	r->end_ns = now_ns();
	uint64_t cpu = process_cpu_ns(r->target.process);

	r->cpu_ns = cpu > r->cpu_begin_ns ? cpu - r->cpu_begin_ns : 0;
	capture_disarm(r->capture);
	capture_detach(r->capture);
	int already = stops;

	while (drain(r) > 0 && stops < already + 2)
		;
}

/* ------------------------------------------------------------------------------- telling */

static struct summary_text_info info_of(struct recording *r, const struct capture_counts *cc)
{
	return (struct summary_text_info){
		.command = r->target.process->comm,
		.pid = r->target.process->pid,
		.go_version = r->target.build.version.text,
		.output = r->output_name,
		.bytes = pipeline_bytes(r->pipeline),
		.duration_ns = r->end_ns - r->begin_ns,
		.target_cpu_ns = r->cpu_ns,
		.traps = cc->traps,
		.trap_ns = cost_of_trap_ns(),
		.attach_ns = cc->attach_ns,
		.detach_ns = cc->detach_ns,
		.first_record_ns = r->begin_ns - r->start_ns,
		.lost = cc->lost,
		.unread_stacks = cc->unread_stacks,
		.bad_reads = cc->bad_reads + cc->unknown_goids,
		.counts = pipeline_counts(r->pipeline),
		.goroutines_at_attach = r->seen.goroutines,
		.target_ended = r->target_ended,
		.target_execed = pipeline_saw_exec(r->pipeline),
	};
}

static int tell_write_error(struct recording *r, int err, struct why *why)
{
	uint64_t until = pipeline_counts(r->pipeline)->written_ns;
	double seconds = until > r->begin_ns ? (double)(until - r->begin_ns) / 1e9 : 0;

	if (err == -EPIPE)
		return why_set(why, err,
			       "nobody reads the output any more: recording ended after %.1f MB",
			       (double)pipeline_bytes(r->pipeline) / 1e6);
	if (pipeline_spool_failed(r->pipeline))
		return why_set(why, err,
			       "%s: %s; recording ended there. %s is a whole trace of %.1f s",
			       r->opt.spool, strerror(-err), r->output_name, seconds);
	if (!until)
		return why_set(why, err,
			       "%s: %s; recording ended there, nothing of it could be kept",
			       r->output_name, strerror(-err));
	return why_set(
		why, err,
		"%s: %s; recording ended there. What it holds is a valid trace of the first %.1f s",
		r->output_name, strerror(-err), seconds);
}

static int finish(struct recording *r, int err, struct why *why)
{
	struct capture_counts cc;

	capture_counts(r->capture, &cc);
	meta_end(r->pipeline, &cc, r->end_ns - r->begin_ns);
	tell_time(r, r->end_ns);
	int write_err = pipeline_finish(r->pipeline);

	if (err)
		return fail(err, why);
	if (write_err)
		return fail(tell_write_error(r, write_err, why), why);
	if (!r->opt.quiet) {
		struct summary_text_info info = info_of(r, &cc);

		summary_text(stderr, pipeline_goroutines(r->pipeline), pipeline_gc(r->pipeline), &info);
	}
	return cc.lost ? EXIT_LOSS : EXIT_FINE;
}

static void close_recording(struct recording *r)
{
	capture_close(r->capture);
	pipeline_close(r->pipeline);
	session_close(&r->target);
	free(r->output_name);
	free(r->arguments);
}

static int run(struct recording *r, struct why *why)
{
	int err = open_target(r, why);

	if (!err)
		err = open_output(r, why);
	if (!err)
		err = open_capture(r, why);
	if (!err) {
		struct meta_run run = { r->arguments, r->command != NULL, tick_shift_here() };

		meta_begin(r->pipeline, &r->target, &run);
		err = arm(r, why);
	}
	if (err)
		return fail(blame_end(r->target.process, err, why), why);
	if (r->child)
		launch_release(r->child);
	r->is_released = true;
	err = record_until_over(r, why);
	stop(r);
	return finish(r, err, why);
}

static char *join(int argc, char **argv)
{
	struct buf b = { 0 };

	for (int i = 0; i < argc; i++)
		buf_printf(&b, "%s%s", i ? " " : "", argv[i]);
	buf_byte(&b, 0);
	return (char *)b.v;
}

static int check_options(struct recording *r, int argc, char **argv, struct why *why)
{
	r->command = argc ? argv : NULL;
	if (!r->opt.pid == !r->command)
		return why_set(why, -EINVAL,
			       r->opt.pid ? "either -p PID or a command, not both"
					  : "which process? Give -p PID, or a command after --");
	r->sample_hz = 99;
	if (r->opt.samples && !strcmp(r->opt.samples, "off"))
		r->sample_hz = 0;
	else if (r->opt.samples) {
		char *end;
		unsigned long hz = strtoul(r->opt.samples, &end, 10);

		r->sample_hz = (unsigned)hz;
		if (!hz || hz > 10000 || *end)
			return why_set(why, -EINVAL, "--cpu-samples: '%s' is not off or 1 to 10000",
				       r->opt.samples);
	}
	log_level += r->opt.verbose;
	return 0;
}

int cmd_record(int argc, char **argv)
{
	struct recording r = { .opt = { .output = "trace.out" }, .start_ns = now_ns() };
	struct why why = { "" };
	int first, err = options_parse(rows, ARRAY_SIZE(rows), &r.opt, argc, argv, &first, &why);

	if (err == -ECANCELED) {
		printf("usage: gotrace [record] -p PID [-o FILE] [options]\n"
		       "       gotrace record [-o FILE] [options] -- COMMAND [ARG...]\n\n"
		       "Records what a Go program does and writes a Go execution trace.\n\n");
		options_help(rows, ARRAY_SIZE(rows));
		return 0;
	}
	if (!err)
		err = check_options(&r, argc - first, argv + first, &why);
	if (err)
		return misuse("record", &why);
	catch_signals();
	r.arguments = join(argc, argv);
	int code = run(&r, &why);

	if (r.child && !r.is_released) {
		launch_kill(r.child);
		fprintf(stderr, "gotrace: %s was not run\n", r.command[0]);
	} else if (r.child) {
		if (!r.opt.quiet && process_alive(r.target.process))
			fprintf(stderr, "gotrace: %s goes on; waiting for its end\n", r.command[0]);
		int child_code = launch_wait(r.child);

		code = code == EXIT_FINE ? child_code : code;
	}
	close_recording(&r);
	return code;
}
