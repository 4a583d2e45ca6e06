/* SPDX-License-Identifier: Apache-2.0 */
/* dwarf.c - see dwarf.h. The parsing is libdw's; it bounds its own reads. */
#include "target/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_TYPEDEFS 8

/* The structures gotrace reads; all stand at the top of the compile unit of package runtime. */
static const char *const wanted[] = {
	"runtime.g", "runtime.m", "runtime.p", "runtime.sudog", "runtime.hchan", "runtime.pollDesc",
	"runtime.gcControllerState", "runtime.workType", "runtime.moduledata",
};

struct dwarf_types {
	void *copy; /* of the file: libelf decompresses sections in place */
	Elf *elf;
	Dwarf *dwarf;
	Dwarf_Die types[ARRAY_SIZE(wanted)];
	bool found[ARRAY_SIZE(wanted)];
	size_t n_found;
};

void dwarf_types_close(struct dwarf_types *d)
{
	if (!d)
		return;
	dwarf_end(d->dwarf);
	elf_end(d->elf);
	free(d->copy);
	free(d);
}

void dwarf_types_closep(struct dwarf_types **d)
{
	dwarf_types_close(*d);
}

static void take_type(struct dwarf_types *d, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	for (size_t i = 0; name && i < ARRAY_SIZE(wanted); i++) {
		if (d->found[i] || strcmp(name, wanted[i]))
			continue;
		d->types[i] = *die;
		d->found[i] = true;
		d->n_found++;
	}
}

static void take_unit(struct dwarf_types *d, Dwarf_Die *unit)
{
	Dwarf_Die die;

	if (dwarf_child(unit, &die) != 0)
		return;
	do {
		if (dwarf_tag(&die) == DW_TAG_structure_type)
			take_type(d, &die);
	} while (d->n_found < ARRAY_SIZE(wanted) && dwarf_siblingof(&die, &die) == 0);
}

static void take_units(struct dwarf_types *d)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t type;

	while (d->n_found < ARRAY_SIZE(wanted) &&
	       dwarf_get_units(d->dwarf, cu, &cu, NULL, &type, &unit, NULL) == 0)
		take_unit(d, &unit);
}

int dwarf_types_open(const struct image *im, struct dwarf_types **ret)
{
	CLEANUP(dwarf_types_closep) struct dwarf_types *d = xcalloc(1, sizeof(*d));

	if (!im->map_size || elf_version(EV_CURRENT) == EV_NONE)
		return -ENOENT;
	d->copy = xmemdup(im->map, im->map_size);
	d->elf = elf_memory(d->copy, im->map_size);
	if (!d->elf)
		return -ENOENT;
	d->dwarf = dwarf_begin_elf(d->elf, DWARF_C_READ, NULL);
	if (!d->dwarf)
		return -ENOENT;
	take_units(d);
	if (!d->n_found)
		return -ENOENT;
	*ret = d;
	d = NULL;
	return 0;
}

/* The structure behind a member's type, through typedefs. */
static bool member_type(Dwarf_Die *member, Dwarf_Die *ret)
{
	Dwarf_Attribute a;
	Dwarf_Die die = *member;

	for (int i = 0; i < MAX_TYPEDEFS; i++) {
		Dwarf_Die next;

		if (!dwarf_attr(&die, DW_AT_type, &a) || !dwarf_formref_die(&a, &next))
			return false;
		if (dwarf_tag(&next) != DW_TAG_typedef) {
			*ret = next;
			return true;
		}
		die = next;
	}
	return false;
}

static bool find_member(Dwarf_Die *type, const char *name, size_t n, Dwarf_Die *ret)
{
	if (dwarf_child(type, ret) != 0)
		return false;
	do {
		const char *have = dwarf_diename(ret);

		if (dwarf_tag(ret) == DW_TAG_member && have && strlen(have) == n && !memcmp(have, name, n))
			return true;
	} while (dwarf_siblingof(ret, ret) == 0);
	return false;
}

/* "sched.sp" from the start of type. */
static bool path_offset(Dwarf_Die *type, const char *path, uint64_t *ret)
{
	Dwarf_Die at = *type, member;
	Dwarf_Attribute a;
	uint64_t sum = 0;

	for (;;) {
		size_t n = strcspn(path, ".");
		Dwarf_Word offset;

		if (!find_member(&at, path, n, &member) ||
		    !dwarf_attr(&member, DW_AT_data_member_location, &a) || dwarf_formudata(&a, &offset))
			return false;
		sum += offset;
		if (!path[n])
			break;
		if (!member_type(&member, &at))
			return false;
		path += n + 1;
	}
	*ret = sum;
	return true;
}

bool dwarf_types_offset(const struct dwarf_types *d, const char *path, uint64_t *ret)
{
	size_t n = strcspn(path, ".");

	for (size_t i = 0; path[n] && i < ARRAY_SIZE(wanted); i++) {
		const char *name = wanted[i] + strlen("runtime.");
		Dwarf_Die type = d->types[i];

		if (d->found[i] && strlen(name) == n && !memcmp(name, path, n))
			return path_offset(&type, path + n + 1, ret);
	}
	return false;
}
