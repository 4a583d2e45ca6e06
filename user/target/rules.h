/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h - one row of the plan: which instruction tells of an event, in which versions, and what to do without it.
 *
 * A row is complete when it finds between min and max instructions that the kernel emulates. A row marked FALLBACK is
 * tried only when the rows before it (back to the last that is none) were not complete. What an incomplete row means
 * stands in `need`.
 */
#ifndef TARGET_RULES_H
#define TARGET_RULES_H

#include "target/inlines.h"

enum rule_where {
	AT_CALL = 1,       /* every call of callee with these arguments that funcs make, inlined copies included */
	AT_ENTRY,          /* the first push (or stack-check jcc) of funcs; not when a copy of it was inlined */
	AT_ENTRY_OF_BODY,  /* same, copies notwithstanding: the next row is AT_COPIES */
	AT_COPIES,         /* as AT_CALL, exactly one in each inlined copy of funcs and none elsewhere */
	AT_OTHER_CALLERS,  /* every call of callee in package runtime that funcs do not make */
	AT_CALL_WITH,      /* every call of callee by a function that also calls `with` before it */
	AT_AFTER_CALL,     /* the first emulated instruction after a call of callee, with AX (its result) untouched */
	AT_FLAG,           /* the first jcc on the runtime's own trace flag in funcs */
	AT_LATER_FLAGS,    /* the further ones */
	AT_FLAG_WITH_ARGS, /* the first, while the argument registers are as at entry */
	AT_PROFILE_FLAG,   /* the jcc on goroutineProfile.active */
};

enum rule_need {
	REQUIRED = 0, /* the plan refuses */
	OPTIONAL,     /* fine when no such function is in the binary, else as REQUIRED */
	REPAIRABLE,   /* order repairs it (a goroutine that starts was unblocked): a note */
	GROUP,        /* all rows of the group are left out, with a note: half of a pair would be wrong */
};

enum rule_option { ALWAYS = 0, SYSCALLS, SWEEP, USER };

#define ANY (-1)
#define NEWEST 255

struct rule {
	const char *event;
	uint8_t probe, gsrc, arg;
	uint8_t since, until; /* Go 1.x; 0 and NEWEST: no bound */
	uint8_t where;        /* enum rule_where */
	const char *funcs;    /* names without "runtime.", alternatives separated by | */
	const char *callee;   /* same */
	int8_t bx, cx;        /* constant arguments, ANY */
	uint8_t min, max;
	uint8_t need, option; /* enum rule_need, rule_option */
	char group;
	bool is_fallback;     /* named by a note in the plan */
	bool is_alternative;  /* as is_fallback, but as good: no note */
	const char *with;     /* of AT_CALL_WITH */
	const char *if_func;  /* only in binaries that have this function */
};

/* What the rows look at. */
struct finder {
	const struct image *im;
	const struct pclntab *t;
	struct codes *cs;
	struct inlines *in;
	uint64_t trace_flag, profile_flag;
};

typedef VEC(struct site) site_vec;

/* Appends what a row finds; returns how many, -1 when what it found cannot be right (a copy not covered). */
int rule_match(struct finder *f, const struct rule *r, site_vec *out);
/*
 * How many bodies the row's function has (its own and inlined copies): each must have min to max matches. 1 for rows
 * of several functions and for those whose kind settles it.
 */
int rule_bodies(struct finder *f, const struct rule *r);
/* Is any of the row's functions in the binary? */
bool rule_has_func(struct finder *f, const struct rule *r);

#endif
