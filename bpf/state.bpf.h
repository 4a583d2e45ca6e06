/* SPDX-License-Identifier: GPL-2.0 */
/*
 * state.bpf.h - what all probes share: what user space sets, the ring, scratch space, reads from
 * the target.
 *
 * uprobe programs can be preempted and can sleep, so nothing is built in memory that another thread
 * could come to meanwhile.
 */
#ifndef GOTRACE_STATE_BPF_H
#define GOTRACE_STATE_BPF_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define __bpf__ 1
#include "gotrace/wire.h"

const volatile struct gt_offsets off = {};
const volatile __u32 target_tgid;  /* 0: do not compare (another pid namespace) */
const volatile __u64 gc_worker_pc; /* g.startpc of GC workers, runtime address */
const volatile __s32 tls_g;        /* g is at fs:tls_g */
const volatile bool want_stacks = true;
const volatile bool want_objects = true;

/* Go <= 1.20: 1: systemstack has no frame of its own and hides its caller's. */
const volatile __u8 hidden_frames;
/* Skip of GoStop: 1 up to Go 1.24, 0 since (runtime/traceruntime.go: GoStop). */
const volatile __u8 stop_skip;
/* Go <= 1.25: exitsyscallfast takes a P without passing a probe. */
const volatile bool has_quiet_wirep;
/* pcs without goexit that the target's own tracer takes at most. */
const volatile __u32 max_frames = 126;
/* enum block_reason by what stands in m: the same since Go 1.22. */
const volatile __u8 block_reasons[64];

/* Leaves: where gopark's mcall returns to, and where a goroutine stands while its thread is on the
 * system stack. runtime.systemstack reaches from lo to hi; 0: not known. */
const volatile __u64 gopark_pc;
const volatile __u64 systemstack_pc, systemstack_lo, systemstack_hi;

/* Nothing is recorded before every site is armed, nor after the first detach. */
bool armed SEC(".data.armed");
/* The goids of all gs are not known to user space; a loss sets it for good. */
bool read_goid SEC(".data.armed");

struct gt_stats stats SEC(".data.stats") = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20);
} ring SEC(".maps");

/*
 * Stacks already sent, by hash. Two stacks that share a place are sent again and again, which costs
 * bytes but is right: user space knows each by its 64-bit hash. A collision of the whole hash would
 * show a wrong stack; with a million different stacks its chance is 3e-8.
 */
#define SENT_SLOTS 65536
__u64 sent[SENT_SLOTS];

#define G_BLOCK     384 /* of a g: all fields of gt_offsets up to labels */
#define M_BLOCK     832 /* of an m, from curg to waitTraceBlockReason */
#define STACK_BLOCK 1024
#define HOT_FRAMES  12
#define HOT_BLOCK   512 /* the first piece: of most stacks it is all */
/* No Go frame is larger; the C stack of a cgo callback is further away. */
#define FAR (1ull << 30)

enum { STACK_LEAF_EXACT = 1, STACK_TRUNCATED = 2 }; /* enum stack_flag */

/*
 * A walk up the frame pointers of one stack. pcs that are known without reading (the saved pc of a
 * parked goroutine) are added first with walk_add. It stands in the scratch space because the
 * verifier knows nothing of what is read from there: it looks at one step of the walk, not at the
 * consequences of all steps before.
 */
struct walk {
	__u64 fp, lo, hi;
	__u64 base, len; /* what of the stack is in the block */
	__u64 anchor;    /* forget everything before this return address; 0: keep all */
	__u64 hash;
	__u32 n;
	__u32 flags;
};

struct scratch {
	struct walk walk;
	/* r14 seen on this thread and its m: constant while that g is on the thread */
	__u64 g_of_m, m;
	__u8 coro_exit; /* a gdestroy that is half of a coroutine switch comes next */
	__u8 g[G_BLOCK];
	__u8 m_block[M_BLOCK];
	__u8 block[STACK_BLOCK];
	struct gt_stack_head stack; /* and its pcs, as one struct gt_stack_rec */
	__u64 pcs[GT_MAX_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* CPU samples interrupt the probes of the same thread, and nothing interrupts them: theirs is per
 * CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} sample_scratch SEC(".maps");

/*
 * Scratch space of the hot probes: per CPU it costs 15 ns, per thread 45. But a probe can be
 * preempted or sleep, and another thread come to a probe on the same CPU: who comes second takes
 * the space of its thread.
 */
struct cpu_scratch {
	__u64 is_taken;
	struct scratch s;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_scratch);
} cpu_scratches SEC(".maps");

static __always_inline struct cpu_scratch *cpu_scratch_take(void)
{
	__u32 zero = 0;
	struct cpu_scratch *c = bpf_map_lookup_elem(&cpu_scratches, &zero);

	return c && !__sync_lock_test_and_set(&c->is_taken, 1) ? c : NULL;
}

static __always_inline void cpu_scratch_give(struct cpu_scratch *c)
{
	*(volatile __u64 *)&c->is_taken = 0;
}

static __always_inline struct scratch *scratch_at(void)
{
	struct scratch *s = bpf_task_storage_get(&scratches, bpf_get_current_task_btf(), 0,
						 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!s)
		__sync_fetch_and_add(&stats.no_scratch, 1);
	return s;
}

/* The registers that sites speak through, copied: the compiler must not pick between fields of the
 * context itself. */
struct regs {
	__u64 ax, bx, cx, di, si, r14, bp, sp, ip;
};

#define REG(ctx, r) (*(const volatile unsigned long *)&(ctx)->r)

static __always_inline struct regs regs_of(const struct gt_regs *ctx)
{
	struct regs r = {
		.ax = REG(ctx, ax),
		.bx = REG(ctx, bx),
		.cx = REG(ctx, cx),
		.di = REG(ctx, di),
		.si = REG(ctx, si),
		.r14 = REG(ctx, r14),
		.bp = REG(ctx, bp),
		.sp = REG(ctx, sp),
		.ip = REG(ctx, ip),
	};

	return r;
}

/* ---------------------------------------------------------------- reading the target */

/*
 * The non-faulting read is the cheaper one (70 against 100 ns) and does for nearly all; where it
 * fails because a page is not present, a sleepable program can bring the page in.
 */
static __always_inline long read_user(void *dst, __u32 n, __u64 addr, bool sleepable)
{
	long err = bpf_probe_read_user(dst, n, (void *)addr);

	return err && sleepable ? bpf_copy_from_user(dst, n, (void *)addr) : err;
}

#define FIELD(base, offset, type) (*(type *)((base) + (offset)))
#define G(s, field, type)         FIELD((s)->g, off.field, type)
#define M(s, field, type)         FIELD((s)->m_block, off.field - off.m_curg, type)

static __always_inline bool read_g(struct scratch *s, __u64 gp, bool sleepable)
{
	return gp && !read_user(s->g, G_BLOCK - 16, gp, sleepable);
}

static __always_inline __u64 read_u64(__u64 addr)
{
	__u64 x = 0;

	read_user(&x, sizeof(x), addr, true);
	return x;
}

static __always_inline __u32 read_u32(__u64 addr)
{
	__u32 x = 0;

	read_user(&x, sizeof(x), addr, true);
	return x;
}

/* The m of the thread that runs gp (r14). */
static __always_inline __u64 m_of(struct scratch *s, __u64 gp)
{
	if (s->g_of_m != gp) {
		s->m = read_u64(gp + off.g_m);
		s->g_of_m = gp;
	}
	return s->m;
}

static __always_inline __u32 max_u32(__u32 a, __u32 b)
{
	return a > b ? a : b;
}

/* m's fields from curg on. The last one is another in each version. */
static __always_inline bool read_m(struct scratch *s, __u64 m)
{
	__u32 n = max_u32(max_u32(off.m_block_reason, off.m_wait_skip), off.m_syscalltick) + 8 -
		  off.m_curg;

	if (n > M_BLOCK) /* impossible; the verifier wants to see it */
		return false;
	return m && !read_user(s->m_block, n, m + off.m_curg, true);
}

/* m.curg and m.p, which lie close together in all versions. */
static __always_inline bool read_m_head(struct scratch *s, __u64 m)
{
	__u32 n = off.m_p + 8 - off.m_curg;

	if (n > 64) /* impossible; the verifier wants to see it */
		return false;
	return m && !read_user(s->m_block, n, m + off.m_curg, true);
}

/* ---------------------------------------------------------------- emitting */

static __always_inline void count_loss(__u64 ts_ns)
{
	if (!__sync_fetch_and_add(&stats.lost_unreported, 1))
		stats.lost_since_ns = ts_ns;
	__sync_fetch_and_add(&stats.lost, 1);
	read_goid = true;
}

/* The loss stands in the stream where the ring had room again. */
static __noinline int report_loss(__u64 ts_ns)
{
	struct gt_full r = {};

	r.head.ts_ns = ts_ns;
	r.head.kind = GT_K_LOSS;
	r.object = stats.lost_since_ns;
	r.arg = __sync_lock_test_and_set(&stats.lost_unreported, 0);
	if (r.arg && bpf_ringbuf_output(&ring, &r, sizeof(r), BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&stats.lost_unreported, r.arg);
		return -1;
	}
	return 0;
}

static __always_inline bool emit(void *rec, __u32 size, __u64 ts_ns)
{
	if (stats.lost_unreported && report_loss(ts_ns)) {
		count_loss(ts_ns);
		return false;
	}
	if (bpf_ringbuf_output(&ring, rec, size, BPF_RB_NO_WAKEUP)) {
		count_loss(ts_ns);
		return false;
	}
	return true;
}

static __always_inline void fill_head(struct gt_short *h, __u8 kind, __u64 gp, __u32 tid)
{
	h->gp = gp;
	h->tid = tid;
	h->kind = kind;
}

/*
 * Room for a hot record, filled in place (10 ns cheaper than bpf_ringbuf_output). The stamp is
 * taken last, so that no record is younger than its place in the ring (record.h).
 */
static __always_inline void *reserve(__u32 size, __u64 ts_ns)
{
	void *r = NULL;

	if (!stats.lost_unreported || !report_loss(ts_ns))
		r = bpf_ringbuf_reserve(&ring, size, 0);
	if (!r)
		count_loss(ts_ns);
	return r;
}

static __always_inline int emit_full(struct gt_full *r)
{
	r->head.ts_ns = bpf_ktime_get_ns();
	emit(r, sizeof(*r), r->head.ts_ns);
	return 0;
}

#endif
