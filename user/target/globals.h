/* SPDX-License-Identifier: Apache-2.0 */
/*
 * globals.h - addresses of the runtime's variables, read out of the code that uses them.
 *
 * A rule says "the k-th rip-relative operand of function F" (atlas 5.2: found equal in all ten versions, PIE, cgo,
 * race and PGO builds). Each variable has two rules or more, and an address counts only when two agree: a compiler
 * that orders one function differently cannot make gotrace read the wrong variable.
 */
#ifndef TARGET_GLOBALS_H
#define TARGET_GLOBALS_H

#include "target/code.h"

/* tls_g is not set here (offsets_derive knows it). -ENOTSUP: one that is needed is missing. */
int globals_find(const struct image *im, struct codes *cs, struct globals *ret, struct why *why);
/* goroutineProfile.active, for the site in exitsyscall; 0 unknown (Go 1.18 has none). */
uint64_t globals_goroutine_profile(struct codes *cs, uint64_t trace_flag);

#endif
