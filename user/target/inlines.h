/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inlines.h - to which source function a call in package runtime belongs.
 *
 * A profile (go build -pgo) makes the compiler inline the scheduler's own functions: casgstatus into execute, ready
 * into gcSweep, schedule into park_m. So a rule of the plan must not ask "which calls are in the machine code of F"
 * but "which calls did the source of F make", wherever they ended up, and must know that a copy of F exists that its
 * entry does not see. The inline trees of pclntab answer both, also in stripped binaries.
 */
#ifndef TARGET_INLINES_H
#define TARGET_INLINES_H

#include "target/code.h"

struct owned_call {
	struct runtime_call call;
	const char *callee; /* function that begins at its target, NULL none */
	const char *owner;  /* see inlines_owner */
};

struct inlines;
struct inlines *inlines_open(struct codes *cs, const struct pclntab *t);
void inlines_close(struct inlines *in);
/* The next call, from *pos on (from 0). */
bool inlines_next(const struct inlines *in, size_t *pos, struct owned_call *ret);
/* How many inlined copies of func there are (beside its own body, if it has one). */
size_t inlines_copies(const struct inlines *in, const char *func);
/* The next function, from *pos on (from 0), in whose code a copy of func stands; once for each copy. */
bool inlines_next_copy(const struct inlines *in, const char *func, size_t *pos, struct go_func *ret);
/*
 * The source function of the instruction at pc; helpers that belong to their caller's line (casGTo*, traceAcquire)
 * count as their caller. *ret_body tells the copies of one function apart.
 */
const char *inlines_owner(const struct inlines *in, uint64_t pc, uint64_t *ret_body);

#endif
