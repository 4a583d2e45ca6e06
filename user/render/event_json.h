/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_json.h - an event as one JSON object: a line of `gotrace dump --json`.
 *
 * Every object has, first and in this order:
 *	time_ns   the trace's own clock; the first line is a Sync and has the time of the start. CLOCK_MONOTONIC for what gotrace
 *	          and Go on Linux write
 *	m, p, g   thread, P and goroutine before the event, null: none
 *	event     its name in Go's format (internal/trace/tracev2/events.go), or Sync, CPUSample
 * then, always, what its kind has (event_fields.c): goroutine, proc, thread, task, parent that it names (thread and parent may be
 * null), seq, status (a word), reason, kind, name, label, category, message, bytes, swept_bytes, reclaimed_bytes, procs, and
 *	stack, start_stack   [{"function", "file", "line"}...], leaf first, [] none
 * A coroutine switch is one object for what Go's reader tells as three transitions (GoDestroySyscall may be two).
 */
#ifndef RENDER_EVENT_JSON_H
#define RENDER_EVENT_JSON_H

#include "gotrace/symbols.h"
#include "render/json.h"

/* Without the newline. */
void event_json(struct json *j, const struct event *ev, struct stack_source stacks);

#endif
