/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repair.h - drives the model to what a record implies (trace-format.md, section 13).
 *
 * Without loss these functions find everything as it should be and emit nothing. What they emit is
 * a repair, except the theft of a P from a thread in a syscall: no record tells it, it is derived
 * here and counted as a steal.
 */
#ifndef ORDER_REPAIR_H
#define ORDER_REPAIR_H

#include "order/emit.h"

/* The thread has no goroutine: a running one stops, one in a syscall becomes runnable. */
void drive_thread_free(struct emit *e, struct m *m);
/* The thread has no P. Its goroutine must not be running. */
void drive_p_away(struct emit *e, struct m *m);
/*
 * The thread has P p, running. A running goroutine of the thread stops if it had another P.
 * is_told: a record says so itself, the ProcStart is no repair.
 */
void drive_p(struct emit *e, struct m *m, struct p *p, bool is_told);
/*
 * The thread has some P; if the record did not name one (id RECORD_NO_P) the model's, else a
 * spare one. false: there is none.
 */
bool drive_some_p(struct emit *e, struct m *m, int32_t id, bool is_told);
/* g is runnable. m: the thread of the record, or NULL. false: it could not be expressed. */
bool drive_runnable(struct emit *e, struct m *m, struct g *g);
/* g waits, or is at least runnable where waiting cannot be expressed. */
bool drive_waiting(struct emit *e, struct m *m, struct g *g);
/* g runs on m with the P of the record (RECORD_NO_P: any). */
bool drive_running(struct emit *e, struct m *m, struct g *g, int32_t p);

#endif
