/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_text.h - an event as a line for people: a line of `gotrace dump`.
 *
 *	       TIME         M    P      G  EVENT
 *	0.000123456     41023    0     17  GoBlock              reason="chan receive" stack=runtime.chanrecv1<main.worker
 *
 * Time in seconds since start_ns. Of a stack the three innermost functions without the path of their package, and how many more
 * there are; with_frames prints all of them below the line. Bytes that are not UTF-8 or could steer a terminal are '?'.
 */
#ifndef RENDER_EVENT_TEXT_H
#define RENDER_EVENT_TEXT_H

#include "gotrace/event.h"
#include "gotrace/symbols.h"

#include <stdio.h>

struct event_text {
	FILE *f;
	struct stack_source stacks;
	uint64_t start_ns;
	bool with_frames;
};

void event_text_header(const struct event_text *t);
void event_text(const struct event_text *t, const struct event *ev);

#endif
