/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - see options.h. */
#include "cmd/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct unit {
	const char *name;
	double factor;
};

static int parse_with_unit(const char *s, const struct unit *units, size_t n, uint64_t *ret)
{
	char *end;
	double x = strtod(s, &end);

	if (end == s || x < 0 || x != x)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(end, units[i].name))
			continue;
		if (x * units[i].factor > 9e18)
			return -ERANGE;
		*ret = (uint64_t)(x * units[i].factor);
		return 0;
	}
	return -EINVAL;
}

int duration_parse(const char *s, uint64_t *ns)
{
	static const struct unit units[] = {
		{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9}, {"h", 3600e9},
	};

	return parse_with_unit(s, units, ARRAY_SIZE(units), ns);
}

int size_parse(const char *s, uint64_t *bytes)
{
	static const struct unit units[] = {
		{"", 1},	 {"b", 1},	  {"k", 1 << 10}, {"kb", 1 << 10},  {"kib", 1 << 10}, {"m", 1 << 20},
		{"mb", 1 << 20}, {"mib", 1 << 20}, {"g", 1 << 30}, {"gb", 1 << 30}, {"gib", 1 << 30},
	};

	return parse_with_unit(s, units, ARRAY_SIZE(units), bytes);
}

/* An end that is not given is that of the trace. */
static int parse_moment(const char *s, size_t n, uint64_t *ns)
{
	CLEANUP(freep) char *copy = strndup(s, n);

	return n ? duration_parse(copy, ns) : 0;
}

int range_parse(const char *s, struct time_range *ret)
{
	struct time_range r = TIME_RANGE_ALL;
	const char *middle = strchr(s, '~');

	if (!middle || parse_moment(s, (size_t)(middle - s), &r.from_ns) ||
	    parse_moment(middle + 1, strlen(middle + 1), &r.to_ns) || r.from_ns >= r.to_ns)
		return -EINVAL;
	*ret = r;
	return 0;
}

static int parse_choice(const char *choices, const char *s, unsigned *ret)
{
	size_t n = strlen(s);
	unsigned i = 0;

	for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL, i++) {
		if (!strncmp(p, s, n) && (p[n] == '|' || !p[n])) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_value(const struct option_row *row, void *values, const char *s)
{
	void *at = (char *)values + row->offset;
	char *end;

	switch (row->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_STRING:
		*(const char **)at = s;
		return *s ? 0 : -EINVAL;
	case OPT_UINT: {
		unsigned long x = strtoul(s, &end, 10);

		if (end == s || *end || *s == '-' || x > UINT32_MAX)
			return -EINVAL;
		*(unsigned *)at = (unsigned)x;
		return 0;
	}
	case OPT_DURATION:
		return duration_parse(s, at);
	case OPT_SIZE:
		return size_parse(s, at);
	case OPT_CHOICE:
		return parse_choice(row->arg, s, at);
	case OPT_RANGE:
		return range_parse(s, at);
	}
	return -EINVAL;
}

static const struct option_row *find_row(const struct option_row *rows, size_t n, const char *arg,
					 const char **value)
{
	bool is_long = arg[1] == '-';
	size_t len = is_long ? strcspn(arg + 2, "=") : 1;

	for (size_t i = 0; i < n; i++) {
		const struct option_row *r = &rows[i];

		if (is_long ? strlen(r->name) == len && !strncmp(r->name, arg + 2, len)
			    : r->letter && r->letter == arg[1]) {
			const char *rest = arg + (is_long ? 2 : 1) + len;

			*value = *rest == '=' ? rest + 1 : *rest ? rest : NULL;
			return r;
		}
	}
	return NULL;
}

int options_parse(const struct option_row *rows, size_t n, void *values, int argc, char **argv,
		  int *first, struct why *why)
{
	int i = 0;

	for (; i < argc; i++) {
		const char *arg = argv[i], *value = NULL;

		if (arg[0] != '-' || !arg[1])
			break;
		if (!strcmp(arg, "--")) {
			i++;
			break;
		}
		if (!strcmp(arg, "--help") || !strcmp(arg, "-h"))
			return -ECANCELED;
		const struct option_row *row = find_row(rows, n, arg, &value);

		if (!row)
			return why_set(why, -EINVAL, "no option %s; --help lists them", arg);
		if (row->type == OPT_FLAG && value)
			return why_set(why, -EINVAL, "%s takes no value", arg);
		if (row->type != OPT_FLAG && !value && ++i >= argc)
			return why_set(why, -EINVAL, "%s needs a value (%s)", arg, row->arg);
		if (row->type != OPT_FLAG && !value)
			value = argv[i];
		if (set_value(row, values, value))
			return why_set(why, -EINVAL, "--%s: '%s' is not %s %s", row->name, value,
				       row->type == OPT_CHOICE ? "one of" : "a", row->arg);
	}
	*first = i;
	return 0;
}

int options_and_operands(const struct option_row *rows, size_t n, void *values, int argc, char **argv,
			 const char **operands, int n_operands, const char *what, struct why *why)
{
	bool only_operands = false;
	int n_given = 0;

	while (argc > 0) {
		int first = 0, err = only_operands ? 0 : options_parse(rows, n, values, argc, argv, &first, why);

		if (err)
			return err;
		only_operands |= first && !strcmp(argv[first - 1], "--");
		if (first == argc)
			break;
		if (n_given == n_operands)
			return why_set(why, -EINVAL, "%s is one too many: give %s", argv[first], what);
		operands[n_given++] = argv[first];
		argc -= first + 1;
		argv += first + 1;
	}
	return n_given == n_operands ? 0 : why_set(why, -EINVAL, "give %s", what);
}

void options_help(const struct option_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct option_row *r = &rows[i];
		char name[64];

		if (!r->help)
			continue;
		snprintf(name, sizeof(name), "%s--%s%s%s", r->letter ? (char[]){'-', r->letter, ',', ' ', 0} : "    ",
			 r->name, r->arg ? " " : "", r->arg ? r->arg : "");
		if (strlen(name) > 29)
			printf("  %s\n  %-29s %s\n", name, "", r->help);
		else
			printf("  %-29s %s\n", name, r->help);
	}
}
