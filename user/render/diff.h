/* SPDX-License-Identifier: Apache-2.0 */
/* diff.h - two traces side by side, for a terminal and as JSON (docs/report.md). */
#ifndef RENDER_DIFF_H
#define RENDER_DIFF_H

#include "analyze/diff.h"
#include "render/report.h"

/* rows: at most so many of what got slower, and as many of what got faster; 0: all. */
void diff_text(FILE *f, const struct report *a, const struct report *b, const struct diff *d, size_t rows);
void diff_json(FILE *f, const struct report *a, const struct report *b, const struct diff *d);

#endif
