/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h - where goroutines were blocked, by stack, for other tools: as a pprof profile and as folded stacks.
 *
 * Each writes the whole of one profile (analyze/goroutines.h) and flushes f, which stays the caller's. 0, or -errno when f
 * could not be written: what is in it then is no profile. Stacks without samples are left out. Names are bytes of a target
 * that may be hostile; what is written is UTF-8, a byte that is not becomes U+FFFD.
 */
#ifndef RENDER_PROFILE_H
#define RENDER_PROFILE_H

#include "analyze/goroutines.h"

#include <stdio.h>

/*
 * A gzip'ed profile.proto with the contents that `go tool trace -pprof=` gives it: contentions/count and delay/nanoseconds, a
 * location per pc, a function per name and file, no mappings. It tells two things more: that delay is to be shown first, and,
 * unless 0, when the recording began (since 1970) and how long it was.
 */
int profile_pprof(FILE *f, const struct profile *p, const struct stack_source *stacks, uint64_t duration_ns,
		  uint64_t time_ns);

enum folded_weight { FOLDED_NS, FOLDED_COUNT };

/*
 * "root;...;leaf 1234", a line per list of function names, the heaviest first: what flamegraph.pl, inferno and speedscope
 * read. In names ';' becomes ':' and a control character '?'; one that is not known is "[unknown]".
 */
int profile_folded(FILE *f, const struct profile *p, const struct stack_source *stacks, enum folded_weight weight);

#endif
