/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf.h - offsets of fields in the Go runtime's structures, from the debug information of an unstripped binary.
 *
 * The last resort for a Go version that the table does not know. -ENOENT: no debug information (-ldflags -w).
 */
#ifndef TARGET_DWARF_H
#define TARGET_DWARF_H

#include "target/image.h"

struct dwarf_types;

int dwarf_types_open(const struct image *im, struct dwarf_types **ret);
void dwarf_types_close(struct dwarf_types *d);
void dwarf_types_closep(struct dwarf_types **d);
/* "g.sched.sp": bytes from the start of struct runtime.g. False: no such structure or field. */
bool dwarf_types_offset(const struct dwarf_types *d, const char *path, uint64_t *ret);

#endif
