/* SPDX-License-Identifier: Apache-2.0 */
/* symbols.c - frames of a pc out of a pclntab: gotrace/symbols.h for a live target. */
#include "target/pclntab_internal.h"

#include <errno.h>
#include <stdlib.h>

/*
 * runtime.funcID / internal/abi.FuncID by version. Go 1.18-1.20: runtime/symtab.go; 1.21-1.27:
 * internal/abi/symtab.go. corostart came in 1.22, runFinalizers and runCleanups replaced runfinq in 1.25.
 */
static const struct func_ids {
	int last_minor;
	uint8_t gopanic, panicwrap, sigpanic, wrapper;
} func_ids[] = {
	{21, 9, 14, 18, 21},
	{24, 10, 15, 19, 22},
	{1000, 10, 15, 20, 23},
};

enum pc_table_kind { PC_FILE, PC_LINE, PC_INLINED, N_PC_TABLES };

struct pc_table {
	uint64_t entry;              /* of the function */
	uint32_t table;
	struct pc_steps steps;
};

struct pclntab_symbols {
	struct symbols api;          /* first: the two are one object */
	const struct pclntab *t;
	const struct func_ids *ids;
	uint64_t bias;
	struct pc_table pc_tables[N_PC_TABLES]; /* of the function looked up last */
	struct map64 expansions;     /* pc -> index in frames << 8 | count */
	VEC(struct frame) frames;
	struct map64 printed;        /* address of a generic's name -> 1 + index in names */
	VEC(char *) names;           /* owned */
};

static const struct func_ids *ids_of(int minor)
{
	size_t i = 0;

	while (minor > func_ids[i].last_minor && i + 1 < ARRAY_SIZE(func_ids))
		i++;
	return &func_ids[i];
}

/*
 * The name parts that replace the type arguments, as runtime/traceback.go: funcNamePiecesForPrint cuts them:
 * name[0..head) "[...]" name[mid..mid_end) "[...]" name[tail..). mid_end is 0 without a middle.
 */
struct name_cut {
	size_t head, mid, mid_end, tail;
};

/*
 * Go 1.27 has generic methods of generic types, "T[...]___[...]": finds the gap between two bracket pairs in
 * s[from..to). 1: there is one, 0: a single pair, -1: unbalanced.
 */
static int find_gap(const char *s, size_t from, size_t to, size_t *gap, size_t *gap_end)
{
	int depth = 1;

	for (size_t i = from; i < to; i++) {
		if (s[i] == '[' && ++depth == 1) {
			*gap_end = i;
			return 1;
		}
		if (s[i] != ']')
			continue;
		if (--depth < 0)
			return -1;
		if (depth == 0)
			*gap = i + 1;
	}
	return depth == 1 ? 0 : -1;
}

static bool cut_name(const char *name, int minor, struct name_cut *cut)
{
	const char *open = strchr(name, '['), *close = strrchr(name, ']');
	size_t gap = 0, gap_end = 0;

	if (!open || !close || close <= open)
		return false;
	*cut = (struct name_cut){.head = (size_t)(open - name), .tail = (size_t)(close - name) + 1};
	int gaps = minor < 27 ? 0 : find_gap(name, cut->head + 1, cut->tail - 1, &gap, &gap_end);

	if (gaps == 1) {
		cut->mid = gap;
		cut->mid_end = gap_end;
	}
	return gaps >= 0;
}

/* The table spells type arguments out since Go 1.21 (before, the linker wrote "[...]"); stacks never do. */
static const char *printed_name(struct pclntab_symbols *s, const char *name)
{
	struct name_cut cut;

	if (s->t->minor < 21 || !cut_name(name, s->t->minor, &cut))
		return name;
	uint64_t *known = map64_at(&s->printed, (uintptr_t)name);

	if (*known)
		return s->names.v[*known - 1];
	struct buf b = {0};

	buf_add(&b, name, cut.head);
	buf_str(&b, "[...]");
	buf_add(&b, name + cut.mid, cut.mid_end - cut.mid);
	if (cut.mid_end)
		buf_str(&b, "[...]");
	buf_str(&b, name + cut.tail);
	buf_byte(&b, 0);
	*vec_push(&s->names) = (char *)b.v;
	*known = s->names.n;
	return (char *)b.v;
}

/*
 * Value at vaddr of a function's pc table at offset `table` of pctab, -1 when there is none. The table is decoded once for
 * all that is asked of one function on end: hundreds of calls of a large one, and each with its inlined frames.
 */
static int32_t pc_value(struct pclntab_symbols *s, enum pc_table_kind kind, uint32_t table, const struct func_info *f,
			uint64_t vaddr)
{
	struct pc_table *p = &s->pc_tables[kind];

	if (p->table != table || p->entry != f->entry) {
		pclntab_pcsteps(s->t, table, f, &p->steps);
		p->table = table;
		p->entry = f->entry;
	}
	size_t low = 0, high = p->steps.n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (p->steps.v[mid].end <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < p->steps.n ? p->steps.v[low].value : -1;
}

/* runtime/symtab.go: funcline1, funcfile. */
static void file_line(struct pclntab_symbols *s, const struct func_info *f, uint64_t vaddr, struct frame *out)
{
	const struct pclntab *t = s->t;
	int32_t file = pc_value(s, PC_FILE, f->pcfile, f, vaddr);
	int32_t line = pc_value(s, PC_LINE, f->pcln, f, vaddr);
	uint32_t offset;
	const char *name = NULL;

	out->file = "?";
	out->line = 0;
	if (file < 0 || line < 0)
		return;
	out->line = (uint32_t)line;
	if (table_u32(&t->cutab, 4 * ((uint64_t)f->cu_offset + (uint32_t)file), &offset))
		name = table_string(&t->filetab, offset);
	if (name)
		out->file = name;
}

/* What an inline tree says of one call that was inlined. */
struct inlined_call {
	uint32_t name_off, parent_pc;
	uint8_t func_id;
};

/* 1, or 0 when no inlined call stands at vaddr (or the tree is damaged). */
static int inlined_at(struct pclntab_symbols *s, const struct func_info *f, uint64_t vaddr, struct inlined_call *ret)
{
	const struct pclntab *t = s->t;
	const struct pclntab_layout *l = t->layout;
	uint64_t tree = pclntab_funcdata(t, f, FUNCDATA_INL_TREE);
	uint32_t index_table = pclntab_pcdata(t, f, PCDATA_INL_TREE_INDEX);
	int32_t index = tree ? pc_value(s, PC_INLINED, index_table, f, vaddr) : -1;

	if (index < 0)
		return 0;
	const uint8_t *call = image_at(t->im, tree + (uint64_t)index * l->inlined_size, l->inlined_size);

	if (!call)
		return 0;
	struct table row = {.p = call, .n = l->inlined_size};

	ret->func_id = call[l->inlined_id_at];
	table_u32(&row, l->inlined_name_at, &ret->name_off);
	table_u32(&row, l->inlined_parent_at, &ret->parent_pc);
	return 1;
}

static void fill_frame(struct pclntab_symbols *s, const struct func_info *f, uint64_t vaddr,
		       uint32_t name_off, uint8_t func_id, struct frame *out)
{
	const char *name = table_string(&s->t->names, name_off);

	*out = (struct frame){
		.pc = vaddr + s->bias,
		.func = name ? printed_name(s, name) : "?",
		.func_id = func_id,
		.is_wrapper = func_id == s->ids->wrapper,
		.keeps_wrapper = func_id == s->ids->gopanic || func_id == s->ids->sigpanic ||
				 func_id == s->ids->panicwrap,
	};
	file_line(s, f, vaddr, out);
}

/*
 * The function of vaddr. A goroutine preempted at a function's first instruction has that entry where return addresses
 * stand; the byte before it is padding, and nothing returns there. runtime.CallersFrames too takes the entry itself.
 */
static bool func_of_call(struct pclntab_symbols *s, uint64_t *vaddr, struct func_info *f)
{
	const struct pclntab *t = s->t;

	if (!pclntab_func_info(t, *vaddr, f))
		return false;
	if (*vaddr + 1 != f->end || pc_value(s, PC_LINE, f->pcln, f, *vaddr) >= 0)
		return true;
	struct func_info next;

	if (pclntab_func_info(t, f->end, &next)) {
		*f = next;
		++*vaddr;
	}
	return true;
}

/* runtime/symtabinl.go: inlineUnwinder. A tree that loops ends at SYMBOL_MAX_INLINE frames. */
static int expand(struct pclntab_symbols *s, uint64_t vaddr, struct frame out[SYMBOL_MAX_INLINE])
{
	struct inlined_call call;
	struct func_info f;
	int n = 0;

	if (!func_of_call(s, &vaddr, &f))
		return 0;
	while (n < SYMBOL_MAX_INLINE - 1 && inlined_at(s, &f, vaddr, &call)) {
		fill_frame(s, &f, vaddr, call.name_off, call.func_id, &out[n++]);
		vaddr = f.entry + call.parent_pc;
	}
	fill_frame(s, &f, vaddr, f.name_off, f.func_id, &out[n++]);
	return n;
}

static uint64_t expand_and_keep(struct pclntab_symbols *s, uint64_t pc)
{
	struct frame found[SYMBOL_MAX_INLINE];
	int n = expand(s, pc - s->bias, found);
	uint64_t where = s->frames.n << 8 | (uint64_t)n;

	for (int i = 0; i < n; i++)
		*vec_push(&s->frames) = found[i];
	if (n)
		*map64_at(&s->expansions, pc) = where;
	return where;
}

static int symbols_frames(struct symbols *self, uint64_t pc, struct frame *out, int max)
{
	struct pclntab_symbols *s = (struct pclntab_symbols *)self;
	const uint64_t *known = map64_get(&s->expansions, pc);
	uint64_t where = known ? *known : expand_and_keep(s, pc);
	int n = (int)(where & 0xff);

	n = n < max ? n : max;
	if (n > 0)
		memcpy(out, &s->frames.v[where >> 8], (size_t)n * sizeof(*out));
	return n;
}

/* runtime/tracestack.go: startPCForTrace: a `go` wrapper's WrapInfo is the text offset of what it calls. */
static uint64_t see_through_wrapper(const struct pclntab *t, uint64_t vaddr)
{
	struct func_info f;
	uint32_t offset;

	if (!pclntab_func_info(t, vaddr, &f))
		return vaddr;
	uint64_t wrap_info = pclntab_funcdata(t, &f, FUNCDATA_WRAP_INFO);

	return wrap_info && image_u32(t->im, wrap_info, &offset) ? t->text + offset : vaddr;
}

static int symbols_start_func(struct symbols *self, uint64_t start_pc, struct frame *out)
{
	struct pclntab_symbols *s = (struct pclntab_symbols *)self;
	uint64_t vaddr = see_through_wrapper(s->t, start_pc - s->bias);

	return symbols_frames(self, vaddr + s->bias, out, 1) == 1 ? 0 : -ENOENT;
}

struct symbols *pclntab_symbols(struct pclntab *t, uint64_t bias)
{
	struct pclntab_symbols *s = xcalloc(1, sizeof(*s));

	s->api.frames = symbols_frames;
	s->api.start_func = symbols_start_func;
	s->t = t;
	s->ids = ids_of(t->minor);
	s->bias = bias;
	return &s->api;
}

void symbols_close(struct symbols *self)
{
	struct pclntab_symbols *s = (struct pclntab_symbols *)self;

	if (!s)
		return;
	for (size_t i = 0; i < s->names.n; i++)
		free(s->names.v[i]);
	for (size_t i = 0; i < N_PC_TABLES; i++)
		vec_free(&s->pc_tables[i].steps);
	vec_free(&s->names);
	vec_free(&s->frames);
	map64_free(&s->expansions);
	map64_free(&s->printed);
	free(s);
}
