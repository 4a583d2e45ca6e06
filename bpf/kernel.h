/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kernel.h - the few kernel structures the programs look into. CO-RE relocates the fields, so only
 * names matter; a full vmlinux.h would tie the build to the kernel of the machine that builds.
 */
#ifndef GOTRACE_KERNEL_H
#define GOTRACE_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_struct {
	unsigned long fsbase;
};

struct task_struct {
	int pid;
	int tgid;
	struct thread_struct thread;
};

#pragma clang attribute pop

/* The context of a uprobe program: the user registers. This layout is the x86-64 ABI of ptrace and
 * cannot change. */
struct gt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip,
		cs, flags, sp, ss;
};

/* The context of a perf_event program begins with the registers too (struct bpf_perf_event_data).
 */
struct gt_perf_context {
	struct gt_regs regs;
	__u64 sample_period;
	__u64 addr;
};

#endif
