/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reasons.h - the words of the format: why a goroutine blocks or stops, why the world stops,
 * labels.
 *
 * Strings as in Go 1.26 (runtime/traceruntime.go: traceBlockReasonStrings,
 * traceGoStopReasonStrings; runtime/proc.go: stwReasonStrings). Numbers that are not known give
 * "unspecified" and "unknown", as the runtime would.
 */
#ifndef ORDER_REASONS_H
#define ORDER_REASONS_H

#include "gotrace/event.h"

#include <stddef.h>

struct str reason_block(uint8_t block_reason);   /* enum block_reason */
struct str reason_stop(uint8_t stop_reason);     /* enum stop_reason */
struct str reason_stw(uint8_t stw_reason);
struct str reason_label(uint8_t gc_worker_mode); /* n = 0: no label */

/* All of them, each once: for writer_fix_strings. */
const struct str *reasons_all(size_t *n);

#endif
