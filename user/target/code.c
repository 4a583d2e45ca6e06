/* SPDX-License-Identifier: Apache-2.0 */
/* code.c - see code.h. */
#include "target/code.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdlib.h>

#define MAX_CODE (64u << 10)  /* bytes of one function; runtime's longest are 8 KiB */
#define ENTRY_WINDOW 5        /* instructions of a prologue: lea, cmp, jbe, push, mov (atlas 3) */
#define ARG_WINDOW 14         /* instructions before a call in which its arguments are set */
#define FLAG_WINDOW 4         /* mov flag, reg; test reg, reg; (one scheduled between); jcc */

static int reg_number(ZydisRegister r)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	if (r == ZYDIS_REGISTER_RIP)
		return REG_RIP;
	if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
		return REG_NONE;
	return whole - ZYDIS_REGISTER_RAX;
}

/*
 * What the kernel does under a uprobe: arch/x86/kernel/uprobes.c, branch_setup_xol_ops, push_setup_xol_ops (6.6 to
 * 6.18). A legacy prefix makes branches unsupported (0x66) or is not worth trusting; everything not listed is
 * executed out of line with a single step, which costs twenty times an emulation.
 */
static enum site_insn classify(const uint8_t *p, const ZydisDecodedInstruction *in)
{
	if (p[0] >= 0x50 && p[0] <= 0x57)
		return INSN_PUSH;
	if (in->length == 2 && p[0] == 0x41 && p[1] >= 0x50 && p[1] <= 0x57)
		return INSN_PUSH;
	if (in->length == 5 && !memcmp(p, "\x0f\x1f\x44\x00\x00", 5))
		return INSN_NOP5;
	if (p[0] == 0xe8)
		return INSN_CALL;
	if (p[0] == 0xe9 || p[0] == 0xeb)
		return INSN_JMP;
	if (p[0] == 0x90)
		return INSN_NOP;
	if ((p[0] & 0xf0) == 0x70 || (p[0] == 0x0f && in->length == 6 && (p[1] & 0xf0) == 0x80))
		return INSN_JCC;
	return INSN_STEPPED;
}

static enum insn_op op_of(const ZydisDecodedInstruction *in)
{
	switch (in->mnemonic) {
	case ZYDIS_MNEMONIC_CALL: return OP_CALL;
	case ZYDIS_MNEMONIC_JMP: return OP_JMP;
	case ZYDIS_MNEMONIC_RET: return OP_RET;
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSXD: return OP_MOV;
	case ZYDIS_MNEMONIC_LEA: return OP_LEA;
	case ZYDIS_MNEMONIC_CMP: return OP_CMP;
	case ZYDIS_MNEMONIC_TEST: return OP_TEST;
	case ZYDIS_MNEMONIC_CMPXCHG: return OP_CMPXCHG;
	default: break; /* the other two thousand */
	}
	return in->meta.category == ZYDIS_CATEGORY_COND_BR ? OP_JCC : OP_OTHER;
}

static void take_memory(struct insn *i, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *o)
{
	if (o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
		return;
	i->mem_size = o->mem.type == ZYDIS_MEMOP_TYPE_MEM ? o->size / 8 : 0;
	i->base = reg_number(o->mem.base);
	i->disp = o->mem.disp.has_displacement ? o->mem.disp.value : 0;
	i->is_store = o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	i->is_fs = o->mem.segment == ZYDIS_REGISTER_FS;
	if (i->base == REG_RIP)
		i->rip = i->addr + in->length + o->mem.disp.value;
}

static void take_register(struct insn *i, const ZydisDecodedOperand *o)
{
	int r = reg_number(o->reg.value);

	if (r < 0 || r >= REG_RIP)
		return;
	if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		i->writes |= 1u << r;
	else if (o->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
		i->src = r;
}

static void take_immediate(struct insn *i, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *o)
{
	if (o->imm.is_relative) {
		i->target = i->addr + in->length + o->imm.value.s;
		return;
	}
	i->has_imm = true;
	i->imm = o->imm.value.s;
}

static void take_operands(struct insn *i, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *ops)
{
	for (int k = 0; k < in->operand_count; k++) {
		switch (ops[k].type) {
		case ZYDIS_OPERAND_TYPE_REGISTER: take_register(i, &ops[k]); break;
		case ZYDIS_OPERAND_TYPE_MEMORY: take_memory(i, in, &ops[k]); break;
		case ZYDIS_OPERAND_TYPE_IMMEDIATE: take_immediate(i, in, &ops[k]); break;
		case ZYDIS_OPERAND_TYPE_POINTER:
		case ZYDIS_OPERAND_TYPE_UNUSED: break;
		}
	}
}

static bool is_zeroing(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *ops)
{
	return in->mnemonic == ZYDIS_MNEMONIC_XOR && ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER && ops[0].reg.value == ops[1].reg.value;
}

static struct insn describe(uint64_t addr, const uint8_t *p, const ZydisDecodedInstruction *in,
			    const ZydisDecodedOperand *ops)
{
	struct insn i = {.addr = addr, .len = in->length, .kind = classify(p, in), .op = op_of(in),
			 .base = REG_NONE, .src = REG_NONE};

	take_operands(&i, in, ops);
	if (is_zeroing(in, ops)) {
		i.op = OP_MOV;
		i.has_imm = true;
	}
	if (i.op == OP_CALL)
		i.writes = UINT16_MAX;
	return i;
}

static struct insn decode_one(const ZydisDecoder *d, uint64_t addr, const uint8_t *p, size_t left)
{
	ZydisDecodedInstruction in;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

	if (ZYAN_FAILED(ZydisDecoderDecodeFull(d, p, left, &in, ops)))
		return (struct insn){.addr = addr, .len = 1, .op = OP_BAD, .base = REG_NONE, .src = REG_NONE,
				     .writes = UINT16_MAX};
	return describe(addr, p, &in, ops);
}

static void mark_joined(struct code *c)
{
	for (size_t k = 0; k < c->n; k++) {
		if (c->v[k].op != OP_JMP && c->v[k].op != OP_JCC)
			continue;
		int to = code_at(c, c->v[k].target);

		if (to >= 0)
			c->v[to].is_joined = true;
	}
}

/* The function's bytes without the int3 padding behind it. */
static const uint8_t *function_bytes(const struct image *im, const struct go_func *f, size_t *ret_n)
{
	uint64_t n = f->end > f->entry ? min_u64(f->end - f->entry, MAX_CODE) : 0;
	const uint8_t *p = n ? image_at(im, f->entry, n) : NULL;

	while (p && n && p[n - 1] == 0xcc)
		n--;
	*ret_n = n;
	return p;
}

int code_decode(const struct image *im, const struct go_func *f, struct code *ret)
{
	size_t n;
	const uint8_t *p = function_bytes(im, f, &n);
	VEC(struct insn) v = {0};
	ZydisDecoder d;

	if (!p)
		return -EFAULT;
	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t at = 0; at < n; at += v.v[v.n - 1].len) {
		struct insn i = decode_one(&d, f->entry + at, p + at, n - at);

		*vec_push(&v) = i;
	}
	*ret = (struct code){.func = *f, .v = v.v, .n = v.n};
	mark_joined(ret);
	return 0;
}

void code_free(struct code *c)
{
	free(c->v);
	*c = (struct code){0};
}

int code_at(const struct code *c, uint64_t addr)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->v[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n && c->v[lo].addr == addr ? (int)lo : -1;
}

int code_call(const struct codes *cs, const struct code *c, const char *callee, int from)
{
	for (size_t k = from; k < c->n; k++)
		if (c->v[k].op == OP_CALL && c->v[k].target && codes_is(cs, c->v[k].target, callee))
			return k;
	return -1;
}

static bool ends_block(const struct insn *i)
{
	return i->op == OP_CALL || i->op == OP_JMP || i->op == OP_RET || i->op == OP_BAD;
}

bool code_arg(const struct code *c, int k, int reg, int64_t *ret)
{
	for (int j = k - 1; j >= 0 && j >= k - ARG_WINDOW; j--) {
		const struct insn *i = &c->v[j];

		if (c->v[j + 1].is_joined || ends_block(i))
			return false;
		if (!(i->writes & 1u << reg))
			continue;
		if (i->op != OP_MOV || !i->has_imm || i->mem_size)
			return false;
		*ret = i->imm;
		return true;
	}
	return false;
}

uint64_t code_rip(const struct code *c, int k)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].rip && k-- == 0)
			return c->v[i].rip;
	return 0;
}

int code_entry(const struct code *c)
{
	int jcc = -1;

	for (size_t k = 0; k < c->n && k < ENTRY_WINDOW; k++) {
		if (c->v[k].kind == INSN_PUSH)
			return k;
		if (c->v[k].kind == INSN_JCC && jcc < 0)
			jcc = k;
	}
	return jcc;
}

/* Between the flag's load and its jcc nothing may leave the straight line. */
static int jcc_after(const struct code *c, size_t k)
{
	for (size_t j = k + 1; j < c->n && j < k + FLAG_WINDOW; j++) {
		if (c->v[j].kind == INSN_JCC)
			return j;
		if (ends_block(&c->v[j]))
			return -1;
	}
	return -1;
}

int code_flag_jcc(const struct code *c, uint64_t flag, int from)
{
	for (size_t k = from; flag && k < c->n; k++) {
		if (c->v[k].rip != flag || c->v[k].is_store)
			continue;
		int jcc = jcc_after(c, k);

		if (jcc >= 0)
			return jcc;
	}
	return -1;
}

/* ------------------------------------------------------------------------- codes */

struct call {
	uint64_t addr, target;
	size_t func;          /* number in the pclntab */
};

struct codes {
	const struct image *im;
	const struct pclntab *t;
	VEC(struct code *) known;
	VEC(struct call) calls; /* of package runtime, ascending */
	bool has_calls;
};

struct codes *codes_open(const struct image *im, const struct pclntab *t)
{
	struct codes *c = xcalloc(1, sizeof(*c));

	c->im = im;
	c->t = t;
	return c;
}

void codes_close(struct codes *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->known.n; i++) {
		code_free(c->known.v[i]);
		free(c->known.v[i]);
	}
	vec_free(&c->known);
	vec_free(&c->calls);
	free(c);
}

void codes_closep(struct codes **c)
{
	codes_close(*c);
}

const struct code *codes_at(struct codes *c, const struct go_func *f)
{
	struct code code;

	for (size_t i = 0; i < c->known.n; i++)
		if (c->known.v[i]->func.entry == f->entry)
			return c->known.v[i];
	if (code_decode(c->im, f, &code) < 0)
		return NULL;
	return *vec_push(&c->known) = xmemdup(&code, sizeof(code));
}

const struct code *codes_get(struct codes *c, const char *name)
{
	struct go_func f;

	return pclntab_find_name(c->t, name, &f) ? codes_at(c, &f) : NULL;
}

bool codes_is(const struct codes *c, uint64_t addr, const char *name)
{
	struct go_func f;

	return pclntab_find_pc(c->t, addr, &f) && f.entry == addr && !strcmp(f.name, name);
}

/* Calls are recognised without operands: this runs over all of package runtime. */
static void index_function(struct codes *c, const ZydisDecoder *d, const struct go_func *f, size_t number)
{
	size_t n, len;
	const uint8_t *p = function_bytes(c->im, f, &n);
	ZydisDecodedInstruction in;

	for (size_t at = 0; p && at < n; at += len) {
		bool ok = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(d, NULL, p + at, n - at, &in));

		len = ok ? in.length : 1;
		if (ok && p[at] == 0xe8)
			*vec_push(&c->calls) = (struct call){f->entry + at,
				f->entry + at + len + in.raw.imm[0].value.s, number};
	}
}

static void index_calls(struct codes *c)
{
	struct go_func f;
	uint64_t done = 0; /* functions ascend; in a hostile table each may be all of the text */
	ZydisDecoder d;

	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t i = 0; i < pclntab_count(c->t); i++) {
		if (!pclntab_func(c->t, i, &f) || f.entry < done || strncmp(f.name, "runtime.", 8))
			continue;
		done = f.end;
		index_function(c, &d, &f, i);
	}
	c->has_calls = true;
}

bool codes_next_call(struct codes *c, size_t *pos, struct runtime_call *ret)
{
	if (!c->has_calls)
		index_calls(c);
	while (*pos < c->calls.n) {
		const struct call *k = &c->calls.v[(*pos)++];

		ret->addr = k->addr;
		ret->target = k->target;
		if (pclntab_func(c->t, k->func, &ret->caller))
			return true;
	}
	return false;
}
