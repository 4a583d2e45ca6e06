/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.h - from a code address to Go frames.
 *
 * The one thing order needs from the target's binary. Implemented by target/pclntab.c for a live process and by
 * the spool reader for a replay, so order never touches the target.
 */
#ifndef GOTRACE_SYMBOLS_H
#define GOTRACE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_MAX_INLINE 64

/* One logical frame. Strings live as long as the provider; they are bytes from the target: not NUL-free, not UTF-8. */
struct frame {
	uint64_t pc;        /* what Go's tracer stores: for the innermost frame the looked-up pc, for a frame that
			       holds an inlined call the inline tree's parent pc; all are call addresses
			       (return address - 1), as runtime.Frame.PC */
	const char *func;   /* full name as Go's stacks print it: type arguments are "[...]" in every version */
	const char *file;
	uint32_t line;
	uint8_t func_id;    /* runtime's abi.FuncID as the target's version numbers it */
	bool is_wrapper;    /* abi.FuncIDWrapper: the runtime hides it in stacks */
	bool keeps_wrapper; /* gopanic, sigpanic, panicwrap: a wrapper that they call is not hidden
			       (runtime/traceback.go: elideWrapperCalling) */
};

struct symbols {
	/*
	 * The frames at call address pc (a return address minus one, or an exact pc), innermost first, at most max.
	 * Returns how many, 0 if pc is not in Go code (C, vDSO). Never fails otherwise.
	 */
	int (*frames)(struct symbols *self, uint64_t pc, struct frame *out, int max);
	/* The function that a goroutine with this g.startpc was made to run: wrappers of `go f(x)` are seen through
	 * (runtime/trace.go: startPCForTrace). out->pc = its entry, as Go stores it (entry, not entry - 1). 0 or -ENOENT. */
	int (*start_func)(struct symbols *self, uint64_t start_pc, struct frame *out);
};

/* Where the frames of a stack number come from: a reader of a file, or the stacks of a recording. Leaf first; NULL and *n = 0
 * for number 0 and unknown ones; they live as long as the source. */
struct stack_source {
	const struct frame *(*frames)(const void *self, uint32_t stack, unsigned *n);
	const void *self;
};

#endif
