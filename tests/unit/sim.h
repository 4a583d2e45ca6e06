/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h - a made-up Go scheduler, for the random test of order: it does at random what goroutines,
 * threads and Ps may do, and writes down the records that capture would deliver, a snapshot read
 * while it runs, and what a reader should count.
 *
 * Only what a real runtime does, in the order in which its probes fire. What order cannot see it
 * does not tell: the monitor takes Ps from syscalls silently, P numbers are left out of some
 * records, Go 1.23 makes coroutines without a record.
 */
#ifndef SIM_H
#define SIM_H

#include "gotrace/record.h"
#include "base/base.h"

enum sim_state { S_RUNNABLE = 1, S_RUNNING, S_SYSCALL, S_WAITING,
	S_PARKED /* a coroutine that waits for its switch */ };

struct sim_g {
	uint64_t goid;
	struct sim_m *m;
	struct sim_g *resumer;       /* of a coroutine: who switched to it */
	enum sim_state state;
	bool is_coroutine, is_worker, is_c, in_assist;
	bool is_told;                /* its creation was recorded, or the snapshot has it */
	int regions;
	int region_name[8];
};

struct sim_p {
	int id;
	struct sim_m *m;
	uint32_t ticket;
	bool in_sweep;
};

struct sim_m {
	uint32_t tid;
	struct sim_g *g;
	struct sim_p *p;
	struct sim_p *syscall_p;     /* P at the begin of the syscall */
	uint32_t ticket;
	bool begin_recorded, is_c;
};

/* What tracecheck -json calls the transitions. */
enum sim_count {
	N_CREATE, N_CREATE_PARKED, N_CREATE_SYSCALL, N_START, N_BLOCK, N_STOP, N_UNBLOCK, N_DESTROY,
		N_DESTROY_SYSCALL,
	N_SYSCALL, N_SYSCALL_END, N_SYSCALL_LOST, N_COUNTS,
};

struct sim_wait {
	uint8_t kind;
	uint64_t object;
};

struct sim {
	uint64_t seed, now;
	VEC(struct sim_g *) g;
	VEC(struct sim_m *) m;
	VEC(struct sim_p *) p;
	uint64_t next_goid, next_task;
	VEC(uint64_t) open_tasks;
	bool is_armed, with_coroutines, with_ranges;
	bool gc_running;
	struct sim_g *stw;
	uint32_t n_stacks;
	VEC(struct record) records;
	VEC(struct sim_wait) waits;
	struct snapshot snap;
	VEC(struct snapshot_g) snap_g;
	VEC(struct snapshot_p) snap_p;
	uint64_t counts[N_COUNTS], regions, logs, tasks;
};

void sim_init(struct sim *s, uint64_t seed, bool with_coroutines, int n_p, int n_m, int n_g);
void sim_free(struct sim *s);
/* Runs unseen, then records, is snapshotted in between, and runs on. */
void sim_run(struct sim *s, int before, int during, int after);
uint64_t sim_random(struct sim *s, uint64_t n);

#endif
