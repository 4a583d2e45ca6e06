/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis.h - a trace file, read once through all analyses: what report and diff share.
 *
 * A damaged file gives what could be read, and says so at the end (analysis_complain). Shows its progress on a terminal.
 */
#ifndef CMD_ANALYSIS_H
#define CMD_ANALYSIS_H

#include "cmd/options.h"
#include "render/report.h"

struct analysis;

struct analysis_options {
	struct goroutines_options goroutines; /* stacks and gc are set here */
	struct time_range range; /* only this part, since the trace began */
	const char *region;    /* profiles inside outermost user regions of this name; NULL: everywhere. Reads the file twice */
	const char *task;      /* keep the details of user tasks of this id or name; NULL: none */
};

/* path "-": the standard input. 0 or -errno with a sentence: not even a beginning of a trace. */
int analysis_of(const char *path, const struct analysis_options *o, struct analysis **ret, struct why *why);
struct report analysis_report(const struct analysis *a); /* lives as long as a */
/* Says on stderr what was wrong with the file. EXIT_FAILED if something was, else EXIT_FINE. */
int analysis_complain(const struct analysis *a, const char *path);
void analysis_freep(struct analysis **a);

#endif
