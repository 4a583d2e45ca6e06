/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h - a program started by us, held before its first instruction.
 */
#ifndef CMD_LAUNCH_H
#define CMD_LAUNCH_H

#include "base/base.h"

/* Runs argv (found by PATH) up to its exec and stops it there. -errno of the exec. */
int launch(char *const argv[], int *pid, struct why *why);
/* Lets it go on, without a tracer. */
int launch_release(int pid);
/* Ends it, before its first instruction. */
void launch_kill(int pid);
/* Waits for its end: its exit code, or 128 + signal. */
int launch_wait(int pid);

#endif
