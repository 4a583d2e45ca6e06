/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply.h - what each record means: the model is driven to the record's precondition, then its
 * event is emitted.
 *
 * Records of the capture itself (REC_LOSS and later) are order.c's. A record that cannot be
 * expressed is counted as dropped.
 */
#ifndef ORDER_APPLY_H
#define ORDER_APPLY_H

#include "order/emit.h"

void apply_record(struct emit *e, const struct record *r);

#endif
