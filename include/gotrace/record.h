/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - the stream that capture produces and order consumes.
 *
 * One `struct record` is one fact about the target: "at ts_ns thread tid was about to make goroutine goid
 * waiting". Nothing in it tells which capture engine saw it: goroutines are goids, Ps are P ids, stacks are
 * numbers that a `struct stack_def` defined earlier in the same stream.
 *
 * The order of the stream is a possible order of the facts: if one fact caused another, it stands before it
 * (a probe fires before the runtime changes the status it is about, and a record is in the ring before the
 * probe returns). Stamps are CLOCK_MONOTONIC and nearly ascending; a stamp may be a little older than the
 * one before (a thread preempted inside the probe), never younger than its place by more than the probe's run.
 *
 * Numbers here are also the numbers in a spool file: appended, never reused.
 */
#ifndef GOTRACE_RECORD_H
#define GOTRACE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#define RECORD_NO_P (-1)

/*
 * What a record says. "goid" is the goroutine it is about; the thread's current goroutine where nothing else
 * is said. `p` is the P of the thread at that moment, RECORD_NO_P when the probe did not look (not: "has none").
 */
enum record_type {
	REC_NONE = 0,

	REC_GO_CREATE = 1,         /* goid is made runnable; arg = its start pc, creator = creating goid or 0; stack: creator's */
	REC_GO_CREATE_BLOCKED = 2, /* same, but it is made waiting (iter.Pull, Go 1.23+) */
	REC_GO_START = 3,          /* runnable -> running on tid; reason = GC worker mode (0 none, see gc_worker_mode) */
	REC_GO_BLOCK = 4,          /* running -> waiting; reason = enum block_reason, object = what it waits for */
	REC_GO_UNBLOCK = 5,        /* waiting -> runnable; stack: the waker's, none from the scheduler itself */
	REC_GO_STOP = 6,           /* running -> runnable; reason = enum stop_reason */
	REC_GO_DESTROY = 7,        /* running -> gone */
	REC_GO_SWITCH = 8,         /* coroutine switch: goid starts to run, the thread's current goroutine waits
				      (or is gone, when REC_GO_DESTROY of it came just before on this thread with
				      REC_F_CORO_EXIT) */

	REC_SYSCALL_BEGIN = 10,    /* running -> syscall, still with its P; aux = ticket of the P */
	REC_SYSCALL_END = 11,      /* syscall -> running, with P p; same p and same aux as at begin: it never lost it */
	REC_SYSCALL_END_NO_P = 12, /* syscall -> runnable: it found no P */
	REC_CGO_CALLBACK = 13,     /* a C thread becomes goroutine goid, which is in a syscall (GoCreateSyscall) */
	REC_CGO_RETURN = 14,       /* and leaves again (GoDestroySyscall) */

	REC_PROC_START = 20,       /* tid takes P p. Also when another thread in a syscall had it: that is a steal */
	REC_PROC_STOP = 21,        /* tid gives up P p */
	REC_PROCS_CHANGE = 22,     /* GOMAXPROCS is arg; stack */

	REC_STW_BEGIN = 30,        /* reason = enum stw_reason; stack */
	REC_STW_END = 31,
	REC_GC_BEGIN = 32,         /* concurrent mark begins; stack */
	REC_GC_END = 33,
	REC_ASSIST_BEGIN = 34,     /* goid helps marking; stack. Again while it does: nothing new */
	REC_ASSIST_END = 35,       /* when it does not: nothing new */
	REC_SWEEP_BEGIN = 36,      /* P sweeps; stack */
	REC_SWEEP_END = 37,        /* arg = bytes swept, object = bytes reclaimed */
	REC_HEAP_ALLOC = 38,       /* arg = live heap bytes; tid 0: taken by the collector, of no thread */
	REC_HEAP_GOAL = 39,        /* arg = heap goal in bytes; tid 0 likewise */

	REC_TASK_BEGIN = 50,       /* arg = task id, object = parent id, text = name; stack */
	REC_TASK_END = 51,         /* arg = task id; stack */
	REC_REGION_BEGIN = 52,     /* arg = task id, text = name; stack */
	REC_REGION_END = 53,
	REC_LOG = 54,              /* arg = task id, text = category NUL value (key_len = length of category); stack */

	REC_CPU_SAMPLE = 60,       /* goid or 0, p or RECORD_NO_P; stack with REC_F_LEAF_EXACT */

	/* Of the capture itself. */
	REC_LOSS = 70,             /* arg records were lost at about this place in the stream, since object (ns) */
	REC_TARGET_EXEC = 71,      /* the target became another program: nothing of it follows */
	REC_TARGET_EXIT = 72,
	/* 73 was never told */
	REC_TIME = 74,             /* everything up to here was taken in, whether anything happened or not: an idle moment,
				      the end */
};

enum record_flag {
	REC_F_CORO_EXIT = 1 << 0,  /* of REC_GO_DESTROY: a REC_GO_SWITCH follows on this thread, the two are one switch */
};

/* Numbers of the runtime's traceBlockReason, equal in Go 1.22 to 1.27 (runtime/traceruntime.go). Older targets
 * are translated by capture. The strings are in user/order/reasons.c. */
enum block_reason {
	BLOCK_UNSPECIFIED = 0, BLOCK_FOREVER = 1, BLOCK_NET = 2, BLOCK_SELECT = 3, BLOCK_COND = 4, BLOCK_SYNC = 5,
	BLOCK_CHAN_SEND = 6, BLOCK_CHAN_RECV = 7, BLOCK_GC_ASSIST = 8, BLOCK_GC_SWEEP = 9, BLOCK_SYSTEM = 10,
	BLOCK_PREEMPTED = 11, BLOCK_DEBUG_CALL = 12, BLOCK_UNTIL_GC_ENDS = 13, BLOCK_SLEEP = 14,
	BLOCK_WEAK_TO_STRONG = 15, BLOCK_SYNCTEST = 16,
};

enum stop_reason { STOP_UNSPECIFIED = 0, STOP_GOSCHED = 1, STOP_PREEMPTED = 2 };

/* p.gcMarkWorkerMode (runtime/mgc.go). */
enum gc_worker_mode { GC_WORKER_NONE = 0, GC_WORKER_DEDICATED = 1, GC_WORKER_FRACTIONAL = 2, GC_WORKER_IDLE = 3 };

struct record {
	uint64_t ts_ns;   /* CLOCK_MONOTONIC */
	uint64_t goid;    /* 0: none */
	uint64_t arg;     /* by type */
	uint64_t object;  /* by type; of REC_GO_BLOCK: see wait_kind */
	uint64_t creator; /* of REC_GO_CREATE*: goid of the creator, 0 none */
	uint32_t tid;     /* kernel thread id = M; 0: no thread */
	int32_t p;
	uint32_t stack;   /* 0: none; else defined before by a stack_def */
	uint32_t aux;     /* by type */
	uint8_t type;     /* enum record_type */
	uint8_t reason;   /* by type */
	uint8_t skip;     /* logical frames to drop from the top of the stack, as the runtime would */
	uint8_t flags;    /* enum record_flag */
	uint8_t wait_kind;/* enum wait_kind: what object is */
	uint8_t key_len;  /* of REC_LOG */
	uint16_t text_len;
	const char *text; /* text_len bytes, valid during the call that delivers the record */
};

/* What a blocked goroutine waits for (record.object). */
enum wait_kind {
	WAIT_NOTHING = 0, /* not known */
	WAIT_CHAN = 1,    /* address of the hchan */
	WAIT_SEMA = 2,    /* address of the semaphore (Mutex, RWMutex, WaitGroup, Once...) */
	WAIT_FD = 3,      /* a file descriptor number of the target */
	WAIT_ADDR = 4,    /* address of another kind of lock (a notifyList of a sync.Cond, ...) */
};

#define STACK_MAX_FRAMES 128 /* logical, in a trace: tracev2.MaxFramesPerStack */
#define STACK_MAX_RAW 136    /* return addresses of a stack_def */

/*
 * The pcs of a stack as the machine has them, leaf first: return addresses, inlining not expanded, ending at
 * (and including) runtime.goexit when whole. pcs[0] of a CPU sample is exact (STACK_F_LEAF_EXACT).
 */
struct stack_def {
	uint32_t id;      /* from 1, ascending */
	uint16_t n;       /* 1..STACK_MAX_RAW */
	uint8_t flags;    /* enum stack_flag */
	const uint64_t *pcs;
};
enum stack_flag {
	STACK_F_LEAF_EXACT = 1 << 0, /* pcs[0] is where the cpu was, not a return address */
	STACK_F_TRUNCATED = 1 << 1,  /* there was more than could be read */
};

/*
 * What there was when capture was armed. All of it was read while the target ran: it is a hint that the records
 * after it correct (order/snapshot rules in order.h), never a proof.
 */
struct snapshot_g {
	uint64_t goid;
	uint64_t start_pc;
	uint64_t creator;   /* g.parentGoid, 0 not known (Go < 1.21) */
	uint32_t tid;       /* thread of a running or syscalling g, 0 none */
	uint32_t stack;     /* stack_def id or 0 */
	uint8_t state;      /* enum go_state */
	uint8_t reason;     /* enum block_reason of a waiting one (from g.waitreason's string) */
	uint8_t wait_reason;/* index in the target's own waitReasonStrings */
	uint8_t flags;
};
/* 0 is none, and so is what Go's readers, whose ids are signed, would take for one that is not there. */
static inline bool is_goid(uint64_t id)
{
	return id && id <= INT64_MAX;
}

enum go_state { GO_NOT_EXIST = 0, GO_RUNNABLE = 1, GO_RUNNING = 2, GO_SYSCALL = 3, GO_WAITING = 4 };

struct snapshot_p {
	int32_t id;
	uint32_t tid;       /* thread that has it, 0: idle. A thread in a syscall that still has it counts */
};

struct snapshot {
	uint64_t begin_ns, end_ns;  /* reading began after and ended before */
	struct snapshot_g *g;
	uint32_t n_g;
	struct snapshot_p *p;
	uint32_t n_p;               /* GOMAXPROCS */
	uint8_t gc_running;         /* mark phase */
};

#endif
