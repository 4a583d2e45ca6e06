/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - command line options as rows of a table; help and parsing follow from the rows.
 *
 * A row writes into a plain struct at `offset`: OPT_FLAG bool, OPT_STRING const char *, OPT_UINT unsigned,
 * OPT_DURATION uint64_t ns ("10s", "500ms", "2m", "1h", bare number = seconds), OPT_SIZE uint64_t bytes ("64mb"),
 * OPT_CHOICE unsigned: index in `choices` ("auto|multi|single"), OPT_RANGE struct time_range ("1.2s~1500ms", "100ms~", "~2s").
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "base/base.h"

enum option_type { OPT_FLAG, OPT_STRING, OPT_UINT, OPT_DURATION, OPT_SIZE, OPT_CHOICE, OPT_RANGE };

/* Since the start of the trace: from <= t < to. */
struct time_range {
	uint64_t from_ns, to_ns;   /* to: UINT64_MAX, the end */
};
#define TIME_RANGE_ALL ((struct time_range){ 0, UINT64_MAX })

struct option_row {
	const char *name;      /* "duration" for --duration */
	char letter;           /* 'd' or 0 */
	enum option_type type;
	size_t offset;
	const char *arg;       /* "SECONDS"; for a choice the choices */
	const char *help;      /* NULL: not shown */
};

/*
 * Parses until the first operand or "--". *first is the index of the first operand in argv.
 * 0; -EINVAL with a sentence; -ECANCELED when --help was asked for.
 */
int options_parse(const struct option_row *rows, size_t n, void *values, int argc, char **argv,
		  int *first, struct why *why);
/* The same, but options may stand between and after the operands, of which exactly n_operands are wanted: `what` names them. */
int options_and_operands(const struct option_row *rows, size_t n, void *values, int argc, char **argv,
			 const char **operands, int n_operands, const char *what, struct why *why);
void options_help(const struct option_row *rows, size_t n);
int duration_parse(const char *s, uint64_t *ns);
int size_parse(const char *s, uint64_t *bytes);
int range_parse(const char *s, struct time_range *ret);

#endif
