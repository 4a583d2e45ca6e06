/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait_reasons.h - what g.waitreason means for a trace.
 *
 * The numbers of runtime.waitReason move between Go versions, so the strings are read from the target itself and
 * mapped here (runtime/runtime2.go waitReasonStrings; the mapping by the gopark call sites of Go 1.26).
 */
#ifndef TARGET_WAIT_REASONS_H
#define TARGET_WAIT_REASONS_H

#include "gotrace/record.h"
#include "target/process.h"

/* The status says "waiting" but the goroutine runs: the runtime only lets the GC look at its stack. */
#define WAIT_BLOCK_RUNNING 0xff

/* enum block_reason or WAIT_BLOCK_RUNNING; BLOCK_UNSPECIFIED for a string that no known version has. */
uint8_t wait_reason_block(const char *wait_reason);
/* The text of number i in the array of Go strings at addr. False: not to be read, or no short printable text. */
bool wait_reason_text(const struct process *p, uint64_t addr, uint32_t i, char text[64]);
/* The array of n Go strings at addr -> block reason by wait reason number. What cannot be read is unspecified. */
void wait_reasons_read(const struct process *p, uint64_t addr, uint32_t n, uint8_t blocks[256]);

#endif
