/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what the analyses of a trace found, for a terminal (report_text.c) and as JSON (report_json.c).
 *
 * The screen answers first what hurts, then shows the numbers behind it; its parts are used by the summary of a recording too. Lines
 * have at most 100 columns. Sections without content are left out of the text; JSON has every key always.
 */
#ifndef RENDER_REPORT_H
#define RENDER_REPORT_H

#include "analyze/annotations.h"
#include "analyze/findings.h"
#include "analyze/gc.h"
#include "analyze/goroutines.h"

#include <stdio.h>

enum report_sort { SORT_PAIN, SORT_EXECUTION, SORT_WAIT, SORT_BLOCKED, SORT_SYSCALL, SORT_COUNT, SORT_TOTAL };
#define REPORT_SORTS "pain|execution|wait|blocked|syscall|count|total" /* in the order of the enum */

struct report {
	const char *file;
	int minor;             /* of the header; 0: no file was read */
	uint64_t bytes;
	bool is_part;          /* of the file, a range of time */
	const char *go_version, *command; /* NULL: the file does not tell */
	uint64_t wall_begin_ns; /* since 1970; 0: the file does not tell */
	uint64_t lost, losses; /* records, in so many intervals, as the recorder counted them */
	const char *repairs;   /* that it made, in digits; NULL: the file does not tell */
	const struct goroutines *g;
	const struct gc *gc;
	const struct annotations *annotations;
	const struct findings *findings;
	const char *error;     /* NULL, or why nothing could be read after bytes */
	const char *flaw;      /* NULL, or why Go's tools would not take it */
};

struct report_options {
	size_t rows;           /* at most so many of each table; 0: all */
	enum report_sort sort;
	const char *state;     /* goroutine rows: only of this state at the end; NULL: all */
};

void report_text(FILE *f, const struct report *r, const struct report_options *o);
void report_json(FILE *f, const struct report *r, const struct report_options *o);
/* goroutines.rows: a table of goroutines. */
void report_rows_text(FILE *f, const struct report *r, const struct report_options *o);
void report_rows_json(FILE *f, const struct report *r, const struct report_options *o);

/* annotations.details: what tasks did. */
void report_tasks_text(FILE *f, const struct report *r, const struct report_options *o);
void report_tasks_json(FILE *f, const struct report *r, const struct report_options *o);

/* Parts of the screen. */
void report_scheduler(FILE *f, const struct goroutines *g);
void report_garbage(FILE *f, const struct gc *gc, bool mmu);
void report_groups(FILE *f, const struct goroutines *g, size_t rows, enum report_sort sort);
void report_waits(FILE *f, const struct goroutines *g, size_t rows);

/* Indexes of g->groups that have goroutines, of options.function if that is given, sorted; free it. *n how many. */
size_t *report_sorted_groups(const struct goroutines *g, enum report_sort sort, size_t *n);
/* Of g->rows, of one state or (NULL) all. */
size_t *report_sorted_rows(const struct goroutines *g, enum report_sort sort, const char *state, size_t *n);
/* Indexes of the samples of a profile, most time first; free it. */
uint32_t *report_sorted_samples(const struct profile *p, size_t *n);

#endif
