/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks.h - raw stacks become the logical stacks that Go's tracer would have written.
 *
 * A logical stack is named by a number from 1, equal for equal lists of (pc, func, file, line), valid until
 * stacks_free. Expansion follows runtime/tracestack.go fpunwindExpand (Go 1.26): every return address minus one,
 * inlined frames innermost first, `skip` counts logical frames, wrapper frames elided unless called by gopanic,
 * sigpanic, panicwrap; the outermost runtime.goexit is dropped, and runtime.main of goroutine 1 too; 128 frames.
 */
#ifndef TRACE_STACKS_H
#define TRACE_STACKS_H

#include "gotrace/record.h"
#include "gotrace/symbols.h"
#include "base/base.h"

struct stacks;

struct stacks *stacks_new(struct symbols *symbols); /* not owned */
void stacks_free(struct stacks *s);

/* Copies it. Ids may come again with another content only after a loss; the last one counts. */
void stacks_define(struct stacks *s, const struct stack_def *def);
/* Raw id + skip -> logical stack number; 0 when nothing is left or the id is unknown. is_g1: also drop runtime.main. */
uint32_t stacks_logical(struct stacks *s, uint32_t raw_id, unsigned skip, bool is_g1);
/* The one-frame stack of a start function, 0 if not known. */
uint32_t stacks_start(struct stacks *s, uint64_t start_pc);
/* Frames of a logical stack, leaf first. Lives until stacks_free; n = 0 for number 0. */
const struct frame *stacks_frames(const struct stacks *s, uint32_t number, unsigned *n);
struct stack_source stacks_source(const struct stacks *s);

#endif
