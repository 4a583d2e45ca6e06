/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.h - the state at the beginning, from a snapshot that was read while the target ran.
 *
 * Holds back the records up to a little after the end of the reading. Then the state before the
 * first of them is worked out: what a record implies about a goroutine, thread or P that no earlier
 * record touched was so from the beginning; what no record touched did not change, so the snapshot
 * is right about it. Contradictions (two goroutines on a thread, a running one without P) are
 * resolved to something legal.
 */
#ifndef ORDER_ATTACH_H
#define ORDER_ATTACH_H

#include "order/emit.h"

struct attach;

struct attach *attach_new(const struct snapshot *snap); /* copied */
void attach_free(struct attach *a);

/* false: not held, it is time to attach_install and to go on with attach_next. */
bool attach_hold(struct attach *a, const struct record *r);
bool attach_is_due(const struct attach *a, uint64_t now_ns);
/* Puts the initial state into the model and opens the first generation. */
void attach_install(struct attach *a, struct emit *e);
/* The records that were held, in order. NULL: no more. */
const struct record *attach_next(struct attach *a);

#endif
