/* SPDX-License-Identifier: Apache-2.0 */
/* summary_text.c - see summary_text.h. */
#include "render/summary_text.h"

#include <inttypes.h>

enum { MAX_GROUPS = 12, NAME_COLUMNS = 30, REASON_COLUMNS = 16 };

/* What the program at a trap costs beyond the trap, as a share of it (make bench: ns per event, both rows). */
static const double program_share = 0.40;

/* A time in four significant columns: "812 ns", "3.21 us", "45.0 ms", "12.3 s". */
static const char *time_text(char out[16], uint64_t ns)
{
	static const struct {
		double limit, divisor;
		const char *unit;
	} units[] = {{1e3, 1, "ns"}, {1e6, 1e3, "us"}, {1e9, 1e6, "ms"}, {1e30, 1e9, "s"}};
	size_t i = 0;

	while ((double)ns >= units[i].limit)
		i++;
	double x = (double)ns / units[i].divisor;

	snprintf(out, 16, i == 0 || x >= 1000 ? "%.0f %s" : x < 10 ? "%.2f %s" : "%.1f %s", x, units[i].unit);
	return out;
}

#define TIME(ns) time_text((char[16]){0}, ns)

/* 1234567 -> "1,234,567" */
static const char *count_text(char out[32], uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), k = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[k++] = ',';
		out[k++] = digits[i];
	}
	out[k] = 0;
	return out;
}

#define COUNT(n) count_text((char[32]){0}, n)

static const char *bytes_text(char out[16], uint64_t n)
{
	snprintf(out, 16, n < 10000000000 ? "%.1f MB" : "%.1f GB", (double)n / (n < 10000000000 ? 1e6 : 1e9));
	return out;
}

#define BYTES(n) bytes_text((char[16]){0}, n)

/* Names come from the target: nothing of it may steer the terminal. Long ones lose their front, where the path is. */
static const char *name_text(char *out, size_t columns, const char *name)
{
	size_t n = strlen(name), k = 0;

	if (!n)
		name = "(not known)", n = strlen(name);
	const char *from = n > columns ? name + n - columns + 2 : name;

	if (n > columns)
		out[k++] = '.', out[k++] = '.';
	for (; *from && k < columns; from++)
		out[k++] = (unsigned char)*from < ' ' || *from == 127 ? '?' : *from;
	out[k] = 0;
	return out;
}

#define NAME(name, columns) name_text((char[(columns) + 1]){0}, columns, name)

static void head(FILE *f, const struct summary_text_info *i)
{
	double s = (double)i->duration_ns / 1e9;

	if (i->pid)
		fprintf(f, "%s (pid %d, %s)", NAME(i->command, 16), i->pid, NAME(i->go_version, 20));
	else
		fprintf(f, "replay");
	fprintf(f, ": %.1f s recorded%s\n\n", s,
		i->target_execed  ? ", until it exec'd"
		: i->target_ended ? ", until it ended"
				  : "");
	fprintf(f, "  %-12s %s, %s\n", "trace", NAME(i->output, 64), BYTES(i->bytes));
}

static void quality(FILE *f, const struct summary_text_info *i)
{
	const struct order_counts *c = i->counts;
	double s = (double)i->duration_ns / 1e9;

	fprintf(f, "  %-12s %s, %s a second, %.1f bytes each\n", "events", COUNT(c->events),
		COUNT(s > 0 ? (uint64_t)((double)c->events / s) : 0),
		c->events ? (double)i->bytes / (double)c->events : 0);
	fprintf(f, "  %-12s lost %s   repaired %s   dropped %s\n", "quality", COUNT(i->lost), COUNT(c->repairs),
		COUNT(c->dropped));
	if (i->unread_stacks || i->bad_reads)
		fprintf(f, "  %-12s unread stacks %s   unread fields %s\n", "", COUNT(i->unread_stacks),
			COUNT(i->bad_reads));
	if (i->lost)
		fprintf(f, "  %-12s %.2f %% of the records found the buffer full: --ring 256mb, or --no-stacks\n", "",
			100.0 * (double)i->lost / (double)(i->lost + c->records));
}

static void cost(FILE *f, const struct summary_text_info *i)
{
	double each = i->trap_ns * (1 + program_share), ns = each * (double)i->traps;

	if (!i->pid)
		return;
	if (i->trap_ns > 0 && i->target_cpu_ns)
		fprintf(f, "  %-12s about %.1f %% of the target's CPU time: %s traps x %.2f us (estimate)\n", "cost",
			100.0 * ns / (double)max_u64(i->target_cpu_ns, 1), COUNT(i->traps), each / 1e3);
	else
		fprintf(f, "  %-12s %s traps\n", "cost", COUNT(i->traps));
	fprintf(f, "  %-12s attached in %s (first record after %s), detached in %s\n", "", TIME(i->attach_ns),
		TIME(i->first_record_ns), TIME(i->detach_ns));
}

static void scheduler(FILE *f, const struct summary *s)
{
	fprintf(f, "  %-12s wait for a P: median %s, 99 %% %s, worst %s   (%" PRIu64 " Ps, %" PRIu64 " threads)\n",
		"scheduler", TIME(summary_wait_quantile(s, 0.5)), TIME(summary_wait_quantile(s, 0.99)),
		TIME(s->worst[0].ns), s->procs, s->threads);
}

static void garbage(FILE *f, const struct summary *s)
{
	uint64_t stops = 0, total = 0, worst = 0;
	const char *kind = "";

	for (size_t i = 0; i < s->stw.n; i++) {
		const struct summary_stw *k = &s->stw.v[i];

		stops += k->count;
		total += k->total_ns;
		if (k->max_ns > worst)
			worst = k->max_ns, kind = k->kind;
	}
	if (s->gc_cycles || s->gc_mark_ns)
		fprintf(f, "  %-12s %s cycles, marking %s, assists %s  heap peak %s, goal %s\n", "GC",
			COUNT(s->gc_cycles), TIME(s->gc_mark_ns), TIME(s->assist_ns),
			BYTES(s->heap_peak_bytes), BYTES(s->goal_last_bytes));
	if (stops)
		fprintf(f, "  %-12s world stopped %s times, %s in all, worst %s (%s)\n", "", COUNT(stops),
			TIME(total), TIME(worst), NAME(kind, 20));
}

/* Where most of the blocked time went: " 98 % chan receive" */
static void mostly(FILE *f, const struct summary *s, const struct summary_group *g)
{
	unsigned top = 0;

	if (!g->blocked_ns)
		return;
	for (unsigned i = 1; i < SUMMARY_REASONS; i++)
		if (g->blocked_by_ns[i] > g->blocked_by_ns[top])
			top = i;
	const char *reason = top < s->n_reasons ? s->reasons[top] : "";

	/* its first words say what it is */
	fprintf(f, "  %3.0f %% %.*s", 100.0 * (double)g->blocked_by_ns[top] / (double)g->blocked_ns, REASON_COLUMNS,
		*reason ? reason : "(since before)");
}

static void groups(FILE *f, const struct summary *s)
{
	size_t shown = 0;

	fprintf(f, "\n  %-*s %7s %8s %8s %8s %8s\n", NAME_COLUMNS, "goroutines", "count", "running", "wait P",
		"blocked", "syscall");
	for (size_t i = 0; i < s->groups.n && shown < MAX_GROUPS; i++) {
		const struct summary_group *g = &s->groups.v[i];

		if (!g->count)
			continue;
		shown++;
		fprintf(f, "  %-*s %7" PRIu64 " %8s %8s %8s %8s", NAME_COLUMNS, NAME(g->name, NAME_COLUMNS), g->count,
			TIME(g->running_ns), TIME(g->runnable_ns), TIME(g->blocked_ns), TIME(g->syscall_ns));
		mostly(f, s, g);
		fputc('\n', f);
	}
	if (s->groups.n > shown + 1)
		fprintf(f, "  ... and %zu more functions\n", s->groups.n - shown);
}

static void latency(FILE *f, const struct summary *s, const struct summary_text_info *i)
{
	if (!s->worst[0].ns)
		return;
	fprintf(f, "\n  longest waits for a P\n");
	for (unsigned k = 0; k < SUMMARY_WORST && s->worst[k].ns; k++) {
		const struct summary_wait *w = &s->worst[k];

		fprintf(f, "  %10s  at %.6f s  G%-8" PRIu64 " %s\n", TIME(w->ns),
			(double)(w->begin_ns - s->first_ns) / 1e9, w->goid,
			NAME(s->groups.v[w->group].name, 48));
	}
}

void summary_text(FILE *f, const struct summary *s, const struct summary_text_info *info)
{
	head(f, info);
	quality(f, info);
	cost(f, info);
	scheduler(f, s);
	garbage(f, s);
	groups(f, s);
	latency(f, s, info);
	if (strcmp(info->output, "-"))
		fprintf(f, "\n  next:  go tool trace %s\n", info->output);
}
