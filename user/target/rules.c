/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c - see rules.h: how each kind of row finds its instructions. */
#include "target/rules.h"

#include <stdio.h>

#define MAX_NAME 96
#define AFTER_WINDOW 6 /* instructions after a call in which its result is still in AX */

/* The next of "a|b|c" as "runtime.a"; false at the end. Names with a / are full names already. */
static bool next_name(const char **list, char name[MAX_NAME])
{
	size_t n = strcspn(*list, "|");

	if (!n)
		return false;
	bool is_full = memchr(*list, '/', n);

	snprintf(name, MAX_NAME, "%s%.*s", is_full ? "" : "runtime.", (int)n, *list);
	*list += n + ((*list)[n] == '|');
	return true;
}

/* Asked for every call of the runtime and every row: no copying. */
static bool is_listed(const char *list, const char *func)
{
	const char *rest = strncmp(func, "runtime.", 8) ? func : func + 8;
	size_t len = strlen(rest);

	for (size_t n; (n = strcspn(list, "|")); list += n + (list[n] == '|'))
		if (n == len && !memcmp(list, rest, n))
			return true;
	return false;
}

bool rule_has_func(struct finder *f, const struct rule *r)
{
	const char *list = r->funcs;
	struct go_func func;
	char name[MAX_NAME];

	while (next_name(&list, name))
		if (pclntab_find_name(f->t, name, &func))
			return true;
	return false;
}

static size_t copies_of_funcs(struct finder *f, const struct rule *r)
{
	const char *list = r->funcs;
	char name[MAX_NAME];
	size_t n = 0;

	while (next_name(&list, name))
		n += inlines_copies(f->in, name);
	return n;
}

static void add_site(struct finder *f, const struct rule *r, const struct code *c, int k, const char *detail,
		     site_vec *out)
{
	const struct insn *i = &c->v[k];

	*vec_push(out) = (struct site){
		.vaddr = i->addr,
		.file_offset = image_file_offset(f->im, i->addr),
		.func = c->func.name,
		.func_offset = i->addr - c->func.entry,
		.insn = i->kind,
		.probe = r->probe,
		.gsrc = r->gsrc,
		.arg = r->arg,
		.is_fallback = r->is_fallback,
		.event = r->event,
		.detail = detail,
	};
}

/* ------------------------------------------------------------------------------ calls */

static bool has_args(const struct rule *r, const struct code *c, int k)
{
	int64_t bx, cx;

	if (r->bx != ANY && (!code_arg(c, k, REG_BX, &bx) || bx != r->bx))
		return false;
	return r->cx == ANY || (code_arg(c, k, REG_CX, &cx) && cx == r->cx);
}

static bool is_callee(const struct rule *r, const struct owned_call *call)
{
	return call->callee && is_listed(r->callee, call->callee);
}

/* One if this call is what the row asks for. */
static int add_call(struct finder *f, const struct rule *r, const struct owned_call *call, site_vec *out)
{
	if (!is_callee(r, call))
		return 0;
	const struct code *c = codes_at(f->cs, &call->call.caller);
	int k = c ? code_at(c, call->call.addr) : -1;

	if (k < 0 || !has_args(r, c, k))
		return 0;
	add_site(f, r, c, k, call->callee, out);
	return 1;
}

static int match_calls(struct finder *f, const struct rule *r, site_vec *out)
{
	struct owned_call call;
	int n = 0;

	for (size_t pos = 0; inlines_next(f->in, &pos, &call);)
		if (is_listed(r->funcs, call.owner) == (r->where != AT_OTHER_CALLERS))
			n += add_call(f, r, &call, out);
	return n;
}

/* Calls that belong to a func of the row but stand in another function's code. */
static int match_copies(struct finder *f, const struct rule *r, site_vec *out)
{
	struct owned_call call;
	int n = 0;

	for (size_t pos = 0; inlines_next(f->in, &pos, &call);)
		if (is_listed(r->funcs, call.owner) && strcmp(call.owner, call.call.caller.name))
			n += add_call(f, r, &call, out);
	return n == (int)copies_of_funcs(f, r) ? n : -1;
}

static bool calls_before(struct finder *f, const struct code *c, const char *callee, uint64_t before)
{
	char name[MAX_NAME];

	next_name(&callee, name);
	int k = code_call(f->cs, c, name, 0);

	return k >= 0 && c->v[k].addr < before;
}

static int match_calls_with(struct finder *f, const struct rule *r, site_vec *out)
{
	struct owned_call call;
	int n = 0;

	for (size_t pos = 0; inlines_next(f->in, &pos, &call);) {
		if (!is_callee(r, &call))
			continue;
		const struct code *c = codes_at(f->cs, &call.call.caller);

		if (c && calls_before(f, c, r->with, call.call.addr))
			n += add_call(f, r, &call, out);
	}
	return n;
}

static bool leaves_line(const struct insn *i)
{
	return i->op == OP_CALL || i->op == OP_RET || i->op == OP_BAD || i->is_joined ||
	       i->writes & 1u << REG_AX;
}

static int after_call(const struct code *c, int call)
{
	for (int k = call + 1; k < (int)c->n && k <= call + AFTER_WINDOW; k++) {
		if (leaves_line(&c->v[k]))
			return -1;
		if (c->v[k].kind != INSN_STEPPED)
			return k;
	}
	return -1;
}

static int match_after_calls(struct finder *f, const struct rule *r, site_vec *out)
{
	struct owned_call call;
	int n = 0;

	for (size_t pos = 0; inlines_next(f->in, &pos, &call);) {
		if (!is_listed(r->funcs, call.owner) || !is_callee(r, &call))
			continue;
		const struct code *c = codes_at(f->cs, &call.call.caller);
		int k = c ? after_call(c, code_at(c, call.call.addr)) : -1;

		if (k < 0)
			return -1;
		add_site(f, r, c, k, "after newproc1", out);
		n++;
	}
	return n;
}

/* ------------------------------------------------------------------------------ entries and flags */

static int match_entry(struct finder *f, const struct rule *r, const struct code *c, site_vec *out)
{
	int k = code_entry(c);

	if (k < 0)
		return 0;
	add_site(f, r, c, k, c->v[k].kind == INSN_PUSH ? "entry" : "stack check", out);
	return 1;
}

/* Nothing before k writes a register that carries an argument (Go ABIInternal: AX, BX, CX, DI, SI). */
static bool keeps_args(const struct code *c, int k)
{
	static const uint16_t args = 1 << REG_AX | 1 << REG_BX | 1 << REG_CX | 1 << REG_DI | 1 << REG_SI;

	for (int i = 0; i < k; i++)
		if (c->v[i].writes & args)
			return false;
	return true;
}

struct flags {
	site_vec sites;
	VEC(uint64_t) bodies; /* of which each first flag is taken */
};

/* True when this body of func had a flag before. */
static bool saw_body(struct flags *v, uint64_t body)
{
	for (size_t i = 0; i < v->bodies.n; i++)
		if (v->bodies.v[i] == body)
			return true;
	*vec_push(&v->bodies) = body;
	return false;
}

/* Flags in c's code that the source of func tests: the first of each body, or the later ones. */
static void flags_in_code(struct finder *f, const struct rule *r, const char *func, const struct code *c,
			  struct flags *v)
{
	bool is_profile = r->where == AT_PROFILE_FLAG, want_later = r->where == AT_LATER_FLAGS;
	uint64_t flag = is_profile ? f->profile_flag : f->trace_flag, body;

	for (int k = code_flag_jcc(c, flag, 0); k >= 0; k = code_flag_jcc(c, flag, k + 1)) {
		if (strcmp(inlines_owner(f->in, c->v[k].addr, &body), func))
			continue;
		if (saw_body(v, body ? body : c->func.entry) != want_later)
			continue;
		if (r->where != AT_FLAG_WITH_ARGS || keeps_args(c, k))
			add_site(f, r, c, k, is_profile ? "goroutineProfile.active" : "trace flag", &v->sites);
	}
}

/* In func's own body and in every function that a copy of it was inlined into. */
static void flags_of_func(struct finder *f, const struct rule *r, const char *func, struct flags *v)
{
	const struct code *c = codes_get(f->cs, func);
	uint64_t last = 0;
	struct go_func container;

	if (c)
		flags_in_code(f, r, func, c, v);
	for (size_t pos = 0; inlines_next_copy(f->in, func, &pos, &container); last = container.entry) {
		c = container.entry == last ? NULL : codes_at(f->cs, &container);
		if (c)
			flags_in_code(f, r, func, c, v);
	}
}

static int match_flags(struct finder *f, const struct rule *r, site_vec *out)
{
	const char *list = r->funcs;
	char name[MAX_NAME];
	int n = 0;

	while (next_name(&list, name)) {
		struct flags v = {0};

		flags_of_func(f, r, name, &v);
		for (size_t i = 0; i < v.sites.n; i++, n++)
			*vec_push(out) = v.sites.v[i];
		vec_free(&v.sites);
		vec_free(&v.bodies);
	}
	return n;
}

static int match_entries(struct finder *f, const struct rule *r, site_vec *out)
{
	const char *list = r->funcs;
	char name[MAX_NAME];
	int n = 0;

	if (r->where == AT_ENTRY && copies_of_funcs(f, r))
		return -1;
	while (next_name(&list, name)) {
		const struct code *c = codes_get(f->cs, name);

		if (c)
			n += match_entry(f, r, c, out);
	}
	return n;
}

static int bodies_of_func(struct finder *f, const struct rule *r)
{
	const char *list = r->funcs;
	char name[MAX_NAME];

	next_name(&list, name);
	return (codes_get(f->cs, name) ? 1 : 0) + inlines_copies(f->in, name);
}

int rule_bodies(struct finder *f, const struct rule *r)
{
	switch ((enum rule_where)r->where) {
	case AT_CALL:
	case AT_FLAG:
	case AT_LATER_FLAGS:
	case AT_PROFILE_FLAG: return strchr(r->funcs, '|') ? 1 : bodies_of_func(f, r);
	case AT_ENTRY:
	case AT_ENTRY_OF_BODY:
	case AT_COPIES:
	case AT_OTHER_CALLERS:
	case AT_CALL_WITH:
	case AT_AFTER_CALL:
	case AT_FLAG_WITH_ARGS: return 1;
	}
	return 1;
}

int rule_match(struct finder *f, const struct rule *r, site_vec *out)
{
	switch ((enum rule_where)r->where) {
	case AT_CALL:
	case AT_OTHER_CALLERS: return match_calls(f, r, out);
	case AT_COPIES: return match_copies(f, r, out);
	case AT_CALL_WITH: return match_calls_with(f, r, out);
	case AT_AFTER_CALL: return match_after_calls(f, r, out);
	case AT_ENTRY:
	case AT_ENTRY_OF_BODY: return match_entries(f, r, out);
	case AT_FLAG:
	case AT_LATER_FLAGS:
	case AT_FLAG_WITH_ARGS:
	case AT_PROFILE_FLAG: return match_flags(f, r, out);
	}
	return -1;
}
