/* SPDX-License-Identifier: Apache-2.0 */
/* diff.c - gotrace diff: what got slower from one trace to another. */
#include "cmd/analysis.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/session.h"
#include "render/diff.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct diff_cmd {
	bool json;
	unsigned rows;
	const char *fail_over, *noise;
};

#define OPTION(field) offsetof(struct diff_cmd, field)

static const struct option_row rows[] = {
	{ "rows", 'n', OPT_UINT, OPTION(rows), "N",
	  "at most N rows slower and N faster (10); 0: all" },
	{ "noise", 0, OPT_STRING, OPTION(noise), "PERCENT",
	  "leave out what costs less of a second than this (1)" },
	{ "fail-over", 0, OPT_STRING, OPTION(fail_over), "PERCENT",
	  "exit with 4 when something got slower by more than this" },
	{ "json", 0, OPT_FLAG, OPTION(json), NULL, "as JSON (docs/report.md)" },
};

static int parse_percent(const char *s, const char *option, double *ret, struct why *why)
{
	char *end;
	double x;

	if (!s)
		return 0;
	x = strtod(s, &end);
	if (end == s || (*end && strcmp(end, "%")) || !isfinite(x) || x < 0)
		return why_set(why, -EINVAL, "--%s: not a percentage: %s", option, s);
	*ret = x / 100;
	return 0;
}

int cmd_diff(int argc, char **argv)
{
	struct diff_cmd c = { .rows = 10 };
	struct why why = { "" };
	double limit = INFINITY, noise = 0.01;
	int first, err = options_parse(rows, ARRAY_SIZE(rows), &c, argc, argv, &first, &why);

	if (err == -ECANCELED) {
		printf("usage: gotrace diff [options] A B      what got slower from trace A to "
		       "trace B\n\n");
		options_help(rows, ARRAY_SIZE(rows));
		printf("\nExit codes: 0 fine, 1 failed, misused or a damaged file, 4 something got "
		       "slower by more than --fail-over.\n");
		return EXIT_FINE;
	}
	if (!err && argc - first != 2)
		err = why_set(&why, -EINVAL, "which two traces?");
	err = err ? err : parse_percent(c.fail_over, "fail-over", &limit, &why);
	err = err ? err : parse_percent(c.noise, "noise", &noise, &why);
	if (err)
		return misuse("diff", &why);
	const struct analysis_options o = { .range = TIME_RANGE_ALL };
	CLEANUP(analysis_freep) struct analysis *a = NULL, *b = NULL;
	struct diff d;

	err = analysis_of(argv[first], &o, &a, &why);
	err = err ? err : analysis_of(argv[first + 1], &o, &b, &why);
	if (err)
		return fail(err, &why);
	const struct report ra = analysis_report(a), rb = analysis_report(b);

	diff_of(ra.g, rb.g, noise, &d);
	if (c.json)
		diff_json(stdout, &ra, &rb, &d);
	else
		diff_text(stdout, &ra, &rb, &d, c.rows);
	bool is_over = d.worst > limit;

	diff_free(&d);
	int bad_a = analysis_complain(a, argv[first]),
	    bad_b = analysis_complain(b, argv[first + 1]);

	return bad_a || bad_b ? EXIT_FAILED : is_over ? EXIT_SLOWER : EXIT_FINE;
}
