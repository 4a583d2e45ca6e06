/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pclntab_internal.h - the tables of a pclntab, for pclntab.c (functions) and symbols.c (frames) alone.
 *
 * A pclntab borrows everything from the image, which must outlive it; only the index of names is its own.
 */
#ifndef TARGET_PCLNTAB_INTERNAL_H
#define TARGET_PCLNTAB_INTERNAL_H

#include "target/pclntab.h"

/* A slice of moduledata: bytes of the image. */
struct table {
	const uint8_t *p;
	uint64_t n;
};

/* Where fields lie in runtime._func and runtime.inlinedCall. */
struct pclntab_layout {
	uint32_t magic;
	int first_minor, last_minor;
	uint8_t func_size, func_id_at, nfuncdata_at;
	uint8_t inlined_size, inlined_id_at, inlined_name_at, inlined_parent_at;
};

struct pclntab {
	const struct image *im;
	const struct pclntab_layout *layout;
	int minor;                    /* of the target's Go 1.minor */
	uint64_t moduledata, text, etext, gofunc;
	struct table names, cutab, filetab, pctab, funcs, ftab;
	size_t n;                     /* functions; ftab has one entry more, the end */
	struct map64 by_name;         /* hash of the name -> 1 + index of the first function */
	uint32_t *next_of_name;       /* 1 + index of the next one with that hash, 0 none */
};

/* One decoded runtime._func. */
struct func_info {
	uint64_t entry, end, at;      /* at: offset in pclntable */
	uint32_t name_off, pcfile, pcln, npcdata, cu_offset;
	uint8_t func_id, nfuncdata;
};

enum { PCDATA_INL_TREE_INDEX = 2, FUNCDATA_INL_TREE = 3, FUNCDATA_WRAP_INFO = 7 };

bool table_u32(const struct table *t, uint64_t offset, uint32_t *ret);
/* NUL-terminated inside the table, or NULL. */
const char *table_string(const struct table *t, uint64_t offset);

bool pclntab_func_info(const struct pclntab *t, uint64_t vaddr, struct func_info *ret);
/* A pc table of a function: this value up to `end`, which ascends. */
struct pc_steps {
	struct pc_step { uint64_t end; int32_t value; } *v;
	size_t n, cap;
};
/* The one at offset `table` of pctab, as far as it is good. */
void pclntab_pcsteps(const struct pclntab *t, uint32_t table, const struct func_info *f, struct pc_steps *ret);
/* Offset in pctab of a function's pcdata table, 0 when it has none. */
uint32_t pclntab_pcdata(const struct pclntab *t, const struct func_info *f, uint32_t which);
/* Address of a function's funcdata, 0 when it has none. */
uint64_t pclntab_funcdata(const struct pclntab *t, const struct func_info *f, uint32_t which);

#endif
