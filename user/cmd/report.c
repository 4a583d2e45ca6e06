/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - gotrace report: reads any Go trace and answers what hurts. */
#include "cmd/analysis.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/session.h"
#include "render/profile.h"
#include "render/report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROFILE_NONE = PROFILE_KINDS };

struct report_cmd {
	bool json;
	unsigned rows;
	unsigned sort;
	struct time_range range;
	const char *goroutine, *func, *state, *task, *region;
	uint64_t threshold_ns;
	const char *pprof, *folded;
	bool counts;
};

#define OPTION(field) offsetof(struct report_cmd, field)

static const struct option_row rows[] = {
	{ "rows", 'n', OPT_UINT, OPTION(rows), "N",
	  "at most N rows of each table (10, with --json all); 0: all" },
	{ "sort", 's', OPT_CHOICE, OPTION(sort), REPORT_SORTS, "order of goroutines" },
	{ "range", 'r', OPT_RANGE, OPTION(range), "FROM~TO",
	  "only this part: 1.2s~1.5s, 100ms~, ~2s, since the trace began" },
	{ "threshold", 't', OPT_DURATION, OPTION(threshold_ns), "TIME",
	  "leave shorter waits out of latencies and profiles" },
	{ "goroutine", 'g', OPT_STRING, OPTION(goroutine), "ID|FUNC",
	  "a row per goroutine of this id or start function; 'all'" },
	{ "state", 0, OPT_STRING, OPTION(state), "STATE",
	  "of those, who ends the trace runnable, running, syscall, waiting, ended" },
	{ "func", 'f', OPT_STRING, OPTION(func), "FUNC",
	  "groups, waits, profiles of goroutines of this start function alone" },
	{ "region", 0, OPT_STRING, OPTION(region), "NAME",
	  "profiles inside user regions of this name alone (reads twice)" },
	{ "task", 0, OPT_STRING, OPTION(task), "ID|NAME",
	  "what user tasks of this id or name did" },
	{ "pprof", 0, OPT_STRING, OPTION(pprof), "net|sync|syscall|sched",
	  "a blocking profile for go tool pprof, to stdout" },
	{ "folded", 0, OPT_STRING, OPTION(folded), "net|sync|syscall|sched",
	  "the same as folded stacks, for flame graphs" },
	{ "counts", 0, OPT_FLAG, OPTION(counts), NULL, "folded stacks count waits, not ns" },
	{ "json", 0, OPT_FLAG, OPTION(json), NULL, "all of it as JSON (docs/report.md)" },
};

static void help(void)
{
	printf("usage: gotrace report [options] FILE      any Go execution trace from Go 1.22 on; "
	       "'-' reads a pipe\n\n");
	options_help(rows, ARRAY_SIZE(rows));
	printf("\nExit codes: 0 fine; 1 failed, misused, or a file that is damaged: what could be "
	       "read is shown.\n");
}

static int profile_kind_of(const char *name, struct why *why)
{
	for (int i = 0; i < PROFILE_KINDS; i++)
		if (!strcmp(profile_names[i], name))
			return i;
	return why_set(why, -EINVAL, "no profile '%s': net, sync, syscall or sched", name);
}

static int check_state(const char *state, struct why *why)
{
	static const char *const known[] = { "runnable", "running", "syscall", "waiting", "ended" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!state || !strcmp(state, known[i]))
			return 0;
	return why_set(why, -EINVAL, "no state '%s': runnable, running, syscall, waiting or ended",
		       state);
}

static int parse(int argc, char **argv, struct report_cmd *c, const char **path, struct why *why)
{
	int first, err = options_parse(rows, ARRAY_SIZE(rows), c, argc, argv, &first, why);

	if (err)
		return err;
	if (argc - first != 1)
		return why_set(why, -EINVAL,
			       argc == first ? "which trace?" : "one trace at a time");
	*path = argv[first];
	if ((c->pprof != NULL) + (c->folded != NULL) + c->json > 1)
		return why_set(why, -EINVAL, "--pprof, --folded and --json exclude each other");
	if (c->region && !c->pprof && !c->folded)
		return why_set(why, -EINVAL, "--region needs --pprof or --folded");
	return check_state(c->state, why);
}

/* The output that was asked for. 0 or -errno. */
static int show(const struct report_cmd *c, const struct analysis *a, int kind)
{
	const struct report r = analysis_report(a);
	const struct report_options o = { c->rows, (enum report_sort)c->sort, c->state };

	if (c->pprof)
		return profile_pprof(stdout, &r.g->profiles[kind], &r.g->options.stacks,
				     r.g->last_ns - r.g->first_ns, r.wall_begin_ns);
	if (c->folded)
		return profile_folded(stdout, &r.g->profiles[kind], &r.g->options.stacks,
				      c->counts ? FOLDED_COUNT : FOLDED_NS);
	if (c->task && c->json)
		report_tasks_json(stdout, &r, &o);
	else if (c->task)
		report_tasks_text(stdout, &r, &o);
	else if (c->goroutine && c->json)
		report_rows_json(stdout, &r, &o);
	else if (c->goroutine)
		report_rows_text(stdout, &r, &o);
	else if (c->json)
		report_json(stdout, &r, &o);
	else
		report_text(stdout, &r, &o);
	return ferror(stdout) ? -EIO : 0;
}

int cmd_report(int argc, char **argv)
{
	struct report_cmd c = { .rows = UINT_MAX, .range = TIME_RANGE_ALL };
	const char *path = NULL;
	struct why why = { "" };
	int err = parse(argc, argv, &c, &path, &why), kind = PROFILE_NONE;

	if (err == -ECANCELED)
		return help(), EXIT_FINE;
	if (!err && (c.pprof || c.folded))
		err = kind = profile_kind_of(c.pprof ? c.pprof : c.folded, &why);
	if (err < 0)
		return misuse("report", &why);
	if (c.rows == UINT_MAX)
		c.rows = c.json ? 0 : 10;
	const struct analysis_options o = {
		.range = c.range,
		.goroutines = { .worst = c.rows ? c.rows : 100,
				.rows = c.goroutine != NULL,
				.function = c.func,
				.rows_of = c.goroutine && strcmp(c.goroutine, "all") ? c.goroutine
										     : NULL,
				.threshold_ns = c.threshold_ns },
		.region = c.region,
		.task = c.task,
	};
	CLEANUP(analysis_freep) struct analysis *a = NULL;

	err = analysis_of(path, &o, &a, &why);
	if (err)
		return fail(err, &why);
	err = show(&c, a, kind);
	if (err)
		return fail(err, (why_set(&why, err, "cannot write: %s", strerror(-err)), &why));
	return analysis_complain(a, path);
}
