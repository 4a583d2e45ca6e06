/* SPDX-License-Identifier: Apache-2.0 */
/* report_text.c - see report.h. */
#include "render/report.h"
#include "render/text.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NAME_COLUMNS = 30, REASON_COLUMNS = 16, SHOWN_FRAMES = 3 };

/* ------------------------------------------------------------------------------- order */

/* Waiting for a P counts most, then time on a P, then system calls; blocking is often just idling.
 */
static uint64_t pain(const struct go_times *t)
{
	return 2 * t->sched_wait + t->execution + t->syscall + t->syscall_block + t->blocked / 1000;
}

static uint64_t sort_value(enum report_sort sort, const struct go_times *t, uint64_t count)
{
	switch (sort) {
	case SORT_PAIN:
		return pain(t);
	case SORT_EXECUTION:
		return t->execution;
	case SORT_WAIT:
		return t->sched_wait;
	case SORT_BLOCKED:
		return t->blocked;
	case SORT_SYSCALL:
		return t->syscall + t->syscall_block;
	case SORT_COUNT:
		return count;
	case SORT_TOTAL:
		return t->total;
	}
	return 0;
}

struct ranked {
	uint64_t value;
	size_t index;
};

static int by_value(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Their indexes, largest value first. */
static size_t *rank(struct ranked *r, size_t n)
{
	size_t *ret = xcalloc(n + 1, sizeof(*ret));

	if (n)
		qsort(r, n, sizeof(*r), by_value);
	for (size_t i = 0; i < n; i++)
		ret[i] = r[i].index;
	return ret;
}

size_t *report_sorted_groups(const struct goroutines *g, enum report_sort sort, size_t *n)
{
	CLEANUP(freep) struct ranked *r = xcalloc(g->groups.n + 1, sizeof(*r));

	*n = 0;
	for (size_t i = 0; i < g->groups.n; i++)
		if (g->groups.v[i].count &&
		    (!g->options.function || !strcmp(g->options.function, g->groups.v[i].name)))
			r[(*n)++] = (struct ranked){
				sort_value(sort, &g->groups.v[i].times, g->groups.v[i].count), i
			};
	return rank(r, *n);
}

size_t *report_sorted_rows(const struct goroutines *g, enum report_sort sort, const char *state,
			   size_t *n)
{
	CLEANUP(freep) struct ranked *r = xcalloc(g->rows.n + 1, sizeof(*r));

	*n = 0;
	for (size_t i = 0; i < g->rows.n; i++)
		if (!state || !strcmp(state, go_state_name(&g->rows.v[i])))
			r[(*n)++] = (struct ranked){ sort_value(sort, &g->rows.v[i].times, 1), i };
	return rank(r, *n);
}

uint32_t *report_sorted_samples(const struct profile *p, size_t *n)
{
	CLEANUP(freep) struct ranked *r = xcalloc(p->samples.n + 1, sizeof(*r));

	*n = 0;
	for (size_t i = 0; i < p->samples.n; i++)
		if (p->samples.v[i].count)
			r[(*n)++] = (struct ranked){ p->samples.v[i].ns, i };
	CLEANUP(freep) size_t *order = rank(r, *n);
	uint32_t *ret = xcalloc(*n + 1, sizeof(*ret));

	for (size_t i = 0; i < *n; i++)
		ret[i] = (uint32_t)order[i];
	return ret;
}

/* ------------------------------------------------------------------------------- the parts */

static double at_seconds(const struct goroutines *g, uint64_t ns)
{
	return ns > g->first_ns ? (double)(ns - g->first_ns) / 1e9 : 0;
}

void report_scheduler(FILE *f, const struct goroutines *g)
{
	const struct wait_causes *c = &g->causes;
	uint64_t all = c->preempted + c->gc + c->busy + c->wakeup;

	fprintf(f,
		"  %-12s wait for a P: median %s, 99 %% %s, worst %s (%" PRIu64 " Ps, %" PRIu64
		" threads)\n",
		"scheduler", TIME(latency_quantile(&g->waits, 0.5)),
		TIME(latency_quantile(&g->waits, 0.99)), TIME(g->waits.max_ns), g->gomaxprocs,
		g->threads);
	if (all)
		fprintf(f,
			"  %-12s %s in all: Ps busy %s, garbage collector %s, preempted %s, waking "
			"up %s\n",
			"", TIME(all), PERCENT(c->busy, all), PERCENT(c->gc, all),
			PERCENT(c->preempted, all), PERCENT(c->wakeup, all));
}

void report_garbage(FILE *f, const struct gc *gc, bool mmu)
{
	static const uint64_t windows[] = { 1000000, 10000000, 100000000 };

	if (gc->cycles)
		fprintf(f, "  %-12s %s cycles, marking %s, assists %s  heap peak %s, goal %s\n",
			"GC", COUNT(gc->cycles), TIME(gc->mark_ns), TIME(gc->assist_ns),
			BYTES(gc->heap_peak_bytes), BYTES(gc->goal_last_bytes));
	if (gc->stw_count)
		fprintf(f, "  %-12s world stopped %s times, %s in all, worst %s (%s)\n",
			gc->cycles ? "" : "GC", COUNT(gc->stw_count), TIME(gc->stw_ns),
			TIME(gc->stw.v[gc->stw_worst].max_ns),
			HEAD(gc->stw.v[gc->stw_worst].kind.s, 20));
	if (!mmu || !gc->cycles)
		return;
	fprintf(f, "  %-12s left to the program in the worst", "");
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		struct utilization_window w;

		if (utilization_mmu(gc->utilization, windows[i], &w))
			fprintf(f, "%s %" PRIu64 " ms: %.0f %%", i ? "," : "", windows[i] / 1000000,
				100 * w.utilization);
		else if (!i)
			fprintf(f, " window: not known, the trace tells no GOMAXPROCS");
	}
	fputc('\n', f);
}

/* Where most of the blocked time went: " 98 % chan receive" */
static void mostly(FILE *f, const struct goroutines *g, const struct go_times *t)
{
	const struct named_ns *top = NULL;

	for (size_t i = 0; i < t->by_reason.n; i++)
		if (!top || t->by_reason.v[i].ns > top->ns)
			top = &t->by_reason.v[i];
	if (!top || !t->blocked)
		return;
	/* its first words say what it is */
	fprintf(f, "  %3.0f %% %s", 100.0 * (double)top->ns / (double)t->blocked,
		top->name ? HEAD(g->names.v[top->name], REASON_COLUMNS) : "(since before)");
}

void report_groups(FILE *f, const struct goroutines *g, size_t rows, enum report_sort sort)
{
	size_t n;
	CLEANUP(freep) size_t *order = report_sorted_groups(g, sort, &n);

	fprintf(f, "\n  %-*s %7s %8s %8s %8s %8s\n", NAME_COLUMNS, "goroutines", "count", "running",
		"wait P", "blocked", "syscall");
	for (size_t i = 0; i < n && (!rows || i < rows); i++) {
		const struct go_group *k = &g->groups.v[order[i]];

		fprintf(f, "  %-*s %7" PRIu64 " %8s %8s %8s %8s", NAME_COLUMNS,
			NAME(k->name, NAME_COLUMNS), k->count, TIME(k->times.execution),
			TIME(k->times.sched_wait), TIME(k->times.blocked),
			TIME(k->times.syscall + k->times.syscall_block));
		mostly(f, g, &k->times);
		fputc('\n', f);
	}
	if (rows && n > rows)
		fprintf(f, "  ... and %zu more functions\n", n - rows);
}

void report_waits(FILE *f, const struct goroutines *g, size_t rows)
{
	if (!g->worst.n)
		return;
	fprintf(f, "\n  longest waits for a P\n");
	for (size_t i = 0; i < g->worst.n && (!rows || i < rows); i++) {
		const struct go_wait *w = &g->worst.v[i];

		fprintf(f, "  %10s  at %.6f s  G%-8" PRIu64 " %s\n", TIME(w->ns),
			at_seconds(g, w->begin_ns), w->g, NAME(g->groups.v[w->group].name, 48));
	}
}

/* Says nothing about a program that another function of the chain does not say. */
static bool is_plumbing(const char *func)
{
	static const char *const prefixes[] = { "runtime.", "internal/", "syscall.",
						"sync.runtime_" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(func, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* "leaf < caller < its caller": the leaf, then what is not plumbing. */
static void print_stack(FILE *f, const struct goroutines *g, uint32_t stack, const char *without,
			size_t columns)
{
	unsigned n, shown = 0;
	const struct frame *v = g->options.stacks.frames(g->options.stacks.self, stack, &n);
	char text[512] = "";
	size_t used = 0;

	for (unsigned i = 0; i < n && shown < SHOWN_FRAMES && used < sizeof(text) - 1; i++) {
		bool is_leaf = i == 0 && strncmp(v[i].func, "runtime.", 8);

		if (is_plumbing(v[i].func) && !is_leaf && !(i + 1 == n && !shown))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
					 shown++ ? " < " : "", NAME(v[i].func, 40));
	}
	if (!n)
		snprintf(text, sizeof(text), "%s", without);
	used = strlen(text);
	fprintf(f, "%.*s%s", (int)(used > columns ? columns - 2 : used), text,
		used > columns ? ".." : "");
}

static void profile_text(FILE *f, const struct report *r, enum profile_kind kind, size_t rows)
{
	static const struct {
		const char *title, *without;
	} kinds[] = {
		[PROFILE_NET] = { "waiting for the network", "(no stack)" },
		[PROFILE_SYNC] = { "waiting for each other", "(no stack)" },
		[PROFILE_SYSCALL] = { "in system calls", "(no stack)" },
		[PROFILE_SCHED] = { "waiting for a P, by who woke them",
				    "(nobody: netpoll, a timer, the end of a system call)" },
	};
	const struct profile *p = &r->g->profiles[kind];
	size_t n;
	CLEANUP(freep) uint32_t *order = report_sorted_samples(p, &n);

	if (!n)
		return;
	fprintf(f, "\n  %-34s %s in %s times\n", kinds[kind].title, TIME(p->ns), COUNT(p->count));
	for (size_t i = 0; i < n && (!rows || i < rows); i++) {
		const struct profile_sample *s = &p->samples.v[order[i]];

		fprintf(f, "  %9s %9s  ", TIME(s->ns), COUNT(s->count));
		print_stack(f, r->g, order[i], kinds[kind].without, 76);
		fputc('\n', f);
	}
}

static void leaks_text(FILE *f, const struct report *r, size_t rows)
{
	const struct goroutines *g = r->g;
	size_t shown = 0;

	for (size_t i = 0; i < g->leaks.n && (!rows || shown < rows); i++) {
		const struct leak *k = &g->leaks.v[i];

		if (!k->stack || (g->last_ns - k->oldest_ns) * 10 < g->last_ns - g->first_ns)
			continue; /* just made */
		if (!shown++)
			fprintf(f, "\n  never ended                      alive    made  oldest   "
				   "made by\n");
		fprintf(f, "  %-30s %7" PRIu64 " %7" PRIu64 " %7s   ",
			NAME(g->groups.v[k->group].name, NAME_COLUMNS), k->alive, k->created,
			TIME(g->last_ns - k->oldest_ns));
		print_stack(f, g, k->stack, "", 38);
		fputc('\n', f);
	}
}

static void durations_text(FILE *f, const struct durations *d)
{
	if (d->n)
		fprintf(f, "%9s %9s %9s", TIME(durations_quantile(d, 0.5)),
			TIME(durations_quantile(d, 0.99)), TIME(d->max_ns));
}

static void annotations_text(FILE *f, const struct report *r, size_t rows)
{
	const struct annotations *a = r->annotations;

	if (a->tasks.n)
		fprintf(f, "\n  %-38s %7s %8s %9s %9s %9s\n", "user tasks", "count", "complete",
			"median", "99 %", "longest");
	for (size_t i = 0; i < a->tasks.n && (!rows || i < rows); i++) {
		const struct task_group *t = &a->tasks.v[i];

		fprintf(f, "  %-38s %7" PRIu64 " %8" PRIu64 " ",
			t->name.n ? NAME(t->name.s, 38) : "(no name)", t->count, t->complete.n);
		durations_text(f, &t->complete);
		fputc('\n', f);
	}
	if (a->regions.n)
		fprintf(f, "\n  %-16s %-30s %7s %9s %9s %9s\n", "user regions", "in", "count",
			"median", "99 %", "longest");
	for (size_t i = 0; i < a->regions.n && (!rows || i < rows); i++) {
		const struct region_group *k = &a->regions.v[i];

		fprintf(f, "  %-16s %-30s %7" PRIu64 " ",
			k->name.n ? NAME(k->name.s, 16) : "(inherited)", NAME(k->place.func, 30),
			k->all.n);
		durations_text(f, &k->all);
		fputc('\n', f);
	}
}

void report_tasks_text(FILE *f, const struct report *r, const struct report_options *o)
{
	static const char *const kinds[] = { "begin", "end", "log", "region begins",
					     "region ends" };
	const struct annotations *a = r->annotations;

	for (size_t i = 0; i < a->details.n && (!o->rows || i < o->rows); i++) {
		const struct task_detail *t = &a->details.v[i];

		fprintf(f, "%stask %" PRIu64 " %s: %s%s, %zu goroutines\n", i ? "\n" : "", t->id,
			t->name.n ? NAME(t->name.s, 40) : "(no name)",
			TIME(t->end_ns - t->begin_ns),
			t->has_begin && t->has_end ? "" : ", not complete", t->goroutines.n);
		for (size_t k = 0; k < t->events.n; k++) {
			const struct task_event *e = &t->events.v[k];

			fprintf(f, "  %12.6f s  %+10.6f  G%-8" PRIu64 " %-13s %s%s%s\n",
				at_seconds(r->g, e->ts_ns),
				(double)(int64_t)(e->ts_ns - t->begin_ns) / 1e9, e->g,
				kinds[e->kind], NAME(e->name.n ? e->name.s : "-", 40),
				e->text.n ? ": " : "", e->text.n ? HEAD(e->text.s, 80) : "");
		}
	}
	if (!a->details.n)
		fprintf(f, "no task of this id or name\n");
	else if (o->rows && a->details.n > o->rows)
		fprintf(f, "... and %zu more tasks; -n 0 for all\n", a->details.n - o->rows);
}

static void findings_text(FILE *f, const struct report *r)
{
	const struct findings *list = r->findings;

	fprintf(f, "\n  what hurts\n");
	if (!list->list.n)
		fprintf(f, "     nothing that the rules know: no long waits, stops, leaks or lock "
			   "fights\n");
	for (size_t i = 0; i < list->list.n; i++) {
		const struct finding *k = &list->list.v[i];
		const char *s = k->text;
		size_t left = strlen(s);

		for (bool is_first = true; left;
		     is_first = false) { /* broken at a space before column 96 */
			size_t n = left;

			while (n > 91)
				for (n--; n > 1 && s[n] != ' ';)
					n--;
			if (is_first)
				fprintf(f, "  %2zu ", i + 1);
			else
				fprintf(f, "     ");
			for (size_t c = 0; c < n; c++)
				fputc(printable(s[c]), f);
			if (is_first && left == n && k->at_ns)
				fprintf(f, " (at %.6f s)", at_seconds(r->g, k->at_ns));
			fputc('\n', f);
			s += n;
			left -= n;
			while (left && *s == ' ')
				s++, left--;
		}
	}
}

static void head(FILE *f, const struct report *r)
{
	const struct goroutines *g = r->g;
	uint64_t ns = g->last_ns - g->first_ns;

	fprintf(f, "%s: ", NAME(r->file, 36));
	if (r->command)
		fprintf(f, "%s, ", NAME(r->command, 20));
	fprintf(f, "%s, header 1.%d, %.3f s\n\n",
		r->go_version ? HEAD(r->go_version, 14) : "Go trace", r->minor, (double)ns / 1e9);
	fprintf(f, "  %-12s %s, %s a second", "events", COUNT(g->events),
		COUNT(ns ? (uint64_t)((double)g->events * 1e9 / (double)ns) : 0));
	if (!r->is_part)
		fprintf(f, ", %.1f bytes each",
			g->events ? (double)r->bytes / (double)g->events : 0);
	fputc('\n', f);
	fprintf(f, "  %-12s %s, at most %s at once, %s made, %s ended\n", "goroutines",
		COUNT(g->seen), COUNT(g->peak), COUNT(g->created), COUNT(g->ended));
	if (r->repairs || r->lost)
		fprintf(f, "  %-12s lost %s   repaired %s\n", "quality", COUNT(r->lost),
			r->repairs ? HEAD(r->repairs, 20) : "(not known)");
	if (r->losses)
		fprintf(f, "  %-12s in %s places: what stands there is repaired, not seen\n", "",
			COUNT(r->losses));
}

static void next_commands(FILE *f, const struct report *r)
{
	const struct findings *list = r->findings;

	fprintf(f, "\n  next:  ");
	if (list->list.n && list->list.v[0].has_profile)
		fprintf(f, "gotrace report --folded=%s %s\n",
			profile_names[list->list.v[0].profile], HEAD(r->file, 400));
	else if (list->list.n && list->list.v[0].function)
		fprintf(f, "gotrace report --goroutine '%s' %s\n",
			HEAD(list->list.v[0].function, 400), HEAD(r->file, 400));
	else
		fprintf(f, "gotrace report --goroutine FUNC|ID %s\n", HEAD(r->file, 400));
}

void report_text(FILE *f, const struct report *r, const struct report_options *o)
{
	head(f, r);
	report_scheduler(f, r->g);
	report_garbage(f, r->gc, true);
	findings_text(f, r);
	report_groups(f, r->g, o->rows, o->sort);
	report_waits(f, r->g, o->rows ? (o->rows + 1) / 2 : 0);
	for (unsigned i = 0; i < PROFILE_KINDS; i++)
		profile_text(f, r, (enum profile_kind)i, o->rows ? (o->rows + 1) / 2 : 0);
	leaks_text(f, r, o->rows ? (o->rows + 1) / 2 : 0);
	annotations_text(f, r, o->rows);
	next_commands(f, r);
}

void report_rows_text(FILE *f, const struct report *r, const struct report_options *o)
{
	const struct goroutines *g = r->g;
	size_t n;
	CLEANUP(freep) size_t *order = report_sorted_rows(g, o->sort, o->state, &n);

	fprintf(f, "%10s  %-30s %9s %9s %9s %9s %9s %9s %9s  %s\n", "goroutine", "function",
		"total", "running", "wait P", "syscall", "sys block", "blocked", "unknown",
		"blocked on");
	for (size_t i = 0; i < n && (!o->rows || i < o->rows); i++) {
		const struct go_row *w = &g->rows.v[order[i]];
		const struct go_times *t = &w->times;
		const char *sep = "";

		fprintf(f, "%10" PRIu64 "  %-30s %9s %9s %9s %9s %9s %9s %9s  ", w->id,
			NAME(g->groups.v[w->group].name, 30), TIME(t->total), TIME(t->execution),
			TIME(t->sched_wait), TIME(t->syscall), TIME(t->syscall_block),
			TIME(t->blocked), TIME(t->unknown));
		for (size_t k = 0; k < t->by_reason.n; k++, sep = ", ")
			fprintf(f, "%s%s %s", sep, TIME(t->by_reason.v[k].ns),
				t->by_reason.v[k].name
					? NAME(g->names.v[t->by_reason.v[k].name], 40)
					: "(since before)");
		for (size_t k = 0; k < t->by_range.n; k++, sep = ", ")
			fprintf(f, "%s%s in %s", sep, TIME(t->by_range.v[k].ns),
				NAME(g->names.v[t->by_range.v[k].name], 40));
		fputc('\n', f);
	}
	if (o->rows && n > o->rows)
		fprintf(f, "... and %zu more goroutines; -n 0 for all\n", n - o->rows);
}
