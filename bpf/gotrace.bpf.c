// SPDX-License-Identifier: GPL-2.0
/*
 * gotrace.bpf.c - the probes. Each states one fact about the Go scheduler and leaves its meaning to
 * user space.
 *
 * on_probe runs at the sites of the plan; the attach cookie says which kind of site it is
 * (gotrace/wire.h). A handler is: read, fill, emit. The trap costs 630 ns here, and what a handler
 * adds decides what it may do: a first read 150 ns, each further one 70 to 100, whatever its size
 * up to a page; a ring record 50; the clock 45 (make bench). So structures are read in one block,
 * and hot records name the goroutine by the address of its g, which costs nothing: user space knows
 * the goid of each g from the records that made it. Only while that knowledge is not yet, or no
 * longer, complete (read_goid) is goid read too.
 */
#include "stack.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* ---------------------------------------------------------------- what the handlers share */

/* Counts of frames are small; what a register holds is not trusted to be. */
static __always_inline __u8 skip_of(__u64 x)
{
	return x > 127 ? 127 : x;
}

/* The goid of the goroutine in s->g, which was read. */
static __always_inline void with_goid(struct scratch *s, struct gt_full *r)
{
	r->goid = G(s, g_goid, __u64);
	r->head.flags |= GT_F_GOID;
}

/* The goid of the record's goroutine, read from its g. */
static __always_inline void fetch_goid(struct gt_full *r)
{
	r->goid = read_u64(r->head.gp + off.g_goid);
	r->head.flags |= r->goid ? GT_F_GOID : GT_F_BAD_READ;
}

/* The P of the thread, which runs r14. False: not to be read. */
static __always_inline bool with_p(struct scratch *s, struct gt_full *r, const struct regs *regs)
{
	if (!s || !read_m_head(s, m_of(s, regs->r14)))
		return false;
	r->pp = M(s, m_p, __u64);
	return true;
}

/*
 * The goroutine on whose behalf the thread acts at a site on the system stack: m.curg, its stack
 * and P. Used for events that the current goroutine causes (it unblocks, creates, stops the world).
 * leaf: where the site is, for the case that it runs on the goroutine's own stack; 0: at the entry
 * of a function, whose caller is the leaf.
 */
static __noinline int add_curg(struct scratch *s, struct gt_full *r, const struct regs *regs,
			       __u64 leaf)
{
	if (!r || !with_p(s, r, regs))
		return -1;
	__u64 curg = M(s, m_curg, __u64);

	if (!curg)
		return 0;
	r->creator = curg;
	if (!want_stacks)
		return 0;
	if (!read_g(s, curg, true)) {
		r->head.flags |= GT_F_NO_STACK;
		return 0;
	}
	if (curg == regs->r14) {
		r->stack = stack_from(s, leaf ? leaf + 1 : read_u64(regs->sp), regs->bp, 0);
		return 0;
	}
	if (r->head.skip >= hidden_frames)
		r->head.skip -= hidden_frames;
	/* Go <= 1.20 notes the first instruction of systemstack_switch, not a return address into
	 * it */
	r->stack = stack_of_sched(s, hidden_frames);
	return 0;
}

static __always_inline int emit_g(__u8 kind, __u64 gp, __u32 tid, __u8 flags)
{
	__u64 ts_ns = bpf_ktime_get_ns();
	struct gt_short *h = reserve(sizeof(*h), ts_ns);

	if (!h)
		return 0;
	*h = (struct gt_short){
		.ts_ns = ts_ns, .gp = gp, .tid = tid, .kind = kind, .flags = flags
	};
	bpf_ringbuf_submit(h, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int emit_stacked(__u8 kind, __u64 gp, __u32 tid, __u8 reason, __u8 skip,
					__u8 flags, __u64 stack, __u64 object)
{
	__u64 ts_ns = bpf_ktime_get_ns();
	struct gt_stacked *r = reserve(sizeof(*r), ts_ns);

	if (!r)
		return 0;
	r->head.ts_ns = ts_ns;
	r->head.gp = gp;
	r->head.tid = tid;
	r->head.kind = kind;
	r->head.reason = reason;
	r->head.skip = skip;
	r->head.flags = flags;
	r->stack = stack;
	r->object = object;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int emit_g_and_goid(__u8 kind, __u64 gp, __u32 tid)
{
	struct gt_full r = {};

	fill_head(&r.head, kind, gp, tid);
	fetch_goid(&r);
	return emit_full(&r);
}

/* With more about it while the goids of all gs are not known to user space (see the head of the
 * file). */
static __always_inline int emit_hot(struct scratch *s, const struct regs *regs, __u8 kind, __u64 gp,
				    __u32 tid, __u8 flags)
{
	if (!read_goid)
		return emit_g(kind, gp, tid, flags);
	struct gt_full r = {};

	fill_head(&r.head, kind, gp, tid);
	r.head.flags = flags;
	fetch_goid(&r);
	with_p(s, &r, regs);
	return emit_full(&r);
}

/* runtime/sema.go: semaRoot{lock, treap}: sudog{g, next, prev, elem = the semaphore's address} */
static __always_inline __u64 semaphore_of(__u64 root, __u64 gp)
{
	__u64 sudog[4] = {};

	if (read_user(sudog, sizeof(sudog), read_u64(root + 8), true))
		return 0;
	bool is_only = !sudog[1] && !sudog[2];

	return is_only || sudog[0] == gp ? sudog[3] : 0;
}

/* runtime/netpoll.go: the lock of a network wait is &pd.rg or &pd.wg; pd.self == pd tells which. */
static __always_inline bool fd_of(struct scratch *s, __u64 lock, __u64 *fd)
{
	__u64 pd = lock - off.poll_wg;

	if (off.poll_wg - off.poll_rg != 8 || off.poll_self > 300 || off.poll_fd > 300)
		return false;
	if (read_user(s->block, 336, pd, true))
		return false;
	for (int shift = 0; shift <= 8; shift += 8) {
		if (FIELD(s->block, off.poll_self + shift, __u64) != pd + shift)
			continue;
		*fd = FIELD(s->block, off.poll_fd + shift, __u64);
		return true;
	}
	return false;
}

enum {
	REASON_NET = 2,
	REASON_COND = 4,
	REASON_SYNC = 5,
	REASON_SEND = 6,
	REASON_RECV = 7
}; /* enum block_reason */

/* What a goroutine that blocks for this reason waits for, from the lock it gave to gopark. */
static __always_inline bool object_of(struct scratch *s, __u8 reason, __u64 lock, __u64 gp,
				      __u64 *object)
{
	if (!want_objects || !lock)
		return false;
	switch (reason) {
	case REASON_SEND:
	case REASON_RECV:
		*object = lock - off.hchan_lock;
		return true;
	case REASON_SYNC:
		*object = semaphore_of(lock, gp);
		return *object;
	case REASON_NET:
		return fd_of(s, lock, object);
	case REASON_COND:
		*object = lock;
		return true;
	}
	return false;
}

/* ---------------------------------------------------------------- handlers */

/* m.waitTraceBlockReason: runtime/traceruntime.go numbers since 1.22; before, an event number that
 * user space translates */
static __always_inline int on_park(struct scratch *s, struct gt_full *r)
{
	if (!read_g(s, r->head.gp, true)) {
		r->head.flags |= GT_F_BAD_READ | GT_F_NO_STACK;
		return emit_full(r);
	}
	with_goid(s, r);
	r->wait_reason = G(s, g_waitreason, __u8);
	if (read_m(s, G(s, g_m, __u64))) {
		r->pp = M(s, m_p, __u64);
		r->head.reason = M(s, m_block_reason, __u8);
		r->head.skip = M(s, m_wait_skip, __u8);
		if (object_of(s, block_reasons[r->head.reason & 63], M(s, m_waitlock, __u64),
			      r->head.gp, &r->object))
			r->head.flags |= GT_F_OBJECT;
	} else {
		r->head.flags |= GT_F_BAD_READ;
	}
	r->stack = stack_of_sched(s, 0);
	return emit_full(r);
}

/* A goroutine that stops where it is (preempted, Gosched): its stack from gp.sched. */
static __always_inline int on_stop(struct scratch *s, struct gt_full *r)
{
	if (!read_g(s, r->head.gp, true)) {
		r->head.flags |= GT_F_BAD_READ | GT_F_NO_STACK;
		return emit_full(r);
	}
	with_goid(s, r);
	r->stack = stack_of_sched(s, 0);
	return emit_full(r);
}

static __always_inline int on_unblock(struct scratch *s, struct gt_full *r, const struct regs *regs,
				      __u64 leaf)
{
	if (read_goid)
		fetch_goid(r);
	add_curg(s, r, regs, leaf);
	return emit_full(r);
}

/* A GC worker: the P says in which mode it is about to run (runtime/mgcpacer.go
 * findRunnableGCWorker, proc.go). */
static __always_inline int on_unblock_worker(struct scratch *s, struct gt_full *r,
					     const struct regs *regs)
{
	if (read_u64(r->head.gp + off.g_startpc) == gc_worker_pc && with_p(s, r, regs)) {
		r->arg = r->pp ? read_u64(r->pp + off.p_gc_worker_mode) : 0;
		r->head.reason = (__u8)r->arg;
	}
	return on_unblock(s, r, regs, regs->ip);
}

static __always_inline int on_create(struct scratch *s, struct gt_full *r, const struct regs *regs)
{
	if (!read_g(s, r->head.gp, true)) {
		r->head.flags |= GT_F_BAD_READ;
		return emit_full(r);
	}
	with_goid(s, r);
	r->arg = G(s, g_startpc, __u64);
	r->head.skip = 2; /* systemstack_switch, newproc */
	add_curg(s, r, regs, regs->ip);
	return emit_full(r);
}

static __always_inline int on_coro_switch(struct scratch *s, struct gt_full *r)
{
	r->head.gp -= off.g_sched_sp; /* gogo(&next.sched) */
	fetch_goid(r);
	return emit_full(r);
}

/* pc and fp of the function that called into the syscall; anchor: walk from an inner frame up to it
 */
static __always_inline int on_syscall_begin(struct scratch *s, struct gt_full *r, __u64 pc,
					    __u64 fp, __u64 anchor)
{
	with_goid(s, r);
	r->stack = stack_from(s, pc, fp, anchor);
	return emit_full(r);
}

static __always_inline int on_syscall_begin_cas(struct scratch *s, struct gt_full *r,
						const struct regs *regs)
{
	__u64 pc = G(s, g_syscallpc, __u64);

	if (off.g_syscallbp)
		return on_syscall_begin(s, r, pc, G(s, g_syscallbp, __u64), 0);
	/* before 1.23 nobody noted the frame: it is some frames up from here, after the return
	 * address syscallpc */
	return on_syscall_begin(s, r, 0, regs->bp, pc);
}

/* aux = how far p.syscalltick moved since m noted it at the begin: 0 says that the P was never lost
 */
static __always_inline int on_syscall_end(struct scratch *s, struct gt_full *r, __u32 own_ticks)
{
	if (!read_m(s, G(s, g_m, __u64))) {
		r->head.flags |= GT_F_BAD_READ;
		return emit_full(r);
	}
	r->pp = M(s, m_p, __u64);
	if (r->pp)
		r->aux = read_u32(r->pp + off.p_syscalltick) - own_ticks -
			 M(s, m_syscalltick, __u32);
	return emit_full(r);
}

/* The current goroutine, its stack and P: it does this itself. */
static __always_inline void by_curg(struct scratch *s, struct gt_full *r, const struct regs *regs)
{
	add_curg(s, r, regs, 0);
	r->head.gp = r->creator;
	r->creator = 0;
}

/* An event of the current goroutine with its stack: STW, GC, GOMAXPROCS. */
static __always_inline int on_current(struct scratch *s, struct gt_full *r, const struct regs *regs)
{
	by_curg(s, r, regs);
	if (r->head.gp && want_stacks && !(r->head.flags & GT_F_NO_STACK))
		with_goid(s, r);
	return emit_full(r);
}

/* gcStart runs on the goroutine's own stack: the site is inside its frame. */
static __always_inline int on_gc_begin(struct scratch *s, struct gt_full *r,
				       const struct regs *regs)
{
	r->head.gp = regs->r14;
	if (!read_g(s, r->head.gp, true))
		return emit_full(r);
	with_goid(s, r);
	r->stack = stack_from(s, 0, regs->bp, 0);
	return emit_full(r);
}

/* (*sweepLocked).sweep: ax -> sweepLocked -> mspan; npages at 32 in all versions (runtime/mheap.go)
 */
static __always_inline int on_sweep_span(struct scratch *s, struct gt_full *r,
					 const struct regs *regs)
{
	r->arg = read_u64(read_u64(regs->ax) + 32) << 13; /* runtime.pageSize */
	by_curg(s, r, regs);
	return emit_full(r);
}

static __always_inline void read_text(struct gt_text *t, __u32 at, __u64 addr, __u64 n)
{
	if (n > GT_TEXT_MAX / 2)
		n = GT_TEXT_MAX / 2;
	at &= GT_TEXT_MAX / 2;
	if (n && read_user(t->text + at, n, addr, true))
		t->full.head.flags |= GT_F_BAD_READ;
}

/*
 * runtime/trace.user*(id, ..., string[, string]) in registers: task(id, parent, name), region(id,
 * mode, name), log(id, category, message). A text of a log is at text + 512.
 */
static __noinline int on_user(struct scratch *s, const struct regs *regs, __u8 kind, __u32 tid)
{
	if (!s)
		return 0;
	struct gt_text *t = reserve(sizeof(*t), bpf_ktime_get_ns());

	if (!t)
		return 0;
	__builtin_memset(&t->full, 0, sizeof(t->full));
	t->len = 0;
	t->key_len = 0;
	fill_head(&t->full.head, kind, regs->r14, tid);
	t->full.arg = regs->ax;
	t->full.head.skip = 1;
	if (kind == GT_P_TASK_CREATE || kind == GT_P_REGION) {
		t->full.object = regs->bx;
		t->len = regs->di > GT_TEXT_MAX / 2 ? GT_TEXT_MAX / 2 : regs->di;
		read_text(t, 0, regs->cx, regs->di);
	} else if (kind == GT_P_LOG) {
		t->key_len = regs->cx > GT_TEXT_MAX / 2 ? GT_TEXT_MAX / 2 : regs->cx;
		t->len = regs->si > GT_TEXT_MAX / 2 ? GT_TEXT_MAX / 2 : regs->si;
		read_text(t, 0, regs->bx, regs->cx);
		read_text(t, GT_TEXT_MAX / 2, regs->di, regs->si);
	}
	if (read_g(s, regs->r14, true)) {
		with_goid(s, &t->full);
		t->full.stack = stack_from(s, read_u64(regs->sp), regs->bp, 0);
	}
	t->full.head.ts_ns = bpf_ktime_get_ns();
	bpf_ringbuf_submit(t, BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * gopark's entry, on the goroutine's own stack: what park_m would find in g and m is in registers
 * here. Nothing comes between the two: runtime code is not preempted asynchronously, and the stack
 * check is behind us.
 */
static __always_inline int on_gopark(struct scratch *s, const struct gt_regs *ctx, __u32 tid)
{
	__u64 gp = REG(ctx, r14), object = 0, stack = 0;
	__u8 reason = REG(ctx, di), skip = skip_of(REG(ctx, si)), flags = 0;

	if (object_of(s, reason, REG(ctx, bx), gp, &object))
		flags |= GT_F_OBJECT;
	if (want_stacks)
		stack = stack_of_caller(s, gopark_pc, REG(ctx, sp), REG(ctx, bp));
	if (!read_goid)
		return emit_stacked(GT_P_GOPARK, gp, tid, reason, skip, flags, stack, object);
	struct gt_full f = { .stack = stack, .object = object };

	fill_head(&f.head, GT_P_GOPARK, gp, tid);
	f.head.reason = reason;
	f.head.skip = skip;
	f.head.flags = flags;
	fetch_goid(&f);
	return emit_full(&f);
}

/*
 * ready() on the system stack: the frame of its caller there lies on the frame that systemstack
 * left on the goroutine's stack. One read instead of three (g0, m, curg). False: ready() was
 * reached in another way.
 */
static __always_inline bool on_ready(struct scratch *s, const struct gt_regs *ctx, __u32 tid)
{
	__u64 frame[2], stack = 0; /* saved frame pointer, return address */

	if (read_goid || read_user(frame, sizeof(frame), REG(ctx, bp), true) ||
	    frame[1] < systemstack_lo || frame[1] >= systemstack_hi)
		return false;
	if (want_stacks)
		stack = stack_above(s, systemstack_pc, frame[0]);
	emit_stacked(GT_P_READY, REG(ctx, ax), tid, 0, skip_of(REG(ctx, bx)), 0, stack, 0);
	return true;
}

static __always_inline __u64 goroutine_of(struct scratch *s, const struct regs *regs, __u8 source)
{
	switch (source) {
	case GT_G_RAX:
		return regs->ax;
	case GT_G_RBX:
		return regs->bx;
	case GT_G_R14:
		return regs->r14;
	case GT_G_CURG:
		return s && read_m_head(s, m_of(s, regs->r14)) ? M(s, m_curg, __u64) : 0;
	}
	return 0;
}

/*
 * Who knows all gs needs no more of an end than the thread's P. Since Go 1.26 not even that: every
 * P that a thread takes passes wirep. Before, exitsyscallfast takes back the P that the thread had
 * at its begin without a probe, also out of the syscall of another thread that it went to
 * meanwhile.
 */
static __always_inline int on_syscall_exit(__u8 kind, __u64 gp, __u32 tid)
{
	struct gt_full r = {};

	if (has_quiet_wirep) {
		fill_head(&r.head, kind, gp, tid);
		r.pp = read_u64(read_u64(gp + off.g_m) + off.m_p);
		return emit_full(&r);
	}
	return emit_g(kind, gp, tid, 0);
}

/* reentersyscall's entry: pc and frame of the caller are in registers. False: no scratch space here
 * and now. */
static __always_inline bool on_syscall_entry(const struct gt_regs *ctx, __u32 tid)
{
	struct cpu_scratch *c = cpu_scratch_take();
	__u64 stack = 0;

	if (!c)
		return false;
	if (want_stacks)
		stack = stack_above(&c->s, REG(ctx, ax), REG(ctx, cx));
	emit_stacked(GT_P_SYSCALL_BEGIN, REG(ctx, r14), tid, 0, 1, 0, stack, 0);
	cpu_scratch_give(c);
	return true;
}

static __always_inline int on_event(const struct gt_regs *ctx, __u64 cookie, __u32 tid)
{
	__u8 kind = GT_COOKIE_PROBE(cookie), arg = GT_COOKIE_ARG(cookie);
	__u8 source = GT_COOKIE_GSRC(cookie);

	const __u64 ax = REG(ctx, ax), r14 = REG(ctx, r14);

	if ((kind == GT_P_SYSCALL_END || kind == GT_P_SYSCALL_END_CAS) && !read_goid)
		return on_syscall_exit(kind, source == GT_G_R14 ? r14 : ax, tid);
	if (kind == GT_P_SYSCALL_BEGIN && off.g_syscallbp && !read_goid &&
	    on_syscall_entry(ctx, tid))
		return 0;

	const struct regs copy = regs_of(ctx), *regs = &copy;
	struct scratch *s = scratch_at();
	__u64 gp = goroutine_of(s, regs, source);

	if (kind == GT_P_START || kind == GT_P_SYSCALL_END_NO_P)
		return emit_hot(s, regs, kind, gp, tid, 0);
	if (!s)
		return emit_hot(s, regs, kind, gp, tid, GT_F_NO_STACK | GT_F_BAD_READ);

	struct gt_full r = {};

	fill_head(&r.head, kind, gp, tid);
	switch (kind) {
	case GT_P_PARK:
		return on_park(s, &r);
	case GT_P_UNBLOCK:
		return on_unblock(s, &r, regs, regs->ip);
	case GT_P_UNBLOCK_WORKER:
		return on_unblock_worker(s, &r, regs);
	case GT_P_STOP:
		r.head.skip = stop_skip;
		r.head.reason = arg == GT_STOP_IN_BL ? 1 + (regs->bx & 1) : arg;
		return on_stop(s, &r);
	case GT_P_PREEMPT_PARK:
		return on_stop(s, &r);
	case GT_P_CREATE:
		return on_create(s, &r, regs);
	case GT_P_CREATE_BLOCKED:
		return arg || (__u32)regs->cx == 4 ? on_create(s, &r, regs) : 0;
	case GT_P_DESTROY: {
		__u8 flags = s->coro_exit ? GT_F_CORO_EXIT : 0;

		s->coro_exit = 0;
		return emit_hot(s, regs, kind, gp, tid, flags);
	}
	case GT_P_CORO_EXIT:
		s->coro_exit = 1;
		return 0;
	case GT_P_CORO_SWITCH:
		return on_coro_switch(s, &r);
	case GT_P_PROC_START:
		r.pp = regs->ax;
		r.head.gp = 0;
		return emit_full(&r);
	case GT_P_PROC_STOP:
	case GT_P_SWEEP_BEGIN:
	case GT_P_SWEEP_END:
		with_p(s, &r, regs);
		return emit_full(&r);
	case GT_P_PROCS_CHANGE:
		r.arg = (__u32)regs->ax;
		r.head.skip = 1;
		return on_current(s, &r, regs);
	case GT_P_STW_BEGIN:
		r.head.reason = arg ? arg - 1 : (__u8)regs->ax;
		r.head.skip = 2;
		return on_current(s, &r, regs);
	case GT_P_STW_END:
		if (with_p(s, &r, regs))
			r.head.gp = M(s, m_curg, __u64);
		return emit_full(&r);
	case GT_P_GC_BEGIN:
		return on_gc_begin(s, &r, regs);
	case GT_P_ASSIST_BEGIN:
		r.head.skip = 1;
		return on_stop(s, &r);
	case GT_P_GC_END:
	case GT_P_ASSIST_END:
	case GT_P_NEEDM:
	case GT_P_DROPM:
		if (read_g(s, gp, true))
			with_goid(s, &r);
		return emit_full(&r);
	case GT_P_SWEEP_SPAN:
		return on_sweep_span(s, &r, regs);
	case GT_P_TASK_CREATE:
	case GT_P_TASK_END:
	case GT_P_REGION:
	case GT_P_LOG:
		return on_user(s, regs, kind, tid);
	}

	/* system calls: all need g */
	if (!read_g(s, gp, true)) {
		r.head.flags |= GT_F_BAD_READ | GT_F_NO_STACK;
		return emit_full(&r);
	}
	switch (kind) {
	case GT_P_SYSCALL_BEGIN:
		r.head.skip = 1;
		/* the frame is an argument since Go 1.23; before, it is found above this one */
		return off.g_syscallbp ? on_syscall_begin(s, &r, regs->ax, regs->cx, 0)
				       : on_syscall_begin(s, &r, 0, regs->bp, regs->ax);
	case GT_P_SYSCALL_BEGIN_BLOCK:
		r.head.skip = 1;
		return on_syscall_begin(s, &r, read_u64(regs->sp), regs->bp, 0);
	case GT_P_SYSCALL_BEGIN_CAS:
		r.head.skip = 1;
		return on_syscall_begin_cas(s, &r, regs);
	case GT_P_SYSCALL_END:
		with_goid(s, &r);
		return on_syscall_end(s, &r, 0);
	case GT_P_SYSCALL_END_CAS:
		with_goid(s, &r);
		return on_syscall_end(s, &r, 1);
	}
	return 0;
}

/* The thread, 0 if it is none of the target's or nothing is to be recorded. */
static __always_inline __u32 wanted_thread(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return armed && (!target_tgid || task->tgid == target_tgid) ? task->pid : 0;
}

SEC("uprobe.s")
int on_probe(struct gt_regs *ctx)
{
	__u32 tid = wanted_thread();

	return tid ? on_event(ctx, bpf_get_attach_cookie(ctx), tid) : 0;
}

/*
 * The hottest kinds have programs of their own, which need no cookie (18 ns): a start whose g is in
 * ax, gopark, ready. What they cannot do is done as at any other site.
 */
SEC("uprobe.s")
int on_hot_start(struct gt_regs *ctx)
{
	__u32 tid = wanted_thread();

	if (!tid)
		return 0;
	return read_goid ? emit_g_and_goid(GT_P_START, REG(ctx, ax), tid)
			 : emit_g(GT_P_START, REG(ctx, ax), tid, 0);
}

SEC("uprobe.s")
int on_hot_gopark(struct gt_regs *ctx)
{
	__u32 tid = wanted_thread();

	if (!tid)
		return 0;
	struct cpu_scratch *c = cpu_scratch_take();
	struct scratch *s = c ? &c->s : scratch_at();

	if (s)
		on_gopark(s, ctx, tid);
	else
		emit_stacked(GT_P_GOPARK, REG(ctx, r14), tid, REG(ctx, di), 0, GT_F_NO_STACK, 0, 0);
	if (c)
		cpu_scratch_give(c);
	return 0;
}

SEC("uprobe.s")
int on_hot_ready(struct gt_regs *ctx)
{
	__u32 tid = wanted_thread();

	if (!tid)
		return 0;
	struct cpu_scratch *c = cpu_scratch_take();
	struct scratch *s = c ? &c->s : scratch_at();
	bool done = s && on_ready(s, ctx, tid);

	if (c)
		cpu_scratch_give(c);
	if (done)
		return 0;
	const struct regs regs = regs_of(ctx);
	struct gt_full r = {};

	fill_head(&r.head, GT_P_READY, regs.ax, tid);
	r.head.skip = skip_of(regs.bx);
	s = scratch_at();
	return s ? on_unblock(s, &r, &regs, 0) : emit_full(&r);
}

/* The floor of any engine of this kind: what `make bench` compares with. */
SEC("uprobe.s")
int on_probe_empty(struct gt_regs *ctx)
{
	return 0;
}

/* ---------------------------------------------------------------- the kernel's own events */

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	__u32 tid = target_tgid ? wanted_thread() : 0;

	if (!tid)
		return 0;
	armed = false;
	return emit_g(GT_K_EXEC, 0, tid, 0);
}

/*
 * CPU samples. On the goroutine's stack: from the interrupted registers. On the system stack
 * (scheduler, GC, C): the frames there, then the goroutine's from where it left its own stack.
 */
SEC("perf_event")
int on_sample(struct gt_perf_context *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct gt_full r = {};
	__u64 gp = 0, curg = 0, m, pc;

	__u32 tid = wanted_thread();

	if (!tid)
		return 0;
	__u64 fs = BPF_CORE_READ(task, thread.fsbase);
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&sample_scratch, &zero);

	if (!s || bpf_probe_read_user(&gp, 8, (void *)(fs + tls_g)) || !read_g(s, gp, false))
		return 0;
	fill_head(&r.head, GT_K_SAMPLE, gp, tid);
	r.goid = G(s, g_goid, __u64);
	m = G(s, g_m, __u64);
	bpf_probe_read_user(&r.pp, 8, (void *)(m + off.m_p));
	walk_begin(s, ctx->regs.bp, 0)->flags = STACK_LEAF_EXACT;
	walk_add(s, ctx->regs.ip);
	walk_up_atomic(s);
	if (!r.goid && !bpf_probe_read_user(&curg, 8, (void *)(m + off.m_curg)) &&
	    read_g(s, curg, false)) {
		struct walk before = s->walk, *w = walk_begin(s, G(s, g_sched_bp, __u64), 0);

		r.goid = G(s, g_goid, __u64);
		w->n = before.n;
		w->hash = before.hash;
		w->flags = before.flags;
		/* that of a goroutine that has not run yet is its entry, no return address */
		pc = G(s, g_sched_pc, __u64);
		walk_add(s, pc + (pc == G(s, g_startpc, __u64) || hidden_frames));
		walk_up_atomic(s);
	}
	r.head.flags = GT_F_GOID;
	if (want_stacks)
		r.stack = walk_emit(s);
	return emit_full(&r);
}
