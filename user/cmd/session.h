/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - a target opened as far as possible without touching it: process, binary, functions, plan.
 */
#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include "target/plan.h"
#include "target/process.h"
#include "target/snapshot.h"

struct session {
	struct process *process;   /* NULL for a file */
	struct image *image;
	struct buildinfo build;
	struct pclntab *table;
	struct symbols *symbols;
	struct plan *plan;
	uint64_t text_lo, text_hi; /* runtime addresses of the Go code */
};

/* Errors as exit codes want them: see exit_code_of. The session is empty on failure. */
int session_open_pid(int pid, const struct plan_options *opt, struct session *ret, struct why *why);
int session_open_file(const char *path, const struct plan_options *opt, struct session *ret, struct why *why);
void session_close(struct session *s);

enum exit_code { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_REFUSED = 2, EXIT_LOSS = 3, EXIT_SLOWER = 4 };
/* 2 for what says "this target is not for us" (-ENOTSUP, -ENOEXEC), 1 for all else. */
int exit_code_of(int err);
/* "gotrace: SENTENCE" on stderr; returns exit_code_of(err). */
int fail(int err, const struct why *why);
/*
 * A process that ends loses its memory before it is seen to have ended: what failed meanwhile is no fault of ours. Waits
 * a moment for its end; then -ESRCH and that sentence, else err as it is. p may be NULL.
 */
int blame_end(const struct process *p, int err, struct why *why);
/* A usage error: the sentence and how to get help. Returns 1. */
int misuse(const char *verb, const struct why *why);
/* A file to read, "-": standard input. A file descriptor that the caller closes, or -errno. */
int open_input(const char *path, struct why *why);

#endif
