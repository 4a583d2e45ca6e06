/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c - see meta.h. */
#include "cmd/meta.h"
#include "capture/capture.h"
#include "cmd/commands.h"
#include "target/wait_reasons.h"
#include "trace/extra.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

static void add_clock(struct buf *b)
{
	struct timespec wall;
	uint64_t mono = now_ns();
	char stamp[40];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &wall);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&wall.tv_sec, &tm));
	extra_metadata(b, "started", "%s", stamp);
	extra_metadata(b, "clock", "%" PRIu64 "=%" PRIu64, mono,
		       (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec);
}

void meta_begin(struct pipeline *p, const struct session *t, const struct meta_run *run)
{
	struct utsname u;
	struct buf b = { 0 };

	uname(&u);
	extra_begin(&b, EXTRA_METADATA);
	extra_metadata(&b, "gotrace", "%s", GOTRACE_VERSION);
	extra_metadata(&b, "options", "%s", run->options);
	extra_metadata(&b, "tick_shift", "%u", run->tick_shift);
	extra_metadata(&b, "host", "%s", u.nodename);
	extra_metadata(&b, "kernel", "%s %s", u.release, u.machine);
	extra_metadata(&b, "pid", "%d", t->process->pid);
	extra_metadata(&b, "command", "%s", t->process->cmdline);
	extra_metadata(&b, "exe", "%s", t->process->exe_name);
	extra_metadata(&b, "launched", "%d", run->is_launched);
	extra_metadata(&b, "build_id", "%s",
		       t->image->build_id[0] ? t->image->build_id : t->image->gnu_build_id);
	extra_metadata(&b, "go_version", "%s%s", t->build.version.text,
		       t->build.guessed ? " (guessed)" : "");
	extra_metadata(&b, "go_settings", "%s%s%s", t->image->is_pie ? "pie " : "",
		       t->build.is_race ? "race " : "", t->build.is_cgo ? "cgo" : "");
	extra_metadata(&b, "offsets", "%s", t->plan->offsets_from);
	extra_metadata(&b, "sites", "%zu", t->plan->n_sites);
	add_clock(&b);
	pipeline_meta(p, (char *)b.v, b.n);
	buf_free(&b);
}

void meta_snapshot(struct pipeline *p, const struct session *t, const struct snapshot *s)
{
	uint64_t texts = t->plan->globals.wait_reasons + t->process->bias;
	bool known[256] = { false };
	struct buf b = { 0 };
	char text[64], key[32];

	extra_begin(&b, EXTRA_METADATA);
	for (uint32_t i = 0; i < s->n_g; i++) {
		uint8_t n = s->g[i].wait_reason;

		if (s->g[i].state != GO_WAITING || known[n] || n >= t->plan->globals.n_wait_reasons)
			continue;
		known[n] = true;
		snprintf(key, sizeof(key), "waitreason.%u", n);
		if (wait_reason_text(t->process, texts, n, text))
			extra_metadata(&b, key, "%s", text);
	}
	pipeline_meta(p, b.v, b.n);
	buf_free(&b);
}

void meta_end(struct pipeline *p, const struct capture_counts *cc, uint64_t duration_ns)
{
	const struct order_counts *c = pipeline_counts(p);
	struct buf b = { 0 };

	extra_begin(&b, EXTRA_METADATA);

	extra_metadata(&b, "duration_ns", "%" PRIu64, duration_ns);
	extra_metadata(&b, "link", "%s", cc->link);
	extra_metadata(&b, "traps", "%" PRIu64, cc->traps);
	extra_metadata(&b, "lost", "%" PRIu64, cc->lost);
	extra_metadata(&b, "repairs", "%" PRIu64, c->repairs);
	extra_metadata(&b, "dropped", "%" PRIu64, c->dropped);
	extra_metadata(&b, "unread_stacks", "%" PRIu64, cc->unread_stacks);
	extra_metadata(&b, "bad_reads", "%" PRIu64, cc->bad_reads);
	pipeline_meta(p, (char *)b.v, b.n);
	buf_free(&b);
}
