/* SPDX-License-Identifier: Apache-2.0 */
/* report_json.c - see report.h; the keys are told in docs/report.md. */
#include "render/json.h"
#include "render/report.h"

#include <math.h>
#include <stdlib.h>

static void named_times(struct json *j, const char *key, const struct goroutines *g,
			const struct named_ns *v, size_t n)
{
	json_key(j, key);
	json_object(j);
	for (size_t i = 0; i < n; i++)
		json_key_u64(j, g->names.v[v[i].name], v[i].ns);
	json_object_end(j);
}

static void times(struct json *j, const struct goroutines *g, const struct go_times *t)
{
	json_key_u64(j, "total_ns", t->total);
	json_key_u64(j, "execution_ns", t->execution);
	json_key_u64(j, "sched_wait_ns", t->sched_wait);
	json_key_u64(j, "syscall_ns", t->syscall);
	json_key_u64(j, "syscall_block_ns", t->syscall_block);
	json_key_u64(j, "unknown_ns", t->unknown);
	named_times(j, "block_ns", g, t->by_reason.v, t->by_reason.n);
	named_times(j, "range_ns", g, t->by_range.v, t->by_range.n);
}

static void stack(struct json *j, const char *key, const struct goroutines *g, uint32_t number)
{
	unsigned n;
	const struct frame *v = g->options.stacks.frames(g->options.stacks.self, number, &n);

	json_key(j, key);
	json_array(j);
	for (unsigned i = 0; i < n; i++) {
		json_object(j);
		json_key_cstr(j, "function", v[i].func);
		json_key_cstr(j, "file", v[i].file);
		json_key_u64(j, "line", v[i].line);
		json_key_u64(j, "pc", v[i].pc);
		json_object_end(j);
	}
	json_array_end(j);
}

static void begin(struct json *j, const char *key)
{
	if (key)
		json_key(j, key);
	json_object(j);
}

static void file(struct json *j, const struct report *r)
{
	json_key_cstr(j, "file", r->file);
	json_key_u64(j, "bytes", r->bytes);
	json_key_u64(j, "header_minor", (uint64_t)r->minor);
	json_key_cstr(j, "go_version", r->go_version);
	json_key_cstr(j, "command", r->command);
	json_key_bool(j, "valid", !r->error && !r->flaw);
	json_key_cstr(j, "error", r->error ? r->error : r->flaw);
	json_key_u64(j, "read_bytes", r->bytes);
	json_key_u64(j, "lost_records", r->lost);
	json_key_u64(j, "loss_intervals", r->losses);
	if (r->repairs)
		json_key_u64(j, "repairs", strtoull(r->repairs, NULL, 10));
	else
		json_key_null(j, "repairs");
}

static void groups(struct json *j, const struct report *r, const struct report_options *o)
{
	const struct goroutines *g = r->g;
	size_t n;
	CLEANUP(freep) size_t *order = report_sorted_groups(g, o->sort, &n);

	json_key(j, "groups");
	json_array(j);
	for (size_t i = 0; i < n && (!o->rows || i < o->rows); i++) {
		const struct go_group *k = &g->groups.v[order[i]];

		json_object(j);
		json_key_cstr(j, "function", k->name);
		json_key_u64(j, "count", k->count);
		json_key_u64(j, "created", k->created);
		json_key_u64(j, "alive", k->alive);
		times(j, g, &k->times);
		json_object_end(j);
	}
	json_array_end(j);
}

static void latency(struct json *j, const char *key, const struct latency *l)
{
	begin(j, key);
	json_key_u64(j, "count", l->n);
	json_key_u64(j, "total_ns", l->total_ns);
	json_key_u64(j, "p50_ns", latency_quantile(l, 0.50));
	json_key_u64(j, "p90_ns", latency_quantile(l, 0.90));
	json_key_u64(j, "p99_ns", latency_quantile(l, 0.99));
	json_key_u64(j, "p999_ns", latency_quantile(l, 0.999));
	json_key_u64(j, "max_ns", l->max_ns);
	json_key(j, "histogram");
	json_array(j);
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		if (!l->buckets[i])
			continue;
		json_object(j);
		json_key_u64(j, "up_to_ns", latency_edge(i));
		json_key_u64(j, "count", l->buckets[i]);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void scheduler(struct json *j, const struct report *r, const struct report_options *o)
{
	const struct goroutines *g = r->g;

	begin(j, "scheduler");
	json_key_u64(j, "gomaxprocs", g->gomaxprocs);
	json_key_u64(j, "threads", g->threads);
	latency(j, "wait", &g->waits);
	begin(j, "wait_causes_ns");
	json_key_u64(j, "all_ps_busy", g->causes.busy);
	json_key_u64(j, "garbage_collector", g->causes.gc);
	json_key_u64(j, "preempted", g->causes.preempted);
	json_key_u64(j, "waking_up", g->causes.wakeup);
	json_object_end(j);
	json_key(j, "longest_waits");
	json_array(j);
	for (size_t i = 0; i < g->worst.n && (!o->rows || i < o->rows); i++) {
		const struct go_wait *w = &g->worst.v[i];

		json_object(j);
		json_key_u64(j, "goroutine", w->g);
		json_key_cstr(j, "function", g->groups.v[w->group].name);
		json_key_u64(j, "begin_ns", w->begin_ns);
		json_key_u64(j, "duration_ns", w->ns);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void garbage(struct json *j, const struct gc *gc)
{
	static const uint64_t windows[] = { 1000000, 10000000, 100000000 };

	begin(j, "gc");
	json_key_u64(j, "cycles", gc->cycles);
	json_key_u64(j, "mark_ns", gc->mark_ns);
	json_key_u64(j, "longest_mark_ns", gc->mark_max_ns);
	json_key_u64(j, "longest_mark_at_ns", gc->mark_max_at_ns);
	json_key_u64(j, "assists", gc->assists);
	json_key_u64(j, "assist_ns", gc->assist_ns);
	json_key_u64(j, "assist_goroutines", gc->assist_goroutines);
	begin(j, "worker_ns");
	for (unsigned i = 0; i < GC_WORKERS; i++)
		json_key_u64(j, gc_worker_names[i], gc->workers[i].ns);
	json_object_end(j);
	json_key_u64(j, "sweeps", gc->sweeps);
	json_key_u64(j, "swept_bytes", gc->swept_bytes);
	json_key_u64(j, "reclaimed_bytes", gc->reclaimed_bytes);
	json_key_u64(j, "heap_peak_bytes", gc->heap_peak_bytes);
	json_key_u64(j, "heap_peak_at_ns", gc->heap_peak_at_ns);
	json_key_u64(j, "goal_last_bytes", gc->goal_last_bytes);
	json_key_u64(j, "goal_max_bytes", gc->goal_max_bytes);
	json_key(j, "stop_the_world");
	json_array(j);
	for (size_t i = 0; i < gc->stw.n; i++) {
		const struct gc_stw *k = &gc->stw.v[i];

		json_object(j);
		json_key_str(j, "kind", k->kind);
		json_key_u64(j, "count", k->count);
		json_key_u64(j, "total_ns", k->total_ns);
		json_key_u64(j, "longest_ns", k->max_ns);
		json_key_u64(j, "longest_at_ns", k->max_at_ns);
		json_object_end(j);
	}
	json_array_end(j);
	json_key(j, "mmu");
	json_array(j);
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		struct utilization_window w;
		bool is_known = utilization_mmu(gc->utilization, windows[i], &w);

		json_object(j);
		json_key_u64(j, "window_ns", windows[i]);
		if (is_known)
			json_key_double(j, "utilization", w.utilization);
		else
			json_key_null(j, "utilization");
		json_key_u64(j, "at_ns", is_known ? w.at_ns : 0);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void profiles(struct json *j, const struct report *r, const struct report_options *o)
{
	begin(j, "profiles");
	for (unsigned k = 0; k < PROFILE_KINDS; k++) {
		const struct profile *p = &r->g->profiles[k];
		size_t n;
		CLEANUP(freep) uint32_t *order = report_sorted_samples(p, &n);

		begin(j, profile_names[k]);
		json_key_u64(j, "count", p->count);
		json_key_u64(j, "total_ns", p->ns);
		json_key_u64(j, "stacks", n);
		json_key(j, "samples");
		json_array(j);
		for (size_t i = 0; i < n && (!o->rows || i < o->rows); i++) {
			json_object(j);
			json_key_u64(j, "count", p->samples.v[order[i]].count);
			json_key_u64(j, "total_ns", p->samples.v[order[i]].ns);
			stack(j, "stack", r->g, profile_stack(p, order[i]));
			json_object_end(j);
		}
		json_array_end(j);
		json_object_end(j);
	}
	json_object_end(j);
}

static void leaks(struct json *j, const struct report *r, const struct report_options *o)
{
	const struct goroutines *g = r->g;

	json_key(j, "never_ended");
	json_array(j);
	for (size_t i = 0; i < g->leaks.n && (!o->rows || i < o->rows); i++) {
		const struct leak *k = &g->leaks.v[i];

		json_object(j);
		json_key_cstr(j, "function", g->groups.v[k->group].name);
		json_key_u64(j, "alive", k->alive);
		json_key_u64(j, "created", k->created);
		json_key_u64(j, "ended", k->ended);
		json_key_bool(j, "before_trace", !k->stack);
		json_key_u64(j, "oldest_created_ns", k->oldest_ns);
		json_key_u64(j, "oldest_age_ns", g->last_ns - k->oldest_ns);
		json_key_cstr(j, "blocked_on",
			      k->reason == NOT_BLOCKED ? NULL : g->names.v[k->reason]);
		stack(j, "created_by", g, k->stack);
		json_object_end(j);
	}
	json_array_end(j);
}

static void findings(struct json *j, const struct report *r)
{
	static const char *const kinds[] = { "too_few_ps",     "slow_wakeups", "gc",
					     "stop_the_world", "locks",        "leak",
					     "syscalls",       "latency" };

	json_key(j, "findings");
	json_array(j);
	for (size_t i = 0; i < r->findings->list.n; i++) {
		const struct finding *f = &r->findings->list.v[i];

		json_object(j);
		json_key_cstr(j, "kind", kinds[f->kind]);
		json_key_u64(j, "weight_ns", f->weight_ns);
		json_key_cstr(j, "text", f->text);
		json_key_cstr(j, "function", f->function);
		json_key_cstr(j, "profile", f->has_profile ? profile_names[f->profile] : NULL);
		json_key_u64(j, "at_ns", f->at_ns);
		json_object_end(j);
	}
	json_array_end(j);
}

static void durations(struct json *j, const struct durations *d)
{
	json_key_u64(j, "total_ns", d->total_ns);
	json_key_u64(j, "min_ns", d->min_ns);
	json_key_u64(j, "p50_ns", durations_quantile(d, 0.50));
	json_key_u64(j, "p99_ns", durations_quantile(d, 0.99));
	json_key_u64(j, "max_ns", d->max_ns);
	json_key(j, "histogram");
	json_array(j);
	for (size_t i = 0; i < d->histogram.rows.n; i++) {
		json_object(j);
		json_key_u64(j, "bucket", d->histogram.rows.v[i].kind);
		json_key_u64(j, "from_ns", time_bucket_ns[d->histogram.rows.v[i].kind]);
		json_key_u64(j, "count", d->histogram.rows.v[i].n);
		json_object_end(j);
	}
	json_array_end(j);
}

static void annotations(struct json *j, const struct report *r, const struct report_options *o)
{
	const struct annotations *a = r->annotations;

	json_key(j, "tasks");
	json_array(j);
	for (size_t i = 0; i < a->tasks.n && (!o->rows || i < o->rows); i++) {
		json_object(j);
		json_key_str(j, "name", a->tasks.v[i].name);
		json_key_u64(j, "count", a->tasks.v[i].count);
		json_key_u64(j, "complete", a->tasks.v[i].complete.n);
		durations(j, &a->tasks.v[i].complete);
		json_object_end(j);
	}
	json_array_end(j);
	json_key(j, "regions");
	json_array(j);
	for (size_t i = 0; i < a->regions.n && (!o->rows || i < o->rows); i++) {
		const struct region_group *k = &a->regions.v[i];

		json_object(j);
		json_key_str(j, "name", k->name);
		json_key_cstr(j, "function", k->place.func);
		json_key_cstr(j, "file", k->place.file);
		json_key_u64(j, "line", k->place.line);
		json_key_u64(j, "count", k->all.n);
		durations(j, &k->all);
		json_object_end(j);
	}
	json_array_end(j);
	json_key_u64(j, "logs", a->logs);
}

static void task_events(struct json *j, const struct report *r, const struct task_detail *t)
{
	static const char *const kinds[] = { "begin", "end", "log", "region_begin", "region_end" };

	json_key(j, "events");
	json_array(j);
	for (size_t k = 0; k < t->events.n; k++) {
		const struct task_event *e = &t->events.v[k];

		json_object(j);
		json_key_u64(j, "time_ns", e->ts_ns);
		json_key_u64(j, "goroutine", e->g);
		json_key_cstr(j, "kind", kinds[e->kind]);
		json_key_str(j, "name", e->name);
		json_key_str(j, "text", e->text);
		stack(j, "stack", r->g, e->stack);
		json_object_end(j);
	}
	json_array_end(j);
}

void report_tasks_json(FILE *f, const struct report *r, const struct report_options *o)
{
	const struct annotations *a = r->annotations;
	struct json j = json_to(f);

	j.is_pretty = true;
	json_object(&j);
	file(&j, r);
	json_key(&j, "tasks");
	json_array(&j);
	for (size_t i = 0; i < a->details.n && (!o->rows || i < o->rows); i++) {
		const struct task_detail *t = &a->details.v[i];

		json_object(&j);
		json_key_u64(&j, "id", t->id);
		if (t->parent == EVENT_NO_TASK)
			json_key_null(&j, "parent");
		else
			json_key_u64(&j, "parent", t->parent);
		json_key_str(&j, "name", t->name);
		json_key_bool(&j, "complete", t->has_begin && t->has_end);
		json_key_u64(&j, "begin_ns", t->begin_ns);
		json_key_u64(&j, "end_ns", t->end_ns);
		json_key(&j, "goroutines");
		json_array(&j);
		for (size_t k = 0; k < t->goroutines.n; k++)
			json_u64(&j, t->goroutines.v[k]);
		json_array_end(&j);
		task_events(&j, r, t);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_line(&j);
}

void report_json(FILE *f, const struct report *r, const struct report_options *o)
{
	const struct goroutines *g = r->g;
	struct json j = json_to(f);

	j.is_pretty = true;
	json_object(&j);
	file(&j, r);
	json_key_u64(&j, "start_ns", g->first_ns);
	json_key_u64(&j, "end_ns", g->last_ns);
	json_key_u64(&j, "duration_ns", g->last_ns - g->first_ns);
	json_key_u64(&j, "events", g->events);
	json_key_u64(&j, "cpu_samples", g->samples);
	begin(&j, "goroutine_counts");
	json_key_u64(&j, "seen", g->seen);
	json_key_u64(&j, "created", g->created);
	json_key_u64(&j, "ended", g->ended);
	json_key_u64(&j, "peak", g->peak);
	json_key_u64(&j, "peak_at_ns", g->peak_at_ns);
	json_object_end(&j);
	findings(&j, r);
	scheduler(&j, r, o);
	garbage(&j, r->gc);
	groups(&j, r, o);
	profiles(&j, r, o);
	leaks(&j, r, o);
	annotations(&j, r, o);
	json_object_end(&j);
	json_line(&j);
}

void report_rows_json(FILE *f, const struct report *r, const struct report_options *o)
{
	const struct goroutines *g = r->g;
	size_t n;
	CLEANUP(freep) size_t *order = report_sorted_rows(g, o->sort, o->state, &n);
	struct json j = json_to(f);

	j.is_pretty = true;
	json_object(&j);
	file(&j, r);
	json_key(&j, "goroutines");
	json_array(&j);
	for (size_t i = 0; i < n && (!o->rows || i < o->rows); i++) {
		const struct go_row *w = &g->rows.v[order[i]];

		json_object(&j);
		json_key_u64(&j, "id", w->id);
		json_key_cstr(&j, "function", g->groups.v[w->group].name);
		json_key_cstr(&j, "state", go_state_name(w));
		json_key_cstr(&j, "blocked_on",
			      w->state == GO_WAITING ? g->names.v[w->reason] : NULL);
		json_key_u64(&j, "creation_ns", w->created_ns);
		json_key_u64(&j, "start_ns", w->started_ns);
		json_key_u64(&j, "end_ns", w->ended_ns);
		times(&j, g, &w->times);
		stack(&j, "created_by", g, w->creation_stack);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_line(&j);
}
