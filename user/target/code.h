/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code.h - a Go function's machine code as an array of small facts, and the questions the plan asks of it.
 *
 * codes_get("runtime.park_m") decodes a function once (Zydis) and keeps it; what it returns lives until codes_close.
 * Each instruction says what the kernel does when a uprobe stands on it (kind: emulated or single-stepped), where it
 * jumps, which static address it touches, which registers it writes and, where that is evident, with what constant.
 *
 * The code is untrusted: at most MAX_CODE bytes of a function are decoded, bytes that are no instruction become
 * OP_BAD of length 1, every walk is over the array. Registers are numbered as the processor does (REG_AX...).
 */
#ifndef TARGET_CODE_H
#define TARGET_CODE_H

#include "target/plan.h"

enum { REG_AX = 0, REG_CX = 1, REG_DX = 2, REG_BX = 3, REG_SP = 4, REG_SI = 6, REG_DI = 7, REG_R11 = 11, REG_R14 = 14, REG_RIP = 16, REG_NONE = -1 };

enum insn_op { OP_OTHER = 0, OP_BAD, OP_CALL, OP_JMP, OP_JCC, OP_RET, OP_MOV, OP_LEA, OP_CMP, OP_TEST, OP_CMPXCHG };

struct insn {
	uint64_t addr;
	uint64_t target;      /* of a direct call, jmp, jcc; 0 none */
	uint64_t rip;         /* static address of a rip-relative operand; 0 none */
	int64_t imm;          /* if has_imm */
	int64_t disp;         /* of the memory operand, if mem_size != 0 */
	uint16_t writes;      /* bit r: writes general register r (a call: what Go's ABI may clobber, all) */
	uint8_t len;
	uint8_t kind;         /* enum site_insn */
	uint8_t op;           /* enum insn_op */
	uint8_t mem_size;     /* bytes of the explicit memory operand, 0 none */
	int8_t base;          /* its base register, REG_RIP, REG_NONE */
	int8_t src;           /* register operand that is only read, REG_NONE */
	bool has_imm;         /* an immediate operand; an xor of a register with itself counts as mov $0 */
	bool is_store;        /* writes its memory operand */
	bool is_fs;           /* memory operand is %fs: relative */
	bool is_joined;       /* a jump of this function lands here: what was before need not have run */
};

struct code {
	struct go_func func;
	struct insn *v;
	size_t n;
};

struct codes;
struct codes *codes_open(const struct image *im, const struct pclntab *t);
void codes_close(struct codes *c);
void codes_closep(struct codes **c);
/* NULL: the binary has no such function (removed by the linker, or inlined everywhere). */
const struct code *codes_get(struct codes *c, const char *name);
/* Does a function of that name begin at addr? Go's ABI0 wrappers share the name of what they wrap. */
bool codes_is(const struct codes *c, uint64_t addr, const char *name);

/* By address of entry. */
const struct code *codes_at(struct codes *c, const struct go_func *f);

/* Every direct call in package runtime, ascending by address. The first use decodes the whole package (30 ms). */
struct runtime_call {
	uint64_t addr, target;
	struct go_func caller;
};
bool codes_next_call(struct codes *c, size_t *pos, struct runtime_call *ret); /* *pos from 0 */

/* The rest asks one function. Indices are those of code->v; -1 is none. */
int code_decode(const struct image *im, const struct go_func *f, struct code *ret); /* free with code_free */
void code_free(struct code *c);
int code_at(const struct code *c, uint64_t addr);
/* The next direct call, from index `from` on, of a function of that name. */
int code_call(const struct codes *cs, const struct code *c, const char *callee, int from);
/* Constant in reg when call k is reached, if the code just before it sets one on every way. */
bool code_arg(const struct code *c, int k, int reg, int64_t *ret);
/* Address of the k-th (from 0) rip-relative operand; 0 none. */
uint64_t code_rip(const struct code *c, int k);
/* First push at the function's start, else the first jcc (the stack check, which may run twice); -1 neither. */
int code_entry(const struct code *c);
/* The next jcc, from index `from` on, that follows a load or comparison of the variable at `flag`. */
int code_flag_jcc(const struct code *c, uint64_t flag, int from);

#endif
