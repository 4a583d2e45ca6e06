/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - files that a root program creates for somebody.
 *
 * New files are 0600. A symlink is never followed, nor a file of somebody else overwritten, in a directory that
 * everybody may write to (/tmp): whoever put it there would choose what root overwrites.
 */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/base.h"

/* "-" is stdout (the descriptor is then a copy). A descriptor for writing, or -errno with a sentence. */
int output_open(const char *path, struct why *why);
/* %p pid, %t local time as 20260131-235959, %h host name, %% a percent sign. Owner frees. NULL: another % (why says). */
char *output_name(const char *pattern, int pid, struct why *why);

#endif
