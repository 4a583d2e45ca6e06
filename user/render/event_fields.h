/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_fields.h - what each event carries, by name: the one table behind the text and the JSON of an event.
 *
 * The names are keys of `gotrace dump --json` and so a promise: they may be added to, not changed.
 */
#ifndef RENDER_EVENT_FIELDS_H
#define RENDER_EVENT_FIELDS_H

#include "gotrace/event.h"

enum event_field_kind {
	FIELD_NUMBER,          /* of `number` */
	FIELD_NUMBER_OR_NONE,  /* UINT64_MAX: none */
	FIELD_STATUS,          /* a word */
	FIELD_STRING,
	FIELD_STACK,           /* of `number` */
};

struct event_field {
	const char *key;
	uint8_t kind;
	uint16_t at;           /* offset in struct event */
};

enum { EVENT_FIELDS_MAX = 5 };

/* In the order of the format; *n of them. */
const struct event_field *event_fields(uint8_t type, unsigned *n);
uint64_t event_field_number(const struct event *ev, const struct event_field *f);
struct str event_field_string(const struct event *ev, const struct event_field *f);
const char *event_status_name(const struct event *ev);
/* As the format calls it; Sync and CPUSample too. */
const char *event_name(uint8_t type);

#endif
