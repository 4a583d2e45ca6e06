/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - where to probe this binary: every site, found by decoding the code (Zydis), never assumed.
 *
 * A plan is complete or there is none: each rule of the table in plan.c must match exactly as often as it says,
 * else its fallback (the jcc after the runtime's own trace-enabled check, atlas 2.6) must, else the plan refuses with
 * a sentence. No site is ever an instruction that the kernel would single-step.
 */
#ifndef TARGET_PLAN_H
#define TARGET_PLAN_H

#include "gotrace/wire.h"
#include "target/pclntab.h"

enum site_insn { INSN_STEPPED = 0, INSN_CALL, INSN_PUSH, INSN_JCC, INSN_JMP, INSN_NOP, INSN_NOP5 };
const char *site_insn_name(enum site_insn i);

struct site {
	uint64_t vaddr;
	int64_t file_offset;
	const char *func;       /* lives as long as the pclntab */
	uint32_t func_offset;   /* vaddr - entry */
	enum site_insn insn;
	uint8_t probe;          /* enum gt_probe */
	uint8_t gsrc;           /* enum gt_gsrc */
	uint8_t arg;
	bool is_fallback;
	const char *event;      /* what a user calls it: "GoBlock" */
	const char *detail;     /* disassembly or callee, for `gotrace plan` */
};

/* Addresses (vaddr) of the runtime's variables that gotrace reads; 0 = not found (only those marked ? may be). */
struct globals {
	uint64_t allgs;          /* slice of *g: {ptr, len, cap} */
	uint64_t allp;           /* slice of *p */
	uint64_t allm;           /* *m */
	uint64_t sched;
	uint64_t gomaxprocs;     /* int32 */
	uint64_t gc_controller;
	uint64_t work;           /* ? */
	uint64_t gcphase;        /* u32 ? */
	uint64_t trace_enabled;  /* the flag tested before the runtime's own trace events ? */
	uint64_t wait_reasons;   /* array of strings {ptr,len} */
	uint32_t n_wait_reasons;
	int64_t tls_g;           /* g is at fs:tls_g (mcall), e.g. -8 */
	uint64_t gopark_return;  /* after gopark's `call mcall` ? */
	uint64_t systemstack, systemstack_end; /* runtime.systemstack ? */
	uint64_t systemstack_pc; /* what sched.pc of a goroutine is whose thread is on the system stack ? */
	uint64_t gc_bg_mark_worker; /* entry of runtime.gcBgMarkWorker: startpc of GC workers */
};

struct plan_options {
	bool with_sweep;
	bool with_syscalls;      /* uprobe sites of entersyscall/exitsyscall */
	bool with_user;          /* tasks, regions, logs */
};

struct plan {
	struct site *sites;      /* ascending by vaddr, no duplicates */
	size_t n_sites;
	struct globals globals;
	struct gt_offsets offsets;
	char offsets_from[64];   /* "table go1.26", "DWARF", ... */
	VEC(char *) notes;       /* what was done differently for this binary, for people */
};

/*
 * Sites, globals and offsets of one binary. -ENOTSUP: refused, why tells the reason and what to do (a site that is
 * missing, offsets unknown or contradicted by code). bi is one that buildinfo_check has let pass.
 */
int plan_make(const struct image *im, const struct pclntab *t, const struct buildinfo *bi,
	      const struct plan_options *opt, struct plan **ret, struct why *why);
void plan_free(struct plan *p);

/* The table of offsets for that version alone (unit tests, replay). -ENOENT when the table has none. */
int offsets_for_version(const struct go_version *v, struct gt_offsets *ret, char from[64]);

#endif
