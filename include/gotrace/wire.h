/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - what the probe plan, the BPF program and the ring reader agree on. Nothing after user/capture reads it.
 * Shared by BPF and host code: fixed sizes, no pointers.
 */
#ifndef GOTRACE_WIRE_H
#define GOTRACE_WIRE_H

#ifndef __bpf__
#include <stdint.h>
#define GT_U64 uint64_t
#define GT_U32 uint32_t
#define GT_U16 uint16_t
#define GT_U8 uint8_t
#define GT_S32 int32_t
#else
#define GT_U64 __u64
#define GT_U32 __u32
#define GT_U16 __u16
#define GT_U8 __u8
#define GT_S32 __s32
#endif

/* What a probe site means. Registers are those of Go's ABIInternal at that instruction (atlas, section 1). */
enum gt_probe {
	GT_P_NONE = 0,
	GT_P_START = 1,           /* runnable -> running; r14 = g0 */
	GT_P_PARK = 2,            /* park_m: running -> waiting; r14 = g0; reason and skip in m */
	GT_P_PREEMPT_PARK = 3,    /* preemptPark: running -> waiting, reason "preempted", skip 0 */
	GT_P_READY = 4,           /* ready() entry: rax = gp, rbx = traceskip; waker = m.curg if r14 == g0 */
	GT_P_UNBLOCK = 5,         /* waiting -> runnable by the scheduler, skip 0 */
	GT_P_UNBLOCK_WORKER = 6,  /* same, of a GC worker: p.gcMarkWorkerMode of the thread's P is set already */
	GT_P_STOP = 7,            /* running -> runnable; cookie arg = enum stop_reason, or STOP_IN_BL */
	GT_P_DESTROY = 8,         /* running -> dead */
	GT_P_CREATE = 9,          /* newproc: rbx = new g, rax = P; creator = m.curg */
	GT_P_CREATE_BLOCKED = 10, /* newproc1's casgstatus: only when ecx == 4 (_Gwaiting), or always with arg 1 */
	GT_P_CORO_SWITCH = 11,    /* coroswitch_m `call gogo`: rax = &next.sched */
	GT_P_GOPARK = 13,         /* gopark entry (>= 1.22): r14 = g, rbx = lock, dil = block reason, rsi = skip; on its stack */
	GT_P_CORO_EXIT = 12,      /* coroswitch_m `call gdestroy`: the GT_P_DESTROY that follows is half of a switch */

	GT_P_SYSCALL_BEGIN = 16,  /* reentersyscall +0: g = r14, rax = pc, rbx = sp, rcx = bp (>= 1.23) of the caller */
	GT_P_SYSCALL_BEGIN_CAS = 17, /* (re)entersyscall(block)'s casgstatus: g = rax, g.syscallpc/sp(/bp) are set */
	GT_P_SYSCALL_BEGIN_BLOCK = 18, /* entersyscallblock +0: g = r14; caller's pc at [rsp], its frame = rbp */
	GT_P_SYSCALL_END = 19,    /* exitsyscall with a P; before p.syscalltick is incremented (>= 1.26) */
	GT_P_SYSCALL_END_CAS = 20,/* exitsyscall's casgstatus; p.syscalltick is incremented already (<= 1.25) */
	GT_P_SYSCALL_END_NO_P = 21,
	GT_P_NEEDM = 22,          /* needm's casgstatus: rax = the extra M's g */
	GT_P_DROPM = 23,          /* dropm's casgstatus: rax = the extra M's g */

	GT_P_PROC_START = 28,     /* rax = P */
	GT_P_PROC_STOP = 29,      /* releasep: m.p still set */
	GT_P_PROCS_CHANGE = 30,   /* procresize entry: eax = new GOMAXPROCS */

	GT_P_STW_BEGIN = 32,      /* stopTheWorldWithSema entry: al = stwReason (>= 1.21); cookie arg = reason + 1 if known */
	GT_P_STW_END = 33,
	GT_P_GC_BEGIN = 34,
	GT_P_GC_END = 35,
	GT_P_ASSIST_BEGIN = 36,
	GT_P_ASSIST_END = 37,
	GT_P_SWEEP_BEGIN = 38,
	GT_P_SWEEP_END = 39,
	GT_P_SWEEP_SPAN = 40,

	GT_P_TASK_CREATE = 44,    /* runtime/trace.userTaskCreate(id, parent, name) */
	GT_P_TASK_END = 45,       /* userTaskEnd(id) */
	GT_P_REGION = 46,         /* userRegion(id, mode, name): mode 0 begins, 1 ends */
	GT_P_LOG = 47,            /* userLog(id, category, message) */
	GT_P_MAX = 48,
};

/* Where the goroutine that the probe is about stands. */
enum gt_gsrc {
	GT_G_NONE = 0, /* it is m.curg, or nobody */
	GT_G_RAX = 1,
	GT_G_RBX = 2,
	GT_G_R14 = 3,
	GT_G_CURG = 4, /* r14.m.curg (fallback sites) */
};

#define GT_STOP_IN_BL 0xff

/* The cookie of a site. */
#define GT_COOKIE(probe, gsrc, arg) \
	((GT_U64)(probe) | (GT_U64)(gsrc) << 8 | (GT_U64)(arg) << 16)
#define GT_COOKIE_PROBE(c) ((GT_U8)(c))
#define GT_COOKIE_GSRC(c) ((GT_U8)((c) >> 8))
#define GT_COOKIE_ARG(c) ((GT_U8)((c) >> 16))

/* Offsets in the target's runtime structures, bytes. The BPF program gets them as read-only data. */
struct gt_offsets {
	GT_U16 g_stack_lo, g_stack_hi, g_m, g_sched_sp, g_sched_pc, g_sched_bp, g_syscallsp, g_syscallpc,
		g_syscallbp /* 0: none */, g_atomicstatus, g_goid, g_waitreason, g_sync_safe_point /* 0: none */,
		g_parent_goid /* 0: none */, g_startpc, g_gopc, g_waiting, g_labels;
	GT_U16 m_g0, m_procid, m_gsignal, m_curg, m_p, m_oldp, m_id, m_alllink, m_lockedg, m_waitlock,
		m_block_reason /* waitTraceBlockReason (u8), or waittraceev (u8) before 1.21 */, m_wait_skip,
		m_syscalltick, m_ncgo;
	GT_U16 p_id, p_status, p_m, p_syscalltick, p_gc_worker_mode, p_sched_tick;
	GT_U16 sudog_c, sudog_elem, hchan_lock, poll_fd, poll_rg, poll_wg, poll_self;
	GT_U16 gc_percent, gc_memory_limit /* 0xffff: none */, gc_percent_heap_goal, gc_heap_goal /* 1.18, else 0xffff */,
		gc_sweep_dist_min_trigger, gc_triggered, gc_heap_live, gc_heap_marked, gc_mapped_ready, gc_heap_free,
		gc_total_alloc, gc_total_free;
	GT_U16 work_cycles;
	GT_U16 md_gofunc, md_next;
};

#define GT_MAX_FRAMES 136 /* of a raw stack: runtime.makeProfStackFP takes 134 (Go 1.26), before 127 */

/* ------------------------------------------------------------------------------- ring records */

/* First byte of every ring record's `kind` field: a gt_probe, or one of these. */
enum gt_kind {
	GT_K_STACK = 64,      /* struct gt_stack_rec */
	GT_K_SAMPLE = 65,     /* struct gt_full: cpu sample */
	GT_K_EXEC = 66,       /* struct gt_short */
	GT_K_LOSS = 69,       /* struct gt_full: arg records lost since object (ns) */
};

enum gt_flag {
	GT_F_GOID = 1 << 0,       /* gt_full.goid is set */
	GT_F_NO_STACK = 1 << 1,   /* a stack was wanted and could not be read */
	GT_F_CORO_EXIT = 1 << 4,
	GT_F_OBJECT = 1 << 2,     /* gt_stacked.object is set (0 may be one: a descriptor) */
	GT_F_BAD_READ = 1 << 3,   /* some field could not be read; what is zero is not known */
};

struct gt_short {
	GT_U64 ts_ns;
	GT_U64 gp;
	GT_U32 tid;
	GT_U8 kind;
	GT_U8 reason;
	GT_U8 skip;
	GT_U8 flags;
};

/* Hot records that have a stack. */
struct gt_stacked {
	struct gt_short head;
	GT_U64 stack;  /* as below */
	GT_U64 object; /* what a blocked goroutine waits for, by its reason */
};

struct gt_full {
	struct gt_short head;
	GT_U64 goid;
	GT_U64 pp;     /* address of the thread's P, 0 none or not read */
	GT_U64 stack;  /* hash of a gt_stack_rec, 0 none */
	GT_U64 arg;
	GT_U64 object;
	GT_U64 creator; /* gp of the creator */
	GT_U32 aux;
	GT_U8 wait_reason;
	GT_U8 pad[3];
};

#define GT_TEXT_MAX 1024
struct gt_text {
	struct gt_full full;
	GT_U16 len, key_len;
	GT_U32 pad;
	char text[GT_TEXT_MAX];
};

struct gt_stack_head {
	struct gt_short head; /* gp: unused */
	GT_U64 hash;
	GT_U32 n;
	GT_U32 flags;         /* enum stack_flag */
};
/* Sent as gt_stack_head and n pcs. */
struct gt_stack_rec {
	struct gt_stack_head h;
	GT_U64 pcs[GT_MAX_FRAMES];
};

/* Counted in memory that both sides see, since what is counted did not fit into the ring. */
struct gt_stats {
	GT_U64 lost;            /* records that found the ring full */
	GT_U64 lost_since_ns;   /* first of those not yet reported */
	GT_U64 lost_unreported;
	GT_U64 no_scratch;      /* hits without scratch space: recorded without stack */
};

#endif
