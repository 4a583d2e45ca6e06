/* SPDX-License-Identifier: Apache-2.0 */
/* spec.h - names and arguments of the timed events (internal/trace/tracev2/events.go, Go 1.26; trace-format.md §5). */
#ifndef READ_SPEC_H
#define READ_SPEC_H

#include "gotrace/event.h"

enum { EVENT_ARGS_MAX = 5 };

struct event_spec {
	const char *name;      /* NULL: no timed event */
	uint8_t n_args;        /* after the time */
};

extern const struct event_spec event_specs[256];

#endif
