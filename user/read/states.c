/* SPDX-License-Identifier: Apache-2.0 */
/* states.c - see states.h. */
#include "read/states.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Status numbers of the format (internal/trace/tracev2/status.go). */
enum { G_RUNNABLE = 1, G_RUNNING, G_SYSCALL, G_WAITING };
enum { P_RUNNING = 1, P_IDLE, P_SYSCALL, P_ABANDONED };
enum { GC_UNKNOWN, GC_OFF, GC_ON };
enum { SLAB = 256, FEW_RANGES = 16 };

struct seq { /* counts in one generation */
	uint64_t generation, n;
};

struct range {            /* a stop of the world, open on a goroutine */
	uint64_t kind_id; /* id of its kind, as it was begun */
	struct str kind;
};

struct region {
	uint64_t task;
	const char *name; /* kept: equal names are one pointer */
};

struct go {
	uint64_t id; /* NO_GOROUTINE: free */
	struct seq seq;
	uint8_t status;
	bool assists; /* in marking */
	VEC(struct range) ranges;
	struct map64 *kinds; /* of ranges, once they are more than a file of Go's has */
	VEC(struct region) regions;
	struct go *next_free;
};

struct proc {
	uint64_t id;
	struct seq seq;
	uint8_t status;
	bool sweeps;
	struct thread *t; /* bound last; only true if t->p is this */
};

struct task_state { /* open */
	uint64_t parent;
	struct str name;
};

/* ------------------------------------------------------------------------------- who is who */

struct thread *states_thread(struct states *s, uint64_t tid)
{
	uint64_t *i = map64_at(&s->threads, tid);

	if (!*i) {
		struct thread *t = xmalloc(sizeof(*t));

		*t = (struct thread){ .tid = tid, .goid = NO_GOROUTINE, .event_p = EVENT_NO_P };
		*vec_push(&s->all_threads) = t;
		*i = s->all_threads.n;
	}
	return s->all_threads.v[*i - 1];
}

static struct thread *thread_get(const struct states *s, uint64_t tid)
{
	uint64_t *i = map64_get(&s->threads, tid);

	return i ? s->all_threads.v[*i - 1] : NULL;
}

static struct go *go_get(const struct states *s, uint64_t id)
{
	uint64_t *v = map64_get(&s->goroutines, id);

	return v ? (struct go *)(uintptr_t)*v : NULL;
}

static struct go *go_new(struct states *s, struct generation *g, uint64_t id, uint8_t status)
{
	struct go *go = s->free_list;

	if (go) {
		s->free_list = go->next_free;
	} else {
		if (!s->slabs.n || s->slab_used == SLAB) {
			*vec_push(&s->slabs) = xcalloc(SLAB, sizeof(struct go));
			s->slab_used = 0;
		}
		go = &s->slabs.v[s->slabs.n - 1][s->slab_used++];
	}
	go->id = id;
	go->seq = (struct seq){ g->number, 0 };
	go->status = status;
	*map64_at(&s->goroutines, id) = (uintptr_t)go;
	return go;
}

static void free_kinds(struct go *go)
{
	if (!go->kinds)
		return;
	map64_free(go->kinds);
	free(go->kinds);
	go->kinds = NULL;
}

static void go_delete(struct states *s, struct go *go)
{
	map64_del(&s->goroutines, go->id);
	go->id = NO_GOROUTINE;
	go->ranges.n = go->regions.n = 0;
	go->assists = false;
	free_kinds(go);
	go->next_free = s->free_list;
	s->free_list = go;
}

/* The goroutine on the thread, NULL: none, or one that is gone. */
static struct go *current(struct states *s, struct thread *t)
{
	if (t->g && t->g->id == t->goid)
		return t->g;
	t->g = t->goid == NO_GOROUTINE ? NULL : go_get(s, t->goid);
	return t->g;
}

static struct proc *proc_get(const struct states *s, uint64_t id)
{
	uint64_t *i = map64_get(&s->procs, id);

	return i ? s->all_procs.v[*i - 1] : NULL;
}

static struct proc *proc_new(struct states *s, uint64_t id)
{
	struct proc *p = xcalloc(1, sizeof(*p));

	p->id = id;
	*vec_push(&s->all_procs) = p;
	*map64_at(&s->procs, id) = s->all_procs.n;
	return p;
}

static void bind_g(struct thread *t, struct go *g)
{
	t->g = g;
	t->goid = t->event_g = g->id;
}

static void unbind_g(struct thread *t)
{
	t->g = NULL;
	t->goid = NO_GOROUTINE;
	t->event_g = 0;
}

static void bind_p(struct thread *t, struct proc *p)
{
	t->p = p;
	t->event_p = event_p(p->id);
	p->t = t;
}

static void unbind_p(struct thread *t)
{
	t->p = NULL;
	t->event_p = EVENT_NO_P;
}

static bool succeeds(uint64_t seq, const struct generation *g, struct seq before)
{
	return before.generation == g->number && seq == before.n + 1;
}

void states_free(struct states *s)
{
	for (size_t i = 0; i < s->slabs.n; i++) {
		for (size_t k = 0; k < SLAB; k++) {
			free_kinds(&s->slabs.v[i][k]);
			vec_free(&s->slabs.v[i][k].ranges);
			vec_free(&s->slabs.v[i][k].regions);
		}
		free(s->slabs.v[i]);
	}
	for (size_t i = 0; i < s->all_procs.n; i++)
		free(s->all_procs.v[i]);
	for (size_t i = 0; i < s->all_threads.n; i++)
		free(s->all_threads.v[i]);
	size_t pos = 0;
	uint64_t id, task;

	while (map64_next(&s->tasks, &pos, &id, &task))
		free((struct task_state *)(uintptr_t)task);
	vec_free(&s->slabs);
	vec_free(&s->all_procs);
	vec_free(&s->all_threads);
	map64_free(&s->goroutines);
	map64_free(&s->procs);
	map64_free(&s->threads);
	map64_free(&s->tasks);
}

/* ------------------------------------------------------------------------------- one event */

/* All that a rule may look at. */
struct attempt {
	struct states *s;
	struct generation *g;
	struct thread *t; /* NULL: no thread */
	uint8_t type;
	const uint64_t *args;
	struct event *ev;
	struct why *why;
};

static int __attribute__((cold)) impossible(const struct attempt *a, const char *what)
{
	return why_set(a->why, -EBADMSG, "%s%s", event_specs[a->type].name, what);
}

static int __attribute__((cold))
impossible_for(const struct attempt *a, const char *what, uint64_t id, const char *rest)
{
	return why_set(a->why, -EBADMSG, "%s%s %" PRId64 "%s", event_specs[a->type].name, what,
		       (int64_t)id, rest);
}

enum need { NO, MAY, MUST };

/* 0, or what is missing or too much. */
static inline int check_context(const struct attempt *a, enum need p, enum need g)
{
	if (!a->t)
		return impossible(a, " outside of any thread");
	if (p == MUST && !a->t->p)
		return impossible(a, " on a thread without a P");
	if (p == NO && a->t->p)
		return impossible(a, " on a thread that has a P");
	if (g == MUST && a->t->goid == NO_GOROUTINE)
		return impossible(a, " on a thread without a goroutine");
	if (g == NO && a->t->goid != NO_GOROUTINE)
		return impossible(a, " on a thread that has a goroutine");
	return 0;
}

/* The running, or syscalling, goroutine of a thread that has a P. */
static inline int need_go(const struct attempt *a, uint8_t status, struct go **ret)
{
	int err = check_context(a, MUST, MUST);

	if (err)
		return err;
	*ret = current(a->s, a->t);
	if (!*ret)
		return impossible_for(a, " of goroutine", a->t->goid, ", which does not exist");
	if ((*ret)->status != status)
		return impossible_for(a, " of goroutine", a->t->goid,
				      status == G_RUNNING ? ", which is not running"
							  : ", which is in no system call");
	return 0;
}

static inline int set_stack(const struct attempt *a, uint64_t id, uint32_t *ret)
{
	struct gen_stack *s = generation_stack(a->g, id);

	if (!s && id)
		return impossible_for(a, " with stack", id, ", which the generation does not have");
	*ret = !s ? 0 : s->number ? s->number : pool_stack(a->s->pool, a->g, s);
	return 0;
}

static inline int find_string(const struct attempt *a, uint64_t id, struct gen_string **ret)
{
	*ret = generation_string(a->g, id);
	return *ret ? 0
		    : impossible_for(a, " with string", id, ", which the generation does not have");
}

/* A name: kept for as long as the reader. */
static inline int set_name(const struct attempt *a, uint64_t id, struct str *ret)
{
	struct gen_string *s;
	int err = find_string(a, id, &s);

	if (!err)
		*ret = s->kept ? (struct str){ s->kept, s->bytes.n } : pool_string(a->s->pool, s);
	return err;
}

/* ------------------------------------------------------------------------------- Ps */

static int proc_status(const struct attempt *a)
{
	uint64_t id = a->args[0], status = a->args[1];
	struct proc *p = proc_get(a->s, id);
	struct thread *other = NULL;

	if (status > P_ABANDONED)
		return impossible_for(a, " with status", status, "");
	if (p && status == P_ABANDONED && p->status == P_SYSCALL) {
		/* nothing is lost: say it where the P is, and that it is in a system call */
		other = p->t && p->t->p == p ? p->t : NULL;
		if (!other)
			return impossible_for(a, " of P", id,
					      ", which is about to be stolen but on no thread");
		status = P_SYSCALL;
	} else if (p && p->status != status) {
		return impossible_for(a, " that contradicts the status of P", id, "");
	}
	if (!p) {
		p = proc_new(a->s, id);
		p->status = (uint8_t)status;
	}
	p->seq = (struct seq){ a->g->number, 0 };
	a->ev->id = id;
	a->ev->status = (uint8_t)status;
	if (other) {
		a->ev->m = other->tid;
		a->ev->p = event_p(id);
		a->ev->g = other->event_g;
	}
	/* promoted or not, the status binds the P to this thread, as Go's reader has it */
	if ((status == P_RUNNING || status == P_SYSCALL) && a->t && !other)
		bind_p(a->t, p);
	return 1;
}

static int proc_start(const struct attempt *a)
{
	struct proc *p = proc_get(a->s, a->args[0]);

	if (!p || p->status != P_IDLE || !succeeds(a->args[1], a->g, p->seq) || (a->t && a->t->p))
		return 0;
	if (!a->t)
		return impossible(a, " outside of any thread");
	p->status = P_RUNNING;
	p->seq.n = a->args[1];
	bind_p(a->t, p);
	a->ev->id = p->id;
	a->ev->seq = (uint32_t)a->args[1];
	return 1;
}

static int proc_stop(const struct attempt *a)
{
	if (!a->t || !a->t->p)
		return impossible(a, " on a thread without a P");
	if (a->t->p->status != P_RUNNING && a->t->p->status != P_SYSCALL)
		return impossible_for(a, " of P", a->t->p->id, ", which is idle");
	a->t->p->status = P_IDLE;
	a->ev->id = a->t->p->id;
	unbind_p(a->t);
	return 1;
}

static int proc_steal(const struct attempt *a)
{
	struct proc *p = proc_get(a->s, a->args[0]);

	if (!p || (p->status != P_SYSCALL && p->status != P_ABANDONED) ||
	    !succeeds(a->args[1], a->g, p->seq))
		return 0;
	if (!a->t)
		return impossible(a, " outside of any thread");
	a->ev->id = p->id;
	a->ev->seq = (uint32_t)a->args[1];
	a->ev->value = a->args[2];
	a->ev->status = p->status;
	p->status = P_IDLE;
	p->seq.n = a->args[1];
	if (a->ev->status == P_ABANDONED)
		return 1;
	struct thread *from = thread_get(a->s, a->args[2]);

	if (!from)
		return impossible_for(a, " from thread", a->args[2], ", which nothing was said of");
	if (from->p != p)
		return impossible_for(a, " from thread", a->args[2],
				      ", which does not have this P");
	unbind_p(from);
	return 1;
}

/* ------------------------------------------------------------------------------- goroutines */

/* In a system call on thread `tid`, told by another one (or by none). */
static int status_from_afar(const struct attempt *a, struct go *g, uint64_t tid)
{
	struct thread *t = thread_get(a->s, tid);

	if (t && t->goid != g->id)
		return impossible_for(a, " of goroutine", g->id,
				      ", in a system call on a thread that has another one");
	a->ev->m = tid;
	if (t) {
		a->ev->g = g->id;
		return 1;
	}
	bind_g(states_thread(a->s, tid), g);
	return 1;
}

static int go_status(const struct attempt *a)
{
	uint64_t id = a->args[0], tid = a->args[1], status = a->args[2];
	struct go *g = go_get(a->s, id);
	int err = a->type == EV_GO_STATUS_STACK ? set_stack(a, a->args[3], &a->ev->stack) : 0;

	a->ev->stack = a->type == EV_GO_STATUS_STACK ? a->ev->stack : 0;
	if (status > G_WAITING)
		return impossible_for(a, " with status", status, "");
	if (g && g->status != status)
		return impossible_for(a, " that contradicts the status of goroutine", id, "");
	if (!g && a->g->number != a->s->first_generation)
		return impossible_for(a, " of goroutine", id, ", which nothing was said of before");
	if (!g)
		g = go_new(a->s, a->g, id, (uint8_t)status);
	g->seq = (struct seq){ a->g->number, 0 };
	a->ev->id = id;
	a->ev->value = tid;
	a->ev->status = (uint8_t)status;
	if (status == G_RUNNING && a->t)
		bind_g(a->t, g);
	if (status != G_SYSCALL || err)
		return err ? err : 1;
	if (tid == EVENT_NO_M)
		return impossible_for(a, " of goroutine", id, ", in a system call on no thread");
	if (!a->t || tid != a->t->tid)
		return status_from_afar(a, g, tid);
	if (a->g->number != a->s->first_generation && a->t->goid != id)
		return impossible_for(a, " of goroutine", id,
				      ", in a system call on a thread that has another one");
	bind_g(a->t, g);
	return 1;
}

static int go_create(const struct attempt *a)
{
	int err = check_context(a, MUST, MAY);

	if (err)
		return err;
	struct go *creator = current(a->s, a->t);

	if (creator && creator->status != G_RUNNING)
		return impossible_for(a, " by goroutine", creator->id, ", which is not running");
	if (go_get(a->s, a->args[0]))
		return impossible_for(a, " of goroutine", a->args[0], ", which exists");
	go_new(a->s, a->g, a->args[0], a->type == EV_GO_CREATE ? G_RUNNABLE : G_WAITING);
	a->ev->id = a->args[0];
	err = set_stack(a, a->args[1], &a->ev->start_stack);
	return err ? err : (err = set_stack(a, a->args[2], &a->ev->stack)) ? err : 1;
}

static int go_create_syscall(const struct attempt *a)
{
	int err = check_context(a, MAY, NO);

	if (err)
		return err;
	if (go_get(a->s, a->args[0]))
		return impossible_for(a, " of goroutine", a->args[0], ", which exists");
	bind_g(a->t, go_new(a->s, a->g, a->args[0], G_SYSCALL));
	a->ev->id = a->args[0];
	return 1;
}

static int go_start(const struct attempt *a)
{
	struct go *g = go_get(a->s, a->args[0]);

	if (!g || g->status != G_RUNNABLE || !succeeds(a->args[1], a->g, g->seq))
		return 0;
	int err = check_context(a, MUST, NO);

	if (err)
		return err;
	g->status = G_RUNNING;
	g->seq.n = a->args[1];
	bind_g(a->t, g);
	a->ev->id = g->id;
	a->ev->seq = (uint32_t)a->args[1];
	return 1;
}

static int go_leave(const struct attempt *a)
{
	struct go *g;
	int err = need_go(a, G_RUNNING, &g);

	if (err)
		return err;
	unbind_g(a->t);
	if (a->type == EV_GO_DESTROY) {
		go_delete(a->s, g);
		return 1;
	}
	g->status = a->type == EV_GO_STOP ? G_RUNNABLE : G_WAITING;
	err = set_name(a, a->args[0], &a->ev->name);
	return err ? err : (err = set_stack(a, a->args[1], &a->ev->stack)) ? err : 1;
}

static int go_unblock(const struct attempt *a)
{
	struct go *g = go_get(a->s, a->args[0]);

	if (!g || g->status != G_WAITING || !succeeds(a->args[1], a->g, g->seq))
		return 0;
	g->status = G_RUNNABLE;
	g->seq.n = a->args[1];
	a->ev->id = g->id;
	a->ev->seq = (uint32_t)a->args[1];
	int err = set_stack(a, a->args[2], &a->ev->stack);

	return err ? err : 1;
}

static int go_switch(const struct attempt *a)
{
	struct go *g, *next;
	int err = need_go(a, G_RUNNING, &g);

	if (err)
		return err;
	next = go_get(a->s, a->args[0]);
	if (!next || next->status != G_WAITING || !succeeds(a->args[1], a->g, next->seq))
		return 0;
	if (a->type == EV_GO_SWITCH)
		g->status = G_WAITING;
	else
		go_delete(a->s, g);
	next->status = G_RUNNING;
	next->seq.n = a->args[1];
	bind_g(a->t, next);
	a->ev->id = next->id;
	a->ev->seq = (uint32_t)a->args[1];
	a->ev->name = (struct str){ "", 0 };
	a->ev->stack = 0;
	return 1;
}

static int syscall_begin(const struct attempt *a)
{
	struct go *g;
	int err = need_go(a, G_RUNNING, &g);

	if (err)
		return err;
	g->status = G_SYSCALL;
	a->t->p->status = P_SYSCALL;
	if (!succeeds(a->args[0], a->g, a->t->p->seq))
		return impossible_for(a, " out of sequence for P", a->t->p->id, "");
	a->t->p->seq.n = a->args[0];
	a->ev->seq = (uint32_t)a->args[0];
	err = set_stack(a, a->args[1], &a->ev->stack);
	return err ? err : 1;
}

static int syscall_end(const struct attempt *a)
{
	struct go *g;
	int err = need_go(a, G_SYSCALL, &g);

	if (err)
		return err;
	g->status = G_RUNNING;
	if (a->t->p->status != P_SYSCALL)
		return impossible_for(a, " on P", a->t->p->id, ", which is in no system call");
	a->t->p->status = P_RUNNING;
	return 1;
}

/* The goroutine in a system call of a thread that need not have a P. */
static int need_syscall(const struct attempt *a, struct go **ret)
{
	int err = check_context(a, MAY, MUST);

	if (err)
		return err;
	*ret = current(a->s, a->t);
	if (!*ret)
		return impossible_for(a, " of goroutine", a->t->goid, ", which does not exist");
	if ((*ret)->status != G_SYSCALL)
		return impossible_for(a, " of goroutine", a->t->goid,
				      ", which is in no system call");
	return 0;
}

static int syscall_end_blocked(const struct attempt *a)
{
	struct go *g;

	if (a->t && a->t->p && a->t->p->status == P_SYSCALL)
		return 0; /* it will be taken away first */
	int err = need_syscall(a, &g);

	if (err)
		return err;
	g->status = G_RUNNABLE;
	unbind_g(a->t);
	return 1;
}

static int destroy_syscall(const struct attempt *a)
{
	struct go *g;
	int err = need_syscall(a, &g);

	if (err)
		return err;
	go_delete(a->s, g);
	unbind_g(a->t);
	if (!a->t->p)
		return 1;
	if (a->t->p->status != P_SYSCALL)
		return impossible_for(a, " with P", a->t->p->id, ", which is in no system call");
	/* the thread's number may come again: the P does not stay with it */
	a->t->p->status = P_ABANDONED;
	unbind_p(a->t);
	return 1;
}

/* ------------------------------------------------------------------------------- annotations */

static int task_begin(const struct attempt *a)
{
	struct gen_string *name;
	uint64_t *v = map64_get(&a->s->tasks, a->args[0]);
	int err = 0;

	if (v)
		return impossible_for(a, " of task", a->args[0], ", which is open");
	err = find_string(a, a->args[2], &name);
	err = err ? err : check_context(a, MUST, MUST);
	err = err ? err : set_stack(a, a->args[3], &a->ev->stack);
	if (err)
		return err;
	struct task_state *t = xmalloc(sizeof(*t));

	t->parent = a->args[1] ? a->args[1] : EVENT_NO_TASK;
	t->name = pool_string(a->s->pool, name);
	*map64_at(&a->s->tasks, a->args[0]) = (uintptr_t)t;
	a->ev->id = a->args[0];
	a->ev->value = t->parent;
	a->ev->name = t->name;
	return 1;
}

static int task_end(const struct attempt *a)
{
	uint64_t *v = map64_get(&a->s->tasks, a->args[0]);
	int err = check_context(a, MUST, MUST);

	err = err ? err : set_stack(a, a->args[1], &a->ev->stack);
	if (err)
		return err;
	a->ev->id = a->args[0];
	a->ev->value = EVENT_NO_TASK;
	a->ev->name = (struct str){ "", 0 };
	if (!v)
		return 1;
	struct task_state *t = (struct task_state *)(uintptr_t)*v;

	a->ev->value = t->parent;
	a->ev->name = t->name;
	free(t);
	map64_del(&a->s->tasks, a->args[0]);
	return 1;
}

static int user_region(const struct attempt *a)
{
	struct go *g;
	int err = check_context(a, MUST, MUST);

	err = err ? err : set_name(a, a->args[1], &a->ev->name);
	if (err)
		return err;
	g = current(a->s, a->t);
	if (!g)
		return impossible_for(a, " of goroutine", a->t->goid, ", which does not exist");
	if (a->type == EV_REGION_BEGIN) {
		*vec_push(&g->regions) = (struct region){ a->args[0], a->ev->name.s };
	} else if (g->regions.n) { /* one that began before the trace may end */
		const struct region *top = &g->regions.v[g->regions.n - 1];

		if (top->task != a->args[0] || top->name != a->ev->name.s)
			return impossible_for(a, " of goroutine", g->id,
					      ", whose innermost open region is another one");
		g->regions.n--;
	}
	a->ev->id = a->args[0];
	err = set_stack(a, a->args[2], &a->ev->stack);
	return err ? err : 1;
}

static int user_log(const struct attempt *a)
{
	struct gen_string *text;
	int err = check_context(a, MUST, MUST);

	err = err ? err : set_name(a, a->args[1], &a->ev->name);
	err = err ? err : find_string(a, a->args[2], &text);
	err = err ? err : set_stack(a, a->args[3], &a->ev->stack);
	if (err)
		return err;
	a->ev->id = a->args[0];
	a->ev->text = text->bytes;
	return 1;
}

static int label(const struct attempt *a)
{
	int err = check_context(a, MUST, MUST);

	err = err ? err : set_name(a, a->args[0], &a->ev->name);
	return err ? err : 1;
}

static int procs_change(const struct attempt *a)
{
	int err = check_context(a, MUST, MUST);

	a->ev->value = a->args[0];
	err = err ? err : set_stack(a, a->args[1], &a->ev->stack);
	return err ? err : 1;
}

static int heap(const struct attempt *a)
{
	int err = check_context(a, MUST, MAY);

	a->ev->value = a->args[0];
	return err ? err : 1;
}

static int experiment(const struct attempt *a)
{
	int err = check_context(a, MAY, MAY);

	a->ev->id = a->args[0];
	a->ev->value = event_specs[a->type].n_args > 1 ? a->args[1] : 0;
	a->ev->value2 = event_specs[a->type].n_args > 2 ? a->args[2] : 0;
	return err ? err : 1;
}

/* ------------------------------------------------------------------------------- ranges */

static bool has_range(const struct go *g, uint64_t kind_id)
{
	if (g->kinds)
		return map64_get(g->kinds, kind_id);
	for (size_t i = 0; i < g->ranges.n; i++)
		if (g->ranges.v[i].kind_id == kind_id)
			return true;
	return false;
}

static void push_range(struct go *g, uint64_t kind_id, struct str kind)
{
	*vec_push(&g->ranges) = (struct range){ kind_id, kind };
	if (g->ranges.n < FEW_RANGES)
		return;
	if (g->kinds) {
		*map64_at(g->kinds, kind_id) = 1;
		return;
	}
	g->kinds = xcalloc(1, sizeof(*g->kinds));
	for (size_t i = 0; i < g->ranges.n; i++)
		*map64_at(g->kinds, g->ranges.v[i].kind_id) = 1;
}

/* The one begun first ends first, and the last takes its place. */
static struct range pop_range(struct go *g)
{
	struct range r = g->ranges.v[0];

	g->ranges.v[0] = g->ranges.v[--g->ranges.n];
	if (g->kinds)
		map64_del(g->kinds, r.kind_id);
	return r;
}

static int range_begin(const struct attempt *a)
{
	bool is_stw = a->type == EV_STW_BEGIN;
	int err = check_context(a, MUST, MUST);

	a->ev->name = (struct str){ "", 0 };
	err = err ? err : is_stw ? set_name(a, a->args[0], &a->ev->name) : 0;
	err = err ? err : set_stack(a, a->args[is_stw], &a->ev->stack);
	if (err)
		return err;
	struct go *g = current(a->s, a->t);

	if (!g)
		return impossible_for(a, " of goroutine", a->t->goid, ", which does not exist");
	if (is_stw ? has_range(g, a->args[0]) : g->assists)
		return impossible_for(a, " of goroutine", g->id, ", in which it is open");
	if (is_stw)
		push_range(g, a->args[0], a->ev->name);
	else
		g->assists = true;
	return 1;
}

static int range_end(const struct attempt *a)
{
	bool is_stw = a->type == EV_STW_END;
	int err = check_context(a, MUST, MUST);

	if (err)
		return err;
	struct go *g = current(a->s, a->t);

	if (!g)
		return impossible_for(a, " of goroutine", a->t->goid, ", which does not exist");
	if (is_stw ? !g->ranges.n : !g->assists)
		return impossible_for(a, " of goroutine", g->id, ", in which it is not open");
	a->ev->name = (struct str){ "", 0 };
	if (is_stw) {
		struct range r = pop_range(g);

		a->s->ended_kind_id = r.kind_id;
		a->ev->name = r.kind;
	} else {
		g->assists = false;
	}
	return 1;
}

static int assist_active(const struct attempt *a)
{
	struct go *g = go_get(a->s, a->args[0]);
	bool is_first = a->g->number == a->s->first_generation;

	if (!g)
		return impossible_for(a, " of goroutine", a->args[0], ", which does not exist");
	if (g->assists == is_first)
		return impossible_for(a, " of goroutine", g->id,
				      is_first ? ", in which it is open"
					       : ", in which it is not open");
	g->assists = true;
	a->ev->id = g->id;
	return 1;
}

static int sweep(const struct attempt *a)
{
	int err = check_context(a, MUST, MAY);
	bool begins = a->type == EV_GC_SWEEP_BEGIN;

	if (err)
		return err;
	if (a->t->p->sweeps == begins)
		return impossible_for(a, " of P", a->t->p->id,
				      begins ? ", on which it is open"
					     : ", on which it is not open");
	a->t->p->sweeps = begins;
	a->ev->id = a->t->p->id;
	if (begins) {
		err = set_stack(a, a->args[0], &a->ev->stack);
		return err ? err : 1;
	}
	a->ev->value = a->args[0];
	a->ev->value2 = a->args[1];
	return 1;
}

static int sweep_active(const struct attempt *a)
{
	struct proc *p = proc_get(a->s, a->args[0]);
	bool is_first = a->g->number == a->s->first_generation;

	if (!p)
		return impossible_for(a, " of P", a->args[0], ", which nothing was said of");
	if (p->sweeps == is_first)
		return impossible_for(a, " of P", p->id,
				      is_first ? ", on which it is open"
					       : ", on which it is not open");
	p->sweeps = true;
	a->ev->id = p->id;
	return 1;
}

static int gc(const struct attempt *a)
{
	struct states *s = a->s;
	bool is_first = a->type == EV_GC_ACTIVE ? a->g->number == s->first_generation
						: a->type == EV_GC_BEGIN && s->gc == GC_UNKNOWN;
	int err = 0;

	a->ev->seq = (uint32_t)a->args[0];
	if (a->type == EV_GC_ACTIVE && is_first && s->gc != GC_UNKNOWN)
		return impossible(a, " in the first generation, but not as the first of its kind");
	if (!is_first) {
		if (a->args[0] != s->gc_seq + 1)
			return 0;
		if (a->type == EV_GC_BEGIN ? s->gc == GC_ON : s->gc != GC_ON)
			return impossible(a, a->type == EV_GC_BEGIN ? " while one runs"
								    : " while none runs");
		err = check_context(a, MUST, MUST);
	}
	s->gc_seq = a->args[0];
	s->gc = a->type == EV_GC_END ? GC_OFF : GC_ON;
	if (a->type == EV_GC_BEGIN)
		err = err ? err : set_stack(a, a->args[1], &a->ev->stack);
	return err ? err : 1;
}

/* ------------------------------------------------------------------------------- the table */

int states_advance(struct states *s, struct generation *g, struct thread *t, uint8_t type,
		   const uint64_t *args, struct event *ev, struct why *why)
{
	const struct attempt a = { s, g, t, type, args, ev, why };

	if (!s->first_generation)
		s->first_generation = g->number;
	ev->type = type;
	ev->m = t ? t->tid : EVENT_NO_M;
	ev->p = t ? t->event_p : EVENT_NO_P;
	ev->g = t ? t->event_g : 0;
	switch (type) {
	case EV_PROC_STATUS:
		return proc_status(&a);
	case EV_PROC_START:
		return proc_start(&a);
	case EV_PROC_STOP:
		return proc_stop(&a);
	case EV_PROC_STEAL:
		return proc_steal(&a);
	case EV_GO_STATUS:
	case EV_GO_STATUS_STACK:
		return go_status(&a);
	case EV_GO_CREATE:
	case EV_GO_CREATE_BLOCKED:
		return go_create(&a);
	case EV_GO_CREATE_SYSCALL:
		return go_create_syscall(&a);
	case EV_GO_START:
		return go_start(&a);
	case EV_GO_STOP:
	case EV_GO_BLOCK:
	case EV_GO_DESTROY:
		return go_leave(&a);
	case EV_GO_UNBLOCK:
		return go_unblock(&a);
	case EV_GO_SWITCH:
	case EV_GO_SWITCH_DESTROY:
		return go_switch(&a);
	case EV_GO_SYSCALL_BEGIN:
		return syscall_begin(&a);
	case EV_GO_SYSCALL_END:
		return syscall_end(&a);
	case EV_GO_SYSCALL_END_BLOCKED:
		return syscall_end_blocked(&a);
	case EV_GO_DESTROY_SYSCALL:
		return destroy_syscall(&a);
	case EV_STW_BEGIN:
	case EV_GC_ASSIST_BEGIN:
		return range_begin(&a);
	case EV_STW_END:
	case EV_GC_ASSIST_END:
		return range_end(&a);
	case EV_GC_ASSIST_ACTIVE:
		return assist_active(&a);
	case EV_GC_SWEEP_BEGIN:
	case EV_GC_SWEEP_END:
		return sweep(&a);
	case EV_GC_SWEEP_ACTIVE:
		return sweep_active(&a);
	case EV_GC_ACTIVE:
	case EV_GC_BEGIN:
	case EV_GC_END:
		return gc(&a);
	case EV_PROCS_CHANGE:
		return procs_change(&a);
	case EV_HEAP_ALLOC:
	case EV_HEAP_GOAL:
		return heap(&a);
	case EV_GO_LABEL:
		return label(&a);
	case EV_TASK_BEGIN:
		return task_begin(&a);
	case EV_TASK_END:
		return task_end(&a);
	case EV_REGION_BEGIN:
	case EV_REGION_END:
		return user_region(&a);
	case EV_LOG:
		return user_log(&a);
	}
	return experiment(&a); /* the caller saw that it is in event_specs */
}
